"""A simulated robot whose time passes only when it is told to: for evaluation, without a wall clock.

Queries on `sim/command` are obeyed one after the other, those of robot.py and besides

    {"reset": SEED}                                       back to the start, at once
    {"look": NS}                                          says everything once, pictures too, stamped NS
    {"advance": SECONDS, "told": {TOPIC: NS}, "say": NS}  waits until commands with these stamps have come, lets so much time pass and says where the joints
                                                          are, stamped NS; with `"state": true` answers what became of things
"""

from __future__ import annotations

import json
import threading

from network import stamp_ns
from r1pro import CAMERAS

# How long commands may be on their way.
PATIENCE_S = 20.0


class Stepped:
    def __init__(self, robot, key: str):
        """Of a `Robot` that is asked on a key."""
        self.robot = robot
        self.came = threading.Condition()
        self.newest_ns: dict[str, int] = {}
        self.due_s = robot.reading.time_s
        robot.chassis.is_heard = True
        robot.bridge.taken = self.note
        self.queries = robot.bridge.session.declare_queryable(key)

    def note(self, topic: str, message) -> None:
        """A message to the robot was taken in."""
        if hasattr(message, "header"):
            with self.came:
                self.newest_ns[topic.removeprefix("/")] = stamp_ns(message.header)
                self.came.notify_all()

    def run(self) -> None:
        threading.Thread(target=self._end, name="end", daemon=True).start()
        # Ends when the queryable is gone.
        for query in self.queries:
            with query:
                answer = self.obey(json.loads(query.payload.to_string()))
                query.reply(str(query.key_expr), json.dumps(answer))

    def _end(self) -> None:
        self.robot.is_over.wait()
        self.queries.undeclare()

    def obey(self, command: dict) -> dict:
        match command:
            case {"reset": seed}:
                if wrong := self.robot.body.wrong_with(command.get("scene")):
                    return {"error": wrong}
                self.robot.log.clear()
                self.robot.reset(int(seed), command.get("scene"))
                self.due_s = self.robot.reading.time_s
                return {"reset_count": self.robot.reset_count}
            case {"look": at_ns}:
                self.look(at_ns)
                return {}
            case {"advance": seconds}:
                return self.advance(seconds, command)
        return {**self.robot.obey(command), "is_stepped": True}

    def look(self, at_ns: int) -> None:
        robot = self.robot
        robot.say_status(at_ns)
        robot.say_remote(at_ns)
        robot.say_joints(at_ns)
        for output in CAMERAS:
            robot.say_picture(output, robot.reading, at_ns)

    def advance(self, seconds: float, command: dict) -> dict:
        told = {topic.removeprefix("/"): at_ns for topic, at_ns in command.get("told", {}).items()}
        late = lambda: [topic for topic, at_ns in told.items() if self.newest_ns.get(topic, -1) < at_ns]  # noqa: E731
        with self.came:
            if not self.came.wait_for(lambda: not late(), PATIENCE_S):
                return {"error": f"no command came on {', '.join(late())}"}
        self.due_s += seconds
        while self.robot.reading.time_s < self.due_s - self.robot.body.step_s / 2:
            self.robot.step()
        if "say" in command:
            self.robot.say_joints(command["say"])
        return self.robot.body.state() if command.get("state") else {}
