//! A policy's folder as LeRobot writes it: configuration, weights, processors, tokenizer.

use crate::config::{DEFAULT_VLM, ModelConfig, PolicyConfig, VlmConfig};
use crate::error::Error;
use crate::preprocess::InstructionTokenizer;
use crate::processors::Processors;
use crate::weights::Weights;
use std::path::{Path, PathBuf};

/// Id of `<|im_end|>`, which fills up instructions.
pub const PAD_ID: i64 = 2;

/// A checkpoint whose parts fit each other.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its folder.
    pub folder: PathBuf,
    /// `config.json`.
    pub policy: PolicyConfig,
    /// The network.
    pub model: ModelConfig,
    /// `model.safetensors`.
    pub weights: Weights,
    /// Names in `model.safetensors` that no SmolVLA of this configuration has.
    pub unexpected_tensors: Vec<String>,
    /// The pre-processor.
    pub processors: Processors,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
}

impl Checkpoint {
    /// Opens a policy's folder. The tokenizer is `tokenizer` if given, else one in the folder or in the folder
    /// that the configuration names; nothing is downloaded.
    ///
    /// # Errors
    /// If a part is missing, or does not fit the others.
    pub fn open(folder: &Path, tokenizer: Option<&Path>) -> Result<Self, Error> {
        let policy = PolicyConfig::open(&folder.join("config.json"))?;
        let vlm = open_vlm_config(folder, &policy)?;
        let processors = Processors::open(folder)?;
        let tokenizer = match tokenizer {
            Some(path) => path.to_owned(),
            None => find_tokenizer(folder, &policy, &processors)?,
        };
        let special = InstructionTokenizer::open(&tokenizer, policy.tokenizer_max_length, PAD_ID)?
            .image_special_tokens();
        let model = ModelConfig::new(&policy, &vlm, special)?;
        let weights = Weights::open(&folder.join("model.safetensors"))?;
        let unexpected_tensors = weights.check(&model)?;
        Ok(Self {
            folder: folder.to_owned(),
            policy,
            model,
            weights,
            unexpected_tensors,
            processors,
            tokenizer,
        })
    }
}

fn open_vlm_config(folder: &Path, policy: &PolicyConfig) -> Result<VlmConfig, Error> {
    let beside = folder.join("vlm_config.json");
    let named = Path::new(&policy.vlm_model_name).join("config.json");
    if beside.exists() {
        VlmConfig::open(&beside)
    } else if named.exists() {
        VlmConfig::open(&named)
    } else if policy.vlm_model_name == DEFAULT_VLM {
        Ok(VlmConfig::smolvlm2_500m())
    } else {
        Err(Error::file(
            folder,
            format!(
                "the VLM `{}` is unknown: expected its configuration as vlm_config.json beside the policy's, or in a local folder of that name",
                policy.vlm_model_name
            ),
        ))
    }
}

fn find_tokenizer(folder: &Path, policy: &PolicyConfig, processors: &Processors) -> Result<PathBuf, Error> {
    let named = processors.tokenizer_name.as_deref().map(|name| folder.join(name).join("tokenizer.json"));
    let candidates = [
        Some(folder.join("tokenizer.json")),
        named,
        processors.tokenizer_name.as_deref().map(|name| Path::new(name).join("tokenizer.json")),
        Some(Path::new(&policy.vlm_model_name).join("tokenizer.json")),
    ];
    candidates.into_iter().flatten().find(|path| path.exists()).ok_or_else(|| {
        let name = processors.tokenizer_name.as_deref().unwrap_or(&policy.vlm_model_name);
        Error::file(
            folder,
            format!("holds no tokenizer.json, and `{name}` is no local folder: give it with --tokenizer"),
        )
    })
}
