"""A robot made of the PyPI packages `eclipse-zenoh` and `rosbags`: feeds topics, reads chunks with stock ROS 2 types.

    robot.py PLAN_JSON

The plan is a JSON object:

    mode, connect     zenoh's part in the network and the endpoints to connect to
    namespace         in front of every key
    rmw_zenoh         {"domain": NUMBER, "knows_hashes": BOOL}: keys, attachments and tokens as nodes with rmw_zenoh have
                      them, rather than as behind zenoh-bridge-ros2dds
    cameras           {topic: {"jpegs": [FILE, ..], shown in turn, "format": TEXT, "cut": bytes to cut off the message's end,
                      "standing": true for a stamp that does not advance}}
    raw_cameras       {topic: {"encoding": "rgb8" or "bgr8", "size": [width, height], "color": [red, green, blue]}}: pictures
                      of one colour and, in the first pixel, a little noise, as sensor_msgs/Image
    joints            {topic: {"name": [..], "position": [..], "velocity": [..], "effort": [..]}}
    raw               {key: hexadecimal digits to publish as they are}
    rate_hz           how often everything is published
    delay_s           {topic: how far in the past the stamp lies}
    instruction       {"after": number of chunks, "text": TEXT}, published once
    chunk_count       when to stop; 0: at the end of standard input
    until             or once a chunk that follows this instruction was seen
    groups            groups whose trajectories are to be seen
    commands          {topic: ROS type} of set-points to be seen; they come in one last line, by topic; with rmw_zenoh also
                      `attachments` (by topic: sequence, source time, identity) and everybody's `tokens`
    tokens            liveliness tokens to declare, as a bridge to ROS does
    min_commands      not to stop before so many set-points of each came
    marks             marks of episodes to send, one after the other: at the end, or
    marks_after_s     after so long
    raw_after_s       when to begin with `raw`
    diagnostics       {"part": NAME, "state": TEXT}: stop once this was heard on `/diagnostics`, and print all that was
                      heard there as one last line
    strangers         true: print the keys of everything that somebody else published, as one last line

It says `connected` once a peer or router is there, and at the end prints one JSON object a chunk: the ActionChunk's
fields, and of each group the trajectory's. Types are those that rosbags ships for ROS 2 Humble; only ActionChunk is
read from our definition.
"""

import json
import select
import struct
import sys
import time
from pathlib import Path

import numpy as np
import zenoh
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

ROOT = Path(__file__).parents[3]
STORE = get_typestore(Stores.ROS2_HUMBLE)
STORE.register(
    get_types_from_msg(
        (ROOT / "proto/msg/sinew_msgs/msg/ActionChunk.msg").read_text(), "sinew_msgs/msg/ActionChunk"
    )
)
CHUNK, TRAJECTORY = "sinew_msgs/msg/ActionChunk", "trajectory_msgs/msg/JointTrajectory"
JOINTS, TEXT = "sensor_msgs/msg/JointState", "std_msgs/msg/String"
DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
JPEG, IMAGE = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"
TIME = STORE.types["builtin_interfaces/msg/Time"]
HEADER = STORE.types["std_msgs/msg/Header"]


def plain(value):
    """A message as JSON."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__ if name != "__msgtype__"}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def dds_name(kind: str) -> str:
    package, _, name = kind.split("/")
    return f"{package}::msg::dds_::{name}_"


def header(at_ns: int):
    return HEADER(stamp=TIME(sec=at_ns // 10**9, nanosec=at_ns % 10**9), frame_id="robot")


def encode(kind: str, **fields) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types[kind](**fields), kind))


class Robot:
    def __init__(self, plan):
        self.plan = plan
        config = zenoh.Config()
        config.insert_json5("mode", json.dumps(plan.get("mode", "peer")))
        config.insert_json5("connect/endpoints", json.dumps(plan["connect"]))
        config.insert_json5("scouting/multicast/enabled", "false")
        self.session = zenoh.open(config)
        self.prefix = plan["namespace"] + "/" if plan.get("namespace") else ""
        self.chunks, self.trajectories = [], {}
        self.marks = list(plan.get("marks", []))
        self.marks_from_s = time.monotonic() + plan.get("marks_after_s", float("inf"))
        self.raw_from_s = time.monotonic() + plan.get("raw_after_s", 0)
        self.commands = {topic: [] for topic in plan.get("commands", {})}
        self.rmw = plan.get("rmw_zenoh")
        self.attachments = {}
        self.subscribers = [
            self.session.declare_subscriber(self.key("sinew/action_chunk", CHUNK), self.on_chunk),
            self.session.declare_subscriber(self.key("*/joint_trajectory", TRAJECTORY), self.on_trajectory),
        ]
        for topic, kind in plan.get("commands", {}).items():
            callback = self.on_command(topic, kind)
            self.subscribers.append(self.session.declare_subscriber(self.key(topic, kind), callback))
        listening = plan.get("commands", {}).items() if self.rmw else []
        tokens = [self.listener(number, topic, kind) for number, (topic, kind) in enumerate(listening, 1)]
        self.own_tokens = [self.session.liveliness().declare_token(token) for token in tokens]
        self.own_keys, self.strangers = set(), set()
        if plan.get("strangers"):
            self.subscribers.append(self.session.declare_subscriber("**", self.on_anything))
        self.diagnostics = []
        if "diagnostics" in plan:
            key = self.key("diagnostics", DIAGNOSTICS)
            self.subscribers.append(self.session.declare_subscriber(key, self.on_diagnostics))
        self.tokens = [self.session.liveliness().declare_token(token) for token in plan.get("tokens", [])]
        self.started_ns, self.turn = time.time_ns(), 0
        self.pictures = {
            topic: ([np.frombuffer(Path(jpeg).read_bytes(), dtype=np.uint8) for jpeg in camera["jpegs"]], camera)
            for topic, camera in plan.get("cameras", {}).items()
        }

    def type_hash(self, kind: str) -> str:
        return STORE.hash_rihs01(kind) if self.rmw["knows_hashes"] else "TypeHashNotSupported"

    def key(self, topic: str, kind: str) -> str:
        topic = self.prefix + topic.removeprefix("/")
        if not self.rmw:
            return topic
        return f"{self.rmw['domain']}/{topic}/{dds_name(kind)}/{self.type_hash(kind)}"

    def listener(self, number: int, topic: str, kind: str) -> str:
        topic = ("/" + self.prefix + topic.removeprefix("/")).replace("/", "%")
        node = f"@ros2_lv/{self.rmw['domain']}/{self.session.zid()}/0/{number}/MS/%/%/mobiman"
        return f"{node}/{topic}/{dds_name(kind)}/{self.type_hash(kind)}/2::,10:,:,:,,"

    def on_chunk(self, sample):
        message = STORE.deserialize_cdr(sample.payload.to_bytes(), CHUNK)
        self.chunks.append(plain(message))

    def on_trajectory(self, sample):
        group = str(sample.key_expr).split("_controller/joint_trajectory")[0].split("/")[-1]
        message = plain(STORE.deserialize_cdr(sample.payload.to_bytes(), TRAJECTORY))
        stamp = message["header"]["stamp"]
        self.trajectories.setdefault((stamp["sec"], stamp["nanosec"]), {})[group] = message

    def on_command(self, topic, kind):
        def take_in(sample):
            self.commands[topic].append(plain(STORE.deserialize_cdr(sample.payload.to_bytes(), kind)))
            if self.rmw:
                sequence, source_ns, length, identity = struct.unpack("<qqB16s", sample.attachment.to_bytes())
                assert length == 16
                self.attachments.setdefault(topic, []).append([sequence, source_ns, identity.hex()])

        return take_in

    def on_diagnostics(self, sample):
        message = STORE.deserialize_cdr(sample.payload.to_bytes(), DIAGNOSTICS)
        self.diagnostics.append(plain(message))

    def has_heard(self, wanted):
        """Whether a part was said to be in a state."""
        for array in list(self.diagnostics):
            for status in array["status"]:
                if status["name"] == wanted["part"] and {"key": "state", "value": wanted["state"]} in status["values"]:
                    return True
        return False

    def on_anything(self, sample):
        if str(sample.key_expr) not in self.own_keys:
            self.strangers.add(str(sample.key_expr))

    def put(self, topic: str, kind: str, message: bytes):
        self.send(self.key(topic, kind), message)

    def send(self, key: str, message: bytes):
        self.own_keys.add(key)
        self.session.put(key, message)

    def publish(self):
        now_ns = time.time_ns()
        delays = self.plan.get("delay_s", {})
        for topic, joints in self.plan.get("joints", {}).items():
            numbers = {key: np.array(joints.get(key, []), dtype=np.float64) for key in ("position", "velocity", "effort")}
            at = header(now_ns - int(1e9 * delays.get(topic, 0)))
            names = joints.get("name", [])
            self.put(topic, JOINTS, encode(JOINTS, header=at, name=names, **numbers))
        self.turn += 1
        for topic, (jpegs, camera) in self.pictures.items():
            taken_ns = self.started_ns if camera.get("standing") else now_ns
            at = header(taken_ns - int(1e9 * delays.get(topic, 0)))
            text = camera.get("format", "rgb8; jpeg compressed bgr8")
            data = jpegs[self.turn % len(jpegs)]
            message = encode(JPEG, header=at, format=text, data=data)
            self.put(topic, JPEG, message[: len(message) - camera.get("cut", 0)])
        for topic, camera in self.plan.get("raw_cameras", {}).items():
            self.put(topic, IMAGE, self.raw_picture(header(now_ns), camera))
        if time.monotonic() >= self.raw_from_s:
            for key, digits in self.plan.get("raw", {}).items():
                self.send(self.prefix + key.removeprefix("/"), bytes.fromhex(digits))

    def mark(self):
        self.put("sinew/episode", TEXT, encode(TEXT, data=self.marks.pop(0)))

    def raw_picture(self, at, camera) -> bytes:
        width, height = camera["size"]
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        pixels[:] = camera["color"] if camera["encoding"] == "rgb8" else camera["color"][::-1]
        pixels[0, 0] = self.turn % 2
        shape = {"height": height, "width": width, "step": 3 * width, "encoding": camera["encoding"]}
        return encode(IMAGE, header=at, is_bigendian=0, data=pixels.reshape(-1), **shape)

    def complete(self):
        """Chunks of which every wanted trajectory was seen."""
        wanted = set(self.plan.get("groups", []))

        def parts(chunk):
            stamp = chunk["header"]["stamp"]
            return self.trajectories.get((stamp["sec"], stamp["nanosec"]), {})

        return [{"chunk": chunk, "groups": parts(chunk)} for chunk in list(self.chunks) if wanted <= parts(chunk).keys()]

    def run(self):
        info = self.session.info
        while not (list(info.peers_zid()) or list(info.routers_zid())):
            time.sleep(0.01)
        print("connected", flush=True)
        limit = self.plan.get("chunk_count", 0)
        instruction = self.plan.get("instruction")
        period = 1 / self.plan.get("rate_hz", 30)
        while True:
            start = time.monotonic()
            self.publish()
            if self.marks and start >= self.marks_from_s:
                self.mark()
            complete = self.complete()
            if instruction and len(complete) >= instruction["after"]:
                self.put("sinew/instruction", TEXT, encode(TEXT, data=instruction["text"]))
                instruction = None
            is_enough = all(len(seen) >= self.plan.get("min_commands", 0) for seen in self.commands.values())
            if limit and len(complete) >= limit and is_enough:
                break
            if "diagnostics" in self.plan and self.has_heard(self.plan["diagnostics"]):
                break
            if any(seen["chunk"]["instruction"] == self.plan.get("until") for seen in complete):
                break
            if select.select([sys.stdin], [], [], max(0, start + period - time.monotonic()))[0]:
                break
        while self.marks:
            self.mark()
        for chunk in self.complete()[: limit or None]:
            print(json.dumps(chunk), flush=True)
        if self.rmw:
            replies = self.session.liveliness().get(f"@ros2_lv/{self.rmw['domain']}/**")
            self.commands["tokens"] = sorted(str(reply.ok.key_expr) for reply in replies if reply.ok)
            self.commands["attachments"] = self.attachments
        if self.commands:
            print(json.dumps(self.commands), flush=True)
        if "diagnostics" in self.plan:
            print(json.dumps(self.diagnostics), flush=True)
        if self.plan.get("strangers"):
            print(json.dumps(sorted(self.strangers)), flush=True)
        self.session.close()


if __name__ == "__main__":
    Robot(json.loads(Path(sys.argv[1]).read_text())).run()
