"""Each limit broken by a little in a log that keeps them all: the checker has to see it. `python -m unittest test_check_log`"""

import unittest

import numpy as np
from check_log import POSITION_GROUPS, Checker, read_limits

LIMITS = read_limits({})
TICK_NS = 10_000_000
COUNT = 300


def clean() -> dict[str, np.ndarray]:
    """Every group swings at nine tenths of what it may, as far as there is room, from rest; the base speeds up at its limit and stops at once."""
    at_ns = np.arange(COUNT) * TICK_NS
    time_s = at_ns * 1e-9
    log = {"chunks": np.zeros((0, 3), dtype=np.int64)}
    for group in POSITION_GROUPS:
        limits = LIMITS[group]
        middle = (limits.lower + limits.upper) / 2
        # x = a (1 - cos w t): speed a w, acceleration a w^2; that it begins at once is no matter, there is no limit of jerk.
        w = limits.acceleration / limits.velocity
        a = np.minimum(0.9 * limits.velocity / w, 0.45 * (limits.upper - middle))
        log[f"{group}.position"] = middle + a * (1 - np.cos(w * time_s[:, None]))
        log[f"{group}.velocity"] = np.tile(limits.velocity, (COUNT, 1))
        log[f"{group}.measured"] = log[f"{group}.position"].copy()
        log[f"{group}.received_ns"], log[f"{group}.stamp_ns"] = at_ns + 500_000, at_ns.copy()
    speed = np.minimum(LIMITS["base"].acceleration * time_s[:, None], LIMITS["base"].velocity)
    speed[200:] = 0.0
    log["base.position"], log["base.measured"] = speed, np.zeros((COUNT, 3))
    log["base.velocity"] = np.full((COUNT, 3), np.nan)
    log["base.received_ns"], log["base.stamp_ns"] = at_ns + 500_000, at_ns.copy()
    return log


def found(log: dict[str, np.ndarray], config: dict | None = None) -> set[tuple[str, str]]:
    return {(violation.group, violation.what) for violation in Checker(log, config or {}).check()}


class Planted(unittest.TestCase):
    def test_a_clean_log_passes(self):
        self.assertEqual(found(clean()), set())

    def test_a_tightened_limit_counts(self):
        self.assertIn(("torso", "speed"), found(clean(), {"safety": {"speed_scale": 0.5}}))
        tight = {"safety": {"limits": {"left_arm": {"acceleration": 4.0}}}}
        self.assertEqual({group for group, _ in found(clean(), tight)}, {"left_arm"})

    def test_each_joint_range_and_margin(self):
        for group in POSITION_GROUPS:
            limits = LIMITS[group]
            for joint in range(len(limits.lower)):
                for what, place in (("above its range", limits.hard_upper[joint] + 1e-3), ("below its range", limits.hard_lower[joint] - 1e-3)):
                    log = clean()
                    log[f"{group}.position"][:, joint] = place
                    log[f"{group}.measured"][:, joint] = place
                    self.assertIn((group, what), found(log))
                if limits.upper[joint] < limits.hard_upper[joint]:
                    log = clean()
                    log[f"{group}.position"][-40:, joint] = limits.upper[joint] + 1e-3
                    self.assertIn((group, "above its margin"), found(log))

    def test_speed_and_acceleration(self):
        for group in POSITION_GROUPS:
            for joint in range(len(LIMITS[group].lower)):
                # The same positions in three fifths of the time.
                log = clean()
                log[f"{group}.stamp_ns"] = log[f"{group}.stamp_ns"] * 3 // 5
                self.assertTrue({(group, "speed"), (group, "acceleration")} <= found(log))
                log = clean()
                step = 2.5 * LIMITS[group].acceleration[joint] * (TICK_NS * 1e-9) ** 2
                log[f"{group}.position"][150:, joint] += step
                self.assertIn((group, "acceleration"), found(log), f"{group} {joint}")

    def test_where_a_motion_begins(self):
        log = clean()
        log["left_arm.measured"][0, 2] += 0.1
        self.assertIn(("left_arm", "begins away from the joint by"), found(log))
        log = clean()
        log["base.position"] = np.maximum(log["base.position"], 0.01)
        self.assertIn(("base", "begins with"), found(log))

    def test_the_base(self):
        log = clean()
        log["base.position"][100:150, 2] = LIMITS["base"].velocity[2] + 1e-3
        self.assertIn(("base", "speed"), found(log))
        log = clean()
        log["base.position"][200:250, 0] = 0.1
        self.assertIn(("base", "change of speed"), found(log))

    def test_nonsense(self):
        log = clean()
        log["torso.position"][7, 1] = np.nan
        self.assertIn(("torso", "not a number"), found(log))
        log = clean()
        log["left_arm.velocity"][9, 0] = LIMITS["left_arm"].velocity[0] * 1.01
        self.assertIn(("left_arm", "speed cap"), found(log))
        log = clean()
        log["right_arm.stamp_ns"][50] = log["right_arm.stamp_ns"][49]
        self.assertIn(("right_arm", "time stands or goes back by"), found(log))

    def test_a_late_tick_may_end_a_motion_but_not_go_on_with_another(self):
        log = clean()
        for key in ("stamp_ns", "received_ns"):
            log[f"torso.{key}"][100:] += 60_000_000
        log["torso.position"][100:] = log["torso.position"][99]
        self.assertEqual(found(log), set())
        log["torso.position"][101:] += 2e-3
        self.assertIn(("torso", "acceleration"), found(log))


if __name__ == "__main__":
    unittest.main()
