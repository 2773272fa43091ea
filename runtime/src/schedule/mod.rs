//! From chunks to set-points. Pure: chunks and the time are arguments.
//!
//! ```text
//!   chunk ──► queue: one entry a period ──► interpolator ──► set-point, at any rate
//!             merged as the mode says       cubic, velocity continuous
//! ```
//!
//! A step of a chunk is meant for the moment its observation was taken plus so many periods, counted while the robot
//! plays ([`PlayClock`]). What is over when a chunk arrives is dropped; what is being played, and the step after it, is
//! committed and not touched any more, so that the way to it can be smooth.
//!
//! # When the next inference has to start
//!
//! With a chunk of H steps, a new chunk d steps after its observation (all of it: camera, inference, delivery) and s steps
//! from one observation to the next, no period is idle if and only if `d ≤ s ≤ H − d`: the first because there is one
//! policy, the second because the old chunk has to last until the new one is there. [`Brief::may_start`] keeps s to at
//! most `H − d − 1`, one less than that, so that the last step of a chunk is not slowed down for as an end. With `2 d > H`
//! no s will do, and the robot holds between chunks.

mod conditioner;
mod interpolate;
mod latency;
mod ledger;
mod options;
mod pace;
mod play_clock;
mod queue;
mod ramp;

pub use conditioner::{Conditioner, Continuation};
pub use interpolate::Interpolator;
pub use latency::{LatencyWindow, MAX_WINDOW};
pub use ledger::{DropReason, Ending, Outcome};
pub use options::schedule_options;
pub use pace::{Brief, Overlap, Pace, left_over};
pub use play_clock::PlayClock;
pub use queue::{Merge, Rows, StepQueue};
pub use ramp::{Ramp, RampRefusal};

use crate::clock::Moment;
use ledger::Ledger;
use sinew_models::embodiment::GroupKind;

/// Steps behind the one being played that are committed too.
pub const COMMITTED_STEPS: usize = 1;

/// How chunks become set-points.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleOptions {
    /// Time between two steps of a chunk.
    pub period_ns: i64,
    /// Steps of a chunk.
    pub chunk: usize,
    /// Of these, the ones that are played at most.
    pub execute_steps: usize,
    /// What becomes of steps that two chunks have.
    pub merge: Merge,
    /// When the next inference may start.
    pub pace: Pace,
    /// How many latencies are remembered.
    pub latency_window: usize,
    /// Which of them is expected next: 1 the largest, 0.5 the median.
    pub latency_quantile: f64,
}

/// A chunk in the robot's terms.
#[derive(Clone, Copy, Debug)]
pub struct RobotChunk<'a> {
    /// Its number.
    pub sequence: u64,
    /// When its observation was taken.
    pub captured_at: Moment,
    /// Row-major `[chunk, joints]`, in the order and units of the set-points.
    pub values: &'a [f64],
}

/// A chunk was taken in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accepted {
    /// From its observation to its arrival.
    pub latency_ns: i64,
    /// Rows at its start that are over or committed to an older chunk.
    pub skipped_row_count: usize,
    /// Whether the robot stood when it arrived.
    pub was_idle: bool,
}

/// What the robot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Stands, and is not to move.
    Holding,
    /// Stands for want of steps.
    Idle,
    /// Moves to a step; whether the one after it is taken already.
    Playing { step: u64, has_next: bool },
}

/// Chunks in, set-points out.
#[derive(Clone, Debug)]
pub struct Schedule {
    options: ScheduleOptions,
    kinds: Box<[GroupKind]>,
    state: State,
    clock: PlayClock,
    queue: StepQueue,
    interpolator: Interpolator,
    latency: LatencyWindow,
    ledger: Ledger,
    /// The newest chunk taken in.
    newest: Option<Newest>,
    /// The newest chunk that was taken in or not.
    last_seen: Option<u64>,
    /// Chunks of older observations are not taken in.
    held_at: Moment,
    /// The step behind the one being moved to, once it is taken from the queue.
    next: Box<[f64]>,
    row: Box<[f64]>,
    seam: Seam,
    idle_ns: i64,
    idle_since: Option<Moment>,
}

/// The newest chunk taken in.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Newest {
    sequence: u64,
    captured_at: Moment,
    position: f64,
    end: u64,
}

/// By how much the newest chunk contradicts what the robot would have done without it, at the first step where it can.
///
/// # Shapes
/// One number a joint.
#[derive(Clone, Debug, PartialEq)]
pub struct Seam {
    /// The chunk's own value less the one before.
    pub offered: Box<[f64]>,
    /// What is left of it after merging.
    pub executed: Box<[f64]>,
}

impl Schedule {
    /// Holding. `kinds` has one entry a joint.
    #[must_use]
    pub fn new(options: ScheduleOptions, kinds: &[GroupKind]) -> Self {
        let zeros = || vec![0.0; kinds.len()].into_boxed_slice();
        Self {
            kinds: kinds.into(),
            state: State::Holding,
            clock: PlayClock::new(options.period_ns),
            queue: StepQueue::new(kinds.len(), options.chunk, options.merge.clone()),
            interpolator: Interpolator::new(kinds),
            latency: LatencyWindow::new(options.latency_window, options.latency_quantile),
            // An ensemble keeps every chunk that reaches into the present, and those that came within one period.
            ledger: Ledger::new(4 * options.chunk),
            newest: None,
            last_seen: None,
            held_at: Moment::from_ns(i64::MIN),
            next: zeros(),
            row: zeros(),
            seam: Seam { offered: zeros(), executed: zeros() },
            idle_ns: 0,
            idle_since: None,
            options,
        }
    }

    /// Stops playing at once: steps ahead are forgotten, and so will be every chunk whose observation was taken before
    /// now.
    pub fn hold(&mut self, now: Moment) {
        if self.state != State::Holding {
            let mut row = std::mem::take(&mut self.row);
            self.write(now, &mut row);
            self.interpolator.rest_at(&row);
            self.row = row;
            self.clock.stop(now, self.queue.front());
            self.idle_since = None;
        }
        self.state = State::Holding;
        self.held_at = now;
        self.newest = None;
        self.queue.clear();
        self.ledger.hold();
    }

    /// Takes chunks in again, from a set-point at rest: the robot's present one.
    pub fn resume(&mut self, now: Moment, setpoint: &[f64]) {
        self.hold(now);
        self.interpolator.rest_at(setpoint);
        self.state = State::Idle;
    }

    /// Takes a chunk in.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&mut self, chunk: RobotChunk<'_>, now: Moment) -> Result<Accepted, DropReason> {
        self.last_seen = Some(chunk.sequence);
        self.try_accept(chunk, now).inspect_err(|reason| self.ledger.drop(chunk.sequence, *reason))
    }

    fn try_accept(&mut self, chunk: RobotChunk<'_>, now: Moment) -> Result<Accepted, DropReason> {
        let RobotChunk { sequence, captured_at, values } = chunk;
        let width = self.kinds.len();
        if values.len() != self.options.chunk * width {
            return Err(DropReason::WrongShape);
        }
        let latency_ns = now.ns_since(captured_at);
        self.latency.add(latency_ns);
        if values.iter().any(|value| !value.is_finite()) {
            return Err(DropReason::NotFinite);
        }
        if self.state == State::Holding {
            return Err(DropReason::Holding);
        }
        if captured_at < self.held_at {
            return Err(DropReason::BeforeHold);
        }
        if self.newest.is_some_and(|newest| captured_at <= newest.captured_at) {
            return Err(DropReason::OutOfOrder);
        }
        let position = self.clock.position(captured_at);
        let played = &values[..self.options.execute_steps.min(self.options.chunk) * width];
        let first = self.queue.front();
        self.look_at_old(first);
        let steps = self.queue.merge(Rows { position, values: played });
        if steps.is_empty() {
            return Err(DropReason::Expired);
        }
        self.look_at_new(Rows { position, values: played }, first);
        let keep_until = match &self.options.merge {
            Merge::Replace => first,
            Merge::Blend { step_count } => first + *step_count as u64,
            Merge::Ensemble { .. } => u64::MAX,
        };
        self.ledger.open(sequence, steps.clone(), keep_until);
        self.ledger.close(self.front());
        self.newest = Some(Newest { sequence, captured_at, position, end: steps.end });
        let skipped = (first as f64 - position).ceil().max(0.0) as usize;
        Ok(Accepted { latency_ns, skipped_row_count: skipped, was_idle: self.state == State::Idle })
    }

    /// Keeps what the robot would do at a step without the chunk that comes.
    fn look_at_old(&mut self, step: u64) {
        let Self { queue, row, interpolator, kinds, next, state, .. } = self;
        let last: &[f64] =
            if matches!(state, State::Playing { has_next: true, .. }) { next } else { interpolator.end() };
        match queue.get(step) {
            Some(values) => row.copy_from_slice(values),
            None => {
                for ((row, kind), last) in row.iter_mut().zip(kinds.iter()).zip(last) {
                    *row = if *kind == GroupKind::Position { *last } else { 0.0 };
                }
            }
        }
    }

    fn look_at_new(&mut self, rows: Rows<'_>, step: u64) {
        rows.write_step(step, &mut self.seam.offered);
        for (offered, old) in self.seam.offered.iter_mut().zip(&self.row) {
            *offered -= old;
        }
        if let Some(merged) = self.queue.get(step) {
            for ((executed, new), old) in self.seam.executed.iter_mut().zip(merged).zip(&self.row) {
                *executed = new - old;
            }
        }
    }

    /// The set-point now. Has to be called at least once a period.
    ///
    /// # Shapes
    /// `setpoint` has one number a joint.
    pub fn tick(&mut self, now: Moment, setpoint: &mut [f64]) {
        if self.state == State::Idle && !self.queue.is_empty() {
            let step = self.queue.front();
            self.clock.start(now, step);
            if let Some(since) = self.idle_since.take() {
                self.idle_ns += now.ns_since(since);
            }
            self.begin(step, false);
        }
        while let State::Playing { step, has_next } = self.state {
            let due = self.clock.due(step + 1);
            if now < due {
                break;
            }
            if has_next || !self.queue.is_empty() {
                self.begin(step + 1, has_next);
            } else {
                self.clock.stop(due, step + 1);
                self.idle_since = Some(due);
                self.interpolator.rest();
                self.state = State::Idle;
            }
        }
        self.ledger.close(self.front());
        self.write(now, setpoint);
    }

    fn write(&self, now: Moment, setpoint: &mut [f64]) {
        let fraction = match self.state {
            State::Playing { step, .. } => self.clock.position(now) - step as f64,
            State::Holding | State::Idle => 1.0,
        };
        self.interpolator.write(fraction, setpoint);
    }

    /// Begins to move to a step, which is in `self.next` or the queue's first.
    fn begin(&mut self, step: u64, is_taken: bool) {
        if is_taken {
            self.row.copy_from_slice(&self.next);
        } else {
            self.queue.take(&mut self.row);
        }
        self.ledger.play(step);
        let has_next = self.queue.take(&mut self.next);
        self.interpolator.advance(&self.row, has_next.then_some(&self.next));
        self.state = State::Playing { step, has_next };
    }

    /// The first step that is not being played yet.
    fn front(&self) -> u64 {
        match self.state {
            State::Playing { step, .. } => step + 1,
            State::Holding | State::Idle => self.queue.front(),
        }
    }

    /// Whether the robot stands for want of steps.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// How long the robot has stood between steps for want of new ones, since the start.
    #[must_use]
    pub fn idle_ns(&self) -> i64 {
        self.idle_ns
    }

    /// The seam of the chunk taken in last.
    #[must_use]
    pub fn seam(&self) -> &Seam {
        &self.seam
    }

    /// The next end of a chunk that nobody asked for yet.
    pub fn next_ending(&mut self) -> Option<Ending> {
        self.ledger.next_ending()
    }

    /// What inference has to know.
    #[must_use]
    pub fn brief(&mut self) -> Brief {
        let newest = self.newest.map(|newest| pace::NewestChunk {
            sequence: newest.sequence,
            position: newest.position,
            end: newest.end,
        });
        let delay = (self.latency.expected_ns() / self.options.period_ns as f64).ceil() as usize;
        Brief {
            clock: self.clock,
            newest,
            last_seen: self.last_seen,
            delay_steps: delay,
            chunk: self.options.execute_steps.min(self.options.chunk),
            pace: self.options.pace,
        }
    }
}
