//! Episodes without a wall clock: the robot's time stands still while the policy thinks, and goes on tick by tick, as the safety core
//! lets it. The same bundle and seed give the same episode again, on a machine however slow.
//!
//! ```text
//!   look ──► observe ──► infer ──► after the latency asked for: schedule ──► safety ──► set-points
//!    ▲                                                                                     │
//!    └──────────── feedback, every tick ◄──────────── the rig advances by a tick ◄─────────┘
//! ```

use super::episode::{Episode, Shot, Trial};
use super::rig::{Rig, State, refused};
use super::verdict::{Cause, Held, is_success};
use super::{Driver, EvalOptions};
use crate::clock::Moment;
use crate::command::Chunk;
use crate::config::Config;
use crate::control::{MotionPlan, SetpointPublisher, refused_move};
use crate::error::Error;
use crate::plan::Plan;
use crate::policy::{Policy, fill_gaussian};
use crate::presence::PresenceWatch;
use crate::publish::Publisher;
use crate::ros::{Ros, Subscription};
use crate::safety::{Reason, State as Allowed};
use crate::schedule::{Conditioner, RobotChunk};
use crate::stage::{Now, Stage};
use crate::stop::Stop;
use crate::telemetry::SeamReport;
use serde_json::json;
use sinew_proto::key::Key;
use sinew_proto::msg::sensor_msgs::CompressedImage;
use sinew_proto::{Message, Stamp};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Time for things to fall and to come to rest, before the policy sees them.
const SETTLE_S: f64 = 0.7;
/// How long the robot may take to its start posture.
const LONGEST_START_S: f64 = 60.0;
/// Ticks from one look at the things to the next.
const STATE_EVERY: u64 = 10;
/// Messages that may wait: those of a tick, many times over.
const MAILBOX_CAPACITY: usize = 1024;
/// How long messages may be on their way.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the robot may take to notice who listens, at the start.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
const FIRST_TRIES: usize = 10;
/// Robot time at the beginning of the first episode: any will do, as long as stamps rise.
const BEGINNING_NS: i64 = 1_000_000_000_000_000_000;

/// What a message is about.
#[derive(Clone, Copy, Debug)]
enum Source {
    Camera(usize),
    Feedback(usize),
    Status(usize),
}

/// A robot in lock-step.
pub(super) struct LockStep<'a> {
    plan: &'a Plan,
    motion: &'a MotionPlan,
    config: &'a Config,
    options: &'a EvalOptions,
    rig: &'a Rig,
    policy: Policy,
    setpoints: SetpointPublisher,
    chunks: Publisher,
    mailbox: Receiver<(Source, Vec<u8>)>,
    _subscriptions: Vec<Subscription>,
    now: Now,
}

impl<'a> LockStep<'a> {
    /// Listens to a rig whose time stands still.
    pub(super) fn new(
        (plan, motion, config): (&'a Plan, &'a MotionPlan, &'a Config),
        options: &'a EvalOptions,
        ros: &Ros,
        rig: &'a Rig,
    ) -> Result<Self, Error> {
        if !rig.state()?.is_stepped {
            return Err(refused(
                "its time does not stand still: start it with --stepped, or use --real-time".to_owned(),
            ));
        }
        if let Some(camera) = plan.cameras.iter().find(|camera| camera.device.is_some()) {
            return Err(refused(format!(
                "camera {} is one of this computer, not the rig's",
                camera.spec.name
            )));
        }
        let namespace = &config.zenoh.namespace;
        let mut setpoints = SetpointPublisher::declare(ros, namespace, motion.outputs.clone())?;
        setpoints.adapt(&PresenceWatch::start(ros)?.presence())?;
        let (sender, mailbox) = sync_channel(MAILBOX_CAPACITY);
        let mut lock_step = Self {
            policy: Policy::load(&plan.bundle, &config.policy)?,
            chunks: Publisher::declare(ros, namespace, &plan.commands)?,
            _subscriptions: subscribe(ros, namespace, plan, motion, &sender)?,
            now: Now { moment: Moment::from_ns(0), wall: Stamp::from_ns(BEGINNING_NS) },
            setpoints,
            mailbox,
            plan,
            motion,
            config,
            options,
            rig,
        };
        lock_step.get_acquainted()?;
        Ok(lock_step)
    }

    /// Until everything that is listened to was heard once: a robot says only what somebody listens to, and learns of that by and by.
    fn get_acquainted(&mut self) -> Result<(), Error> {
        for attempt in 1.. {
            let mut stage = Stage::new(self.plan, self.motion, self.config)?;
            self.now = self.now.plus_ns(self.config.setpoints.period_ns());
            match self.look(&mut stage, FIRST_PATIENCE) {
                Err(Error::Rig { .. }) if attempt < FIRST_TRIES => {}
                found => return found.map(drop),
            }
        }
        Ok(())
    }

    /// Computes a chunk, if it is time for one.
    fn think(&mut self, run: &mut Run<'_>, trial: &Trial) -> Result<(), Error> {
        let brief = run.stage.pilot.drive_mut().brief();
        if !run.stage.pilot.drive().is_policy() || run.coming.is_some() || !brief.may_start(self.now.moment) {
            return Ok(());
        }
        if run.began.is_none() {
            run.began = Some(self.now);
        }
        self.shoot(run)?;
        let observation = run.stage.observe(self.now).map_err(|reason| refused(reason.to_string()))?;
        let conditioning = run.conditioner.condition(&brief, self.now.moment)?;
        fill_gaussian(trial.noise_seed, run.sequence, &mut run.noise);
        let frames = observation.frames.iter().map(|frame| frame.pixels.as_slice());
        let inferred = self.policy.infer(frames, &observation.state, &run.noise, &conditioning)?;
        let values = self.plan.commands.robot_values(&inferred.actions, &self.motion.joints);
        let chunk = Chunk {
            sequence: run.sequence,
            instruction: trial.words.clone(),
            captured_at: observation.captured_at,
            values: inferred.actions,
        };
        let messages = self.plan.commands.messages(&chunk, self.now.wall)?;
        self.chunks.publish(&messages)?;
        run.conditioner.remember(run.sequence, inferred.normalized);
        run.episode.motion.clamped_chunk_count += usize::from(!messages.clamps.is_empty());
        let arrives_at = self.now.moment.plus_ns(self.config.policy.extra_latency().as_nanos() as i64);
        run.coming =
            Some(Coming { sequence: run.sequence, captured_at: self.now.moment, arrives_at, values });
        run.sequence += 1;
        Ok(())
    }

    /// One control tick: what the robot is told now, and where it is a period later. Returns what became of things, if that is asked.
    fn tick(&mut self, run: &mut Run<'_>, asks: bool) -> Result<Option<State>, Error> {
        // What only a look shows does not grow old between two of them.
        let heard = run.stage.others.iter_mut().flatten();
        heard.for_each(|at| *at = self.now.moment);
        let told = run.stage.tick(self.now, false);
        let found = (told.state, told.reason);
        let mut command = json!({});
        if let Some(refusal) = told.refusal {
            return Err(refused_move(&self.motion.joints, refusal));
        }
        if let Some(setpoint) = told.command {
            self.setpoints.publish(&setpoint.values, self.now.wall)?;
            let stamps = self.setpoints.topics().map(|topic| (topic, self.now.wall.ns().into()));
            command["told"] = stamps.collect::<serde_json::Map<_, _>>().into();
        }
        while run.stage.pilot.drive_mut().next_ending().is_some() {}
        run.note(found);
        let period_ns = self.config.setpoints.period_ns();
        self.now = self.now.plus_ns(period_ns);
        command["advance"] = json!(period_ns as f64 * 1e-9);
        command["say"] = json!(self.now.wall.ns());
        command["state"] = json!(asks);
        let answer = self.rig.ask(&command)?;
        self.hear(&mut run.stage, false, PATIENCE)?;
        let state = asks.then(|| serde_json::from_value(answer));
        state.transpose().map_err(|error| refused(format!("what became of things: {error}")))
    }

    /// Looks, unless that was done at this moment already, and keeps the first camera's picture.
    fn shoot(&mut self, run: &mut Run<'_>) -> Result<(), Error> {
        if run.stage.seen_at(0) == Some(self.now.wall) {
            return Ok(());
        }
        if let Some(jpeg) = self.look(&mut run.stage, PATIENCE)? {
            let at_s = run.began.map_or(0.0, |began| seconds(self.now, began));
            run.episode.shots.push(Shot { at_s, jpeg });
        }
        Ok(())
    }

    /// Has the robot say everything once. Returns the first camera's picture, if it is a JPEG.
    fn look(&mut self, stage: &mut Stage<'_>, patience: Duration) -> Result<Option<Vec<u8>>, Error> {
        self.rig.ask(&json!({ "look": self.now.wall.ns() }))?;
        self.hear(stage, true, patience)
    }

    /// Takes messages in until everything of this moment has come.
    fn hear(
        &mut self,
        stage: &mut Stage<'_>,
        with_pictures: bool,
        patience: Duration,
    ) -> Result<Option<Vec<u8>>, Error> {
        let at = Some(self.now.wall);
        let mut jpeg = None;
        let end = Instant::now() + patience;
        loop {
            let camera =
                (0..self.plan.cameras.len()).find(|camera| with_pictures && stage.seen_at(*camera) != at);
            let group = (0..self.plan.feedback.len()).find(|group| stage.felt_at(*group) != at);
            let missing = match (camera, group) {
                (None, None) => return Ok(jpeg),
                (Some(camera), _) => &self.plan.cameras[camera].spec.name,
                (None, Some(group)) => &self.plan.feedback[group].name,
            };
            let wait = end.saturating_duration_since(Instant::now());
            let Ok((source, message)) = self.mailbox.recv_timeout(wait) else {
                return Err(refused(format!("nothing of this moment came from {missing}")));
            };
            match source {
                Source::Camera(camera) => {
                    stage.see(camera, &message, self.now);
                    if camera == 0 {
                        let image = CompressedImage::from_cdr(&message).ok();
                        jpeg = image.map(|image| image.data.into_owned());
                    }
                }
                Source::Feedback(index) => drop(stage.feel(index, &message, self.now)),
                Source::Status(index) => drop(stage.learn(index, &message, self.now)),
            }
        }
    }
}

impl Driver for LockStep<'_> {
    fn episode(&mut self, trial: &Trial, stop: &Stop) -> Result<Episode, Error> {
        self.rig.ask(&json!({ "reset": trial.seed }))?;
        self.rig.ask(&json!({ "advance": SETTLE_S }))?;
        self.policy.set_instruction(&trial.words)?;
        let mut run = Run {
            stage: Stage::new(self.plan, self.motion, self.config)?,
            conditioner: self.motion.conditioner(),
            seam: SeamReport::new(&self.motion.joints),
            noise: vec![0.0; self.policy.noise_len()],
            sequence: 0,
            coming: None,
            began: None,
            said: None,
            held: Held::default(),
            episode: Episode { task: trial.task.clone(), seed: trial.seed, ..Episode::default() },
        };
        self.now = self.now.plus_ns(self.config.setpoints.period_ns());
        let begin = self.now;
        self.look(&mut run.stage, PATIENCE)?;
        for tick in 1_u64.. {
            self.think(&mut run, trial)?;
            run.take_chunk(self.now);
            let state = self.tick(&mut run, tick.is_multiple_of(STATE_EVERY))?;
            if run.is_over(self.now, begin, state, &trial.task, self.options) || stop.is_requested() {
                break;
            }
        }
        self.shoot(&mut run)?;
        let Run { mut episode, stage, .. } = run;
        episode.motion.hit(self.motion.joints.axes(), stage.pilot.safety().hits());
        episode.ended(self.rig.state()?);
        Ok(episode)
    }
}

/// A chunk on its way.
struct Coming {
    sequence: u64,
    captured_at: Moment,
    arrives_at: Moment,
    values: Vec<f64>,
}

/// An episode that is going on.
struct Run<'a> {
    stage: Stage<'a>,
    conditioner: Conditioner,
    seam: SeamReport,
    noise: Vec<f32>,
    sequence: u64,
    coming: Option<Coming>,
    /// When the policy took over.
    began: Option<Now>,
    said: Option<(Allowed, Option<Reason>)>,
    held: Held,
    episode: Episode,
}

impl Run<'_> {
    fn take_chunk(&mut self, now: Now) {
        let Some(coming) = self.coming.take_if(|coming| coming.arrives_at <= now.moment) else { return };
        let Coming { sequence, captured_at, values, .. } = coming;
        let pilot = &mut self.stage.pilot;
        if pilot.accept(RobotChunk { sequence, captured_at, values: &values }, now.moment).is_err() {
            return;
        }
        self.episode.motion.chunk_count += 1;
        // The first one contradicts nothing.
        if sequence > 0 {
            self.seam.fill(pilot.drive().seam());
            self.episode.motion.seams.add(&self.seam);
        }
    }

    /// Counts holds.
    fn note(&mut self, found: (Allowed, Option<Reason>)) {
        let before = self.said.replace(found);
        if let (Allowed::Holding | Allowed::Stopped, Some(reason)) = found
            && before != Some(found)
        {
            *self.episode.motion.holds.entry(reason.kind().to_owned()).or_default() += 1;
            tracing::debug!("held: {}", self.stage.pilot.safety().explain(reason));
        }
    }

    /// Whether the episode is over, and if so, how it ended.
    fn is_over(
        &mut self,
        now: Now,
        begin: Now,
        state: Option<State>,
        task: &str,
        options: &EvalOptions,
    ) -> bool {
        let episode = &mut self.episode;
        if self.said.is_some_and(|(state, _)| state == Allowed::Stopped) {
            episode.cause = Some(Cause::Stopped);
            return true;
        }
        let Some(began) = self.began else {
            let is_late = seconds(now, begin) > LONGEST_START_S;
            episode.cause = is_late.then_some(Cause::NeverStarted);
            return is_late;
        };
        episode.seconds = seconds(now, began);
        if let Some(state) = state {
            let is_success = is_success(task, &state.items);
            episode.seconds_to_success = self.held.look(episode.seconds, is_success, options.hold_s);
        }
        episode.success = episode.seconds_to_success.is_some();
        episode.success || episode.seconds >= options.max_seconds
    }
}

/// From one time to another, seconds.
fn seconds(now: Now, since: Now) -> f64 {
    now.moment.ns_since(since.moment) as f64 * 1e-9
}

/// Listens to everything that the plan needs.
fn subscribe(
    ros: &Ros,
    namespace: &str,
    plan: &Plan,
    motion: &MotionPlan,
    sender: &SyncSender<(Source, Vec<u8>)>,
) -> Result<Vec<Subscription>, Error> {
    let mut subscriptions = Vec::new();
    let mut listen = |key: &Key, source: Source, message: Option<&str>| {
        let sender = sender.clone();
        // Where nobody reads any more, there is nothing to keep.
        let deliver = move |sample: zenoh::sample::Sample| {
            drop(sender.try_send((source, sample.payload().to_bytes().into_owned())));
        };
        subscriptions.push(ros.subscribe(key.as_str(), message, deliver)?);
        Ok::<(), Error>(())
    };
    for (index, camera) in plan.cameras.iter().enumerate() {
        for key in &camera.keys {
            listen(key, Source::Camera(index), Some(camera.message.type_name()))?;
        }
    }
    for (index, input) in plan.feedback.iter().enumerate() {
        listen(&input.key, Source::Feedback(index), Some(input.reader.message()))?;
    }
    for (index, topic) in motion.status.iter().enumerate() {
        listen(&Key::of_topic_in(namespace, topic.topic())?, Source::Status(index), None)?;
    }
    Ok(subscriptions)
}
