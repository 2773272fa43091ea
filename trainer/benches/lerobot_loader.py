#!/usr/bin/env python3
"""LeRobot's side of the loader's benchmark: makes the datasets, and reads them.

  lerobot_loader.py make FOLDER SOURCE.mp4    FOLDER/av1 (LeRobot's own encoding) and FOLDER/h265 (GOP 250)
  lerobot_loader.py read DATASET WORKERS COUNT    prints frames per second, decoder

Frames are those of SOURCE over and over, scaled to 640 x 480, four episodes of 300.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.datasets.video_utils import get_safe_default_codec

FPS, EPISODES, FRAMES, CHUNK, BATCH = 30, 4, 300, 50, 8
CAMERA = "observation.images.head"


def make(folder: Path, source: str) -> None:
    with av.open(source) as video:
        pictures = [f.reformat(640, 480, "rgb24").to_ndarray() for f in video.decode(video=0)]
    features = {
        "observation.state": {"dtype": "float32", "shape": (8,), "names": None},
        "action": {"dtype": "float32", "shape": (8,), "names": None},
        CAMERA: {"dtype": "video", "shape": (480, 640, 3), "names": ["height", "width", "channels"]},
    }
    dataset = LeRobotDataset.create("bench", FPS, features, root=folder / "av1", use_videos=True)
    for episode in range(EPISODES):
        for row in range(FRAMES):
            numbers = np.sin(np.arange(8) + 0.1 * row + episode).astype(np.float32)
            # Back and forth, so that no episode has a cut.
            place = (row + 40 * episode) % (2 * len(pictures) - 2)
            picture = pictures[min(place, 2 * len(pictures) - 2 - place)]
            dataset.add_frame({"observation.state": numbers, "action": numbers, CAMERA: picture, "task": "bench"})
        dataset.save_episode()
    dataset.finalize()
    shutil.copytree(folder / "av1", folder / "h265")
    for path in (folder / "h265" / "videos").rglob("*.mp4"):
        written = path.with_suffix(".h265.mp4")
        parameters = "keyint=250:min-keyint=250:scenecut=0:log-level=error"
        command = ["ffmpeg", "-v", "error", "-i", path, "-c:v", "libx265", "-tag:v", "hvc1", "-x265-params"]
        subprocess.run([*command, parameters, written], check=True)
        written.rename(path)


def read(root: str, workers: int, count: int) -> None:
    deltas = {"action": [i / FPS for i in range(CHUNK)]}
    dataset = LeRobotDataset("bench", root=root, delta_timestamps=deltas)
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, shuffle=True, num_workers=workers, prefetch_factor=2 if workers else None
    )
    batches = iter(loader)
    next(batches)
    start, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch["action"])
        if seen >= count:
            break
    print(seen / (time.perf_counter() - start), get_safe_default_codec())


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    make(Path(rest[0]), rest[1]) if what == "make" else read(rest[0], int(rest[1]), int(rest[2]))
