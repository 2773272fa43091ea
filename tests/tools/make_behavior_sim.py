#!/usr/bin/env python3
"""Records two episodes of the simulated R1 Pro in the layout of BEHAVIOR-1K's 2025 demonstrations (LeRobot v2.1 with changes).

    make_behavior_sim.py --out tests/fixtures/behavior_sim

Needs requirements-sim.txt, and MUJOCO_GL=egl or osmesa where there is no display.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "sim"))

from behavior import base_yaw_rad, camera_poses, from_behavior, proprioception, to_behavior  # noqa: E402
from rig import ARM_START, Rig, ease  # noqa: E402

FPS = 30
CHUNK_SIZE = 10_000  # so that the chunk is the task number
KEY_FRAME_PERIOD = 250
CRF = 30
# Teleoperated data starts with still frames, in which the idle base is not exactly zero.
STILL_STEPS, DRIVE_STEPS, RETURN_STEPS = 5, 30, 20
IDLE_BASE = np.float32(1e-45)

RGB = {"left_wrist": ("left_wrist", 480), "right_wrist": ("right_wrist", 480), "head": ("head_table", 720)}
EEF = {"left": slice(186, 189), "right": slice(225, 228)}
ROBOT_POSITION = slice(140, 143)


@dataclass(frozen=True)
class Episode:
    index: int
    task_index: int
    task_name: str
    task: str
    side: str
    item: str
    seed: int
    start: tuple[float, float, float]  # base x, y in m, yaw in rad

    @property
    def chunk(self) -> int:
        return self.index // CHUNK_SIZE


EPISODES = [
    Episode(60010, 6, "putting_cube_in_tray", "put the red cube in the tray", "right", "cube", 11, (-0.15, 0.04, 0.10)),
    Episode(60020, 7, "putting_egg_in_tray", "put the egg in the tray", "left", "egg", 12, (-0.12, -0.05, -0.12)),
]


# --- What the robot does -----------------------------------------------------------------------------------------------------------


def drive(rig: Rig, start: np.ndarray) -> Iterator[np.ndarray]:
    """Rig actions that bring the base from `start` (x, y, yaw) to the origin."""
    action = rig.home_action.copy()
    for i in range(DRIVE_STEPS):
        action[:3] = -start * (ease((i + 1) / DRIVE_STEPS) - ease(i / DRIVE_STEPS)) * FPS
        yield action.copy()


def whole_task(rig: Rig, episode: Episode) -> Iterator[np.ndarray]:
    """Rig actions: stand still, drive up to the table, pick and place, bring the arm home."""
    for _ in range(STILL_STEPS):
        yield rig.home_action.copy()
    yield from drive(rig, np.array(episode.start))
    for last in rig.pick_and_place(episode.side, episode.item):
        yield last
    arm = slice(ARM_START[episode.side], ARM_START[episode.side] + 7)
    action = last.copy()
    for i in range(RETURN_STEPS):
        action[arm] = last[arm] + (rig.home_action[arm] - last[arm]) * ease((i + 1) / RETURN_STEPS)
        yield action.copy()


def run(rig: Rig, episode: Episode, videos: dict[str, Video]) -> dict[str, np.ndarray]:
    """Plays the episode and returns its columns; row t holds what was seen before action t."""
    rig.reset(episode.seed)
    place_base(rig, episode.start)
    rows = {"observation.state": [], "observation.cam_rel_poses": [], "action": []}
    for command in whole_task(rig, episode):
        action = to_behavior(rig, command)
        idle = action[:3] == 0
        rows["observation.state"].append(proprioception(rig))
        rows["observation.cam_rel_poses"].append(camera_poses(rig))
        rows["action"].append(np.concatenate([np.where(idle, IDLE_BASE, action[:3]), action[3:]]))
        for name, (camera, side_px) in RGB.items():
            videos[name].write(rig.render(camera, (side_px, side_px)))
        rig.step(from_behavior(rig, action))
    check_placed(rig, episode)
    return {name: np.array(values, np.float32) for name, values in rows.items()}


def place_base(rig: Rig, pose: tuple[float, float, float]) -> None:
    for name, value in zip(("base_x", "base_y", "base_yaw"), pose, strict=True):
        rig.data.joint(name).qpos = value
    rig.forward()


def check_placed(rig: Rig, episode: Episode) -> None:
    x, y, z = rig.data.body(episode.item).xpos
    if not (0.43 < x < 0.61 and abs(y) < 0.09 and z < 0.80):
        raise SystemExit(f"episode {episode.index}: the {episode.item} is not in the tray but at {x:.3f} {y:.3f} {z:.3f}")
    print(f"episode {episode.index}: {episode.item} placed, base ends at yaw {base_yaw_rad(rig):+.4f} rad")


# --- Files -------------------------------------------------------------------------------------------------------------------------


class Video:
    def __init__(self, path: Path, side_px: int):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx265", rate=FPS)
        self._stream.width = self._stream.height = side_px
        self._stream.pix_fmt = "yuv420p"
        # One thread, so that a second run gives the same file.
        params = f"keyint={KEY_FRAME_PERIOD}:pools=1:frame-threads=1:log-level=error"
        self._stream.options = {"crf": str(CRF), "x265-params": params}

    def write(self, rgb: np.ndarray) -> None:
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


def write_table(path: Path, episode: Episode, columns: dict[str, np.ndarray]) -> None:
    count = len(columns["action"])
    vectors = {name: pa.array(list(values), pa.list_(pa.float32())) for name, values in columns.items()}
    table = pa.table({
        "index": np.arange(count, dtype=np.int64),  # starts again in every episode, as the challenge's files do
        "episode_index": np.full(count, episode.index, np.int64),
        "timestamp": np.arange(count, dtype=np.float64) / FPS,
        **vectors,
    })
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def statistics(values: np.ndarray) -> dict[str, list]:
    x = values.astype(np.float64)
    numbers = dict(min=x.min(0), max=x.max(0), mean=x.mean(0), std=x.std(0), q01=np.quantile(x, 0.01, 0), q99=np.quantile(x, 0.99, 0))
    return {k: v.tolist() for k, v in numbers.items()} | {"count": [len(x)]}


def travelled_m(positions_m: np.ndarray) -> float:
    return round(float(np.linalg.norm(np.diff(positions_m.astype(np.float64), axis=0), axis=1).sum()), 4)


def video_feature(kind: str, side_px: int) -> dict:
    depth = kind == "depth"
    return {
        "dtype": "video", "shape": [side_px, side_px, 3], "names": ["height", "width", "depth" if depth else "rgb"],
        "info": {
            "video.fps": float(FPS), "video.height": side_px, "video.width": side_px, "video.channels": 3, "video.codec": "libx265",
            "video.pix_fmt": "yuv420p16le" if depth else "yuv420p", "video.is_depth_map": depth, "has_audio": False,
        },
    }


def info(frame_count: int) -> dict:
    """The challenge's own info.json, which declares depth, segmentation and task_info too; an RGB-only copy does not hold them."""
    features = {f"observation.images.{kind}.{name}": video_feature(kind, side_px)
                for kind in ("rgb", "depth", "seg_instance_id") for name, (_, side_px) in RGB.items()}
    numbers = {"action": ("float32", 23), "timestamp": ("float64", 1), "episode_index": ("int64", 1), "index": ("int64", 1),
               "observation.cam_rel_poses": ("float32", 21), "observation.state": ("float32", 256), "observation.task_info": ("float32", None)}
    features |= {name: {"dtype": dtype, "shape": [width], "names": None} for name, (dtype, width) in numbers.items()}
    chunk, episode = "task-{episode_chunk:04d}", "episode_{episode_index:08d}"
    return {
        "codebase_version": "v2.1", "robot_type": "R1Pro", "total_episodes": len(EPISODES), "total_frames": frame_count,
        "total_tasks": len(EPISODES), "total_videos": 9 * len(EPISODES), "chunks_size": CHUNK_SIZE, "fps": FPS,
        "splits": {"train": f"0:{len(EPISODES)}"},
        "data_path": f"data/{chunk}/{episode}.parquet",
        "video_path": f"videos/{chunk}/{{video_key}}/{episode}.mp4",
        "metainfo_path": f"meta/episodes/{chunk}/{episode}.json",
        "annotation_path": f"annotations/{chunk}/{episode}.json",
        "features": features,
    }


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    (out / "meta").mkdir(parents=True, exist_ok=True)

    rig = Rig(fps=FPS)
    described, stats, frame_count = [], [], 0
    for episode in EPISODES:
        folder, stem = f"task-{episode.chunk:04d}", f"episode_{episode.index:08d}"
        videos = {name: Video(out / "videos" / folder / f"observation.images.rgb.{name}" / f"{stem}.mp4", side_px)
                  for name, (_, side_px) in RGB.items()}
        columns = run(rig, episode, videos)
        for video in videos.values():
            video.close()
        write_table(out / "data" / folder / f"{stem}.parquet", episode, columns)
        state = columns["observation.state"]
        described.append({
            "episode_index": episode.index, "tasks": [episode.task], "length": len(state),
            "distance_traveled": travelled_m(state[:, ROBOT_POSITION]),
            "left_eef_displacement": travelled_m(state[:, EEF["left"]]),
            "right_eef_displacement": travelled_m(state[:, EEF["right"]]),
        })
        stats.append({"episode_index": episode.index, "stats": {name: statistics(values) for name, values in columns.items()}})
        frame_count += len(state)
    rig.close()

    (out / "meta" / "info.json").write_text(json.dumps(info(frame_count), indent=4) + "\n")
    write_lines(out / "meta" / "tasks.jsonl",
                [{"task_index": e.task_index, "task_name": e.task_name, "task": e.task} for e in EPISODES])
    write_lines(out / "meta" / "episodes.jsonl", described)
    write_lines(out / "meta" / "episodes_stats.jsonl", stats)


if __name__ == "__main__":
    main()
