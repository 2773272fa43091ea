"""A robot without mass: joints are where their references are a moment later, pictures are of one colour. Needs no simulator."""

from __future__ import annotations

import io

import numpy as np
from body import Body, Reading
from PIL import Image
from r1pro import CAMERAS

# How far joints are behind their references.
LAG_S = 0.02
# Where the rig's robot begins too.
POSTURE = {
    "torso": (0.65, -1.2, -0.65, 0.0),
    "left_arm": (0.3, 0.15, 0.0, -1.4, 0.0, 0.0, 0.0),
    "left_gripper": (80.0,),
    "right_arm": (0.3, -0.15, 0.0, -1.4, 0.0, 0.0, 0.0),
    "right_gripper": (80.0,),
}


class KinematicBody(Body):
    step_s = 1 / 240

    def __init__(self, sizes: dict[str, tuple[int, int]]):
        self.sizes = sizes
        self.colors = {camera.name: (0, 0, 0) for camera in CAMERAS}
        self._jpegs: dict[tuple, bytes] = {}
        self._frame_count = 0
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.position = {group: np.array(at, dtype=float) for group, at in POSTURE.items()}
        self.velocity = {group: np.zeros(len(at)) for group, at in POSTURE.items()}
        self.base_velocity = np.zeros(3)
        self.time_s = 0.0

    def step(self, references: dict[str, np.ndarray], base_velocity: np.ndarray) -> None:
        share = self.step_s / (LAG_S + self.step_s)
        for group, reference in references.items():
            moved = share * (reference - self.position[group])
            self.position[group] += moved
            self.velocity[group] = moved / self.step_s
        self.base_velocity = base_velocity
        self.time_s += self.step_s

    def read(self) -> Reading:
        position = {group: at.copy() for group, at in self.position.items()}
        velocity = {group: at.copy() for group, at in self.velocity.items()}
        return Reading(self.time_s, position, velocity, {group: np.zeros(len(at)) for group, at in position.items()}, self.base_velocity.copy())

    def picture(self, camera: str, reading: Reading) -> bytes:
        """A JPEG of one colour, with noise that is another in each of a few frames, as a camera's is."""
        self._frame_count += 1
        key = (self.colors[camera], self.sizes[camera], self._frame_count % 8)
        if key not in self._jpegs:
            color, (width, height), number = key
            noise = np.random.default_rng(number).integers(-2, 3, (height, width, 3))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=85)
            self._jpegs[key] = file.getvalue()
        return self._jpegs[key]
