"""What the R1 Pro says and hears on its network: topics, types, rates, units. Data only.

Sources: Galaxea's SDK as OpenGalaxea/EFMNode and GalaxeaLeRobotToolkit use it, and what others measured on live robots. Angles are in rad, strokes of
grippers in mm (0 closed, 100 open), the base's velocity in m/s and rad/s in the robot's own frame.
"""

from __future__ import annotations

from dataclasses import dataclass

JOINT_STATE = "sensor_msgs/msg/JointState"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
TWIST = "geometry_msgs/msg/Twist"
TWIST_STAMPED = "geometry_msgs/msg/TwistStamped"
POSE_STAMPED = "geometry_msgs/msg/PoseStamped"
IMU = "sensor_msgs/msg/Imu"
BOOL = "std_msgs/msg/Bool"
BMS = "hdas_msg/msg/Bms"
CONTROLLER = "hdas_msg/msg/ControllerSignalStamped"
FEEDBACK_STATUS = "hdas_msg/msg/FeedbackStatus"

# As GalaxeaLeRobotToolkit defines them.
HDAS_MESSAGES = {
    BMS: "std_msgs/Header header\nfloat32 voltage\nfloat32 current\nfloat32 capital\n",
    "hdas_msg/msg/ControllerSignal": "float32 left_x_axis\nfloat32 left_y_axis\nfloat32 right_x_axis\nfloat32 right_y_axis\nuint8 mode\n",
    CONTROLLER: "std_msgs/Header header\nControllerSignal data\n",
    "hdas_msg/msg/FeedbackStatusDetail": "string name\nuint32 error_code\nstring[] error_description\n",
    FEEDBACK_STATUS: "std_msgs/Header header\nstring name_id\nFeedbackStatusDetail[] errors\n",
}

# A bridge writes reliability, durability, history and depth into its tokens; HDAS is reliable, transient local and keeps the last 100, who listens to
# targets takes the last 10 as they come.
HDAS_QOS = ":1:1:0,100"
LISTENER_QOS = ":0:0:0,10"

SIDES = ("left", "right")
ARM_JOINTS, TORSO_JOINTS = 7, 4
COMPUTER_DRIVES, REMOTE_DRIVES = 5, 2
# What the chassis may be told at most: m/s², m/s², rad/s².
CHASSIS_ACCELERATION = (2.5, 1.0, 1.0)


@dataclass(frozen=True)
class Output:
    """A topic out of the robot. `name` is what faults call it."""

    name: str
    topic: str
    message: str
    rate_hz: float


@dataclass(frozen=True)
class Input:
    """A topic into the robot."""

    name: str
    topic: str
    message: str


JOINT_RATE_HZ = 120.0

# Groups that report joint states, in the order of the policy's action.
FEEDBACK = [
    Output("torso", "/hdas/feedback_torso", JOINT_STATE, JOINT_RATE_HZ),
    Output("left_arm", "/hdas/feedback_arm_left", JOINT_STATE, JOINT_RATE_HZ),
    Output("left_gripper", "/hdas/feedback_gripper_left", JOINT_STATE, JOINT_RATE_HZ),
    Output("right_arm", "/hdas/feedback_arm_right", JOINT_STATE, JOINT_RATE_HZ),
    Output("right_gripper", "/hdas/feedback_gripper_right", JOINT_STATE, JOINT_RATE_HZ),
]
# Steering angles and wheel speeds; the estimated velocity comes only while somebody listens.
CHASSIS = Output("chassis", "/hdas/feedback_chassis", JOINT_STATE, JOINT_RATE_HZ)
CHASSIS_SPEED = Output("base", "/motion_control/chassis_speed", TWIST_STAMPED, JOINT_RATE_HZ)
HAND_POSES = [Output(f"pose_{side}", f"/motion_control/pose_ee_arm_{side}", POSE_STAMPED, JOINT_RATE_HZ) for side in SIDES]
IMUS = [Output(f"imu_{part}", f"/hdas/imu_{part}", IMU, JOINT_RATE_HZ) for part in ("chassis", "torso")]
BATTERY = Output("bms", "/hdas/bms", BMS, 1.0)
REMOTE = Output("controller", "/controller", CONTROLLER, 200.0)
FAULT_REPORTS = [
    Output(f"status_{part}", f"/hdas/feedback_status_{part}", FEEDBACK_STATUS, 1.0)
    for part in ("arm_left", "arm_right", "gripper_left", "gripper_right", "torso", "chassis")
]
CAMERAS = [
    Output("head", "/hdas/camera_head/left_raw/image_raw_color/compressed", COMPRESSED_IMAGE, 30.0),
    Output("left_wrist", "/hdas/camera_wrist_left/color/image_raw/compressed", COMPRESSED_IMAGE, 30.0),
    Output("right_wrist", "/hdas/camera_wrist_right/color/image_raw/compressed", COMPRESSED_IMAGE, 30.0),
]
# (width, height) as the real cameras are set up.
CAMERA_SIZES = {"head": (640, 360), "left_wrist": (640, 480), "right_wrist": (640, 480)}

TARGETS = [
    Input("torso", "/motion_target/target_joint_state_torso", JOINT_STATE),
    Input("left_arm", "/motion_target/target_joint_state_arm_left", JOINT_STATE),
    Input("left_gripper", "/motion_target/target_position_gripper_left", JOINT_STATE),
    Input("right_arm", "/motion_target/target_joint_state_arm_right", JOINT_STATE),
    Input("right_gripper", "/motion_target/target_position_gripper_right", JOINT_STATE),
]
SPEED_TARGET = "/motion_target/target_speed_chassis"
ACCELERATION_LIMIT = "/motion_target/chassis_acc_limit"
BRAKE = Input("brake", "/motion_target/brake_mode", BOOL)

JOINT_COUNTS = {"torso": TORSO_JOINTS, "left_arm": ARM_JOINTS, "left_gripper": 1, "right_arm": ARM_JOINTS, "right_gripper": 1}
# Tracking speeds where a target names none, rad/s and mm/s.
DEFAULT_SPEEDS = {
    "torso": (1.0, 1.6, 1.4, 1.4),
    "left_arm": (1.6, 1.6, 1.6, 1.6, 4.0, 4.0, 4.0),
    "right_arm": (1.6, 1.6, 1.6, 1.6, 4.0, 4.0, 4.0),
    "left_gripper": (400.0,),
    "right_gripper": (400.0,),
}
