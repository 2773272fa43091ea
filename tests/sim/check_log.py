"""Judges what a simulated robot was told: no limit of position, speed or acceleration may be broken by any message.

    check_log.py LOG.npz [--config RUN.toml] [--events RUN.jsonl]

The limits are read from `tests/fixtures/kinematics/r1pro_joints.csv` (what the joints can do) and from the robot description's `operating`, tightened as the
runtime's configuration says (what a policy may command). Everything else is finite differences of what came, over the times that the messages carry:

- every number is finite, inside the joint's range, and inside its margin too unless the motion began outside of it;
- mean speeds between messages are within the limit, and so are differences of neighbouring mean speeds over the time between their middles;
- the first message, and the first of a runtime that was started again (noted in the log), is where the joint is; one after a silence on the network is no
  farther from it than a command may lead; the base begins with zero;
- after a pause as long as the runtime calls a tick late, the same posture comes again, and from there the motion begins anew;
- the base's speed changes within its acceleration, or it is zero: that it may become at once.

With the runtime's events (`--json`), every chunk that was published came, and each is accounted for.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
JOINTS = ROOT / "tests/fixtures/kinematics/r1pro_joints.csv"
DESCRIPTION = ROOT / "models/embodiments/r1pro.toml"
POSITION_GROUPS = ("torso", "left_arm", "left_gripper", "right_arm", "right_gripper")
MM_PER_FINGER_M = 2000.0

# A silence this long ends a motion: the runtime speaks at 30 Hz or more while it commands anything.
SILENCE_S = 0.3
# What a stamp may be off from the time that the limits were computed for, and what sums of float64 lose.
STAMP_JITTER_S = 40e-6
# Stamps and arrivals that differ by more say that somebody set the runtime's clock in between.
CLOCK_SET_S = 1.0
# How far arrivals may be from when the messages were made.
ARRIVAL_JITTER_S = 0.05
ROUNDING = 1e-7
# Where a motion may begin: noise and what a joint moves between its report and the message's arrival, as a share of its range.
START_SHARE = 0.01


@dataclass(frozen=True)
class Limits:
    """Of a group, one number a joint."""

    hard_lower: np.ndarray
    hard_upper: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    lead: np.ndarray
    has_speed_cap: bool


@dataclass(frozen=True)
class Violation:
    group: str
    joint: int
    index: int
    what: str
    found: float
    limit: float

    def __str__(self):
        return f"{self.group}[{self.joint}], message {self.index}: {self.what} {self.found:.6g} past {self.limit:.6g}"


def numbers(value, count: int) -> np.ndarray:
    return np.full(count, value, dtype=float) if np.isscalar(value) else np.array(value, dtype=float)


def read_limits(config: dict) -> dict[str, Limits]:
    description = tomllib.loads(DESCRIPTION.read_text())
    with JOINTS.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    safety = config.get("safety", {})
    return {group["name"]: group_limits(group, rows, safety) for group in description["groups"]}


def group_limits(group: dict, rows: dict[str, dict], safety: dict) -> Limits:
    operating, tighter = group["operating"], safety.get("limits", {}).get(group["name"], {})
    count = len(group["joints"])
    tightened = {}
    for key in ("velocity", "acceleration"):
        most = numbers(operating[key], count) * safety.get({"velocity": "speed_scale", "acceleration": "acceleration_scale"}[key], 1.0)
        tightened[key] = np.minimum(most, numbers(tighter.get(key, np.inf), count))
    margin = np.maximum(numbers(operating.get("margin", 0.0), count), numbers(tighter.get("margin", 0.0), count))
    if group["name"] == "base":
        found = [rows[name] for name in ("base_vx", "base_vy", "base_wz")]
        hard = np.array([float(row["velocity"]) for row in found])
        return Limits(-hard, hard, -hard, hard, np.minimum(tightened["velocity"], hard), tightened["acceleration"], np.full(count, np.inf), False)
    scale = MM_PER_FINGER_M if "gripper" in group["name"] else 1.0
    names = [f"{group['name']}_finger_joint1"] if "gripper" in group["name"] else [joint["name"] for joint in group["joints"]]
    lower, upper = (np.array([float(rows[name][key]) * scale for name in names]) for key in ("lower", "upper"))
    fastest = np.array([float(rows[name]["velocity"] or np.inf) * scale for name in names])
    return Limits(
        lower, upper, lower + margin, upper - margin, np.minimum(tightened["velocity"], fastest), tightened["acceleration"],
        numbers(operating["lead"], count), bool(group["command"].get("has_speed_cap")),
    )


def motions(received_ns: np.ndarray) -> list[slice]:
    """Messages without a silence between them."""
    breaks = np.flatnonzero(np.diff(received_ns) > SILENCE_S * 1e9) + 1
    edges = [0, *breaks.tolist(), len(received_ns)]
    return [slice(start, end) for start, end in zip(edges, edges[1:], strict=False) if end > start]


class Checker:
    def __init__(self, log, config: dict):
        self.log = log
        self.limits = read_limits(config)
        self.late_s = config.get("safety", {}).get("max_tick_gap_ms", 50.0) / 1e3
        self.found: list[Violation] = []
        events = json.loads(str(log["events"])) if "events" in log else []
        self.restarts_ns = [event["at_ns"] for event in events if event.get("note") == "restarted"]

    def check(self) -> list[Violation]:
        for group in POSITION_GROUPS:
            for motion in motions(self.log[f"{group}.received_ns"]):
                self.positions(group, motion)
        for motion in motions(self.log["base.received_ns"]):
            self.base(motion)
        return self.found

    def exceed(self, group: str, what: str, found: np.ndarray, limit: np.ndarray, start: int) -> None:
        """Notes the worst excess of each joint. `found` and `limit` have one row a message."""
        excess = np.where(np.isfinite(found), found - limit, np.inf)
        for joint in np.flatnonzero(np.any(excess > 0, axis=0)):
            row = int(np.argmax(excess[:, joint]))
            limit_there = np.broadcast_to(limit, excess.shape)[row, joint]
            self.found.append(Violation(group, int(joint), start + row, what, float(found[row, joint]), float(limit_there)))

    def positions(self, group: str, motion: slice) -> None:
        limits, start = self.limits[group], motion.start
        position = self.log[f"{group}.position"][motion]
        if not np.all(np.isfinite(position)):
            self.exceed(group, "not a number", position, np.full(position.shape, np.inf), start)
            return
        self.exceed(group, "below its range", limits.hard_lower - ROUNDING - position, np.zeros_like(position), start)
        self.exceed(group, "above its range", position - limits.hard_upper - ROUNDING, np.zeros_like(position), start)
        # Outside its margin a joint only comes nearer.
        lower, upper = np.minimum(limits.lower, np.minimum.accumulate(position)[0]), np.maximum(limits.upper, np.maximum.accumulate(position)[0])
        self.exceed(group, "below its margin", lower - ROUNDING - position, np.zeros_like(position), start)
        self.exceed(group, "above its margin", position - upper - ROUNDING, np.zeros_like(position), start)
        measured = self.log[f"{group}.measured"][motion]
        near = START_SHARE * (limits.hard_upper - limits.hard_lower) if self.is_start(group, motion) else limits.lead
        self.exceed(group, "begins away from the joint by", np.abs(position[:1] - measured[:1]), near[None], start)
        if limits.has_speed_cap:
            cap = self.log[f"{group}.velocity"][motion]
            self.exceed(group, "speed cap", cap, np.broadcast_to(limits.velocity * (1 + ROUNDING), cap.shape), start)
        if len(position) > 1:
            self.differences(group, position, *self.times(group, motion), start)

    def is_start(self, group: str, motion: slice) -> bool:
        """Whether a runtime began here, rather than was not heard for a while."""
        received_ns = self.log[f"{group}.received_ns"]
        before_ns = received_ns[motion.start - 1] if motion.start else 0
        return motion.start == 0 or any(before_ns <= at_ns <= received_ns[motion.start] for at_ns in self.restarts_ns)

    def times(self, group: str, motion: slice) -> tuple[np.ndarray, np.ndarray]:
        """Times between messages, seconds, by their stamps, or, where they have none, by their arrival; and where nobody knows them exactly."""
        stamps, received = self.log[f"{group}.stamp_ns"][motion], self.log[f"{group}.received_ns"][motion]
        by_arrival_s = np.diff(received) * 1e-9
        if np.any(stamps < 0):
            return by_arrival_s, np.ones(len(by_arrival_s), dtype=bool)
        by_stamp_s = np.diff(stamps) * 1e-9
        is_set = np.abs(by_stamp_s - by_arrival_s) > CLOCK_SET_S
        return np.where(is_set, by_arrival_s, by_stamp_s), is_set

    def differences(self, group: str, position: np.ndarray, step_s: np.ndarray, is_vague: np.ndarray, start: int) -> None:
        limits = self.limits[group]
        for row in np.flatnonzero(step_s <= 0):
            self.found.append(Violation(group, 0, start + int(row) + 1, "time stands or goes back by", float(-step_s[row]), 0.0))
        if np.any(step_s <= 0):
            return
        moved = np.diff(position, axis=0)
        velocity = moved / step_s[:, None]
        jitter = limits.velocity * np.where(is_vague, ARRIVAL_JITTER_S, STAMP_JITTER_S)[:, None]
        self.exceed(group, "speed", np.abs(velocity), limits.velocity + (jitter + ROUNDING) / step_s[:, None], start + 1)
        # A late tick repeats the posture: what was a motion ended in between.
        is_anew = (step_s > self.late_s) & np.all(moved == 0, axis=1)
        before = np.vstack([np.zeros(position.shape[1]), velocity[:-1]])
        before[1:][is_anew[:-1]] = 0.0
        step_before_s = np.concatenate([step_s[:1], step_s[:-1]])
        between_s = ((step_s + step_before_s) / 2)[:, None]
        cannot_tell = is_anew | is_vague | np.concatenate([[False], is_vague[:-1]])
        acceleration = np.where(cannot_tell[:, None], 0.0, np.abs(velocity - before) / between_s)
        slack = (2 * jitter + 4 * ROUNDING) / np.minimum(step_s, step_before_s)[:, None] / between_s
        self.exceed(group, "acceleration", acceleration, limits.acceleration + slack, start + 1)

    def base(self, motion: slice) -> None:
        limits, start = self.limits["base"], motion.start
        velocity = self.log["base.position"][motion]
        self.exceed("base", "speed", np.abs(velocity), np.broadcast_to(limits.velocity + ROUNDING, velocity.shape), start)
        self.exceed("base", "begins with", np.abs(velocity[:1]), np.zeros((1, 3)), start)
        if len(velocity) < 2:
            return
        step_s, is_vague = self.times("base", motion)
        slack_s = np.where(is_vague, ARRIVAL_JITTER_S, STAMP_JITTER_S)
        change = np.where(velocity[1:] == 0, 0.0, np.abs(np.diff(velocity, axis=0)))
        self.exceed("base", "change of speed", change, limits.acceleration * (step_s + slack_s)[:, None] + ROUNDING, start + 1)


def check_chunks(log, events: Path) -> list[str]:
    """What is wrong with the account of chunks."""
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    summary = lines[-1]
    if summary.get("event") != "summary":
        return ["the events do not end with a summary"]
    wrong = []
    published = {line["sequence"] for line in lines if line["event"] == "chunk"}
    seen = log["chunks"][:, 0].tolist()
    if lost := published - set(seen):
        wrong.append(f"{len(lost)} of {len(published)} chunks never came, such as {min(lost)}")
    if len(seen) != len(set(seen)):
        wrong.append("a chunk came twice")
    ends = sum(summary["chunk_ends"].values())
    if ends != summary["chunk_count"]:
        wrong.append(f"{summary['chunk_count']} chunks were published, {ends} are accounted for: {summary['chunk_ends']}")
    if summary["lost_event_count"]:
        wrong.append(f"{summary['lost_event_count']} events were lost")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--config", type=Path, help="what the runtime was given")
    parser.add_argument("--events", type=Path, help="what the runtime said with --json")
    args = parser.parse_args()
    log = np.load(args.log)
    config = tomllib.loads(args.config.read_text()) if args.config else {}
    wrong = [str(violation) for violation in Checker(log, config).check()]
    if args.events:
        wrong += check_chunks(log, args.events)
    for line in wrong:
        print(line)
    counts = {group: len(log[f"{group}.received_ns"]) for group in (*POSITION_GROUPS, "base")}
    print(f"{'refused' if wrong else 'ok'}: {counts}, {len(log['chunks'])} chunks")
    return 1 if wrong or not all(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
