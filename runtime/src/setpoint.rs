//! A set-point to the messages that the robot's controllers take. Pure.

use crate::error::Error;
use crate::motion::Joints;
use crate::safety::JointLimits;
use sinew_models::embodiment::Embodiment;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped, Vector3};
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::{Message, Stamp};
use std::ops::Range;

/// What a message looks like.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// Joint positions; with velocities where the receiver takes them for speed caps.
    JointState { speed_caps: Vec<f64> },
    /// x, y, yaw rate.
    Twist,
    /// The same with a time.
    TwistStamped,
}

impl Form {
    fn of(message: &str, group: &str, joint_count: usize) -> Result<Self, Error> {
        match (message, joint_count) {
            (JointState::TYPE_NAME, _) => Ok(Self::JointState { speed_caps: Vec::new() }),
            (Twist::TYPE_NAME, 3) => Ok(Self::Twist),
            (TwistStamped::TYPE_NAME, 3) => Ok(Self::TwistStamped),
            _ => {
                let known = format!(
                    "it writes {}, or {} and {} of 3 axes",
                    JointState::TYPE_NAME,
                    Twist::TYPE_NAME,
                    TwistStamped::TYPE_NAME
                );
                Err(Error::mismatch(
                    format!("set-points of group `{group}`"),
                    ("this program", &known),
                    ("the robot description", &format!("{message} of {joint_count} joints")),
                ))
            }
        }
    }

    fn encode(&self, values: &[f64], stamp: Time) -> Vec<u8> {
        let header = Header { stamp, frame_id: String::new() };
        match self {
            // Names are left out: receivers go by the order, and some know other names.
            Self::JointState { speed_caps } => JointState {
                header,
                position: values.to_vec(),
                velocity: speed_caps.clone(),
                ..JointState::default()
            }
            .to_cdr(),
            Self::Twist => twist(values).to_cdr(),
            Self::TwistStamped => TwistStamped { header, twist: twist(values) }.to_cdr(),
        }
    }
}

fn twist(values: &[f64]) -> Twist {
    let [x, y, yaw] = values.try_into().unwrap_or([0.0; 3]);
    Twist { linear: Vector3 { x, y, z: 0.0 }, angular: Vector3 { x: 0.0, y: 0.0, z: yaw } }
}

/// One message of a set-point.
#[derive(Clone, Debug, PartialEq)]
pub struct SetpointOutput {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    form: Form,
    source: Source,
}

/// Where a message's numbers come from.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// These joints of the set-point.
    Joints(Range<usize>),
    /// Always the same.
    Constant(Vec<f64>),
}

impl SetpointOutput {
    /// The message of a set-point.
    ///
    /// # Shapes
    /// `setpoint` has one number a joint of the robot.
    #[must_use]
    pub fn encode(&self, setpoint: &[f64], stamp: Time) -> Vec<u8> {
        match &self.source {
            Source::Joints(span) => self.form.encode(&setpoint[span.clone()], stamp),
            Source::Constant(values) => self.form.encode(values, stamp),
        }
    }

    /// The ROS type of its messages.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self.form {
            Form::JointState { .. } => JointState::TYPE_NAME,
            Form::Twist => Twist::TYPE_NAME,
            Form::TwistStamped => TwistStamped::TYPE_NAME,
        }
    }

    /// Takes the form that the receivers want, where it is one of the two for a base: robots of one make differ. A
    /// receiver of a message in the other form would misread it without a word.
    ///
    /// # Errors
    /// If they take something else altogether, or not all the same: then a base could miss its zero because an onlooker
    /// came. The form stays as it was.
    pub fn adapt(&mut self, wanted: &[String]) -> Result<(), Error> {
        let Some((wanted, others)) = wanted.split_first() else { return Ok(()) };
        if let Some(other) = others.iter().find(|other| *other != wanted) {
            return Err(Error::mismatch(
                format!("messages on {}", self.topic),
                ("one who listens there", wanted),
                ("another", other),
            ));
        }
        match (&self.form, wanted.as_str()) {
            (_, wanted) if wanted == self.message() => Ok(()),
            (Form::Twist, TwistStamped::TYPE_NAME) => {
                self.form = Form::TwistStamped;
                Ok(())
            }
            (Form::TwistStamped, Twist::TYPE_NAME) => {
                self.form = Form::Twist;
                Ok(())
            }
            _ => Err(Error::mismatch(
                format!("messages on {}", self.topic),
                ("the robot description", self.message()),
                ("who listens there", wanted),
            )),
        }
    }

    /// Whether it carries the set-point, not something said along with it.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self.source, Source::Joints(_))
    }
}

/// The messages of every set-point: one a commanded group, and the acceleration limits that some receivers want with it.
/// Receivers are told the limits that are in force here.
///
/// # Shapes
/// `limits` has one entry a joint.
///
/// # Errors
/// If a group is commanded with a message that this program does not know.
pub fn setpoint_outputs(
    embodiment: &Embodiment,
    joints: &Joints,
    limits: &[JointLimits],
) -> Result<Vec<SetpointOutput>, Error> {
    let mut outputs = Vec::new();
    for (group, span) in embodiment.groups.iter().zip(joints.groups()) {
        let Some(command) = group.command.as_ref().filter(|_| span.is_commanded) else { continue };
        let of_group =
            |which: &dyn Fn(&JointLimits) -> f64| limits[span.span.clone()].iter().map(which).collect();
        let mut form = Form::of(&command.message, &group.name, group.joints.len())?;
        if let (Form::JointState { speed_caps }, true) = (&mut form, command.has_speed_cap) {
            *speed_caps = of_group(&|limits| limits.velocity);
        }
        let output = |topic: &str, form, source| SetpointOutput {
            group: group.name.clone(),
            topic: topic.to_owned(),
            form,
            source,
        };
        if let Some(limit) = &command.acceleration_limit {
            let form = Form::of(&limit.message, &group.name, group.joints.len())?;
            let accelerations = of_group(&|limits| limits.acceleration);
            outputs.push(output(&limit.topic, form, Source::Constant(accelerations)));
        }
        outputs.push(output(&command.topic, form, Source::Joints(span.span.clone())));
    }
    Ok(outputs)
}

/// A time as messages have it.
///
/// # Errors
/// If it is before 1970 or after 2106.
pub fn stamp(now: Stamp) -> Result<Time, Error> {
    Ok(Time::try_from(now)?)
}
