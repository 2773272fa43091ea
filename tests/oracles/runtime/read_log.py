"""Reads an episode's log with the PyPI packages `mcap` and `rosbags` and prints what they found as JSON.

    read_log.py LOG

`mcap` checks every checksum; `rosbags` decodes every message with the definitions in the log. Both have to find the
same messages.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader


def plain(value):
    """A message as JSON; bytes by their hash."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__ if name != "__msgtype__"}
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest() if value.dtype == np.uint8 else value.tolist()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def main(path: Path):
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        header, summary = reader.get_header(), reader.get_summary()
        found = [(channel.topic, message.log_time, message.data) for _, channel, message in reader.iter_messages()]
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        attachments = {record.name: record.data.decode() for record in reader.iter_attachments()}
    topics = {}
    with AnyReader([path]) as reader:
        decoded = []
        for connection, time, data in reader.messages():
            decoded.append((connection.topic, time, data))
            topic = topics.setdefault(connection.topic, {"type": connection.msgtype, "messages": [], "times": []})
            topic["messages"].append(plain(reader.deserialize(data, connection.msgtype)))
            topic["times"].append(time)
    assert sorted(found) == sorted((topic, time, bytes(data)) for topic, time, data in decoded)
    report = {
        "profile": header.profile,
        "compressions": sorted({index.compression for index in summary.chunk_indexes}),
        "message_count": summary.statistics.message_count,
        "metadata": metadata,
        "attachments": attachments,
        "topics": topics,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
