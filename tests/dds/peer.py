"""A robot on DDS, made of PyPI's `cyclonedds` and nothing of ROS, zenoh or Sinew: joint states and pictures out, joint trajectories in.

    peer.py DOMAIN [--chunks 3]        (run.py starts it with what it needs)

It is there as one ROS 2 node (it says on `ros_discovery_info` which readers and writers are its own, as a bridge expects), speaks until it has heard so many
trajectories for every group, checks them, and prints what it heard.
"""

import argparse
import io
import json
import sys
import time
from dataclasses import dataclass

import numpy as np
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import array, float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration
from PIL import Image

XCDR1 = Policy.DataRepresentation(use_cdrv0_representation=True)
HDAS = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.Durability.TransientLocal, Policy.History.KeepLast(100), XCDR1)
LISTENER = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(10), XCDR1)
DISCOVERY = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.Durability.TransientLocal, Policy.History.KeepLast(1), XCDR1)

POSTURE = {
    "torso": (0.65, -1.2, -0.65, 0.0),
    "arm_left": (0.3, 0.15, 0.0, -1.4, 0.0, 0.0, 0.0),
    "gripper_left": (80.0,),
    "arm_right": (0.3, -0.15, 0.0, -1.4, 0.0, 0.0, 0.0),
    "gripper_right": (80.0,),
}
WIDTHS = {"base": 3, "torso": 4, "left_arm": 7, "left_gripper": 1, "right_arm": 7, "right_gripper": 1}
PICTURES = (
    "/hdas/camera_head/left_raw/image_raw_color/compressed",
    "/hdas/camera_wrist_left/color/image_raw/compressed",
    "/hdas/camera_wrist_right/color/image_raw/compressed",
)
PATIENCE_S = 60.0


@final
@dataclass
class Time(IdlStruct, typename="builtin_interfaces.msg.dds_.Time_"):
    sec: int32
    nanosec: uint32


@final
@dataclass
class Duration(IdlStruct, typename="builtin_interfaces.msg.dds_.Duration_"):
    sec: int32
    nanosec: uint32


@final
@dataclass
class Header(IdlStruct, typename="std_msgs.msg.dds_.Header_"):
    stamp: Time
    frame_id: str


@final
@dataclass
class JointState(IdlStruct, typename="sensor_msgs.msg.dds_.JointState_"):
    header: Header
    name: sequence[str]
    position: sequence[float64]
    velocity: sequence[float64]
    effort: sequence[float64]


@final
@dataclass
class CompressedImage(IdlStruct, typename="sensor_msgs.msg.dds_.CompressedImage_"):
    header: Header
    format: str
    data: sequence[uint8]


@final
@dataclass
class Point(IdlStruct, typename="trajectory_msgs.msg.dds_.JointTrajectoryPoint_"):
    positions: sequence[float64]
    velocities: sequence[float64]
    accelerations: sequence[float64]
    effort: sequence[float64]
    time_from_start: Duration


@final
@dataclass
class JointTrajectory(IdlStruct, typename="trajectory_msgs.msg.dds_.JointTrajectory_"):
    header: Header
    joint_names: sequence[str]
    points: sequence[Point]


@final
@dataclass
class Gid(IdlStruct, typename="rmw_dds_common.msg.dds_.Gid_"):
    data: array[uint8, 24]


@final
@dataclass
class NodeEntities(IdlStruct, typename="rmw_dds_common.msg.dds_.NodeEntitiesInfo_"):
    node_namespace: str
    node_name: str
    reader_gid_seq: sequence[Gid]
    writer_gid_seq: sequence[Gid]


@final
@dataclass
class ParticipantEntities(IdlStruct, typename="rmw_dds_common.msg.dds_.ParticipantEntitiesInfo_"):
    gid: Gid
    node_entities_info_seq: sequence[NodeEntities]


def gid(entity) -> Gid:
    """ROS 2 Humble's: 16 bytes of DDS and 8 more."""
    return Gid(data=[*entity.guid.bytes, *bytes(8)])


def header() -> Header:
    now_ns = time.time_ns()
    return Header(stamp=Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9), frame_id="robot")


def picture(number: int) -> bytes:
    """Noise, so that no two are equal."""
    pixels = np.random.default_rng(number).integers(90, 110, (96, 128, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return file.getvalue()


class Peer:
    def __init__(self, domain: int):
        self.participant = DomainParticipant(domain)
        writer = lambda topic, kind: DataWriter(self.participant, Topic(self.participant, f"rt{topic}", kind, qos=HDAS), qos=HDAS)  # noqa: E731
        self.joints = {group: writer(f"/hdas/feedback_{group}", JointState) for group in POSTURE}
        self.pictures = [writer(topic, CompressedImage) for topic in PICTURES]
        self.readers = {
            group: DataReader(self.participant, Topic(self.participant, f"rt/{group}_controller/joint_trajectory", JointTrajectory, qos=LISTENER), qos=LISTENER)
            for group in WIDTHS
        }
        self.heard: dict[str, list[JointTrajectory]] = {group: [] for group in WIDTHS}
        self.discovery = DataWriter(self.participant, Topic(self.participant, "ros_discovery_info", ParticipantEntities, qos=DISCOVERY), qos=DISCOVERY)
        writers = [*self.joints.values(), *self.pictures]
        node = NodeEntities(
            node_namespace="/", node_name="robot", reader_gid_seq=[gid(reader) for reader in self.readers.values()],
            writer_gid_seq=[gid(writer) for writer in writers],
        )
        self.discovery.write(ParticipantEntities(gid=gid(self.participant), node_entities_info_seq=[node]))
        self.number = 0

    def speak(self) -> None:
        head = header()
        for group, writer in self.joints.items():
            position = list(POSTURE[group])
            writer.write(JointState(header=head, name=[], position=position, velocity=[0.0] * len(position), effort=[]))
        for writer in reversed(self.pictures):
            self.number += 1
            writer.write(CompressedImage(header=head, format="rgb8; jpeg compressed bgr8", data=list(picture(self.number))))

    def listen(self) -> None:
        for group, reader in self.readers.items():
            self.heard[group] += reader.take(N=10)

    def has_heard(self, count: int) -> bool:
        return all(len(heard) >= count for heard in self.heard.values())


def wrong_with(group: str, trajectory: JointTrajectory) -> str | None:
    points = trajectory.points
    if len(points) != 50 or len(trajectory.joint_names) != WIDTHS[group]:
        return f"{len(points)} points of {len(trajectory.joint_names)} joints"
    numbers = np.array([point.velocities if group == "base" else point.positions for point in points])
    if numbers.shape != (50, WIDTHS[group]) or not np.all(np.isfinite(numbers)):
        return f"numbers of shape {numbers.shape}"
    times_s = np.array([point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in points])
    if not np.allclose(np.diff(times_s), 1 / 30, atol=1e-6):
        return f"times {times_s[:3]}"
    # The policy is one that lets the robot stay as it is.
    side, _, part = group.partition("_")
    stays = group == "base" or np.allclose(numbers[0], POSTURE[f"{part}_{side}" if part else group], atol=2e-3)
    return None if stays else f"first step {numbers[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", type=int)
    parser.add_argument("--chunks", type=int, default=3)
    args = parser.parse_args()
    peer = Peer(args.domain)
    end = time.monotonic() + PATIENCE_S
    while not peer.has_heard(args.chunks) and time.monotonic() < end:
        start = time.monotonic()
        peer.speak()
        peer.listen()
        time.sleep(max(0.0, start + 1 / 30 - time.monotonic()))
    wrong = [f"{group}: {what}" for group, heard in peer.heard.items() for one in heard if (what := wrong_with(group, one))]
    counts = {group: len(heard) for group, heard in peer.heard.items()}
    first = {group: heard[0].points[0].positions or heard[0].points[0].velocities for group, heard in peer.heard.items() if heard}
    print(json.dumps({"trajectories": counts, "first_step": {group: [round(x, 4) for x in step] for group, step in first.items()}, "wrong": wrong}))
    return 0 if peer.has_heard(args.chunks) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
