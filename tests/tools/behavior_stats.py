#!/usr/bin/env python3
"""Statistics of a BEHAVIOR data set as a SmolVLA policy sees it: 32 of the 256 state numbers, and the 23 of the action.

    behavior_stats.py tests/fixtures/behavior_sim --std-floor 0.01 --out stats.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

# Per side: arm position 7, velocity of joints 1 and 2, hand position 3, fingers 2; then the trunk's 4.
STATE_32 = [
    *range(158, 165), 179, 180, *range(186, 189), 193, 194,
    *range(197, 204), 218, 219, *range(225, 228), 232, 233,
    *range(236, 240),
]


def statistics(values: np.ndarray, std_floor: float) -> dict[str, list[float]]:
    x = values.astype(np.float64)
    x[np.abs(x) < np.finfo(np.float32).tiny] = 0  # idle base commands are denormal
    stats = {"mean": x.mean(0), "std": np.maximum(x.std(0), std_floor), "min": x.min(0), "max": x.max(0)}
    return {name: np.round(v, 9).tolist() for name, v in stats.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--std-floor", type=float, required=True, help="smallest standard deviation to write")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    tables = [pq.read_table(path) for path in sorted(args.dataset.glob("data/*/*.parquet"))]
    state = np.array([row for t in tables for row in t["observation.state"].to_pylist()], np.float32)[:, STATE_32]
    action = np.array([row for t in tables for row in t["action"].to_pylist()], np.float32)
    stats = {"observation.state": statistics(state, args.std_floor), "action": statistics(action, args.std_floor)}
    args.out.write_text(json.dumps(stats, indent=1) + "\n")


if __name__ == "__main__":
    main()
