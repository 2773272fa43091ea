#!/usr/bin/env python3
"""A bundle's weights as a checkpoint, to train on from or to learn an action expert anew on (`init --vlm-of`).

    sinew-trainer init --config docs/tasks/config.json --vlm docs/tasks/vlm_config.json --tokenizer demo/egg_and_cube.bundle/tokenizer.json --output runs/demo
    checkpoint_from_bundle.py demo/egg_and_cube.bundle runs/demo

The checkpoint is there before, of the same sizes; its weights are replaced where the bundle has them, rounded as they are there. What no graph needs stays as it was.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np
import onnx
from onnx.numpy_helper import to_array

# What export adds to a parameter's name: how its place in the graph made it lie, and its type.
SUFFIXES = re.compile(r"(?:\.\d+x\d+)?(\.transposed)?(?:\.float16)?$")


def graph_weights(bundle: Path) -> dict[str, np.ndarray]:
    weights = {}
    for graph in ("vision", "prefix", "denoise"):
        for tensor in onnx.load(bundle / f"{graph}.onnx").graph.initializer:
            suffix = SUFFIXES.search(tensor.name)
            values = to_array(tensor).astype(np.float32)
            weights[tensor.name[: suffix.start()]] = values.T if suffix[1] else values
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("checkpoint", type=Path)
    args = parser.parse_args()
    file = args.checkpoint / "model.safetensors"
    content = bytearray(file.read_bytes())
    header_size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_size])
    weights = graph_weights(args.bundle)
    found = [name for name in header if name in weights]
    foreign = sorted(name for name in weights if name.startswith("model.") and name not in header)
    if foreign or not found:
        raise SystemExit(f"{file} is no checkpoint of this bundle's sizes: it lacks {', '.join(foreign) or 'every weight of the graphs'}")
    for name in found:
        entry = header[name]
        # A convolution's weight lies flat in the graph.
        is_same = list(weights[name].shape) == entry["shape"] or len(entry["shape"]) > 2 and weights[name].size == math.prod(entry["shape"])
        if entry["dtype"] != "F32" or not is_same:
            raise SystemExit(f"{name}: the bundle has {weights[name].shape}, the checkpoint {entry['dtype']} {entry['shape']}")
        begin, end = (8 + header_size + offset for offset in entry["data_offsets"])
        content[begin:end] = weights[name].astype("<f4").tobytes()
    left = sorted(name for name in header if name not in weights and name != "__metadata__")
    file.write_bytes(content)
    print(f"{len(found)} weights replaced; left as they were: {', '.join(left) or 'none'}")


if __name__ == "__main__":
    main()
