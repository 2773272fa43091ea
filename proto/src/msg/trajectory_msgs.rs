//! Joint trajectories, as ros2_control's joint trajectory controllers take them.

use super::builtin_interfaces::Duration;
use super::message;
use super::std_msgs::Header;

message! {
    trajectory_msgs/JointTrajectoryPoint uses [builtin_interfaces/Duration]
    /// Where the joints should be at one time.
    ///
    /// # Shapes
    ///
    /// Each sequence is empty or has one entry per joint of the trajectory.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct JointTrajectoryPoint {
        /// Radians or metres.
        pub positions: Vec<f64>,
        /// Radians or metres per second.
        pub velocities: Vec<f64>,
        /// Radians or metres per second squared.
        pub accelerations: Vec<f64>,
        /// Newton metres or newtons.
        pub effort: Vec<f64>,
        /// Time after the trajectory's stamp.
        pub time_from_start: Duration,
    }
}

message! {
    trajectory_msgs/JointTrajectory uses [
        std_msgs/Header, builtin_interfaces/Time, trajectory_msgs/JointTrajectoryPoint, builtin_interfaces/Duration
    ]
    /// A path of a group of joints through time.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct JointTrajectory {
        /// Start of the trajectory; a zero stamp means on arrival.
        pub header: Header,
        /// Names of the joints, in the order of every point's sequences.
        pub joint_names: Vec<String>,
        /// The points, in order of time.
        pub points: Vec<JointTrajectoryPoint>,
    }
}
