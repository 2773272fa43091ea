"""Writes a bundle whose policy is known in closed form: the robot stays as it is.

    hold_still.py OUT --tokenizer TOKENIZER_JSON [--full-size]

The graphs have the names, types and shapes of a SmolVLA bundle for the R1 Pro, but compute something that a test can
say in advance, whatever noise the chunk starts from:

    velocity(x_t, t) = (x_t - target) / t         so that the last Euler step, t = 1/10 and dt = -1/10, lands on target

`target`, in the robot's units, at step k:

    torso, arms     the joint's own position, of the state
    grippers        the opening as a command, 40 * finger - 1, of finger 1
    base vx         mean red of the head camera's picture, 0 .. 1
    base vy         mean green of the left wrist's
    base vyaw       mean blue of the right wrist's
    left arm 1      + k * 1e-6 * sum of the instruction's token ids
    right arm 6     + what the chunk's attention mask is wrong by: 0
    right arm 7     + what the positions are wrong by: 0

State and action have statistics of their own, so that a number left unnormalised, normalised twice or put in another
place comes out wrong. With --full-size everything that enters and leaves the graphs has the shape it has with SmolVLA of
450 M parameters. Written with the PyPI packages numpy and onnx only; needs nothing of Sinew.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHUNK, WIDTH, CAMERAS, STEPS = 50, 32, 3, 10
EPS = 1e-8
BLANK_ID = 16 * "0"


class Sizes:
    """Sizes that differ between SmolVLA and a small one."""

    def __init__(self, full: bool):
        self.image = 512 if full else 64
        self.patch = 16
        self.scale = 4 if full else 2
        self.hidden = 960 if full else 32
        self.heads = 5 if full else 1
        self.head_dim = 64 if full else 32
        self.layers = 16 if full else 2
        self.language = 48 if full else 16
        self.tokens = (self.image // self.patch // self.scale) ** 2
        self.key_width = self.heads * self.head_dim
        self.prefix = CAMERAS * self.tokens + self.language + 1


ARM = range(1, 8)
STATE = (
    [(f"left_arm_joint{j}.pos", "rad") for j in ARM]
    + [(f"left_arm_joint{j}.vel", "rad/s") for j in (1, 2)]
    + [(f"left_hand.{axis}", "m") for axis in "xyz"]
    + [(f"left_gripper_finger_joint{j}.pos", "m") for j in (1, 2)]
    + [(f"right_arm_joint{j}.pos", "rad") for j in ARM]
    + [(f"right_arm_joint{j}.vel", "rad/s") for j in (1, 2)]
    + [(f"right_hand.{axis}", "m") for axis in "xyz"]
    + [(f"right_gripper_finger_joint{j}.pos", "m") for j in (1, 2)]
    + [(f"torso_joint{j}.pos", "rad") for j in range(1, 5)]
)
ACTION = (
    [(name, "1") for name in ("base_vx", "base_vy", "base_vyaw")]
    + [(f"torso_joint{j}", "rad") for j in range(1, 5)]
    + [(f"left_arm_joint{j}", "rad") for j in ARM]
    + [("left_gripper", "1")]
    + [(f"right_arm_joint{j}", "rad") for j in ARM]
    + [("right_gripper", "1")]
)
SOURCES = (
    [*range(158, 165), 179, 180, *range(186, 189), 193, 194]
    + [*range(197, 204), 218, 219, *range(225, 228), 232, 233, *range(236, 240)]
)


def statistics(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, count), rng.uniform(0.5, 2.0, count)


def linear_map(mean_s, std_s, mean_a, std_a) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset from the normalised state to the normalised target, without the cameras' part."""
    matrix, offset = np.zeros((WIDTH, WIDTH)), np.zeros(WIDTH)
    names = [name for name, _ in STATE]
    for a, (name, _) in enumerate(ACTION):
        if name.startswith("base"):
            scale, shift, s = 0.0, 0.0, 0
        elif name.endswith("gripper"):
            scale, shift, s = 40.0, -1.0, names.index(f"{name}_finger_joint1.pos")
        else:
            scale, shift, s = 1.0, 0.0, names.index(f"{name}.pos")
        matrix[s, a] = scale * (std_s[s] + EPS) / std_a[a]
        offset[a] = (scale * mean_s[s] + shift - mean_a[a]) / std_a[a]
    return matrix, offset


class Graph:
    """A graph under construction."""

    def __init__(self):
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name, value, shape):
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def replace_output(self, name, change):
        """Lets an output be what `change` makes of it."""
        node = next(node for node in self.nodes if list(node.output) == [name])
        changed = helper.make_node("Identity", [change(node.input[0])], [name])
        self.nodes.remove(node)
        self.nodes.append(changed)

    def constant(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def op(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def slice(self, x, axis, start, end):
        ends = [self.constant([value], np.int64) for value in (start, end, axis)]
        return self.op("Slice", x, *ends)

    def mean(self, x, *axes):
        return self.op("ReduceMean", x, axes=list(axes), keepdims=1)

    def sum(self, x, *axes):
        return self.op("ReduceSum", x, self.constant(list(axes), np.int64), keepdims=1)

    def is_visible(self, mask):
        return self.op("Cast", self.op("Greater", mask, self.constant(-1.0)), to=TensorProto.FLOAT)

    def save(self, path: Path):
        graph = helper.make_graph(self.nodes, path.stem, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def vision(z: Sizes) -> Graph:
    """Each token holds the mean of red, green, blue of its share of the rows, 0 .. 1, and zeros."""
    g = Graph()
    pixels = g.input("pixels", [1, 3, z.image, z.image])
    rows = g.op("Reshape", pixels, g.constant([1, 3, z.tokens, z.image // z.tokens * z.image], np.int64))
    means = g.op("Transpose", g.mean(rows, 3), perm=[0, 2, 3, 1])
    unit = g.op("Add", g.op("Mul", means, g.constant(0.5)), g.constant(0.5))
    padded = g.op("Pad", unit, g.constant([0, 0, 0, 0, 0, 0, 0, z.hidden - 3], np.int64))
    shape = [1, z.tokens, z.hidden]
    g.output("image_tokens", g.op("Reshape", padded, g.constant(shape, np.int64)), shape)
    return g


def prefix(z: Sizes) -> Graph:
    """Keys: the tokens themselves, language as its ids where the mask shows it. Values: the positions. All layers alike."""
    g = Graph()
    images = [g.input(f"image_tokens.{c}", [1, z.tokens, z.hidden]) for c in range(CAMERAS)]
    ids = g.input("token_ids", [1, z.language], TensorProto.INT64)
    state = g.input("state", [1, WIDTH])
    mask = g.input("mask", [1, z.prefix, z.prefix])
    positions = g.input("positions", [1, z.prefix], TensorProto.INT64)
    wide = g.constant([1, 1, z.key_width], np.int64)
    images = [g.slice(image, 2, 0, z.key_width) for image in images]
    ids = g.op("Unsqueeze", g.op("Cast", ids, to=TensorProto.FLOAT), g.constant([2], np.int64))
    state = g.op("Unsqueeze", state, g.constant([1], np.int64))
    state = g.op("Pad", state, g.constant([0, 0, 0, 0, 0, z.key_width - WIDTH], np.int64))
    tokens = g.op("Concat", *images, g.op("Expand", ids, wide), state, axis=1)
    # The state's row of the mask shows every real token.
    shown = g.op("Transpose", g.is_visible(g.slice(mask, 1, z.prefix - 1, z.prefix)), perm=[0, 2, 1])
    keys = g.op("Mul", tokens, shown)
    values = g.op("Unsqueeze", g.op("Cast", positions, to=TensorProto.FLOAT), g.constant([2], np.int64))
    values = g.op("Expand", values, wide)
    for layer in range(z.layers):
        g.output(f"k.{layer}", keys, [1, z.prefix, z.key_width])
        g.output(f"v.{layer}", values, [1, z.prefix, z.key_width])
    return g


def denoise(z: Sizes, matrix, offset, std_a) -> Graph:
    """Of keys and values it uses the last layer's, and of all others the mean of their difference, which is 0."""
    g = Graph()
    x_t = g.input("x_t", [1, CHUNK, WIDTH])
    time = g.input("time", [1, CHUNK])
    mask = g.input("mask", [1, CHUNK, z.prefix + CHUNK])
    positions = g.input("positions", [1, CHUNK], TensorProto.INT64)
    shape = [1, z.prefix, z.key_width]
    layers = [(g.input(f"k.{layer}", shape), g.input(f"v.{layer}", shape)) for layer in range(z.layers)]
    keys, values = layers[-1]
    keys = g.slice(keys, 2, 0, WIDTH)
    state = g.slice(keys, 1, z.prefix - 1, z.prefix)
    target = g.op("Add", g.op("MatMul", state, g.constant(matrix)), g.constant(offset))

    def into(dimension, value, steps):
        """`value`, in the robot's units, added to one dimension: [1, steps, 1] -> [1, steps, WIDTH]."""
        row = np.zeros((1, 1, WIDTH))
        row[0, 0, dimension] = 1 / std_a[dimension]
        return g.op("Mul", g.op("Expand", value, g.constant([1, steps, 1], np.int64)), g.constant(row))

    names = [name for name, _ in ACTION]
    for camera, channel in enumerate(range(3)):
        color = g.mean(g.slice(keys, 1, camera * z.tokens, (camera + 1) * z.tokens), 1)
        target = g.op("Add", target, into(camera, g.slice(color, 2, channel, channel + 1), 1))
    language = g.slice(g.slice(keys, 1, CAMERAS * z.tokens, z.prefix - 1), 2, 0, 1)
    ramp = g.op("Mul", g.sum(language, 1), g.constant(1e-6 * np.arange(CHUNK).reshape(1, CHUNK, 1)))
    target = g.op("Add", target, into(names.index("left_arm_joint1"), ramp, CHUNK))
    own = g.op("Unsqueeze", g.op("Cast", positions, to=TensorProto.FLOAT), g.constant([2], np.int64))
    seen = g.sum(g.is_visible(mask), 2)
    mask_error = g.op("Sub", g.op("Sub", seen, own), g.constant(1.0))
    target = g.op("Add", target, into(names.index("right_arm_joint6"), mask_error, CHUNK))
    for other_keys, other_values in layers[:-1]:
        for one, other in ((layers[-1][0], other_keys), (values, other_values)):
            first, second = (g.slice(x, 1, z.prefix - 1, z.prefix) for x in (one, other))
            difference = g.mean(g.op("Abs", g.op("Sub", first, second)), 1, 2)
            target = g.op("Add", target, into(names.index("right_arm_joint7"), difference, CHUNK))
    last = g.slice(g.slice(values, 1, z.prefix - 1, z.prefix), 2, 0, 1)
    after = g.op("Add", last, g.constant(1.0 + np.arange(CHUNK).reshape(1, CHUNK, 1)))
    target = g.op("Add", target, into(names.index("right_arm_joint7"), g.op("Sub", own, after), CHUNK))
    t = g.op("Unsqueeze", time, g.constant([2], np.int64))
    g.output("velocity", g.op("Div", g.op("Sub", x_t, target), t), [1, CHUNK, WIDTH])
    return g


def vector(names, sources, mean, std):
    return {
        "normalization": "mean_std",
        "eps": EPS,
        "dimensions": [
            {
                "name": name,
                "unit": unit,
                "source_index": int(source),
                "statistics": {"mean": float(mean[i]), "std": float(std[i])},
            }
            for i, ((name, unit), source) in enumerate(zip(names, sources))
        ],
    }


def manifest(z: Sizes, files, state, action):
    model = {
        "vision": {
            "hidden_size": 8,
            "intermediate_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "image_size": z.image,
            "patch_size": z.patch,
            "layer_norm_eps": 1e-6,
        },
        "text": {
            "hidden_size": z.hidden,
            "intermediate_size": z.hidden,
            "num_hidden_layers": z.layers,
            "num_attention_heads": z.heads,
            "num_key_value_heads": z.heads,
            "head_dim": z.head_dim,
            "vocab_size": 512,
            "rms_norm_eps": 1e-5,
        },
        "scale_factor": z.scale,
        "expert_hidden_size": 24,
        "expert_intermediate_size": 256,
        "cross_layers": [layer % 2 == 1 for layer in range(z.layers)],
        "chunk_size": CHUNK,
        "max_state_dim": WIDTH,
        "max_action_dim": WIDTH,
        "language_token_count": z.language,
        "image_special_tokens": None,
        "prefix_length": 0,
        "denoise_step_count": STEPS,
        "min_period": 4e-3,
        "max_period": 4.0,
    }
    cameras = [("head", 128, 96), ("left_wrist", 96, 96), ("right_wrist", 96, 96)]
    return {
        "format_version": 1,
        "bundle_id": BLANK_ID,
        "embodiment": "r1pro",
        "rate_hz": 30.0,
        "model": model,
        "instruction": {"max_token_count": z.language, "pad_id": 2},
        "cameras": [
            {"name": name, "key": f"observation.images.rgb.{name}", "width": width, "height": height}
            for name, width, height in cameras
        ],
        "state": state,
        "action": action,
        "graphs": {name: {"file": f"{name}.onnx", "weight_bytes": {}} for name in ("vision", "prefix", "denoise")},
        "files": files,
        "provenance": {
            "checkpoint": "none: known in closed form",
            "checkpoint_sha256": "",
            "dataset": None,
            "step": None,
            "command": "tests/oracles/runtime/hold_still.py",
            "sinew_version": "",
        },
        "parity": {"tolerance": 1e-4, "execution_provider": "cpu", "stages": []},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--full-size", action="store_true")
    args = parser.parse_args()
    z = Sizes(args.full_size)
    args.out.mkdir(parents=True, exist_ok=True)
    mean_s, std_s = statistics(len(STATE), 1)
    mean_a, std_a = statistics(len(ACTION), 2)
    matrix, offset = linear_map(mean_s, std_s, mean_a, std_a)
    vision(z).save(args.out / "vision.onnx")
    prefix(z).save(args.out / "prefix.onnx")
    denoise(z, matrix, offset, std_a).save(args.out / "denoise.onnx")
    shutil.copy(args.tokenizer, args.out / "tokenizer.json")
    files = {}
    for path in sorted(args.out.glob("*.onnx")) + [args.out / "tokenizer.json"]:
        content = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(content).hexdigest(), "byte_count": len(content)}
    state = vector(STATE, SOURCES, mean_s, std_s)
    action = vector(ACTION, range(len(ACTION)), mean_a, std_a)
    text = json.dumps(manifest(z, files, state, action), indent=1, ensure_ascii=False)
    identity = hashlib.sha256(text.encode()).hexdigest()[: len(BLANK_ID)]
    (args.out / "bundle.json").write_text(text.replace(f'"{BLANK_ID}"', f'"{identity}"'))


if __name__ == "__main__":
    main()
