"""What each way of training does to success: the same policy trained again and again, with one thing changed, and evaluated.

    ablations.py SINEW_TRAINER SINEW_RUNTIME --vlm-of POLICY --data FILE.toml .. --output FOLDER [--only NAME ..] [--go-on]

Every variant is trained with each of `--training-seeds`. Results are lines of FOLDER/results.jsonl; what is there already is not done again. The tables are
printed at the end, and with `--table` at once. Two of it may run side by side, each with seeds and a folder of its own; their results can be put together.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from itertools import product
from math import sqrt
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/tasks"
RIG = f"{sys.executable} {ROOT}/tests/sim/robot.py --small-pictures"
GRIPPERS = '["left_gripper", "right_gripper"]'
# Name: what is said, and what is added to train.toml and ablation.toml.
VARIANTS = {
    "plain": ("as train.toml", []),
    "temporal_1": ("temporal weighting, α = 1", ["--data.weights.temporal_alpha", "1"]),
    "temporal_2": ("temporal weighting, α = 2", ["--data.weights.temporal_alpha", "2"]),
    "segment": ("thrice the weight near gripper changes", ["--data.weights.segment", f"{{ dimensions = {GRIPPERS}, threshold = 0.1, margin = 15, factor = 3.0 }}"]),
    "equal": ("every dimension the same weight", ["--data.weights.dimensions", "{ base = 1.0, torso = 1.0 }"]),
    "grippers": ("four times the weight for grippers", ["--data.weights.dimensions", "{ base = 0.2, torso = 0.2, left_gripper = 4.0, right_gripper = 4.0 }"]),
    "chunk_30": ("chunks of 30", ["--policy.chunk_size", "30"]),
    "stride_2": ("every second frame (15 steps a second)", ["--data.frame_stride", "2"]),
    "clean_prefix": ("real-time chunking in training", ["--loss.max_clean_steps", "10"]),
}
RATES_HZ = {"stride_2": 15.0}
LAYOUT = "behavior-2025-top32"
# These variants' policies are evaluated in each of these schedule modes with each latency. `rtc-trained` needs a policy trained for it.
MODES = {"plain": ("sync", "ensemble", "blend", "rtc"), "clean_prefix": ("sync", "ensemble", "blend", "rtc", "rtc-trained")}
LATENCIES_MS = (0, 100, 200)
Z = 1.959964


def wilson(successes: int, count: int) -> tuple[float, float]:
    share, spread = successes / count, Z * Z / count
    half = Z * sqrt(share * (1 - share) / count + spread / (4 * count))
    return (share + spread / 2 - half) / (1 + spread), (share + spread / 2 + half) / (1 + spread)


class Ablations:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.results = args.output / "results.jsonl"
        lines = self.results.read_text().splitlines() if self.results.exists() else []
        self.done = {json.loads(line)["name"]: json.loads(line) for line in lines}

    def run(self, *command) -> None:
        print("+", *command, flush=True)
        subprocess.run([str(part) for part in command], check=True)

    def policy(self, variant: str, seed: int) -> Path:
        """The bundle of a variant, trained if it is not there."""
        args, folder = self.args, self.args.output / f"{variant}_{seed}"
        bundle = folder / "bundle"
        if bundle.exists():
            return bundle
        base, run = args.vlm_of if args.go_on else folder / "base", folder / "run"
        if not base.exists():
            vlm = ["--vlm", DOCS / "vlm_config.json", "--vlm-of", args.vlm_of]
            tokenizer = args.vlm_of / "tokenizer.json"
            self.run(args.trainer, "init", "--config", DOCS / "config.json", *vlm, "--tokenizer", tokenizer, "--seed", seed, "--output", base)
        flags = ["--run.output", run, "--run.seed", seed, "--policy.checkpoint", base, "--cache.folder", args.output / "cache"]
        config = [part for file in (DOCS / "train.toml", DOCS / "ablation.toml", *args.data) for part in ("--config", file)]
        resume = ["--resume"] if run.exists() else []
        self.run(args.trainer, "train", *config, *resume, *flags, *VARIANTS[variant][1])
        checkpoint = run / "checkpoints/last/pretrained_model"
        self.run(args.trainer, "export", "--checkpoint", checkpoint, "--output", bundle, "--layout", self.layout(variant), "--dtype", "f16")
        return bundle

    def layout(self, variant: str) -> str | Path:
        """What the policy's numbers are: the robot's layout, or the same at another rate in a file."""
        if variant not in RATES_HZ:
            return LAYOUT
        robot = (ROOT / "models/embodiments/r1pro.toml").read_text()
        layout = next(part for part in robot.split("[[layouts]]\n") if part.startswith(f'name = "{LAYOUT}"'))
        file = self.args.output / f"{variant}.toml"
        file.write_text(re.sub("rate_hz = .*", f"rate_hz = {RATES_HZ[variant]}", layout.split("\n[")[0]))
        return file

    def evaluate(self, name: str, variant: str, seed: int, episodes: str, more: list[str]) -> None:
        if name in self.done:
            return
        folder = self.args.output / "evaluations" / name
        self.run(
            self.args.runtime, "eval", "--bundle", self.policy(variant, seed), "--seeds", episodes, "--max-seconds", "15",
            "--output", folder, "--rig", RIG, *more,
        )
        found = json.loads((folder / "eval.json").read_text())
        tasks = {task: [of["success_count"], of["episode_count"]] for task, of in found["tasks"].items()}
        seams = found["all"]["seams"]["right_arm"]
        self.done[name] = {"name": name, "tasks": tasks, "seam_rad": seams["largest_executed"], "bundle_id": found["bundle_id"]}
        with self.results.open("a") as file:
            file.write(json.dumps(self.done[name]) + "\n")

    def all(self) -> None:
        args = self.args
        wanted = args.only or list(VARIANTS)
        for seed in args.training_seeds:
            for variant in wanted:
                self.evaluate(f"{variant}/{seed}", variant, seed, args.episodes, [])
        modes = [(variant, mode) for variant in wanted for mode in MODES.get(variant, [])]
        for (variant, mode), latency_ms, seed in product(modes, LATENCIES_MS, args.training_seeds):
            config = args.output / f"{mode}.toml"
            config.write_text(f'[schedule]\nmode = "{mode}"\n')
            more = ["--config", config, "--extra-latency-ms", latency_ms]
            self.evaluate(f"{variant}/{seed}/{mode}/{latency_ms}", variant, seed, args.mode_episodes, more)

    def table(self) -> None:
        by_variant = defaultdict(list)
        for name, found in self.done.items():
            variant, _, *mode = name.split("/")
            if not mode:
                by_variant[variant].append(found["tasks"])
        print("\n| training | cube | egg | both | 95 % | by training seed |\n|---|---|---|---|---|---|")
        for variant, seeds in by_variant.items():
            sums = {task: [sum(seed[task][place] for seed in seeds) for place in (0, 1)] for task in ("cube", "egg")}
            successes, count = (sum(numbers[place] for numbers in sums.values()) for place in (0, 1))
            low, high = wilson(successes, count)
            cells = [f"{100 * got / of:.0f} %" for got, of in [*sums.values(), (successes, count)]]
            each = ", ".join(f"{sum(got for got, _ in seed.values())}/{sum(of for _, of in seed.values())}" for seed in seeds)
            print(f"| {VARIANTS[variant][0]} | {' | '.join(cells)} | {100 * low:.0f}-{100 * high:.0f} % | {each} |")
        print("\n| policy | mode | 0 ms: done, largest seam (rad) | 100 ms | 200 ms |\n|---|---|---|---|---|")
        rows = defaultdict(lambda: defaultdict(list))
        for name, found in self.done.items():
            if name.count("/") == 3:
                variant, _, mode, latency_ms = name.split("/")
                rows[variant, mode][int(latency_ms)].append(found)
        for (variant, mode), by_latency in rows.items():
            cells = []
            for found in (by_latency[ms] for ms in LATENCIES_MS):
                successes, count = (sum(counts[place] for seed in found for counts in seed["tasks"].values()) for place in (0, 1))
                cells.append(f"{successes}/{count}, {max((seed['seam_rad'] for seed in found), default=0):.2f}")
            print(f"| {VARIANTS[variant][0]} | `{mode}` | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer", type=Path, help="sinew-trainer")
    parser.add_argument("runtime", type=Path, help="sinew-runtime")
    parser.add_argument("--vlm-of", type=Path, required=True, help="policy that has learned to see the tasks")
    parser.add_argument("--go-on", action="store_true", help="train that policy's action expert on, instead of a new one")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="configurations over train.toml and ablation.toml: what is trained on")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--training-seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--episodes", default="0..24", help="scenes that every policy is evaluated on")
    parser.add_argument("--mode-episodes", default="0..9", help="and in each schedule mode with each latency")
    parser.add_argument("--only", nargs="+", choices=sorted(VARIANTS))
    parser.add_argument("--table", action="store_true", help="only print what is there")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    ablations = Ablations(args)
    if not args.table:
        ablations.all()
    ablations.table()


if __name__ == "__main__":
    main()
