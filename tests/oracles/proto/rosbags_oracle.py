"""ROS 2 messages according to the PyPI package `rosbags`, and keys according to `eclipse-zenoh`.

The program only says what the packages make of its input; the Rust tests that call it do the comparing.
Standard input and output are JSON, one value a line:

    random COUNT SEED   out: {"type", "little", "big", "value"}, COUNT messages of each type below
    decode              in:  {"type", "cdr"}              out: {"value", "cdr"}
    schemas             in:  {"type", "definition"}       out: {"contains", "hash", "known_hash"}
    keys                in:  a string                     out: whether it is a key without wildcards

A value is a JSON object of the message's fields. Floats are written as their bits ("f64:3ff0000000000000"), byte
sequences as hexadecimal digits, so that nothing is lost. `hash` is the ROS 2 type hash of the definition given, and
`known_hash` that of the definition rosbags ships, null where it has none.
"""

import json
import random
import string
import struct
import sys
from pathlib import Path

import numpy as np
import zenoh
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

TYPES = [
    "builtin_interfaces/msg/Time",
    "builtin_interfaces/msg/Duration",
    "std_msgs/msg/Header",
    "std_msgs/msg/String",
    "std_msgs/msg/Bool",
    "std_msgs/msg/Float32",
    "sensor_msgs/msg/JointState",
    "sensor_msgs/msg/CompressedImage",
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/Imu",
    "trajectory_msgs/msg/JointTrajectory",
    "trajectory_msgs/msg/JointTrajectoryPoint",
    "geometry_msgs/msg/Vector3",
    "geometry_msgs/msg/Point",
    "geometry_msgs/msg/Quaternion",
    "geometry_msgs/msg/Pose",
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/Twist",
    "geometry_msgs/msg/TwistStamped",
    "diagnostic_msgs/msg/KeyValue",
    "diagnostic_msgs/msg/DiagnosticStatus",
    "diagnostic_msgs/msg/DiagnosticArray",
    "hdas_msg/msg/Bms",
    "hdas_msg/msg/ControllerSignal",
    "hdas_msg/msg/ControllerSignalStamped",
    "hdas_msg/msg/FeedbackStatusDetail",
    "hdas_msg/msg/FeedbackStatus",
    "sinew_msgs/msg/ActionChunk",
]
DEFINITIONS = Path(__file__).parents[3] / "proto/msg"
SPECIAL_FLOATS = [0.0, -0.0, 1.0, -1e-45, 5e-324, 3e38, float("inf"), float("-inf"), float("nan")]
LETTERS = string.printable + "äß→関節🤖\0"


def store_with_our_messages() -> Typestore:
    """Our own message and the robot's, which rosbags does not ship."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name in TYPES:
        if name not in store.types:
            store.register(get_types_from_msg((DEFINITIONS / f"{name}.msg").read_text(), name))
    return store


def random_number(rng: random.Random, base: str):
    if base == "bool":
        return rng.random() < 0.5
    if base.startswith("float"):
        number = rng.choice(SPECIAL_FLOATS) if rng.random() < 0.2 else rng.gauss(0, 10 ** rng.uniform(-9, 9))
        return float(np.float32(number)) if base == "float32" else number
    if base == "byte":
        base = "int8"
    bits = int(base.removeprefix("uint").removeprefix("int"))
    low = 0 if base.startswith("u") else -(2 ** (bits - 1))
    return rng.choice([low, low + 2**bits - 1, rng.randrange(low, low + 2**bits)])


def random_field(rng: random.Random, store: Typestore, kind: Nodetype, detail):
    match kind:
        case Nodetype.NAME:
            return random_message(rng, store, detail)
        case Nodetype.BASE if detail[0] == "string":
            return "".join(rng.choices(LETTERS, k=rng.choice([0, 0, 1, 2, 3, 4, 11])))
        case Nodetype.BASE:
            return random_number(rng, detail[0])
    (element_kind, element), length = detail
    count = length if kind == Nodetype.ARRAY else rng.choice([0, 0, 1, 2, 3, 7, 50])
    values = [random_field(rng, store, element_kind, element) for _ in range(count)]
    is_number = element_kind == Nodetype.BASE and element[0] != "string"
    return np.array(values, dtype=element[0]) if is_number else values


def random_message(rng: random.Random, store: Typestore, name: str):
    fields = store.fielddefs[name][1]
    return store.types[name](**{field: random_field(rng, store, *desc) for field, desc in fields})


def exact_value(store: Typestore, kind: Nodetype, detail, value):
    match kind:
        case Nodetype.NAME:
            return exact_message(store, detail, value)
        case Nodetype.BASE if detail[0] == "float64":
            return "f64:" + struct.pack(">d", value).hex()
        case Nodetype.BASE if detail[0] == "float32":
            return "f32:" + struct.pack(">f", value).hex()
        case Nodetype.BASE if detail[0] == "byte":
            return value & 0xFF  # rosbags takes it for signed
        case Nodetype.BASE:
            return value
    element_kind, element = detail[0]
    if element_kind == Nodetype.BASE and element[0] == "uint8":
        return value.tobytes().hex()
    values = value.tolist() if isinstance(value, np.ndarray) else value
    return [exact_value(store, element_kind, element, item) for item in values]


def exact_message(store: Typestore, name: str, message) -> dict:
    fields = store.fielddefs[name][1]
    return {field: exact_value(store, *desc, getattr(message, field)) for field, desc in fields}


def random_corpus(store: Typestore, count: int, seed: int):
    rng = random.Random(seed)
    for name in TYPES:
        for _ in range(count):
            message = random_message(rng, store, name)
            yield {
                "type": name,
                "little": store.serialize_cdr(message, name, little_endian=True).hex(),
                "big": store.serialize_cdr(message, name, little_endian=False).hex(),
                "value": exact_message(store, name, message),
            }


def decode(store: Typestore, line: dict) -> dict:
    name = line["type"]
    message = store.deserialize_cdr(bytes.fromhex(line["cdr"]), name)
    return {
        "value": exact_message(store, name, message),
        "cdr": store.serialize_cdr(message, name, little_endian=True).hex(),
    }


def schema(stock: Typestore, line: dict) -> dict:
    name = line["type"]
    types = get_types_from_msg(line["definition"], name)
    alone = Typestore()
    alone.register(types)
    return {
        "contains": sorted(types),
        "hash": alone.hash_rihs01(name),
        "known_hash": stock.hash_rihs01(name) if name in stock.types else None,
    }


def is_key(text: str) -> bool:
    try:
        return zenoh.KeyExpr(text) is not None and "*" not in text
    except zenoh.ZError:
        return False


def main(command: str, *arguments: str) -> None:
    match command:
        case "random":
            results = random_corpus(store_with_our_messages(), int(arguments[0]), int(arguments[1]))
        case "decode":
            store = store_with_our_messages()
            results = (decode(store, json.loads(line)) for line in sys.stdin)
        case "schemas":
            stock = get_typestore(Stores.ROS2_HUMBLE)
            results = (schema(stock, json.loads(line)) for line in sys.stdin)
        case "keys":
            results = (is_key(json.loads(line)) for line in sys.stdin)
        case _:
            sys.exit(f"unknown command {command}\n{__doc__}")
    for result in results:
        print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
