"""A pair of streams whose other end may not fall silent for ever.

Over ssh a peer that is there and says nothing, or takes nothing of its answer, would keep a process
and what it holds as long as it likes. It must not know what is said.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, BinaryIO, NoReturn, cast

from evgit.errors import TransferInterrupted


@contextmanager
def not_for_ever(source: int, target: int, seconds: float) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Two file descriptors as streams. Waiting for one of them for longer than `seconds` raises
    TransferInterrupted, and so does all that follows. Whatever comes, and every 64 KiB that go,
    begin the time anew. For the main thread: it waits by SIGALRM."""
    watch = _Watch(seconds)
    before = signal.signal(signal.SIGALRM, watch.rung)
    try:
        reading = io.BufferedReader(_Reading(source, watch))
        writing = io.BufferedWriter(_Writing(target, watch))
        yield cast(BinaryIO, reading), cast(BinaryIO, writing)
    finally:
        signal.signal(signal.SIGALRM, before)


_AT_ONCE = 1 << 16  # bytes: writing is one wait until all of them are taken


class _Watch:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._silent = False

    def rung(self, number: int, frame: FrameType | None) -> NoReturn:
        self._silent = True
        raise self._error()

    def __enter__(self) -> None:
        if self._silent:
            raise self._error()
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _error(self) -> TransferInterrupted:
        return TransferInterrupted(
            f"the other side was silent for {self._seconds:g} seconds",
            hint="the same command goes on where it stopped",
        )


class _Reading(io.RawIOBase):
    def __init__(self, descriptor: int, watch: _Watch) -> None:
        self._descriptor = descriptor
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        with self._watch:
            data = os.read(self._descriptor, len(view))
        view[: len(data)] = data
        return len(data)


class _Writing(io.RawIOBase):
    def __init__(self, descriptor: int, watch: _Watch) -> None:
        self._descriptor = descriptor
        self._watch = watch

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._watch:
            return os.write(self._descriptor, memoryview(data)[:_AT_ONCE])
