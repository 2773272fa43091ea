"""What stands between a target on the network and a joint: trackers that keep a speed, and the gates of the chassis. Pure: time steps are arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from r1pro import CHASSIS_ACCELERATION, COMPUTER_DRIVES


class Tracker:
    """Moves a group's references towards the last target, no joint faster than its cap."""

    def __init__(self, position, default_speed):
        self.default_speed = np.asarray(default_speed, dtype=float)
        self.reset(position)

    def reset(self, position) -> None:
        self.reference = np.array(position, dtype=float)
        self.target = self.reference.copy()
        self.speed = self.default_speed

    def command(self, position, velocity=()) -> None:
        """`velocity` holds the largest speed of each joint, if anything. A target of another size is not one for this group."""
        if len(position) == len(self.target) and np.all(np.isfinite(position)):
            self.target = np.array(position, dtype=float)
            self.speed = np.abs(velocity) if len(velocity) == len(position) else self.default_speed

    def step(self, step_s: float) -> np.ndarray:
        most = self.speed * step_s
        self.reference += np.clip(self.target - self.reference, -most, most)
        return self.reference


@dataclass
class Chassis:
    """A base that moves only if somebody listens to its speed, a computer may drive it, its brake is released and an acceleration limit was given.

    What a real one does when targets stop coming is not known: this one goes on with the last, which is the worst it can do.
    """

    is_heard: bool = False
    mode: int = COMPUTER_DRIVES
    is_braked: bool = False
    limit: np.ndarray = field(default_factory=lambda: np.zeros(3))
    target: np.ndarray = field(default_factory=lambda: np.zeros(3))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def give_limit(self, limit) -> None:
        self.limit = np.clip(limit, 0.0, CHASSIS_ACCELERATION)

    def may_move(self) -> bool:
        return self.is_heard and self.mode == COMPUTER_DRIVES and not self.is_braked and bool(np.any(self.limit > 0))

    def step(self, step_s: float) -> np.ndarray:
        """The velocity in the robot's own frame."""
        if self.may_move():
            goal, limit = self.target, self.limit
        else:
            goal, limit = np.zeros(3), np.array(CHASSIS_ACCELERATION)
        self.velocity = self.velocity + np.clip(goal - self.velocity, -limit * step_s, limit * step_s)
        return self.velocity
