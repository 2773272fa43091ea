"""What can go wrong between a robot's sensors and its network. Pure: the time is an argument.

A fault concerns one output by name, or all of them (`*`):

    lost         nothing comes any more
    frozen       the same content again and again, with new stamps
    repeated     the same message again and again, stamp and all
    delayed      everything comes `ms` later, with the stamp it had
    corrupted    the message ends in its middle
    nan          every joint's position is no number
    future       stamps are `ms` ahead
    clock        stamps are off by `s` seconds, either way
    jump         positions read `by` (rad, mm) more than they are
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

EVERYTHING = "*"
KINDS = ("lost", "frozen", "repeated", "delayed", "corrupted", "nan", "future", "clock", "jump")


@dataclass(frozen=True)
class Fault:
    kind: str
    amount: float = 0.0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; there are {', '.join(KINDS)}")


def from_command(command: dict) -> Fault:
    """`{"fault": KIND, "ms" | "s" | "by": number}`"""
    return Fault(command["fault"], float(next((command[unit] for unit in ("ms", "s", "by") if unit in command), 0.0)))


@dataclass(frozen=True)
class Departure:
    """A message as it is to leave: its content, its stamp and when it goes."""

    content: object
    stamp_ns: int
    due_ns: int
    is_cut: bool = False
    is_nan: bool = False
    jump: float = 0.0


@dataclass
class Faults:
    active: dict[str, Fault] = field(default_factory=dict)
    # What each output last said while nothing was wrong with it.
    _last: dict[str, Departure] = field(default_factory=lambda: defaultdict(lambda: None))

    def begin(self, output: str, fault: Fault) -> None:
        self.active[output] = fault

    def heal(self, output: str = EVERYTHING) -> None:
        if output == EVERYTHING:
            self.active.clear()
        else:
            self.active.pop(output, None)

    def leave(self, output: str, content, stamp_ns: int, now_ns: int) -> Departure | None:
        """What becomes of a message. `stamp_ns` is wall time, `now_ns` any clock that only goes forward."""
        fault = self.active.get(output) or self.active.get(EVERYTHING)
        healthy = Departure(content, stamp_ns, now_ns)
        if fault is None:
            self._last[output] = healthy
            return healthy
        last = self._last[output] or healthy
        match fault.kind:
            case "lost":
                return None
            case "frozen":
                return Departure(last.content, stamp_ns, now_ns)
            case "repeated":
                return Departure(last.content, last.stamp_ns, now_ns)
            case "delayed":
                return Departure(content, stamp_ns, now_ns + round(fault.amount * 1e6))
            case "corrupted":
                return Departure(content, stamp_ns, now_ns, is_cut=True)
            case "nan":
                return Departure(content, stamp_ns, now_ns, is_nan=True)
            case "future":
                return Departure(content, stamp_ns + round(fault.amount * 1e6), now_ns)
            case "clock":
                return Departure(content, stamp_ns + round(fault.amount * 1e9), now_ns)
            case "jump":
                return Departure(content, stamp_ns, now_ns, jump=fault.amount)
        raise AssertionError(fault.kind)
