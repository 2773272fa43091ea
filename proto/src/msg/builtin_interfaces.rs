//! Time and duration. [`crate::stamp`] converts them to integer nanoseconds.

use super::message;

message! {
    builtin_interfaces/Time uses []
    /// A point in time, as ROS 2 writes it.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Time {
        /// Whole seconds since 1970, rounded down.
        pub sec: i32,
        /// Nanoseconds after `sec`, in 0..1000000000.
        pub nanosec: u32,
    }
}

message! {
    builtin_interfaces/Duration uses []
    /// A length of time, as ROS 2 writes it.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Duration {
        /// Whole seconds, rounded down.
        pub sec: i32,
        /// Nanoseconds on top of `sec`, in 0..1000000000.
        pub nanosec: u32,
    }
}
