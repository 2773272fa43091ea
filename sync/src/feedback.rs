//! What joints report, checked against the robot description.

use crate::error::{Error, quoted};
use crate::state::Feedback;
use serde::{Deserialize, Serialize};
use sinew_models::embodiment::{Field, Group};
use sinew_proto::msg::geometry_msgs::TwistStamped;
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::{Message, Stamp};

/// What to do with joint names in feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JointNames {
    /// Compare them with the robot description.
    Check,
    /// Trust the order.
    Ignore,
}

/// What to do with numbers behind the last joint's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraElements {
    /// Refuse the message.
    Refuse,
    /// Leave them out.
    Ignore,
}

/// `[feedback]` of the runtime's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackConfig {
    /// Joint names, where there are some.
    pub joint_names: JointNames,
    /// Numbers behind the last joint's.
    pub extra_elements: ExtraElements,
}

/// Type names of the messages that groups report with.
const JOINT_STATE: &str = <JointState as Message>::TYPE_NAME;
const TWIST_STAMPED: &str = <TwistStamped as Message>::TYPE_NAME;

/// Reads one group's feedback.
#[derive(Clone, Debug)]
pub struct FeedbackReader {
    group: String,
    joint_names: Vec<String>,
    needs: Vec<Field>,
    is_twist: bool,
    config: FeedbackConfig,
}

impl FeedbackReader {
    /// For a group of which `needs` is used.
    ///
    /// # Errors
    /// If the group reports with a message this program does not know.
    pub fn new(group: &Group, needs: &[Field], config: FeedbackConfig) -> Result<Self, Error> {
        let message = group.feedback.as_ref().map_or("", |topic| topic.message.as_str());
        if message != JOINT_STATE && (message != TWIST_STAMPED || group.joints.len() != 3) {
            return Err(Error::mismatch(
                format!("feedback of group `{}`", group.name),
                ("this program", &format!("it reads {JOINT_STATE}, or {TWIST_STAMPED} of 3 axes")),
                ("the robot description", &format!("{message} of {} joints", group.joints.len())),
            ));
        }
        Ok(Self {
            group: group.name.clone(),
            joint_names: group.joints.iter().map(|joint| joint.name.clone()).collect(),
            needs: needs.to_vec(),
            is_twist: message == TWIST_STAMPED,
            config,
        })
    }

    /// The ROS type of the messages.
    #[must_use]
    pub fn message(&self) -> &'static str {
        if self.is_twist { TWIST_STAMPED } else { JOINT_STATE }
    }

    /// Decodes a message.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where it names other joints than the robot description; else if it is damaged, has no time,
    /// or lacks a number the state needs.
    pub fn read(&self, message: &[u8]) -> Result<(Stamp, Feedback), Error> {
        let (stamp, feedback) = if self.is_twist { read_twist(message)? } else { self.read_joints(message)? };
        for field in &self.needs {
            // The policy takes float32.
            let is_unfit = |value: &&f64| !(**value as f32).is_finite();
            if let Some(value) = feedback.field(*field).iter().find(is_unfit) {
                return Err(self.wrong(*field, "finite numbers", value));
            }
        }
        Ok((stamp, feedback))
    }

    fn read_joints(&self, message: &[u8]) -> Result<(Stamp, Feedback), Error> {
        let joints = JointState::from_cdr(message)?;
        let stamp = capture_time(joints.header.stamp.try_into()?)?;
        self.check_names(&joints.name)?;
        let mut feedback =
            Feedback { position: joints.position, velocity: joints.velocity, effort: joints.effort };
        for field in &self.needs {
            self.check_length(*field, feedback.field(*field).len())?;
        }
        for numbers in [&mut feedback.position, &mut feedback.velocity, &mut feedback.effort] {
            numbers.truncate(self.joint_names.len());
        }
        Ok((stamp, feedback))
    }

    fn check_names(&self, found: &[String]) -> Result<(), Error> {
        let extra_is_fine = self.config.extra_elements == ExtraElements::Ignore;
        let is_same = found == self.joint_names || (extra_is_fine && found.starts_with(&self.joint_names));
        if found.is_empty() || is_same || self.config.joint_names == JointNames::Ignore {
            return Ok(());
        }
        Err(Error::mismatch(
            format!("joints of group `{}`", self.group),
            ("the robot description", &quoted(&self.joint_names)),
            ("its feedback", &quoted(found)),
        ))
    }

    fn check_length(&self, field: Field, found: usize) -> Result<(), Error> {
        let expected = self.joint_names.len();
        let extra_is_fine = self.config.extra_elements == ExtraElements::Ignore;
        if found == expected || (extra_is_fine && found > expected) {
            return Ok(());
        }
        Err(self.wrong(field, &format!("{expected} numbers, one a joint"), found))
    }

    fn wrong(&self, field: Field, expected: &str, found: impl ToString) -> Error {
        Error::Sample {
            what: format!("{field:?} of {}", self.group).to_lowercase(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }
}

/// A base reports its velocity: forward, left, turning left.
fn read_twist(message: &[u8]) -> Result<(Stamp, Feedback), Error> {
    let TwistStamped { header, twist } = TwistStamped::from_cdr(message)?;
    let velocity = vec![twist.linear.x, twist.linear.y, twist.angular.z];
    Ok((capture_time(header.stamp.try_into()?)?, Feedback { velocity, ..Feedback::default() }))
}

/// Refuses a stamp of zero: a driver that leaves it out gives samples that cannot be put in order.
///
/// # Errors
/// If it is zero.
pub fn capture_time(stamp: Stamp) -> Result<Stamp, Error> {
    if stamp.ns() != 0 {
        return Ok(stamp);
    }
    Err(Error::Sample {
        what: "header.stamp".to_owned(),
        expected: "the time of capture".to_owned(),
        found: "0".to_owned(),
    })
}
