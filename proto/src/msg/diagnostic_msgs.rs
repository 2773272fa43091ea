//! How parts of a robot are doing, for ROS 2's own monitors.

use super::message;
use super::std_msgs::Header;

message! {
    diagnostic_msgs/KeyValue uses []
    /// A number or a word about a part.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct KeyValue {
        /// What is told.
        pub key: String,
        /// What it is now.
        pub value: String,
    }
}

message! {
    diagnostic_msgs/DiagnosticStatus uses [diagnostic_msgs/KeyValue]
    /// How one part is doing.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct DiagnosticStatus {
        /// One of [`OK`](Self::OK), [`WARN`](Self::WARN), [`ERROR`](Self::ERROR), [`STALE`](Self::STALE).
        pub level: u8,
        /// The part.
        pub name: String,
        /// In words.
        pub message: String,
        /// The robot.
        pub hardware_id: String,
        /// In numbers.
        pub values: Vec<KeyValue>,
    }
}

impl DiagnosticStatus {
    /// All is well.
    pub const OK: u8 = 0;
    /// Something is not as it should be.
    pub const WARN: u8 = 1;
    /// Something is broken.
    pub const ERROR: u8 = 2;
    /// Nothing new is heard.
    pub const STALE: u8 = 3;
}

message! {
    diagnostic_msgs/DiagnosticArray uses [
        std_msgs/Header, builtin_interfaces/Time, diagnostic_msgs/DiagnosticStatus, diagnostic_msgs/KeyValue
    ]
    /// How the parts are doing at a time.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct DiagnosticArray {
        /// When.
        pub header: Header,
        /// The parts.
        pub status: Vec<DiagnosticStatus>,
    }
}
