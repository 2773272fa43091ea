"""A robot without mass: joints are where their references are a moment later, pictures are of one colour. Needs no simulator.

Its tasks are games of one joint each: the first joint of an arm has to pass a place. With an even seed there is one within its swing for the left arm, with an odd
one there is none; the right arm's is always out of reach.
"""

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
WORDS = {"left": "reach left", "right": "reach right"}
OUT_OF_REACH_RAD = 0.9
# How near counts as there.
NEAR_RAD = 0.01


class KinematicBody(Body):
    step_s = 1 / 240

    def __init__(self, sizes: dict[str, tuple[int, int]]):
        self.sizes = sizes
        self.colors = {camera.name: (0, 0, 0) for camera in CAMERAS}
        self._jpegs: dict[tuple, bytes] = {}
        self._frame_count = 0
        self.reset(0)

    def reset(self, seed: int, scene: object = None) -> None:
        self.position = {group: np.array(at, dtype=float) for group, at in POSTURE.items()}
        self.velocity = {group: np.zeros(len(at)) for group, at in POSTURE.items()}
        self.base_velocity = np.zeros(3)
        self.time_s = 0.0
        within_rad = np.random.default_rng(seed).uniform(-0.2, 0.2)
        self.goals_rad = {"left": within_rad if seed % 2 == 0 else OUT_OF_REACH_RAD, "right": OUT_OF_REACH_RAD}
        self.nearest_rad = {side: abs(self.position[f"{side}_arm"][0] - goal) for side, goal in self.goals_rad.items()}

    def step(self, references: dict[str, np.ndarray], base_velocity: np.ndarray) -> None:
        share = self.step_s / (LAG_S + self.step_s)
        for group, reference in references.items():
            moved = share * (reference - self.position[group])
            self.position[group] += moved
            self.velocity[group] = moved / self.step_s
        self.base_velocity = base_velocity
        self.time_s += self.step_s
        for side, goal_rad in self.goals_rad.items():
            distance_rad = abs(self.position[f"{side}_arm"][0] - goal_rad)
            self.nearest_rad[side] = min(self.nearest_rad[side], distance_rad)

    def read(self) -> Reading:
        position = {group: at.copy() for group, at in self.position.items()}
        velocity = {group: at.copy() for group, at in self.velocity.items()}
        return Reading(self.time_s, position, velocity, {group: np.zeros(len(at)) for group, at in position.items()}, self.base_velocity.copy())

    def tasks(self) -> dict[str, str]:
        return WORDS

    def state(self) -> dict:
        return {"items": {side: self._game(side) for side in self.goals_rad}}

    def _game(self, side: str) -> dict:
        """In the terms of things on a table: what was reached lies in the tray."""
        was_reached = bool(self.nearest_rad[side] < NEAR_RAD)
        return {
            "in_tray": was_reached, "upright": True, "released": True, "success": was_reached, "touched_by": [side] if was_reached else [], "held_by": [],
            "rise_m": 0.0, "moved_m": 0.0, "least_distance_m": {side: round(float(self.nearest_rad[side]), 6)},
        }

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
