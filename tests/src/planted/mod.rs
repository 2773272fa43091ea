//! Small policies with a fault that somebody put there, to see whether an analysis finds it.

pub mod faults;
pub mod lerobot;
pub mod stirring;

use crate::fixture;
use crate::planted::lerobot::{CAMERA, PICTURE_SIZE};
use crate::planted::stirring::{Episode, WIDTH};
use clap::Parser;
use serde_json::{Value, json};
use sinew_trainer::analyze::analysis::Analysis;
use sinew_trainer::checkpoint::random::{self, NewPolicy};
use sinew_trainer::cli::Cli;
use sinew_trainer::config::TrainConfig;
use sinew_trainer::data::{Corpus, DataOptions};
use sinew_trainer::train::run;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// A folder for datasets and trainings, all of which start from the same random policy.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// With a policy to start from.
    #[must_use]
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let (config, vlm) = (bench.path("config.json"), bench.path("vlm_config.json"));
        fs::write(&config, policy_config().to_string()).unwrap();
        fs::write(&vlm, vlm_config().to_string()).unwrap();
        let tokenizer = fixture("golden/cameras1/tokenizer.json");
        let new =
            NewPolicy { config: &config, vlm: Some(&vlm), vlm_weights: None, tokenizer: &tokenizer, seed: 7 };
        random::write_policy(&new, &bench.path("base")).unwrap();
        bench
    }

    /// A place in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a dataset.
    #[must_use]
    pub fn dataset(&self, name: &str, episodes: &[Episode]) -> PathBuf {
        let folder = self.path(name);
        lerobot::write(&folder, episodes);
        folder
    }

    /// The episodes that a training keeps for validation, which depend on their numbers alone.
    #[must_use]
    pub fn validation_episodes(&self) -> Vec<usize> {
        let dataset = self.dataset("numbered", &stirring::episodes(0, 1.0));
        let options = DataOptions {
            validation_fraction: VALIDATION_FRACTION,
            ..DataOptions::of(dataset.to_str().unwrap())
        };
        let corpus = Corpus::open(&options, 1).unwrap();
        corpus.validation_episodes().iter().map(|episode| episode.episode_index as usize).collect()
    }

    /// Trains with the settings that a healthy policy learns with and `overlays` over them; the policy's folder.
    #[must_use]
    pub fn train(&self, name: &str, dataset: &Path, overlays: &[&str]) -> PathBuf {
        let output = self.path(name);
        let settings = format!(
            "run.output = {output:?}\npolicy.checkpoint = {:?}\ndata.datasets = [{{ path = {dataset:?} }}]\n\
             data.validation_fraction = {VALIDATION_FRACTION}\n{SETTINGS}",
            self.path("base")
        );
        let mut texts = vec![("settings".to_owned(), settings)];
        texts.extend(overlays.iter().map(|text| (name.to_owned(), (*text).to_owned())));
        let config = TrainConfig::parse(&texts).unwrap();
        let outcome = run::train(config, "a planted fault", false, &AtomicBool::new(false)).unwrap();
        outcome.last.join("pretrained_model")
    }

    /// Analyses a policy beside a dataset; what it found, and the overlay it wrote.
    #[must_use]
    pub fn analyze(&self, name: &str, policy: &Path, dataset: &Path) -> Analysis {
        self.look(name, &[("--checkpoint", policy), ("--dataset", dataset)])
    }

    /// Analyses a dataset without any policy.
    #[must_use]
    pub fn analyze_data(&self, name: &str, dataset: &Path) -> Analysis {
        self.look(name, &[("--dataset", dataset)])
    }

    fn look(&self, name: &str, places: &[(&str, &Path)]) -> Analysis {
        let output = self.path(name);
        let mut arguments = vec![OsStr::new("sinew-trainer"), OsStr::new("analyze")];
        for (flag, path) in places.iter().copied().chain([("--output", output.as_path())]) {
            arguments.extend([OsStr::new(flag), path.as_os_str()]);
        }
        Cli::try_parse_from(arguments).unwrap().run(&[]).unwrap();
        let text = fs::read_to_string(output.join("data/statistics.json")).unwrap();
        let analysis: Analysis = serde_json::from_str(&text).unwrap();
        let remedy = fs::read_to_string(output.join("remedy.toml")).unwrap();
        assert_eq!(remedy, analysis.diagnosis.remedy_toml);
        analysis
    }
}

/// Share of the episodes that a training keeps for validation.
const VALIDATION_FRACTION: f64 = 0.2;

/// What a healthy policy learns with.
const SETTINGS: &str = r#"
run.steps = 300
run.batch_size = 32
run.log_every = 100
cache.mode = "prefix"
optimizer.lr = 3e-3
optimizer.ema_decay = 0.99
schedule.kind = "cosine"
schedule.warmup_steps = 20
schedule.end_lr = 1e-5
checkpoints.every = 100000
validation.every = 100000
"#;

fn policy_config() -> Value {
    json!({
        "type": "smolvla",
        "input_features": {
            "observation.state": { "type": "STATE", "shape": [WIDTH] },
            CAMERA: { "type": "VISUAL", "shape": [3, PICTURE_SIZE, PICTURE_SIZE] },
        },
        "output_features": { "action": { "type": "ACTION", "shape": [WIDTH] } },
        "normalization_mapping": { "VISUAL": "IDENTITY", "STATE": "MEAN_STD", "ACTION": "MEAN_STD" },
        "chunk_size": 12, "n_action_steps": 12, "num_steps": 10, "max_state_dim": 8, "max_action_dim": 8,
        "resize_imgs_with_padding": [PICTURE_SIZE, PICTURE_SIZE],
        "tokenizer_max_length": 16, "load_vlm_weights": false,
        "num_vlm_layers": 2, "self_attn_every_n_layers": 2, "expert_width_multiplier": 1.0,
        "vlm_model_name": "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    })
}

fn vlm_config() -> Value {
    json!({
        "model_type": "smolvlm", "image_token_id": 325, "scale_factor": 4, "tie_word_embeddings": false,
        "vocab_size": 384,
        "text_config": {
            "model_type": "llama", "head_dim": 16, "hidden_size": 64, "intermediate_size": 128,
            "max_position_embeddings": 8192, "num_attention_heads": 4, "num_hidden_layers": 2,
            "num_key_value_heads": 2, "pad_token_id": 2, "rms_norm_eps": 1e-5, "rope_theta": 100_000,
            "vocab_size": 384,
        },
        "vision_config": {
            "model_type": "smolvlm_vision", "hidden_size": 16, "image_size": PICTURE_SIZE, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8,
        },
    })
}
