//! Header and single values.

use super::builtin_interfaces::Time;
use super::message;

message! {
    std_msgs/Header uses [builtin_interfaces/Time]
    /// When and in which frame a message was taken.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Header {
        /// Capture time: for an image, when light hit the sensor.
        pub stamp: Time,
        /// Coordinate frame the values are in; often empty.
        pub frame_id: std::string::String,
    }
}

message! {
    std_msgs/String uses []
    /// Text, such as an instruction.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct String {
        /// The text.
        pub data: std::string::String,
    }
}

message! {
    std_msgs/Bool uses []
    /// A switch, such as the chassis brake.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Bool {
        /// On or off.
        pub data: bool,
    }
}

message! {
    std_msgs/Float32 uses []
    /// A number, such as a gripper command.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Float32 {
        /// The number; the topic fixes its unit.
        pub data: f32,
    }
}
