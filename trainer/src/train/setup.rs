//! From a configuration to everything a run needs, checked before anything is computed.

use crate::Error;
use crate::checkpoint::policy_folder::Changes;
use crate::checkpoint::trained_on::TrainedOn;
use crate::config::{ComputeDtype, PolicyOptions, TrainConfig, required};
use crate::data::{
    ACTION, Augmenter, Corpus, FeatureStatistics, NearConstant, NormalizationMode, STATE, Statistics,
    dimension_weights, start_posture,
};
use crate::frozen::CacheMode;
use crate::train::freeze::Freezing;
use crate::train::lora::Lora;
use crate::train::params::Selection;
use crate::train::prepare::Preparer;
use crate::train::schedule::Schedule;
use candle_core::{DType, Device};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use sinew_models::checkpoint::{Checkpoint, PAD_ID};
use sinew_models::config::ModelConfig;
use sinew_models::contract::{Dimension, Training, Vector, hash_file};
use sinew_models::embodiment::Embodiment;
use sinew_models::preprocess::{InstructionTokenizer, Normalizer};
use sinew_models::processors;
use sinew_models::unit::Unit;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Placeholders for absent cameras, which LeRobot adds to a policy's features by itself.
pub(super) const EMPTY_CAMERA: &str = "observation.images.empty_camera_";

/// A checked configuration and what it names.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: TrainConfig,
    /// The policy to start from.
    pub base: Checkpoint,
    /// The model that is trained: the base's, but for chunk length and width of the state.
    pub model: ModelConfig,
    /// The episodes.
    pub corpus: Arc<Corpus>,
    /// Of the training frames, harmless for dimensions that hardly vary.
    pub statistics: Statistics,
    /// What is changed of samples at random.
    pub augmenter: Augmenter,
    /// Samples to the model's numbers.
    pub preparer: Preparer,
    /// Where each of the policy's camera slots stands among the corpus's cameras; none for a blank.
    pub slots: Vec<Option<usize>>,
    /// What each action dimension's loss counts, 1 on average.
    pub dimension_weights: Vec<f32>,
    /// The median first action of the training episodes.
    pub start_posture: Vec<f64>,
    /// Where the model is computed.
    pub device: Device,
}

impl Setup {
    /// Opens what the configuration names, and checks that it fits together.
    ///
    /// # Errors
    /// If it does not.
    pub fn new(config: TrainConfig) -> Result<Self, Error> {
        let device = crate::device::open(&config.run)?;
        let folder = required("policy.checkpoint", &config.policy.checkpoint, "a policy's folder")?;
        let tokenizer = Some(config.policy.tokenizer.as_path()).filter(|path| !path.as_os_str().is_empty());
        let base = Checkpoint::open(folder, tokenizer)?;
        let model = model(&config, &base)?;
        let corpus = Arc::new(Corpus::open(&config.data, model.chunk_size)?);
        check_width("state", corpus.state_names().len(), model.max_state_dim)?;
        check_width("action", corpus.action_names().len(), model.max_action_dim)?;
        let slots = camera_slots(&base, &corpus)?;
        let exact = Statistics::of(&corpus)?;
        let (statistics, near_constant) = exact.floored(config.data.std_floor);
        let normalization = &config.data.normalization;
        let divides = |dimension: &&NearConstant| {
            let mode = if dimension.feature == STATE { normalization.state } else { normalization.action };
            mode.spread() == Some(dimension.statistic)
        };
        for dimension in near_constant.iter().filter(divides) {
            let what = if dimension.feature == STATE { "centred, not scaled" } else { "as good as constant" };
            tracing::warn!(
                "{} `{}` hardly varies ({} {:e}): {what}",
                dimension.feature,
                dimension.dimension,
                dimension.statistic,
                dimension.found
            );
        }
        let state_names = corpus.state_names().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let robot = Embodiment::named(&config.data.robot)?;
        let recorded = &state_names[..state_names.len() - corpus.derived_numbers().len()];
        let augmenter = Augmenter::new(&config.augment, recorded, &robot, config.run.seed)?;
        let normalized =
            |statistics: &FeatureStatistics, mode| normalizer(&statistics.names, statistics.normalizer(mode));
        let state = normalized(&statistics.state, normalization.state)?;
        let action = normalized(&statistics.action, normalization.action)?;
        let preparer = preparer(&base, &model, state, action)?;
        let weights = &config.data.weights;
        let dimension_weights =
            dimension_weights(weights, corpus.action_names(), &exact.action, config.data.std_floor)?;
        let setup = Self {
            config,
            base,
            model,
            statistics,
            augmenter,
            preparer,
            slots,
            dimension_weights,
            start_posture: start_posture(&corpus)?,
            corpus,
            device,
        };
        setup.check_cache()?;
        Ok(setup)
    }

    /// Shows samples normalised with the statistics that the policy came with, as the robot does, rather than with
    /// those of the data.
    ///
    /// # Errors
    /// If the policy lacks them, or they are of another width.
    pub fn with_the_policys_statistics(mut self) -> Result<Self, Error> {
        let vector = |feature: &str, kind: &str, names: &[String]| {
            normalizer(names, self.base.processors.feature(feature, kind, names.len())?)
        };
        let state = vector(STATE, "STATE", &self.statistics.state.names)?;
        let action = vector(ACTION, "ACTION", &self.statistics.action.names)?;
        self.preparer = preparer(&self.base, &self.model, state, action)?;
        Ok(self)
    }

    /// Only what never changes can be kept.
    fn check_cache(&self) -> Result<(), Error> {
        let selection = self.selection();
        let is_frozen = match self.config.cache.mode {
            CacheMode::Off => true,
            CacheMode::Vision => selection.vision_is_frozen(),
            CacheMode::Prefix => selection.context_is_frozen(),
        };
        if is_frozen {
            return Ok(());
        }
        Err(sinew_models::Error::Config {
            key: "cache.mode".to_owned(),
            found: "a cache of what is trained".to_owned(),
            expected: "\"off\", or a frozen VLM (policy.train_expert_only, no adapters in its text layers)"
                .to_owned(),
        }
        .into())
    }

    /// What is frozen.
    pub fn freezing(&self) -> Freezing {
        let policy = &self.config.policy;
        Freezing {
            freeze_vision_encoder: policy.freeze_vision_encoder,
            train_expert_only: policy.train_expert_only,
            train_state_proj: policy.train_state_proj,
        }
    }

    /// What decides the trained weights.
    pub fn selection(&self) -> Selection<'_> {
        let lora = self.config.policy.lora;
        Selection {
            model: &self.model,
            freezing: self.freezing(),
            lora: (lora.rank > 0).then_some(Lora {
                rank: lora.rank,
                alpha: lora.alpha,
                target: lora.target,
                seed: self.config.run.seed,
            }),
            device: &self.device,
            product_dtype: match self.config.run.dtype {
                ComputeDtype::Float32 => DType::F32,
                ComputeDtype::Bfloat16 => DType::BF16,
            },
        }
    }

    /// The learning rate over the steps.
    pub fn schedule(&self) -> Schedule {
        let options = &self.config.schedule;
        Schedule {
            kind: options.kind,
            peak: self.config.optimizer.lr,
            end: options.end_lr,
            warmup_steps: options.warmup_steps,
            decay_steps: options.decay_steps,
            total_steps: self.config.run.steps,
        }
    }

    /// The mean action, normalised: what a policy that learned nothing else would say.
    pub fn mean_action(&self) -> Result<Vec<f32>, Error> {
        let mean: Vec<f32> = self.statistics.action.mean.iter().map(|mean| *mean as f32).collect();
        Ok(self.preparer.action().normalize(&mean, mean.len())?)
    }

    /// What the trained policy's description differs in from the base's.
    pub fn changes(&self) -> Changes {
        let config = &self.config;
        let present = self.slots.iter().flatten().map(|place| self.corpus.cameras()[*place].clone());
        let mut statistics = BTreeMap::<String, BTreeMap<String, Vec<f32>>>::new();
        for (name, numbers) in self.statistics.tensors() {
            let (feature, statistic) = name.rsplit_once('.').unwrap_or(("", &name));
            statistics.entry(feature.to_owned()).or_default().insert(statistic.to_owned(), numbers);
        }
        let normalization = &config.data.normalization;
        let mode = |kind: &str, mode: NormalizationMode| (kind.to_owned(), mode.name().to_owned());
        let mut rename_map = BTreeMap::new();
        let mut cameras = Vec::new();
        for camera in present {
            for name in camera.names.iter().filter(|name| **name != camera.key) {
                rename_map.insert(name.clone(), camera.key.clone());
            }
            cameras.push(camera.key);
        }
        let placeholders = self.base.policy.input_features.keys().filter(|key| key.starts_with(EMPTY_CAMERA));
        cameras.extend(placeholders.cloned());
        Changes {
            state_dim: self.corpus.state_names().len(),
            action_dim: self.corpus.action_names().len(),
            cameras,
            rename_map,
            norm_map: BTreeMap::from([
                mode("STATE", normalization.state),
                mode("ACTION", normalization.action),
            ]),
            statistics,
            trained_on: self.trained_on(),
            config: self.changed_keys(),
        }
    }

    /// What the policy's numbers are called, and how far apart its actions are.
    pub fn trained_on(&self) -> TrainedOn {
        TrainedOn {
            state: self.corpus.state_names().into_iter().map(str::to_owned).collect(),
            action: self.corpus.action_names().to_vec(),
            derived: self.corpus.derived_numbers(),
            rate_hz: self.corpus.action_rate_hz(),
            training: Training {
                max_clean_steps: self.config.loss.max_clean_steps,
                start_posture: self.start_posture.clone(),
            },
        }
    }

    fn changed_keys(&self) -> Map<String, serde_json::Value> {
        let (policy, optimizer, schedule) =
            (&self.config.policy, &self.config.optimizer, &self.config.schedule);
        let action_steps = self.base.policy.n_action_steps.min(self.model.chunk_size);
        let keys = json!({
            "chunk_size": self.model.chunk_size,
            "n_action_steps": action_steps,
            "max_state_dim": self.model.max_state_dim,
            "freeze_vision_encoder": policy.freeze_vision_encoder,
            "train_expert_only": policy.train_expert_only,
            "train_state_proj": policy.train_state_proj,
            "optimizer_lr": optimizer.lr,
            "optimizer_betas": optimizer.betas,
            "optimizer_eps": optimizer.eps,
            "optimizer_weight_decay": optimizer.weight_decay,
            "optimizer_grad_clip_norm": optimizer.grad_clip_norm,
            "scheduler_warmup_steps": schedule.warmup_steps,
            "scheduler_decay_steps": schedule.decay_steps,
            "scheduler_decay_lr": schedule.end_lr,
            // The weights are all in the file.
            "load_vlm_weights": false,
        });
        keys.as_object().cloned().unwrap_or_default()
    }

    /// LeRobot's `train_config.json`, as far as it has a place for what was asked.
    pub fn train_config(&self, policy: &serde_json::Value) -> serde_json::Value {
        let (config, optimizer) = (&self.config, &self.config.optimizer);
        let datasets: Vec<&str> = config.data.datasets.iter().map(|dataset| dataset.path.as_str()).collect();
        json!({
            "dataset": {"repo_id": datasets.join(","), "root": null, "episodes": null},
            "policy": policy,
            "output_dir": config.run.output,
            "job_name": "smolvla",
            "resume": false,
            "seed": config.run.seed,
            "num_workers": 4,
            "batch_size": config.run.batch_size,
            "steps": config.run.steps,
            "log_freq": config.run.log_every,
            "save_freq": config.checkpoints.every,
            "optimizer": {"type": "adamw", "lr": optimizer.lr, "betas": optimizer.betas, "eps": optimizer.eps,
                "weight_decay": optimizer.weight_decay, "grad_clip_norm": optimizer.grad_clip_norm},
            "scheduler": {"type": "cosine_decay_with_warmup", "num_warmup_steps": config.schedule.warmup_steps,
                "num_decay_steps": config.schedule.decay_steps, "peak_lr": optimizer.lr,
                "decay_lr": config.schedule.end_lr},
        })
    }

    /// A hash of what decides the samples, what is made of them and what learns from them: the base's weights, what of them is
    /// trained, the choice of data, the episodes and their numbers' statistics, seed, batch, augmentation and loss. Resumed on
    /// anything else, a run could not go on as if it had never stopped.
    ///
    /// # Errors
    /// If the weights cannot be read or the options not written down.
    pub fn fingerprint(&self) -> Result<String, Error> {
        let config = &self.config;
        let as_text = |error: serde_json::Error| Error::Config {
            place: "[data]".to_owned(),
            message: error.to_string(),
        };
        let options = (&config.data, &config.augment, &config.loss, config.run.seed, config.run.batch_size);
        let options = serde_json::to_string(&options).map_err(as_text)?;
        // Wherever the base lies: its weights are looked at.
        let policy = PolicyOptions { checkpoint: PathBuf::new(), ..config.policy.clone() };
        let learner = serde_json::to_string(&(&policy, &config.run.dtype)).map_err(as_text)?;
        // A cache shows changed pictures in fewer variants.
        let cache = serde_json::to_string(&(&config.cache.mode, config.cache.variants)).map_err(as_text)?;
        let mut hash = Sha256::new();
        hash.update(hash_file(self.base.weights.path())?.sha256);
        hash.update(options);
        hash.update(learner);
        if self.augmenter.changes_pictures() {
            hash.update(cache);
        }
        hash.update(format!("{:?}", (self.corpus.train_episodes(), self.corpus.validation_episodes())));
        hash.update(self.statistics.to_json().to_string());
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn model(config: &TrainConfig, base: &Checkpoint) -> Result<ModelConfig, Error> {
    let mut model = base.model.clone();
    let asked = &config.policy;
    if asked.chunk_size > 0 {
        model.chunk_size = asked.chunk_size;
    }
    if asked.max_state_dim > 0 {
        if asked.max_state_dim < model.max_state_dim {
            return Err(sinew_models::Error::Config {
                key: "policy.max_state_dim".to_owned(),
                found: asked.max_state_dim.to_string(),
                expected: format!("the checkpoint's {} or more", model.max_state_dim),
            }
            .into());
        }
        model.max_state_dim = asked.max_state_dim;
    }
    if config.loss.max_clean_steps >= model.chunk_size {
        return Err(sinew_models::Error::Config {
            key: "loss.max_clean_steps".to_owned(),
            found: config.loss.max_clean_steps.to_string(),
            expected: format!("less than the chunk's {} steps", model.chunk_size),
        }
        .into());
    }
    Ok(model)
}

fn check_width(what: &str, found: usize, limit: usize) -> Result<(), Error> {
    if found <= limit {
        return Ok(());
    }
    Err(sinew_models::Error::Config {
        key: format!("data.{what}"),
        found: format!("{found} numbers"),
        expected: format!("at most {limit} (choose some by name, or raise policy.max_{what}_dim)"),
    }
    .into())
}

/// The policy's cameras that the data have, in its order, then a blank for each of LeRobot's placeholders.
fn camera_slots(base: &Checkpoint, corpus: &Corpus) -> Result<Vec<Option<usize>>, Error> {
    let keys: Vec<String> = base.policy.cameras()?.into_iter().map(|(key, _)| key).collect();
    if let Some(stranger) = corpus.cameras().iter().find(|camera| !keys.contains(&camera.key)) {
        return Err(sinew_models::Error::UnknownName {
            kind: "camera",
            name: stranger.key.clone(),
            place: format!("the policy ({}); say which is which in [data.cameras]", keys.join(", ")),
            nearest: sinew_models::nearest_name(&stranger.key, keys.iter().map(String::as_str)),
        }
        .into());
    }
    let place = |key: &String| corpus.cameras().iter().position(|camera| camera.key == *key);
    let mut slots: Vec<Option<usize>> = keys.iter().filter_map(place).map(Some).collect();
    if slots.is_empty() {
        return Err(sinew_models::Error::Config {
            key: "data.cameras".to_owned(),
            found: "none".to_owned(),
            expected: format!("at least one of {}", keys.join(", ")),
        }
        .into());
    }
    slots.extend(keys.iter().filter(|key| key.starts_with(EMPTY_CAMERA)).map(|_| None));
    Ok(slots)
}

fn preparer(
    base: &Checkpoint,
    model: &ModelConfig,
    state: Normalizer,
    action: Normalizer,
) -> Result<Preparer, Error> {
    let tokenizer = InstructionTokenizer::open(&base.tokenizer, base.policy.tokenizer_max_length, PAD_ID)?;
    Ok(Preparer::new(model.clone(), state, action, tokenizer))
}

/// Units do not matter here: numbers stay in the dataset's.
fn normalizer(names: &[String], rule: processors::FeatureStatistics) -> Result<Normalizer, Error> {
    let dimensions = names.iter().zip(rule.dimensions).enumerate();
    let dimensions = dimensions.map(|(source_index, (name, statistics))| Dimension {
        name: name.clone(),
        unit: Unit::One,
        source_index: Some(source_index),
        derived: None,
        statistics,
    });
    let vector = Vector { normalization: rule.mode, eps: rule.eps, dimensions: dimensions.collect() };
    Ok(Normalizer::new(&vector)?)
}
