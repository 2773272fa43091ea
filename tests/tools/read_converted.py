"""Reads a dataset that `sinew-trainer convert` wrote with LeRobot 0.4.4, as a training would, and says what is in it.

    HF_HUB_OFFLINE=1 python read_converted.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

CHUNK = 50

folder = Path(sys.argv[1])
plain = LeRobotDataset("local/converted", root=folder)
fps = plain.fps
dataset = LeRobotDataset("local/converted", root=folder, delta_timestamps={"action": [step / fps for step in range(CHUNK)]})
cameras = dataset.meta.camera_keys
print(f"{dataset.num_episodes} episodes, {dataset.num_frames} rows, {fps} rows a second, robot {dataset.meta.robot_type}")
print("tasks:", *dataset.meta.tasks.index, sep="\n  ")
for key, feature in dataset.features.items():
    print(f"{key}: {feature['dtype']} {tuple(feature['shape'])}")
loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, num_workers=0, generator=torch.Generator().manual_seed(0))
for batch, _ in zip(loader, range(8), strict=False):
    assert batch["action"].shape[1:] == (CHUNK, *dataset.features["action"]["shape"]), batch["action"].shape
    assert torch.isfinite(batch["observation.state"]).all() and torch.isfinite(batch["action"]).all()
    for camera in cameras:
        height, width, _ = dataset.features[camera]["shape"]
        assert batch[camera].shape[1:] == (3, height, width), batch[camera].shape
    assert (batch["timestamp"] * fps - batch["frame_index"]).abs().max() < 1e-3
rows = {key: np.stack([np.asarray(row, dtype=np.float64) for row in plain.hf_dataset[key]]) for key in ("action", "observation.state")}
for key, values in rows.items():
    stats = dataset.meta.stats[key]
    for name, found in [("mean", values.mean(0)), ("std", values.std(0)), ("min", values.min(0)), ("max", values.max(0))]:
        assert np.allclose(stats[name], found, atol=1e-4), (key, name)
    assert all(name in stats for name in ("q01", "q10", "q50", "q90", "q99")), sorted(stats)
print("batches of chunks and pictures load; statistics are those of the rows")
