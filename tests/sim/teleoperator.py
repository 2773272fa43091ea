"""A teleoperator that knows the task: drives the simulated robot of robot.py (MuJoCo) over the network, with the scripted picker's motions.

    teleoperator.py --connect tcp/127.0.0.1:7447 --seeds 0 10 --tasks egg cube
    teleoperator.py --connect tcp/127.0.0.1:7447 --corrections eval.json --most 50

For each seed and task the robot is put back to its start (for corrections: to where a policy's failure ended, from where it is put right), told the words, driven through the task by target topics (30 a second, each with the speed that reaches the
next in time), and looked at. Episodes are marked on `sinew/episode` for whoever records. One JSON object a line says how each ended.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
from faults import Faults
from network import STORE, Bridge, joint_state, make, open_session, wait_for_company
from r1pro import JOINT_STATE, TARGETS
from rig import ARM_START, OPEN_M, Rig, ease, steps_between
from robot import COMMAND_KEY
from tasks import WORDS

TASKS = {"egg": ("left", WORDS["egg"]), "cube": ("right", WORDS["cube"])}
SPANS = {"torso": slice(3, 7), "left_arm": slice(7, 14), "left_gripper": slice(14, 15), "right_arm": slice(15, 22), "right_gripper": slice(22, 23)}
# Both arms with their grippers, and of these the grippers, among the rig's 23.
ARMS, GRIPPERS = slice(7, 23), [14, 22]
MM_PER_FINGER_M = 2000.0
RATE_HZ = 30.0
RETURN_STEPS = 30
# A correction begins by letting go and drawing back, up and towards the robot.
BACK_OFF_M = np.array([-0.03, 0.0, 0.08])
# Time to fall and to come to rest.
SETTLE_S = 0.7
STRING = "std_msgs/msg/String"


class Teleoperator:
    def __init__(self, session, namespace: str, varied: bool):
        self.session = session
        self.varied = varied
        self.bridge = Bridge(session, namespace, Faults())
        self.rig = Rig()
        self.targets = {target.name: session.declare_publisher(self.bridge.key(target.topic)) for target in TARGETS}
        self.before = None

    def ask(self, command: dict) -> dict:
        for reply in self.session.get(self.bridge.key(COMMAND_KEY), payload=json.dumps(command), timeout=10.0):
            answer = json.loads(reply.ok.payload.to_string())
            if "error" in answer:
                raise ValueError(answer["error"])
            return answer
        raise TimeoutError("the robot does not answer")

    def say(self, topic: str, text: str) -> None:
        self.bridge.put(topic, STRING, make(STRING, data=text))

    def put_back(self, seed: int, scene: list[float] | None) -> None:
        count = self.ask({"state": True})["reset_count"]
        self.ask({"reset": seed, "scene": scene})
        while self.ask({"state": True})["reset_count"] == count:
            time.sleep(0.02)
        time.sleep(SETTLE_S)
        self.rig.reset(seed)
        self.look()
        self.before = self.rig.home_action.copy()
        if scene is not None:
            self.before[ARMS] = self.rig.state()[ARMS]

    def look(self) -> None:
        """Everything as it stands now."""
        self.rig.restore(self.ask({"state": True})["scene"])

    def send(self, action: np.ndarray) -> None:
        speed = np.maximum(np.abs(action - self.before) * RATE_HZ, 1e-3)
        self.before = action
        at_ns = time.time_ns()
        for group, span in SPANS.items():
            scale = MM_PER_FINGER_M if "gripper" in group else 1.0
            content = joint_state(scale * action[span], scale * speed[span])
            self.targets[group].put(bytes(STORE.serialize_cdr(content(at_ns), JOINT_STATE)))

    def back_off(self, task: str) -> Iterator[np.ndarray]:
        side, _ = TASKS[task]
        last, arm = self.before, slice(ARM_START[side], ARM_START[side] + 7)
        away = last.copy()
        away[arm.stop] = OPEN_M
        away[arm] = self.rig.solve_arm(side, self.rig.data.site(f"{side}_tcp").xpos + BACK_OFF_M, 0.0, last[arm])
        yield from eased(last, away, RETURN_STEPS)

    def actions(self, task: str, seed: int) -> Iterator[np.ndarray]:
        """The task, and back to where it began."""
        side, _ = TASKS[task]
        last = self.before
        variety = np.random.default_rng([seed, sorted(TASKS).index(task)]) if self.varied else None
        for last in self.rig.pick_and_place(side, task, variety, last):
            yield last
        home = last.copy()
        home[ARMS] = self.rig.home_action[ARMS]
        home[GRIPPERS] = last[GRIPPERS]
        yield from eased(last, home, RETURN_STEPS)

    def drive(self, actions: list[np.ndarray]) -> None:
        start = time.monotonic()
        for step, action in enumerate(actions):
            time.sleep(max(0.0, start + step / RATE_HZ - time.monotonic()))
            self.send(action)

    def episode(self, seed: int, task: str, scene: list[float] | None = None) -> dict:
        self.put_back(seed, scene)
        self.say("sinew/instruction", TASKS[task][1])
        if scene is None:
            actions = list(self.actions(task, seed))
            self.say("sinew/episode", "start")
        else:
            away = list(self.back_off(task))
            self.say("sinew/episode", "start")
            self.drive(away)
            # What the hand held or touched lies where it now lies.
            self.look()
            actions = list(self.actions(task, seed))
        self.drive(actions)
        time.sleep(SETTLE_S)
        ended = self.ask({"state": True})["items"][task]
        self.say("sinew/episode", "success" if ended["success"] else "failure")
        return {"seed": seed, "task": task, **ended}


def eased(start: np.ndarray, end: np.ndarray, least: int) -> Iterator[np.ndarray]:
    step_count = steps_between(start[ARMS], end[ARMS], least)
    for step in range(step_count):
        yield start + (end - start) * ease((step + 1) / step_count)


def failures(path: Path, most: int) -> list[tuple[int, str, list[float]]]:
    """Seed, task and scene of failed episodes, tasks in turn."""
    failed = [episode for episode in json.loads(path.read_text())["episodes"] if not episode["success"]]
    by_task = [[(one["seed"], task, one["scene"]) for one in failed if one["task"] == task] for task in sorted(TASKS)]
    in_turn = [one for ones in zip_longest(*by_task) for one in ones if one is not None]
    return in_turn[:most]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connect", action="append", default=[])
    parser.add_argument("--mode", default="peer", choices=["peer", "client"])
    parser.add_argument("--namespace", default="")
    parser.add_argument("--seeds", type=int, nargs=2, default=[0, 10], metavar=("FIRST", "END"))
    parser.add_argument("--tasks", nargs="+", choices=sorted(TASKS), default=sorted(TASKS))
    parser.add_argument("--corrections", type=Path, help="put the failures of an evaluation (eval.json) right, instead of seeds from their start")
    parser.add_argument("--most", type=int, default=50, help="corrections")
    parser.add_argument("--varied", action="store_true", help="detours and small errors that are put right, other ones for every seed")
    args = parser.parse_args()
    session = open_session(args.mode, args.connect)
    wait_for_company(session)
    teleoperator = Teleoperator(session, args.namespace, args.varied)
    failed = 0
    episodes = [(seed, task) for seed in range(*args.seeds) for task in args.tasks]
    for episode in failures(args.corrections, args.most) if args.corrections else episodes:
        end = teleoperator.episode(*episode)
        failed += not end["success"]
        print(json.dumps(end), flush=True)
    session.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
