//! Poses and velocities.

use super::message;
use super::std_msgs::Header;

message! {
    geometry_msgs/Vector3 uses []
    /// Three components along the axes of a frame.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Vector3 {
        /// Along x.
        pub x: f64,
        /// Along y.
        pub y: f64,
        /// Along z.
        pub z: f64,
    }
}

message! {
    geometry_msgs/Point uses []
    /// A position, metres.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Point {
        /// Along x.
        pub x: f64,
        /// Along y.
        pub y: f64,
        /// Along z.
        pub z: f64,
    }
}

message! {
    geometry_msgs/Quaternion uses []
    /// A rotation; by default none.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Quaternion {
        /// First imaginary part.
        pub x: f64,
        /// Second imaginary part.
        pub y: f64,
        /// Third imaginary part.
        pub z: f64,
        /// Real part.
        pub w: f64,
    }
}

impl Default for Quaternion {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, z: 0.0, w: 1.0 }
    }
}

message! {
    geometry_msgs/Pose uses [geometry_msgs/Point, geometry_msgs/Quaternion]
    /// A position and a rotation.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Pose {
        /// Metres.
        pub position: Point,
        /// Unit quaternion.
        pub orientation: Quaternion,
    }
}

message! {
    geometry_msgs/PoseStamped uses [
        std_msgs/Header, builtin_interfaces/Time, geometry_msgs/Pose, geometry_msgs/Point, geometry_msgs/Quaternion
    ]
    /// A pose at a time, in a frame.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct PoseStamped {
        /// Time and frame.
        pub header: Header,
        /// The pose.
        pub pose: Pose,
    }
}

message! {
    geometry_msgs/Twist uses [geometry_msgs/Vector3]
    /// A velocity.
    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    pub struct Twist {
        /// Metres per second.
        pub linear: Vector3,
        /// Radians per second.
        pub angular: Vector3,
    }
}

message! {
    geometry_msgs/TwistStamped uses [
        std_msgs/Header, builtin_interfaces/Time, geometry_msgs/Twist, geometry_msgs/Vector3
    ]
    /// A velocity at a time, in a frame.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct TwistStamped {
        /// Time and frame.
        pub header: Header,
        /// The velocity.
        pub twist: Twist,
    }
}
