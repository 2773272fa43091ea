"""What happens to things on the table while a robot is at it: simple facts, from which others judge how an episode ended."""

from __future__ import annotations

import mujoco
import numpy as np

SIDES = ("left", "right")


class Facts:
    """Looks at a scene's things now and then and remembers the extremes since the last reset."""

    def __init__(self, model: mujoco.MjModel, items: tuple[str, ...]):
        self.items = items
        self._item_of_geom = np.full(model.ngeom, -1)
        self._side_of_geom = np.full(model.ngeom, -1)
        for geom in range(model.ngeom):
            body = model.body(model.geom_bodyid[geom]).name
            if body in items:
                self._item_of_geom[geom] = items.index(body)
            if model.geom_contype[geom] and "finger" in body:
                self._side_of_geom[geom] = [body.startswith(side) for side in SIDES].index(True)
        self._bodies = [model.body(item).id for item in items]
        self._hands = [model.site(f"{side}_tcp").id for side in SIDES]

    def reset(self, data: mujoco.MjData) -> None:
        self.start_m = data.xpos[self._bodies].copy()
        self.highest_m = self.start_m[:, 2].copy()
        self.least_distance_m = np.full((len(self.items), len(SIDES)), np.inf)
        self.was_touched = np.zeros((len(self.items), len(SIDES)), dtype=bool)
        self.look(data)

    def look(self, data: mujoco.MjData) -> None:
        at_m, hands_m = data.xpos[self._bodies], data.site_xpos[self._hands]
        self.highest_m = np.maximum(self.highest_m, at_m[:, 2])
        distance_m = np.linalg.norm(at_m[:, None] - hands_m[None], axis=2)
        self.least_distance_m = np.minimum(self.least_distance_m, distance_m)
        self.was_touched |= self.touching(data)

    def touching(self, data: mujoco.MjData) -> np.ndarray:
        """Which thing is touched by the fingers of which hand now."""
        found = np.zeros((len(self.items), len(SIDES)), dtype=bool)
        pairs = np.asarray(data.contact.geom).reshape(-1, 2)
        for one, other in (pairs.T, pairs.T[::-1]):
            items, sides = self._item_of_geom[one], self._side_of_geom[other]
            is_touch = (items >= 0) & (sides >= 0)
            found[items[is_touch], sides[is_touch]] = True
        return found

    def of(self, item: str, data: mujoco.MjData) -> dict:
        """`touched_by` hands at any time, `held_by` hands now; `rise_m` the most above its start, `least_distance_m` from its centre to each hand's fingertips."""
        index = self.items.index(item)
        named = lambda flags: [side for side, flag in zip(SIDES, flags, strict=True) if flag]  # noqa: E731
        at_m = data.xpos[self._bodies[index]]
        return {
            "touched_by": named(self.was_touched[index]),
            "held_by": named(self.touching(data)[index]),
            "rise_m": round(float(self.highest_m[index] - self.start_m[index, 2]), 4),
            "moved_m": round(float(np.linalg.norm(at_m[:2] - self.start_m[index, :2])), 4),
            "least_distance_m": {side: round(float(d), 4) for side, d in zip(SIDES, self.least_distance_m[index], strict=True)},
        }
