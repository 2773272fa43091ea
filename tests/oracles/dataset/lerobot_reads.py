"""Whether LeRobot 0.4.4 reads, aggregates and goes on with what `Writer` wrote, and would have written the same itself.

Usage: SINEW_KEEP=FOLDER cargo test -p sinew-dataset keep_for_lerobot -- --ignored
       HF_HUB_OFFLINE=1 python lerobot_reads.py FOLDER

Prints what differs from LeRobot's own writer. Expected: `sinew` in info.json; the std of pictures, which LeRobot squares
in 8 bits; quantiles next to the edge of a bin, which LeRobot has in float32.
"""

import json
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow.parquet as pq
from lerobot.datasets.aggregate import aggregate_datasets
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.v30.convert_dataset_v21_to_v30 import convert_dataset

written = Path(sys.argv[1])
scratch = Path(mkdtemp())
HEAD, WRIST = "observation.images.head", "observation.images.wrist"
CAMERAS = {HEAD: (96, 64), WRIST: (64, 64)}
EPISODES = 4
AXES = ["height", "width", "channels"]
FEATURES = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["left", "right", "gripper"]},
    "action": {"dtype": "float32", "shape": (2,), "names": ["left", "right"]},
    HEAD: {"dtype": "video", "shape": (64, 96, 3), "names": AXES},
    WRIST: {"dtype": "video", "shape": (64, 64, 3), "names": AXES},
    "next.done": {"dtype": "bool", "shape": (1,), "names": ["done"]},
    "observation.counter": {"dtype": "int64", "shape": (2,), "names": ["a", "b"]},
}


# The episodes of dataset/tests/integration/synthetic.rs.


def length(number):
    return 5 + number * 3 % 7


def task(number):
    return ["put the egg in the tray", "put the cube in the tray"][number % 2]


def state(number):
    t = np.arange(length(number), dtype=np.float32) * np.float32(0.1) + np.float32(number)
    return np.stack([np.sin(t), np.cos(t) * np.float32(2), np.full_like(t, 0.5)], 1)


def action(number):
    rows = np.arange(length(number), dtype=np.float32)
    return np.stack([rows, -np.float32(number) - rows / np.float32(3)], 1)


def picture(number, row, size):
    x, y = np.meshgrid(np.arange(size[0]) * 2 + row * 6, np.arange(size[1]) * 2 + number * 20)
    red = np.minimum(x % 256, 255 - x % 256)
    return np.stack([red, y % 256 // 2 + 40, np.full_like(x, 128)], -1).astype(np.uint8)


def record(dataset, number):
    for row in range(length(number)):
        frame = {camera: picture(number, row, size) for camera, size in CAMERAS.items()}
        frame |= {"observation.state": state(number)[row], "action": action(number)[row], "task": task(number)}
        frame["next.done"] = np.array([row + 1 == length(number)])
        frame["observation.counter"] = np.array([2 * row, 2 * row + 1])
        dataset.add_frame(frame)
    dataset.save_episode(parallel_encoding=False)


def check(root, episodes=EPISODES):
    dataset = LeRobotDataset("any/name", root=root)
    assert dataset.num_episodes == episodes and len(dataset) == sum(map(length, range(episodes)))
    places = [(number, row) for number in range(episodes) for row in range(length(number))]
    worst = 0
    for index, (number, row) in enumerate(places):
        item = dataset[index]
        assert np.allclose(item["observation.state"], state(number)[row], atol=1e-6)
        assert np.array_equal(item["action"], action(number)[row])
        assert item["task"] == task(number)
        assert (item["episode_index"], item["frame_index"]) == (number, row)
        assert abs(float(item["timestamp"]) - row / 10) < 1e-6
        for camera, size in CAMERAS.items():
            found = item[camera].numpy().transpose(1, 2, 0) * 255
            worst = max(worst, np.abs(found - picture(number, row, size)).mean())
    assert worst < 4
    print(f"{root.name}: {episodes} episodes, pictures off by {worst:.2f} levels at most")


def differ(a, b):
    try:
        a, b = np.array(a, float), np.array(b, float)
        return a.shape != b.shape or not np.allclose(a, b, rtol=1e-5, atol=2e-4)
    except (TypeError, ValueError):
        return a != b


def compare(what, theirs, ours):
    for key in theirs.keys() | ours.keys():
        if differ(theirs.get(key), ours.get(key)):
            print(f"{what} {key}: LeRobot {theirs.get(key)}, Sinew {ours.get(key)}")


lerobots = LeRobotDataset.create("any/name", 10, FEATURES, root=scratch / "lerobot", robot_type="two_joints")
for number in range(EPISODES):
    record(lerobots, number)
lerobots.finalize()

ours, theirs = written / "v30", scratch / "lerobot"
check(theirs)
check(ours)
for file in ["data/chunk-000/file-000", "meta/episodes/chunk-000/file-000", "meta/tasks"]:
    tables = [pq.read_table(root / f"{file}.parquet") for root in (theirs, ours)]
    compare(f"types of {file}", *({f.name: str(f.type) for f in table.schema} for table in tables))
    compare(f"values of {file}", *(table.to_pydict() for table in tables))
    assert tables[0].schema.names == tables[1].schema.names
info = [json.loads((root / "meta/info.json").read_text()) for root in (theirs, ours)]
compare("info.json", *info)
statistics = [json.loads((root / "meta/stats.json").read_text()) for root in (theirs, ours)]
assert statistics[0].keys() == statistics[1].keys()
for feature in statistics[0]:
    compare(f"statistics of {feature}", *(of[feature] for of in statistics))

for name, sources in {"twice": [ours, ours], "mixed": [ours, theirs]}.items():
    aggregate_datasets(["a", "b"], "c", roots=sources, aggr_root=scratch / name)
    both = LeRobotDataset("c", root=scratch / name)
    assert both.num_episodes == 2 * EPISODES and both[len(both) - 1]["task"] == task(EPISODES - 1)
    print(f"aggregated {name}")

shutil.copytree(ours, scratch / "resumed")
resumed = LeRobotDataset("any/name", root=scratch / "resumed")
resumed.episode_buffer = resumed.create_episode_buffer()
record(resumed, EPISODES)
resumed.finalize()
check(scratch / "resumed", EPISODES + 1)

shutil.copytree(written / "v21", scratch / "v21")
convert_dataset("v21", root=scratch, push_to_hub=False)
check(scratch / "v21")
shutil.rmtree(scratch)
