//! Episodes by the wall clock: a run each, with its threads, safety and messages, on a policy and a network that are kept.

use super::episode::{Episode, Shot, Timing, Trial};
use super::rig::{Rig, refused};
use super::verdict::{Cause, Held, is_success};
use super::{Driver, EvalOptions};
use crate::config::Config;
use crate::error::Error;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::ros::{Ros, Subscription};
use crate::run::{Platform, run_on};
use crate::safety::State as Allowed;
use crate::slot::Slot;
use crate::stop::Stop;
use crate::telemetry::{Event, EventKind, Summary};
use crate::thread::Thread;
use serde_json::json;
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::CompressedImage;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Time for things to fall and to come to rest, before the policy sees them.
const SETTLE: Duration = Duration::from_millis(700);
/// How long a rig may take to put things back.
const RESET_PATIENCE: Duration = Duration::from_secs(30);
/// How long the robot may take to its start posture.
const LONGEST_START: Duration = Duration::from_secs(60);
/// How often the things are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(20);
/// How often a picture is kept, seconds of the robot's time.
const SHOT_EVERY_S: f64 = 0.5;
/// Events that may wait for the next look.
const EVENT_CAPACITY: usize = 4096;

/// A robot in real time.
pub(super) struct RealTime<'a> {
    plan: &'a Plan,
    config: &'a Config,
    options: &'a EvalOptions,
    ros: &'a Ros,
    rig: &'a Rig,
    /// None only while a run has it, and after one that failed.
    policy: Option<Policy>,
    picture: Arc<Slot<Vec<u8>>>,
    _subscriptions: Vec<Subscription>,
}

impl<'a> RealTime<'a> {
    /// Loads the policy and listens to the first camera.
    pub(super) fn new(
        plan: &'a Plan,
        config: &'a Config,
        options: &'a EvalOptions,
        ros: &'a Ros,
        rig: &'a Rig,
    ) -> Result<Self, Error> {
        if rig.state()?.is_stepped {
            return Err(refused("its time stands still: start it without --stepped".to_owned()));
        }
        let picture = Arc::new(Slot::default());
        let mut subscriptions = Vec::new();
        for key in plan.cameras.iter().take(1).flat_map(|camera| &camera.keys) {
            let newest = Arc::clone(&picture);
            let keep = move |sample: zenoh::sample::Sample| {
                newest.put(sample.payload().to_bytes().into_owned());
            };
            subscriptions.push(ros.subscribe(
                key.as_str(),
                Some(plan.cameras[0].message.type_name()),
                keep,
            )?);
        }
        let policy = Some(Policy::load(&plan.bundle, &config.policy)?);
        Ok(Self { plan, config, options, ros, rig, policy, picture, _subscriptions: subscriptions })
    }

    fn put_back(&self, seed: u64, stop: &Stop) -> Result<(), Error> {
        let before = self.rig.state()?.reset_count;
        self.rig.ask(&json!({ "reset": seed }))?;
        let start = Instant::now();
        while self.rig.state()?.reset_count == before {
            if start.elapsed() > RESET_PATIENCE {
                return Err(refused("it does not put things back".to_owned()));
            }
            std::thread::sleep(POLL);
        }
        // An interrupted evaluation is noticed by whoever asked for it.
        let _ = stop.sleep_until(Instant::now() + SETTLE);
        Ok(())
    }

    /// Until the episode is over.
    fn watch(
        &self,
        watch: &mut Watch,
        events: &Receiver<Event>,
        thread: &Thread<(Summary, Policy)>,
        stop: &Stop,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut next = start;
        while !thread.is_finished() && stop.sleep_until(next) {
            next += LOOK_EVERY;
            let state = self.rig.state()?;
            if watch.take_in(events) && watch.began_s.is_none() {
                watch.began_s = Some(state.time_s);
            }
            let Some(began_s) = watch.began_s else {
                if watch.episode.cause.is_some() {
                    break;
                }
                if start.elapsed() > LONGEST_START {
                    watch.episode.cause = Some(Cause::NeverStarted);
                    break;
                }
                continue;
            };
            let episode = &mut watch.episode;
            episode.seconds = state.time_s - began_s;
            let is_success = is_success(&episode.task, &state.items);
            episode.seconds_to_success = watch.held.look(episode.seconds, is_success, self.options.hold_s);
            episode.success = episode.seconds_to_success.is_some() && episode.cause.is_none();
            let is_over =
                episode.success || episode.cause.is_some() || episode.seconds >= self.options.max_seconds;
            let is_due = episode.shots.last().is_none_or(|shot| episode.seconds - shot.at_s >= SHOT_EVERY_S);
            if is_due || is_over {
                let newest = self.picture.take().and_then(|message| jpeg(&message));
                episode.shots.extend(newest.map(|jpeg| Shot { at_s: episode.seconds, jpeg }));
            }
            if is_over {
                break;
            }
        }
        Ok(())
    }
}

impl Driver for RealTime<'_> {
    fn episode(&mut self, trial: &Trial, stop: &Stop) -> Result<Episode, Error> {
        self.put_back(trial.seed, stop)?;
        let mut config = self.config.clone();
        config.policy.instruction.clone_from(&trial.words);
        config.policy.seed = trial.noise_seed;
        let policy = self.policy.take().ok_or_else(|| refused("the policy is lost".to_owned()))?;
        let (plan, ros) = (self.plan.clone(), self.ros.clone());
        let platform = Platform { plan, policy, ros, has_keyboard: false };
        let (sender, events) = sync_channel(EVENT_CAPACITY);
        let ends = Stop::default();
        let its_end = ends.clone();
        let thread = Thread::spawn("episode", move || {
            // Nobody listens any more once the episode is judged.
            run_on(platform, &config, &its_end, &mut |event| {
                let _ = sender.try_send(event.clone());
                Ok(())
            })
        })?;
        let mut watch = Watch {
            began_s: None,
            held: Held::default(),
            episode: Episode { task: trial.task.clone(), seed: trial.seed, ..Episode::default() },
        };
        let judged = self.watch(&mut watch, &events, &thread, stop);
        ends.request();
        let (summary, policy) = thread.join()?;
        judged?;
        self.policy = Some(policy);
        let mut episode = watch.episode;
        episode.account(&summary);
        episode.ended(self.rig.state()?);
        Ok(episode)
    }
}

fn jpeg(message: &[u8]) -> Option<Vec<u8>> {
    CompressedImage::from_cdr(message).ok().map(|image| image.data.into_owned())
}

/// An episode that is going on.
struct Watch {
    /// The robot's time when the policy took over.
    began_s: Option<f64>,
    held: Held,
    episode: Episode,
}

impl Watch {
    /// Takes events in. Returns whether the policy drives.
    fn take_in(&mut self, events: &Receiver<Event>) -> bool {
        let motion = &mut self.episode.motion;
        for event in events.try_iter() {
            match event.kind {
                EventKind::Merged(merged) => {
                    // The first one contradicts nothing.
                    if motion.chunk_count > 0 {
                        motion.seams.add(&merged.seam);
                    }
                    motion.chunk_count += 1;
                    let timing = self.episode.timing.get_or_insert_default();
                    timing.idle_ms = timing.idle_ms.max(merged.idle_ms);
                }
                EventKind::Motion {
                    state: state @ (Allowed::Holding | Allowed::Stopped), reason, ..
                } => {
                    *motion.holds.entry(reason.unwrap_or("unknown").to_owned()).or_default() += 1;
                    if state == Allowed::Stopped {
                        self.episode.cause = Some(Cause::Stopped);
                    }
                }
                _ => {}
            }
        }
        motion.chunk_count > 0
    }
}

impl Episode {
    /// Takes over what a run says of itself at its end.
    fn account(&mut self, summary: &Summary) {
        self.motion.clamped_chunk_count = summary.clamped_chunk_count as usize;
        self.motion.limit_hits.clone_from(&summary.limit_hits);
        let timing = self.timing.get_or_insert_default();
        *timing = Timing {
            observation_to_publish: summary.observation_to_publish,
            idle_ms: timing.idle_ms,
            chunk_ends: summary.chunk_ends.clone(),
            late_tick_count: summary.ticks.map_or(0, |ticks| ticks.late_count + ticks.missed_count),
        };
    }
}
