"""Whether each hand-over of `make loop` is what it should be, as others' packages see it: `mcap` and `rosbags`, `pyarrow` and `av`, plain JSON.

    check_loop.py logs FOLDER --count N
    check_loop.py dataset FOLDER --logs FOLDER
    check_loop.py run FOLDER
    check_loop.py eval FOLDER --bundle FOLDER --count N
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from network import STORE
from r1pro import CAMERAS, COMPRESSED_IMAGE, FEEDBACK, JOINT_STATE, TARGETS

WORDS = {"put the egg in the tray", "put the red cube in the tray"}
STRING = "std_msgs/msg/String"


def expect(what: str, found, wanted) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: expected {wanted}, found {found}")


def expect_true(what: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"not so: {what}")


def read_log(path: Path) -> tuple[Counter, list[str], str]:
    """Of each topic how many messages, all marks, and the last words."""
    from mcap.reader import make_reader

    counts, marks, words = Counter(), [], ""
    kinds = {output.topic: output.message for output in [*FEEDBACK, *CAMERAS]} | {target.topic: JOINT_STATE for target in TARGETS}
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages():
            counts[channel.topic] += 1
            if channel.topic in kinds:
                expect(f"{path}, type of {channel.topic}", schema.name, kinds[channel.topic])
                decoded = STORE.deserialize_cdr(message.data, schema.name)
                if schema.name == COMPRESSED_IMAGE:
                    expect(f"{path}, a picture of {channel.topic}", bytes(decoded.data[:2]), b"\xff\xd8")
            elif schema.name == STRING:
                text = STORE.deserialize_cdr(message.data, STRING).data
                if channel.topic == "/sinew/episode":
                    marks.append(text)
                elif channel.topic == "/sinew/instruction":
                    words = text
    return counts, marks, words


def check_logs(folder: Path, count: int) -> None:
    logs = sorted(folder.glob("*.mcap"))
    expect(f"logs in {folder}", len(logs), count)
    expect(f"torn logs in {folder}", list(folder.glob("*.part")), [])
    outcomes = [json.loads(line)["success"] for line in (folder / "outcomes.jsonl").read_text().splitlines()]
    for path, success in zip(logs, outcomes, strict=True):
        counts, marks, words = read_log(path)
        for output in [*FEEDBACK, *CAMERAS, *TARGETS]:
            expect_true(f"{path} has messages of {output.topic}", counts[output.topic] > 100)
        expect(f"marks of {path}", marks[-1], "success" if success else "failure")
        expect_true(f"{path} says `{words}`, one of the tasks", words in WORDS)


def check_dataset(folder: Path, logs: Path) -> None:
    import av
    import pyarrow.parquet as pq

    info = json.loads((folder / "meta/info.json").read_text())
    successes = [json.loads(line)["success"] for line in (logs / "outcomes.jsonl").read_text().splitlines()].count(True)
    expect_true(f"of {successes} successful logs at least one is an episode", 1 <= info["total_episodes"] <= successes)
    expect("codebase_version", info["codebase_version"], "v3.0")
    table = pq.read_table(folder / "data")
    expect("rows", table.num_rows, info["total_frames"])
    expect("index", table["index"].to_pylist(), list(range(table.num_rows)))
    expect("widths", [len(table[name][0]) for name in ("observation.state", "action")], [32, 23])
    own = json.loads((folder / "meta/stats.json").read_text())
    for name in ("observation.state", "action"):
        numbers = np.array(table[name].to_pylist(), dtype=np.float64)
        for what, found in (("mean", numbers.mean(0)), ("min", numbers.min(0)), ("max", numbers.max(0))):
            expect_true(f"{what} of {name} in meta/stats.json is that of the rows", np.allclose(own[name][what], found, atol=1e-5))
    tasks = pq.read_table(folder / "meta/tasks.parquet").to_pydict()
    said = {text for column in tasks.values() for text in column if isinstance(text, str)}
    expect_true(f"tasks {said} are what the teleoperator was told", bool(said) and said <= WORDS)
    for output in CAMERAS:
        videos = sorted((folder / "videos" / f"observation.images.{output.name}").rglob("*.mp4"))
        pictures = 0
        for video in videos:
            with av.open(str(video)) as container:
                pictures += sum(1 for _ in container.decode(video=0))
        expect(f"pictures of {output.name}", pictures, table.num_rows)


def check_run(folder: Path) -> None:
    manifest = json.loads((folder / "bundle/bundle.json").read_text())
    statistics = json.loads((folder / "analysis/data/statistics.json").read_text())
    names = [dimension["name"] for dimension in manifest["action"]["dimensions"]]
    expect("the analysis's action", [dimension["name"] for dimension in statistics["action"]], names)
    expect("numbers of the action", len(names), 23)
    page = (folder / "analysis/report.html").read_text()
    check_statistics(manifest, folder / "dataset")
    checkpoint = (folder / "checkpoints/best").resolve() / "pretrained_model/model.safetensors"
    expect("the bundle's checkpoint", manifest["provenance"]["checkpoint_sha256"], hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    expect_true("the report says its headline", statistics["diagnosis"]["headline"].split(":")[0].split(".")[0] in page)


def check_statistics(manifest: dict, dataset: Path) -> None:
    """The bundle's means are those of some of the episodes: of all but those that were validated with."""
    import pyarrow.parquet as pq

    table = pq.read_table(dataset / "data")
    episodes = table["episode_index"].to_numpy()
    known = np.unique(episodes)
    for vector, column in (("state", "observation.state"), ("action", "action")):
        numbers = np.array(table[column].to_pylist(), dtype=np.float64)
        wanted = [dimension["statistics"]["mean"] for dimension in manifest[vector]["dimensions"]]
        choices = [choice for size in range(1, len(known) + 1) for choice in combinations(known, size)]
        means = [numbers[np.isin(episodes, choice)].mean(0) for choice in choices]
        expect_true(f"the {vector}'s means in the bundle are those of training episodes", any(np.allclose(mean, wanted, atol=1e-4) for mean in means))


def check_eval(folder: Path, bundle: Path, count: int) -> None:
    found = json.loads((folder / "eval.json").read_text())
    expect("bundle", found["bundle_id"], json.loads((bundle / "bundle.json").read_text())["bundle_id"])
    expect("episodes", len(found["episodes"]), count)
    expect("tasks", {task["words"] for task in found["tasks"].values()}, WORDS)
    for episode in found["episodes"]:
        expect_true(f"the policy drove: {episode}", episode["chunk_count"] > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["logs", "dataset", "run", "eval"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--logs", type=Path)
    parser.add_argument("--bundle", type=Path)
    args = parser.parse_args()
    match args.what:
        case "logs":
            check_logs(args.folder, args.count)
        case "dataset":
            check_dataset(args.folder, args.logs)
        case "run":
            check_run(args.folder)
        case "eval":
            check_eval(args.folder, args.bundle, args.count)
    print(f"{args.what}: as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
