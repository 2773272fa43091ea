//! Joints, pictures, inertial measurements.

use super::geometry_msgs::{Quaternion, Vector3};
use super::message;
use super::std_msgs::Header;
use std::borrow::Cow;

message! {
    sensor_msgs/JointState uses [std_msgs/Header, builtin_interfaces/Time]
    /// Measured joint state, or a set-point of the same shape.
    ///
    /// # Shapes
    ///
    /// Each sequence is empty or has one entry per joint. Not every sender fills in `name`.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct JointState {
        /// Time of the measurement.
        pub header: Header,
        /// Joint names.
        pub name: Vec<String>,
        /// Radians or metres.
        pub position: Vec<f64>,
        /// Radians or metres per second.
        pub velocity: Vec<f64>,
        /// Newton metres or newtons.
        pub effort: Vec<f64>,
    }
}

message! {
    sensor_msgs/CompressedImage uses [std_msgs/Header, builtin_interfaces/Time]
    /// An encoded picture. Decoding borrows `data` from the message.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct CompressedImage<'a> {
        /// Capture time and camera frame.
        pub header: Header,
        /// Encoding in words, such as `rgb8; jpeg compressed bgr8`; drivers differ.
        pub format: String,
        /// The file's bytes.
        pub data: Cow<'a, [u8]>,
    }
}

message! {
    sensor_msgs/Image uses [std_msgs/Header, builtin_interfaces/Time]
    /// A raw picture. Decoding borrows `data` from the message.
    ///
    /// # Shapes
    ///
    /// `data` is `height` rows of `step` bytes.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Image<'a> {
        /// Capture time and camera frame.
        pub header: Header,
        /// Rows, pixels.
        pub height: u32,
        /// Columns, pixels.
        pub width: u32,
        /// Pixel format, such as `rgb8` or `16UC1`.
        pub encoding: String,
        /// 1 where samples of more than one byte are big endian.
        pub is_bigendian: u8,
        /// Length of a row, bytes.
        pub step: u32,
        /// The rows.
        pub data: Cow<'a, [u8]>,
    }
}

message! {
    sensor_msgs/Imu uses [
        std_msgs/Header, builtin_interfaces/Time, geometry_msgs/Quaternion, geometry_msgs/Vector3
    ]
    /// An inertial measurement.
    ///
    /// # Shapes
    ///
    /// Covariances are 3 × 3, row-major; -1 in the first entry says that the quantity is not measured.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct Imu {
        /// Time and sensor frame.
        pub header: Header,
        /// Unit quaternion.
        pub orientation: Quaternion,
        /// Square radians.
        pub orientation_covariance: [f64; 9],
        /// Radians per second.
        pub angular_velocity: Vector3,
        /// Square radians per second squared.
        pub angular_velocity_covariance: [f64; 9],
        /// Metres per second squared.
        pub linear_acceleration: Vector3,
        /// Square metres per second to the fourth.
        pub linear_acceleration_covariance: [f64; 9],
    }
}

impl CompressedImage<'_> {
    /// The same picture with its own copy of the bytes.
    #[must_use]
    pub fn into_owned(self) -> CompressedImage<'static> {
        CompressedImage { data: Cow::Owned(self.data.into_owned()), ..self }
    }
}
