"""The documents of a keyed projection as Python values, while many events are folded into them.

This is the way of a rebuild: an event is decoded with its data, folded once, and given up. What a
document is and which events are its, `evgit.state.modelling.adapters` says. What no handler can
notice is left out: positions that nobody asks for, a read-only face of data that is only read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice, repeat
from types import MappingProxyType
from typing import Any, TypeAlias

from evgit.errors import UnknownVersion
from evgit.state.modelling.adapters import KeyedAdapter
from evgit.state.modelling.declarations import DELETE
from evgit.state.modelling.event_use import use_of_event
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

Cell: TypeAlias = "list[Any]"
"""[value or GONE, path] of one document."""
_STORED_AT_ONCE = 1024
_NOT_PLAIN = -1  # a version that no event has: its handler takes more than upcast data


class LiveAdapter(KeyedAdapter):
    """A `KeyedProjection` of a model as evgit.state.projection.LiveProjection."""

    def live(self, load: Callable[[str], bytes | None]) -> LiveDocuments:
        """No documents yet; `load` gives the bytes of those that were there before."""
        return LiveDocuments(self, load)


class LiveDocuments:
    """Documents met so far, and what they have become."""

    def __init__(self, adapter: KeyedAdapter, load: Callable[[str], bytes | None]) -> None:
        self._adapter = adapter
        self._load = load
        self._cells: dict[str, Cell] = {}  # by path
        self._of_streams: dict[str, Cell | None] = {}
        self._concerns: dict[str, bool] = {}
        self._versions = {
            name: (handler.method, handler.version if handler.convert is None else _NOT_PLAIN)
            for name, handler in adapter.handlers.items()
        }
        methods: list[Callable[..., Any]] = [each.method for each in adapter.handlers.values()]
        if adapter.own_key:
            methods.append(adapter.declared.key)
        uses = [use_of_event(method) for method in methods]
        self._places = adapter.sees_each or any(use.asks_more for use in uses)
        self._shields = not all(use.only_reads for use in uses)

    def __len__(self) -> int:
        return len(self._cells)

    def take(self, text: bytes, position: int) -> int:
        """Fold the events of a text of canonical lines, the first of them at `position`; how many
        they are. Raises HandlerFailed and UnknownVersion."""
        every = decode_lines_once(text)
        batch = _Batch(every, text, position)
        events: Sequence[OnceEvent] = every
        if self._places or self._adapter.watched:
            batch.place()
        if self._adapter.sees_each:
            events = [event for event in every if self._adapter.takes(event)]
        if self._shields or self._adapter.watched:
            _make_read_only(events)
        if self._adapter.own_key or self._adapter.watched:
            self._fold_by_key(events, batch)
        else:
            self._fold_by_stream(events, batch)
        return len(every)

    def _fold_by_stream(self, events: Iterable[OnceEvent], batch: _Batch) -> None:
        """Fold events whose documents their streams tell: here a rebuild's time goes."""
        handlers, cells = self._versions, self._of_streams
        event: OnceEvent | None = None
        cell: Cell | None = None
        try:
            for event in events:
                try:
                    method, version = handlers[event.type]
                except KeyError:
                    continue
                try:
                    cell = cells[event.stream]
                except KeyError:
                    cell = None
                    cell = self._cell_of_stream(event)
                if cell is None:
                    continue
                if event.version != version:
                    self._bring_up(event, batch)
                value = cell[0]
                if value is GONE:
                    value = cell[0] = self._initial(cell)
                result = method(value, event)
                if result is not None:
                    cell[0] = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            self._fail(error, event, cell, batch)

    def _fold_by_key(self, events: Iterable[OnceEvent], batch: _Batch) -> None:
        """The same where each event is asked for its key, or looked at once more."""
        adapter, handlers = self._adapter, self._versions
        event: OnceEvent | None = None
        cell: Cell | None = None
        try:
            for event in events:
                cell = None
                found = handlers.get(event.type)
                if found is None or not self._concerned(event.stream):
                    continue
                method, version = found
                if event.version != version:
                    self._bring_up(event, batch)
                path = adapter.path_by_own_key(event, batch.place)
                if path is None:
                    continue
                cell = self._cells.get(path) or self._cell(path)
                if cell[0] is GONE:
                    cell[0] = self._initial(cell)
                result = method(cell[0], event)
                if adapter.watched:
                    adapter.check_untouched(event)
                if result is not None:
                    cell[0] = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            self._fail(error, event, cell, batch)

    def stored(self) -> dict[str, bytes | None]:
        """The bytes of all documents. Raises Unstorable."""
        try:
            cells = iter(self._cells.values())
            found: dict[str, bytes | None] = {}
            while part := list(islice(cells, _STORED_AT_ONCE)):
                there = [cell for cell in part if cell[0] is not GONE]
                found |= {path: None for value, path in part if value is GONE}
                values, paths = ([cell[place] for cell in there] for place in (0, 1))
                found |= zip(paths, self._adapter.stored_all(paths, values), strict=True)
            return found
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise Unstorable from error

    def clear(self) -> None:
        """Forget all documents: they will be loaded again."""
        self._cells.clear()
        self._of_streams.clear()
        self._concerns.clear()

    # ------------------------------------------------------------------ one document
    def _initial(self, cell: Cell) -> Any:
        return self._adapter.declared.initial(self._adapter.key_of(cell[1]))

    def _cell(self, path: str) -> Cell:
        cell = self._cells.get(path)
        if cell is None:
            document = self._load(path)
            value = GONE if document is None else self._adapter.value(document)
            cell = self._cells[path] = [value, path]
        return cell

    def _cell_of_stream(self, event: OnceEvent) -> Cell | None:
        path = self._adapter.path_of(event)
        cell = None if path is None else self._cell(path)
        self._of_streams[event.stream] = cell
        return cell

    def _concerned(self, stream: str) -> bool:
        known = self._concerns.get(stream)
        if known is None:
            known = self._concerns[stream] = self._adapter.concerns(stream)
        return known

    # ------------------------------------------------------------------ one event
    def _bring_up(self, event: OnceEvent, batch: _Batch) -> None:
        """Make the data of an event what its handler takes."""
        data, handler = event.data, self._adapter.handlers[event.type]
        if event.version != handler.version:
            batch.place()
            if type(data) is MappingProxyType:
                data = data.copy()
            data = self._adapter.upcast(event, data)
        if handler.convert is not None:
            data = handler.convert(dict(data) if type(data) is MappingProxyType else data)
        set_data(event, read_only(data))

    def _fail(
        self, error: BaseException, event: OnceEvent | None, cell: Cell | None, batch: _Batch
    ) -> None:
        batch.place()
        path = None if cell is None else cell[1]
        raise_failed(error, self._adapter.name, event=event, path=path)


class _Batch:
    """The events of one text."""

    def __init__(self, events: Sequence[OnceEvent], text: bytes, position: int) -> None:
        self._events = events
        self._text = text
        self._position = position
        self._placed = False

    def place(self) -> None:
        """Tell every event where it stands, by which it finds all else that its line says."""
        if not self._placed:
            lines = Lines(self._text, self._position)
            deque(map(set_position, self._events, count(self._position)), maxlen=0)
            deque(map(set_source, self._events, repeat(lines)), maxlen=0)
            self._placed = True


def _make_read_only(events: Sequence[OnceEvent]) -> None:
    """Make the data of all events read-only, at C speed where it can be."""
    every = [event.data for event in events]
    shield = MappingProxyType if set(map(type, every)) <= {dict} else read_only
    deque(map(set_data, events, map(shield, every)), maxlen=0)
