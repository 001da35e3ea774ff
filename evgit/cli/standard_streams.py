"""Standard input, output and error that can be used even where the caller has closed them.

Python has no object at all for a stream that was closed before it started. Here it gets one, whose
use is an error with words, so that no command need think of it. What is said to a closed standard
error is dropped: the exit code still tells.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from evgit.errors import Unavailable, UsageError


class _ClosedInput(io.RawIOBase):
    """What is read from where nothing can be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        raise UsageError(
            "standard input is closed", hint="give it something to read: < FILE, or a pipe"
        )


class _ClosedOutput(io.RawIOBase):
    """What is written where nothing can be written."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise Unavailable(
            "standard output is closed", hint="give it a place to go: > FILE, or a pipe"
        )


class _Dropped(io.RawIOBase):
    """What is written where nobody reads it."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]


@contextmanager
def usable_streams() -> Iterator[None]:
    """Puts something in the place of each closed standard stream, for as long as this lasts."""
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_ClosedInput()), "utf-8")
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(_ClosedOutput(), "utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(_Dropped(), "utf-8", write_through=True)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def discard_output() -> None:
    """Nobody reads standard output any more: let the interpreter flush into nothing at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # standard output is not a file, so there is nothing to flush at exit
    finally:
        os.close(null)
