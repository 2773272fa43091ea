//! From logs to a policy that can drive, in one folder: dataset, statistics, training, analysis, bundle.

use crate::Error;
use crate::analyze::predict::Extent;
use crate::analyze::run::{self as analysis, Request as AnalysisRequest};
use crate::checkpoint::policy_folder::write_json;
use crate::config::{TrainConfig, required};
use crate::convert::{Fate, Options, Sources, convert};
use crate::data::{Corpus, DatasetOptions, Statistics};
use crate::train::run::{self, Outcome};
use crate::train::setup::EMPTY_CAMERA;
use indicatif::ProgressBar;
use sinew_dataset::Dataset;
use sinew_models::checkpoint::Checkpoint;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The run's dataset.
pub const DATASET: &str = "dataset";
/// The run's analysis.
pub const ANALYSIS: &str = "analysis";
/// The training's own statistics, as LeRobot's `stats.json`.
const STATISTICS: &str = "statistics.json";
/// The robot's description, as the logs hold it.
const ROBOT: &str = "robot.toml";
/// What a training writes before its first step.
const BEGUN: &str = "run.json";

/// From which logs, and how.
#[derive(Debug)]
pub struct Request<'a> {
    /// Logs and folders of logs.
    pub logs: &'a [PathBuf],
    /// How they become a dataset.
    pub convert: &'a Options,
    /// How much is predicted for the analysis.
    pub extent: Extent,
    /// The command line, to be written down.
    pub command: &'a str,
    /// Goes on with what is in the folder.
    pub resume: bool,
}

/// Converts, trains, exports and analyses, as `config` says; what it says of the dataset, the robot and the bundle is replaced.
/// `on_log` is called after each log. A run that was interrupted goes on with `resume`, each step where it was; logs that came
/// after its training began stay out.
///
/// # Errors
/// If not one log can be converted, or a step fails. What was done stays.
pub fn train(
    request: &Request,
    mut config: TrainConfig,
    bar: &ProgressBar,
    stop: &AtomicBool,
    on_log: impl FnMut(&Path, &Fate),
) -> Result<Outcome, Error> {
    let folder = required("run.output", &config.run.output, "the run's folder")?.to_owned();
    required("policy.checkpoint", &config.policy.checkpoint, "a policy's folder")?;
    if folder.exists() && !request.resume {
        return Err(Error::Exists { path: folder });
    }
    config.bundle.layout = match begun(&folder)? {
        Some(before) => before.bundle.layout,
        None => make_dataset(request, &folder, on_log)?,
    };
    choose(&mut config, &folder)?;
    let statistics = Statistics::of(&Corpus::open(&config.data, 1)?)?;
    write_json(&folder.join(STATISTICS), &statistics.to_json(), b"  ")?;
    let outcome = run::train(config, request.command, true, stop)?;
    if outcome.was_stopped {
        return Ok(outcome);
    }
    let policy = outcome.best.as_ref().unwrap_or(&outcome.last);
    let was_stopped = !analyze(policy, &folder, request.extent, bar, stop)?;
    Ok(Outcome { was_stopped, ..outcome })
}

/// The configuration of a training that has begun in the folder.
fn begun(folder: &Path) -> Result<Option<TrainConfig>, Error> {
    if !folder.join(BEGUN).exists() {
        return Ok(None);
    }
    TrainConfig::read(&[folder.join("config.toml")], &[]).map(Some)
}

/// Converts the logs, and gives the name of their layout.
fn make_dataset(request: &Request, folder: &Path, on_log: impl FnMut(&Path, &Fate)) -> Result<String, Error> {
    let done = convert(&Sources::find(request.logs)?, &folder.join(DATASET), request.convert, on_log)?;
    let refused = done.refused_count();
    let Some(made) = done.made.filter(|made| made.episode_count > 0) else {
        return Err(Error::Refused { refused_count: refused, log_count: done.logs.len() });
    };
    if refused > 0 {
        tracing::warn!("{refused} of {} logs refused: the training goes on without them", done.logs.len());
    }
    let path = folder.join(ROBOT);
    fs::write(&path, &made.robot).map_err(Error::io(&path))?;
    // A layout from a file is called by that.
    Ok(request.convert.form.layout.clone().unwrap_or(made.form.layout.name))
}

/// What the dataset decides of the configuration.
fn choose(config: &mut TrainConfig, folder: &Path) -> Result<(), Error> {
    let place = folder.join(DATASET);
    config.data.datasets = vec![DatasetOptions::of(place.display().to_string())];
    config.data.robot = folder.join(ROBOT).display().to_string();
    config.bundle.write = true;
    if config.data.cameras.is_empty() {
        let tokenizer = Some(config.policy.tokenizer.as_path()).filter(|path| !path.as_os_str().is_empty());
        let base = Checkpoint::open(&config.policy.checkpoint, tokenizer)?;
        let keys = base.policy.cameras()?.into_iter().map(|(key, _)| key);
        let keys: Vec<String> = keys.filter(|key| !key.starts_with(EMPTY_CAMERA)).collect();
        let dataset = Dataset::open(&place)?;
        let cameras = dataset.cameras();
        let names: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
        config.data.cameras = match_cameras(&keys, &names)?;
    }
    Ok(())
}

/// The policy's cameras and the dataset's that stand for them: those of the same names, else one by one in their order.
fn match_cameras(keys: &[String], names: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    if names.iter().all(|name| keys.iter().any(|key| key == name)) {
        return Ok(BTreeMap::new());
    }
    if names.len() > keys.len() {
        return Err(Error::Usage(format!(
            "the policy has the cameras {}, the dataset {}: say which is which in [data.cameras]",
            keys.join(", "),
            names.join(", ")
        )));
    }
    let pairs = keys.iter().zip(names).map(|(key, name)| (key.clone(), (*name).to_owned()));
    Ok(pairs.inspect(|(key, name)| tracing::info!("the policy's {key} is {name}")).collect())
}

/// Whether it came to its end.
fn analyze(
    policy: &Path,
    folder: &Path,
    extent: Extent,
    bar: &ProgressBar,
    stop: &AtomicBool,
) -> Result<bool, Error> {
    let output = folder.join(ANALYSIS);
    if output.join("data/statistics.json").exists() {
        // Of an earlier end of the same run, which went on since.
        fs::remove_dir_all(&output).map_err(Error::io(&output))?;
    }
    let request = AnalysisRequest {
        policy: Some(policy.to_owned()),
        dataset: folder.join(DATASET).display().to_string(),
        output,
        overlays: Vec::new(),
        device: None,
        extent,
    };
    Ok(analysis::analyze(&request, bar, stop)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(keys: &[&str], names: &[&str]) -> Option<Vec<(String, String)>> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        match_cameras(&keys, names).ok().map(|pairs| pairs.into_iter().collect())
    }

    #[test]
    fn cameras_go_by_name_else_by_order() {
        assert_eq!(matched(&["b", "a"], &["a"]), Some(vec![]));
        let pairs = [("camera1", "head"), ("camera2", "left")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(matched(&["camera1", "camera2", "camera3"], &["head", "left"]), Some(pairs.to_vec()));
        assert_eq!(matched(&["camera1"], &["head", "left"]), None);
    }
}
