//! The policy's configuration: LeRobot's `config.json` and the VLM's own, parsed, then validated into sizes.
//!
//! Keys and defaults are LeRobot's. Unknown keys are ignored, because newer versions add them; a value that
//! SmolVLA cannot have is refused by name.

use crate::error::Error;
use crate::ops::{Heads, Rope};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The VLM that `smolvla_base` and its fine-tunes name.
pub const DEFAULT_VLM: &str = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct";

/// RoPE's base in both stacks: the reference ignores the VLM's `rope_theta`.
const ROPE_BASE: f64 = 10_000.0;

/// What a feature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FeatureType {
    /// Proprioception.
    State,
    /// A camera.
    Visual,
    /// The environment's state, unused by SmolVLA.
    Env,
    /// The action.
    Action,
    /// Anything a newer version adds.
    #[serde(other)]
    Other,
}

/// A feature's type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Feature {
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: FeatureType,
    /// `[dimensions]`, or `[channels, height, width]`.
    pub shape: Vec<usize>,
}

/// How the tokenizer pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// To the longest text of the batch.
    Longest,
    /// To the maximum length.
    MaxLength,
}

/// `config.json` as LeRobot writes it: only the keys that change a result.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct PolicyConfig {
    /// Must be `smolvla`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Observation features; the order of the cameras is theirs.
    pub input_features: serde_json::Map<String, serde_json::Value>,
    /// The action.
    pub output_features: serde_json::Map<String, serde_json::Value>,
    /// Actions predicted per call.
    pub chunk_size: usize,
    /// Actions executed before the next call.
    pub n_action_steps: usize,
    /// Width the state is zero-padded to.
    pub max_state_dim: usize,
    /// Width actions are zero-padded to.
    pub max_action_dim: usize,
    /// Width and height of the vision input.
    pub resize_imgs_with_padding: Option<[usize; 2]>,
    /// Absent cameras that are replaced by a masked blank.
    pub empty_cameras: usize,
    /// ALOHA's joint remapping.
    pub adapt_to_pi_aloha: bool,
    /// Raises "not implemented" in the reference.
    pub use_delta_joint_actions_aloha: bool,
    /// Tokens an instruction may have.
    pub tokenizer_max_length: usize,
    /// Euler steps.
    pub num_steps: usize,
    /// Freezes the vision tower while training.
    pub freeze_vision_encoder: bool,
    /// Freezes the whole VLM while training.
    pub train_expert_only: bool,
    /// Trains the state's projection.
    pub train_state_proj: bool,
    /// Names the VLM.
    pub vlm_model_name: String,
    /// Surrounds the images with special tokens.
    pub add_image_special_tokens: bool,
    /// Any value containing `cross` makes cross-attention layers.
    pub attention_mode: String,
    /// Pads the prefix to this many tokens if it is shorter; ≤ 0 is off.
    pub prefix_length: i64,
    /// The tokenizer's padding.
    pub pad_language_to: Padding,
    /// ≤ 0: as many as VLM layers.
    pub num_expert_layers: i64,
    /// Text layers kept; ≤ 0 keeps all.
    pub num_vlm_layers: i64,
    /// Layer `i` is joint self-attention when `i mod n = 0`; ≤ 0: never.
    pub self_attn_every_n_layers: i64,
    /// The expert's width over the VLM's.
    pub expert_width_multiplier: f64,
    /// Shortest period of the time embedding.
    pub min_period: f64,
    /// Longest period of the time embedding.
    pub max_period: f64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            kind: String::new(),
            input_features: serde_json::Map::new(),
            output_features: serde_json::Map::new(),
            chunk_size: 50,
            n_action_steps: 50,
            max_state_dim: 32,
            max_action_dim: 32,
            resize_imgs_with_padding: Some([512, 512]),
            empty_cameras: 0,
            adapt_to_pi_aloha: false,
            use_delta_joint_actions_aloha: false,
            tokenizer_max_length: 48,
            num_steps: 10,
            freeze_vision_encoder: true,
            train_expert_only: true,
            train_state_proj: true,
            vlm_model_name: DEFAULT_VLM.to_owned(),
            add_image_special_tokens: false,
            attention_mode: "cross_attn".to_owned(),
            prefix_length: -1,
            pad_language_to: Padding::Longest,
            num_expert_layers: -1,
            num_vlm_layers: 16,
            self_attn_every_n_layers: 2,
            expert_width_multiplier: 0.75,
            min_period: 4e-3,
            max_period: 4.0,
        }
    }
}

impl PolicyConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// If it cannot be read, is no such file, or belongs to another policy.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let config: Self = serde_json::from_str(&text).map_err(|e| Error::file(path, e))?;
        if config.kind != "smolvla" {
            return Err(Error::file(path, format!("policy type is `{}`, expected `smolvla`", config.kind)));
        }
        Ok(config)
    }

    /// Cameras in configuration order: key and feature, the placeholders of `empty_cameras` included.
    ///
    /// # Errors
    /// If a feature is not `{type, shape}`.
    pub fn cameras(&self) -> Result<Vec<(String, Feature)>, Error> {
        let features = parse_features("input_features", &self.input_features)?;
        Ok(features.into_iter().filter(|(_, feature)| feature.kind == FeatureType::Visual).collect())
    }

    /// Width of the state.
    ///
    /// # Errors
    /// If there is no `observation.state`, or it is no vector.
    pub fn state_dim(&self) -> Result<usize, Error> {
        vector_width("input_features", &self.input_features, "observation.state")
    }

    /// Width of the action.
    ///
    /// # Errors
    /// If there is no `action`, or it is no vector.
    pub fn action_dim(&self) -> Result<usize, Error> {
        vector_width("output_features", &self.output_features, "action")
    }
}

type FeatureMap = serde_json::Map<String, serde_json::Value>;

fn parse_features(key: &str, features: &FeatureMap) -> Result<Vec<(String, Feature)>, Error> {
    let parse = |(name, value): (&String, &serde_json::Value)| {
        let feature = serde_json::from_value(value.clone());
        let feature =
            feature.map_err(|e| wrong(&format!("{key}.{name}"), value, &format!("{{type, shape}} ({e})")));
        feature.map(|feature| (name.clone(), feature))
    };
    features.iter().map(parse).collect()
}

fn vector_width(key: &str, features: &FeatureMap, name: &str) -> Result<usize, Error> {
    let features = parse_features(key, features)?;
    let names: Vec<&str> = features.iter().map(|(name, _)| name.as_str()).collect();
    match features.iter().find(|(other, _)| other == name) {
        Some((_, Feature { shape, .. })) if shape.len() == 1 && shape[0] > 0 => Ok(shape[0]),
        Some((_, feature)) => {
            Err(wrong(&format!("{key}.{name}.shape"), format!("{:?}", feature.shape), "[dimensions]"))
        }
        None => Err(wrong(key, names.join(", "), &format!("a feature `{name}`"))),
    }
}

fn wrong(key: &str, found: impl std::fmt::Display, expected: &str) -> Error {
    Error::Config { key: key.to_owned(), found: found.to_string(), expected: expected.to_owned() }
}

/// The VLM's `config.json`: only what shapes the network. Absent keys take SmolVLM2-500M's values, whose own
/// file leaves some of them to defaults.
#[derive(Clone, Debug, Deserialize)]
pub struct VlmConfig {
    /// Edge of the square of patches that one image token stands for.
    #[serde(default = "default_scale_factor")]
    pub scale_factor: usize,
    /// The text model.
    pub text_config: TextConfig,
    /// The vision tower.
    pub vision_config: VisionConfig,
}

/// The text model's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    /// Width.
    pub hidden_size: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Layers of the VLM, before any are cut off.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Entries of the token table.
    pub vocab_size: usize,
    /// Epsilon of the RMS norms.
    #[serde(default = "default_rms_norm_eps")]
    pub rms_norm_eps: f64,
}

/// The vision tower's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisionConfig {
    /// Width.
    #[serde(default = "default_vision_hidden_size")]
    pub hidden_size: usize,
    /// Width inside the MLP.
    #[serde(default = "default_vision_intermediate_size")]
    pub intermediate_size: usize,
    /// Layers.
    #[serde(default = "default_vision_layers")]
    pub num_hidden_layers: usize,
    /// Heads.
    #[serde(default = "default_vision_heads")]
    pub num_attention_heads: usize,
    /// Edge of the square input.
    #[serde(default = "default_image_size")]
    pub image_size: usize,
    /// Edge of a patch.
    #[serde(default = "default_patch_size")]
    pub patch_size: usize,
    /// Epsilon of the layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

fn default_scale_factor() -> usize {
    4
}
fn default_rms_norm_eps() -> f64 {
    1e-5
}
fn default_vision_hidden_size() -> usize {
    768
}
fn default_vision_intermediate_size() -> usize {
    3072
}
fn default_vision_layers() -> usize {
    12
}
fn default_vision_heads() -> usize {
    12
}
fn default_image_size() -> usize {
    512
}
fn default_patch_size() -> usize {
    16
}
fn default_layer_norm_eps() -> f64 {
    1e-6
}

impl VlmConfig {
    /// SmolVLM2-500M-Video-Instruct.
    pub fn smolvlm2_500m() -> Self {
        Self {
            scale_factor: 4,
            text_config: TextConfig {
                hidden_size: 960,
                intermediate_size: 2560,
                num_hidden_layers: 32,
                num_attention_heads: 15,
                num_key_value_heads: 5,
                head_dim: 64,
                vocab_size: 49_280,
                rms_norm_eps: default_rms_norm_eps(),
            },
            vision_config: VisionConfig {
                hidden_size: default_vision_hidden_size(),
                intermediate_size: default_vision_intermediate_size(),
                num_hidden_layers: default_vision_layers(),
                num_attention_heads: default_vision_heads(),
                image_size: default_image_size(),
                patch_size: default_patch_size(),
                layer_norm_eps: default_layer_norm_eps(),
            },
        }
    }

    /// Reads the VLM's `config.json`.
    ///
    /// # Errors
    /// If it cannot be read or lacks a size.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        serde_json::from_str(&text).map_err(|e| Error::file(path, e))
    }
}

/// Every size of the network, checked: what a bundle keeps and the model is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The vision tower.
    pub vision: VisionConfig,
    /// The text model; `num_hidden_layers` counts the layers kept.
    pub text: TextConfig,
    /// Edge of the square of patches that one image token stands for.
    pub scale_factor: usize,
    /// Width of the expert.
    pub expert_hidden_size: usize,
    /// Width inside the expert's MLP.
    pub expert_intermediate_size: usize,
    /// Which expert layers attend to the prefix only, through keys and values of their own.
    pub cross_layers: Vec<bool>,
    /// Steps of an action chunk.
    pub chunk_size: usize,
    /// Width of the padded state.
    pub max_state_dim: usize,
    /// Width of the padded action.
    pub max_action_dim: usize,
    /// Tokens of a padded instruction.
    pub language_token_count: usize,
    /// Ids of `<fake_token_around_image>` and `<global-img>`, if images are surrounded by them.
    pub image_special_tokens: Option<[i64; 2]>,
    /// Tokens the prefix is padded to, if it is shorter.
    pub prefix_length: usize,
    /// Euler steps.
    pub denoise_step_count: usize,
    /// Shortest period of the time embedding.
    pub min_period: f64,
    /// Longest period of the time embedding.
    pub max_period: f64,
}

impl ModelConfig {
    /// Combines both configurations. `special_tokens` are the ids of `<fake_token_around_image>` and
    /// `<global-img>` in the tokenizer.
    ///
    /// # Errors
    /// If the configuration is one that SmolVLA cannot have, or that the reference refuses or crashes on.
    pub fn new(
        policy: &PolicyConfig,
        vlm: &VlmConfig,
        special_tokens: Option<[i64; 2]>,
    ) -> Result<Self, Error> {
        refuse_unsupported(policy)?;
        let mut text = vlm.text_config.clone();
        let kept = usize::try_from(policy.num_vlm_layers).unwrap_or(0);
        if kept > text.num_hidden_layers {
            return Err(wrong(
                "num_vlm_layers",
                kept,
                &format!("at most the VLM's {} layers", text.num_hidden_layers),
            ));
        }
        if kept > 0 {
            text.num_hidden_layers = kept;
        }
        let expert_layers = usize::try_from(policy.num_expert_layers).unwrap_or(0);
        if expert_layers > 0 && expert_layers != text.num_hidden_layers {
            let expected =
                format!("-1, 0 or {} (fewer layers crash in the reference)", text.num_hidden_layers);
            return Err(wrong("num_expert_layers", expert_layers, &expected));
        }
        let expert_hidden_size = (text.hidden_size as f64 * policy.expert_width_multiplier) as usize;
        let image_special_tokens = if policy.add_image_special_tokens {
            let missing = "a tokenizer that has <fake_token_around_image> and <global-img>";
            Some(special_tokens.ok_or_else(|| wrong("add_image_special_tokens", true, missing))?)
        } else {
            None
        };
        let config = Self {
            cross_layers: cross_layers(policy, text.num_hidden_layers),
            expert_intermediate_size: expert_intermediate_size(expert_hidden_size),
            expert_hidden_size,
            scale_factor: vlm.scale_factor,
            vision: vlm.vision_config.clone(),
            text,
            chunk_size: policy.chunk_size,
            max_state_dim: policy.max_state_dim,
            max_action_dim: policy.max_action_dim,
            language_token_count: policy.tokenizer_max_length,
            image_special_tokens,
            prefix_length: usize::try_from(policy.prefix_length).unwrap_or(0),
            denoise_step_count: policy.num_steps,
            min_period: policy.min_period,
            max_period: policy.max_period,
        };
        config.validate()?;
        if let Some(size) = policy.resize_imgs_with_padding
            && size != [config.vision.image_size; 2]
        {
            let expected = format!("[{0}, {0}], the vision tower's input", config.vision.image_size);
            return Err(wrong("resize_imgs_with_padding", format!("{size:?}"), &expected));
        }
        Ok(config)
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// If one does not, by its key.
    pub fn validate(&self) -> Result<(), Error> {
        let positive = [
            ("chunk_size", self.chunk_size),
            ("max_state_dim", self.max_state_dim),
            ("max_action_dim", self.max_action_dim),
            ("tokenizer_max_length", self.language_token_count),
            ("num_steps", self.denoise_step_count),
            ("scale_factor", self.scale_factor),
            ("vision_config.num_attention_heads", self.vision.num_attention_heads),
            ("vision_config.patch_size", self.vision.patch_size),
            ("vision_config.image_size", self.vision.image_size),
            ("text_config.num_hidden_layers", self.text.num_hidden_layers),
            ("text_config.num_attention_heads", self.text.num_attention_heads),
            ("text_config.num_key_value_heads", self.text.num_key_value_heads),
            ("text_config.vocab_size", self.text.vocab_size),
            ("expert_width_multiplier", self.expert_hidden_size),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(wrong(key, 0, "more than 0"));
        }
        let multiples = [
            ("vision_config.image_size", self.vision.image_size, self.vision.patch_size * self.scale_factor),
            ("vision_config.hidden_size", self.vision.hidden_size, self.vision.num_attention_heads),
            ("text_config.num_attention_heads", self.text.num_attention_heads, self.text.num_key_value_heads),
            ("text_config.head_dim", self.text.head_dim, 2),
            ("expert width", self.expert_hidden_size, 2),
        ];
        if let Some((key, found, of)) = multiples.into_iter().find(|(_, value, of)| value % of != 0) {
            return Err(wrong(key, found, &format!("a multiple of {of}")));
        }
        if self.cross_layers.len() != self.text.num_hidden_layers {
            let expected = format!("{} entries, one a text layer", self.text.num_hidden_layers);
            return Err(wrong("cross_layers", self.cross_layers.len(), &expected));
        }
        Ok(())
    }

    /// Text layers, and expert layers.
    pub fn layer_count(&self) -> usize {
        self.text.num_hidden_layers
    }

    /// Heads of text and expert attention.
    pub fn heads(&self) -> Heads {
        let text = &self.text;
        Heads { query: text.num_attention_heads, key_value: text.num_key_value_heads, dim: text.head_dim }
    }

    /// Heads of the vision tower.
    pub fn vision_heads(&self) -> Heads {
        let heads = self.vision.num_attention_heads;
        Heads::uniform(heads, self.vision.hidden_size / heads)
    }

    /// Patches along one edge of the image.
    pub fn patches_per_side(&self) -> usize {
        self.vision.image_size / self.vision.patch_size
    }

    /// Tokens that one image becomes.
    pub fn image_token_count(&self) -> usize {
        (self.patches_per_side() / self.scale_factor).pow(2)
    }

    /// Tokens that one camera takes in the prefix, special tokens included.
    pub fn camera_token_count(&self) -> usize {
        self.image_token_count() + if self.image_special_tokens.is_some() { 3 } else { 0 }
    }

    /// Tokens of the prefix with so many camera slots and language tokens, padding included.
    pub fn prefix_token_count(&self, camera_count: usize, language_token_count: usize) -> usize {
        (camera_count * self.camera_token_count() + language_token_count + 1).max(self.prefix_length)
    }

    /// RoPE of text and expert, for prefixes of so many tokens.
    pub fn rope(&self, prefix_token_count: usize) -> Rope {
        Rope {
            head_dim: self.text.head_dim,
            base: ROPE_BASE,
            position_count: prefix_token_count + self.chunk_size,
        }
    }

    /// Angular frequencies of the time embedding: `2π / (min · (max/min)^(j/(n−1)))`, j = 0 … n−1.
    pub fn time_frequencies(&self) -> Vec<f64> {
        let count = self.expert_hidden_size / 2;
        let last = (count - 1).max(1) as f64;
        let period = |j: usize| self.min_period * (self.max_period / self.min_period).powf(j as f64 / last);
        (0..count).map(|j| std::f64::consts::TAU / period(j)).collect()
    }
}

fn refuse_unsupported(policy: &PolicyConfig) -> Result<(), Error> {
    if policy.adapt_to_pi_aloha {
        return Err(wrong("adapt_to_pi_aloha", true, "false: ALOHA's joint remapping is not supported"));
    }
    if policy.use_delta_joint_actions_aloha {
        return Err(wrong(
            "use_delta_joint_actions_aloha",
            true,
            "false: the reference does not implement it",
        ));
    }
    if policy.resize_imgs_with_padding.is_none() {
        return Err(wrong("resize_imgs_with_padding", "null", "the vision tower's input size"));
    }
    if policy.n_action_steps > policy.chunk_size {
        let expected = format!("at most chunk_size {}", policy.chunk_size);
        return Err(wrong("n_action_steps", policy.n_action_steps, &expected));
    }
    Ok(())
}

fn cross_layers(policy: &PolicyConfig, layer_count: usize) -> Vec<bool> {
    let every = usize::try_from(policy.self_attn_every_n_layers).unwrap_or(0);
    let is_self =
        |layer: usize| !policy.attention_mode.contains("cross") || (every > 0 && layer.is_multiple_of(every));
    (0..layer_count).map(|layer| !is_self(layer)).collect()
}

/// Four times two thirds of the width, rounded up to a multiple of 256, with the reference's truncations.
fn expert_intermediate_size(hidden_size: usize) -> usize {
    (4 * (2 * hidden_size / 3)).div_ceil(256) * 256
}
