"""Everything a robot was told, and when: what the checker reads, and how long a fault took to make the robot stand."""

from __future__ import annotations

import json
import threading
import time
from array import array
from pathlib import Path

import numpy as np

# Smaller changes of a position are no motion: what a float64 sum loses.
STILL = 1e-12


class Track:
    """What came on one topic."""

    def __init__(self, width: int, is_velocity: bool):
        self.width, self.is_velocity = width, is_velocity
        self.received_ns, self.stamp_ns = array("q"), array("q")
        self.position, self.velocity, self.measured = array("d"), array("d"), array("d")
        self.last = None
        self.moved_ns = 0
        self.moving_count = 0

    def add(self, received_ns: int, stamp_ns: int, position, velocity, measured) -> None:
        position = np.asarray(position, dtype=float)
        if self.is_velocity:
            moves = bool(np.any(position != 0))
        else:
            moves = self.last is not None and bool(np.any(np.abs(position - self.last) > STILL))
        if moves:
            self.moved_ns = received_ns
            self.moving_count += 1
        self.last = position
        self.received_ns.append(received_ns)
        self.stamp_ns.append(stamp_ns)
        self.position.extend(position)
        self.velocity.extend(velocity if len(velocity) == self.width else np.full(self.width, np.nan))
        self.measured.extend(measured)

    def arrays(self) -> dict[str, np.ndarray]:
        wide = {name: np.array(getattr(self, name)).reshape(-1, self.width) for name in ("position", "velocity", "measured")}
        return {"received_ns": np.array(self.received_ns), "stamp_ns": np.array(self.stamp_ns), **wide}


class CommandLog:
    """`widths` are the groups with positions, `base` comes with velocities."""

    def __init__(self, widths: dict[str, int]):
        self.widths = widths
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self.tracks = {group: Track(width, is_velocity=False) for group, width in self.widths.items()}
            self.tracks["base"] = Track(3, is_velocity=True)
            self.chunks: list[tuple[int, int, int]] = []
            self.events: list[dict] = []

    def add(self, group: str, received_ns: int, stamp_ns: int, position, velocity, measured) -> None:
        """A message of the wrong width is kept as not a number: the checker is to see it."""
        with self._lock:
            track = self.tracks[group]
            if len(position) != track.width:
                position = np.full(track.width, np.nan)
            track.add(received_ns, stamp_ns, position, velocity, measured)

    def add_chunk(self, sequence: int, stamp_ns: int, received_ns: int) -> None:
        with self._lock:
            self.chunks.append((sequence, stamp_ns, received_ns))

    def note(self, **event) -> None:
        self.events.append({"at_ns": time.monotonic_ns(), **event})

    def since(self, mark_ns: int) -> dict:
        """What came after a moment: by group how many messages, when the last came and when the last that moved, ms after it."""
        with self._lock:
            return {group: self._since(track, mark_ns) for group, track in self.tracks.items()}

    @staticmethod
    def _since(track: Track, mark_ns: int) -> dict:
        count = len(track.received_ns)
        first = count
        while first and track.received_ns[first - 1] >= mark_ns:
            first -= 1
        last = None if track.last is None else track.last.tolist()
        after = {"message_count": count - first, "last_message_ms": None, "last_motion_ms": None, "last": last}
        if count > first:
            after["last_message_ms"] = (track.received_ns[-1] - mark_ns) / 1e6
        if track.moved_ns >= mark_ns:
            after["last_motion_ms"] = (track.moved_ns - mark_ns) / 1e6
        return after

    def quiet_ns(self, mark_ns: int) -> int:
        """How long nothing has moved, counted from a moment on."""
        return time.monotonic_ns() - max(mark_ns, *(track.moved_ns for track in self.tracks.values()))

    def moving_counts(self) -> dict[str, int]:
        return {group: track.moving_count for group, track in self.tracks.items()}

    def save(self, path: Path) -> None:
        with self._lock:
            arrays = {f"{group}.{name}": values for group, track in self.tracks.items() for name, values in track.arrays().items()}
            arrays["chunks"] = np.array(self.chunks, dtype=np.int64).reshape(-1, 3)
            arrays["events"] = np.array(json.dumps(self.events))
        np.savez_compressed(path, **arrays)
