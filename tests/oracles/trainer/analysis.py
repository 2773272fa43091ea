"""Reads an analysis as numpy does, and computes every figure of its statistics.json anew.

Usage: analysis.py FOLDER; prints the largest difference, relative to max(1, |expected|), and what it is of.
"""

import json
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
arrays = np.load(folder / "data" / "predictions.npz")
found = json.loads((folder / "data" / "statistics.json").read_text())
stds = np.array([data["std"] for data in found["data"]["action"]])
means = np.array([data["mean"] for data in found["data"]["action"]])
worst = (0.0, "nothing")


def compare(what, ours, theirs):
    global worst
    error = abs(ours - theirs) / max(1.0, abs(theirs))
    assert np.isfinite(error), f"{what}: {ours} against {theirs}"
    worst = max(worst, (error, what))


def r2(truth, predicted):
    total = np.sum((truth - truth.mean()) ** 2)
    left = np.sum((truth - predicted) ** 2)
    return 1 - left / total if total > 0 else float(left == 0)


def correlation(truth, predicted):
    if np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return np.corrcoef(truth, predicted)[0, 1]


checked = 0
for side, key in (("train", "train"), ("val", "validation")):
    report = found["policy"].get(key)
    assert (report is not None) == (f"{side}_pred" in arrays), side
    if report is None:
        continue
    predicted = arrays[f"{side}_pred_chunks"].astype(np.float64)
    truth = arrays[f"{side}_gt_chunks"].astype(np.float64)
    real = ~arrays[f"{side}_is_pad"]
    assert np.array_equal(arrays[f"{side}_pred"], arrays[f"{side}_pred_chunks"][:, 0])
    assert np.array_equal(arrays[f"{side}_gt"], arrays[f"{side}_gt_chunks"][:, 0])
    assert arrays[f"{side}_obs"].shape == (len(predicted), len(found["state"]))
    assert report["frame_count"] == len(predicted) and report["step_count"] == real.sum()
    normalized = []
    for place, dimension in enumerate(report["dimensions"]):
        p, t = predicted[:, :, place][real], truth[:, :, place][real]
        std = stds[place] if stds[place] > 0 else 1.0
        expected = {
            "mean_error": np.abs(p - t).mean(),
            "max_error": np.abs(p - t).max(),
            "rms_error": np.sqrt(((p - t) ** 2).mean()),
            "bias": (p - t).mean(),
            "r2": r2(t, p),
            "correlation": correlation(t, p),
            "true_std": t.std(),
            "predicted_std": p.std(),
            "variance_ratio": p.var() / t.var() if np.ptp(t) > 0 else 1.0,
            "normalized_error": np.abs(p - t).mean() / std,
            "normalized_error_of_mean": np.abs(means[place] - t).mean() / std,
        }
        for name, value in expected.items():
            compare(f"{side} {place} {name}", dimension[name], value)
            checked += 1
        for step, value in enumerate(dimension["error_by_step"]):
            column = real[:, step]
            if not column.any():
                assert value is None
                continue
            compare(f"{side} {place} step {step}", value,
                    np.abs(predicted[column, step, place] - truth[column, step, place]).mean())
            checked += 1
        normalized.append(expected["normalized_error"])
    compare(f"{side} normalized_error", report["normalized_error"], np.mean(normalized))

spread = np.sqrt(arrays["resampled_chunks"].astype(np.float64).var(axis=0).mean(axis=(0, 1)))
for place, value in enumerate(found["policy"]["noise_spread"]):
    compare(f"noise_spread {place}", value, spread[place])
    checked += 1

print(json.dumps({"checked": checked, "worst": worst[0], "of": worst[1]}))
