"""A simulated R1 Pro on a zenoh network: the topics, types, rates and units of the real one behind zenoh-bridge-ros2dds.

    robot.py --connect tcp/127.0.0.1:7447 --log out/commands.npz                      # MuJoCo, in real time
    robot.py --connect … --body kinematic --small-pictures                           # without MuJoCo
    robot.py --connect … --stepped                                                   # without a wall clock, for evaluation

With `--stepped` the robot's time stands still but for what queries ask (see stepped.py).

Commands are JSON objects, one a line on the standard input, or queries on the key `sim/command`; each is answered with one object:

    {"fault": KIND, "input": NAME, "ms" | "s" | "by": number}     see faults.py; the answer's `at_ns` is what later reports count from
    {"heal": NAME | "*"}                                          ends a fault
    {"reset": SEED}                                               back to the start, or with `"scene": …` to what `state` told of
    {"state": true}                                               what became of the things on the table
    {"tasks": true}                                               what there is to do: words by thing
    {"mark": true} / {"report": true}                             what was commanded since the last fault or mark
    {"await": "motion" | "rest", "for_ms": number}                until commands move arm and base, or for so long, counted from the last mark, nothing
    {"say": "stop" | "resume" | "alive" | "instruction", "text"}  the operator
    {"note": TEXT}                                                a line in the log, such as "restarted" when another runtime takes over
    {"mode": n} {"battery": percent} {"error": code}              the remote control, the battery, a fault of the left arm
    {"color": [r, g, b], "input": CAMERA}                         what a camera of the kinematic body sees
    {"quit": true}                                                the end, as is the end of the standard input

A plan file (`--plan`) is a JSON list of such commands, each with `at_s`, seconds after the first command to a joint.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from body import Body, Reading
from command_log import CommandLog
from controllers import Chassis, Tracker
from faults import Faults, from_command
from network import (
    ACTION_CHUNK,
    Bridge,
    header,
    joint_state,
    make,
    open_session,
    stamp_ns,
    wait_for_company,
)
from r1pro import (
    ACCELERATION_LIMIT,
    BATTERY,
    BOOL,
    BRAKE,
    CAMERA_SIZES,
    CAMERAS,
    CHASSIS,
    CHASSIS_SPEED,
    COMPUTER_DRIVES,
    DEFAULT_SPEEDS,
    FAULT_REPORTS,
    FEEDBACK,
    HAND_POSES,
    IMUS,
    JOINT_COUNTS,
    REMOTE,
    SIDES,
    SPEED_TARGET,
    TARGETS,
    TWIST,
    TWIST_STAMPED,
    Input,
)
from stepped import Stepped

CHUNK_TOPIC = Input("chunk", "/sinew/action_chunk", ACTION_CHUNK)
COMMAND_KEY = "sim/command"
# Commands that move a group, before it counts as moving.
MOVING_COUNT = 10
LOOK_S = 0.005


def vector(xyz):
    return make("geometry_msgs/msg/Vector3", x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def twist(velocity):
    return make(TWIST, linear=vector([*velocity[:2], 0.0]), angular=vector([0.0, 0.0, velocity[2]]))


class Robot:
    def __init__(self, body: Body, bridge: Bridge, base_message: str, camera_rates: dict[str, float]):
        self.body, self.bridge = body, bridge
        self.base_message = base_message
        self.camera_rates = camera_rates
        self.log = CommandLog(JOINT_COUNTS)
        self.chassis = Chassis()
        self.battery_percent, self.error_code = 80.0, 0
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.mark_ns = time.monotonic_ns()
        self.first_command_ns: int | None = None
        self.start_wanted: tuple[int, object] | None = None
        self.reset_count = 0
        self.reading = body.read()
        self.trackers = {group: Tracker(self.reading.position[group], DEFAULT_SPEEDS[group]) for group in JOINT_COUNTS}
        for output in [*FEEDBACK, CHASSIS, CHASSIS_SPEED, *HAND_POSES, *IMUS, BATTERY, REMOTE, *FAULT_REPORTS, *CAMERAS]:
            bridge.offer(output)
        for target in TARGETS:
            bridge.listen(target, self._on_target(target.name))
        bridge.listen(Input("base", SPEED_TARGET, base_message), self.on_speed)
        bridge.listen(Input("limit", ACCELERATION_LIMIT, base_message), self.on_limit)
        bridge.listen(BRAKE, self.on_brake)
        bridge.listen(CHUNK_TOPIC, self.on_chunk, announced=False)

    def reset(self, seed: int, scene: object = None) -> None:
        with self.lock:
            self.body.reset(seed, scene)
            self.reset_count += 1
            self.reading = self.body.read()
            for group, tracker in self.trackers.items():
                tracker.reset(self.reading.position[group])
            self.chassis.target[:] = 0
            self.chassis.velocity[:] = 0

    # What comes in.

    def _on_target(self, group: str):
        def take(message, received_ns):
            with self.lock:
                self.first_command_ns = self.first_command_ns or received_ns
                self.trackers[group].command(message.position, message.velocity)
                measured = self.reading.position[group]
            self.log.add(group, received_ns, stamp_ns(message.header), message.position, message.velocity, measured)

        return take

    def on_speed(self, message, received_ns):
        stamped = self.base_message == TWIST_STAMPED
        body = message.twist if stamped else message
        velocity = np.array([body.linear.x, body.linear.y, body.angular.z])
        with self.lock:
            self.chassis.target = velocity
            measured = self.reading.base_velocity
        self.log.add("base", received_ns, stamp_ns(message.header) if stamped else -1, velocity, (), measured)

    def on_limit(self, message, received_ns):
        body = message.twist if self.base_message == TWIST_STAMPED else message
        with self.lock:
            self.chassis.give_limit([body.linear.x, body.linear.y, body.angular.z])

    def on_brake(self, message, received_ns):
        with self.lock:
            self.chassis.is_braked = bool(message.data)

    def on_chunk(self, message, received_ns):
        self.log.add_chunk(message.sequence, stamp_ns(message.header), received_ns)

    # What goes out.

    def say_joints(self, at_ns: int) -> None:
        reading = self.reading
        for output in FEEDBACK:
            group = output.name
            self.bridge.say(output, joint_state(reading.position[group], reading.velocity[group], reading.effort[group]), at_ns)
        base = reading.base_velocity
        angle = np.arctan2(base[1], base[0]) if np.any(base[:2]) else 0.0
        wheels = joint_state([angle] * 3, [float(np.hypot(*base[:2]))] * 3)
        speed = lambda at: make(TWIST_STAMPED, header=header(at, "base_link"), twist=twist(base))  # noqa: E731
        self.say_if_heard(CHASSIS, wheels, at_ns)
        self.say_if_heard(CHASSIS_SPEED, speed, at_ns)
        for output, side in zip(HAND_POSES, SIDES, strict=True):
            if side in reading.hands:
                self.say_if_heard(output, self._pose(*reading.hands[side]), at_ns)
        for output in IMUS:
            self.say_if_heard(output, self._imu, at_ns)

    def say_if_heard(self, output, content, at_ns: int) -> None:
        if self.bridge.is_heard(output.name):
            self.bridge.say(output, content, at_ns)

    @staticmethod
    def _pose(position_m, quaternion):
        def content(at_ns):
            x, y, z, w = map(float, quaternion)
            point = make("geometry_msgs/msg/Point", x=float(position_m[0]), y=float(position_m[1]), z=float(position_m[2]))
            pose = make("geometry_msgs/msg/Pose", position=point, orientation=make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w))
            return make("geometry_msgs/msg/PoseStamped", header=header(at_ns, "torso_link4"), pose=pose)

        return content

    @staticmethod
    def _imu(at_ns):
        """A level robot at rest."""
        level = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
        unknown = np.zeros(9)
        return make(
            "sensor_msgs/msg/Imu", header=header(at_ns), orientation=level, orientation_covariance=unknown, angular_velocity=vector([0, 0, 0]),
            angular_velocity_covariance=unknown, linear_acceleration=vector([0, 0, 9.81]), linear_acceleration_covariance=unknown,
        )

    def say_remote(self, at_ns: int) -> None:
        axes = {f"{side}_{axis}_axis": 0.0 for side in SIDES for axis in "xy"}
        signal = lambda at: make(REMOTE.message, header=header(at), data=make("hdas_msg/msg/ControllerSignal", **axes, mode=self.chassis.mode))  # noqa: E731
        self.bridge.say(REMOTE, signal, at_ns)

    def say_status(self, at_ns: int) -> None:
        bms = lambda at: make(BATTERY.message, header=header(at), voltage=48.0, current=2.0, capital=self.battery_percent)  # noqa: E731
        self.bridge.say(BATTERY, bms, at_ns)
        for output in FAULT_REPORTS:
            code = self.error_code if output.name == "status_arm_left" else 0
            error = make("hdas_msg/msg/FeedbackStatusDetail", name=output.name, error_code=code, error_description=[])
            report = lambda at, error=error: make(output.message, header=header(at), name_id=output.name, errors=[error])  # noqa: E731
            self.bridge.say(output, report, at_ns)

    def say_picture(self, output, reading: Reading, at_ns: int) -> None:
        data = np.frombuffer(self.body.picture(output.name, reading), dtype=np.uint8)
        image = lambda at: make(output.message, header=header(at, output.name), format="rgb8; jpeg compressed bgr8", data=data)  # noqa: E731
        self.bridge.say(output, image, at_ns)

    # How time passes.

    def step(self) -> None:
        with self.lock:
            references = {group: tracker.step(self.body.step_s) for group, tracker in self.trackers.items()}
            base = self.chassis.step(self.body.step_s)
            self.body.step(references, base)
            self.reading = self.body.read()

    def run_cameras(self) -> None:
        """Each camera at its own rate, all in this thread."""
        due = {camera.name: time.monotonic() for camera in CAMERAS}
        while not self.is_over.is_set():
            output = min(CAMERAS, key=lambda camera: due[camera.name])
            time.sleep(max(0.0, due[output.name] - time.monotonic()))
            at_ns, reading = time.time_ns(), self.reading
            self.say_picture(output, reading, at_ns)
            due[output.name] = max(due[output.name] + 1 / self.camera_rates[output.name], time.monotonic())

    def run_real_time(self) -> None:
        cameras = threading.Thread(target=self.run_cameras, name="cameras", daemon=True)
        cameras.start()
        talk = [(1 / FEEDBACK[0].rate_hz, self.say_joints), (1 / REMOTE.rate_hz, self.say_remote), (1 / BATTERY.rate_hz, self.say_status)]
        start = time.monotonic()
        due = [start] * len(talk)
        next_look, next_step = start, start
        while not self.is_over.is_set():
            now = time.monotonic()
            if now >= next_look:
                self.chassis.is_heard = self.bridge.is_heard(CHASSIS_SPEED.name)
                next_look = now + 0.1
            if self.start_wanted is not None:
                self.reset(*self.start_wanted)
                self.start_wanted = None
            # A machine that was away does not make up for more than a moment.
            next_step = max(next_step, now - 0.1)
            while next_step <= now:
                self.step()
                next_step += self.body.step_s
            for index, (period, speak) in enumerate(talk):
                if due[index] <= now:
                    speak(time.time_ns())
                    due[index] = max(due[index] + period, now - period)
            self.bridge.send_late()
            time.sleep(max(0.0, min(next_step, *due) - time.monotonic()))
        cameras.join()

    # What it is told from outside.

    def obey(self, command: dict) -> dict:
        name = command.get("input", "*")
        match command:
            case {"fault": _}:
                fault = from_command(command)
                self.mark_ns = time.monotonic_ns()
                self.bridge.faults.begin(name, fault)
                self.log.note(**command)
                return {"at_ns": self.mark_ns}
            case {"heal": which}:
                self.mark_ns = time.monotonic_ns()
                self.bridge.faults.heal(which)
                self.log.note(**command)
            case {"reset": seed}:
                if wrong := self.body.wrong_with(command.get("scene")):
                    return {"error": wrong}
                self.start_wanted = int(seed), command.get("scene")
                return {}
            case {"state": _}:
                with self.lock:
                    return {"time_s": self.reading.time_s, "reset_count": self.reset_count, **self.body.state()}
            case {"tasks": _}:
                return {"tasks": self.body.tasks()}
            case {"mark": _}:
                self.mark_ns = time.monotonic_ns()
                return {"at_ns": self.mark_ns}
            case {"note": _}:
                self.log.note(**command)
                return {}
            case {"report": _}:
                return self.report()
            case {"await": what}:
                self.wait(what, command.get("for_ms", 300))
                return self.report()
            case {"say": what}:
                self.mark_ns = time.monotonic_ns()
                self.bridge.put(f"sinew/{what}", "std_msgs/msg/String", make("std_msgs/msg/String", data=command.get("text", "")))
                self.log.note(**command)
                return {"at_ns": self.mark_ns}
            case {"mode": mode}:
                self.mark_ns = time.monotonic_ns()
                self.chassis.mode = int(mode)
            case {"battery": percent}:
                self.mark_ns = time.monotonic_ns()
                self.battery_percent = float(percent)
                self.say_status(time.time_ns())
            case {"error": code}:
                self.mark_ns = time.monotonic_ns()
                self.error_code = int(code)
                self.say_status(time.time_ns())
            case {"color": color}:
                self.mark_ns = time.monotonic_ns()
                self.body.colors[name] = tuple(color)
            case {"quit": _}:
                self.is_over.set()
            case _:
                return {"error": f"no such command: {command}"}
        return {"at_ns": self.mark_ns}

    def report(self) -> dict:
        with self.lock:
            reading = self.reading
        return {
            "since": self.log.since(self.mark_ns), "chunk_count": len(self.log.chunks), "at_ns": time.monotonic_ns(),
            "base_velocity": reading.base_velocity.tolist(), "reported": {group: at.tolist() for group, at in reading.position.items()},
        }

    def wait(self, what: str, for_ms: float) -> None:
        if what == "motion":
            before = self.log.moving_counts()
            while not self.is_over.is_set():
                now = self.log.moving_counts()
                if all(now[group] >= before[group] + MOVING_COUNT for group in ("left_arm", "base")):
                    return
                time.sleep(LOOK_S)
        while what == "rest" and not self.is_over.is_set() and self.log.quiet_ns(self.mark_ns) < for_ms * 1e6:
            time.sleep(LOOK_S)

    def answer_lines(self) -> None:
        for line in sys.stdin:
            print(json.dumps(self.obey(json.loads(line))), flush=True)
        self.is_over.set()

    def answer_query(self, query) -> None:
        command = json.loads(query.payload.to_string())
        query.reply(str(query.key_expr), json.dumps(self.obey(command)))

    def follow_plan(self, plan: list[dict]) -> None:
        while self.first_command_ns is None and not self.is_over.is_set():
            time.sleep(LOOK_S)
        for command in sorted(plan, key=lambda command: command["at_s"]):
            due_ns = (self.first_command_ns or 0) + round(command.pop("at_s") * 1e9)
            if self.is_over.wait(max(0.0, (due_ns - time.monotonic_ns()) * 1e-9)):
                return
            self.obey(command)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connect", action="append", default=[], help="endpoint of a peer or router")
    parser.add_argument("--listen", action="append", default=[])
    parser.add_argument("--mode", default="peer", choices=["peer", "client"])
    parser.add_argument("--namespace", default="")
    parser.add_argument("--body", default="mujoco", choices=["mujoco", "kinematic"])
    parser.add_argument("--base-message", default="TwistStamped", choices=["Twist", "TwistStamped"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--camera-hz", type=float, default=30.0, help="15 to 30 on a real robot")
    parser.add_argument("--small-pictures", action="store_true", help="a quarter of each side")
    parser.add_argument("--plan", type=Path, help="commands with times")
    parser.add_argument("--seconds", type=float, default=0.0, help="when to end; 0: with the standard input")
    parser.add_argument("--stepped", action="store_true", help="time passes only when queries say so")
    parser.add_argument("--log", type=Path, help="npz of every command received")
    return parser.parse_args()


def make_body(kind: str, sizes: dict[str, tuple[int, int]], seed: int) -> Body:
    if kind == "mujoco":
        from mujoco_body import MujocoBody as Chosen
    else:
        from kinematic import KinematicBody as Chosen
    body = Chosen(sizes)
    body.reset(seed)
    return body


def main() -> None:
    args = arguments()
    shrink = 4 if args.small_pictures else 1
    sizes = {name: (width // shrink, height // shrink) for name, (width, height) in CAMERA_SIZES.items()}
    body = make_body(args.body, sizes, args.seed)
    session = open_session(args.mode, args.connect, args.listen)
    bridge = Bridge(session, args.namespace, Faults(), waits=args.stepped)
    base_message = TWIST if args.base_message == "Twist" else TWIST_STAMPED
    robot = Robot(body, bridge, base_message, {camera.name: args.camera_hz for camera in CAMERAS})
    key = bridge.key(COMMAND_KEY)
    stepped = Stepped(robot, key) if args.stepped else None
    queryable = None if args.stepped else session.declare_queryable(key, robot.answer_query)
    wait_for_company(session)
    print("connected", flush=True)
    threads = [("commands", robot.answer_lines)] if args.seconds == 0 else []
    if args.plan:
        plan = json.loads(args.plan.read_text())
        threads.append(("plan", lambda: robot.follow_plan(plan)))
    for name, work in threads:
        threading.Thread(target=work, name=name, daemon=True).start()
    if args.seconds:
        threading.Timer(args.seconds, robot.is_over.set).start()
    if stepped:
        stepped.run()
    else:
        robot.run_real_time()
    if args.log:
        robot.log.save(args.log)
    print(json.dumps({"state": body.state(), **robot.report()}), flush=True)
    del queryable
    session.close()
    # A thread that waits for a line would keep the program.
    os._exit(0)


if __name__ == "__main__":
    main()
