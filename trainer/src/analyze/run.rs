//! An analysis from its request to the folder it leaves.

use crate::Error;
use crate::analyze::analysis::{
    Analysis, DataReport, Diagnosis, Dimension, FORMAT_VERSION, PolicyReport, Subject,
};
use crate::analyze::baselines;
use crate::analyze::certainty::Certainty;
use crate::analyze::checks::{Evidence, Recorded};
use crate::analyze::data_report::{self, Rules};
use crate::analyze::dataset_side;
use crate::analyze::episodes::{Tracks, state_of};
use crate::analyze::journal::Journal;
use crate::analyze::measures::{self, Moments, Scale};
use crate::analyze::policy::Policy;
use crate::analyze::predict::{self, Extent};
use crate::analyze::predictions::Predictions;
use crate::analyze::report;
use crate::analyze::subject::{self, PolicyPlace};
use crate::analyze::{diagnosis, gradients, modes};
use crate::checkpoint::policy_folder::write_json;
use crate::config::TrainConfig;
use crate::data::{Corpus, Statistics};
use indicatif::ProgressBar;
use serde_json::json;
use sha2::{Digest, Sha256};
use sinew_models::embodiment::Embodiment;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The policy's folder; none looks at the data alone.
    pub policy: Option<PathBuf>,
    /// The dataset's folder or name.
    pub dataset: String,
    /// Where the analysis goes. One that was interrupted goes on.
    pub output: PathBuf,
    /// Configurations over that of the policy's run.
    pub overlays: Vec<PathBuf>,
    /// `cpu` or `cuda:N`; as the policy's run if none.
    pub device: Option<String>,
    /// How much is predicted.
    pub extent: Extent,
}

/// Analyses, and writes the report, its plots, the remedy and `data/`. Absent if it was stopped before the end.
///
/// # Errors
/// If the policy or the dataset cannot be read, they do not fit, or the folder cannot be written.
pub fn analyze(
    request: &Request,
    bar: &ProgressBar,
    stop: &AtomicBool,
) -> Result<Option<(Analysis, Option<Predictions>)>, Error> {
    let data = request.output.join("data");
    let path = data.join("statistics.json");
    if path.exists() {
        return Err(Error::Exists { path });
    }
    let policy = request.policy.as_deref().map(PolicyPlace::find).transpose()?;
    let found = match &policy {
        None => Some((of_data(request)?, None)),
        Some(place) => {
            fs::create_dir_all(&data).map_err(Error::io(&data))?;
            let found = of_policy(request, place, &data, bar, stop)?;
            found.map(|(analysis, predictions)| (analysis, Some(predictions)))
        }
    };
    let Some((analysis, predictions)) = found else { return Ok(None) };
    fs::create_dir_all(&data).map_err(Error::io(&data))?;
    if let Some(predictions) = &predictions {
        predictions.write_npz(&data.join("predictions.npz"))?;
    }
    let remedy = request.output.join("remedy.toml");
    fs::write(&remedy, &analysis.diagnosis.remedy_toml).map_err(Error::io(&remedy))?;
    report::write(&request.output, &analysis, predictions.as_ref())?;
    write_json(&path, &json!(analysis), b"  ")?;
    Ok(Some((analysis, predictions)))
}

fn of_data(request: &Request) -> Result<Analysis, Error> {
    let mut config = subject::config(None, &request.dataset, &request.overlays)?;
    // Without a policy no episode is kept apart.
    config.data.validation_fraction = 0.0;
    let corpus = Corpus::open(&config.data, 1)?;
    let tracks = Tracks::read(&corpus)?;
    let statistics = Statistics::of(&corpus)?;
    let normalization = &config.data.normalization;
    let action_rule = statistics.action.normalizer(normalization.action);
    let state_rule = statistics.state.normalizer(normalization.state);
    let rules = Rules { state: &state_rule, action: &action_rule, are_the_policys: false };
    let report = dataset_side::report(&corpus, &tracks, &config.data, &rules)?;
    let (action_names, state_names) = (corpus.action_names(), corpus.state_names());
    let state_of: Vec<Option<usize>> = action_names.iter().map(|name| state_of(name, &state_names)).collect();
    let recorded = Recorded {
        action_names,
        state_names: &state_names,
        state_of: &state_of,
        data: &report,
        action_rule: &action_rule,
        state_rule: &state_rule,
    };
    let diagnosis = diagnosis::of_data(&recorded);
    assemble(request, &config, &corpus, report, None, diagnosis)
}

/// What is known of a policy beside its errors.
struct PolicyFacts {
    place: PathBuf,
    id: String,
    trained_steps: Option<u64>,
    device: String,
}

fn of_policy(
    request: &Request,
    place: &PolicyPlace,
    data: &Path,
    bar: &ProgressBar,
    stop: &AtomicBool,
) -> Result<Option<(Analysis, Predictions)>, Error> {
    let mut config = subject::config(Some(place), &request.dataset, &request.overlays)?;
    if let Some(device) = &request.device {
        config.run.device.clone_from(device);
    }
    let asked = subject::open(place, config)?;
    let id = subject::identity(&asked)?;
    let (chunk_len, look_len) = predict::entry_lens(&asked);
    let key = journal_key(&asked, &id, request.extent);
    let mut journal = Journal::open(&data.join("answers.partial"), &key, chunk_len, look_len)?;
    let Some(predictions) = predict::predict(&asked, request.extent, &mut journal, bar, stop)? else {
        return Ok(None);
    };
    bar.set_message("checks");
    let corpus = asked.corpus();
    let tracks = Tracks::read(corpus)?;
    let [state_rule, action_rule] = asked.rules()?;
    let rules = Rules { state: &state_rule, action: &action_rule, are_the_policys: true };
    let report = dataset_side::report(corpus, &tracks, &asked.config().data, &rules)?;
    let scales: Vec<Scale> =
        report.action.iter().map(|data| Scale { mean: data.mean, std: data.std }).collect();
    let near_gripper = near_gripper(&tracks, corpus, &report);
    let Some(policy) = policy_report(&predictions, &scales, &near_gripper) else {
        return Err(Error::Usage("no frame to predict from is left by the filters of [data]".to_owned()));
    };
    let trained_steps = subject::trained_steps(&asked);
    let certainty = Certainty::of(&tracks, corpus.train_episodes().len());
    let facts = Measured {
        predictions: &predictions,
        policy: &policy,
        report: &report,
        rules,
        scales: &scales,
        certainty,
    };
    let diagnosis = diagnose(&asked, request.extent.seed, &facts, trained_steps)?;
    let facts = PolicyFacts { place: place.folder().to_owned(), id, trained_steps, device: asked.device() };
    let analysis = assemble(request, asked.config(), corpus, report, Some((policy, facts)), diagnosis)?;
    journal.finish()?;
    Ok(Some((analysis, predictions)))
}

/// Everything that predictions depend on.
fn journal_key(policy: &Policy, policy_id: &str, extent: Extent) -> String {
    let corpus = policy.corpus();
    let episodes = (corpus.train_episodes(), corpus.validation_episodes());
    let parts = (policy_id, extent, &policy.config().data, episodes);
    let hash = Sha256::digest(format!("{parts:?}"));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was measured, and is judged now.
struct Measured<'a> {
    predictions: &'a Predictions,
    policy: &'a PolicyReport,
    report: &'a DataReport,
    rules: Rules<'a>,
    scales: &'a [Scale],
    certainty: Option<Certainty>,
}

fn diagnose(
    asked: &Policy,
    seed: u64,
    measured: &Measured<'_>,
    trained_steps: Option<u64>,
) -> Result<Diagnosis, Error> {
    let corpus = asked.corpus();
    let (action_names, state_names) = (corpus.action_names(), corpus.state_names());
    let state_of: Vec<Option<usize>> = action_names.iter().map(|name| state_of(name, &state_names)).collect();
    let predictions = measured.predictions;
    let support = baselines::support(corpus, seed)?;
    let pull = match asked {
        Policy::Checkpoint(setup) => gradients::measure(setup, &predictions.train.frames, seed)?,
        // Graphs have no gradient.
        Policy::Bundle(_) => None,
    };
    let modes = modes::measure(&support, action_names.len());
    let evidence = Evidence {
        recorded: Recorded {
            action_names,
            state_names: &state_names,
            state_of: &state_of,
            data: measured.report,
            action_rule: measured.rules.action,
            state_rule: measured.rules.state,
        },
        predictions,
        policy: measured.policy,
        train: &Statistics::of(corpus)?,
        train_episode_count: corpus.train_episodes().len(),
        certainty: measured.certainty.as_ref(),
        scales: measured.scales,
        std_floor: asked.config().data.std_floor,
        dimension_weights: &asked.dimension_weights(),
        baselines: &baselines::measure(&support, predictions, predictions.judged(), &state_of),
        derived_count: asked.config().data.derived.len(),
        is_expert_only: asked.is_expert_only(),
        modes: modes.as_deref(),
        pull: pull.as_ref(),
    };
    Ok(diagnosis::of_policy(&evidence, trained_steps.unwrap_or(asked.config().run.steps)))
}

/// Of each episode, the rows near a gripper's movement.
type NearGripper = Vec<(crate::data::EpisodeId, Vec<bool>, usize)>;

fn near_gripper(tracks: &Tracks, corpus: &Corpus, report: &DataReport) -> NearGripper {
    let grippers = data_report::gripper_dimensions(corpus.action_names());
    let rows = |track: &crate::analyze::episodes::Track| {
        (track.id, data_report::gripper_rows(track, &grippers, &report.action), tracks.stride)
    };
    tracks.tracks.iter().map(rows).collect()
}

fn policy_report(of: &Predictions, scales: &[Scale], near: &NearGripper) -> Option<PolicyReport> {
    let mut tasks: Vec<&String> = of.train.tasks.iter().chain(&of.validation.tasks).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let tasks = tasks
        .into_iter()
        .filter_map(|task| measures::group(task, of, scales, |set, frame| set.tasks[frame] == *task));
    let is_near = |frame: &crate::data::FrameId| {
        let same = |(id, ..): &&(crate::data::EpisodeId, Vec<bool>, usize)| {
            (id.dataset, id.episode_index) == (frame.dataset, frame.episode_index)
        };
        near.iter()
            .find(same)
            .is_some_and(|(_, rows, stride)| rows.get(frame.row / stride).copied() == Some(true))
    };
    let phases = data_report::PHASES.iter().enumerate().filter_map(|(place, name)| {
        measures::group(name, of, scales, |set, frame| {
            if place == data_report::NEAR_GRIPPER {
                is_near(&set.frames[frame])
            } else {
                data_report::third(set.frames[frame].row, set.episode_lengths[frame]) == place
            }
        })
    });
    let train = measures::split(&of.train, of, scales)?;
    let validation = measures::split(&of.validation, of, scales);
    Some(PolicyReport {
        gap: validation.as_ref().map(|validation| measures::gap(&train, validation)),
        train,
        validation,
        tasks: tasks.collect(),
        phases: phases.collect(),
        noise_spread: noise_spread(of),
    })
}

/// The root of the mean variance over noises, by dimension.
fn noise_spread(of: &Predictions) -> Vec<f64> {
    let per_noise = of.resampled.len() / of.noise_count.max(1);
    let spread = |dimension: usize| {
        let places = (dimension..per_noise).step_by(of.action_dim);
        let over_noises = places.map(|place| {
            let values = (0..of.noise_count).map(|noise| f64::from(of.resampled[noise * per_noise + place]));
            Moments::of(values).variance
        });
        measures::mean(over_noises).sqrt()
    };
    (0..of.action_dim).map(spread).collect()
}

fn assemble(
    request: &Request,
    config: &TrainConfig,
    corpus: &Corpus,
    report: DataReport,
    policy: Option<(PolicyReport, PolicyFacts)>,
    diagnosis: Diagnosis,
) -> Result<Analysis, Error> {
    let robot = Embodiment::named(&config.data.robot)?;
    let dimension = |name: &str| Dimension { name: name.to_owned(), unit: unit(&robot, name) };
    let (train_episodes, validation_episodes) = subject::episode_numbers(corpus);
    let (policy, facts) = policy.unzip();
    let facts = facts.as_ref();
    Ok(Analysis {
        format_version: FORMAT_VERSION,
        subject: Subject {
            policy: facts.map(|facts| facts.place.display().to_string()),
            policy_id: facts.map(|facts| facts.id.clone()),
            trained_steps: facts.and_then(|facts| facts.trained_steps),
            device: facts.map(|facts| facts.device.clone()),
            dataset: request.dataset.clone(),
            train_episodes,
            validation_episodes,
            seed: request.extent.seed,
            chunk_size: policy.as_ref().map_or(1, |policy| {
                policy.train.dimensions.first().map_or(1, |dimension| dimension.error_by_step.len())
            }),
            fps: corpus.fps(),
            rate_hz: corpus.action_rate_hz(),
            sinew_version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        action: corpus.action_names().iter().map(|name| dimension(name)).collect(),
        state: corpus.state_names().into_iter().map(dimension).collect(),
        data: report,
        policy,
        diagnosis,
    })
}

/// The unit that the robot's layouts give a number of this name.
fn unit(robot: &Embodiment, name: &str) -> String {
    let mut dimensions = robot.layouts.iter().flat_map(|layout| layout.state.iter().chain(&layout.action));
    dimensions
        .find(|dimension| dimension.name == name)
        .map_or_else(String::new, |dimension| dimension.unit.symbol().to_owned())
}
