//! What moves the robot when. Pure: chunks, feedback and the time are arguments.
//!
//! ```text
//!   waiting ──► moving to the start posture ──► policy ──► moving back ──► standing ──► done
//!            where every joint is known                when the run ends
//! ```

use crate::clock::Moment;
use crate::schedule::{Accepted, Brief, DropReason, Ending, Ramp, RampRefusal, RobotChunk, Schedule, Seam};

/// How long a robot is told to stand at the end.
const STANDING_NS: i64 = 200_000_000;

/// What a slow move may be, and where it leads.
///
/// # Shapes
/// One number a joint each.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowMoves {
    /// Which joints are moved: the commanded ones that have positions.
    pub joints: Box<[bool]>,
    /// Where the policy takes over; NaN for joints that stay as they are.
    pub start: Box<[f64]>,
    /// Largest speed, units a second.
    pub max_speed: Box<[f64]>,
    /// Farthest that a joint may have to go.
    pub max_distance: Box<[f64]>,
    /// Whether to go back at the end to where the run began.
    pub goes_back: bool,
}

/// What the control tick knows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Where the joints are; NaN where nobody knows.
    pub measured: &'a [f64],
    /// Where they were last commanded to be; NaN where they were not.
    pub commanded: &'a [f64],
    /// Whether set-points are followed now, or would be if there were some.
    pub may_move: bool,
    /// Whether the run is to end.
    pub is_ending: bool,
}

/// What the robot is doing.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    /// Nobody knows where some joint is, or it may not move.
    Waiting,
    ToStart(Ramp),
    Policy,
    Back(Ramp),
    /// Says a few times that the robot stands: a base goes on with the last velocity it heard of.
    Standing {
        until: Moment,
    },
    Done,
}

/// Chunks and feedback to set-points.
#[derive(Clone, Debug)]
pub struct Drive {
    schedule: Schedule,
    moves: SlowMoves,
    phase: Phase,
    /// Whether the start posture was reached once.
    has_started: bool,
    /// Where the robot stood when it was first allowed to move.
    origin: Option<Box<[f64]>>,
    from: Box<[f64]>,
}

impl Drive {
    /// Waiting.
    #[must_use]
    pub fn new(schedule: Schedule, moves: SlowMoves) -> Self {
        let from = vec![f64::NAN; moves.start.len()].into();
        Self { schedule, moves, phase: Phase::Waiting, has_started: false, origin: None, from }
    }

    /// Takes a chunk in.
    ///
    /// # Errors
    /// Why not; it is accounted for all the same.
    pub fn accept(&mut self, chunk: RobotChunk<'_>, now: Moment) -> Result<Accepted, DropReason> {
        self.schedule.accept(chunk, now)
    }

    /// Writes the set-point now. Returns whether there is one.
    ///
    /// # Shapes
    /// `setpoint` has one number a joint. Those of joints that are not to move mean nothing.
    ///
    /// # Errors
    /// If a slow move is refused.
    pub fn tick(&mut self, now: Moment, view: View<'_>, setpoint: &mut [f64]) -> Result<bool, RampRefusal> {
        if !view.may_move {
            if self.phase != Phase::Waiting && self.phase != Phase::Done {
                self.schedule.hold(now);
                self.phase = Phase::Waiting;
            }
            if view.is_ending {
                self.phase = Phase::Done;
            }
            return Ok(false);
        }
        if view.is_ending {
            self.end(now, view)?;
        } else if self.phase == Phase::Waiting {
            self.begin(now, view)?;
        }
        match &self.phase {
            Phase::Waiting | Phase::Done => Ok(false),
            Phase::ToStart(ramp) => {
                self.stand(setpoint);
                if ramp.write(now, setpoint) {
                    self.has_started = true;
                    self.schedule.resume(now, setpoint);
                    self.phase = Phase::Policy;
                }
                Ok(true)
            }
            Phase::Policy => {
                self.schedule.tick(now, setpoint);
                Ok(true)
            }
            Phase::Back(ramp) => {
                self.stand(setpoint);
                if ramp.write(now, setpoint) {
                    self.from.copy_from_slice(setpoint);
                    self.phase = Phase::Standing { until: now.plus_ns(STANDING_NS) };
                }
                Ok(true)
            }
            Phase::Standing { until } => {
                // The safety core lets a base run out; only then is it told to stand.
                let until = if self.is_rolling(view) { now.plus_ns(STANDING_NS) } else { *until };
                self.phase = if now >= until { Phase::Done } else { Phase::Standing { until } };
                self.stand(setpoint);
                Ok(true)
            }
        }
    }

    /// From standing to the start posture, or, where that was reached before, to the policy.
    fn begin(&mut self, now: Moment, view: View<'_>) -> Result<(), RampRefusal> {
        self.origin.get_or_insert_with(|| view.measured.into());
        self.locate(view);
        if self.has_started {
            self.schedule.resume(now, &self.from);
            self.phase = Phase::Policy;
            return Ok(());
        }
        let SlowMoves { start, max_speed, max_distance, .. } = &self.moves;
        self.phase = Phase::ToStart(Ramp::new(&self.from, start, max_speed, max_distance, now)?);
        Ok(())
    }

    /// Back to where the run began, if it is to and if it ever moved.
    fn end(&mut self, now: Moment, view: View<'_>) -> Result<(), RampRefusal> {
        if matches!(self.phase, Phase::Back(_) | Phase::Standing { .. } | Phase::Done) {
            return Ok(());
        }
        self.schedule.hold(now);
        self.locate(view);
        self.phase = match &self.origin {
            Some(origin) if self.moves.goes_back => {
                let SlowMoves { max_speed, .. } = &self.moves;
                let anywhere = vec![f64::INFINITY; max_speed.len()];
                let place = |(origin, moves): (&f64, &bool)| if *moves { *origin } else { f64::NAN };
                let to: Vec<f64> = origin.iter().zip(&self.moves.joints).map(place).collect();
                Phase::Back(Ramp::new(&self.from, &to, max_speed, &anywhere, now)?)
            }
            Some(_) => Phase::Standing { until: now.plus_ns(STANDING_NS) },
            None => Phase::Done,
        };
        Ok(())
    }

    /// Where the robot is for what comes next: where it was last told to be, else where it says it is.
    fn locate(&mut self, view: View<'_>) {
        for ((from, commanded), measured) in self.from.iter_mut().zip(view.commanded).zip(view.measured) {
            *from = if commanded.is_finite() { *commanded } else { *measured };
        }
    }

    /// Whether something without a position, such as a base, was last told to move.
    fn is_rolling(&self, view: View<'_>) -> bool {
        let mut told = view.commanded.iter().zip(&self.moves.joints);
        told.any(|(command, has_position)| !has_position && command.is_finite() && *command != 0.0)
    }

    /// Positions where the slow move began, velocities zero.
    fn stand(&self, setpoint: &mut [f64]) {
        for ((value, from), moves) in setpoint.iter_mut().zip(&self.from).zip(&self.moves.joints) {
            *value = if *moves { *from } else { 0.0 };
        }
    }

    /// Whether the policy drives, rather than a slow move or nobody.
    #[must_use]
    pub fn is_policy(&self) -> bool {
        self.phase == Phase::Policy
    }

    /// What moves the robot, in words.
    #[must_use]
    pub fn activity(&self) -> &'static str {
        match self.phase {
            Phase::Waiting => "waiting",
            Phase::ToStart(_) => "moving to the start posture",
            Phase::Policy => "policy",
            Phase::Back(_) => "moving back",
            Phase::Standing { .. } => "standing",
            Phase::Done => "done",
        }
    }

    /// Whether the run may end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// What inference has to know.
    #[must_use]
    pub fn brief(&mut self) -> Brief {
        self.schedule.brief()
    }

    /// The seam of the chunk taken in last.
    #[must_use]
    pub fn seam(&self) -> &Seam {
        self.schedule.seam()
    }

    /// How long the robot has stood between steps for want of new ones.
    #[must_use]
    pub fn idle_ns(&self) -> i64 {
        self.schedule.idle_ns()
    }

    /// The next end of a chunk that nobody asked for yet.
    pub fn next_ending(&mut self) -> Option<Ending> {
        self.schedule.next_ending()
    }
}
