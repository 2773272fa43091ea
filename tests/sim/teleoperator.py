"""A teleoperator that knows the task: drives the simulated robot of robot.py (MuJoCo) over the network, with the scripted picker's motions.

    teleoperator.py --connect tcp/127.0.0.1:7447 --seeds 0 10 --tasks egg cube

For each seed and task the robot is put back to its start, told the words, driven through the task by target topics (30 a second, each with the speed that reaches the
next in time), and looked at. Episodes are marked on `sinew/episode` for whoever records. One JSON object a line says how each ended.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
from faults import Faults
from network import STORE, Bridge, joint_state, make, open_session, wait_for_company
from r1pro import JOINT_STATE, TARGETS
from rig import ARM_START, Rig, ease, steps_between
from robot import COMMAND_KEY
from tasks import WORDS

TASKS = {"egg": ("left", WORDS["egg"]), "cube": ("right", WORDS["cube"])}
SPANS = {"torso": slice(3, 7), "left_arm": slice(7, 14), "left_gripper": slice(14, 15), "right_arm": slice(15, 22), "right_gripper": slice(22, 23)}
MM_PER_FINGER_M = 2000.0
RATE_HZ = 30.0
RETURN_STEPS = 30
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
            return json.loads(reply.ok.payload.to_string())
        raise TimeoutError("the robot does not answer")

    def say(self, topic: str, text: str) -> None:
        self.bridge.put(topic, STRING, make(STRING, data=text))

    def put_back(self, seed: int) -> None:
        count = self.ask({"state": True})["reset_count"]
        self.ask({"reset": seed})
        while self.ask({"state": True})["reset_count"] == count:
            time.sleep(0.02)
        time.sleep(SETTLE_S)
        items = self.ask({"state": True})["items"]
        self.rig.reset(seed)
        for item, seen in items.items():
            self.rig.data.joint(f"{item}_free").qpos[:] = [*seen["position_m"], *seen["quaternion_wxyz"]]
        self.rig.forward()
        self.before = self.rig.home_action

    def send(self, action: np.ndarray) -> None:
        speed = np.maximum(np.abs(action - self.before) * RATE_HZ, 1e-3)
        self.before = action
        at_ns = time.time_ns()
        for group, span in SPANS.items():
            scale = MM_PER_FINGER_M if "gripper" in group else 1.0
            content = joint_state(scale * action[span], scale * speed[span])
            self.targets[group].put(bytes(STORE.serialize_cdr(content(at_ns), JOINT_STATE)))

    def actions(self, task: str, seed: int) -> Iterator[np.ndarray]:
        """The task, and back to where it began."""
        side, _ = TASKS[task]
        last = self.rig.home_action
        variety = np.random.default_rng([seed, sorted(TASKS).index(task)]) if self.varied else None
        for last in self.rig.pick_and_place(side, task, variety):
            yield last
        arm = slice(ARM_START[side], ARM_START[side] + 7)
        home_rad = self.rig.home_action[arm]
        step_count = steps_between(last[arm], home_rad, RETURN_STEPS)
        for step in range(step_count):
            action = last.copy()
            action[arm] += (home_rad - last[arm]) * ease((step + 1) / step_count)
            yield action

    def episode(self, seed: int, task: str) -> dict:
        self.put_back(seed)
        self.say("sinew/instruction", TASKS[task][1])
        actions = list(self.actions(task, seed))
        self.say("sinew/episode", "start")
        start = time.monotonic()
        for step, action in enumerate(actions):
            time.sleep(max(0.0, start + step / RATE_HZ - time.monotonic()))
            self.send(action)
        time.sleep(SETTLE_S)
        ended = self.ask({"state": True})["items"][task]
        self.say("sinew/episode", "success" if ended["success"] else "failure")
        return {"seed": seed, "task": task, **ended}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connect", action="append", default=[])
    parser.add_argument("--mode", default="peer", choices=["peer", "client"])
    parser.add_argument("--namespace", default="")
    parser.add_argument("--seeds", type=int, nargs=2, default=[0, 10], metavar=("FIRST", "END"))
    parser.add_argument("--tasks", nargs="+", choices=sorted(TASKS), default=sorted(TASKS))
    parser.add_argument("--varied", action="store_true", help="detours and small errors that are put right, other ones for every seed")
    args = parser.parse_args()
    session = open_session(args.mode, args.connect)
    wait_for_company(session)
    teleoperator = Teleoperator(session, args.namespace, args.varied)
    failed = 0
    for seed in range(*args.seeds):
        for task in args.tasks:
            end = teleoperator.episode(seed, task)
            failed += not end["success"]
            print(json.dumps(end), flush=True)
    session.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
