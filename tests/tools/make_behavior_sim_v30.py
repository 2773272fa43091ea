"""Writes the metadata that turns `behavior_sim` into a dataset of format v3.0.

    make_behavior_sim_v30.py --out tests/fixtures/behavior_sim_v30

Tables are written by pandas, as LeRobot writes them. Rows and pictures are those of `behavior_sim`: episode k is
`data/chunk-000/file-00k.parquet` and `videos/<camera>/chunk-000/file-00k.mp4`.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

SOURCE = Path(__file__).parents[1] / "fixtures" / "behavior_sim"


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (SOURCE / "meta" / name).read_text().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out / "meta"
    (out / "episodes" / "chunk-000").mkdir(parents=True, exist_ok=True)

    info = json.loads((SOURCE / "meta" / "info.json").read_text())
    info["codebase_version"] = "v3.0"
    info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    for key in ("total_videos", "metainfo_path", "annotation_path"):
        info.pop(key)
    (out / "info.json").write_text(json.dumps(info, indent=4) + "\n")

    tasks = lines("tasks.jsonl")
    index = pd.Index([task["task"] for task in tasks])
    pd.DataFrame({"task_index": [task["task_index"] for task in tasks]}, index=index).to_parquet(out / "tasks.parquet")

    cameras = sorted(folder.name for folder in SOURCE.glob("videos/*/*"))
    rows, first = [], 0
    for number, episode in enumerate(lines("episodes.jsonl")):
        length = episode["length"]
        row = {"episode_index": episode["episode_index"], "tasks": episode["tasks"], "length": length}
        row |= {"data/chunk_index": 0, "data/file_index": number}
        row |= {"dataset_from_index": first, "dataset_to_index": first + length}
        for camera in cameras:
            place = {"chunk_index": 0, "file_index": number, "from_timestamp": 0.0, "to_timestamp": length / info["fps"]}
            row |= {f"videos/{camera}/{key}": value for key, value in place.items()}
        rows.append(row)
        first += length
    pd.DataFrame(rows).to_parquet(out / "episodes" / "chunk-000" / "file-000.parquet", index=False)


if __name__ == "__main__":
    main()
