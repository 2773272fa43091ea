"""Reads an analysis as numpy does, and computes every figure of its statistics.json anew.

Usage: analysis.py FOLDER; prints the largest difference, relative to max(1, |expected|), and what it is of.

FOLDER/data/columns.npz has what the analysis read: `action` and `state` [rows, dimensions], and `episode`, `row` and `task`
[rows], the training episodes first; FOLDER/data/tasks.json names the tasks.
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


def group(what, ours, chosen):
    """Mean absolute errors over the frames of both sides that `chosen(frames)` picks."""
    global checked
    errors = []
    for side in ("train", "val"):
        if f"{side}_pred" not in arrays:
            continue
        error = np.abs(arrays[f"{side}_pred_chunks"].astype(np.float64) - arrays[f"{side}_gt_chunks"])
        real = ~arrays[f"{side}_is_pad"]
        errors += [error[frame][real[frame]] for frame in np.flatnonzero(chosen(arrays[f"{side}_frames"]))]
    assert ours["frame_count"] == len(errors), what
    expected = np.concatenate(errors).mean(axis=0)
    for place, value in enumerate(expected):
        compare(f"{what} {place}", ours["mean_error"][place], value)
        checked += 1
    compare(what, ours["normalized_error"], np.mean(expected / np.where(stds > 0, stds, 1.0)))


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

for place, gap in enumerate(found["policy"].get("gap", [])):
    train, validation = (found["policy"][key]["dimensions"][place] for key in ("train", "validation"))
    compare(f"gap {place}", gap["mean_error"], validation["mean_error"] - train["mean_error"])
    compare(f"gap {place}", gap["normalized_error"], validation["normalized_error"] - train["normalized_error"])
    compare(f"gap {place}", gap["r2"], train["r2"] - validation["r2"])
    checked += 3

# The data.
columns = np.load(folder / "data" / "columns.npz")
episode, row, task = columns["episode"], columns["row"], columns["task"]
data = found["data"]
episodes = [np.flatnonzero(episode == number) for number in dict.fromkeys(episode.tolist())]
assert data["row_count"] == len(row) and data["episode_count"] == len(episodes)
assert sorted(set(episode)) == sorted(found["subject"]["train_episodes"] + found["subject"]["validation_episodes"])
trained_on = np.isin(episode, found["subject"]["train_episodes"])
moves = {}
for feature in ("action", "state"):
    values = columns[feature]
    moves[feature] = np.concatenate([np.abs(np.diff(values[rows], axis=0)) for rows in episodes]).astype(np.float64)
    for place, ours in enumerate(data[feature]):
        x = values[:, place].astype(np.float64)
        histogram = np.histogram(x, len(ours["histogram"]), (x.min(), x.max() if np.ptp(x) > 0 else x.min() + 1))[0]
        shares = histogram[histogram > 0] / len(x)
        if np.ptp(x) > 0:
            # A number on a bin's edge may fall to either side by rounding.
            assert np.abs(np.cumsum(histogram) - np.cumsum(ours["histogram"])).max() <= 1, (feature, place)
        std = x.std() if np.ptp(x) > 0 else 0.0
        expected = {
            "mean": x.mean(), "std": std, "min": x.min(), "max": x.max(),
            "idle_share": (moves[feature][:, place] <= 0.01 * std).mean(),
        }
        for name, value in expected.items():
            compare(f"{feature} {place} {name}", ours[name], value)
        if np.array_equal(histogram, ours["histogram"]):
            entropy = -(shares * np.log(shares)).sum() / np.log(len(histogram))
            compare(f"{feature} {place} entropy", ours["entropy"], entropy)
        for quantile, value in zip((0.01, 0.1, 0.5, 0.9, 0.99), ours["quantiles"]):
            compare(f"{feature} {place} quantile {quantile}", value, np.quantile(x, quantile))
        # As a checkpoint stores them.
        mean, spread = (np.float64(np.float32(value)) for value in (x[trained_on].mean(), x[trained_on].std()))
        spread = 1.0 if spread < 1e-3 else spread
        assert data["normalized"][f"{feature}_mode"] == "mean_std" and data["normalized"]["is_the_policys"]
        shown = data["normalized"][feature][place]
        for name, value in (("q01", np.quantile(x, 0.01)), ("q99", np.quantile(x, 0.99)), ("min", x.min()), ("max", x.max())):
            compare(f"normalized {feature} {place} {name}", shown[name], (value - mean) / (spread + 1e-8))
        checked += 15

resting = np.array([ours["std"] for ours in data["action"]]) * 0.01
assert data["idle_row_count"] == (moves["action"] <= resting).all(axis=1).sum()
still = (moves["action"] == 0).all(axis=1) & (moves["state"] == 0).all(axis=1)
assert data["duplicate_row_count"] == still.sum()


def lagged(action, state, rows):
    """Correlation of an action with a state so many rows later in the same episode."""
    a, b = [], []
    for places in episodes:
        count = len(places) - abs(rows)
        if count > 0:
            a.append(columns["action"][places[max(0, -rows):][:count], action])
            b.append(columns["state"][places[max(0, rows):][:count], state])
    return correlation(np.concatenate(a).astype(np.float64), np.concatenate(b).astype(np.float64))


for lag in data["lags"]:
    compare("lag", lag["correlation"], lagged(lag["action"], lag["state"], lag["rows"]))
    assert lag["correlation"] > max(lagged(lag["action"], lag["state"], rows) for rows in range(-5, 16)) - 1e-9
    checked += 1
usual = sorted(lag["rows"] for lag in data["lags"])[len(data["lags"]) // 2] if data["lags"] else 0
own = {crossing["own"]: crossing["action"] for crossing in data["crossings"]}
for crossing in data["crossings"]:
    compare("own", crossing["own_correlation"], lagged(crossing["action"], crossing["own"], usual))
    others = {state: lagged(crossing["action"], state, usual) for state in own if state != crossing["own"]}
    compare("crossing", crossing["other_correlation"], max(others.values()))
    twin = columns["action"][:, own[crossing["other"]]].astype(np.float64)
    compare("twins", crossing["twins"], correlation(columns["action"][:, crossing["action"]].astype(np.float64), twin))
    checked += 3

# Errors by task and by stretch of the episode.
third = {"start": 0, "middle": 1, "end": 2}
names = [dimension["name"] for dimension in found["action"]]
near = set()
for place in (place for place, name in enumerate(names) if "gripper" in name):
    reach = 0.05 * np.ptp(columns["action"][:, place].astype(np.float64))
    for rows in episodes:
        for step in np.flatnonzero(np.abs(np.diff(columns["action"][rows, place])).astype(np.float64) > reach):
            around = rows[max(0, step - 10): step + 12] if reach > 0 else []
            near |= {(int(episode[at]), int(row[at])) for at in around}
stretches = {phase["name"]: phase["row_count"] for phase in data["phases"]}
for name, place in third.items():
    assert stretches[name] == sum((3 * np.arange(len(rows)) // len(rows) == place).sum() for rows in episodes)
assert stretches["near gripper events"] == len(near)
for phase in found["policy"]["phases"]:
    if phase["name"] in third:
        group(phase["name"], phase, lambda frames: 3 * frames[:, 2] // frames[:, 3] == third[phase["name"]])
    else:
        group(phase["name"], phase, lambda frames: np.array([(e, r) in near for _, e, r, _ in frames.tolist()]))
tasks = json.loads((folder / "data" / "tasks.json").read_text())
task_of = {(int(e), int(r)): tasks[t] for e, r, t in zip(episode, row, task)}
assert sorted(group["name"] for group in found["policy"]["tasks"]) == sorted(
    {task_of[e, r] for side in ("train", "val") if f"{side}_frames" in arrays for _, e, r, _ in arrays[f"{side}_frames"].tolist()}
)
for ours in found["policy"]["tasks"]:
    group(ours["name"], ours, lambda frames: np.array([task_of[e, r] == ours["name"] for _, e, r, _ in frames.tolist()]))

print(json.dumps({"checked": checked, "worst": worst[0], "of": worst[1]}))
