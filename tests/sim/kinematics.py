"""Forward kinematics of the R1 Pro from its table of joint origins and axes (numpy only)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TABLE = Path(__file__).parents[1] / "fixtures" / "kinematics" / "r1pro_kinematics.csv"

# The simulated robot's base_link lies on the floor, the table's about 4 cm above it and 5 cm further back:
# p_table = R_base^T (p_world - p_base) + TABLE_FROM_SIM_BASE_M. It is the difference of the two origins of torso_joint1.
TABLE_FROM_SIM_BASE_M = np.array([-0.032845, 0.0, 0.301]) - np.array([-0.079032, 0.0, 0.34265])


@dataclass(frozen=True)
class Joint:
    parent: str
    origin: np.ndarray  # 4x4, child frame in the parent frame at zero
    axis: np.ndarray | None  # unit vector in the child frame; None where the joint is fixed


def rotation_about(axis: np.ndarray, angle_rad: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle_rad) * k + (1 - np.cos(angle_rad)) * k @ k


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """URDF's convention: roll about x, then pitch about y, then yaw about z, all fixed axes."""
    x, y, z = np.eye(3)
    return rotation_about(z, yaw) @ rotation_about(y, pitch) @ rotation_about(x, roll)


def transform(rotation: np.ndarray, translation_m: np.ndarray) -> np.ndarray:
    t = np.eye(4)
    t[:3, :3], t[:3, 3] = rotation, translation_m
    return t


def read_table(path: Path = TABLE) -> dict[str, tuple[str, Joint]]:
    """Child link -> (name of the joint above it, joint)."""
    joints = {}
    with path.open(newline="") as f:
        for row in csv.DictReader(f):
            rotation = rotation_from_rpy(*(float(row[k]) for k in ("roll", "pitch", "yaw")))
            origin = transform(rotation, np.array([float(row[k]) for k in "xyz"]))
            axis = np.array([float(row[f"axis_{k}"]) for k in "xyz"]) if row["axis_x"] else None
            joints[row["child"]] = row["joint"], Joint(row["parent"], origin, axis)
    return joints


def link_pose(table: dict[str, tuple[str, Joint]], link: str, positions_rad: dict[str, float]) -> np.ndarray:
    """Pose of `link` in base_link, 4x4. Joints that `positions_rad` does not name are at zero."""
    if link == "base_link":
        return np.eye(4)
    name, joint = table[link]
    pose = link_pose(table, joint.parent, positions_rad) @ joint.origin
    if joint.axis is not None:
        pose = pose @ transform(rotation_about(joint.axis, positions_rad.get(name, 0.0)), np.zeros(3))
    return pose
