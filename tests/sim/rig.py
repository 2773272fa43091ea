"""A small closed-loop rig: the R1-Pro-like MuJoCo scene, a 23-number action and a scripted picker (numpy and mujoco only).

Order of the 23 numbers, for action and state alike: base x, y, yaw velocity (world frame), torso 4, left arm 7, left gripper, right arm 7,
right gripper. Angles in rad, grippers in metres per finger (0 closed, 0.05 open).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco  # noqa: E402
import numpy as np  # noqa: E402

SCENE = Path(__file__).with_name("scene.xml")
CAMERAS = ("head_table", "left_wrist", "right_wrist")
HOME_RAD = {
    "torso_joint1": 0.65, "torso_joint2": -1.2, "torso_joint3": -0.65,
    "left_arm_joint1": 0.3, "left_arm_joint2": 0.15, "left_arm_joint4": -1.4,
    "right_arm_joint1": 0.3, "right_arm_joint2": -0.15, "right_arm_joint4": -1.4,
}
OPEN_M = 0.04
TRAY_DROP_M = np.array([0.52, 0.0, 0.86])
ARM_START = {"left": 7, "right": 15}
# Angle of the gripper's approach from the vertical, and how softly the inverse kinematics treats small singular values.
APPROACH_TILT_RAD = 0.8
DAMPING = 1e-3
# What the arm's second joint is pulled towards, outwards, as far as the hand's pose leaves it free, and how strongly: elbows that stay close graze the torso,
# and the safety core would not let a policy do what it was shown.
ELBOW_OUT_RAD, ELBOW_PULL = 1.4, 0.1
# How far a varied motion keeps an arm off the torso, how many are tried, and what share of the way from posture to posture is between looks.
CLEAR_M, TRIES, LOOK_SHARE = 0.03, 20, 0.2
# Actions a second that the picker is made for, and how fast its varied motions turn a joint at most: what a robot's limits allow, with something in hand.
PICK_HZ = 30
FASTEST_RAD_S = 1.4
# Highest speed of `ease`, in parts of its mean.
EASE_PEAK = 1.5


@dataclass(frozen=True)
class Waypoint:
    gripper_m: np.ndarray
    opening_m: float
    step_count: int


class Rig:
    def __init__(self, scene: Path = SCENE, size: tuple[int, int] = (240, 320), fps: int = 30):
        """`size` is (height, width) of the pictures that `images` gives."""
        self.model = mujoco.MjModel.from_xml_path(str(scene))
        self.data = mujoco.MjData(self.model)
        self.fps = fps
        self.size = size
        self._substep_count = round(1 / fps / self.model.opt.timestep)
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._ik_data = mujoco.MjData(self.model)
        joints = [self.model.joint(i) for i in self.model.actuator_trnid[:, 0]]
        self._position_index = [j.qposadr[0] for j in joints]
        self._base_velocity_index = [j.dofadr[0] for j in joints[:3]]
        self.reset(seed=0)

    def reset(self, seed: int) -> np.ndarray:
        """Robot at home, cube and egg at random places on their sides of the tray."""
        rng = np.random.default_rng(seed)
        mujoco.mj_resetData(self.model, self.data)
        for name, position_rad in HOME_RAD.items():
            self.data.joint(name).qpos = position_rad
        for side in ARM_START:
            for finger in (1, 2):
                self.data.joint(f"{side}_gripper_finger_joint{finger}").qpos = OPEN_M
        self.data.joint("cube_free").qpos[:2] = rng.uniform([0.44, -0.32], [0.56, -0.18])
        self.data.joint("egg_free").qpos[:2] = rng.uniform([0.44, 0.18], [0.56, 0.32])
        half_turn = rng.uniform(-0.2, 0.2) / 2
        self.data.joint("cube_free").qpos[3:] = [np.cos(half_turn), 0, 0, np.sin(half_turn)]
        self.home_action = self.data.qpos[self._position_index].copy()
        self.home_action[:3] = 0
        self.data.ctrl[:] = self.home_action
        self.forward()
        return self.state()

    def scene(self) -> list[float]:
        """Every joint's and thing's position."""
        return self.data.qpos.round(6).tolist()

    def restore(self, scene: list[float]) -> None:
        """Everything as it stood then, at rest."""
        self.data.qpos[:] = scene
        self.data.qvel[:] = 0
        self.data.ctrl[:] = self.data.qpos[self._position_index]
        self.data.ctrl[:3] = 0
        self.forward()

    def forward(self) -> None:
        """Brings poses and forces up to date after joint positions were set by hand."""
        mujoco.mj_forward(self.model, self.data)

    def state(self) -> np.ndarray:
        """23 numbers in the action's order, as measured."""
        state = self.data.qpos[self._position_index].copy()
        state[:3] = self.data.qvel[self._base_velocity_index]
        return state.astype(np.float32)

    def render(self, camera: str, size: tuple[int, int]) -> np.ndarray:
        if size not in self._renderers:
            self._renderers[size] = mujoco.Renderer(self.model, *size)
        renderer = self._renderers[size]
        renderer.update_scene(self.data, camera)
        return renderer.render().copy()

    def images(self) -> dict[str, np.ndarray]:
        return {camera: self.render(camera, self.size) for camera in CAMERAS}

    def step(self, action: np.ndarray) -> None:
        low, high = self.model.actuator_ctrlrange.T
        self.data.ctrl[:] = np.clip(action, low, high)
        mujoco.mj_step(self.model, self.data, self._substep_count)
        # A step leaves the poses of bodies and cameras one substep behind the joints.
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def solve_arm(self, side: str, target_m: np.ndarray, yaw_rad: float, start_rad: np.ndarray) -> np.ndarray:
        """Joint positions that bring the gripper to `target_m` in the world, reaching forward and down, turned by `yaw_rad`.

        Damped least squares with a null-space pull towards `start_rad` with the elbow out.
        """
        model, data = self.model, self._ik_data
        data.qpos[:] = self.data.qpos
        joints = [model.joint(f"{side}_arm_joint{i}") for i in range(1, 8)]
        qpos = np.array([j.qposadr[0] for j in joints])
        dof = np.array([j.dofadr[0] for j in joints])
        low, high = np.array([j.range for j in joints]).T + [[0.01], [-0.01]]
        site = model.site(f"{side}_tcp").id
        target_rotation = approach_rotation(yaw_rad)
        jacobian = np.zeros((6, model.nv))
        data.qpos[qpos] = start_rad
        rest_rad = start_rad.copy()
        rest_rad[1] = ELBOW_OUT_RAD if side == "left" else -ELBOW_OUT_RAD
        for _ in range(200):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            rotation = data.site_xmat[site].reshape(3, 3)
            turn = 0.5 * np.cross(rotation, target_rotation, axis=0).sum(axis=1)
            error = np.r_[target_m - data.site_xpos[site], turn]
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
            j = jacobian[:, dof]
            inverse = j.T @ np.linalg.inv(j @ j.T + DAMPING * np.eye(6))
            swivel = (np.eye(7) - inverse @ j) @ (ELBOW_PULL * (rest_rad - data.qpos[qpos]))
            if np.linalg.norm(error[:3]) < 5e-4 and np.linalg.norm(error[3:]) < 5e-3 and np.abs(swivel).max() < 1e-3:
                break
            data.qpos[qpos] = np.clip(data.qpos[qpos] + np.clip(inverse @ error + swivel, -0.2, 0.2), low, high)
        return data.qpos[qpos].copy()

    def solve_plan(self, side: str, plan: list[Waypoint], yaw_rad: float, start_rad: np.ndarray) -> list[np.ndarray]:
        """The postures of a plan, from the one it begins in."""
        postures_rad = [start_rad]
        for waypoint in plan:
            postures_rad.append(self.solve_arm(side, waypoint.gripper_m, yaw_rad, postures_rad[-1]))
        return postures_rad

    def is_clear(self, side: str, postures_rad: list[np.ndarray]) -> bool:
        """Whether an arm keeps off the torso from posture to posture."""
        model, data = self.model, self._ik_data
        joints = [model.joint(f"{side}_arm_joint{i}").qposadr[0] for i in range(1, 8)]
        # Its first link turns on the torso's side.
        moving = [f"{side}_arm_link{i}" for i in range(2, 8)] + [f"{side}_gripper_link"]
        arm, torso = (
            [geom for geom in range(model.ngeom) if model.body(model.geom_bodyid[geom]).name in bodies]
            for bodies in (moving, [f"torso_link{i}" for i in range(1, 5)])
        )
        data.qpos[:] = self.data.qpos
        for before, after in pairwise(postures_rad):
            for share in np.arange(LOOK_SHARE, 1 + 1e-9, LOOK_SHARE):
                data.qpos[joints] = before + share * (after - before)
                mujoco.mj_kinematics(model, data)
                if any(mujoco.mj_geomDistance(model, data, a, b, CLEAR_M, None) < CLEAR_M for a in arm for b in torso):
                    return False
        return True

    def pick_and_place(
        self, side: str, item: str, variety: np.random.Generator | None = None, start: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """125 actions of one arm: above the item, down, close, lift, carry to the tray, open, back off.

        With `variety` up to 200: half the time by a detour, then down beside the item before that is put right, as a person would. `start` is the action before
        the first; without, the robot is at home.
        """
        start = self.home_action if start is None else start
        arm = slice(ARM_START[side], ARM_START[side] + 7)
        gripper = arm.stop
        at = self.data.body(item).xpos.copy()
        yaw_rad = level_yaw_rad(self.data.body(item).xmat.reshape(3, 3)) if item == "cube" else 0.0
        plan = [
            Waypoint(at + [-0.05, 0, 0.09], OPEN_M, 30),
            Waypoint(at + [0, 0, 0.004], OPEN_M, 20),
            Waypoint(at + [0, 0, 0.004], 0.0, 10),
            Waypoint(at + [-0.02, 0, 0.10], 0.0, 20),
            Waypoint(TRAY_DROP_M, 0.0, 25),
            Waypoint(TRAY_DROP_M, OPEN_M, 10),
            Waypoint(TRAY_DROP_M + [-0.04, 0, 0.05], OPEN_M, 10),
        ]
        postures_rad = self.solve_plan(side, plan, yaw_rad, start[arm])
        for _ in range(0 if variety is None else TRIES):
            varied = vary(plan, variety)
            varied_rad = self.solve_plan(side, varied, yaw_rad, start[arm])
            if self.is_clear(side, varied_rad):
                plan, postures_rad = varied, varied_rad
                break

        action = start.copy()
        for start_rad, end_rad, waypoint in zip(postures_rad, postures_rad[1:], plan, strict=False):
            start_m = action[gripper]
            step_count = waypoint.step_count
            if variety is not None:
                step_count = steps_between(start_rad, end_rad, step_count)
            for i in range(step_count):
                done = (i + 1) / step_count
                action[arm] = start_rad + (end_rad - start_rad) * ease(done)
                # The fingers take half the time, so that they have closed before the arm leaves.
                action[gripper] = start_m + (waypoint.opening_m - start_m) * min(1.0, 2 * done)
                yield action.copy()


def vary(plan: list[Waypoint], rng: np.random.Generator) -> list[Waypoint]:
    """The same task with detours: first to somewhere on the way, then past the item by a hand's error, and a drop that is not always at the same place."""
    above, down, close, lift, drop, release, leave = plan
    somewhere = Waypoint(above.gripper_m + rng.uniform([-0.06, -0.08, -0.02], [0.02, 0.08, 0.12]), OPEN_M, 30)
    above = replace(above, gripper_m=above.gripper_m + rng.uniform([-0.03, -0.03, -0.02], [0.03, 0.03, 0.02]))
    beside = Waypoint(down.gripper_m + rng.uniform([-0.03, -0.025, 0.045], [0.01, 0.025, 0.065]), OPEN_M, 18)
    shift = rng.uniform([-0.02, -0.015, -0.01], [0.02, 0.015, 0.02])
    end = [replace(waypoint, gripper_m=waypoint.gripper_m + shift) for waypoint in (replace(drop, step_count=32), release, leave)]
    detour = [somewhere] if rng.random() < 0.5 else []
    return [*detour, above, beside, replace(down, step_count=15), close, lift, *end]


def steps_between(start_rad: np.ndarray, end_rad: np.ndarray, least: int) -> int:
    """How many steps an eased motion takes whose joints are nowhere too fast."""
    return max(least, int(np.ceil(EASE_PEAK * np.abs(end_rad - start_rad).max() / FASTEST_RAD_S * PICK_HZ)))


def ease(done: float) -> float:
    """0..1 -> 0..1 with zero speed at both ends."""
    return done * done * (3 - 2 * done)


def level_yaw_rad(rotation: np.ndarray) -> float:
    """How a cube's sides are turned about the vertical, whichever side it lies on: -45 to 45 degrees."""
    level = rotation[:, np.abs(rotation[2]).argmin()]
    return (np.arctan2(level[1], level[0]) + np.pi / 4) % (np.pi / 2) - np.pi / 4


def approach_rotation(yaw_rad: float) -> np.ndarray:
    """Gripper axes in the world: -z points forward and down along the approach, y is level and turned by `yaw_rad`."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    tilt_sin, tilt_cos = np.sin(APPROACH_TILT_RAD), np.cos(APPROACH_TILT_RAD)
    z = -np.array([tilt_sin * c, tilt_sin * s, -tilt_cos])
    y = np.array([-s, c, 0.0])
    return np.column_stack([np.cross(y, z), y, z])


def quaternion_xyzw(rotation: np.ndarray) -> np.ndarray:
    wxyz = np.zeros(4)
    mujoco.mju_mat2Quat(wxyz, rotation.flatten())
    return np.roll(wxyz, -1)
