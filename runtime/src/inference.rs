//! The inference thread: wait for a new frame, observe, infer, publish.

use crate::clock::{self, Moment, ms};
use crate::command::{Chunk, CommandPlan};
use crate::control::{Delivery, Exchange, MotionPlan};
use crate::error::Error;
use crate::ingest::{Frame, Inbox};
use crate::motion::Joints;
use crate::policy::{Inferred, Policy, fill_gaussian};
use crate::publish::Publisher;
use crate::schedule::{Conditioner, Ending, Outcome};
use crate::stop::Stop;
use crate::telemetry::{ChunkReport, EventKind, StageTimes, Telemetry};
use sinew_models::flow::Conditioning;
use sinew_proto::Stamp;
use sinew_sync::{NotReady, Observation, Synchronizer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the thread waits before it looks for an instruction or the wish to stop.
const POLL: Duration = Duration::from_millis(50);
/// How long it waits for streams to reach a frame's time before it looks again.
const SETTLE_POLL: Duration = Duration::from_millis(2);
/// How often a lasting reason is said again.
const REPEAT: Duration = Duration::from_secs(1);

/// Everything the inference thread works with.
pub struct Inference {
    /// The policy; told what to do if `instruction` is there.
    pub policy: Policy,
    /// What the policy is told.
    pub instruction: Option<String>,
    /// Streams to observations.
    pub synchronizer: Synchronizer,
    /// Chunks to messages.
    pub commands: CommandPlan,
    /// Messages onto the network.
    pub publisher: Publisher,
    /// What arrives.
    pub inbox: Arc<Inbox>,
    /// Seed of the noise.
    pub seed: u64,
    /// Shortest time from one chunk's start to the next.
    pub min_interval: Duration,
    /// How long to hold a chunk back, for tests.
    pub extra_latency: Duration,
    /// Counters and events.
    pub telemetry: Arc<Telemetry>,
    /// What moves the robot; none if nothing does.
    pub motion: Option<MotionLink>,
    /// When to stop.
    pub stop: Stop,
}

/// How inference and the control tick work together.
#[derive(Debug)]
pub struct MotionLink {
    exchange: Arc<Exchange>,
    joints: Joints,
    conditioner: Conditioner,
    /// The chunk delivered last.
    delivered: Option<u64>,
}

impl MotionLink {
    /// Of a plan.
    #[must_use]
    pub fn new(plan: &MotionPlan, exchange: Arc<Exchange>) -> Self {
        Self { exchange, joints: plan.joints.clone(), conditioner: plan.conditioner(), delivered: None }
    }

    /// What a chunk computed from an observation has to go on from; nothing if there is to be none yet.
    fn consider(&self, captured_at: Moment) -> Result<Option<Conditioning>, Error> {
        let brief = self.exchange.brief.get();
        // The chunk before has to be in its place before the next one can lie over it.
        if brief.last_seen() < self.delivered || !brief.may_start(captured_at) {
            return Ok(None);
        }
        Ok(Some(self.conditioner.condition(&brief, captured_at)?))
    }

    fn deliver(&mut self, delivery: Delivery, normalized: Vec<f32>, telemetry: &Telemetry) {
        self.delivered = Some(delivery.sequence);
        self.conditioner.remember(delivery.sequence, normalized);
        if let Some(Delivery { sequence, .. }) = self.exchange.chunk.put(delivery) {
            telemetry.ending(Ending { sequence, outcome: Outcome::Superseded });
        }
    }
}

impl Inference {
    /// Publishes chunks until the stop, and gives the policy back.
    ///
    /// # Errors
    /// If a graph fails for another reason than the stop.
    pub fn run(mut self) -> Result<Policy, Error> {
        let mut sequence = 0;
        let mut used: Option<Stamp> = None;
        let mut next_start = Instant::now();
        let mut complaints = Complaints::default();
        let mut noise = vec![0.0; self.policy.noise_len()];
        self.telemetry.instructed(self.instruction.as_deref());
        while !self.stop.is_requested() {
            self.hear_instruction();
            let wait = next_start.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait.min(POLL));
                continue;
            }
            let start = Instant::now();
            let observation = match self.observe(used) {
                Ok(observation) => observation,
                Err(reason) => {
                    complaints.consider(&reason, &self.telemetry);
                    let is_settling = matches!(reason, NotReady::Settling { .. });
                    self.inbox.wait_for_frame(if is_settling { SETTLE_POLL } else { POLL });
                    continue;
                }
            };
            let captured_at = clock::moment_of(observation.captured_at);
            let considered =
                self.motion.as_ref().map_or(Ok(Some(Conditioning::Free)), |m| m.consider(captured_at));
            let Some(conditioning) = considered? else {
                self.inbox.wait_for_frame(SETTLE_POLL);
                continue;
            };
            used = Some(observation.captured_at);
            next_start = start + self.min_interval;
            let observe = start.elapsed();
            fill_gaussian(self.seed, sequence, &mut noise);
            let frames = observation.frames.iter().map(|frame| frame.pixels.as_slice());
            let inferred = self.policy.infer(frames, &observation.state, &noise, &conditioning);
            let inferred = match inferred {
                Err(_) if self.stop.is_requested() => break,
                inferred => inferred?,
            };
            if !self.stop.sleep_until(Instant::now() + self.extra_latency) {
                break;
            }
            let motion = self.motion.as_ref().map(|motion| {
                let values = self.commands.robot_values(&inferred.actions, &motion.joints);
                (Delivery { sequence, captured_at, values }, inferred.normalized.clone())
            });
            if !self.send(sequence, &observation, inferred, observe) {
                continue;
            }
            if let (Some(link), Some((delivery, normalized))) = (&mut self.motion, motion) {
                link.deliver(delivery, normalized, &self.telemetry);
            }
            sequence += 1;
        }
        Ok(self.policy)
    }

    fn hear_instruction(&mut self) {
        let Some(text) = self.inbox.instruction.take() else { return };
        let refusal = self.policy.set_instruction(&text).err().map(|error| error.to_string());
        if refusal.is_none() {
            self.instruction = Some(text.clone());
            self.telemetry.instructed(Some(&text));
        }
        self.telemetry.emit(EventKind::Instruction { text, accepted: refusal.is_none(), refusal });
    }

    fn observe(&self, used: Option<Stamp>) -> Result<Observation<Arc<Frame>>, NotReady> {
        if self.instruction.is_none() {
            return Err(NotReady::NoInstruction);
        }
        self.inbox.with_streams(|streams| self.synchronizer.observe(streams, used, clock::now()))
    }

    /// Publishes a chunk and reports it. Returns whether it went out.
    fn send(
        &self,
        sequence: u64,
        observation: &Observation<Arc<Frame>>,
        inferred: Inferred,
        observe: Duration,
    ) -> bool {
        let start = Instant::now();
        let Inferred { actions: values, times, .. } = inferred;
        let captured_at = observation.captured_at;
        let instruction = self.instruction.clone().unwrap_or_default();
        let chunk = Chunk { sequence, instruction, captured_at, values };
        let messages = self.commands.messages(&chunk, clock::now());
        let sent = messages.and_then(|messages| self.publisher.publish(&messages).map(|()| messages));
        let messages = match sent {
            Ok(messages) => messages,
            Err(error) => {
                self.telemetry.failed_chunk(&error);
                return false;
            }
        };
        let now = clock::now();
        let step_count = messages.chunk.step_count as usize;
        let age_ns = now.ns_since(captured_at);
        let over = age_ns.div_euclid(self.commands.period_ns().max(1)).max(-1) + 1;
        let report = ChunkReport {
            sequence,
            captured_at_ns: captured_at.ns(),
            observation_to_publish_ms: ms(age_ns),
            receive_to_publish_ms: ms(now.ns_since(observation.received_at)),
            stages: StageTimes {
                prepare_ms: ms(observation.frames.iter().map(|frame| frame.prepare_ns).max().unwrap_or(0)),
                observe_ms: observe.as_secs_f64() * 1e3,
                vision_ms: times.vision.as_secs_f64() * 1e3,
                prefix_ms: times.prefix.as_secs_f64() * 1e3,
                denoise_ms: times.denoise.as_secs_f64() * 1e3,
                host_ms: times.host().as_secs_f64() * 1e3,
                publish_ms: start.elapsed().as_secs_f64() * 1e3,
            },
            expired_step_count: usize::try_from(over).unwrap_or(0).min(step_count),
            clamps: messages.clamps,
        };
        self.telemetry.chunk(report, step_count);
        true
    }
}

/// What was complained of when, so that a lasting or flickering reason is not said a hundred times a second.
#[derive(Debug, Default)]
struct Complaints {
    said: HashMap<(&'static str, Option<String>), Instant>,
}

impl Complaints {
    fn consider(&mut self, reason: &NotReady, telemetry: &Telemetry) {
        // Inference faster than the camera is as it should be; a camera that stops becomes `Stale` in time.
        if matches!(reason, NotReady::NoNewFrame { .. } | NotReady::Settling { .. }) {
            return;
        }
        telemetry.not_ready(reason);
        let subject = (reason.kind(), reason.stream().map(str::to_owned));
        if self.said.get(&subject).is_some_and(|said| said.elapsed() < REPEAT) {
            return;
        }
        telemetry.emit(EventKind::NotReady {
            reason: subject.0,
            stream: subject.1.clone(),
            message: reason.to_string(),
        });
        self.said.insert(subject, Instant::now());
    }
}
