"""The R1 Pro of `scene.xml` at its table: MuJoCo's physics and pictures."""

from __future__ import annotations

import io

import mujoco
import numpy as np
from behavior import BASE, base_yaw_rad, heading
from body import Body, Reading
from facts import Facts
from PIL import Image
from rig import Rig, quaternion_xyzw
from tasks import WORDS

MM_PER_FINGER_M = 2000.0
# Where each group's numbers are in the rig's 23.
SPANS = {
    "torso": slice(3, 7), "left_arm": slice(7, 14), "left_gripper": slice(14, 15), "right_arm": slice(15, 22), "right_gripper": slice(22, 23),
}
CAMERAS = {"head": "head_table", "left_wrist": "left_wrist", "right_wrist": "right_wrist"}
ITEMS = ("egg", "cube")
# Physics steps from one look at what happens to things to the next.
LOOK_EVERY = 4
# A thing is done with when it lies inside the tray's walls, low enough to rest on its floor, at rest, touched by no finger; a cube on one of its
# faces. An egg has no side to stand on: it may lie.
TRAY_HALF_M, TRAY_FLOOR_M = 0.086, 0.758
MOST_HEIGHT_M, MOST_SPEED = 0.05, 0.05
UPRIGHT_COS = np.cos(np.radians(30))
# A sensor's noise, in parts of 255; without it, pictures of a robot at rest would be equal, and the runtime would take the camera for frozen.
NOISE, NOISE_SHIFT_PX = 2, 64


class MujocoBody(Body):
    def __init__(self, sizes: dict[str, tuple[int, int]]):
        self.sizes = sizes
        self.rig = Rig(fps=240)
        self.step_s = 1 / self.rig.fps
        self._seen = mujoco.MjData(self.rig.model)
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._noise: dict[tuple[int, int], np.ndarray] = {}
        model = self.rig.model
        joints = [model.joint(index) for index in model.actuator_trnid[:, 0]]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dof = np.array([joint.dofadr[0] for joint in joints])
        self._facts = Facts(model, ITEMS)
        self._step_count = 0

    def reset(self, seed: int, scene: object = None) -> None:
        self.rig.reset(seed)
        if scene is not None:
            self.rig.restore(scene)
        self._facts.reset(self.rig.data)
        self._step_count = 0
        self._shifts = np.random.default_rng(seed)

    def wrong_with(self, scene: object) -> str:
        count = self.rig.model.nq
        is_scene = isinstance(scene, list) and len(scene) == count and all(isinstance(x, int | float) and np.isfinite(x) for x in scene)
        return "" if scene is None or is_scene else f"a scene is {count} finite numbers, found {scene!r:.80}"

    def step(self, references: dict[str, np.ndarray], base_velocity: np.ndarray) -> None:
        action = np.zeros(23)
        action[:3] = heading(self.rig) @ base_velocity
        for group, span in SPANS.items():
            action[span] = references[group] / (MM_PER_FINGER_M if "gripper" in group else 1.0)
        self.rig.step(action)
        self._step_count += 1
        if self._step_count % LOOK_EVERY == 0:
            self._facts.look(self.rig.data)

    def read(self) -> Reading:
        data = self.rig.data
        numbers = [data.qpos[self._qpos], data.qvel[self._dof], data.qfrc_actuator[self._dof]]
        position, velocity, effort = ({group: all_[span].copy() for group, span in SPANS.items()} for all_ in numbers)
        for group in SPANS:
            if "gripper" in group:
                position[group] *= MM_PER_FINGER_M
                velocity[group] *= MM_PER_FINGER_M
        world_velocity = np.array([data.joint(name).qvel[0] for name in BASE])
        base = heading(self.rig).T @ world_velocity
        hands = {side: self._hand(side) for side in ("left", "right")}
        return Reading(data.time, position, velocity, effort, base, hands, data.qpos.copy())

    def _hand(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        torso, hand = self.rig.data.body("torso_link4"), self.rig.data.body(f"{side}_gripper_link")
        rotation = torso.xmat.reshape(3, 3).T
        return rotation @ (hand.xpos - torso.xpos), quaternion_xyzw(rotation @ hand.xmat.reshape(3, 3))

    def picture(self, camera: str, reading: Reading) -> bytes:
        width, height = self.sizes[camera]
        if (height, width) not in self._renderers:
            self._renderers[height, width] = mujoco.Renderer(self.rig.model, height, width)
            shape = height + NOISE_SHIFT_PX, width + NOISE_SHIFT_PX, 3
            self._noise[height, width] = np.random.default_rng(0).integers(-NOISE, NOISE + 1, shape, dtype=np.int16)
        renderer, seen = self._renderers[height, width], self._seen
        if not np.array_equal(seen.qpos, reading.scene):
            seen.qpos[:] = reading.scene
            mujoco.mj_kinematics(self.rig.model, seen)
            mujoco.mj_comPos(self.rig.model, seen)
            mujoco.mj_camlight(self.rig.model, seen)
        renderer.update_scene(seen, CAMERAS[camera])
        down, right = self._shifts.integers(NOISE_SHIFT_PX, size=2)
        noise = self._noise[height, width][down : down + height, right : right + width]
        pixels = np.clip(renderer.render() + noise, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=85)
        return file.getvalue()

    def tasks(self) -> dict[str, str]:
        return WORDS

    def state(self) -> dict:
        """Of each thing whether it is in the tray, upright and released, and whether it is all of that; and what happened to it (see `Facts.of`)."""
        return {"items": {item: self._item(item) for item in ITEMS}, "base_yaw_rad": base_yaw_rad(self.rig), "scene": self.rig.scene()}

    def _item(self, item: str) -> dict:
        model, data = self.rig.model, self.rig.data
        body, joint = data.body(item), data.joint(f"{item}_free")
        tray = model.body("tray").pos
        offset = np.abs(body.xpos[:2] - tray[:2])
        in_tray = bool(np.all(offset < TRAY_HALF_M) and body.xpos[2] < TRAY_FLOOR_M + MOST_HEIGHT_M)
        upright = item == "egg" or bool(np.abs(body.xmat.reshape(3, 3)[2]).max() > UPRIGHT_COS)
        facts = self._facts.of(item, data)
        released = not facts["held_by"] and float(np.linalg.norm(joint.qvel[:3])) < MOST_SPEED
        return {
            "position_m": body.xpos.round(4).tolist(), "quaternion_wxyz": body.xquat.round(4).tolist(), "in_tray": in_tray, "upright": upright, "released": released,
            "success": in_tray and upright and released, **facts,
        }
