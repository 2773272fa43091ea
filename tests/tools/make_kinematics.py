#!/usr/bin/env python3
"""Hand positions of the R1 Pro at random postures, once from MuJoCo's scene and once from the table of joint origins.

    make_kinematics.py --out tests/fixtures/kinematics/hand_positions.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import mujoco
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "sim"))

from kinematics import TABLE_FROM_SIM_BASE_M, link_pose, read_table  # noqa: E402

SCENE = Path(__file__).parents[1] / "sim" / "scene.xml"
GROUPS = {
    "torso_rad": [f"torso_joint{i}" for i in range(1, 5)],
    "left_arm_rad": [f"left_arm_joint{i}" for i in range(1, 8)],
    "right_arm_rad": [f"right_arm_joint{i}" for i in range(1, 8)],
}
POSTURE_COUNT = 200
TOLERANCE_M = 1e-5


def hands_in_scene(model: mujoco.MjModel, data: mujoco.MjData, posture: dict[str, float]) -> np.ndarray:
    """Left and right gripper link in the simulator's base_link, which stays at the world's origin."""
    for name, position_rad in posture.items():
        data.joint(name).qpos = position_rad
    mujoco.mj_kinematics(model, data)
    return np.array([data.body(f"{side}_gripper_link").xpos for side in ("left", "right")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    model = mujoco.MjModel.from_xml_path(str(SCENE))
    data = mujoco.MjData(model)
    table = read_table()
    rng = np.random.default_rng(0)
    postures, worst_m = [], 0.0
    for _ in range(POSTURE_COUNT):
        posture = {name: round(rng.uniform(*model.joint(name).range), 6) for names in GROUPS.values() for name in names}
        scene_m = hands_in_scene(model, data, posture) + TABLE_FROM_SIM_BASE_M
        table_m = np.array([link_pose(table, f"{side}_gripper_base", posture)[:3, 3] for side in ("left", "right")])
        worst_m = max(worst_m, np.linalg.norm(scene_m - table_m, axis=1).max())
        row = {group: [posture[name] for name in names] for group, names in GROUPS.items()}
        row |= {f"{side}_hand_{source}_m": [round(v, 8) for v in position]
                for source, hands in (("mujoco", scene_m), ("table", table_m)) for side, position in zip(("left", "right"), hands, strict=True)}
        postures.append(row)
    if worst_m > TOLERANCE_M:
        raise SystemExit(f"MuJoCo and the table differ by {worst_m} m")

    header = {"mujoco_base_to_table_base_m": TABLE_FROM_SIM_BASE_M.round(9).tolist(), "worst_difference_m": float(worst_m)}
    rows = ",\n".join(json.dumps(row) for row in postures)
    args.out.write_text(json.dumps(header)[:-1] + f',\n"postures": [\n{rows}\n]}}\n')
    print(f"{POSTURE_COUNT} postures, worst difference {worst_m:.2e} m")


if __name__ == "__main__":
    main()
