//! `sinew-runtime eval`: how often a bundle's policy does its tasks on a simulated robot, and how the others failed.

mod episode;
mod lock_step;
mod real_time;
mod report;
mod rig;
mod seeds;
mod sheet;
mod statistics;
mod verdict;

pub use episode::{Episode, MotionAccount, SeamSummary, Seams, Shot, Timing, Trial, thin};
pub use report::{Account, Quantiles, Report, TaskReport, TimingAccount};
pub use seeds::{parse_seeds, shard};
pub use sheet::draw_sheet;
pub use statistics::{quantile, wilson_95};
pub use verdict::{Cause, Held, ItemFacts, Items, cause, is_success};

use crate::config::{Config, ScheduleMode};
use crate::control::MotionPlan;
use crate::error::{Error, quoted};
use crate::net;
use crate::plan::Plan;
use crate::ros::Ros;
use crate::stop::Stop;
use lock_step::LockStep;
use real_time::RealTime;
use rig::{Rig, refused};
use serde::Serialize;
use sheet::SHOT_COUNT;
use sinew_models::contract::Bundle;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Steps that are played of each chunk, unless it is said otherwise.
const PLAYED_STEPS: usize = 25;
/// Where a rig of ours finds us.
const HERE: &str = "tcp/127.0.0.1:0";

/// Whose time the robot lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Its own: it stands still while the policy thinks.
    LockStep,
    /// Everybody's.
    RealTime,
}

/// What is evaluated, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalOptions {
    /// Whose time the robot lives by.
    pub mode: Mode,
    /// Which scenes.
    pub seeds: Vec<u64>,
    /// The tasks; all of the rig's if empty.
    pub tasks: Vec<String>,
    /// Command line of a rig to start; none if one is there.
    pub rig: Option<String>,
    /// Where the report goes; nowhere if none is given.
    pub output: Option<PathBuf>,
    /// Steps from one observation to the next; as configured if none is given and there is a clock.
    pub played_steps: Option<usize>,
    /// How long each chunk is held back; as configured if none is given.
    pub extra_latency_ms: Option<u64>,
    /// Longest that the policy drives, seconds of the robot's time.
    pub max_seconds: f64,
    /// How long success has to last.
    pub hold_s: f64,
    /// Whether there are to be pictures of successes too.
    pub shows_successes: bool,
}

/// Longest that a policy drives, unless it is said otherwise.
pub const MAX_SECONDS: f64 = 15.0;
/// How long success has to last, unless it is said otherwise.
pub const HOLD_S: f64 = 0.5;

impl EvalOptions {
    /// Every task of a rig that is there, in lock-step, and no report.
    #[must_use]
    pub fn in_lock_step(seeds: Vec<u64>) -> Self {
        Self {
            mode: Mode::LockStep,
            seeds,
            tasks: Vec::new(),
            rig: None,
            output: None,
            played_steps: None,
            extra_latency_ms: None,
            max_seconds: MAX_SECONDS,
            hold_s: HOLD_S,
            shows_successes: false,
        }
    }

    /// The configuration that the robot is driven with.
    #[must_use]
    pub fn configured(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.setpoints.publish = true;
        if let Some(latency_ms) = self.extra_latency_ms {
            config.policy.extra_latency_ms = latency_ms;
        }
        let played = match self.mode {
            Mode::LockStep => Some(self.played_steps.unwrap_or(PLAYED_STEPS)),
            Mode::RealTime => self.played_steps,
        };
        if let Some(played) = played {
            match config.schedule.mode {
                ScheduleMode::Sync => config.schedule.execute_steps = played,
                _ => config.schedule.replan_steps = played,
            }
        }
        if self.rig.is_some() && config.zenoh.listen.is_empty() {
            config.zenoh.listen = vec![HERE.to_owned()];
        }
        config
    }
}

/// Evaluates a bundle. `say` is told of each episode as it ends.
///
/// # Errors
/// If bundle, robot and configuration do not agree, the rig cannot be had or does not answer, a graph fails, or the report
/// cannot be written.
pub fn evaluate(
    bundle: &Path,
    config: &Config,
    options: &EvalOptions,
    stop: &Stop,
    mut say: impl FnMut(&Episode),
) -> Result<Report, Error> {
    let config = options.configured(config);
    config.validate()?;
    let plan = Plan::new(Bundle::open(bundle)?, &config)?;
    let motion = MotionPlan::new(&plan, &config)?
        .ok_or_else(|| refused("the configuration publishes no set-points".to_owned()))?;
    if let Some(output) = &options.output {
        std::fs::create_dir_all(output).map_err(|source| Error::Io { path: output.clone(), source })?;
    }
    let ros = Ros::open(&config.zenoh)?;
    let rig =
        Rig::find(ros.session(), &config.zenoh.namespace, rig_command(options, &ros)?.as_deref(), stop)?;
    let words = chosen(rig.tasks()?, &options.tasks)?;
    let mut driver: Box<dyn Driver> = match options.mode {
        Mode::LockStep => Box::new(LockStep::new((&plan, &motion, &config), options, &ros, &rig)?),
        Mode::RealTime => Box::new(RealTime::new(&plan, &config, options, &ros, &rig)?),
    };
    let mut episodes = Vec::new();
    let trials = trials(&words, &options.seeds, config.policy.seed);
    let outcome = trials.iter().try_for_each(|trial| {
        let mut episode = driver.episode(trial, stop)?;
        if stop.is_requested() {
            return Err(refused("it was interrupted".to_owned()));
        }
        episode.shots = thin(std::mem::take(&mut episode.shots), SHOT_COUNT);
        say(&episode);
        episodes.push(episode);
        Ok(())
    });
    // What was done is kept, whatever ended it.
    let is_complete = outcome.is_ok();
    let report =
        Report::new(&plan.bundle.manifest.bundle_id, options, &config, &words, is_complete, episodes);
    if let Some(output) = options.output.as_ref().filter(|_| !report.episodes.is_empty()) {
        write(&report, output, options.shows_successes)?;
    }
    outcome.map(|()| report)
}

/// What lets the policy drive.
trait Driver {
    /// Runs an episode, or what of it comes before the stop.
    fn episode(&mut self, trial: &Trial, stop: &Stop) -> Result<Episode, Error>;
}

/// What is asked, in order.
fn trials(words: &BTreeMap<String, String>, seeds: &[u64], policy_seed: u64) -> Vec<Trial> {
    let trial = |(task, words): (&String, &String), seed: u64| Trial {
        task: task.clone(),
        words: words.clone(),
        seed,
        noise_seed: policy_seed ^ seed.rotate_left(32),
    };
    words.iter().flat_map(|task| seeds.iter().map(move |seed| trial(task, *seed))).collect()
}

/// The tasks asked for, of those that the rig has.
fn chosen(all: BTreeMap<String, String>, names: &[String]) -> Result<BTreeMap<String, String>, Error> {
    if let Some(name) = names.iter().find(|name| !all.contains_key(*name)) {
        let known: Vec<&String> = all.keys().collect();
        return Err(refused(format!("it has no task `{name}`, but {}", quoted(&known))));
    }
    Ok(all.into_iter().filter(|(name, _)| names.is_empty() || names.contains(name)).collect())
}

/// A rig's command line, with what it has to know of us.
fn rig_command(options: &EvalOptions, ros: &Ros) -> Result<Option<String>, Error> {
    let Some(command) = &options.rig else { return Ok(None) };
    let locators = net::locators(ros.session());
    let here = locators.first().ok_or_else(|| refused("we listen nowhere: it cannot reach us".to_owned()))?;
    let stepped = if options.mode == Mode::LockStep { " --stepped" } else { "" };
    Ok(Some(format!("{command} --connect {here}{stepped}")))
}

fn write(report: &Report, output: &Path, shows_successes: bool) -> Result<(), Error> {
    let path = output.join("eval.json");
    let text = serde_json::to_string_pretty(report).map_err(|error| refused(error.to_string()))?;
    std::fs::write(&path, text + "\n").map_err(|source| Error::Io { path, source })?;
    draw_sheet(&output.join("failures.png"), report.episodes.iter().filter(|episode| !episode.success))?;
    if shows_successes {
        draw_sheet(&output.join("successes.png"), report.episodes.iter().filter(|episode| episode.success))?;
    }
    Ok(())
}
