//! Set-points of a group of joints, as whoever drove the robot sent them.

use crate::Error;
use sinew_models::embodiment::Group;
use sinew_proto::Message;
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped};
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_sync::{ExtraElements, FeedbackConfig, JointNames};

/// Reads one group's set-points.
#[derive(Clone, Debug)]
pub(super) struct CommandReader {
    group: String,
    joint_names: Vec<String>,
    config: FeedbackConfig,
}

impl CommandReader {
    pub(super) fn new(group: &Group, config: FeedbackConfig) -> Self {
        let joint_names = group.joints.iter().map(|joint| joint.name.clone()).collect();
        Self { group: group.name.clone(), joint_names, config }
    }

    /// The set-point in a message of the given ROS type: one number a joint, in the robot's unit.
    ///
    /// # Errors
    /// If it is damaged, of an unknown type, names other joints, or has numbers missing or not finite.
    pub(super) fn read(&self, message: &str, data: &[u8]) -> Result<Vec<f64>, Error> {
        let values = match message {
            JointState::TYPE_NAME => self.positions(JointState::from_cdr(data)?)?,
            Twist::TYPE_NAME => velocities(&Twist::from_cdr(data)?),
            TwistStamped::TYPE_NAME => velocities(&TwistStamped::from_cdr(data)?.twist),
            other => {
                let known =
                    format!("{}, {} or {}", JointState::TYPE_NAME, Twist::TYPE_NAME, TwistStamped::TYPE_NAME);
                return Err(self.wrong("type", &known, other));
            }
        };
        let expected = self.joint_names.len();
        if values.len() != expected {
            let expected = format!("{expected} numbers, one a joint");
            return Err(self.wrong("set-point", &expected, values.len()));
        }
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(self.wrong("set-point", "finite numbers", value)),
            None => Ok(values),
        }
    }

    /// Under the same rules as feedback: robots that append a number to one do to the other.
    fn positions(&self, mut joints: JointState) -> Result<Vec<f64>, Error> {
        let ignores_extra = self.config.extra_elements == ExtraElements::Ignore;
        if ignores_extra {
            joints.position.truncate(self.joint_names.len());
            joints.name.truncate(self.joint_names.len());
        }
        let are_named = !joints.name.is_empty() && self.config.joint_names == JointNames::Check;
        if are_named && joints.name != self.joint_names {
            let names = |names: &[String]| names.join(", ");
            return Err(self.wrong("joints", &names(&self.joint_names), names(&joints.name)));
        }
        Ok(joints.position)
    }

    fn wrong(&self, what: &str, expected: &str, found: impl ToString) -> Error {
        sinew_sync::Error::Sample {
            what: format!("{what} of {}", self.group),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
        .into()
    }
}

/// Forward, left, turning left.
fn velocities(twist: &Twist) -> Vec<f64> {
    vec![twist.linear.x, twist.linear.y, twist.angular.z]
}
