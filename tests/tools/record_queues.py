#!/usr/bin/env python3
"""Records what LeRobot's own classes do with random chunks: the real-time action queue, the latency tracker and ACT's
temporal ensembler.

    record_queues.py --out tests/fixtures/queues/traces.json
"""

import argparse
import json
import logging
import pathlib
import random

import torch
from lerobot.policies.act.modeling_act import ACTTemporalEnsembler
from lerobot.policies.rtc.action_queue import ActionQueue
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from lerobot.policies.rtc.latency_tracker import LatencyTracker

WIDTH = 2


def chunk(steps):
    """Quarters: exact in any float, and short in the file."""
    return torch.randn(steps, WIDTH).mul(8).round().div(4)


def action_queue(rng):
    """The caller takes as many actions during an inference as it says it took: the delay is the true one."""
    queue = ActionQueue(RTCConfig(enabled=True))
    steps, events = rng.randint(6, 20), []
    for _ in range(12):
        wanted = rng.randint(0, steps)
        got = [queue.get() for _ in range(wanted)]
        events.append({"get": [None if action is None else action.tolist() for action in got]})
        left_over = queue.get_left_over()
        # From here on the queue is played while the policy computes.
        delay, before = rng.randint(0, steps // 2), queue.get_action_index()
        during = [action for action in (queue.get() for _ in range(delay)) if action is not None]
        rows = chunk(steps)
        queue.merge(rows, rows * 10, len(during), before)
        events.append({
            "left_over": None if left_over is None else left_over.tolist(),
            "during": [action.tolist() for action in during],
            "merge": rows.tolist(),
            "left": queue.qsize(),
        })
    rest = []
    while (action := queue.get()) is not None:
        rest.append(action.tolist())
    events.append({"get": rest})
    return {"steps": steps, "events": events}


def ensembler(coefficient, steps):
    """One chunk a step, as ACT is run."""
    ensemble = ACTTemporalEnsembler(coefficient, steps)
    updates = []
    for _ in range(3 * steps):
        rows = chunk(steps)
        action = ensemble.update(rows[None].clone())[0]
        updates.append({"chunk": rows.tolist(), "action": action.tolist()})
    return {"coefficient": coefficient, "steps": steps, "updates": updates}


def latencies(rng, window):
    tracker, samples = LatencyTracker(window), []
    for _ in range(60):
        value = round(rng.uniform(0.01, 0.4), 4)
        tracker.add(value)
        quantiles = {str(q): tracker.percentile(q) for q in (0.0, 0.5, 0.9, 0.95)}
        samples.append({"latency_s": value, "quantiles": quantiles, "max": tracker.max()})
    return {"window": window, "samples": samples}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    rng = random.Random(0)
    traces = {
        "action_queue": [action_queue(rng) for _ in range(20)],
        "ensembler": [ensembler(c, n) for c in (0.01, 0.0, -0.5) for n in (4, 10)],
        "latency": [latencies(rng, window) for window in (5, 20, 100)],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(traces, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
