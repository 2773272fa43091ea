//! `sinew-runtime demo`: on one machine, without a router, a simulated robot and a policy that drives it; or an embedded robot
//! that plays an episode, the policy and an onlooker.

use crate::config::{Config, KeyForm, Mode, ZenohConfig};
use crate::error::Error;
use crate::eval::{Account, Episode, EvalOptions, draw_sheet, evaluate};
use crate::replay::{ReplayEvent, ReplayOptions, ReplaySummary, replay};
use crate::run::run;
use crate::slot::Slot;
use crate::stop::Stop;
use crate::telemetry::{EventKind, Summary};
use crate::thread::Thread;
use crate::watch::{WatchEvent, WatchOptions, WatchSummary, watch};
use serde::Serialize;
use sinew_dataset::Dataset;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for one of the three before looking whether another has failed.
const POLL: Duration = Duration::from_millis(20);
/// How often a chunk is spoken of.
const SPEAK_EVERY: Duration = Duration::from_secs(1);
/// A port the system chooses, on this machine only.
const HERE: &str = "tcp/127.0.0.1:0";

/// What to show.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// What the embedded robot plays, again and again.
    pub replay: ReplayOptions,
    /// How long, once all three are there.
    pub duration: Duration,
    /// Where the picture goes.
    pub plot: Option<PathBuf>,
}

/// How it went.
#[derive(Clone, Debug, Serialize)]
pub struct DemoSummary {
    /// The policy's side.
    pub run: Summary,
    /// The onlooker's side.
    pub watch: WatchSummary,
    /// The robot's side.
    pub replay: ReplaySummary,
}

impl DemoSummary {
    /// Whether chunks came, and every one was seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.run.chunk_count > 0
            && self.run.is_complete()
            && self.watch.is_complete()
            && self.watch.chunk_count == self.run.chunk_count
    }
}

/// Says what happens, in plain words.
pub type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Lets the policy do its tasks on a simulated robot, and draws what it did. Returns whether anything went well.
///
/// # Errors
/// If the robot cannot be had, or as [`evaluate`].
pub fn show(
    bundle: &Path,
    options: &EvalOptions,
    plot: Option<&Path>,
    config: &Config,
    stop: &Stop,
    say: &Say,
) -> Result<bool, Error> {
    let mut config = config.clone();
    config.zenoh = local(&[]);
    say(format!(
        "The policy in {} drives a simulated robot, whose time stands still while it thinks.",
        bundle.display()
    ));
    let report = evaluate(bundle, &config, options, stop, |episode| {
        let Episode { task, seed, seconds, .. } = episode;
        say(match (episode.seconds_to_success, episode.cause) {
            (Some(after_s), _) => {
                format!("Scene {seed}, {task}: done after {after_s:.1} s of the robot's time.")
            }
            (None, Some(cause)) => {
                format!(
                    "Scene {seed}, {task}: not done after {seconds:.1} s ({}).",
                    cause.name().replace('_', " ")
                )
            }
            (None, None) => format!("Scene {seed}, {task}: not done after {seconds:.1} s."),
        });
    })?;
    for task in report.tasks.values() {
        let Account { success_count, episode_count, .. } = task.account;
        say(format!("Told to {}, it did so in {success_count} of {episode_count} scenes.", task.words));
    }
    if let Some(path) = plot {
        draw_sheet(path, report.episodes.iter())?;
    }
    Ok(report.all.success_count > 0)
}

/// Runs the demonstration with an episode that is played.
///
/// # Errors
/// If one of the three fails.
pub fn demo(options: &DemoOptions, config: &Config, stop: &Stop, say: &Say) -> Result<DemoSummary, Error> {
    let mut config = config.clone();
    config.zenoh = local(&[]);
    // Video has no noise where nothing moves.
    config.sync.max_equal_pictures = 0;
    if config.policy.instruction.is_empty() {
        config.policy.instruction = task(&options.replay)?;
    }
    say(format!("The policy in {} is told: {}", options.bundle.display(), config.policy.instruction));
    let policy = Part::run(options, config, say)?;
    let mut others = policy.ready(stop);
    let onlooker = Part::watch(options, &others, say)?;
    others.extend(onlooker.ready(stop));
    // The robot last: nobody is to miss its first frame.
    let robot = Part::replay(options, &others, say)?;
    if !policy.is_over() {
        say(format!("Robot, policy and onlooker talk over {}, without a router.", others.join(" and ")));
    }
    let end = Instant::now() + options.duration;
    while !(stop.is_requested() || policy.is_over() || robot.is_over() || onlooker.is_over())
        && Instant::now() < end
    {
        std::thread::sleep(POLL);
    }
    // The policy first, so that the onlooker sees its last chunk.
    let run = policy.finish()?;
    let replay = robot.finish()?;
    let watch = onlooker.finish()?;
    Ok(DemoSummary { run, watch, replay })
}

/// One of the three, on a thread of its own with a zenoh session of its own.
struct Part<T> {
    thread: Thread<T>,
    stop: Stop,
    /// Where it can be reached, once it can.
    locators: Arc<Slot<Vec<String>>>,
}

impl<T: Send + 'static> Part<T> {
    fn spawn(
        name: &str,
        work: impl FnOnce(&Stop, &Slot<Vec<String>>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (stop, locators) = (Stop::default(), Arc::new(Slot::default()));
        let (its_stop, its_locators) = (stop.clone(), Arc::clone(&locators));
        let thread = Thread::spawn(name, move || work(&its_stop, &its_locators))?;
        Ok(Self { thread, stop, locators })
    }

    /// Waits until it can be reached. Empty if it has failed, which [`Self::finish`] will tell.
    fn ready(&self, stop: &Stop) -> Vec<String> {
        while !self.is_over() && !stop.is_requested() {
            if let Some(locators) = self.locators.wait(POLL) {
                return locators;
            }
        }
        Vec::new()
    }

    fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    fn finish(self) -> Result<T, Error> {
        self.stop.request();
        self.thread.join()
    }
}

impl Part<Summary> {
    fn run(options: &DemoOptions, config: Config, say: &Say) -> Result<Self, Error> {
        let (bundle, say) = (options.bundle.clone(), Arc::clone(say));
        Self::spawn("demo-run", move |stop, locators| {
            let mut last: Option<Instant> = None;
            run(&bundle, &config, stop, |event| {
                match &event.kind {
                    EventKind::Ready(ready) => {
                        say(format!("Bundle {} runs on {}.", ready.bundle_id, ready.execution_provider));
                        locators.put(ready.locators.clone());
                    }
                    EventKind::Chunk(chunk) if last.is_none_or(|last| last.elapsed() >= SPEAK_EVERY) => {
                        last = Some(Instant::now());
                        let (sequence, latency_ms) = (chunk.sequence, chunk.observation_to_publish_ms);
                        say(format!("Chunk {sequence} is out, {latency_ms:.0} ms after its observation."));
                    }
                    EventKind::NotReady { message, .. } => say(format!("The policy waits: {message}.")),
                    EventKind::Error { message } => say(message.clone()),
                    EventKind::Unusable { stream, message, .. } => say(format!("{stream}: {message}")),
                    _ => {}
                }
                Ok(())
            })
        })
    }
}

impl Part<ReplaySummary> {
    fn replay(options: &DemoOptions, connect: &[String], say: &Say) -> Result<Self, Error> {
        let (network, say) = (local(connect), Arc::clone(say));
        let options = ReplayOptions { repeats: true, waits_for_subscriber: true, ..options.replay.clone() };
        Self::spawn("demo-replay", move |stop, _| {
            replay(&options, &network, stop, |event| {
                if let ReplayEvent::Ready { episode_index, rate_hz, .. } = event {
                    say(format!("The embedded robot plays episode {episode_index} at {rate_hz} Hz."));
                }
                Ok(())
            })
        })
    }
}

impl Part<WatchSummary> {
    fn watch(options: &DemoOptions, connect: &[String], say: &Say) -> Result<Self, Error> {
        let (network, say) = (local(connect), Arc::clone(say));
        let robot = options.replay.robot.clone();
        let options = WatchOptions { robot, chunk_limit: None, plot: options.plot.clone() };
        Self::spawn("demo-watch", move |stop, locators| {
            let mut last: Option<Instant> = None;
            watch(&options, &network, stop, |event| {
                match event {
                    WatchEvent::Ready { locators: ours } => drop(locators.put(ours.clone())),
                    WatchEvent::Seen(sighting)
                        if sighting.group != "chunk"
                            && last.is_none_or(|last| last.elapsed() >= SPEAK_EVERY) =>
                    {
                        last = Some(Instant::now());
                        say(format!("An onlooker sees: {sighting}"));
                    }
                    WatchEvent::Malformed { key, message } => {
                        say(format!("An onlooker can't read {key}: {message}"))
                    }
                    _ => {}
                }
                Ok(())
            })
        })
    }
}

/// Peer to peer on this machine.
fn local(connect: &[String]) -> ZenohConfig {
    ZenohConfig {
        mode: Mode::Peer,
        listen: vec![HERE.to_owned()],
        connect: connect.to_vec(),
        scouting: false,
        namespace: String::new(),
        keys: KeyForm::Ros2dds,
        domain: 0,
        type_hashes: true,
        shared_memory: true,
    }
}

/// The episode's own instruction.
fn task(options: &ReplayOptions) -> Result<String, Error> {
    let dataset = Dataset::open(&options.dataset)?;
    let mut episodes = dataset.episodes().iter();
    let episode = match options.episode {
        Some(index) => episodes.find(|episode| episode.episode_index == index),
        None => episodes.next(),
    };
    Ok(episode.and_then(|episode| episode.tasks.first()).cloned().unwrap_or_default())
}
