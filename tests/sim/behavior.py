"""The rig as BEHAVIOR-1K's 2025 challenge sees an R1 Pro: 256 numbers of proprioception, 23 of action.

Action: base velocity in the robot's own frame as a fraction of its limit, torso 4 and arm 7 + 7 positions in rad, grippers -1 closed to 1 open.
"""

from __future__ import annotations

import numpy as np
from kinematics import TABLE_FROM_SIM_BASE_M, rotation_from_rpy
from rig import Rig, quaternion_xyzw

FINGER_STROKE_M = 0.05
BASE_LIMIT = np.array([0.75, 0.75, 1.0])  # m/s, m/s, rad/s
GRIPPERS = [14, 22]
CAMERAS = ("left_wrist", "right_wrist", "head_table")  # the order of cam_rel_poses

ARMS = {side: [f"{side}_arm_joint{i}" for i in range(1, 8)] for side in ("left", "right")}
FINGERS = {side: [f"{side}_gripper_finger_joint{i}" for i in (1, 2)] for side in ("left", "right")}
TRUNK = [f"torso_joint{i}" for i in range(1, 5)]
BASE = ["base_x", "base_y", "base_yaw"]
# The 28 joints: six virtual base joints (three of which the rig does not have), trunk, arms left and right in turn, fingers.
JOINTS = [
    "base_x", "base_y", None, None, None, "base_yaw", *TRUNK,
    *(name for pair in zip(ARMS["left"], ARMS["right"], strict=True) for name in pair),
    *FINGERS["left"], *FINGERS["right"],
]
# The R1 Pro table's gripper frame is the simulator's gripper link pitched by a quarter turn.
GRIPPER_FROM_LINK = rotation_from_rpy(0, 1.5708, 0)


def proprioception(rig: Rig) -> np.ndarray:
    """256 float32 in the order of the challenge's table. Positions of hands are in the kinematic table's base_link."""
    joints = [rig.data.joint(name) if name else None for name in JOINTS]
    position = np.array([j.qpos[0] if j else 0.0 for j in joints])
    velocity = np.array([j.qvel[0] if j else 0.0 for j in joints])
    effort = np.array([j.qfrc_actuator[0] if j else 0.0 for j in joints])
    yaw_rad = base_yaw_rad(rig)
    orientation_rad = np.array([0.0, 0.0, yaw_rad])
    base_velocity = velocities(rig, BASE)
    parts = [
        position, np.sin(position), np.cos(position), velocity, effort,
        rig.data.body("base_link").xpos, np.cos(orientation_rad), np.sin(orientation_rad),
        [yaw_rad, np.cos(yaw_rad), np.sin(yaw_rad)],
        [base_velocity[0], base_velocity[1], 0.0], [0.0, 0.0, base_velocity[2]],
        *arm(rig, "left"), *arm(rig, "right"),
        positions(rig, TRUNK), velocities(rig, TRUNK),
        *angles(positions(rig, BASE)), base_velocity,
    ]
    return np.concatenate(parts).astype(np.float32)


def arm(rig: Rig, side: str) -> list[np.ndarray]:
    link = rig.data.body(f"{side}_gripper_link")
    return [
        *angles(positions(rig, ARMS[side])), velocities(rig, ARMS[side]),
        relative_pose(rig, link.xpos, link.xmat.reshape(3, 3) @ GRIPPER_FROM_LINK),
        positions(rig, FINGERS[side]), velocities(rig, FINGERS[side]),
    ]


def camera_poses(rig: Rig) -> np.ndarray:
    """21 float32: position and quaternion (x, y, z, w) of each camera in base_link; a camera looks along its -z, +y is up."""
    cameras = [rig.data.camera(name) for name in CAMERAS]
    return np.concatenate([relative_pose(rig, c.xpos, c.xmat.reshape(3, 3)) for c in cameras]).astype(np.float32)


def to_behavior(rig: Rig, action: np.ndarray) -> np.ndarray:
    """Rig action -> BEHAVIOR action at the robot's present heading."""
    out = action.copy()
    out[:3] = heading(rig).T @ action[:3] / BASE_LIMIT
    out[GRIPPERS] = 2 * action[GRIPPERS] / FINGER_STROKE_M - 1
    return out.astype(np.float32)


def from_behavior(rig: Rig, action: np.ndarray) -> np.ndarray:
    """BEHAVIOR action -> rig action at the robot's present heading."""
    out = action.astype(np.float64)
    out[:3] = heading(rig) @ (out[:3] * BASE_LIMIT)
    out[GRIPPERS] = (out[GRIPPERS] + 1) / 2 * FINGER_STROKE_M
    return out


def relative_pose(rig: Rig, position_m: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """World pose -> position and quaternion (x, y, z, w) in the kinematic table's base_link."""
    base = rig.data.body("base_link")
    base_rotation = base.xmat.reshape(3, 3)
    position_in_base_m = base_rotation.T @ (position_m - base.xpos) + TABLE_FROM_SIM_BASE_M
    return np.concatenate([position_in_base_m, quaternion_xyzw(base_rotation.T @ rotation)])


def base_yaw_rad(rig: Rig) -> float:
    return rig.data.joint("base_yaw").qpos[0]


def heading(rig: Rig) -> np.ndarray:
    """Rotation of a planar velocity (x, y, yaw) from the robot's frame to the world's."""
    return rotation_from_rpy(0, 0, base_yaw_rad(rig))


def positions(rig: Rig, names: list[str]) -> np.ndarray:
    return np.array([rig.data.joint(name).qpos[0] for name in names])


def velocities(rig: Rig, names: list[str]) -> np.ndarray:
    return np.array([rig.data.joint(name).qvel[0] for name in names])


def angles(position_rad: np.ndarray) -> list[np.ndarray]:
    return [position_rad, np.sin(position_rad), np.cos(position_rad)]
