"""Lines of events that are of some streams, among many that are not.

It must not know where the lines stand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import attrgetter

import msgspec

from evgit.formats.block import ended_lines
from evgit.formats.event import decoder_into
from evgit.formats.native import native

Finder = Callable[[bytes | memoryview], list[bytes | None]]


class _Named(msgspec.Struct, gc=False):
    """All that tells whether an event is looked for."""

    stream: str


_stream_of = attrgetter("stream")


def wanted_lines(names: Collection[str]) -> Finder:
    """What finds those of these streams in a text of stored lines: each with its newline, and None
    in place of every other line. A few others may be among those found.

    Raises DamagedObject, at least where a line that may be wanted is none of an event.
    """
    if native is None:
        return wanted_lines_in_python(names)
    wanted, find = tuple(names), native.wanted_lines
    return lambda text: find(wanted, text)


def wanted_lines_in_python(names: Collection[str]) -> Finder:
    """The same without the native part."""
    wanted, decode = frozenset(names), decoder_into(_Named)

    def find(text: bytes | memoryview) -> list[bytes | None]:
        streams = list(map(_stream_of, decode(text)))
        if wanted.isdisjoint(streams):
            return [None] * len(streams)
        lines = ended_lines(bytes(text))
        return [
            line if stream in wanted else None for line, stream in zip(lines, streams, strict=True)
        ]

    return find
