"""Draws the curves of a training: python tests/tools/plot_run.py RUN OUTPUT.png (needs matplotlib)."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def main():
    run, output = Path(sys.argv[1]), sys.argv[2]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    trained = [line for line in lines if line["kind"] == "train"]
    checked = [line for line in lines if line["kind"] == "validation"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    left.plot([x["step"] for x in trained], [x["loss"] for x in trained], label="training", linewidth=1)
    left.plot([x["step"] for x in checked], [x["loss"] for x in checked], "o-", label="validation", markersize=3)
    left.set(xlabel="step", ylabel="flow-matching loss", ylim=(0, None))
    left.legend()
    steps = [x["step"] for x in checked]
    right.plot(steps, [x["error"] for x in checked], "o-", label="policy", markersize=3)
    right.plot(steps, [x["error_of_mean"] for x in checked], "--", label="always the mean action")
    right.set(xlabel="step", ylabel="validation: mean absolute error of actions\n(standard deviations)", ylim=(0, None))
    right.legend()
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main()
