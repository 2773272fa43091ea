"""What a dataset made of a log of write_logs.py has to hold, worked out anew from the log with the PyPI packages `rosbags` and `numpy`.

    converted.py LOG [FPS] [COMMA-SEPARATED CAMERAS]

Prints JSON: a task, a state (`behavior-2025-top32`), an action and each camera's picture number, a row.
"""

import io
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image
from rosbags.highlevel import AnyReader

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "tests/sim"))
from kinematics import link_pose, read_table  # noqa: E402

MS = 10**6
MAX_SKEW_NS, MAX_AGE_NS, SETTLE_NS = 50 * MS, 250 * MS, 10 * MS
BASE_HOLD_NS = 500 * MS
CAMERA_TOPICS = {"head": "camera_head", "left_wrist": "camera_wrist_left", "right_wrist": "camera_wrist_right"}
GROUPS = ["torso", "left_arm", "left_gripper", "right_arm", "right_gripper"]
FEEDBACK = {"torso": "feedback_torso", "left_arm": "feedback_arm_left", "left_gripper": "feedback_gripper_left"}
FEEDBACK |= {"right_arm": "feedback_arm_right", "right_gripper": "feedback_gripper_right"}
COMMANDS = {"torso": "joint_state_torso", "left_arm": "joint_state_arm_left", "left_gripper": "position_gripper_left"}
COMMANDS |= {"right_arm": "joint_state_arm_right", "right_gripper": "position_gripper_right", "base": "target_speed_chassis"}
DESCRIPTION = tomllib.loads((ROOT / "models/embodiments/r1pro.toml").read_text())
LAYOUT = next(layout for layout in DESCRIPTION["layouts"] if layout["name"] == "behavior-2025-top32")
TABLE = read_table()
# Full speed of the base, which BEHAVIOR calls 1: m/s, m/s, rad/s.
BASE_FULL = np.array([0.75, 0.75, 1.0])


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def number_of(message) -> int:
    picture = np.asarray(Image.open(io.BytesIO(message.data.tobytes())).convert("L"), dtype=float)
    upper = picture[: picture.shape[0] // 2]
    fields = np.array_split(upper, 8, axis=1)
    return sum(1 << bit for bit, field in enumerate(fields) if field.mean() > 128)


def read(path: Path):
    """By input: when messages came, when they were taken, what they say."""
    inputs = {name: ([], [], []) for name in [*CAMERA_TOPICS, *GROUPS, *(f"command {group}" for group in COMMANDS), "words"]}
    with AnyReader([path]) as reader:
        for connection, at_ns, data in reader.messages():
            topic = connection.topic

            def put(name, taken_ns, value):
                for values, new in zip(inputs[name], (at_ns, taken_ns, value), strict=True):
                    values.append(new)

            message = reader.deserialize(data, connection.msgtype)
            for camera, part in CAMERA_TOPICS.items():
                if part in topic:
                    put(camera, stamp_ns(message), number_of(message))
            for group, part in FEEDBACK.items():
                if part in topic:
                    put(group, stamp_ns(message), (message.position, message.velocity))
            for group, part in COMMANDS.items():
                if part in topic:
                    plain = message.twist if hasattr(message, "twist") else message
                    put(f"command {group}", at_ns, [plain.linear.x, plain.linear.y, plain.angular.z] if group == "base" else message.position)
            if topic == "/sinew/instruction":
                put("words", at_ns, message.data)
    return {name: (np.array(came, dtype=np.int64), np.array(taken, dtype=np.int64), values) for name, (came, taken, values) in inputs.items()}


def observations(inputs, cameras):
    """Of each frame of the reference camera that goes with all else: its time, and which sample of each input."""
    others = [*cameras[1:], *GROUPS]
    moments = np.sort(np.concatenate([inputs[name][0] for name in [*cameras, *GROUPS]]))
    words_at = inputs["words"][0][0]
    for index, (came, taken, _) in enumerate(zip(*inputs[cameras[0]], strict=True)):
        chosen = {cameras[0]: index}
        reached = [inputs[name][0][inputs[name][1] >= taken] for name in others]
        complete = max((int(came_then[0]) if len(came_then) else 2**62) for came_then in reached)
        settled = moments[moments >= came + SETTLE_NS]
        seen_at = max(came, min(complete, settled[0] if len(settled) else 2**62))
        if seen_at >= 2**62 or taken < words_at or seen_at - taken > MAX_AGE_NS:
            continue
        for name in others:
            known = inputs[name][1][inputs[name][0] <= seen_at]
            chosen[name] = int(np.argmin(np.abs(known - taken))) if len(known) else None
        if all(chosen[name] is not None and abs(inputs[name][1][chosen[name]] - taken) <= MAX_SKEW_NS for name in others):
            yield int(taken), chosen


def state(joints):
    positions = {f"{group}_joint{i + 1}": value for group in ("torso", "left_arm", "right_arm") for i, value in enumerate(joints[group][0])}
    numbers = []
    for dimension in LAYOUT["state"]:
        stem, kind = dimension["name"].split(".")
        if kind in "xyz":
            hand = next(hand for hand in DESCRIPTION["hands"] if hand["name"] == stem)
            numbers.append(link_pose(TABLE, hand["link"], positions)[:3, 3]["xyz".index(kind)])
        elif "gripper" in stem:
            numbers.append(joints[stem.split("_finger")[0]][0][0] / 2000)
        else:
            group, joint = stem.rsplit("_joint", 1)
            numbers.append(joints[group][0 if kind == "pos" else 1][int(joint) - 1])
    return numbers


def action(inputs, joints, begin, end):
    parts = {}
    for group in COMMANDS:
        came, _, values = inputs[f"command {group}"]
        within = np.flatnonzero((came >= begin) & (came < end))
        before = np.flatnonzero(came < begin)
        index = within[0] if len(within) else before[-1] if len(before) else None
        if group == "base":
            is_over = index is None or begin - came[index] > BASE_HOLD_NS
            parts[group] = np.zeros(3) if is_over else np.array(values[index]) / BASE_FULL
        else:
            wire = np.array(joints[group][0] if index is None else values[index])
            parts[group] = wire / 50 - 1 if "gripper" in group else wire
    order = ["base", "torso", "left_arm", "left_gripper", "right_arm", "right_gripper"]
    return np.concatenate([parts[group] for group in order]).tolist()


def main(path: Path, fps: int = 30, cameras=("head", "left_wrist", "right_wrist")):
    inputs = read(path)
    seen = list(observations(inputs, cameras))
    times = np.array([taken for taken, _ in seen])
    phase = np.exp(2j * np.pi * (times - times[0]) * fps / 1e9).mean()
    start = times[0] + (round(np.angle(phase) / (2 * np.pi) * 1e9 / fps) if abs(phase) >= 0.5 else 0)
    rows = []
    while (at := start + round(len(rows) * 10**9 / fps)) <= times[-1] + 10**9 // fps / 2:
        taken, chosen = seen[int(np.argmin(np.abs(times - at)))]
        joints = {group: inputs[group][2][chosen[group]] for group in GROUPS}
        words = [words for came, words in zip(inputs["words"][0], inputs["words"][2], strict=True) if came <= max(at, taken)]
        rows.append({
            "task": words[-1],
            "state": state(joints),
            "action": action(inputs, joints, at, start + round((len(rows) + 1) * 10**9 / fps)),
            "pictures": [inputs[camera][2][chosen[camera]] for camera in cameras],
        })
    print(json.dumps(rows))


if __name__ == "__main__":
    arguments = sys.argv[2:]
    main(Path(sys.argv[1]), *([int(arguments[0])] if arguments else []), *([arguments[1].split(",")] if len(arguments) > 1 else []))
