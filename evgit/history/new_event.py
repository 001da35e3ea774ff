"""An event that is yet to be appended, and the time and origin that it gets if it brings none.

It must not know where events go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from evgit.formats.event import Event
from evgit.formats.times import parse_instant, to_text
from evgit.history import stamps


class NewEvent(msgspec.Struct, frozen=True):
    """An event to be appended. Without a `time`, evgit stamps it with time and origin.

    `data` is any JSON value. `blobs`: {blob id: size in bytes} of the blobs that data refers to.
    """

    stream: str
    type: str
    data: Any = {}
    time: str | None = None
    version: int = 1
    meta: Mapping[str, Any] = {}
    key: str | None = None
    blobs: Mapping[str, int] = {}
    origin: str | None = None


def stamped(new: NewEvent, clock: Callable[[], int]) -> Event:
    """The event as it will be stored. `clock` gives the instant where the event has none.

    Raises InvalidTime for a time that can't be read.
    """
    time, origin = new.time, new.origin
    if time is None:
        time = to_text(stamps.stamp(clock()))
        origin = origin or stamps.origin()
    else:
        time = to_text(parse_instant(time))
    return Event(
        stream=new.stream,
        type=new.type,
        data=new.data,
        time=time,
        version=new.version,
        meta=dict(new.meta),
        key=new.key,
        origin=origin,
        blobs=dict(new.blobs),
    )
