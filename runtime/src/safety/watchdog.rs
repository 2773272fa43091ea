//! What has to be heard, how often, and what keeps the robot from moving when it is not.

use super::options::{SafetyConfig, ns};
use super::{InputKind, Inputs, Reason};
use super::{JointLimits, OtherInput};
use crate::clock::Moment;
use crate::motion::{Arrival, Joints, Measured};
use sinew_proto::Stamp;

/// Difference of wall clock and monotonic clock over one tick from which on the wall clock was stepped. Slewing by
/// NTP is at most 0.05 %.
const CLOCK_STEP_NS: i64 = 20_000_000;
/// How far a joint may go between two reports: so much faster than it may be commanded, and this share of its lead, for
/// noise and for reports that arrive in bursts.
const JUMP_SPEED: f64 = 1.5;
const JUMP_SHARE_OF_LEAD: f64 = 0.3;

/// Watches inputs, clocks and the tick itself.
#[derive(Clone, Debug)]
pub(super) struct Watchdog {
    /// Groups whose feedback is needed.
    groups: Vec<usize>,
    /// Joints whose positions are needed.
    positions: Vec<usize>,
    max_feedback_age_ns: i64,
    others: Vec<OtherInput>,
    max_camera_age_ns: i64,
    max_status_age_ns: i64,
    max_inference_age_ns: i64,
    max_tick_gap_ns: i64,
    /// None if no sign of life is asked for.
    max_operator_age_ns: Option<i64>,
    min_battery_percent: f64,
    last: Option<(Moment, Stamp)>,
    /// The feedback of the tick before.
    measured: Measured,
    joint_groups: Box<[usize]>,
}

impl Watchdog {
    /// Watches the feedback of these groups, which is needed for these joints' positions.
    pub(super) fn new(
        joints: &Joints,
        positions: Vec<usize>,
        others: Vec<OtherInput>,
        config: &SafetyConfig,
    ) -> Self {
        let is_needed = |group: &usize| positions.iter().any(|joint| joints.axes()[*joint].group == *group);
        Self {
            groups: (0..joints.groups().len()).filter(is_needed).collect(),
            positions,
            max_feedback_age_ns: ns(config.max_feedback_age_ms),
            others,
            max_camera_age_ns: ns(config.max_camera_age_ms),
            max_status_age_ns: ns(config.max_status_age_ms),
            max_inference_age_ns: ns(config.max_inference_age_ms),
            max_tick_gap_ns: ns(config.max_tick_gap_ms),
            max_operator_age_ns: config.dead_man.then(|| ns(config.max_operator_age_ms)),
            min_battery_percent: config.min_battery_percent,
            last: None,
            measured: Measured::nothing(joints),
            joint_groups: joints.axes().iter().map(|axis| axis.group).collect(),
        }
    }

    /// Whether something stops the robot until the operator says otherwise.
    pub(super) fn stop(&self, inputs: &Inputs<'_>) -> Option<Reason> {
        let battery = inputs.robot.battery_percent;
        if inputs.operator.stop {
            Some(Reason::OperatorStop)
        } else if inputs.robot.is_taken_over {
            Some(Reason::TakenOver)
        } else if inputs.robot.has_fault {
            Some(Reason::Fault)
        } else if battery.is_some_and(|percent| percent.is_nan() || percent < self.min_battery_percent) {
            Some(Reason::LowBattery)
        } else {
            None
        }
    }

    /// Whether a joint is where it cannot have gone since its report before.
    pub(super) fn feedback_jump(&mut self, measured: &Measured, limits: &[JointLimits]) -> Option<Reason> {
        let is_limited = |joint: &usize| limits[*joint].velocity > 0.0;
        let jumped = self.positions.iter().copied().filter(is_limited).find(|joint| {
            let group = self.joint_groups[*joint];
            let (Some(before), Some(now)) = (self.measured.arrival(group), measured.arrival(group)) else {
                return false;
            };
            let Arrival { received_at, .. } = before;
            let gap_ns = now.received_at.ns_since(received_at);
            // After a silence a joint may be anywhere; until then there is nothing to compare.
            if is_off(gap_ns, self.max_feedback_age_ns) {
                return false;
            }
            let JointLimits { velocity, lead, .. } = limits[*joint];
            let most = JUMP_SPEED * velocity * gap_ns.max(0) as f64 * 1e-9 + JUMP_SHARE_OF_LEAD * lead;
            (measured.position()[*joint] - self.measured.position()[*joint]).abs() > most
        });
        self.measured.copy_from(measured);
        jumped.map(|joint| Reason::FeedbackJump { joint })
    }

    /// The time since the tick before, seconds, and what is wrong with it or with the wall clock. The time is none
    /// where a command cannot go on from the one before.
    pub(super) fn tick(&mut self, now: Moment, wall: Stamp) -> (Option<f64>, Option<Reason>) {
        let Some((before, wall_before)) = self.last.replace((now, wall)) else { return (None, None) };
        let gap_ns = now.ns_since(before);
        let stepped_ns = wall.ns_since(wall_before).saturating_sub(gap_ns).saturating_abs();
        if gap_ns <= 0 {
            (None, Some(Reason::TimeBackwards))
        } else if gap_ns > self.max_tick_gap_ns {
            (None, Some(Reason::LateTick))
        } else {
            let stepped = (stepped_ns > CLOCK_STEP_NS).then_some(Reason::ClockStep);
            (Some(gap_ns as f64 * 1e-9), stepped)
        }
    }

    /// Whether an input is missing, too old, or no number.
    pub(super) fn inputs(&self, now: Moment, inputs: &Inputs<'_>) -> Option<Reason> {
        self.feedback(now, inputs).or_else(|| self.others(now, inputs)).or_else(|| self.operator(now, inputs))
    }

    fn feedback(&self, now: Moment, inputs: &Inputs<'_>) -> Option<Reason> {
        for group in self.groups.iter().copied() {
            match inputs.measured.age_ns(group, now) {
                None => return Some(Reason::NoFeedback { group }),
                Some(age_ns) if is_off(age_ns, self.max_feedback_age_ns) => {
                    return Some(Reason::StaleFeedback { group });
                }
                Some(_) => {}
            }
        }
        let position = inputs.measured.position();
        let bad = self.positions.iter().find(|joint| !position[**joint].is_finite());
        bad.map(|joint| Reason::BadFeedback { joint: *joint })
    }

    fn others(&self, now: Moment, inputs: &Inputs<'_>) -> Option<Reason> {
        let heard = self.others.iter().zip(inputs.others).enumerate();
        heard.into_iter().find_map(|(input, (described, received_at))| {
            let max_age_ns = match described.kind {
                InputKind::Camera => self.max_camera_age_ns,
                InputKind::Status => self.max_status_age_ns,
            };
            match received_at {
                None if described.kind == InputKind::Status => None,
                None => Some(Reason::NoInput { input }),
                Some(at) if is_off(now.ns_since(*at), max_age_ns) => Some(Reason::StaleInput { input }),
                Some(_) => None,
            }
        })
    }

    /// What an input is called.
    pub(super) fn input_name(&self, input: usize) -> &str {
        &self.others[input].name
    }

    fn operator(&self, now: Moment, inputs: &Inputs<'_>) -> Option<Reason> {
        let max_age_ns = self.max_operator_age_ns?;
        let is_alive = inputs.operator.alive_at.is_some_and(|at| !is_off(now.ns_since(at), max_age_ns));
        (!is_alive).then_some(Reason::DeadMan)
    }

    /// Whether a policy that drives has given no new chunk for too long.
    pub(super) fn inference(&self, now: Moment, inputs: &Inputs<'_>) -> Option<Reason> {
        let age_ns = now.ns_since(inputs.inference_at?);
        is_off(age_ns, self.max_inference_age_ns).then_some(Reason::StaleInference)
    }
}

/// Whether something is too old, or so far in the future that its age means nothing.
fn is_off(age_ns: i64, max_age_ns: i64) -> bool {
    !(-max_age_ns..=max_age_ns).contains(&age_ns)
}
