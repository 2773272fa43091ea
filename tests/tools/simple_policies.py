"""What can be said of an unseen episode without a network: the scale for a policy's validation error.

    python tests/tools/simple_policies.py DATASET_FOLDER EPISODE [CHUNK]        (needs numpy and pyarrow)

Every other episode is learned from. Printed is the mean absolute error over the chunks of all its frames, in standard deviations of each action, steps
behind the end left out: what `sinew-trainer train` calls validation error.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

NEIGHBOUR_COUNTS = (1, 10, 30)
RIDGE_PENALTIES = (10.0, 100.0, 1000.0)


def episodes(folder: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """States and actions of each episode."""
    found = {}
    for file in sorted((folder / "data").rglob("*.parquet")):
        table = pq.read_table(file, columns=["episode_index", "observation.state", "action"])
        index = table["episode_index"].to_numpy()
        states, actions = (np.array(table[name].to_pylist(), dtype=np.float64) for name in ("observation.state", "action"))
        found |= {int(episode): (states[index == episode], actions[index == episode]) for episode in np.unique(index)}
    return found


def chunks(actions: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The actions from each frame on, `[frame, step, action]`, and which of them are behind the end."""
    rows = np.arange(len(actions))[:, None] + np.arange(length)
    return actions[np.minimum(rows, len(actions) - 1)], rows >= len(actions)


def main() -> None:
    folder, unseen, length = Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["50"])[0])
    everything = episodes(folder)
    states, actions = everything.pop(unseen)
    seen_states = np.concatenate([states for states, _ in everything.values()])
    seen_actions = np.concatenate([actions for _, actions in everything.values()])
    mean, spread = seen_actions.mean(0), seen_actions.std(0)
    inputs = [(of - seen_states.mean(0)) / seen_states.std(0) for of in (seen_states, states)]
    seen = np.concatenate([chunks((actions - mean) / spread, length)[0] for _, actions in everything.values()])
    true, is_padding = chunks((actions - mean) / spread, length)

    def report(name: str, predicted: np.ndarray) -> None:
        print(f"{np.abs(predicted - true)[~is_padding].mean():.3f}  {name}")

    report("always the mean action", np.zeros(1))
    report("the last action, held", np.concatenate([true[:1, 0], true[:-1, 0]])[:, None])
    nearest = np.square(inputs[1][:, None] - inputs[0][None]).sum(-1).argsort(1)
    for count in NEIGHBOUR_COUNTS:
        report(f"what followed the nearest states of other episodes ({count})", seen[nearest[:, :count]].mean(1))
    with_one = [np.concatenate([of, np.ones((len(of), 1))], 1) for of in inputs]
    for penalty in RIDGE_PENALTIES:
        squares = with_one[0].T @ with_one[0] + penalty * np.eye(with_one[0].shape[1])
        weights = np.linalg.solve(squares, with_one[0].T @ seen.reshape(len(seen), -1))
        report(f"ridge regression from the state (penalty {penalty:g})", (with_one[1] @ weights).reshape(true.shape))


if __name__ == "__main__":
    main()
