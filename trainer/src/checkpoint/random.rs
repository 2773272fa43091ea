//! A policy with random weights, drawn as the reference draws them.

use crate::Error;
use crate::checkpoint::policy_folder::write_json;
use crate::checkpoint::tensors::{self, Entry};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde_json::{Value, json};
use sinew_models::checkpoint::PAD_ID;
use sinew_models::config::{ModelConfig, PolicyConfig, VlmConfig};
use sinew_models::preprocess::InstructionTokenizer;
use sinew_models::weights::{TensorSpec, Weights, expected_tensors};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// transformers' `initializer_range`: the deviation of linear, convolution and embedding weights.
const DEVIATION: f32 = 0.02;

/// What the names of the VLM's weights begin with: vision tower, connector and text layers.
const VLM: &str = "model.vlm_with_expert.vlm.";

/// What a new policy is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewPolicy<'a> {
    /// LeRobot's `config.json`.
    pub config: &'a Path,
    /// The VLM's `config.json`; without it, SmolVLM2-500M's sizes.
    pub vlm: Option<&'a Path>,
    /// `model.safetensors` of a policy whose VLM it gets, rather than a random one.
    pub vlm_weights: Option<&'a Path>,
    /// `tokenizer.json`.
    pub tokenizer: &'a Path,
    /// Decides the random weights.
    pub seed: u64,
}

/// Writes a policy's folder with random weights and no statistics.
///
/// # Errors
/// If the output exists, a configuration cannot be read or does not make a SmolVLA, or the other policy's VLM has other
/// sizes.
pub fn write_policy(new: &NewPolicy<'_>, output: &Path) -> Result<(), Error> {
    let NewPolicy { config, vlm, vlm_weights, tokenizer, seed } = *new;
    if output.exists() {
        return Err(Error::Exists { path: output.to_owned() });
    }
    let policy = PolicyConfig::open(config)?;
    let sizes = match vlm {
        Some(path) => VlmConfig::open(path)?,
        None => VlmConfig::smolvlm2_500m(),
    };
    let special =
        InstructionTokenizer::open(tokenizer, policy.tokenizer_max_length, PAD_ID)?.image_special_tokens();
    let model = ModelConfig::new(&policy, &sizes, special)?;
    // A policy without them could be neither trained nor exported.
    policy.state_dim()?;
    policy.action_dim()?;
    let text = fs::read_to_string(config).map_err(Error::io(config))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| sinew_models::Error::file(config, e))?;
    let taken = vlm_weights.map(Weights::open).transpose()?;
    let weights: BTreeMap<String, Entry<'_>> = expected_tensors(&model)
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let numbers = match taken.as_ref().filter(|_| spec.name.starts_with(VLM)) {
                Some(taken) => taken.load(&spec.name, &spec.shape)?,
                None => random(spec, &model, seed, index),
            };
            Ok((spec.name.clone(), Entry::numbers(&numbers, &spec.shape)))
        })
        .collect::<Result<_, Error>>()?;
    fs::create_dir_all(output).map_err(Error::io(output))?;
    tensors::write(&output.join("model.safetensors"), &weights)?;
    write_json(&output.join("policy_preprocessor.json"), &preprocessor(&json, &policy), b"  ")?;
    write_json(&output.join("policy_postprocessor.json"), &postprocessor(&json), b"  ")?;
    write_json(&output.join("config.json"), &json, b"    ")?;
    let copies = [(Some(tokenizer), "tokenizer.json"), (vlm, "vlm_config.json")];
    for (from, name) in copies {
        if let Some(from) = from {
            fs::copy(from, output.join(name)).map_err(Error::io(from))?;
        }
    }
    tensors::sync(output)
}

/// The first numbers of a weight: norms 1, projections of state and actions and the keys and values of cross layers
/// as PyTorch's linear layers (uniform up to `1 / √fan_in`), biases 0, everything else normal.
fn random(spec: &TensorSpec, model: &ModelConfig, seed: u64, index: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    let count = spec.shape.iter().product();
    let name = spec.name.as_str();
    let uniform = |rng: &mut ChaCha8Rng, fan_in: usize| -> Vec<f32> {
        let bound = 1.0 / (fan_in as f32).sqrt();
        (0..count).map(|_| rng.random_range(-bound..bound)).collect()
    };
    if !name.starts_with("model.vlm_with_expert.") {
        return uniform(&mut rng, fan_in(name, model));
    }
    let is_cross = |layer: usize| {
        let path = format!("model.vlm_with_expert.lm_expert.layers.{layer}.self_attn.");
        model.cross_layers[layer]
            && (name == format!("{path}k_proj.weight") || name == format!("{path}v_proj.weight"))
    };
    if (0..model.layer_count()).any(is_cross) {
        return uniform(&mut rng, spec.shape[1]);
    }
    let is_norm = name.contains("norm");
    if name.ends_with(".bias") || is_norm {
        return vec![if is_norm && name.ends_with(".weight") { 1.0 } else { 0.0 }; count];
    }
    let mut values: Vec<f32> = (0..count).map(|_| DEVIATION * rng.sample::<f32, _>(StandardNormal)).collect();
    if name.ends_with("embed_tokens.weight") {
        let pad = values.chunks_exact_mut(spec.shape[1]).nth(PAD_ID as usize);
        pad.into_iter().for_each(|row| row.fill(0.0));
    }
    values
}

/// Inputs of a projection of state, actions or time: its bias is drawn with the same bound as its weight.
fn fan_in(name: &str, model: &ModelConfig) -> usize {
    let width = model.expert_hidden_size;
    match name.split('.').nth(1) {
        Some("state_proj") => model.max_state_dim,
        Some("action_in_proj") => model.max_action_dim,
        Some("action_time_mlp_in") => 2 * width,
        _ => width,
    }
}

fn preprocessor(config: &Value, policy: &PolicyConfig) -> Value {
    let mut features = config["input_features"].clone();
    features["action"] = config["output_features"]["action"].clone();
    json!({"name": "policy_preprocessor", "steps": [
        {"registry_name": "rename_observations_processor", "config": {"rename_map": {}}},
        {"registry_name": "to_batch_processor", "config": {}},
        {"registry_name": "smolvla_new_line_processor", "config": {}},
        {"registry_name": "tokenizer_processor", "config": {"max_length": policy.tokenizer_max_length,
            "task_key": "task", "padding_side": "right", "padding": policy.pad_language_to, "truncation": true,
            "tokenizer_name": policy.vlm_model_name}},
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": null}},
        {"registry_name": "normalizer_processor",
            "config": {"eps": 1e-8, "features": features, "norm_map": norm_map(config)}},
    ]})
}

fn postprocessor(config: &Value) -> Value {
    json!({"name": "policy_postprocessor", "steps": [
        {"registry_name": "unnormalizer_processor", "config": {"eps": 1e-8,
            "features": {"action": config["output_features"]["action"]}, "norm_map": norm_map(config)}},
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": null}},
    ]})
}

fn norm_map(config: &Value) -> Value {
    match &config["normalization_mapping"] {
        Value::Null => json!({"VISUAL": "IDENTITY", "STATE": "MEAN_STD", "ACTION": "MEAN_STD"}),
        map => map.clone(),
    }
}
