"""Writes a bundle whose policy never rests: arms, torso and grippers swing about a posture, the base goes to and fro.

    swing.py OUT --tokenizer TOKENIZER_JSON [--busy N]

The graphs have the names, types and shapes of hold_still.py's. From the state and nothing else they compute, for step k of a chunk,

    joint       its position + direction * speed * (k + 1) / rate, kept within amplitude of the posture's centre
    base vx     direction * 0.2 of its range

where the direction is that in which the left arm's first joint moves, turned round near the ends of its swing. Like any policy it only sees where the
robot is, so each chunk contradicts the one before by what the robot lags behind.

The head camera's picture can make it misbehave, by its share of blue (0 to 1 over the square that the network sees, of which a picture of 16:9 fills
0.5625):

    below 0.1   it works, in N matrix products of 128 x 128 (`--busy`)
    to 0.25     ten times as many
    to 0.4      not a number
    above       so many that it never ends

Written with the PyPI packages numpy and onnx only; needs nothing of Sinew.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from hold_still import ACTION, BLANK_ID, CHUNK, EPS, SOURCES, STATE, WIDTH, Graph, Sizes, manifest, statistics, vector, vision
from hold_still import prefix as plain_prefix
from onnx import TensorProto, helper, numpy_helper

RATE_HZ = 30.0
# name, centre, amplitude, speed (below 0: against the others); rad and rad/s, grippers as the policy commands them, -1 to 1. The simulated robots of
# tests/sim begin at the end of this swing, and their hands stay above the table.
SWINGS = [
    ("torso_joint1", 0.65, 0.05, 0.05), ("torso_joint2", -1.2, 0.05, 0.05), ("torso_joint3", -0.65, 0.05, 0.05), ("torso_joint4", 0.0, 0.1, 0.1),
    ("left_arm_joint1", 0.0, 0.3, 0.4), ("left_arm_joint2", 0.15, 0.1, 0.15), ("left_arm_joint3", 0.0, 0.2, 0.3), ("left_arm_joint4", -1.6, 0.2, -0.3),
    ("left_arm_joint5", 0.0, 0.3, 0.4), ("left_arm_joint6", 0.0, 0.3, 0.4), ("left_arm_joint7", 0.0, 0.3, 0.4), ("left_gripper", 0.6, 0.3, 0.4),
    ("right_arm_joint1", 0.0, 0.3, 0.4), ("right_arm_joint2", -0.15, 0.1, 0.15), ("right_arm_joint3", 0.0, 0.2, 0.3), ("right_arm_joint4", -1.6, 0.2, -0.3),
    ("right_arm_joint5", 0.0, 0.3, 0.4), ("right_arm_joint6", 0.0, 0.3, 0.4), ("right_arm_joint7", 0.0, 0.3, 0.4), ("right_gripper", 0.6, 0.3, 0.4),
]
BASE_SHARE = 0.2
LEADER = "left_arm_joint1"
# How near the end of its swing the leader turns round, and the speed below which it stands.
TURN_RAD, STANDS_RAD_S = 0.05, 0.02
SLOW, NAN, HUNG = 0.1, 0.25, 0.4
WORK = 128


def prefix(z: Sizes, busy: int) -> Graph:
    """hold_still.py's, and work to do before it is done: as much as the head's picture says."""
    g = plain_prefix(z)
    blue = g.op("Squeeze", g.mean(g.slice("image_tokens.0", 2, 2, 3), 1, 2), g.constant([0, 1, 2], np.int64))
    is_above = {limit: g.op("Greater", blue, g.constant(limit)) for limit in (SLOW, NAN, HUNG)}
    amount = g.op("Where", is_above[SLOW], g.constant(10 * busy, np.int64), g.constant(busy, np.int64))
    amount = g.op("Where", is_above[NAN], g.constant(busy, np.int64), amount)
    amount = g.op("Where", is_above[HUNG], g.constant(1 << 60, np.int64), amount)
    # A turned identity: as long as one likes, nothing grows.
    turn = numpy_helper.from_array(np.roll(np.eye(WORK, dtype=np.float32), 1, axis=0), "turn")
    go_on = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "turn"], ["x_next"]), helper.make_node("Identity", ["go_on"], ["go_on_next"])],
        "work",
        [go_on("step", TensorProto.INT64, []), go_on("go_on", TensorProto.BOOL, []), go_on("x", TensorProto.FLOAT, [WORK, WORK])],
        [go_on("go_on_next", TensorProto.BOOL, []), go_on("x_next", TensorProto.FLOAT, [WORK, WORK])],
        [turn],
    )
    worked = g.op("Loop", amount, g.constant(True, np.bool_), g.constant(np.eye(WORK)), body=body)
    is_nan = g.op("And", is_above[NAN], g.op("Not", is_above[HUNG]))
    nothing = g.op("Mul", g.mean(worked, 0, 1), g.constant(0.0))
    spoiled = g.op("Where", is_nan, g.constant(np.nan), g.constant(0.0))
    addend = g.op("Squeeze", g.op("Add", nothing, spoiled), g.constant([0, 1], np.int64))
    for layer in range(z.layers):
        g.replace_output(f"k.{layer}", lambda value: g.op("Add", value, addend))
    return g


def denoise(z: Sizes, mean_s, std_s, mean_a, std_a) -> Graph:
    g = Graph()
    x_t = g.input("x_t", [1, CHUNK, WIDTH])
    time = g.input("time", [1, CHUNK])
    g.input("mask", [1, CHUNK, z.prefix + CHUNK])
    g.input("positions", [1, CHUNK], TensorProto.INT64)
    shape = [1, z.prefix, z.key_width]
    layers = [(g.input(f"k.{layer}", shape), g.input(f"v.{layer}", shape)) for layer in range(z.layers)]
    keys, _ = layers[-1]
    normalized = g.slice(g.slice(keys, 2, 0, WIDTH), 1, z.prefix - 1, z.prefix)

    def padded(values, rest=0.0):
        row = np.full((1, 1, WIDTH), rest)
        row[0, 0, : len(values)] = values
        return g.constant(row)

    state = g.op("Add", g.op("Mul", normalized, padded(std_s + EPS)), padded(mean_s))
    names = [name for name, _ in STATE]
    number = lambda name: g.slice(state, 2, names.index(name), names.index(name) + 1)  # noqa: E731
    _, centre, amplitude, _ = next(swing for swing in SWINGS if swing[0] == LEADER)
    place, speed = number(f"{LEADER}.pos"), number(f"{LEADER}.vel")
    is_high = g.op("Greater", place, g.constant(centre + amplitude - TURN_RAD))
    is_low = g.op("Less", place, g.constant(centre - amplitude + TURN_RAD))
    falls = g.op("Less", speed, g.constant(-STANDS_RAD_S))
    up, down = g.constant(1.0), g.constant(-1.0)
    direction = g.op("Where", is_low, up, g.op("Where", is_high, down, g.op("Where", falls, down, up)))

    # From the state's numbers to the action's, of joints alone.
    take, shift, reach = np.zeros((WIDTH, WIDTH)), np.zeros(len(ACTION)), np.zeros(len(ACTION))
    low, high = np.full(len(ACTION), -1e6), np.full(len(ACTION), 1e6)
    actions = [name for name, _ in ACTION]
    for name, middle, swing, rate in SWINGS:
        a = actions.index(name)
        is_gripper = name.endswith("gripper")
        source = f"{name}_finger_joint1.pos" if is_gripper else f"{name}.pos"
        take[names.index(source), a] = 40.0 if is_gripper else 1.0
        shift[a] = -1.0 if is_gripper else 0.0
        reach[a], low[a], high[a] = rate / RATE_HZ, middle - swing, middle + swing
    at = g.op("Add", g.op("MatMul", state, g.constant(take)), padded(shift))
    steps = g.constant(np.arange(1, CHUNK + 1).reshape(1, CHUNK, 1))
    moved = g.op("Mul", g.op("Mul", steps, padded(reach)), direction)
    # Nothing jumps back into the swing from outside.
    lowest, highest = g.op("Min", padded(low), at), g.op("Max", padded(high), at)
    swung = g.op("Min", g.op("Max", g.op("Add", at, moved), lowest), highest)
    base = np.zeros(len(ACTION))
    base[actions.index("base_vx")] = BASE_SHARE
    target = g.op("Add", swung, g.op("Mul", padded(base), direction))
    target = g.op("Div", g.op("Sub", target, padded(mean_a)), padded(std_a + EPS, 1.0))
    t = g.op("Unsqueeze", time, g.constant([2], np.int64))
    g.output("velocity", g.op("Div", g.op("Sub", x_t, target), t), [1, CHUNK, WIDTH])
    return g


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--busy", type=int, default=1)
    args = parser.parse_args()
    z = Sizes(full=False)
    args.out.mkdir(parents=True, exist_ok=True)
    mean_s, std_s = statistics(len(STATE), 1)
    mean_a, std_a = statistics(len(ACTION), 2)
    vision(z).save(args.out / "vision.onnx")
    prefix(z, args.busy).save(args.out / "prefix.onnx")
    denoise(z, mean_s, std_s, mean_a, std_a).save(args.out / "denoise.onnx")
    shutil.copy(args.tokenizer, args.out / "tokenizer.json")
    files = {}
    for path in [*sorted(args.out.glob("*.onnx")), args.out / "tokenizer.json"]:
        content = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(content).hexdigest(), "byte_count": len(content)}
    state, action = vector(STATE, SOURCES, mean_s, std_s), vector(ACTION, range(len(ACTION)), mean_a, std_a)
    described = manifest(z, files, state, action)
    described["provenance"]["command"] = "tests/oracles/runtime/swing.py"
    text = json.dumps(described, indent=1, ensure_ascii=False)
    identity = hashlib.sha256(text.encode()).hexdigest()[: len(BLANK_ID)]
    (args.out / "bundle.json").write_text(text.replace(f'"{BLANK_ID}"', f'"{identity}"'))


if __name__ == "__main__":
    main()
