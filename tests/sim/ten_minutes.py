"""Drives the simulated R1 Pro in real time with a policy that never rests, and checks what became of it.

    ten_minutes.py PROGRAM OUT [--seconds 600] [--mode rtc] [--busy 2000] [--body mujoco] [--camera-hz 15] [--full-pictures]

What has to hold: no limit was broken in what the robot was told (check_log.py), no control tick was later than 5 ms, the runtime's memory is as large at the end
as it was after the first minute, every chunk came and is accounted for, and the robot was not stopped. The last line says so; OUT keeps the evidence.

Where cyclictest is installed (Debian's rt-tests), it says how late this machine lets a thread be that comes before all others and does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from check_log import Checker, check_chunks

ROOT = Path(__file__).parents[2]
LATEST_TICK_MS = 5.0
# Growth of memory that is no leak, what allocators keep, and how long a run takes to have touched everything once.
FLAT_SHARE, FLAT_MB, WARM_S = 0.05, 8.0, 60
SAMPLE_S = 1.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make_bundle(out: Path, busy: int) -> Path:
    python = ROOT / ".venv/bin/python"
    tokenizer = ROOT / "tests/fixtures/golden/tiny/tokenizer.json"
    command = [python, ROOT / "tests/oracles/runtime/swing.py", out / "bundle", "--tokenizer", tokenizer, "--busy", str(busy)]
    subprocess.run(command, check=True)
    return out / "bundle"


def watch_machine(args) -> subprocess.Popen | None:
    """Starts cyclictest at the tick's rate, a thread a core."""
    program = shutil.which("cyclictest")
    if program is None:
        return None
    threads = ["--mlockall", "--priority", "99", "--threads", str(os.cpu_count()), "--affinity", "--interval", "10000"]
    told = ["--quiet", "--histogram", "100000", "--json", args.out / "machine.json", "--duration", str(int(args.seconds))]
    return subprocess.Popen([program, *threads, *told], stdout=subprocess.DEVNULL)


def machine_lateness(args, watch: subprocess.Popen | None) -> dict | None:
    if watch is None or watch.wait(timeout=60) != 0:
        return None
    threads = json.loads((args.out / "machine.json").read_text())["thread"].values()
    late = [sum(count for us, count in thread["histogram"].items() if int(us) > 1000 * LATEST_TICK_MS) for thread in threads]
    beyond = [thread["cycles"] - sum(thread["histogram"].values()) for thread in threads]
    return {"count": sum(thread["cycles"] for thread in threads), "late_count": sum(late + beyond), "max_ms": max(thread["max"] for thread in threads) / 1000}


def drive(args, config: Path) -> list[float]:
    """Runs runtime and robot. Returns the runtime's memory, a number a second."""
    endpoint = f"tcp/127.0.0.1:{free_port()}"
    events = (args.out / "events.jsonl").open("w")
    errors = (args.out / "runtime.log").open("w")
    run = [args.program, "run", "--bundle", make_bundle(args.out, args.busy), "--config", config, "--listen", endpoint, "--instruction", "swing", "--json"]
    runtime = subprocess.Popen(run, stdout=events, stderr=errors)
    pictures = [] if args.full_pictures else ["--small-pictures"]
    robot_program = [sys.executable, ROOT / "tests/sim/robot.py", "--connect", endpoint, "--body", args.body, "--camera-hz", str(args.camera_hz)]
    robot = subprocess.Popen([*robot_program, *pictures, "--log", args.out / "commands.npz"], stdin=subprocess.PIPE)
    memory = []
    try:
        end = time.monotonic() + args.seconds
        while time.monotonic() < end and runtime.poll() is None and robot.poll() is None:
            memory.append(rss_mb(runtime.pid))
            time.sleep(SAMPLE_S)
        runtime.terminate()
        code = runtime.wait(timeout=60)
        robot.communicate(timeout=60)
    finally:
        for process in (runtime, robot):
            process.kill()
    if code != 0 or robot.returncode != 0:
        raise SystemExit(f"the runtime ended with {code}, the robot with {robot.returncode}: see {args.out / 'runtime.log'}")
    return memory


def judge(args, config: dict, memory: list[float], machine: dict | None) -> list[str]:
    log = np.load(args.out / "commands.npz")
    wrong = [str(violation) for violation in Checker(log, config).check()]
    wrong += check_chunks(log, args.out / "events.jsonl")
    events = [json.loads(line) for line in (args.out / "events.jsonl").read_text().splitlines()]
    summary = events[-1]
    if any(event["event"] == "motion" and event["state"] == "stopped" for event in events):
        wrong.append("the robot was stopped")
    holds = [event["reason"] for event in events if event["event"] == "motion" and event["state"] == "holding"]
    ticks = summary.get("ticks") or {}
    latest_ms = ticks.get("lateness", {}).get("max_ms", float("nan"))
    if not latest_ms <= LATEST_TICK_MS:
        wrong.append(f"a tick was {latest_ms} ms late, limit {LATEST_TICK_MS} ms")
    warm = memory[WARM_S:] or memory[-1:]
    first, last = (np.median(part) for part in (warm[: len(warm) // 5 + 1], warm[-(len(warm) // 5) - 1 :]))
    if last - first > max(FLAT_MB, FLAT_SHARE * first):
        wrong.append(f"memory grew from {first:.1f} to {last:.1f} MB")
    seams = [jump["executed"] for event in events if event["event"] == "merged" for group, jump in event["seam"].items() if group.endswith("arm")]
    if summary["chunk_count"] < summary["seconds"] / 3:
        wrong.append(f"only {summary['chunk_count']} chunks")
    moved = {group: float(np.ptp(log[f"{group}.position"], axis=0).max()) for group in ("torso", "left_arm", "right_arm", "left_gripper", "base")}
    report = {
        "seconds": round(summary["seconds"], 1), "mode": args.mode, "chunks": summary["chunk_count"], "chunk_ends": summary["chunk_ends"],
        "set_points": {group: len(log[f"{group}.received_ns"]) for group in moved}, "range_moved": moved, "holds": holds, "ticks": ticks, "machine": machine,
        "memory_mb": {"after a minute": round(float(first), 1), "at the end": round(float(last), 1), "most": round(max(memory), 1)},
        "latency_ms": summary["observation_to_publish"], "largest_arm_seam_rad": max(seams, default=None), "wrong": wrong,
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=1))
    np.savetxt(args.out / "memory_mb.csv", memory, fmt="%.1f")
    print(json.dumps(report, indent=1))
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="sinew-runtime")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--mode", default="rtc", choices=["sync", "ensemble", "blend", "rtc"])
    parser.add_argument("--busy", type=int, default=2000, help="work of the policy; 2000 takes about 0.1 s")
    parser.add_argument("--body", default="mujoco", choices=["mujoco", "kinematic"])
    parser.add_argument("--camera-hz", type=float, default=15.0)
    parser.add_argument("--full-pictures", action="store_true", help="640 x 360 and 640 x 480, which software rendering needs a core for")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    config = args.out / "run.toml"
    # One thread for the policy: on two cores the tick and the simulator want the other.
    config.write_text(f'[setpoints]\npublish = true\n\n[schedule]\nmode = "{args.mode}"\n\n[policy]\nthreads = 1\n')
    watch = watch_machine(args)
    memory = drive(args, config)
    wrong = judge(args, tomllib.loads(config.read_text()), memory, machine_lateness(args, watch))
    print("ok" if not wrong else f"refused: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
