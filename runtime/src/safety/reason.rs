//! Why the robot does not move.

use super::Safety;
use serde::Serialize;

/// Why the robot does not move. Indices are those of [`crate::motion::Joints`] and of the robot description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The operator said stop.
    OperatorStop,
    /// Somebody drives the robot by remote control.
    TakenOver,
    /// The robot reports a fault.
    Fault,
    /// The battery is low.
    LowBattery,
    /// A joint is where it cannot have gone since its report before.
    FeedbackJump {
        /// The joint.
        joint: usize,
    },
    /// A group was never heard of.
    NoFeedback {
        /// The group.
        group: usize,
    },
    /// A group's feedback is too old.
    StaleFeedback {
        /// The group.
        group: usize,
    },
    /// A joint's position is no number.
    BadFeedback {
        /// The joint.
        joint: usize,
    },
    /// Another input was never heard of.
    NoInput {
        /// Index of the input, as given to [`Safety::new`].
        input: usize,
    },
    /// Another input is too old.
    StaleInput {
        /// Index of the input.
        input: usize,
    },
    /// The operator gives no sign of life.
    DeadMan,
    /// The wall clock was stepped: stamps of messages mean something else than before.
    ClockStep,
    /// The control tick came too late.
    LateTick,
    /// The control tick's time did not advance.
    TimeBackwards,
    /// There is nothing to follow.
    NoSetpoint,
    /// The set-point has a number that is none.
    BadSetpoint {
        /// The joint.
        joint: usize,
    },
    /// The set-point jumped.
    Jump {
        /// The joint.
        joint: usize,
    },
    /// No new chunk for too long.
    StaleInference,
    /// The joint is far from where it is commanded.
    Lead {
        /// The joint.
        joint: usize,
    },
    /// The joint is so far from where it is commanded that it cannot be following.
    LeftBehind {
        /// The joint.
        joint: usize,
    },
    /// The joint is outside its limits to start with.
    OutsideLimits {
        /// The joint.
        joint: usize,
    },
    /// A hand would leave its workspace.
    HandOutside {
        /// The hand.
        hand: usize,
    },
    /// Two parts would come too close.
    TooClose {
        /// Index of the clearance in the robot description.
        pair: usize,
    },
}

impl Reason {
    /// In one word, for counting.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::OperatorStop => "operator_stop",
            Self::TakenOver => "taken_over",
            Self::Fault => "fault",
            Self::LowBattery => "low_battery",
            Self::FeedbackJump { .. } => "feedback_jump",
            Self::NoFeedback { .. } => "no_feedback",
            Self::StaleFeedback { .. } => "stale_feedback",
            Self::BadFeedback { .. } => "bad_feedback",
            Self::NoInput { .. } => "no_input",
            Self::StaleInput { .. } => "stale_input",
            Self::DeadMan => "dead_man",
            Self::ClockStep => "clock_step",
            Self::LateTick => "late_tick",
            Self::TimeBackwards => "time_backwards",
            Self::NoSetpoint => "no_setpoint",
            Self::BadSetpoint { .. } => "bad_setpoint",
            Self::Jump { .. } => "jump",
            Self::StaleInference => "stale_inference",
            Self::Lead { .. } => "lead",
            Self::LeftBehind { .. } => "left_behind",
            Self::OutsideLimits { .. } => "outside_limits",
            Self::HandOutside { .. } => "hand_outside",
            Self::TooClose { .. } => "too_close",
        }
    }
}

impl Safety {
    /// A reason for people, with the names of this robot.
    #[must_use]
    pub fn explain(&self, reason: Reason) -> String {
        let group = |index: usize| &self.joints.groups()[index].name;
        let joint = |index: usize| &self.joints.axes()[index].name;
        match reason {
            Reason::OperatorStop => "the operator said stop".to_owned(),
            Reason::TakenOver => "the robot is driven by remote control".to_owned(),
            Reason::Fault => "the robot reports a fault".to_owned(),
            Reason::LowBattery => "the battery is low".to_owned(),
            Reason::FeedbackJump { joint: index } => {
                format!("the feedback of `{}` jumped", joint(index))
            }
            Reason::NoFeedback { group: index } => format!("no feedback of `{}` yet", group(index)),
            Reason::StaleFeedback { group: index } => {
                format!("no usable feedback of `{}` for too long", group(index))
            }
            Reason::BadFeedback { joint: index } => {
                format!("the feedback of `{}` is no number", joint(index))
            }
            Reason::NoInput { input } => format!("nothing from `{}` yet", self.watchdog.input_name(input)),
            Reason::StaleInput { input } => {
                format!("nothing usable from `{}` for too long", self.watchdog.input_name(input))
            }
            Reason::DeadMan => "no sign of life from the operator".to_owned(),
            Reason::ClockStep => "this computer's clock was stepped".to_owned(),
            Reason::LateTick => "the control tick came too late".to_owned(),
            Reason::TimeBackwards => "the control tick's time did not advance".to_owned(),
            Reason::NoSetpoint => "there is no set-point".to_owned(),
            Reason::BadSetpoint { joint: index } => {
                format!("the set-point of `{}` is no number", joint(index))
            }
            Reason::Jump { joint: index } => format!("the set-point of `{}` jumped", joint(index)),
            Reason::StaleInference => "the policy gave no new chunk for too long".to_owned(),
            Reason::Lead { joint: index } => {
                format!("`{}` is too far from where it is commanded", joint(index))
            }
            Reason::LeftBehind { joint: index } => {
                format!(
                    "`{}` does not follow any more: has it no power, or does somebody hold it?",
                    joint(index)
                )
            }
            Reason::OutsideLimits { joint: index } => format!("`{}` is outside its limits", joint(index)),
            Reason::HandOutside { hand } => format!("`{}` would leave its workspace", self.hands[hand]),
            Reason::TooClose { pair } => {
                let [one, other] = self.room.parts(pair);
                format!("`{one}` and `{other}` would come too close")
            }
        }
    }
}
