"""Writes logs of an R1 Pro as `sinew-runtime record` would have, with the PyPI packages `mcap`, `rosbags` and `pillow` and nothing of Sinew.

    write_logs.py FOLDER < SPECS.json

`SPECS.json` is a list of objects, one a log; every key but `name` has a default (see `Spec`). The joints swing, the cameras see noise, everything is
late by a little, and the same spec gives the same log.
"""

import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mcap.writer import CompressionType, Writer
from PIL import Image
from rosbags.typesys import Stores, get_typestore

ROOT = Path(__file__).parents[3]
STORE = get_typestore(Stores.ROS2_HUMBLE)
TYPES = STORE.types
JOINT_STATE, IMAGE = "sensor_msgs/msg/JointState", "sensor_msgs/msg/CompressedImage"
TWIST, TWIST_STAMPED, STRING = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped", "std_msgs/msg/String"
JOINTS = {"torso": 4, "left_arm": 7, "left_gripper": 1, "right_arm": 7, "right_gripper": 1}
FEEDBACK = {
    "torso": "/hdas/feedback_torso",
    "left_arm": "/hdas/feedback_arm_left",
    "left_gripper": "/hdas/feedback_gripper_left",
    "right_arm": "/hdas/feedback_arm_right",
    "right_gripper": "/hdas/feedback_gripper_right",
}
COMMANDS = {
    "torso": "/motion_target/target_joint_state_torso",
    "left_arm": "/motion_target/target_joint_state_arm_left",
    "left_gripper": "/motion_target/target_position_gripper_left",
    "right_arm": "/motion_target/target_joint_state_arm_right",
    "right_gripper": "/motion_target/target_position_gripper_right",
    "base": "/motion_target/target_speed_chassis",
}
CAMERAS = {
    "head": "/hdas/camera_head/left_raw/image_raw_color/compressed",
    "left_wrist": "/hdas/camera_wrist_left/color/image_raw/compressed",
    "right_wrist": "/hdas/camera_wrist_right/color/image_raw/compressed",
}
START_NS = 1_760_000_000_000_000_000
# How long after its capture a message arrives, seconds.
CAMERA_DELAY_S, FEEDBACK_DELAY_S = 0.015, 0.002


@dataclass
class Spec:
    name: str
    seed: int = 0
    seconds: float = 2.0
    start_s: float = 0.0
    camera_hz: float = 30.0
    feedback_hz: float = 120.0
    command_hz: float = 30.0
    sizes: dict = field(default_factory=lambda: {"head": [96, 64], "left_wrist": [64, 64], "right_wrist": [64, 64]})
    # Words, each from when on.
    words: list = field(default_factory=lambda: [[0.0, "put the egg in the tray"]])
    outcome: str | None = "success"
    # From when until when each group is commanded.
    commanded: dict = field(default_factory=lambda: {group: [0.0, 1e9] for group in COMMANDS if group != "base"})
    # Inputs (`head`, `torso`, ...) that say nothing from when until when.
    silent: dict = field(default_factory=dict)
    # Cameras that show the same picture again and again from when until when.
    frozen: dict = field(default_factory=dict)
    # One message: `input`, `command` or not, `at`, and `kind`: nan, short (its second half is missing), jpeg (its pixels are).
    damage: dict | None = None
    is_described: bool = True
    config: str = ""
    base_message: str = TWIST_STAMPED


def time_of(ns: int):
    return TYPES["builtin_interfaces/msg/Time"](sec=ns // 10**9, nanosec=ns % 10**9)


def header(ns: int):
    return TYPES["std_msgs/msg/Header"](stamp=time_of(ns), frame_id="")


def joint_state(ns: int, position, velocity):
    numbers = (np.array(values, dtype=np.float64) for values in (position, velocity, np.zeros(len(position))))
    return TYPES[JOINT_STATE](header(ns), [], *numbers)


def twist(ns: int, kind: str, values):
    vector = TYPES["geometry_msgs/msg/Vector3"]
    plain = TYPES[TWIST](vector(values[0], values[1], 0.0), vector(0.0, 0.0, values[2]))
    return plain if kind == TWIST else TYPES[TWIST_STAMPED](header(ns), plain)


def swing(group: str, at_s: float, seed: int):
    """Position and velocity of each joint."""
    index = np.arange(JOINTS[group]) + 10 * list(JOINTS).index(group) + seed
    phase, speed = 0.7 * index, 0.5 + 0.1 * (index % 7)
    scale, offset = (40.0, 50.0) if "gripper" in group else (0.3, 0.0)
    return offset + scale * np.sin(speed * at_s + phase), scale * speed * np.cos(speed * at_s + phase)


def jpeg(random, size, number: int) -> bytes:
    """Noise under the picture's number: eight black or white fields across the upper half, the lowest bit first."""
    width, height = size
    ramp = np.linspace(40, 200, width)[None, :, None] * np.array([1.0, 0.5, 0.2])
    picture = ramp + random.normal(0, 12, (height, width, 3))
    for bit in range(8):
        picture[: height // 2, bit * width // 8 : (bit + 1) * width // 8] += 1000 if number >> bit & 1 else -1000
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return file.getvalue()


def messages(spec: Spec):
    """(arrival in ns after the start, topic, type, bytes)."""
    random = np.random.default_rng(spec.seed)
    start = START_NS + int(spec.start_s * 1e9)

    def is_silent(name, at_s):
        begin, end = spec.silent.get(name, (0.0, 0.0))
        return begin <= at_s < end

    def is_damaged(name, is_command, at_s, period_s):
        damage = spec.damage or {}
        return damage.get("input") == name and damage.get("command", False) == is_command and 0 <= at_s - damage["at"] < period_s

    def encode(content, kind, is_hit):
        if is_hit and spec.damage["kind"] == "nan":
            content.position[0] = np.nan
        data = bytes(STORE.serialize_cdr(content, kind))
        return data[: len(data) // 2] if is_hit and spec.damage["kind"] == "short" else data

    for camera, topic in CAMERAS.items():
        picture = b""
        for number, at_s in enumerate(np.arange(random.uniform(0, 0.004), spec.seconds, 1 / spec.camera_hz)):
            at_s += random.uniform(-0.002, 0.002) + {"head": 0.004, "left_wrist": 0.0, "right_wrist": 0.006}[camera]
            is_hit = is_damaged(camera, False, at_s, 1 / spec.camera_hz)
            begin, end = spec.frozen.get(camera, (1e9, 1e9))
            if not begin <= at_s < end:
                picture = jpeg(random, spec.sizes[camera], number)
            shown = picture[: len(picture) // 2] if is_hit and spec.damage["kind"] == "jpeg" else picture
            if not is_silent(camera, at_s):
                ns = start + int(at_s * 1e9)
                content = TYPES[IMAGE](header(ns), "jpeg", np.frombuffer(shown, dtype=np.uint8))
                yield int((at_s + CAMERA_DELAY_S) * 1e9), topic, IMAGE, encode(content, IMAGE, is_hit)
    for group, topic in FEEDBACK.items():
        for at_s in np.arange(random.uniform(0, 1 / spec.feedback_hz), spec.seconds, 1 / spec.feedback_hz):
            is_hit = is_damaged(group, False, at_s, 1 / spec.feedback_hz)
            if not is_silent(group, at_s):
                content = joint_state(start + int(at_s * 1e9), *swing(group, at_s, spec.seed))
                yield int((at_s + FEEDBACK_DELAY_S) * 1e9), topic, JOINT_STATE, encode(content, JOINT_STATE, is_hit)
    for group, (begin, end) in spec.commanded.items():
        for at_s in np.arange(begin + random.uniform(0, 0.02), min(end, spec.seconds), 1 / spec.command_hz):
            is_hit = is_damaged(group, True, at_s, 1 / spec.command_hz)
            ns = start + int(at_s * 1e9)
            kind = spec.base_message if group == "base" else JOINT_STATE
            if group == "base":
                content = twist(ns, kind, 0.2 * np.sin([at_s, at_s + 1, at_s + 2]))
            else:
                # A little ahead of where the joints are.
                content = joint_state(ns, *swing(group, at_s + 0.05, spec.seed))
            yield int(at_s * 1e9), COMMANDS[group], kind, encode(content, kind, is_hit)
    for at_s, words in spec.words:
        yield int(at_s * 1e9), "/sinew/instruction", STRING, bytes(STORE.serialize_cdr(TYPES[STRING](words), STRING))
    yield int(spec.seconds * 1e9), "/sinew/events", STRING, bytes(STORE.serialize_cdr(TYPES[STRING]("{}"), STRING))


def write(path: Path, spec: Spec) -> None:
    start = START_NS + int(spec.start_s * 1e9)
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=1 << 18, compression=CompressionType.ZSTD)
        writer.start(profile="ros2")
        writer.add_metadata("sinew", {"robot": "r1pro", "format_version": "1", "started_at_ns": str(start)})
        if spec.is_described:
            description = (ROOT / "models/embodiments/r1pro.toml").read_bytes()
            writer.add_attachment(start, start, "robot.toml", "text/plain", description)
        writer.add_attachment(start, start, "config.toml", "text/plain", spec.config.encode())
        channels = {}
        for arrival, topic, kind, data in sorted(messages(spec), key=lambda message: message[0]):
            if topic not in channels:
                definition, _ = STORE.generate_msgdef(kind, ros_version=2)
                schema = writer.register_schema(kind, "ros2msg", definition.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            writer.add_message(channels[topic], start + arrival, data, start + arrival)
        ending = {"ended_by": "marked", "notes": ""}
        if spec.outcome:
            ending["outcome"] = spec.outcome
        writer.add_metadata("sinew.episode", ending)
        writer.finish()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for values in json.load(sys.stdin):
        spec = Spec(**values)
        write(folder / spec.name, spec)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
