"""An event that is yet to be appended, and the time and origin that it gets if it brings none.

It must not know where events go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from evgit.formats.event import Event, EventBatch, batch_from_events, batch_of_new
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
    if new.time is not None:
        return _event(new, to_text(parse_instant(new.time)), new.origin)
    return _event(new, to_text(stamps.stamp(clock())), new.origin or stamps.origin())


def stamped_batch(new: NewEvent, clock: Callable[[], int]) -> EventBatch:
    """The batch of one event. Raises InvalidEvent, or InvalidTime as `stamped` does."""
    if new.time is not None or new.key is not None or new.blobs:
        return batch_from_events([stamped(new, clock)])
    instant = stamps.stamp(clock())
    origin = new.origin or stamps.origin()
    found = batch_of_new(new.stream, new.type, new.data, new.meta, new.version, origin, instant)
    if found is not None:
        return found
    return batch_from_events([_event(new, to_text(instant), origin)])


def _event(new: NewEvent, time: str, origin: str | None) -> Event:
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
