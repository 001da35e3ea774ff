"""What a worker process does with batches of lines, for `line_preparing`.

It stands alone so that a worker has little to load before it is of use.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from evgit.bridges.event_lines import EventLines, LineOptions
from evgit.bridges.json_lines import LineBatch
from evgit.formats.block import ended_lines

BEGIN = f"{__name__}:begin"
_POSITION_BYTES = 8


def request_of(position: int, text: bytes) -> bytes:
    """A request: lines with their newlines, and the position in the log that their first event may
    get."""
    return position.to_bytes(_POSITION_BYTES, "little") + text


def setup_of(options: LineOptions) -> bytes:
    """What `begin` is to be given."""
    return msgspec.json.encode(options)


def begin(setup: bytes) -> Callable[[bytes], bytes]:
    """What answers requests, with packed batches."""
    options = msgspec.json.decode(setup, type=LineOptions)
    reading = EventLines(options.format, time=options.time, time_field=options.time_field)

    def prepare(request: bytes) -> bytes:
        position = int.from_bytes(request[:_POSITION_BYTES], "little")
        ended = ended_lines(request[_POSITION_BYTES:])
        return reading.events(LineBatch(ended, range(1, len(ended) + 1))).pack(position)

    return prepare
