//! What the robot is told at a tick. Pure: what was heard and the time are arguments, so that a recorded session gives
//! the same commands again.

use crate::clock::Moment;
use crate::drive::{Drive, View};
use crate::motion::{Joints, Measured, Setpoint};
use crate::safety::{Inputs, Operator, Reason, RobotStatus, Safety, State};
use crate::schedule::{Accepted, DropReason, RampRefusal, RobotChunk};
use sinew_proto::Stamp;

/// What a tick knows.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// What the joints report.
    pub measured: &'a Measured,
    /// When the newest of each other input arrived.
    pub others: &'a [Option<Moment>],
    /// The wall clock: only to notice that somebody steps it.
    pub wall: Stamp,
    /// The operator.
    pub operator: Operator,
    /// What the robot says of itself.
    pub robot: RobotStatus,
    /// Whether the run is to end.
    pub is_ending: bool,
}

/// What a tick decided.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What the safety core lets the robot do.
    pub state: State,
    /// Why it does not move, if it does not.
    pub reason: Option<Reason>,
    /// What to send; none if nothing.
    pub command: Option<&'a Setpoint>,
    /// A slow move that was refused; the robot stops for it.
    pub refusal: Option<RampRefusal>,
}

/// Chunks and feedback to commands.
#[derive(Clone, Debug)]
pub struct Pilot {
    drive: Drive,
    safety: Safety,
    wanted: Setpoint,
    /// Where the joints were last commanded to be; NaN where they were not.
    commanded: Vec<f64>,
    /// When the newest chunk arrived.
    chunk_at: Option<Moment>,
    /// Since when the policy drives, or drove when it was found to give nothing new.
    policy_since: Option<Moment>,
    /// Whether the robot holds because it gives nothing new.
    is_stale: bool,
    is_refused: bool,
}

impl Pilot {
    /// Before anything was heard.
    #[must_use]
    pub fn new(drive: Drive, safety: Safety, joints: &Joints) -> Self {
        Self {
            drive,
            safety,
            wanted: Setpoint::zeros(joints),
            commanded: vec![f64::NAN; joints.count()],
            chunk_at: None,
            policy_since: None,
            is_stale: false,
            is_refused: false,
        }
    }

    /// Takes a chunk in.
    ///
    /// # Errors
    /// Why not; it is accounted for all the same.
    pub fn accept(&mut self, chunk: RobotChunk<'_>, now: Moment) -> Result<Accepted, DropReason> {
        self.chunk_at = Some(now);
        self.drive.accept(chunk, now)
    }

    /// Decides what to send. Takes no memory.
    pub fn tick(&mut self, now: Moment, heard: &Heard<'_>) -> Told<'_> {
        let view = View {
            measured: heard.measured.position(),
            commanded: &self.commanded,
            may_move: self.safety.would_follow(now),
            is_ending: heard.is_ending,
        };
        let drawn = self.drive.tick(now, view, &mut self.wanted.values);
        let refusal = drawn.as_ref().err().copied();
        self.is_refused |= refusal.is_some();
        let inference_at = self.inference_at(now);
        let inputs = Inputs {
            measured: heard.measured,
            wall: heard.wall,
            others: heard.others,
            inference_at,
            operator: Operator { stop: heard.operator.stop || self.is_refused, ..heard.operator },
            robot: heard.robot,
        };
        let outcome = self.safety.tick(now, &inputs, drawn.unwrap_or(false).then_some(&self.wanted));
        self.is_stale = outcome.reason == Some(Reason::StaleInference);
        match outcome.command {
            Some(command) => self.commanded.copy_from_slice(&command.values),
            None => self.commanded.fill(f64::NAN),
        }
        Told { state: outcome.state, reason: outcome.reason, command: outcome.command, refusal }
    }

    /// When the newest chunk arrived, or the policy took over without one. None while it does not drive.
    fn inference_at(&mut self, now: Moment) -> Option<Moment> {
        let drives_on = self.drive.is_policy() || self.is_stale;
        self.policy_since = drives_on.then(|| self.policy_since.unwrap_or(now));
        self.policy_since.map(|since| self.chunk_at.map_or(since, |at| at.max(since)))
    }

    /// What moves the robot when.
    #[must_use]
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// The same, to ask what became of chunks.
    pub fn drive_mut(&mut self) -> &mut Drive {
        &mut self.drive
    }

    /// What keeps it within limits.
    #[must_use]
    pub fn safety(&self) -> &Safety {
        &self.safety
    }

    /// Whether the robot is where it is to be at the end, and stands.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.drive.is_done() && self.safety.stands()
    }
}
