//! ROS 2 type hashes (REP-2016, RIHS01): SHA-256 of a type's description. They are part of rmw_zenoh's keys.

/// By type name. What `rosbags` computes from our definitions; a test compares each.
const HASHES: &[(&str, &str)] = &[
    (
        "builtin_interfaces/msg/Time",
        "RIHS01_b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197",
    ),
    (
        "builtin_interfaces/msg/Duration",
        "RIHS01_e8d009f659816f758b75334ee1a9ca5b5c0b859843261f14c7f937349599d93b",
    ),
    ("std_msgs/msg/Header", "RIHS01_f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01"),
    ("std_msgs/msg/String", "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"),
    ("std_msgs/msg/Bool", "RIHS01_feb91e995ff9ebd09c0cb3d2aed18b11077585839fb5db80193b62d74528f6c9"),
    ("std_msgs/msg/Float32", "RIHS01_7170d3d8f841f7be3172ce5f4f59f3a4d7f63b0447e8b33327601ad64d83d6e2"),
    ("sensor_msgs/msg/JointState", "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e"),
    (
        "sensor_msgs/msg/CompressedImage",
        "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
    ),
    ("sensor_msgs/msg/Image", "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"),
    ("sensor_msgs/msg/Imu", "RIHS01_7d9a00ff131080897a5ec7e26e315954b8eae3353c3f995c55faf71574000b5b"),
    (
        "trajectory_msgs/msg/JointTrajectory",
        "RIHS01_179b33eba59d676f6d967ac71fe35e7ca2f64b2f3928f4a018cec115e213796e",
    ),
    (
        "trajectory_msgs/msg/JointTrajectoryPoint",
        "RIHS01_de8907036d8bd45aac6f30cc9044a3d4a329c42cbf719aff7d95a584cfa532d7",
    ),
    ("geometry_msgs/msg/Vector3", "RIHS01_cc12fe83e4c02719f1ce8070bfd14aecd40f75a96696a67a2a1f37f7dbb0765d"),
    ("geometry_msgs/msg/Point", "RIHS01_6963084842a9b04494d6b2941d11444708d892da2f4b09843b9c43f42a7f6881"),
    (
        "geometry_msgs/msg/Quaternion",
        "RIHS01_8a765f66778c8ff7c8ab94afcc590a2ed5325a1d9a076ffff38fbce36f458684",
    ),
    ("geometry_msgs/msg/Pose", "RIHS01_d501954e9476cea2996984e812054b68026ae0bfae789d9a10b23daf35cc90fa"),
    (
        "geometry_msgs/msg/PoseStamped",
        "RIHS01_10f3786d7d40fd2b54367835614bff85d4ad3b5dab62bf8bca0cc232d73b4cd8",
    ),
    ("geometry_msgs/msg/Twist", "RIHS01_9c45bf16fe0983d80e3cfe750d6835843d265a9a6c46bd2e609fcddde6fb8d2a"),
    (
        "geometry_msgs/msg/TwistStamped",
        "RIHS01_5f0fcd4f81d5d06ad9b4c4c63e3ea51b82d6ae4d0558f1d475229b1121db6f64",
    ),
    ("hdas_msg/msg/Bms", "RIHS01_42a0b083ab883b1da021d61be597e582b471f2149edb079c1f3c86aa4d519cd9"),
    (
        "hdas_msg/msg/ControllerSignal",
        "RIHS01_565de0c24a99ac0841d7aaa01fa55b5eeff2a3736be07c0a9da8213d34b0f1b2",
    ),
    (
        "hdas_msg/msg/ControllerSignalStamped",
        "RIHS01_792630555a5afd361004b9807a580202fa81ea1e07125eef6e166d09ec9e58ee",
    ),
    (
        "hdas_msg/msg/FeedbackStatusDetail",
        "RIHS01_c281203d02a43e697d01e062b8c365254368ae152489efa71de550cdfbd23388",
    ),
    (
        "hdas_msg/msg/FeedbackStatus",
        "RIHS01_590cbc8db2555964d654f48da88662816118ce516f2b0ce33a7bed13fa756abc",
    ),
    ("sinew_msgs/msg/ActionChunk", "RIHS01_5e32e36824fca74f9313a8180f59f4d269a9e35efa8cbfe217a1a5451c32ce8b"),
    (
        "diagnostic_msgs/msg/KeyValue",
        "RIHS01_d68081eaa540288c5440753baecef0c4e16e81a5f78ad68902ded5100413bb42",
    ),
    (
        "diagnostic_msgs/msg/DiagnosticStatus",
        "RIHS01_b0e3e692ea2d54a8af2f4ef1930e81556a2db55216b771f8a7d2724ed47bf0e4",
    ),
    (
        "diagnostic_msgs/msg/DiagnosticArray",
        "RIHS01_5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e",
    ),
];

/// The hash of a message type of this crate, such as `RIHS01_b106…`; `None` for a type it does not have.
#[must_use]
pub fn type_hash(type_name: &str) -> Option<&'static str> {
    HASHES.iter().find(|(name, _)| *name == type_name).map(|(_, hash)| *hash)
}
