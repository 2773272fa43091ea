//! What the user decides of a training: TOML files laid over the commented default, then flags.

use crate::Error;
use crate::data::{AugmentOptions, DataOptions, LoaderOptions};
use crate::frozen::CacheOptions;
use crate::train::schedule::ScheduleKind;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Every key with its default and what it means.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Tables with keys that the default cannot show; their own types refuse what they do not know.
const OPEN_TABLES: [&str; 1] = ["data"];

/// `[run]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// The run's folder.
    pub output: PathBuf,
    /// Optimiser steps.
    pub steps: u64,
    /// Samples in a step.
    pub batch_size: usize,
    /// Parts a batch is computed in.
    pub accumulation: usize,
    /// Of these, how many at once.
    pub parts_at_once: usize,
    /// Seed of everything drawn.
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Train on the CPU where the GPU cannot be had.
    pub allow_cpu_fallback: bool,
    /// What the model computes in.
    pub dtype: ComputeDtype,
    /// Steps between two lines of the log.
    pub log_every: u64,
}

/// What the model computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputeDtype {
    /// 32 bits.
    Float32,
    /// 16 bits with float32's range; trained weights stay in float32.
    Bfloat16,
}

/// `[policy]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyOptions {
    /// LeRobot's policy folder to start from.
    pub checkpoint: PathBuf,
    /// `tokenizer.json`; empty: the checkpoint's.
    pub tokenizer: PathBuf,
    /// Actions per call; 0: the checkpoint's.
    pub chunk_size: usize,
    /// Numbers the state may have; 0: the checkpoint's.
    pub max_state_dim: usize,
    /// Freezes the vision tower.
    pub freeze_vision_encoder: bool,
    /// Freezes the VLM.
    pub train_expert_only: bool,
    /// Trains the projection of the state.
    pub train_state_proj: bool,
    /// Low-rank adapters.
    pub lora: LoraOptions,
}

/// `[policy.lora]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraOptions {
    /// Width of the adapters' waist; 0: none.
    pub rank: usize,
    /// Their product counts `alpha / rank`.
    pub alpha: f64,
    /// What gets them.
    pub target: LoraTarget,
}

/// Which layers get adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoraTarget {
    /// The action expert's.
    Expert,
    /// The VLM's text layers'.
    Text,
}

/// `[loss]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossOptions {
    /// What the mean square of the predicted actions adds.
    pub action_penalty: f64,
    /// Noises and times drawn for a sample.
    pub draws_per_sample: usize,
    /// Most clean steps at a chunk's start.
    pub max_clean_steps: usize,
}

/// `[optimizer]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerOptions {
    /// Highest learning rate.
    pub lr: f64,
    /// Decays of the running means.
    pub betas: [f64; 2],
    /// Added to the divisor.
    pub eps: f64,
    /// Decay of the weights.
    pub weight_decay: f64,
    /// Largest gradient norm; 0: no limit.
    pub grad_clip_norm: f64,
    /// Decay of averaged weights; 0: no average.
    pub ema_decay: f64,
}

/// `[schedule]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleOptions {
    /// How the learning rate changes.
    pub kind: ScheduleKind,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Steps of LeRobot's decay.
    pub decay_steps: u64,
    /// Learning rate at the end.
    pub end_lr: f64,
}

/// `[checkpoints]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointOptions {
    /// Steps between two.
    pub every: u64,
    /// Newest that are kept; 0: all.
    pub keep_last: usize,
}

/// `[validation]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationOptions {
    /// Steps between two; 0: none.
    pub every: u64,
    /// Frames looked at.
    pub frames: usize,
}

/// `[bundle]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleOptions {
    /// Whether the run ends with a bundle.
    pub write: bool,
    /// The layout that names state and action; empty: the only one that fits.
    pub layout: String,
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The run.
    pub run: RunOptions,
    /// The policy.
    pub policy: PolicyOptions,
    /// Episodes and their numbers.
    pub data: DataOptions,
    /// What is changed of samples at random.
    pub augment: AugmentOptions,
    /// How pictures are decoded.
    pub loader: LoaderOptions,
    /// What is kept of frames that a frozen VLM has seen.
    pub cache: CacheOptions,
    /// The loss.
    pub loss: LossOptions,
    /// The optimiser.
    pub optimizer: OptimizerOptions,
    /// The learning rate.
    pub schedule: ScheduleOptions,
    /// Checkpoints.
    pub checkpoints: CheckpointOptions,
    /// Validation.
    pub validation: ValidationOptions,
    /// The bundle.
    pub bundle: BundleOptions,
}

impl TrainConfig {
    /// Lays files and then flags over the default. A flag is `--table.key value` or `--table.key=value`, its value
    /// TOML or else plain text.
    ///
    /// # Errors
    /// If a file cannot be read, is no TOML, has a key nobody reads or a value that makes no sense.
    pub fn read(files: &[PathBuf], flags: &[String]) -> Result<Self, Error> {
        let mut texts = Vec::new();
        for path in files {
            let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
            texts.push((path.display().to_string(), text));
        }
        let flags = flags_as_toml(flags)?;
        texts.push(("the command line".to_owned(), flags));
        Self::parse(&texts)
    }

    /// Lays named TOML texts over the default.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(texts: &[(String, String)]) -> Result<Self, Error> {
        let mut merged: toml::Table = parse_table(DEFAULT, "the default")?;
        for (place, text) in texts {
            overlay(&mut merged, parse_table(text, place)?, "", place)?;
        }
        let config: Self = merged.try_into().map_err(|error: toml::de::Error| Error::Config {
            place: texts.last().map_or_else(String::new, |(place, _)| place.clone()),
            message: error.to_string().trim_end().to_owned(),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// As a configuration file.
    ///
    /// # Errors
    /// If it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self)
            .map_err(|error| Error::Config { place: "the result".to_owned(), message: error.to_string() })
    }

    fn validate(&self) -> Result<(), Error> {
        let Self { run, loss, optimizer, checkpoints, policy, .. } = self;
        let wrong = |key: &str, found: String, expected: &str| {
            Err(sinew_models::Error::Config { key: key.to_owned(), found, expected: expected.to_owned() }
                .into())
        };
        let at_least_one = [
            ("run.steps", run.steps),
            ("run.batch_size", run.batch_size as u64),
            ("run.parts_at_once", run.parts_at_once as u64),
            ("run.log_every", run.log_every),
            ("checkpoints.every", checkpoints.every),
            ("loss.draws_per_sample", loss.draws_per_sample as u64),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return wrong(key, "0".to_owned(), "at least 1");
        }
        if run.accumulation == 0 || !run.batch_size.is_multiple_of(run.accumulation) {
            let expected = format!("a divisor of run.batch_size = {}", run.batch_size);
            return wrong("run.accumulation", run.accumulation.to_string(), &expected);
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(optimizer.lr) || !positive(optimizer.eps) {
            let found = format!("{} and {}", optimizer.lr, optimizer.eps);
            return wrong("optimizer.lr and optimizer.eps", found, "positive numbers");
        }
        let is_decay = |x: f64| (0.0..1.0).contains(&x);
        let decays = [optimizer.betas[0], optimizer.betas[1], optimizer.ema_decay];
        if !decays.into_iter().all(is_decay) {
            return wrong("optimizer.betas and optimizer.ema_decay", format!("{decays:?}"), "0 to below 1");
        }
        // 0 is none of it.
        let none_or_more = |x: f64| x.is_finite() && x >= 0.0;
        let shares = [
            ("optimizer.weight_decay", optimizer.weight_decay),
            ("optimizer.grad_clip_norm", optimizer.grad_clip_norm),
            ("loss.action_penalty", loss.action_penalty),
        ];
        if let Some((key, found)) = shares.into_iter().find(|(_, share)| !none_or_more(*share)) {
            return wrong(key, found.to_string(), "0 or more");
        }
        if policy.lora.rank > 0 && !positive(policy.lora.alpha) {
            return wrong("policy.lora.alpha", policy.lora.alpha.to_string(), "a positive number");
        }
        Ok(())
    }
}

fn parse_table(text: &str, place: &str) -> Result<toml::Table, Error> {
    text.parse().map_err(|error: toml::de::Error| Error::Config {
        place: place.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}

/// `--a.b 1 --a.c=x` as `a.b = 1` and `a.c = "x"`.
fn flags_as_toml(flags: &[String]) -> Result<String, Error> {
    let mut lines = String::new();
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        let usage = || Error::Usage(format!("`{flag}`: expected --table.key VALUE, as in --run.steps 2000"));
        let key = flag.strip_prefix("--").ok_or_else(usage)?;
        let (key, value) = match key.split_once('=') {
            Some((key, value)) => (key, value),
            None => (key, rest.next().ok_or_else(usage)?.as_str()),
        };
        if !key.contains('.') {
            return Err(usage());
        }
        let is_toml = format!("x = {value}").parse::<toml::Table>().is_ok();
        let value = if is_toml { value.to_owned() } else { toml::Value::from(value).to_string() };
        lines.push_str(&format!("{key} = {value}\n"));
    }
    Ok(lines)
}

/// Lays `given` over `base`. Outside the open tables `base` has every key there is.
fn overlay(base: &mut toml::Table, given: toml::Table, parent: &str, place: &str) -> Result<(), Error> {
    for (key, value) in given {
        let path = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(given)) => {
                overlay(base, given, &path, place)?;
            }
            (Some(known), value) => *known = value,
            (None, value) if OPEN_TABLES.iter().any(|table| path.starts_with(&format!("{table}."))) => {
                base.insert(key, value);
            }
            (None, _) => {
                let known = known_keys(&parse_table(DEFAULT, "the default")?, "");
                let nearest = sinew_models::nearest_name(&path, known.iter().map(String::as_str));
                let hint = nearest.map(|name| format!("; the nearest is `{name}`")).unwrap_or_default();
                return Err(Error::Config {
                    place: place.to_owned(),
                    message: format!("unknown key `{path}`{hint}"),
                });
            }
        }
    }
    Ok(())
}

fn known_keys(table: &toml::Table, parent: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in table {
        let path = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        if let toml::Value::Table(table) = value {
            keys.extend(known_keys(table, &path));
        }
        keys.push(path);
    }
    keys
}

/// A path that has to be given.
///
/// # Errors
/// If it is empty.
pub(crate) fn required<'a>(key: &str, path: &'a Path, what: &str) -> Result<&'a Path, Error> {
    if path.as_os_str().is_empty() {
        return Err(sinew_models::Error::Config {
            key: key.to_owned(),
            found: "empty".to_owned(),
            expected: what.to_owned(),
        }
        .into());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TrainConfig, Error> {
        TrainConfig::parse(&[("run.toml".to_owned(), text.to_owned())])
    }

    /// Every field is in the default (no serde defaults outside `[data]`), and every key has its comment.
    #[test]
    fn the_default_parses_and_explains_every_key() {
        let config = parse("").unwrap();
        assert_eq!(config.data, DataOptions::default());
        assert_eq!(config.augment, AugmentOptions::default());
        assert_eq!(config.loader, LoaderOptions::default());
        assert_eq!(config.cache, CacheOptions::default());
        let lines: Vec<&str> = DEFAULT.lines().collect();
        for pair in lines.windows(2) {
            let sets_a_key = pair[1].contains(" = ") && !pair[1].starts_with('#');
            assert!(!sets_a_key || pair[0].starts_with('#'), "`{}` is not explained", pair[1]);
        }
    }

    #[test]
    fn files_are_laid_over_the_default_and_flags_over_files() {
        let flags = [
            "--run.steps",
            "7",
            "--run.device=cuda:1",
            "--data.state",
            r#"["a", "b"]"#,
            "--optimizer.lr=1e-5",
        ];
        let flags: Vec<String> = flags.map(str::to_owned).to_vec();
        let texts = [
            ("a.toml".to_owned(), "[run]\nsteps = 5\nseed = 3\n".to_owned()),
            ("b.toml".to_owned(), "[data]\nsub_episode = { length = 9 }\n".to_owned()),
            ("flags".to_owned(), flags_as_toml(&flags).unwrap()),
        ];
        let config = TrainConfig::parse(&texts).unwrap();
        assert_eq!((config.run.steps, config.run.seed, config.run.device.as_str()), (7, 3, "cuda:1"));
        assert_eq!(config.data.sub_episode.unwrap().length, 9);
        assert_eq!(config.optimizer.lr, 1e-5);
        let printed = [("printed".to_owned(), config.to_toml().unwrap())];
        assert_eq!(TrainConfig::parse(&printed).unwrap(), config);
    }

    #[test]
    fn what_nobody_reads_or_makes_no_sense_is_refused() {
        for (text, complaint) in [
            ("[run]\nstep = 3\n", "run.toml: unknown key `run.step`; the nearest is `run.steps`"),
            ("[data]\nstat = 3\n", "unknown field `stat`"),
            ("[schedule]\nkind = \"cosin\"\n", "cosin"),
            (
                "[run]\naccumulation = 3\n",
                "`run.accumulation` is 3, expected a divisor of run.batch_size = 8",
            ),
            ("[optimizer]\nema_decay = 1.0\n", "0 to below 1"),
            ("[run]\nsteps = 0\n", "at least 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
        assert!(flags_as_toml(&["run.steps".to_owned()]).is_err());
        assert!(flags_as_toml(&["--run.steps".to_owned()]).is_err());
    }
}
