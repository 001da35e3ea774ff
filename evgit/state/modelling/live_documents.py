"""The documents of a keyed projection as Python values, while many events are folded into them.

This is the way of a rebuild: an event is decoded with its data, folded once, and given up. What a
document is and which events are its, `evgit.state.modelling.adapters` says. What no handler can
notice is left out: positions that nobody asks for, a read-only face of data that is only read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice, repeat
from types import MappingProxyType
from typing import Any, cast

from evgit.errors import UnknownVersion
from evgit.state.modelling.adapters import KeyedAdapter
from evgit.state.modelling.declarations import DELETE
from evgit.state.modelling.event_use import EventUse, use_of_event
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
from evgit.state.projection import GONE, SharedDocuments, Unstorable
from evgit.storage.stretches import EVERYTHING, Share, Stretch, StretchReader, Unclustered

_STORED_AT_ONCE = 1024
_NOT_PLAIN = -1  # a version that no event has: its handler takes more than upcast data


class LiveAdapter(KeyedAdapter):
    """A `KeyedProjection` of a model as evgit.state.projection.LiveProjection.

    `share`: what can fold its documents in several processes, if anything can.
    """

    share: Callable[[LiveAdapter, Sequence[Stretch]], SharedDocuments | None] | None = None

    def shared(self, stretches: Sequence[Stretch]) -> SharedDocuments | None:
        """Documents of no events yet, in several processes that are to be given these stretches;
        None where that does not pay. Raises Unclustered."""
        return None if self.share is None else self.share(self, stretches)

    @cached_property
    def use_of_events(self) -> EventUse:
        """What its code can do with events."""
        methods: list[Callable[..., Any]] = [each.method for each in self.handlers.values()]
        if self.own_key:
            methods.append(self.declared.key)
        uses = [use_of_event(method) for method in methods]
        return EventUse(
            only_reads=all(use.only_reads for use in uses),
            asks_more=any(use.asks_more for use in uses),
        )

    def live(self, load: Callable[[str], bytes | None]) -> LiveDocuments:
        """No documents yet; `load` gives the bytes of those that were there before."""
        return LiveDocuments(self, load)


class LiveDocuments:
    """Documents met so far, and what they have become."""

    def __init__(self, adapter: LiveAdapter, load: Callable[[str], bytes | None]) -> None:
        self._adapter = adapter
        self._load = load
        self._by_stream = not adapter.own_key
        """Is each stream a document of its own, as far as is known? So long, values are found by
        stream, without asking for the path: half of what memory has to fetch for an event."""
        self._values: dict[str, Any] = {}  # by stream, or by path; GONE for none
        self._path_of: dict[str, str | None] = {}  # by stream; None: its events concern none
        self._streams_met: dict[str, str] = {}  # by path
        self._concerns: dict[str, bool] = {}  # by stream
        self._categories: set[tuple[str, ...]] = set()
        """The beginnings of streams met that have documents. Streams of one category have none in
        common; of others that is not known any more once they have been `_cleared`."""
        self._cleared = False
        self._versions = {
            name: (handler.method, handler.version if handler.convert is None else _NOT_PLAIN)
            for name, handler in adapter.handlers.items()
        }
        use = adapter.use_of_events
        self._reader = StretchReader()
        self._places = adapter.sees_each or use.asks_more
        self._shields = not use.only_reads

    def __len__(self) -> int:
        return len(self._values)

    def take(self, text: bytes, position: int) -> int:
        """Fold the events of a text of canonical lines, the first of them at `position`; how many
        they are. Raises HandlerFailed and UnknownVersion."""
        every = decode_lines_once(text)
        batch = _Batch(every, text, range(position, position + len(every)))
        events = self._prepared(every, batch)
        if self._adapter.watched:
            self._go_by_path()
        if self._by_stream:
            self._fold_by_stream(iter(events), batch)
        else:
            self._fold_by_path(iter(events), batch)
        return len(every)

    @property
    def takes_streams(self) -> bool:
        """Can each stream be folded apart from the others, as far as is known?"""
        return self._by_stream and not self._adapter.watched

    def take_stretch(self, stretch: Stretch, share: Share = EVERYTHING) -> Iterator[None]:
        """Fold those events of a stretch whose streams are of a share, stream by stream; documents
        may be stored and forgotten whenever this yields. Raises Unclustered where that can't be,
        or where anything is wrong with an event: in log order it is found out what."""
        last = ""  # stream of the last event handled
        before = ""  # of the last event
        for run in self._reader.runs(stretch, share):
            every = decode_lines_once(run.text)
            if len(every) != len(run.positions):
                raise Unclustered
            for turn in run.turns:
                if every[turn].stream == (every[turn - 1].stream if turn else before):
                    raise Unclustered
            before = every[-1].stream
            batch = _Batch(every, run.text, run.positions)
            try:
                last = self._fold_run(self._prepared(every, batch), batch, last, share)
            except (KeyboardInterrupt, Unclustered):
                raise
            except BaseException as error:
                raise Unclustered from error
            yield

    def _prepared(self, every: Sequence[OnceEvent], batch: _Batch) -> Sequence[OnceEvent]:
        """Those of the events that are to be folded, as handlers are to get them."""
        events = every
        if self._places or self._adapter.watched:
            batch.place()
        if self._adapter.sees_each:
            events = [event for event in every if self._adapter.takes(event)]
        if self._shields or self._adapter.watched:
            _make_read_only(events)
        return events

    def _fold_run(self, events: Sequence[OnceEvent], batch: _Batch, last: str, share: Share) -> str:
        """Fold events that stand stream by stream, streams ascending. `last`: that of the last
        event before them that was handled; returns that of these."""
        handlers, values, gone = self._versions, self._values, GONE
        value: Any = gone
        current: str | None = None
        for event in events:
            try:
                method, version = handlers[event.type]
            except KeyError:
                continue
            stream = event.stream
            if stream != current:
                if stream < last or not share.holds(stream):
                    raise Unclustered
                current = last = stream
                try:
                    value = values[stream]
                except KeyError:
                    value = self._first_of_stream(event)
                    if not self._by_stream or (self._cleared and len(self._categories) > 1):
                        raise Unclustered from None
            if value is gone:
                path = self._path_of[stream]
                if path is None:
                    continue
                value = values[stream] = self._adapter.initial(path)
            if event.version != version:
                self._bring_up(event, batch)
            result = method(value, event)
            if result is not None:
                value = values[stream] = gone if result is DELETE else result
        return last

    def _fold_by_stream(self, events: Iterator[OnceEvent], batch: _Batch) -> None:
        """Fold events each of whose streams is a document: here a rebuild's time goes."""
        handlers, values, gone = self._versions, self._values, GONE
        event: OnceEvent | None = None
        try:
            for event in events:
                try:
                    method, version = handlers[event.type]
                except KeyError:
                    continue
                stream = event.stream
                try:
                    value = values[stream]
                except KeyError:
                    value = self._first_of_stream(event)
                    if not self._by_stream:
                        events = chain([event], events)
                        break
                if value is gone:
                    path = self._path_of[stream]
                    if path is None:
                        continue
                    value = values[stream] = self._adapter.initial(path)
                if event.version != version:
                    self._bring_up(event, batch)
                result = method(value, event)
                if result is not None:
                    values[stream] = gone if result is DELETE else result
            else:
                return
        except UnknownVersion:
            raise
        except BaseException as error:
            self._fail(error, event, None, batch)
        self._fold_by_path(events, batch)

    def _fold_by_path(self, events: Iterator[OnceEvent], batch: _Batch) -> None:
        """The same where each event is asked for its key, or looked at once more."""
        adapter, handlers, values = self._adapter, self._versions, self._values
        event: OnceEvent | None = None
        path: str | None = None
        try:
            for event in events:
                path = None
                found = handlers.get(event.type)
                if found is None or not self._concerned(event.stream):
                    continue
                method, version = found
                if event.version != version:
                    self._bring_up(event, batch)
                path = adapter.path_by_own_key(event, batch.place)
                if path is None:
                    continue
                if path not in values:
                    values[path] = self._loaded(path)
                value = values[path]
                if value is GONE:
                    value = values[path] = adapter.initial(path)
                result = method(value, event)
                if adapter.watched:
                    adapter.check_untouched(event)
                if result is not None:
                    values[path] = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            self._fail(error, event, path, batch)

    def stored(self) -> dict[str, bytes | None]:
        """The bytes of all documents. Raises Unstorable."""
        try:
            names = iter(self._values)
            found: dict[str, bytes | None] = {}
            while part := list(islice(names, _STORED_AT_ONCE)):
                values = list(map(self._values.__getitem__, part))
                paths = part
                if self._by_stream:
                    paths = cast("list[str]", list(map(self._path_of.get, part)))
                if any(value is GONE for value in values):
                    pairs = [p for p in zip(paths, values, strict=True) if p[0] is not None]
                    found |= {path: None for path, value in pairs if value is GONE}
                    pairs = [p for p in pairs if p[1] is not GONE]
                    paths, values = [path for path, _ in pairs], [value for _, value in pairs]
                found |= zip(paths, self._adapter.stored_all(paths, values), strict=True)
            return found
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise Unstorable from error

    def clear(self) -> None:
        """Forget all documents: they will be loaded again."""
        for each in (self._values, self._path_of, self._streams_met, self._concerns):
            each.clear()
        self._cleared = True

    # ------------------------------------------------------------------ one document
    def _loaded(self, path: str) -> Any:
        document = self._load(path)
        return GONE if document is None else self._adapter.value(document)

    def _first_of_stream(self, event: OnceEvent) -> Any:
        """The document of a stream that is met for the first time; if it is another stream's, too,
        documents are found by path from here on."""
        stream = event.stream
        path = self._path_of[stream] = self._adapter.path_of(event)
        value: Any = GONE
        if path is not None:
            if self._streams_met.setdefault(path, stream) != stream:
                self._go_by_path()
                return GONE
            value = self._loaded(path)
            self._categories.add(stream.partition("-")[:2])
        self._values[stream] = value
        return value

    def _go_by_path(self) -> None:
        if self._by_stream:
            self._by_stream = False
            known = [(self._path_of[stream], value) for stream, value in self._values.items()]
            self._values = {path: value for path, value in known if path is not None}

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
        self, error: BaseException, event: OnceEvent | None, path: str | None, batch: _Batch
    ) -> None:
        batch.place()
        if path is None and event is not None and self._by_stream:
            path = self._path_of.get(event.stream)
        raise_failed(error, self._adapter.name, event=event, path=path)


class _Batch:
    """The events of one text."""

    def __init__(self, events: Sequence[OnceEvent], text: bytes, positions: Sequence[int]) -> None:
        self._events = events
        self._text = text
        self._positions = positions
        self._placed = False

    def place(self) -> None:
        """Tell every event where it stands, by which it finds all else that its line says."""
        if not self._placed:
            lines = Lines(self._text, self._positions)
            deque(map(set_position, self._events, self._positions), maxlen=0)
            deque(map(set_source, self._events, repeat(lines)), maxlen=0)
            self._placed = True


def _make_read_only(events: Sequence[OnceEvent]) -> None:
    """Make the data of all events read-only, at C speed where it can be."""
    every = [event.data for event in events]
    shield = MappingProxyType if set(map(type, every)) <= {dict} else read_only
    deque(map(set_data, events, map(shield, every)), maxlen=0)
