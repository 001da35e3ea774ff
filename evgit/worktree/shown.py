"""Which points the files show, in a file of its own, so that it outlives the cache.

One point, or several where a checkout was interrupted: then each file shows one of them. Nothing
depends on it being there or right: contents are compared with the states at these points, so that
a stale record only makes more files look like a person's.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from evgit.history.points import Point

_LINE = re.compile(r"([0-9a-f]{64})#([0-9]{1,10})")
MOST_POINTS = 8
"""After so many interrupted checkouts in a row the oldest are forgotten."""


class Shown:
    """The record at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def points(self) -> list[Point]:
        """What the files show; empty where that is not known."""
        try:
            text = self._path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return []
        found = [_LINE.fullmatch(line) for line in text.splitlines()]
        return [Point(match[1], int(match[2])) for match in found if match]

    def add(self, point: Point) -> None:
        """From now on some files may show `point`."""
        known = [other for other in self.points() if other != point]
        self._write([*known[1 - MOST_POINTS :], point])

    def replace(self, point: Point) -> None:
        """All files show `point`."""
        if self.points() != [point]:
            self._write([point])

    def _write(self, points: list[Point]) -> None:
        # No fsync: a record lost with the power costs no more than one never written.
        partial = self._path.with_name(f"{self._path.name}.{os.urandom(4).hex()}.new")
        try:
            partial.write_text("".join(f"{p.commit}#{p.size}\n" for p in points), encoding="ascii")
            partial.replace(self._path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
