//! The bundle's manifest, `bundle.json`: what the trainer promises and the runtime checks.
//!
//! A bundle is a folder: three graphs, their weights, `tokenizer.json` and the manifest. Dimensions are known
//! by name and unit, cameras by name, files by hash. The runtime refuses whatever does not match; nothing is
//! silently identity-normalised, zero-filled, truncated or reordered. Of a number that is merely another one than
//! the trainer wrote, the bundle's identity tells: it is a hash of the manifest, which holds the files' hashes.

mod bundle;
mod check;

pub use bundle::{BLANK_ID, Bundle, hash_file, identity};

use crate::config::ModelConfig;
use crate::error::Error;
use crate::formula::{Formula, Operand};
use crate::unit::Unit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the manifest that this build reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// Name of the manifest in the bundle's folder.
pub const MANIFEST_FILE: &str = "bundle.json";

/// Name of the tokenizer in the bundle's folder.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Names of the graphs' inputs and outputs.
pub mod io {
    /// `vision.onnx`, in: `[1, 3, size, size]`, −1 … 1.
    pub const PIXELS: &str = "pixels";
    /// `vision.onnx`, out: `[1, image tokens, hidden]`.
    pub const IMAGE_TOKENS: &str = "image_tokens";
    /// `prefix.onnx`, in: `[1, language tokens]`, int64.
    pub const TOKEN_IDS: &str = "token_ids";
    /// `prefix.onnx`, in: `[1, max_state_dim]`, normalised and zero-padded.
    pub const STATE: &str = "state";
    /// `prefix.onnx` and `denoise.onnx`, in: added to the attention scores, see [`crate::masks`].
    pub const MASK: &str = "mask";
    /// `prefix.onnx` and `denoise.onnx`, in: RoPE positions, int64.
    pub const POSITIONS: &str = "positions";
    /// `denoise.onnx`, in: `[1, chunk, max_action_dim]`.
    pub const X_T: &str = "x_t";
    /// `denoise.onnx`, in: `[1, chunk]`, 1 is noise and 0 the action.
    pub const TIME: &str = "time";
    /// `denoise.onnx`, out: `[1, chunk, max_action_dim]`.
    pub const VELOCITY: &str = "velocity";

    /// `prefix.onnx`, in: one camera's `image_tokens`.
    pub fn image_tokens(slot: usize) -> String {
        format!("image_tokens.{slot}")
    }

    /// `prefix.onnx`, out, and `denoise.onnx`, in: a layer's keys `[1, prefix tokens, key_value heads · dim]`.
    pub fn key(layer: usize) -> String {
        format!("k.{layer}")
    }

    /// As [`key`], the layer's values.
    pub fn value(layer: usize) -> String {
        format!("v.{layer}")
    }
}

/// Per-dimension statistics of what the model sees, in the dimension's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
    /// Lower end of the range that RANGE normalisation maps to −1: the minimum, or a low quantile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end, mapped to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// One number of the state or the action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The robot's name of the quantity.
    pub name: String,
    /// The unit the policy sees it in.
    pub unit: Unit,
    /// Index in the dataset's vector it was taken from; none where it is derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_index: Option<usize>,
    /// How it is computed from what the robot reports; none where it is reported itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Formula<Operand>>,
    /// What it is normalised with.
    pub statistics: Statistics,
}

/// A number of the state, as the robot has to find it.
#[derive(Clone, Copy, Debug)]
pub struct StateDimension<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The unit the policy sees it in.
    pub unit: Unit,
    /// How it is computed, where it is not reported.
    pub derived: Option<&'a Formula<Operand>>,
}

impl<'a> StateDimension<'a> {
    /// One that the robot reports.
    pub fn reported(name: &'a str, unit: Unit) -> Self {
        Self { name, unit, derived: None }
    }
}

/// How a vector is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `(x − mean) / (std + eps)`; back: `x · std + mean`, without eps, as LeRobot does.
    MeanStd,
    /// `2 (x − low) / (high − low) − 1`, and back.
    Range,
    /// Not at all, because the checkpoint says so.
    Identity,
}

/// A vector with names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// How it is normalised.
    pub normalization: Mode,
    /// Added to the standard deviation when normalising; stands in for a zero range.
    pub eps: f64,
    /// Its numbers, in the model's order.
    pub dimensions: Vec<Dimension>,
}

/// A camera, in token order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSpec {
    /// The robot's name of it.
    pub name: String,
    /// The checkpoint's feature key.
    pub key: String,
    /// Width of the frames it was trained with, pixels.
    pub width: usize,
    /// Height of the frames it was trained with, pixels.
    pub height: usize,
}

/// How the instruction becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructionRule {
    /// Tokens it may have; a longer one is refused, because the policy would only see its end.
    pub max_token_count: usize,
    /// Id that fills up to that many.
    pub pad_id: i64,
}

/// One ONNX graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// Its file.
    pub file: String,
    /// Bytes of weights by data type, read back from the written file.
    pub weight_bytes: BTreeMap<String, u64>,
}

/// The three graphs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphs {
    /// One image to its tokens.
    pub vision: Graph,
    /// Image tokens, language and state to keys and values.
    pub prefix: Graph,
    /// One velocity evaluation.
    pub denoise: Graph,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub byte_count: u64,
}

/// Where the policy comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Name of the checkpoint's folder.
    pub checkpoint: String,
    /// SHA-256 of its `model.safetensors`.
    pub checkpoint_sha256: String,
    /// Dataset it was trained on, if the checkpoint says.
    pub dataset: Option<String>,
    /// Training step, if the checkpoint says.
    pub step: Option<u64>,
    /// The command that exported it.
    pub command: String,
    /// Version of Sinew that did.
    pub sinew_version: String,
}

/// What the training says of how to run the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Most steps at a chunk's start that were clean in training, as those a robot is committed to; 0: none ever were.
    pub max_clean_steps: usize,
    /// The median first action of its episodes, in the action's order and units; empty where nobody knows.
    pub start_posture: Vec<f64>,
}

/// How far the graphs are from the training model in one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageParity {
    /// The stage.
    pub stage: String,
    /// Largest absolute difference.
    pub max_abs_error: f64,
    /// Largest absolute value of the training model's result.
    pub max_abs_reference: f64,
}

/// Measured agreement of the graphs with the training model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Allowed error, relative to `max(1, max_abs_reference)`.
    pub tolerance: f64,
    /// Where the graphs ran.
    pub execution_provider: String,
    /// One entry a stage.
    pub stages: Vec<StageParity>,
}

/// `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format_version: u32,
    /// Names this bundle and nothing else: see [`identity`].
    pub bundle_id: String,
    /// The robot.
    pub embodiment: String,
    /// Steps a second that the actions are meant for.
    pub rate_hz: f64,
    /// The network.
    pub model: ModelConfig,
    /// The instruction.
    pub instruction: InstructionRule,
    /// Cameras in token order.
    pub cameras: Vec<CameraSpec>,
    /// Proprioception.
    pub state: Vector,
    /// Actions.
    pub action: Vector,
    /// The graphs.
    pub graphs: Graphs,
    /// Every other file of the bundle.
    pub files: BTreeMap<String, FileEntry>,
    /// What it was trained for.
    #[serde(default)]
    pub training: Training,
    /// Where it comes from.
    pub provenance: Provenance,
    /// How exact it is.
    pub parity: Parity,
}

impl Manifest {
    /// What the robot has to find for the state.
    pub fn state_dimensions(&self) -> impl Iterator<Item = StateDimension<'_>> {
        self.state.dimensions.iter().map(|dimension| StateDimension {
            name: &dimension.name,
            unit: dimension.unit,
            derived: dimension.derived.as_ref(),
        })
    }

    /// Time between two steps of a chunk, nanoseconds.
    pub fn period_ns(&self) -> i64 {
        (1e9 / self.rate_hz).round() as i64
    }

    /// Gives the manifest its identity; what to write to `bundle.json`.
    ///
    /// # Errors
    /// If the manifest cannot be said in JSON.
    pub fn seal(&mut self) -> Result<String, Error> {
        let text = |manifest: &Self| match serde_json::to_string_pretty(manifest) {
            Ok(text) => Ok(text + "\n"),
            Err(error) => Err(Error::file(MANIFEST_FILE.as_ref(), error)),
        };
        BLANK_ID.clone_into(&mut self.bundle_id);
        self.bundle_id = identity(&text(self)?, BLANK_ID);
        text(self)
    }
}
