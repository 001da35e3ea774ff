"""A keyed projection over many events at once, with its documents as Python values.

This is the way of a rebuild: an event is decoded with its data, folded once, and given up. What a
document is and which events are its, `evgit.state.modelling.adapters` says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count, repeat
from types import MappingProxyType
from typing import Any

from evgit.errors import UnknownVersion
from evgit.state.modelling import declarations
from evgit.state.modelling.adapters import KeyedAdapter
from evgit.state.modelling.declarations import DELETE
from evgit.state.modelling.events import (
    Lines,
    OnceEvent,
    decode_lines_once,
    read_only,
    set_data,
    set_position,
    set_source,
)
from evgit.state.modelling.failures import raise_failed
from evgit.state.projection import GONE, Unstorable


class LiveAdapter(KeyedAdapter):
    """A `KeyedProjection` of a model as evgit.state.projection.LiveProjection."""

    def __init__(self, name: str, declared: declarations.KeyedProjection, *rest: Any, **more: Any):
        super().__init__(name, declared, *rest, **more)
        self._plain = not self._own_key and all(h.convert is None for h in self._handlers.values())

    def decode_live(self, text: bytes, position: int) -> list[OnceEvent]:
        """As `decode`, for `fold_live`: the events can be folded once."""
        events = decode_lines_once(text)
        deque(map(set_position, events, count(position)), maxlen=0)
        deque(map(set_source, events, repeat(Lines(text, position))), maxlen=0)
        return events

    def fold_live(
        self,
        events: Sequence[OnceEvent],
        live: dict[str, Any],
        load: Callable[[str], bytes | None],
    ) -> None:
        """Take in events, in order, with documents as Python values."""
        if self._all:
            events = [event for event in events if self._taken(event)]
        if self._plain and not self.watched:
            self._fold_plain(events, live, load)
        else:
            self._fold_any(events, live, load)

    def _fold_plain(
        self,
        events: Sequence[OnceEvent],
        live: dict[str, Any],
        load: Callable[[str], bytes | None],
    ) -> None:
        """`fold_live` without what few models need: this loop is where a rebuild's time goes."""
        handlers, paths = self._handlers, self._memo
        event: OnceEvent | None = None
        path: Any = None
        try:
            for event, data in zip(events, _make_read_only(events), strict=True):
                try:
                    method, version, _ = handlers[event.type]
                except KeyError:
                    continue
                try:
                    path = paths[event.stream]
                except KeyError:
                    path = self._path_by_stream(event)
                if path is None:
                    continue
                if event.version != version:
                    set_data(event, read_only(self.upcast(event, data)))
                try:
                    value = live[path]
                except KeyError:
                    document = load(path)
                    value = live[path] = GONE if document is None else self._value(document)
                if value is GONE:
                    value = live[path] = self._declared.initial(self.key_of(path))
                result = method(value, event)
                if result is not None:
                    live[path] = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            raise_failed(error, self.name, event=event, path=path)

    def _fold_any(
        self,
        events: Sequence[OnceEvent],
        live: dict[str, Any],
        load: Callable[[str], bytes | None],
    ) -> None:
        """`fold_live` with all that a model may ask for."""
        event: OnceEvent | None = None
        path: str | None = None
        try:
            for event in events:
                handler = self._handlers.get(event.type)
                if handler is None or not self.concerns(event.stream):
                    continue
                data = event.data
                if event.version != handler.version:
                    data = self.upcast(event, data)
                if handler.convert is not None:
                    data = handler.convert(data)
                set_data(event, MappingProxyType(data) if type(data) is dict else data)
                path = None
                path = self._path_by_own_key(event)
                if path is None:
                    continue
                if path not in live:
                    document = load(path)
                    live[path] = GONE if document is None else self._value(document)
                if live[path] is GONE:
                    live[path] = self._declared.initial(self.key_of(path))
                result = handler.method(live[path], event)
                if self.watched:
                    self.check_untouched(event)
                if result is not None:
                    live[path] = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            raise_failed(error, self.name, event=event, path=path)

    def store_live(self, path: str, value: Any) -> bytes | None:
        """The stored form of a live document."""
        if value is GONE:
            return None
        try:
            return self._stored(path, value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise Unstorable from error


def _make_read_only(events: Sequence[OnceEvent]) -> list[Any]:
    """Make the data of all events read-only, at C speed where it can be; as it was before."""
    every = [event.data for event in events]
    if set(map(type, every)) == {dict}:
        deque(map(set_data, events, map(MappingProxyType, every)), maxlen=0)
    else:
        deque(map(set_data, events, map(read_only, every)), maxlen=0)
    return every
