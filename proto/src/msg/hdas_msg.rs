//! What a Galaxea robot says of itself.
//!
//! Fields and their order: OpenGalaxea/GalaxeaLeRobotToolkit, `src/msg/hdas/msg`.

use super::message;
use super::std_msgs::Header;

message! {
    hdas_msg/Bms uses [std_msgs/Header, builtin_interfaces/Time]
    /// The battery.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Bms {
        /// Time of the measurement.
        pub header: Header,
        /// Volts.
        pub voltage: f32,
        /// Amperes.
        pub current: f32,
        /// Charge, percent; reads up to 101.
        pub capital: f32,
    }
}

message! {
    hdas_msg/ControllerSignal uses []
    /// Sticks and mode of the remote control.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct ControllerSignal {
        /// Left stick, sideways.
        pub left_x_axis: f32,
        /// Left stick, forward.
        pub left_y_axis: f32,
        /// Right stick, sideways.
        pub right_x_axis: f32,
        /// Right stick, forward.
        pub right_y_axis: f32,
        /// Who drives: 2 the remote control, 5 a computer.
        pub mode: u8,
    }
}

message! {
    hdas_msg/ControllerSignalStamped uses [std_msgs/Header, builtin_interfaces/Time, hdas_msg/ControllerSignal]
    /// The remote control at a time.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct ControllerSignalStamped {
        /// When.
        pub header: Header,
        /// Sticks and mode.
        pub data: ControllerSignal,
    }
}

message! {
    hdas_msg/FeedbackStatusDetail uses []
    /// One thing that is wrong.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct FeedbackStatusDetail {
        /// Of what.
        pub name: String,
        /// Its number.
        pub error_code: u32,
        /// In words.
        pub error_description: Vec<String>,
    }
}

message! {
    hdas_msg/FeedbackStatus uses [std_msgs/Header, builtin_interfaces/Time, hdas_msg/FeedbackStatusDetail]
    /// What is wrong with a group of joints.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct FeedbackStatus {
        /// When.
        pub header: Header,
        /// Of which group.
        pub name_id: String,
        /// What is wrong.
        pub errors: Vec<FeedbackStatusDetail>,
    }
}
