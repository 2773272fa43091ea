//! The last thing before the wire: what leaves is within every limit, or it is a hold. Pure: the time and everything that
//! was heard are arguments.
//!
//! ```text
//!   set-point ──► finite? jump? ──► limiter, joint by joint ──► room: hands, parts ──► command
//!   inputs ─────► watchdogs ──► event ──► state ──────────────────────────┘ or a hold
//! ```
//!
//! # Invariant
//!
//! For any sequence of inputs, every command
//!
//! - is finite and within the joints' limits less their margin; a joint that was outside the margin when the robot started
//!   only moves inwards;
//! - has finite differences within the limits of velocity, acceleration and, where there is one, jerk;
//! - is a posture with the hands in their workspaces and the parts apart, from which the robot can stop within all of this;
//! - or is a hold.
//!
//! # What a hold sends
//!
//! - **Arms, torso, grippers** brake from the last command at the acceleration limit, each joint by itself, and then get the
//!   same posture again and again. An abrupt stop of the command would leave the deceleration to the joints' trackers and
//!   to what the robot holds in its hands. Braking is safe because it was looked at before: a command only left if the way to
//!   standstill from it was within all limits too.
//! - **The base** gets zero at once.
//! - **A tick that comes too late**, or whose time did not advance, repeats the last posture: by then the robot already stands
//!   there, and to go on braking would mean to jump to where it would be by now.
//!
//! Before the first start nothing is sent. A stopped robot gets its last posture and zero for the base until half a second
//! after the arms stand; then there is silence, so that whoever took over has the robot for himself.
//!
//! # States
//!
#![doc = include_str!("states.md")]

mod limiter;
mod limits;
mod options;
mod reason;
mod room;
mod smooth;
mod state;
mod watchdog;

pub use limits::JointLimits;
pub use options::{GroupOptions, SafetyConfig};
pub use reason::Reason;
pub use state::{Event, State};

use crate::clock::Moment;
use crate::error::Error;
use crate::motion::{Joints, Measured, Setpoint};
use limiter::{Kept, Motion, Stopping, Target, Ticks};
use room::Room;
use serde::Serialize;
use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_proto::Stamp;
use watchdog::Watchdog;

/// How long a stopped robot is still told to stand, once its arms do.
const FAREWELL_NS: i64 = 500_000_000;
/// Share of its lead that a command may be ahead of a joint before the robot holds. Up to the lead itself it only slows
/// down; a joint that is pushed back may exceed it by what braking takes.
const LEAD_SLACK: f64 = 1.25;
/// Times its lead that a joint may be from its command before the robot stops for good: no joint gets there by being pushed while
/// it brakes. Whoever has it, or the lost power, is not to be answered with the old posture once the joint can move again.
const LEAD_LOST: f64 = 2.0;
/// How far outside its limits a joint may read when the robot starts, as a share of its range: noise, a closed gripper.
const START_SLACK: f64 = 0.01;
/// Parts of the time to standstill after which postures are looked at.
const LOOK_AT: [f64; 5] = [0.0, 0.2, 0.45, 0.7, 1.0];

/// What the operator does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Said stop since the last tick.
    pub stop: bool,
    /// Said since the last tick that a stopped robot may go on. A stop in the same tick wins.
    pub resume: bool,
    /// Last sign of life, where one is asked for.
    pub alive_at: Option<Moment>,
}

/// What the robot last said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RobotStatus {
    /// It is driven by remote control.
    pub is_taken_over: bool,
    /// It reports a fault.
    pub has_fault: bool,
    /// Charge of its battery, where it says so.
    pub battery_percent: Option<f64>,
}

/// What an input besides feedback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A camera. Without it nothing moves.
    Camera,
    /// The robot's status. It may never come, as not every robot says everything; once it came it has to go on.
    Status,
}

/// An input besides feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherInput {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: InputKind,
}

/// Everything that was heard until a tick.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What the joints report.
    pub measured: &'a Measured,
    /// The wall clock now: only to notice that somebody steps it.
    pub wall: Stamp,
    /// When the newest of each other input (cameras, status) arrived, in the order given to [`Safety::new`].
    pub others: &'a [Option<Moment>],
    /// When the newest chunk arrived; none while no policy drives.
    pub inference_at: Option<Moment>,
    /// The operator.
    pub operator: Operator,
    /// The robot's status.
    pub robot: RobotStatus,
}

/// What a tick decided.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The state after the tick.
    pub state: State,
    /// Why the robot does not move, if it does not.
    pub reason: Option<Reason>,
    /// What to send; none if nothing.
    pub command: Option<&'a Setpoint>,
}

/// How often a joint's limits kept it from what was wanted, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LimitHits {
    /// A limit of position.
    pub position: u64,
    /// Of velocity.
    pub velocity: u64,
    /// Of acceleration.
    pub acceleration: u64,
    /// Of the distance between command and joint.
    pub lead: u64,
}

/// The safety core. After it is made, it allocates nothing.
#[derive(Clone, Debug)]
pub struct Safety {
    joints: Joints,
    limits: Box<[JointLimits]>,
    room: Room,
    watchdog: Watchdog,
    /// Names of the hands.
    hands: Vec<String>,
    recovery_ns: i64,

    state: State,
    reason: Option<Reason>,
    /// Whether anything was commanded since the last start.
    is_started: bool,
    hold_until: Moment,
    farewell_until: Option<Moment>,
    /// The last tick's commands and, until they are taken over, this tick's.
    motions: Box<[Motion]>,
    next: Box<[Motion]>,
    kept: Box<[Kept]>,
    stopping: Box<[Stopping]>,
    wanted: Box<[f64]>,
    is_wanted: bool,
    tick_s: Option<f64>,
    command: Setpoint,
    hits: Box<[LimitHits]>,
}

impl Safety {
    /// Waiting for a robot. `others` are the inputs besides feedback.
    ///
    /// # Errors
    /// If a commanded group has no limits or no feedback, or the configuration asks for wider limits than the robot
    /// description allows.
    pub fn new(
        embodiment: &Embodiment,
        joints: &Joints,
        config: &SafetyConfig,
        others: Vec<OtherInput>,
    ) -> Result<Self, Error> {
        config.validate()?;
        let room = Room::new(embodiment, joints, config)?;
        let is_position = |joint: &usize| joints.axes()[*joint].kind == GroupKind::Position;
        let mut positions: Vec<usize> = (0..joints.count())
            .filter(|joint| {
                (joints.is_commanded(*joint) && is_position(joint)) || room.joints().contains(joint)
            })
            .collect();
        positions.dedup();
        expect_feedback(embodiment, joints, &positions)?;
        let count = joints.count();
        Ok(Self {
            limits: limits::limits(embodiment, joints, config)?,
            room,
            watchdog: Watchdog::new(joints, positions, others, config),
            hands: embodiment.hands.iter().map(|hand| hand.name.clone()).collect(),
            recovery_ns: options::ns(config.recovery_ms),
            state: State::Waiting,
            reason: None,
            is_started: false,
            hold_until: Moment::from_ns(i64::MIN),
            farewell_until: None,
            motions: vec![Motion::default(); count].into(),
            next: vec![Motion::default(); count].into(),
            kept: vec![Kept::default(); count].into(),
            stopping: vec![Stopping::at_rest(0.0); count].into(),
            wanted: vec![0.0; count].into(),
            is_wanted: false,
            tick_s: None,
            command: Setpoint::zeros(joints),
            hits: vec![LimitHits::default(); count].into(),
            joints: joints.clone(),
        })
    }

    /// The limits in force, one entry a joint; those of joints that are not commanded are empty.
    #[must_use]
    pub fn limits(&self) -> &[JointLimits] {
        &self.limits
    }

    /// How often limits were hit, one entry a joint.
    #[must_use]
    pub fn hits(&self) -> &[LimitHits] {
        &self.hits
    }

    /// The state after the last tick.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Decides what is sent now. Has to be called regularly, whether there is a set-point or not.
    ///
    /// # Panics
    /// If inputs or set-point are of another robot.
    pub fn tick(&mut self, now: Moment, inputs: &Inputs<'_>, wanted: Option<&Setpoint>) -> Outcome<'_> {
        let (tick_s, unfit_tick) = self.watchdog.tick(now, inputs.wall);
        let (event, reason) = match self.look(now, inputs, unfit_tick) {
            Err(found) => found,
            Ok(()) => match self.follow(now, inputs, wanted, tick_s) {
                Ok(()) => (Event::Go, None),
                Err(found) => found,
            },
        };
        let was_started = self.is_started;
        self.state = self.state.next(event);
        self.remember(now, event, reason);
        match self.state {
            State::Waiting | State::Ready => self.is_started = false,
            State::Running => self.take_over(wanted),
            State::Holding | State::Stopped => self.brake(now, tick_s),
        }
        // The first command has no tick before it.
        self.tick_s = tick_s.filter(|_| was_started);
        let command = self.is_started.then_some(&self.command);
        Outcome { state: self.state, reason: self.reason, command }
    }

    /// Whether operator, robot, clocks and inputs allow motion.
    fn look(&mut self, now: Moment, inputs: &Inputs<'_>, unfit_tick: Option<Reason>) -> Result<(), Found> {
        let jump = self.watchdog.feedback_jump(inputs.measured, &self.limits);
        let left = jump.or_else(|| self.left_behind(inputs.measured)).filter(|_| self.is_started);
        if let Some(reason) = self.watchdog.stop(inputs).or(left) {
            return Err((Event::Stop, Some(reason)));
        }
        if self.state == State::Stopped && inputs.operator.resume && self.stands() {
            return Err((Event::Resume, None));
        }
        let unfit = unfit_tick.or_else(|| self.watchdog.inputs(now, inputs));
        unfit.map_or(Ok(()), |reason| Err((Event::Unfit, Some(reason))))
    }

    /// Whether a joint is so far from its command that it does not follow it any more.
    fn left_behind(&self, measured: &Measured) -> Option<Reason> {
        let is_far = |joint: &usize| {
            let distance = (self.motions[*joint].position - measured.position()[*joint]).abs();
            distance > LEAD_LOST * self.limits[*joint].lead
        };
        commanded_positions(&self.joints).find(is_far).map(|joint| Reason::LeftBehind { joint })
    }

    /// Whether the set-point can be followed; if so, `next` has this tick's commands.
    fn follow(
        &mut self,
        now: Moment,
        inputs: &Inputs<'_>,
        wanted: Option<&Setpoint>,
        tick_s: Option<f64>,
    ) -> Result<(), Found> {
        if self.state == State::Holding && now < self.hold_until {
            return Err((Event::Blocked, None));
        }
        let Some(wanted) = wanted else { return Err((Event::Idle, Some(Reason::NoSetpoint))) };
        let blocked = |reason| (Event::Blocked, Some(reason));
        match (self.state, tick_s) {
            (State::Waiting | State::Stopped, _) | (_, None) => Err((Event::Idle, None)),
            (State::Ready, Some(_)) => self.start(inputs.measured, wanted).map_err(blocked),
            (State::Running | State::Holding, Some(tick_s)) => {
                if let Some(reason) = self.watchdog.inference(now, inputs) {
                    return Err(blocked(reason));
                }
                self.move_on(inputs.measured, wanted, tick_s).map_err(blocked)
            }
        }
    }

    /// Stands where the joints are.
    fn start(&mut self, measured: &Measured, wanted: &Setpoint) -> Result<(), Reason> {
        for joint in commanded_positions(&self.joints) {
            let (at, limits) = (measured.position()[joint], &self.limits[joint]);
            let inside = at.clamp(limits.hard_lower, limits.hard_upper);
            if (at - inside).abs() > START_SLACK * (limits.hard_upper - limits.hard_lower) {
                return Err(Reason::OutsideLimits { joint });
            }
            self.next[joint] = Motion::at_rest(inside);
            self.stopping[joint] = Stopping::at_rest(inside);
        }
        for joint in commanded_velocities(&self.joints) {
            self.next[joint] = Motion::at_rest(0.0);
        }
        self.kept.fill(Kept::default());
        self.expect_near(wanted, |safety, joint| safety.next[joint].position)?;
        self.look_ahead(measured)
    }

    /// One tick towards the set-point.
    fn move_on(&mut self, measured: &Measured, wanted: &Setpoint, tick_s: f64) -> Result<(), Reason> {
        let is_wanted = self.is_wanted && self.state == State::Running;
        self.expect_near(wanted, |safety, joint| {
            if is_wanted { safety.wanted[joint] } else { safety.motions[joint].position }
        })?;
        let ticks = Ticks { this_s: tick_s, before_s: self.tick_s.unwrap_or(tick_s) };
        for joint in commanded_positions(&self.joints) {
            let (motion, limits) = (self.motions[joint], &self.limits[joint]);
            let at = measured.position()[joint];
            if (motion.position - at).abs() > LEAD_SLACK * limits.lead {
                return Err(Reason::Lead { joint });
            }
            let goal = wanted.values[joint];
            let wanted_before = if is_wanted { self.wanted[joint] } else { goal };
            let target = Target { wanted: goal, wanted_before, measured: at };
            (self.next[joint], self.kept[joint]) = motion.follow(target, limits, ticks);
            self.stopping[joint] = self.next[joint].stopping(limits, tick_s);
        }
        for joint in commanded_velocities(&self.joints) {
            let (before, goal) = (self.motions[joint].velocity, wanted.values[joint]);
            let (velocity, kept) = limiter::follow_velocity(before, goal, &self.limits[joint], tick_s);
            (self.next[joint].velocity, self.kept[joint]) = (velocity, kept);
        }
        self.look_ahead(measured)
    }

    /// Whether a set-point is finite and, where it is a position, near another.
    fn expect_near(&self, wanted: &Setpoint, other: impl Fn(&Self, usize) -> f64) -> Result<(), Reason> {
        for joint in (0..self.joints.count()).filter(|joint| self.joints.is_commanded(*joint)) {
            if !wanted.values[joint].is_finite() {
                return Err(Reason::BadSetpoint { joint });
            }
        }
        for joint in commanded_positions(&self.joints) {
            if (wanted.values[joint] - other(self, joint)).abs() > self.limits[joint].lead {
                return Err(Reason::Jump { joint });
            }
        }
        Ok(())
    }

    /// Whether the next posture is allowed, and those on the way to standstill from it.
    fn look_ahead(&mut self, measured: &Measured) -> Result<(), Reason> {
        let Self { room, joints, stopping, .. } = self;
        let time_s = stopping.iter().map(Stopping::time_s).fold(0.0, f64::max);
        let looks = if time_s > 0.0 { &LOOK_AT[..] } else { &LOOK_AT[..1] };
        looks.iter().try_for_each(|part| {
            room.check(|joint| {
                if joints.is_commanded(joint) {
                    stopping[joint].position(part * time_s)
                } else {
                    measured.position()[joint]
                }
            })
        })
    }

    fn remember(&mut self, now: Moment, event: Event, reason: Option<Reason>) {
        if matches!(event, Event::Unfit | Event::Blocked) && reason.is_some() {
            self.hold_until = now.plus_ns(self.recovery_ns);
        }
        match event {
            Event::Go | Event::Resume => self.reason = None,
            Event::Idle if self.state == State::Ready => self.reason = None,
            _ if self.state == State::Stopped && event != Event::Stop => {}
            _ => self.reason = reason.or(self.reason),
        }
    }

    /// Makes this tick's commands the last ones.
    fn take_over(&mut self, wanted: Option<&Setpoint>) {
        std::mem::swap(&mut self.motions, &mut self.next);
        for joint in 0..self.joints.count() {
            let (motion, kept) = (self.motions[joint], self.kept[joint]);
            self.command.values[joint] = match self.joints.axes()[joint].kind {
                GroupKind::Position => motion.position,
                GroupKind::Velocity => motion.velocity,
            };
            let hits = &mut self.hits[joint];
            hits.position += u64::from(kept.position);
            hits.velocity += u64::from(kept.velocity);
            hits.acceleration += u64::from(kept.acceleration);
            hits.lead += u64::from(kept.lead);
        }
        if let Some(wanted) = wanted {
            self.wanted.copy_from_slice(&wanted.values);
        }
        self.is_wanted = true;
        self.is_started = true;
        self.farewell_until = None;
    }

    /// Brakes, or stands.
    fn brake(&mut self, now: Moment, tick_s: Option<f64>) {
        for joint in commanded_positions(&self.joints) {
            let motion = self.motions[joint];
            let braked = match tick_s {
                Some(this_s) => {
                    let ticks = Ticks { this_s, before_s: self.tick_s.unwrap_or(this_s) };
                    motion.brake(&self.limits[joint], ticks)
                }
                None => Motion::at_rest(motion.position),
            };
            self.motions[joint] = braked;
            self.command.values[joint] = braked.position;
        }
        for joint in commanded_velocities(&self.joints) {
            self.motions[joint] = Motion::default();
            self.command.values[joint] = 0.0;
        }
        self.is_wanted = false;
        if self.state == State::Stopped && self.stands() {
            let until = *self.farewell_until.get_or_insert(now.plus_ns(FAREWELL_NS));
            self.is_started &= now <= until;
        }
    }

    /// Whether set-points would be followed in a tick now, as far as is known before it. Whoever makes set-points starts
    /// anew, from where the robot is, each time this becomes true.
    #[must_use]
    pub fn would_follow(&self, now: Moment) -> bool {
        match self.state {
            State::Waiting | State::Stopped => false,
            State::Running => true,
            State::Ready => now >= self.hold_until,
            State::Holding => now >= self.hold_until && self.stands(),
        }
    }

    /// Whether nothing is commanded to move.
    #[must_use]
    pub fn stands(&self) -> bool {
        !self.is_started
            || self.motions.iter().all(|motion| motion.velocity == 0.0 && motion.acceleration == 0.0)
    }
}

/// An event and the reason for it.
type Found = (Event, Option<Reason>);

fn commanded_positions(joints: &Joints) -> impl Iterator<Item = usize> {
    commanded(joints, GroupKind::Position)
}

fn commanded_velocities(joints: &Joints) -> impl Iterator<Item = usize> {
    commanded(joints, GroupKind::Velocity)
}

fn commanded(joints: &Joints, kind: GroupKind) -> impl Iterator<Item = usize> {
    let groups = joints.groups().iter().filter(move |group| group.is_commanded && group.kind == kind);
    groups.flat_map(|group| group.span.clone())
}

fn expect_feedback(embodiment: &Embodiment, joints: &Joints, positions: &[usize]) -> Result<(), Error> {
    for joint in positions {
        let axis = &joints.axes()[*joint];
        let group = &joints.groups()[axis.group];
        if !group.has_feedback {
            return Err(Error::mismatch(
                format!("feedback of group `{}`", group.name),
                ("safety", &format!("it needs the position of `{}`", axis.name)),
                (&format!("robot `{}`", embodiment.name), "it has none"),
            ));
        }
    }
    Ok(())
}
