#!/usr/bin/env python3
"""Hands and distances at random postures, as MuJoCo has them: for the R1 Pro from its scene, for both robots' shapes and for the
SO-101's hand from a URDF made of the robot's description, so that MuJoCo's own reader of URDFs turns the numbers into frames.

    make_kinematics.py --out tests/fixtures/kinematics
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path

import mujoco
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "sim"))

from kinematics import TABLE_FROM_SIM_BASE_M, link_pose, read_table  # noqa: E402

SCENE = Path(__file__).parents[1] / "sim" / "scene.xml"
ROBOTS = Path(__file__).parents[2] / "models" / "embodiments"
SIDES = ("left", "right")
GROUPS = {
    "torso_rad": [f"torso_joint{i}" for i in range(1, 5)],
    "left_arm_rad": [f"left_arm_joint{i}" for i in range(1, 8)],
    "right_arm_rad": [f"right_arm_joint{i}" for i in range(1, 8)],
}
POSTURE_COUNT = 1000
TOLERANCE_M = 1e-5


def described(name: str) -> dict:
    return tomllib.loads((ROBOTS / f"{name}.toml").read_text())


def urdf(robot: dict) -> str:
    """The links of a description. MuJoCo wants masses; no number here depends on them."""
    inertial = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
    names = [robot["base_link"], *(link["child"] for link in robot["links"])]
    text = '<robot name="r"><mujoco><compiler fusestatic="false"/></mujoco>'
    text += "".join(f'<link name="{name}">{inertial}</link>' for name in names)
    for link in robot["links"]:
        xyz, rpy = (" ".join(map(repr, link.get(key, [0, 0, 0]))) for key in ("xyz", "rpy"))
        kind = "continuous" if "axis" in link else "fixed"
        text += f'<joint name="{link["joint"]}" type="{kind}"><parent link="{link["parent"]}"/><child link="{link["child"]}"/>'
        text += f'<origin xyz="{xyz}" rpy="{rpy}"/>'
        text += f'<axis xyz="{" ".join(map(repr, link["axis"]))}"/>' if "axis" in link else ""
        text += "</joint>"
    return text + "</robot>"


def with_shapes(robot: dict) -> tuple[mujoco.MjModel, dict[str, list[int]]]:
    """A model of the description's links and shapes, and the geoms of each part."""
    spec = mujoco.MjSpec.from_string(urdf(robot))
    capsules, blocks = robot.get("capsules", []), robot.get("blocks", [])
    for index, shape in enumerate([*capsules, *blocks]):
        # The base link of a URDF becomes MuJoCo's world.
        body = spec.worldbody if shape["link"] == robot["base_link"] else spec.body(shape["link"])
        if shape in blocks:
            body.add_geom(name=f"s{index}", type=mujoco.mjtGeom.mjGEOM_BOX, pos=shape["center"], size=[size / 2 for size in shape["size"]])
        else:
            body.add_geom(name=f"s{index}", type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[shape["radius"], 0, 0], fromto=[*shape["from"], *shape["to"]])
    model = spec.compile()
    parts: dict[str, list[int]] = {}
    for index, shape in enumerate([*capsules, *blocks]):
        parts.setdefault(shape["part"], []).append(model.geom(f"s{index}").id)
    return model, parts


def scene_parts(scene: mujoco.MjModel) -> dict[str, list[int]]:
    """The scene's own geoms, by the part they belong to."""
    parts: dict[str, list[int]] = {}
    for geom in range(scene.ngeom):
        body, is_box = scene.body(scene.geom_bodyid[geom]).name, scene.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX
        side = body.split("_")[0]
        if body == "torso_link4":
            part = "torso" if is_box else "head"
        elif body in (f"{side}_arm_base_link", f"{side}_arm_link1"):
            part = f"{side}_shoulder"
        elif body.startswith(tuple(f"{side}_{kind}_" for side in SIDES for kind in ("arm", "gripper"))):
            part = f"{side}_arm"
        else:
            part = {"base_link": "base"}.get(body, "torso" if side == "torso" else "")
        parts.setdefault(part, []).append(geom)
    return parts


def pose(model: mujoco.MjModel, data: mujoco.MjData, posture: dict[str, float]) -> None:
    for name, position_rad in posture.items():
        data.joint(name).qpos = position_rad
    mujoco.mj_kinematics(model, data)


def distance_m(model: mujoco.MjModel, data: mujoco.MjData, one: list[int], other: list[int]) -> float:
    return min(mujoco.mj_geomDistance(model, data, a, b, 10.0, None) for a in one for b in other)


def r1pro() -> str:
    scene = mujoco.MjModel.from_xml_path(str(SCENE))
    scene_data = mujoco.MjData(scene)
    robot = described("r1pro")
    model, parts = with_shapes(robot)
    data = mujoco.MjData(model)
    pairs = [pair["parts"] for pair in robot["clearances"]]
    own = scene_parts(scene)
    table = read_table()
    rng = np.random.default_rng(0)
    postures, worst_m = [], 0.0
    for _ in range(POSTURE_COUNT):
        posture = {name: round(rng.uniform(*scene.joint(name).range), 6) for names in GROUPS.values() for name in names}
        # Grippers are anywhere between closed and open; the simulator's base_link stays at the world's origin.
        fingers = {f"{side}_gripper_finger_joint{i}": at for side in SIDES for at in [rng.uniform(0, 0.05)] for i in (1, 2)}
        pose(scene, scene_data, posture | fingers)
        hands_m = np.array([scene_data.body(f"{side}_gripper_link").xpos for side in SIDES]) + TABLE_FROM_SIM_BASE_M
        table_m = np.array([link_pose(table, f"{side}_gripper_base", posture)[:3, 3] for side in SIDES])
        worst_m = max(worst_m, np.linalg.norm(hands_m - table_m, axis=1).max())
        pose(model, data, posture)
        row = {group: [posture[name] for name in names] for group, names in GROUPS.items()}
        row |= {f"{side}_hand_mujoco_m": hand.round(8).tolist() for side, hand in zip(SIDES, hands_m, strict=True)}
        row["distances_m"] = [round(distance_m(model, data, *(parts[part] for part in pair)), 7) for pair in pairs]
        row["scene_distances_m"] = [round(distance_m(scene, scene_data, *(own[part] for part in pair)), 5) for pair in pairs]
        postures.append(row)
    if worst_m > TOLERANCE_M:
        raise SystemExit(f"MuJoCo's scene and the table differ by {worst_m} m")
    header = {
        "mujoco_base_to_table_base_m": TABLE_FROM_SIM_BASE_M.round(9).tolist(),
        "worst_difference_to_table_m": float(worst_m),
        "distances_between": pairs,
    }
    return lines(header, postures)


def so101() -> str:
    robot = described("so101")
    model, _ = with_shapes(robot)
    data = mujoco.MjData(model)
    arm = robot["groups"][0]["joints"]
    rng = np.random.default_rng(1)
    postures = []
    for _ in range(POSTURE_COUNT):
        arm_deg = [round(rng.uniform(joint["lower"], joint["upper"]), 4) for joint in arm]
        pose(model, data, {joint["name"]: np.deg2rad(at) for joint, at in zip(arm, arm_deg, strict=True)})
        postures.append({"arm_deg": arm_deg, "hand_m": data.body("gripperframe").xpos.round(8).tolist()})
    return lines({}, postures)


def lines(header: dict, postures: list[dict]) -> str:
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in postures)
    return "".join(f'"{key}": {json.dumps(value)},\n' for key, value in header.items()).join(["{\n", f'"postures": [\n{rows}\n]}}\n'])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for name, make in (("hand_positions", r1pro), ("so101", so101)):
        (args.out / f"{name}.json").write_text(make())


if __name__ == "__main__":
    main()
