//! SmolVLA: the VLM's prefix and the action expert that attends to it.
//!
//! Images, language and state form the prefix. Each text layer's keys and values are all that the expert sees of
//! it, so the prefix runs once and the expert once per denoising step.

use crate::config::ModelConfig;
use crate::nn::DecoderLayer;
use crate::ops::Ops;
use crate::siglip;

pub use crate::expert::SuffixInputs;
pub use crate::prefix::{ContextInputs, PrefixInputs, StateInputs};

pub(crate) const TEXT: &str = "model.vlm_with_expert.vlm.model.text_model";
pub(crate) const EXPERT: &str = "model.vlm_with_expert.lm_expert";

/// Keys and values of one layer over some tokens.
#[derive(Clone, Debug)]
pub struct LayerCache<T> {
    /// `[batch, tokens, key_value heads · dim]`.
    pub key: T,
    /// As `key`.
    pub value: T,
}

/// The network of one configuration.
#[derive(Clone, Debug)]
pub struct SmolVla<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) last_layer_in_full: bool,
}

impl<'a> SmolVla<'a> {
    /// The network as it is trained and run.
    pub fn new(config: &'a ModelConfig) -> Self {
        Self { config, last_layer_in_full: false }
    }

    /// Also computes what the last text layer makes of its attention. Nothing reads it; parity tests compare it.
    pub fn with_last_layer_in_full(self) -> Self {
        Self { last_layer_in_full: true, ..self }
    }

    /// One camera's images to tokens.
    ///
    /// # Shapes
    /// `pixels` `[batch, 3, image_size, image_size]`, −1 … 1; the result `[batch, image tokens, text hidden]`.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn vision<O: Ops>(&self, ops: &O, pixels: &O::Tensor) -> Result<O::Tensor, O::Error> {
        siglip::image_tokens(ops, self.config, pixels)
    }

    pub(crate) fn text_layer(&self, index: usize) -> DecoderLayer {
        DecoderLayer {
            path: format!("{TEXT}.layers.{index}"),
            hidden_size: self.config.text.hidden_size,
            intermediate_size: self.config.text.intermediate_size,
            heads: self.config.heads(),
            eps: self.config.text.rms_norm_eps,
        }
    }

    pub(crate) fn expert_layer(&self, index: usize) -> DecoderLayer {
        DecoderLayer {
            path: format!("{EXPERT}.layers.{index}"),
            hidden_size: self.config.expert_hidden_size,
            intermediate_size: self.config.expert_intermediate_size,
            heads: self.config.heads(),
            eps: self.config.text.rms_norm_eps,
        }
    }
}
