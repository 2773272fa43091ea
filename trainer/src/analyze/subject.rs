//! What is analysed: a policy, the episodes it is set beside, and how it was trained, where its run says.

use crate::Error;
use crate::analyze::policy::{BundleSetup, Policy};
use crate::config::{PolicyOptions, TrainConfig};
use crate::data::{Corpus, DatasetOptions};
use crate::export::engine::Engine;
use crate::train::setup::Setup;
use serde::Deserialize;
use sinew_models::contract::{MANIFEST_FILE, hash_file};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a policy is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyPlace {
    /// LeRobot's folder, with `config.json` and `model.safetensors`.
    Checkpoint(PathBuf),
    /// A bundle.
    Bundle(PathBuf),
}

impl PolicyPlace {
    /// The folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Checkpoint(folder) | Self::Bundle(folder) => folder,
        }
    }

    /// Looks into a folder: a bundle, a policy, or a checkpoint that has one in `pretrained_model`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn find(folder: &Path) -> Result<Self, Error> {
        if folder.join(MANIFEST_FILE).is_file() {
            return Ok(Self::Bundle(folder.to_owned()));
        }
        let candidates = [folder.join("pretrained_model"), folder.to_owned()];
        match candidates.into_iter().find(|folder| folder.join("config.json").is_file()) {
            Some(folder) => Ok(Self::Checkpoint(folder)),
            None => Err(Error::Usage(format!(
                "{}: expected a policy (config.json), a checkpoint (pretrained_model/config.json) or a bundle \
                 ({MANIFEST_FILE}), found none of them",
                folder.display()
            ))),
        }
    }
}

/// The configuration that a policy's numbers are read with: that of its run, if it is in a run's folder, with
/// `overlays` over it, and one dataset in place of those it was trained on.
///
/// A dataset that the run was trained on keeps its filters, so that its episodes are split as they were.
///
/// # Errors
/// If a file cannot be read or asks for what makes no sense.
pub fn config(
    policy: Option<&PolicyPlace>,
    dataset: &str,
    overlays: &[PathBuf],
) -> Result<TrainConfig, Error> {
    let mut files: Vec<PathBuf> = policy.and_then(|place| run_config(place.folder())).into_iter().collect();
    files.extend_from_slice(overlays);
    let mut config = TrainConfig::read(&files, &[])?;
    let is_it = |known: &&DatasetOptions| is_same_place(&known.path, dataset);
    let known = config.data.datasets.iter().find(is_it);
    let known = known.map(|known| DatasetOptions { path: dataset.to_owned(), ..known.clone() });
    config.data.datasets = vec![known.unwrap_or_else(|| DatasetOptions::of(dataset))];
    if let Some(PolicyPlace::Checkpoint(folder)) = policy {
        config.policy =
            PolicyOptions { checkpoint: folder.clone(), chunk_size: 0, max_state_dim: 0, ..config.policy };
        // Adapters are merged into a checkpoint's weights.
        config.policy.lora.rank = 0;
    }
    config.cache.mode = crate::frozen::CacheMode::Off;
    Ok(config)
}

/// Opens a policy with the episodes it is set beside.
///
/// # Errors
/// If policy or dataset cannot be opened, or they do not fit each other.
pub fn open(place: &PolicyPlace, config: TrainConfig) -> Result<Policy, Error> {
    match place {
        PolicyPlace::Checkpoint(_) => {
            Ok(Policy::Checkpoint(Box::new(Setup::new(config)?.with_the_policys_statistics()?)))
        }
        PolicyPlace::Bundle(folder) => {
            let engine = Engine::load(None)?;
            Ok(Policy::Bundle(Box::new(BundleSetup::new(config, folder, &engine)?)))
        }
    }
}

/// What names the policy and nothing else: its weights' hash, or the bundle's identity.
///
/// # Errors
/// If the weights cannot be read.
pub fn identity(policy: &Policy) -> Result<String, Error> {
    match policy {
        Policy::Checkpoint(setup) => Ok(hash_file(setup.base.weights.path())?.sha256),
        Policy::Bundle(setup) => Ok(setup.bundle.manifest.bundle_id.clone()),
    }
}

/// The episodes of a corpus by number: those trained on, and the others.
pub fn episode_numbers(corpus: &Corpus) -> (Vec<u64>, Vec<u64>) {
    let numbers = |episodes: &[crate::data::EpisodeId]| {
        episodes.iter().map(|episode| episode.episode_index).collect::<Vec<_>>()
    };
    (numbers(corpus.train_episodes()), numbers(corpus.validation_episodes()))
}

/// Optimiser steps behind a policy: as LeRobot's layout has them beside it, or as the bundle says.
pub fn trained_steps(policy: &Policy) -> Option<u64> {
    let setup = match policy {
        Policy::Checkpoint(setup) => setup,
        Policy::Bundle(setup) => return setup.bundle.manifest.provenance.step,
    };
    #[derive(Deserialize)]
    struct Step {
        step: u64,
    }
    let text =
        fs::read_to_string(setup.base.folder.parent()?.join("training_state/training_step.json")).ok()?;
    serde_json::from_str::<Step>(&text).ok().map(|step| step.step)
}

/// `config.toml` of the run whose `checkpoints/000100/pretrained_model` the policy is.
fn run_config(policy: &Path) -> Option<PathBuf> {
    let policy = policy.canonicalize().ok()?;
    let path = policy.ancestors().nth(3)?.join("config.toml");
    path.is_file().then_some(path)
}

fn is_same_place(known: &str, given: &str) -> bool {
    let place = |path: &str| Path::new(path).canonicalize().ok();
    known == given || place(known).is_some_and(|known| place(given) == Some(known))
}
