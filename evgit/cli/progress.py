"""Progress of long work: one line on standard error, only where that is a terminal.

It knows counts and clocks, not what is being counted.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

BEFORE_FIRST = 0.5  # seconds: short work shows nothing
BETWEEN = 0.1
WIDTH = 24


class ProgressBar:
    """A line that is written again and again, and removed in the end.

    `unit` names what is counted. Use as a context manager.
    """

    def __init__(self, label: str, unit: str = "", stream: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._stream = stream or sys.stderr
        self._enabled = self._stream.isatty()
        self._started = time.monotonic()
        self._next = self._started + BEFORE_FIRST
        self._written = 0

    def update(self, done: int, total: int | None, detail: str = "") -> None:
        """Say that `done` of `total` (None: unknown) is done; `detail` in place of the counts."""
        if not self._enabled:
            return
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + BETWEEN
        unit = f" {self._unit}" if self._unit else ""
        if total:
            share = min(done / total, 1.0)
            filled = int(share * WIDTH)
            bar = "#" * filled + "." * (WIDTH - filled)
            text = f"{self._label} [{bar}] {share:4.0%} {detail or f'{done:,}/{total:,}{unit}'}"
            elapsed = now - self._started
            if 0 < share < 1 and elapsed > 2:
                text += f", {_duration(elapsed / share - elapsed)} left"
        else:
            text = f"{self._label} {detail or f'{done:,}{unit}'}"
        self._write(text)

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._written))
        self._stream.flush()
        self._written = len(text)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._written:
            self._stream.write("\r" + " " * self._written + "\r")
            self._stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
