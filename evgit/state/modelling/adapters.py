"""A model's keyed projections as this layer folds them, and what both kinds share: dispatch and
upcasting put together once.

They turn declarations into what `evgit.state.projection` asks for, and failures of the model's code
into errors that name the event and the line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count, islice
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import msgspec

from evgit.errors import HandlerFailed, UnknownVersion
from evgit.formats import canonical
from evgit.state.modelling import declarations
from evgit.state.modelling.declarations import DELETE
from evgit.state.modelling.events import (
    Event,
    decode_lines,
    fresh_data,
    set_data,
    set_position,
)
from evgit.state.modelling.failures import (
    at_place,
    event_text,
    place_of_function,
    raise_failed,
)
from evgit.state.modelling.upcasting import Upcasting, upcast_data
from evgit.state.projection import GONE, Groups

MEMO_SIZE = 1 << 17
FEW_STREAMS = 64  # whose events are looked through for those of one document
_UNSEEN: Any = object()
_decode_value = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Handler(NamedTuple):
    """A bound method of a projection, the version of data that it takes (0: whatever comes), and
    what converts the data, or None."""

    method: Callable[[Any, Event], Any]
    version: int
    convert: Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Events that a state is to be without: their ids, and their times, quick to look at."""

    ids: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()


NOTHING_SKIPPED = Skipped()


class Adapter:
    """What both kinds share. `key` is of all that the documents depend on besides the log."""

    def __init__(
        self,
        name: str,
        declared: declarations.AnyProjection,
        handlers: Mapping[str, Handler],
        upcasting: Upcasting,
        *,
        key: bytes,
        strict: frozenset[str] | None = None,
        skipped: Skipped = NOTHING_SKIPPED,
    ) -> None:
        """`strict`: all types that the model knows, where others are errors."""
        self.name = name
        self.prefix = declared.prefix
        self.key = key if not skipped.ids else _key_without(key, skipped.ids)
        self.watched = False
        """Is a handler that changes its event to be reported?"""
        self.handlers: Mapping[str, Handler] = dict(handlers)
        self._upcasting = upcasting
        self._strict = strict
        self._skipped = skipped
        self._particular = declared.unknown == "error"
        self._streams = _listed(declared.streams)
        self._categories = _listed(declared.categories)

    @property
    def types(self) -> frozenset[str]:
        """The types of events that it handles."""
        return frozenset(self.handlers)

    def decode(self, text: bytes, position: int) -> Sequence[Event]:
        """The events of a text of canonical lines, the first of them at `position`."""
        events = decode_lines(text)
        deque(map(set_position, events, count(position)), maxlen=0)
        return events

    def present(self, document: bytes) -> bytes:
        """The document as everybody sees it, from its stored form."""
        return document

    def concerns(self, stream: str) -> bool:
        """Are events of this stream for the projection at all?"""
        if stream[:1] == "$":
            return False
        if self._categories and stream.partition("-")[0] not in self._categories:
            return False
        return not self._streams or any(fnmatchcase(stream, each) for each in self._streams)

    def skips(self, event: Event) -> bool:
        """Is this one of the events to be left out?"""
        return event.time in self._skipped.times and event.id in self._skipped.ids

    def check_known(self, event: Event) -> None:
        """Raise UnknownVersion for a type that no handler takes and that must not be ignored."""
        if event.stream[:1] == "$":
            return
        if self._strict is not None and event.type not in self._strict:
            raise UnknownVersion(
                f"the model does not know the type of {event_text(event)}, and is strict",
                hint="handle it, list it in model.ignore of evgit.toml, or leave it out: "
                f"--skip {event.id[:12]}",
            )
        if self._particular and self.concerns(event.stream):
            raise UnknownVersion(
                f"projection {self.name} does not handle {event_text(event)}, and takes no others",
                hint=f"write a handler for it, or leave it out: --skip {event.id[:12]}",
            )

    def prepare(self, event: Event) -> None:
        """Give an event its data, brought to the newest version."""
        data = fresh_data(event)
        handler = self.handlers.get(event.type)
        if handler is None or event.version != handler.version:
            data = self.upcast(event, data)
        if handler is not None and handler.convert is not None:
            data = handler.convert(data)
        set_data(event, MappingProxyType(data) if type(data) is dict else data)

    def check_untouched(self, event: Event) -> None:
        """Raise HandlerFailed if the handler that just had it changed what is in an event."""
        given = event.data
        self.prepare(event)
        if event.data != given:
            file, line = place_of_function(self.handlers[event.type].method)
            raise HandlerFailed(
                f"{self.name} changes the data of {event_text(event)}{at_place(file, line)}",
                event_id=event.id,
                position=event.position,
                file=file,
                line=line,
                hint="events are facts: change a copy (copy.deepcopy), or the document",
            )

    def upcast(self, event: Event, data: Any) -> Any:
        """Data of an event in the newest version."""
        return upcast_data(self._upcasting, event, data)


class KeyedAdapter(Adapter):
    """A `KeyedProjection` of a model as evgit.state.projection.KeyedProjection."""

    def __init__(self, name: str, declared: declarations.KeyedProjection, *rest: Any, **more: Any):
        super().__init__(name, declared, *rest, **more)
        self.suffix = declared.suffix
        self.declared = declared
        self.own_key = type(declared).key is not declarations.KeyedProjection.key
        self._renders = declared.suffix != ".json"
        self._memo: dict[str, str | None] = {}

    @property
    def sees_each(self) -> bool:
        """Must each event be looked at with `takes`?"""
        return self.sees_all or bool(self._skipped.ids)

    @property
    def sees_all(self) -> bool:
        """Are there types of events that are errors, whosever document is asked for?"""
        return self._strict is not None or self._particular

    # ------------------------------------------------------------------ which document
    def group(self, events: Sequence[Event], groups: Groups) -> None:
        """Append each event to the list of its document."""
        if self.sees_each:
            events = [event for event in events if self.takes(event)]
        handlers, memo = self.handlers, self._memo
        path_of = self._path_by_key if self.own_key else self._path_by_stream
        for event in events:
            if event.type in handlers:
                path = _UNSEEN if self.own_key else memo.get(event.stream, _UNSEEN)
                if path is _UNSEEN:
                    path = path_of(event)
                if path is not None:
                    groups[path].append(event)

    def takes(self, event: Event) -> bool:
        """Is an event not one of those left out? Raises UnknownVersion where it may not be here."""
        if self._skipped.ids and self.skips(event):
            return False
        if event.type not in self.handlers:
            self.check_known(event)
        return True

    def path_of(self, event: Event) -> str | None:
        """The path of the document that an event concerns; None for none."""
        if event.type not in self.handlers:
            return None
        if self.own_key:
            return self._path_by_key(event)
        path = self._memo.get(event.stream, _UNSEEN)
        return self._path_by_stream(event) if path is _UNSEEN else path

    def _path_by_stream(self, event: Event) -> str | None:
        stream = event.stream
        path = None
        if self.concerns(stream):
            path = f"{self.prefix}{self.declared.key(event)}{self.suffix}"
        if len(self._memo) >= MEMO_SIZE:
            self._memo.clear()
        self._memo[stream] = path
        return path

    def _path_by_key(self, event: Event) -> str | None:
        if not self.concerns(event.stream):
            return None
        try:
            self.prepare(event)
        except BaseException as error:
            raise_failed(error, f"{self.name}.key", event=event)
        return self.path_by_own_key(event)

    def path_by_own_key(self, event: Event, place: Callable[[], None] = lambda: None) -> str | None:
        """The path of the document of an event that has its data. `place` completes the event
        where an error has to name it."""
        try:
            key = self.declared.key(event)
        except BaseException as error:
            place()
            raise_failed(error, f"{self.name}.key", event=event)
        if key is None:
            return None
        if type(key) is not str or not key:
            place()
            self._fail_key(event, key)
        return f"{self.prefix}{key}{self.suffix}"

    def _fail_key(self, event: Event, key: object) -> NoReturn:
        file, line = place_of_function(self.declared.key)
        raise HandlerFailed(
            f"{self.name}.key returned {key!r} on {event_text(event)}{at_place(file, line)}: a key "
            "is a text or None",
            event_id=event.id,
            position=event.position,
            file=file,
            line=line,
        )

    def key_of(self, path: str) -> str:
        """The key of a document's path."""
        return path[len(self.prefix) : len(path) - len(self.suffix)]

    def initial(self, path: str) -> Any:
        """A document before its first event."""
        return self.declared.initial(self.key_of(path))

    def streams_of(self, path: str, names: Callable[[str], Iterable[str]]) -> Sequence[str] | None:
        """The streams that events of a document can be of; None where too many could be."""
        if not path.startswith(self.prefix) or not path.endswith(self.suffix):
            return []
        categories = self._categories or {each.partition("-")[0] for each in self._streams}
        plain = bool(categories) and not any(mark in name for name in categories for mark in "*?[")
        if self.own_key:
            if not plain:
                return None
            every = (name for category in categories for name in names(category))
            found = list(islice(filter(self.concerns, every), FEW_STREAMS + 1))
            return found if len(found) <= FEW_STREAMS else None
        key = self.key_of(path)
        chosen = [key, *(f"{each}-{key}" for each in categories)] if plain else names("")
        return sorted(
            {name for name in chosen if _key_of_stream(name) == key and self.concerns(name)}
        )

    # ------------------------------------------------------------------ its value
    def fold_document(
        self, path: str, document: bytes | None, events: Sequence[Event]
    ) -> bytes | None:
        """The stored form of a document after events; None for no document."""
        value = GONE if document is None else self.value(document)
        value = self._folded(path, value, events)
        if value is GONE:
            return None
        try:
            return self.stored(path, value)
        except BaseException as error:
            self._explain(path, document, events, error)

    def _folded(self, path: str, value: Any, events: Sequence[Event]) -> Any:
        handlers, proxy = self.handlers, MappingProxyType
        event: Event | None = None
        try:
            for event in events:
                method, version, convert = handlers[event.type]
                data = fresh_data(event)
                if event.version != version:
                    data = self.upcast(event, data)
                if convert is not None:
                    data = convert(data)
                set_data(event, proxy(data) if type(data) is dict else data)
                if value is GONE:
                    value = self.initial(path)
                result = method(value, event)
                if self.watched:
                    self.check_untouched(event)
                if result is not None:
                    value = GONE if result is DELETE else result
        except UnknownVersion:
            raise
        except BaseException as error:
            raise_failed(error, self.name, event=event, path=path)
        return value

    def value(self, document: bytes) -> Any:
        """A document as handlers get it, from its stored form."""
        return _decode_value(_decode_text(document)["document"] if self._renders else document)

    def stored(self, path: str, value: Any) -> bytes:
        """The stored form of a document. Raises whatever a value that is no document makes."""
        line = canonical.encode(value)
        if not self._renders:
            return line
        text = self.declared.render(self.key_of(path), _decode_value(line))
        if type(text) is not str:
            raise TypeError(f"render returned {type(text).__name__}, not a text")
        return b'{"document":%b,"text":%b}' % (line, canonical.encode(text))

    def stored_all(self, paths: Sequence[str], values: list[Any]) -> Iterable[bytes]:
        """The stored forms of many documents."""
        return map(self.stored, paths, values) if self._renders else canonical.encode_all(values)

    def present(self, document: bytes) -> bytes:
        """The document as everybody sees it, from its stored form."""
        return bytes(_decode_text(document)["text"]) if self._renders else document

    def _explain(
        self, path: str, document: bytes | None, events: Sequence[Event], error: BaseException
    ) -> NoReturn:
        """Find the event after which the document can't be stored, and say so."""
        value = GONE if document is None else self.value(document)
        for event in events:
            value = self._folded(path, value, [event])
            if value is not GONE:
                try:
                    self.stored(path, value)
                except BaseException as found:
                    raise_failed(
                        found,
                        f"storing the document of {self.name}",
                        event=event,
                        path=path,
                        code=self.handlers[event.type].method,
                    )
        raise_failed(error, f"storing the document of {self.name}", path=path)


def _key_of_stream(stream: str) -> str:
    """The key that a stream has by default."""
    category, dash, rest = stream.partition("-")
    return rest if dash else category


def _key_without(key: bytes, ids: frozenset[str]) -> bytes:
    return canonical.digest(key + b"without" + "".join(sorted(ids)).encode())


def _listed(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
