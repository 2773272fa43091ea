"""Demonstrations of the two tasks: the simulated robot, its teleoperator and Sinew's recorder, each a process, over a router.

    collect.py SINEW_RUNTIME FOLDER --seeds 1000 1220
    collect.py SINEW_RUNTIME FOLDER --corrections eval.json

One log an episode in FOLDER, marked with how it ended; `outcomes.jsonl` beside them, an episode a line. Seeds below 1000 are kept for evaluation.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="sinew-runtime")
    parser.add_argument("folder", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "END"))
    what.add_argument("--corrections", type=Path, help="the failures of an evaluation, put right from where they ended")
    parser.add_argument("--tasks", nargs="+", default=["cube", "egg"])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    endpoint = f"tcp/127.0.0.1:{free_port()}"
    link = ["--connect", endpoint, "--mode", "client"]
    running = []

    def start(*command, **options) -> subprocess.Popen:
        running.append(subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, **options))
        return running[-1]

    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "record.toml"
        config.write_text("[record]\nstart_at_once = false\n")
        try:
            router = start(sys.executable, HERE / "router.py", endpoint, stdout=subprocess.PIPE)
            router.stdout.readline()
            robot = start(sys.executable, HERE / "robot.py", *link, "--small-pictures", stdout=subprocess.PIPE)
            robot.stdout.readline()
            recorder = start(args.program, "record", "--robot", "r1pro", "--folder", args.folder, "--config", config, *link)
            seeds = ["--seeds", *args.seeds] if args.seeds else ["--corrections", args.corrections]
            tasks = [*seeds, "--tasks", *args.tasks, "--varied"]
            with (args.folder / "outcomes.jsonl").open("a") as outcomes:
                teleoperator = start(sys.executable, HERE / "teleoperator.py", *link, *tasks, stdout=outcomes)
                teleoperator.wait()
            recorder.terminate()
            return recorder.wait(timeout=60)
        finally:
            for process in running:
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
