//! Message definitions by type name, for writing the schema records of a log and for reading them back.

use crate::Message;
use crate::msg::{
    builtin_interfaces, diagnostic_msgs, geometry_msgs, hdas_msg, sensor_msgs, sinew_msgs, std_msgs,
    trajectory_msgs,
};

/// A message type and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// `sensor_msgs/msg/JointState`
    pub type_name: &'static str,
    /// The `.msg` text, then those of the messages it contains, each behind a line of `=` and its name.
    pub definition: &'static str,
}

impl Schema {
    const fn of<M: Message<'static>>() -> Self {
        Self { type_name: M::TYPE_NAME, definition: M::DEFINITION }
    }
}

/// Every message of this crate.
pub const ALL: &[Schema] = &[
    Schema::of::<builtin_interfaces::Time>(),
    Schema::of::<builtin_interfaces::Duration>(),
    Schema::of::<std_msgs::Header>(),
    Schema::of::<std_msgs::String>(),
    Schema::of::<std_msgs::Bool>(),
    Schema::of::<std_msgs::Float32>(),
    Schema::of::<sensor_msgs::JointState>(),
    Schema::of::<sensor_msgs::CompressedImage>(),
    Schema::of::<sensor_msgs::Image>(),
    Schema::of::<sensor_msgs::Imu>(),
    Schema::of::<trajectory_msgs::JointTrajectory>(),
    Schema::of::<trajectory_msgs::JointTrajectoryPoint>(),
    Schema::of::<geometry_msgs::Vector3>(),
    Schema::of::<geometry_msgs::Point>(),
    Schema::of::<geometry_msgs::Quaternion>(),
    Schema::of::<geometry_msgs::Pose>(),
    Schema::of::<geometry_msgs::PoseStamped>(),
    Schema::of::<geometry_msgs::Twist>(),
    Schema::of::<geometry_msgs::TwistStamped>(),
    Schema::of::<diagnostic_msgs::KeyValue>(),
    Schema::of::<diagnostic_msgs::DiagnosticStatus>(),
    Schema::of::<diagnostic_msgs::DiagnosticArray>(),
    Schema::of::<hdas_msg::Bms>(),
    Schema::of::<hdas_msg::ControllerSignal>(),
    Schema::of::<hdas_msg::ControllerSignalStamped>(),
    Schema::of::<hdas_msg::FeedbackStatusDetail>(),
    Schema::of::<hdas_msg::FeedbackStatus>(),
    Schema::of::<sinew_msgs::ActionChunk>(),
];

/// The definition of a type, `None` for a type this crate does not have.
#[must_use]
pub fn definition(type_name: &str) -> Option<&'static str> {
    ALL.iter().find(|schema| schema.type_name == type_name).map(|schema| schema.definition)
}
