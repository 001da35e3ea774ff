"""Stamps for events whose time evgit gives: strictly increasing, with an origin of the process.

Two real deposits in one microsecond, in two clones of one repository, must never become one event:
so each writing process draws a random origin, anew after a fork, and its stamps never repeat.
"""

from __future__ import annotations

import os
import threading
import time

MICROSECONDS_TO_1970 = 62_135_596_800_000_000  # from 0001-01-01T00:00:00Z, proleptic Gregorian


def now() -> int:
    """The clock's instant: microseconds since 0001-01-01T00:00:00Z."""
    return time.time_ns() // 1000 + MICROSECONDS_TO_1970


class _Process:
    """What one process stamps with."""

    def __init__(self) -> None:
        self.origin = os.urandom(8).hex()
        self.last = 0
        self.lock = threading.Lock()


_process = _Process()


def _start_anew() -> None:
    global _process  # noqa: PLW0603 - what belongs to a process is a global by nature
    _process = _Process()


os.register_at_fork(after_in_child=_start_anew)


def origin() -> str:
    """This process's origin, 16 hex digits."""
    return _process.origin


def stamp(clock: int) -> int:
    """`clock`, or the next free microsecond after the last stamp if that is later."""
    with _process.lock:
        _process.last = max(_process.last + 1, clock)
        return _process.last
