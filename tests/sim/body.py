"""What a simulated robot's body is to the robot around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Reading:
    """What the sensors say at one moment. Arms and torso in rad, grippers in mm, the base in its own frame, in m/s and rad/s."""

    time_s: float
    position: dict[str, np.ndarray]
    velocity: dict[str, np.ndarray]
    effort: dict[str, np.ndarray]
    base_velocity: np.ndarray
    # Of each hand in torso_link4: position in m, quaternion x, y, z, w.
    hands: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    # Whatever the body needs to take a picture of this moment.
    scene: object = None


class Body(ABC):
    """Joints that follow references, one step at a time."""

    # How long a step is.
    step_s: float

    @abstractmethod
    def reset(self, seed: int, scene: object = None) -> None:
        """Back to the start, where the seed says where things lie; or to a scene that `state` told of."""

    def wrong_with(self, scene: object) -> str:
        """Why it cannot be reset to a scene; empty where it can."""
        return "" if scene is None else f"this body knows no scenes, found {scene!r:.80}"

    @abstractmethod
    def step(self, references: dict[str, np.ndarray], base_velocity: np.ndarray) -> None:
        """One step towards each group's references, the base at a velocity in its own frame."""

    @abstractmethod
    def read(self) -> Reading:
        """The sensors."""

    @abstractmethod
    def picture(self, camera: str, reading: Reading) -> bytes:
        """A JPEG of the moment of a reading. Always called by the same thread."""

    def tasks(self) -> dict[str, str]:
        """What it can be asked to do: the words, by the name of the thing that has to end well."""
        return {}

    def state(self) -> dict:
        """What happened to things in the scene; as `scene` how everything stands, for `reset`."""
        return {}
