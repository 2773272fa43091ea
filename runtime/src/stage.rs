//! The pure core of a run and what it has heard, without threads or clocks: for whoever has a robot's messages and says what time
//! it is.

use crate::clock::Moment;
use crate::config::Config;
use crate::control::{Heard, MotionPlan, Pilot, Told};
use crate::error::Error;
use crate::ingest::{Frame, FramePreparer, FrameStreams, Prepared};
use crate::motion::Measured;
use crate::plan::Plan;
use crate::safety::Operator;
use crate::status::StatusBoard;
use sinew_proto::Stamp;
use sinew_sync::{Feedback, NotReady, Observation, Sample};
use std::sync::Arc;

/// A time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic one.
    pub moment: Moment,
    /// On the wall.
    pub wall: Stamp,
}

impl Now {
    /// So many nanoseconds later.
    #[must_use]
    pub fn plus_ns(self, ns: i64) -> Self {
        Self { moment: self.moment.plus_ns(ns), wall: Stamp::from_ns(self.wall.ns() + ns) }
    }
}

/// What decides about motion, and everything it has heard.
pub struct Stage<'a> {
    /// Chunks and feedback to commands.
    pub pilot: Pilot,
    /// When the newest of each camera and of each status topic arrived.
    pub others: Vec<Option<Moment>>,
    /// What the operator does, until the next tick.
    pub operator: Operator,
    plan: &'a Plan,
    motion: &'a MotionPlan,
    preparers: Vec<FramePreparer>,
    streams: FrameStreams,
    /// Reference frame of the newest observation.
    used: Option<Stamp>,
    measured: Measured,
    board: StatusBoard,
}

impl<'a> Stage<'a> {
    /// Before anything was heard.
    ///
    /// # Errors
    /// If a JPEG decoder cannot be made.
    pub fn new(plan: &'a Plan, motion: &'a MotionPlan, config: &Config) -> Result<Self, Error> {
        let limits = config.sync.limits();
        let size = plan.bundle.manifest.model.vision.image_size;
        Ok(Self {
            pilot: Pilot::new(motion.drive(), motion.safety.clone(), &motion.joints),
            others: vec![None; plan.cameras.len() + motion.status.len()],
            operator: Operator::default(),
            preparers: plan.cameras.iter().map(|_| FramePreparer::new(size)).collect::<Result<_, _>>()?,
            streams: FrameStreams::new(plan.cameras.len(), plan.embodiment.groups.len(), limits),
            used: None,
            measured: Measured::nothing(&motion.joints),
            board: StatusBoard::new(&motion.status),
            plan,
            motion,
        })
    }

    /// Takes a camera's message in. Returns whether it is of use.
    pub fn see(&mut self, camera: usize, message: &[u8], now: Now) -> bool {
        let mut pixels = Vec::new();
        let kind = self.plan.cameras[camera].message;
        let prepared = self.preparers[camera].prepare(kind, message, &mut pixels);
        let stream = &mut self.streams.cameras[camera];
        let Ok(Prepared { captured_at, fingerprint, .. }) = prepared else {
            stream.refuse(now.wall);
            return false;
        };
        let value = Arc::new(Frame { pixels, prepare_ns: 0 });
        let sample = Sample { captured_at, received_at: now.wall, value };
        let usable = stream.admit(sample, Some(fingerprint)).is_ok();
        if usable {
            self.others[camera] = Some(now.moment);
        }
        usable
    }

    /// Takes a joint state in, by its number in the plan's feedback. Returns whether it is of use.
    pub fn feel(&mut self, feedback: usize, message: &[u8], now: Now) -> bool {
        let input = &self.plan.feedback[feedback];
        let stream = &mut self.streams.groups[input.group];
        let Ok((captured_at, value)) = input.reader.read(message) else {
            stream.refuse(now.wall);
            return false;
        };
        let Feedback { position, velocity, .. } = value.clone();
        if stream.admit(Sample { captured_at, received_at: now.wall, value }, None).is_err() {
            return false;
        }
        let count = self.motion.joints.groups()[input.group].span.len();
        let whole = |numbers: Vec<f64>| if numbers.len() == count { numbers } else { Vec::new() };
        let (position, velocity) = (whole(position), whole(velocity));
        self.measured.update(&self.motion.joints, input.group, now.moment, &position, &velocity);
        true
    }

    /// Takes in what the robot says of itself. Returns whether it is of use.
    pub fn learn(&mut self, topic: usize, message: &[u8], now: Now) -> bool {
        let usable = self.board.take_in(topic, message, now.moment).is_ok();
        if usable {
            self.others[self.plan.cameras.len() + topic] = Some(now.moment);
        }
        usable
    }

    /// When the newest picture of a camera was taken.
    #[must_use]
    pub fn seen_at(&self, camera: usize) -> Option<Stamp> {
        self.streams.cameras[camera].newest().map(|sample| sample.captured_at)
    }

    /// When the newest joint state was taken, by its number in the plan's feedback.
    #[must_use]
    pub fn felt_at(&self, feedback: usize) -> Option<Stamp> {
        self.streams.groups[self.plan.feedback[feedback].group].newest().map(|sample| sample.captured_at)
    }

    /// What a policy would see now; each reference frame once.
    ///
    /// # Errors
    /// Why there is nothing to see.
    pub fn observe(&mut self, now: Now) -> Result<Observation<Arc<Frame>>, NotReady> {
        let observation = self.plan.synchronizer.observe(&self.streams, self.used, now.wall)?;
        self.used = Some(observation.captured_at);
        Ok(observation)
    }

    /// What the robot is told now.
    pub fn tick(&mut self, now: Now, is_ending: bool) -> Told<'_> {
        let heard = Heard {
            measured: &self.measured,
            others: &self.others,
            wall: now.wall,
            operator: self.operator,
            robot: self.board.status(),
            is_ending,
        };
        self.operator = Operator { alive_at: self.operator.alive_at, ..Operator::default() };
        self.pilot.tick(now.moment, &heard)
    }
}
