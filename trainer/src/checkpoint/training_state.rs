//! `training_state/`: what a run needs to go on as if it had never stopped.
//!
//! LeRobot resumes from it too: the optimiser's and the scheduler's files have its names and numbers. Its random state
//! has no counterpart here, as every draw is a function of the seed and the sample's number; it gets one to go on from.

use crate::Error;
use crate::checkpoint::policy_folder::write_json;
use crate::checkpoint::random_state;
use crate::checkpoint::tensors::{self, Entry};
use crate::train::optimizer::{AdamW, AdamWOptions, Moments};
use crate::train::params::Params;
use crate::train::progress::LogSums;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const OPTIMIZER: &str = "optimizer_state.safetensors";
const GROUPS: &str = "optimizer_param_groups.json";
const RANDOM: &str = "rng_state.safetensors";
const SCHEDULER: &str = "scheduler_state.json";
const STEP: &str = "training_step.json";
const TRAINED: &str = "trained.safetensors";
const AVERAGE: &str = "average.safetensors";
const PROGRESS: &str = "sinew.json";

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Optimiser steps taken.
    pub step: u64,
    /// Samples drawn.
    pub sample_count: u64,
    /// The epoch that is being drawn from.
    pub epoch: u64,
    /// Samples drawn from it.
    pub epoch_position: u64,
    /// What the next line of the log has so far.
    #[serde(default)]
    pub log: LogSums,
    /// Lowest validation error so far, and the step that had it.
    pub best: Option<(f64, u64)>,
    /// What the run began with; with anything else it cannot go on.
    pub fingerprint: String,
}

/// What is written of a run besides the policy.
#[derive(Debug)]
pub struct TrainingState<'a> {
    /// How far it has come.
    pub progress: &'a Progress,
    /// The weights that are trained, as the optimiser has them.
    pub params: &'a Params,
    /// Its state.
    pub optimizer: &'a AdamW,
    /// Its constants.
    pub options: AdamWOptions,
    /// The learning rate of the next step.
    pub learning_rate: f64,
    /// The schedule's highest.
    pub peak_learning_rate: f64,
    /// How many parameters the policy has, frozen ones counted.
    pub parameter_count: usize,
    /// The run's seed.
    pub seed: u64,
    /// Averaged weights, if the policy is made of those.
    pub average: Option<&'a [Tensor]>,
    /// Whether the policy's file holds the trained weights as they are.
    pub policy_has_weights: bool,
}

impl TrainingState<'_> {
    /// Writes the folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let entries = self.params.entries();
        let mut state = BTreeMap::new();
        for (entry, moments) in entries.iter().zip(self.optimizer.moments()) {
            let key = |name: &str| format!("state/{}/{name}", entry.index);
            state.insert(key("exp_avg"), Entry::computed(&moments.mean)?);
            state.insert(key("exp_avg_sq"), Entry::computed(&moments.mean_square)?);
            state.insert(key("step"), Entry::numbers(&[self.optimizer.step_count() as f32], &[]));
        }
        tensors::write(&folder.join(OPTIMIZER), &state)?;
        let AdamWOptions { betas, eps, weight_decay, .. } = self.options;
        let adapters = entries.iter().map(|entry| entry.index).filter(|index| *index >= self.parameter_count);
        let indices: Vec<usize> = (0..self.parameter_count).chain(adapters).collect();
        let group = json!([{"lr": self.learning_rate, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": false, "maximize": false, "foreach": null, "capturable": false, "differentiable": false,
            "fused": null, "decoupled_weight_decay": true, "initial_lr": self.peak_learning_rate,
            "params": indices}]);
        write_json(&folder.join(GROUPS), &group, b"    ")?;
        let scheduler = json!({"base_lrs": [self.peak_learning_rate], "last_epoch": self.progress.step,
            "_step_count": self.progress.step + 1, "_is_initial": false, "_get_lr_called_within_step": false,
            "_last_lr": [self.learning_rate], "lr_lambdas": [null]});
        write_json(&folder.join(SCHEDULER), &scheduler, b"    ")?;
        // Other numbers than those that led here.
        random_state::write(&folder.join(RANDOM), (self.seed.wrapping_add(self.progress.step)) as u32)?;
        write_json(&folder.join(STEP), &json!({"step": self.progress.step}), b"    ")?;
        write_json(&folder.join(PROGRESS), &json!(self.progress), b"    ")?;
        if !self.policy_has_weights {
            let vars = entries.iter().map(|entry| (entry.name.as_str(), entry.var.as_tensor()));
            write_named(&folder.join(TRAINED), vars)?;
        }
        if let Some(average) = self.average {
            let named = entries.iter().map(|entry| entry.name.as_str()).zip(average);
            write_named(&folder.join(AVERAGE), named)?;
        }
        tensors::sync(folder)
    }
}

fn write_named<'a>(path: &Path, named: impl Iterator<Item = (&'a str, &'a Tensor)>) -> Result<(), Error> {
    let mut entries = BTreeMap::new();
    for (name, tensor) in named {
        entries.insert(name.to_owned(), Entry::computed(tensor)?);
    }
    tensors::write(path, &entries)
}

/// A run as it was when its checkpoint was written.
#[derive(Debug)]
pub struct Restored {
    /// How far it had come.
    pub progress: Progress,
    /// The optimiser.
    pub optimizer: AdamW,
    /// Averaged weights, one a trained weight.
    pub average: Option<Vec<Tensor>>,
}

/// Reads a checkpoint's training state back, and sets the trained weights.
///
/// # Errors
/// If a file is missing or is not of this training.
pub fn restore(
    checkpoint: &Path,
    params: &Params,
    options: AdamWOptions,
    device: &Device,
) -> Result<Restored, Error> {
    let folder = checkpoint.join("training_state");
    let path = folder.join(PROGRESS);
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let progress: Progress = serde_json::from_str(&text).map_err(|e| sinew_models::Error::file(&path, e))?;
    let path = folder.join(OPTIMIZER);
    let state = tensors::read(&path, device)?;
    let mut moments = Vec::with_capacity(params.entries().len());
    for entry in params.entries() {
        let get = |name: &str| take(&state, &format!("state/{}/{name}", entry.index), &entry.var, &path);
        moments.push(Moments { mean: get("exp_avg")?, mean_square: get("exp_avg_sq")? });
    }
    let apart = folder.join(TRAINED);
    let path = if apart.exists() { apart } else { checkpoint.join("pretrained_model/model.safetensors") };
    let trained = tensors::read(&path, device)?;
    for entry in params.entries() {
        entry.var.set(&take(&trained, &entry.name, &entry.var, &path)?)?;
    }
    let path = folder.join(AVERAGE);
    let average = if path.exists() {
        let tensors = tensors::read(&path, device)?;
        let get = |entry: &crate::train::params::Trained| take(&tensors, &entry.name, &entry.var, &path);
        Some(params.entries().iter().map(get).collect::<Result<_, _>>()?)
    } else {
        None
    };
    let optimizer = AdamW::restored(options, progress.step, moments);
    Ok(Restored { progress, optimizer, average })
}

/// A tensor shaped as a trained weight.
fn take(tensors: &BTreeMap<String, Tensor>, name: &str, like: &Tensor, path: &Path) -> Result<Tensor, Error> {
    match tensors.get(name) {
        Some(tensor) if tensor.dims() == like.dims() => Ok(tensor.clone()),
        Some(tensor) => Err(sinew_models::Error::Shape {
            name: format!("{name} in {}", path.display()),
            expected: like.dims().to_vec(),
            found: tensor.dims().to_vec(),
        }
        .into()),
        None => {
            let message = format!("holds no `{name}`: it belongs to a training of other weights");
            Err(sinew_models::Error::file(path, message).into())
        }
    }
}
