//! Which weights are trained: LeRobot's flags, by tensor name.

use sinew_models::config::ModelConfig;

/// What is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freezing {
    /// Freezes the vision tower, but not the connector behind it.
    pub freeze_vision_encoder: bool,
    /// Freezes the whole VLM, the vision tower and the connector included.
    pub train_expert_only: bool,
    /// Trains the projection of the state.
    pub train_state_proj: bool,
}

impl Freezing {
    /// Whether the weight is trained.
    ///
    /// Of a VLM that is trained, what cannot receive a gradient stays as it is: the head, the final norm, and the
    /// last text layer, of which only keys and values are read. That is the rule of LeRobot 0.6; in 0.4 the
    /// patterns for the last layer match nothing.
    pub fn is_trained(&self, name: &str, model: &ModelConfig) -> bool {
        if name.starts_with("model.state_proj.") {
            return self.train_state_proj;
        }
        let Some(vlm) = name.strip_prefix("model.vlm_with_expert.vlm.") else {
            return true;
        };
        if self.train_expert_only || vlm.starts_with("lm_head.") {
            return false;
        }
        let last_layer = format!("model.text_model.layers.{}.", model.layer_count() - 1);
        if vlm.starts_with("model.vision_model.") {
            return !self.freeze_vision_encoder;
        }
        !vlm.starts_with("model.text_model.norm.") && !vlm.starts_with(&last_layer)
    }
}
