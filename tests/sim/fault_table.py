"""Puts what the fault matrix measured into a document: `fault_table.py ROWS_FOLDER DOCUMENT.md`, between the two markers there."""

import json
import sys
from collections import defaultdict
from pathlib import Path

BEGIN, END = "<!-- fault matrix: made by scripts/fault-table -->", "<!-- end of the fault matrix -->"
CLASSES = {"a camera": {"head", "left_wrist", "right_wrist"}, "joints": {"torso", "left_arm", "left_gripper", "right_arm", "right_gripper"}}


ORDER = [
    "a camera", "joints", "left_arm", "controller", "bms", "status_arm_left", "the policy", "the robot's clock", "this computer's clock", "the router",
    "the runtime", "the operator",
]


def class_of(name: str) -> str:
    return next((label for label, members in CLASSES.items() if name in members), name)


def table(rows: list[dict]) -> str:
    grouped = defaultdict(list)
    for row in rows:
        key = class_of(row["input"]), row["fault"], row["reason"], row["state"], row["watchdog_ms"]
        grouped[key].append(row)
    lines = ["| what | goes wrong | reason | state | watchdog, ms | nothing moves after, ms |", "|---|---|---|---|---|---|"]
    rank = {label: number for number, label in enumerate(ORDER)}
    for (label, fault, reason, state, watchdog_ms), found in sorted(grouped.items(), key=lambda group: rank.get(group[0][0], len(rank))):
        inputs = sorted({row["input"] for row in found})
        what = f"{label} ({len(inputs)} of {len(CLASSES[label])})" if label in CLASSES and len(inputs) > 1 else inputs[0].replace("_", " ")
        shown = "-" if reason == "-" else f"`{reason}`"
        watched = "-" if reason == "-" else f"{watchdog_ms:.0f}"
        measured = [row["measured_ms"] for row in found if row["measured_ms"] is not None]
        most = f"{max(measured):.0f}" if measured else "it goes on"
        lines.append(f"| {what} | {fault} | {shown} | {state} | {watched} | {most} |")
    return "\n".join(lines)


def main() -> None:
    folder, document = map(Path, sys.argv[1:])
    rows = [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    if not rows:
        sys.exit(f"nothing in {folder}: did the tests run?")
    text = document.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    document.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
