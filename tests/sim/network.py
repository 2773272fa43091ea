"""ROS 2 messages over zenoh as zenoh-bridge-ros2dds carries them: the PyPI packages `eclipse-zenoh` and `rosbags`, nothing of Sinew but ActionChunk's text.

Like behind a real bridge, what a topic says is only read while somebody listens to it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zenoh
from faults import Departure, Faults
from r1pro import HDAS_MESSAGES, HDAS_QOS, JOINT_STATE, LISTENER_QOS, Input, Output
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

ACTION_CHUNK = "sinew_msgs/msg/ActionChunk"
ACTION_CHUNK_TEXT = Path(__file__).parents[2] / "proto/msg/sinew_msgs/msg/ActionChunk.msg"


def message_types():
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in HDAS_MESSAGES.items():
        store.register(get_types_from_msg(text, name))
    store.register(get_types_from_msg(ACTION_CHUNK_TEXT.read_text(), ACTION_CHUNK))
    return store


STORE = message_types()
TYPES = STORE.types
NOTHING = np.zeros(0)


def header(stamp_ns: int, frame: str = ""):
    stamp = TYPES["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return TYPES["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)


def stamp_ns(head) -> int:
    return head.stamp.sec * 10**9 + head.stamp.nanosec


def make(kind: str, **fields):
    return TYPES[kind](**fields)


def joint_state(position, velocity=NOTHING, effort=NOTHING, name=()) -> Callable[[int], object]:
    """A joint state that still lacks its stamp."""
    numbers = {"position": position, "velocity": velocity, "effort": effort}
    numbers = {key: np.array(value, dtype=np.float64) for key, value in numbers.items()}
    return lambda at_ns: make(JOINT_STATE, header=header(at_ns), name=list(name), **numbers)


def decode(kind: str, payload: bytes):
    return STORE.deserialize_cdr(payload, kind)


def encode(kind: str, departure: Departure) -> bytes:
    """The message of a content (stamp to message), damaged as the departure says."""
    message = departure.content(departure.stamp_ns)
    if kind == JOINT_STATE and (departure.jump or departure.is_nan):
        message.position = message.position + (np.nan if departure.is_nan else departure.jump)
    data = bytes(STORE.serialize_cdr(message, kind))
    return data[: len(data) // 2] if departure.is_cut else data


def open_session(mode: str, connect: list[str], listen: list[str] | None = None) -> zenoh.Session:
    config = zenoh.Config()
    for key, value in {
        "mode": mode, "connect/endpoints": connect, "listen/endpoints": listen or [], "scouting/multicast/enabled": False,
    }.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


def wait_for_company(session: zenoh.Session, patience_s: float = 60.0) -> None:
    """Until a peer or a router is there."""
    end = time.monotonic() + patience_s
    while not (list(session.info.peers_zid()) or list(session.info.routers_zid())):
        if time.monotonic() > end:
            raise TimeoutError(f"nobody to talk to within {patience_s} s")
        time.sleep(0.01)


class Bridge:
    """A robot's topics on zenoh, with tokens that say what there is."""

    def __init__(self, session: zenoh.Session, namespace: str, faults: Faults, waits: bool = False):
        """Where it `waits` for room in its queues, no message is dropped."""
        self.session = session
        self.congestion = zenoh.CongestionControl.BLOCK if waits else zenoh.CongestionControl.DROP
        # Told of every message that a listener has taken.
        self.taken: Callable[[str, object], None] = lambda topic, message: None
        self.prefix = f"{namespace}/" if namespace else ""
        self.faults = faults
        self._publishers: dict[str, zenoh.Publisher] = {}
        self._kept = []
        self._late: list[tuple[int, int, str, bytes]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()

    def key(self, topic: str) -> str:
        return self.prefix + topic.removeprefix("/")

    def announce(self, kind: str, topic: str, message: str, qos: str) -> None:
        """`kind` is MP for a publisher, MS for a subscriber."""
        escaped = [text.replace("/", "§") for text in (self.key(topic), message)]
        token = "/".join(["@", str(self.session.info.zid()), "@ros2_lv", kind, *escaped, qos])
        self._kept.append(self.session.liveliness().declare_token(token))

    def offer(self, output: Output) -> None:
        self.announce("MP", output.topic, output.message, HDAS_QOS)
        self._publishers[output.name] = self.session.declare_publisher(self.key(output.topic), congestion_control=self.congestion)

    def listen(self, source: Input, take: Callable[[object, int], None], announced: bool = True) -> None:
        """`take` is given each message and when it came (monotonic)."""
        if announced:
            self.announce("MS", source.topic, source.message, LISTENER_QOS)

        def on_sample(sample):
            received_ns = time.monotonic_ns()
            message = decode(source.message, sample.payload.to_bytes())
            take(message, received_ns)
            self.taken(source.topic, message)

        self._kept.append(self.session.declare_subscriber(self.key(source.topic), on_sample))

    def is_heard(self, name: str) -> bool:
        """Whether somebody listens to an output."""
        return self._publishers[name].matching_status.matching

    def say(self, output: Output, content: Callable[[int], object], at_ns: int) -> None:
        """Publishes a content, whose stamp is `at_ns` if nothing is wrong with it."""
        departure = self.faults.leave(output.name, content, at_ns, time.monotonic_ns())
        if departure is None:
            return
        message = encode(output.message, departure)
        if departure.due_ns > time.monotonic_ns():
            with self._lock:
                heapq.heappush(self._late, (departure.due_ns, next(self._number), output.name, message))
        else:
            self._publishers[output.name].put(message)

    def send_late(self) -> None:
        """Publishes what was delayed until now."""
        with self._lock:
            while self._late and self._late[0][0] <= time.monotonic_ns():
                *_, name, message = heapq.heappop(self._late)
                self._publishers[name].put(message)

    def put(self, topic: str, kind: str, message) -> None:
        """Publishes what is not the robot's: an operator's or an instructor's word."""
        self.session.put(self.key(topic), bytes(STORE.serialize_cdr(message, kind)))
