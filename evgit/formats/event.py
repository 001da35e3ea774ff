"""Events: their members, their rules, and their canonical bytes, a batch at a time.

What users give is read leniently (times with offsets, members left out) and checked strictly; what
was stored is decoded as it stands. Batches go at C speed as long as nothing raises a doubt; what
does is narrowed down to single lines, which the slow way judges. Both ways give the same result.

This module knows bytes and rules. Whether an event is already there, when it was recorded, and what
it means is known above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Generic

import msgspec

from evgit.errors import DamagedObject, EvgitError, InvalidEvent, InvalidName, InvalidTime
from evgit.formats import canonical
from evgit.formats.canonical import JSONValue
from evgit.formats.names import check_event_type, check_stream_name
from evgit.formats.times import instants_valid, parse_instant, to_text

if TYPE_CHECKING:  # a plain `Event` is an Event[Any]; at run time every type variable is
    from typing_extensions import TypeVar

    Payload = TypeVar("Payload", default=Any)
else:
    from typing import TypeVar

    Payload = TypeVar("Payload")

MAX_VERSION = 2**31 - 1
MAX_KEY_BYTES = 1024

_Version = Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSION)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=canonical.MAX_SAFE_INTEGER)]


def _first_version() -> int:  # a factory, so that the member is written even where it is 1
    return 1


class Event(
    msgspec.Struct,
    Generic[Payload],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="event",
):
    """An immutable fact. Nothing is checked here: `batch_from_events` and `canonical` do that.

    time: when it happened, in the one format of `times`. version: schema version of its type, from
    1. meta: who, why and from where. key: idempotency key, unique in its stream. origin: tells
    writing processes apart. blobs: id -> size in bytes of every blob that data refers to.
    """

    stream: str
    type: str
    data: Payload
    time: str
    version: _Version = msgspec.field(default_factory=_first_version)
    meta: dict[str, Payload] = {}
    key: str | None = None
    origin: str | None = None
    blobs: dict[str, _Size] = {}

    def canonical(self) -> bytes:
        """The canonical bytes. Raises InvalidEvent where the event breaks a rule."""
        return batch_from_events([self]).lines[0]

    @property
    def id(self) -> str:
        """BLAKE3-256 of the canonical bytes, 64 hex digits."""
        return canonical.object_id(self.canonical())


class EventBatch:
    """Checked events in order. `lines` are their canonical bytes, parallel to `events`."""

    __slots__ = ("_ids", "events", "lines")

    def __init__(self, events: list[Event], lines: list[bytes]) -> None:
        self.events = events
        self.lines = lines
        self._ids: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.events)

    @property
    def ids(self) -> list[bytes]:
        """32-byte ids, parallel to `events`; computed once, when first asked for."""
        if self._ids is None:
            self._ids = list(map(canonical.digest, self.lines))
        return self._ids

    @property
    def first_time(self) -> str:
        """The earliest time. The batch must not be empty."""
        return min(event.time for event in self.events)

    @property
    def last_time(self) -> str:
        """The latest time. The batch must not be empty."""
        return max(event.time for event in self.events)

    def select(self, indexes: Sequence[int]) -> EventBatch:
        """The batch of only these events, in the order of `indexes`."""
        chosen = EventBatch([self.events[i] for i in indexes], [self.lines[i] for i in indexes])
        if self._ids is not None:
            chosen._ids = [self._ids[i] for i in indexes]
        return chosen


def batch_from_lines(
    lines: Sequence[bytes], first_line_number: int = 1, *, reserved: bool = False
) -> EventBatch:
    """Checks JSON lines that a user gives, one event each.

    A line has stream, type, data and time, and may have the other members of an event; `kind` and
    `version` may be left out, null for an optional member counts as leaving it out, and `time` may
    be any RFC 3339 time. reserved: allow streams that begin with `$`.

    Raises InvalidEvent that names the line (counted from `first_line_number`) and the reason.
    """
    rules = _Rules(stored=False, reserved=reserved)
    events: list[Event] = []
    canonical_lines: list[bytes] = []
    for index, found in _in_parts(lines, lambda part: _fast(part, rules)):
        if found is None:
            try:
                event = _event_of(canonical.parse(lines[index]), rules)
                found = [event], [canonical.encode(_members(event))]
            except EvgitError as error:
                raise InvalidEvent(
                    error.message, line=first_line_number + index, hint=error.hint
                ) from None
        events += found[0]
        canonical_lines += found[1]
    return EventBatch(events, canonical_lines)


def batch_from_events(events: Sequence[Event], *, reserved: bool = False) -> EventBatch:
    """Checks events made in Python, by the rules of `batch_from_lines`.

    Raises InvalidEvent that says which event of several it is, counted from 1.
    """
    rules = _Rules(stored=False, reserved=reserved)
    checked: list[Event] = []
    lines: list[bytes] = []
    for index, found in _in_parts(events, lambda part: _fast_events(part, rules)):
        if found is None:
            try:
                line = canonical.encode(_members(events[index]))
                event = _event_of(canonical.parse(line), rules)
                found = [event], [canonical.encode(_members(event))]
            except EvgitError as error:
                prefix = f"event {index + 1}: " if len(events) > 1 else ""
                raise InvalidEvent(prefix + error.message, hint=error.hint) from None
        checked += found[0]
        lines += found[1]
    return EventBatch(checked, lines)


def verify_event_lines(lines: Sequence[bytes]) -> list[str | None]:
    """For every stored line, what is wrong with it, or None: it must be exactly canonical."""
    rules = _Rules(stored=True, reserved=True)
    problems: list[str | None] = [None] * len(lines)
    for index, found in _in_parts(lines, lambda part: _fast_stored(part, rules)):
        if found is None:
            try:
                event = _event_of(canonical.parse(lines[index]), rules)
                if canonical.encode(_members(event)) != lines[index]:
                    problems[index] = "not in canonical form"
            except EvgitError as error:
                problems[index] = error.message
    return problems


# ---------------------------------------------------------------------------- stored bytes


@cache
def _stored_decoder() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(Event[Any])


def decode_event(line: bytes) -> Event:
    """The event of a stored line, trusted to be canonical. DamagedObject if it is none."""
    try:
        return _stored_decoder().decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedObject(
            f"stored bytes are not an event: {error}", ids=[canonical.object_id(line)]
        ) from None


def decode_events(text: bytes) -> list[Event]:
    """The events of stored lines, one a line and nothing else between them."""
    try:
        return _stored_decoder().decode_lines(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedObject(f"stored bytes are not lines of events: {error}") from None


_AGAIN_START, _AGAIN_END = b'{"id":"', b'","kind":"again"}'
_AGAIN_LENGTH = len(_AGAIN_START) + 64 + len(_AGAIN_END)


def again_line(event_id: str) -> bytes:
    """Stands in a block for an own event of the commit that is stored elsewhere."""
    return _AGAIN_START + event_id.encode("ascii") + _AGAIN_END


def is_again(line: bytes) -> bool:
    """Is it an again line? No event is: an event's canonical bytes begin otherwise."""
    return (
        len(line) == _AGAIN_LENGTH and line.startswith(_AGAIN_START) and line.endswith(_AGAIN_END)
    )


def again_id(line: bytes) -> str:
    """The event id that an again line names. Raises DamagedObject if it is none."""
    event_id = line[len(_AGAIN_START) : len(_AGAIN_START) + 64].decode("ascii", "replace")
    if not is_again(line) or not _ID.fullmatch(event_id):
        raise DamagedObject("stored bytes are not an again line")
    return event_id


# ---------------------------------------------------------------------------- rules

_ID = re.compile(r"[0-9a-f]{64}")
_KEY_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f]")
_ORIGIN = re.compile(r"[!-~]{1,64}")
_REQUIRED = ("stream", "type", "data", "time")
_OPTIONAL = ("version", "meta", "key", "origin", "blobs")


class _Rules(msgspec.Struct, frozen=True):
    """stored: read from a repository, where Unicode forms are as they are."""

    stored: bool
    reserved: bool

    def check_stream(self, name: str) -> None:
        check_stream_name(name, appending=not self.stored, reserved=self.reserved)


def _check_key(key: str) -> None:
    if not 1 <= len(key.encode("utf-8")) <= MAX_KEY_BYTES or _KEY_FORBIDDEN.search(key):
        raise InvalidEvent(
            f"'key' must be 1 to {MAX_KEY_BYTES} bytes of UTF-8 without control characters"
        )


def _check_origin(origin: str) -> None:
    if not _ORIGIN.fullmatch(origin):
        raise InvalidEvent("'origin' must be 1 to 64 printable ASCII characters, no space")


def _check_blobs(blobs: Iterable[str]) -> None:
    for blob_id in blobs:
        if not _ID.fullmatch(blob_id):
            raise InvalidEvent(f"'blobs' names {blob_id[:80]!r}, which is not an id")


def _expect(members: dict[str, JSONValue], name: str, kind: type, what: str) -> Any:
    value = members[name]
    if isinstance(value, float) and kind is int and value.is_integer():
        value = int(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidEvent(f"{name!r} must be {what}")
    return value


def _event_of(value: JSONValue, rules: _Rules) -> Event:
    """The slow way: checks every member and says what is wrong with it."""
    members = _known_members(value)
    stream = _expect(members, "stream", str, "a string")
    rules.check_stream(stream)
    event_type = _expect(members, "type", str, "a string")
    check_event_type(event_type)
    time = to_text(parse_instant(_expect(members, "time", str, "a string")))
    return Event(
        stream=stream,
        type=event_type,
        data=members["data"],
        time=time,
        **_optional_members(members),
    )


def _known_members(value: JSONValue) -> dict[str, JSONValue]:
    """Without those that are null where they may be absent."""
    if not isinstance(value, dict):
        raise InvalidEvent("an event is a JSON object")
    if value.get("kind", "event") != "event":
        raise InvalidEvent(f"'kind' is {value['kind']!r}, not 'event'")
    members = {n: v for n, v in value.items() if v is not None or n not in _OPTIONAL}
    for name in members:
        if name not in _REQUIRED and name not in _OPTIONAL and name != "kind":
            hint = (
                "an event's id is the hash of its bytes; leave it out"
                if name == "id"
                else "what describes the event goes into 'data', who and why into 'meta'"
            )
            raise InvalidEvent(f"{name!r} is not a member of an event", hint=hint)
    missing = [repr(name) for name in _REQUIRED if name not in members]
    if missing:
        raise InvalidEvent(f"{' and '.join(missing)} missing")
    return members


def _optional_members(members: dict[str, JSONValue]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "version" in members:
        found["version"] = _expect(members, "version", int, "an integer")
        if not 1 <= found["version"] <= MAX_VERSION:
            raise InvalidEvent(f"'version' must be 1 to {MAX_VERSION}")
    if "meta" in members:
        found["meta"] = _expect(members, "meta", dict, "an object")
    if "key" in members:
        found["key"] = _expect(members, "key", str, "a string")
        _check_key(found["key"])
    if "origin" in members:
        found["origin"] = _expect(members, "origin", str, "a string")
        _check_origin(found["origin"])
    if "blobs" in members:
        sizes = _expect(members, "blobs", dict, "an object of sizes by id")
        _check_blobs(sizes)
        found["blobs"] = {
            blob_id: _expect(sizes, blob_id, int, "a size in bytes") for blob_id in sizes
        }
        if not all(0 <= size <= canonical.MAX_SAFE_INTEGER for size in found["blobs"].values()):
            raise InvalidEvent("'blobs' must hold sizes in bytes")
    return found


def _members(event: Event) -> dict[str, Any]:
    """The members that the canonical form writes."""
    members = {"kind": "event", **{name: getattr(event, name) for name in _REQUIRED}}
    members["version"] = event.version
    for name in _OPTIONAL:
        value = getattr(event, name)
        if value is not None and value != {}:
            members[name] = value
    return members


# ---------------------------------------------------------------------------- batches

_Found = tuple[list[Event], list[bytes]]

_MEMO_SIZE = 1 << 16
_good_streams: set[str] = set()
_good_types: set[str] = set()


def _in_parts(
    items: Sequence[Any], attempt: Callable[[Sequence[Any]], _Found | None]
) -> Iterable[tuple[int, _Found | None]]:
    """Attempts all items at once, and where that fails, halves of them: (first index, result).

    What still fails alone comes as None.
    """
    waiting = [(0, len(items))] if items else []
    while waiting:
        start, stop = waiting.pop()
        found = attempt(items[start:stop])
        if found is not None or stop - start == 1:
            yield start, found
        else:
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]


@cache
def _strict_decoder() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(Event[canonical.strict_type()])  # type: ignore[misc]


def _all_good(names: set[str], good: set[str], check: Callable[[str], None]) -> bool:
    """Checks only names that are not in `good`, which remembers the others."""
    unknown = names - good
    if unknown:
        for name in unknown:
            check(name)
        if len(good) > _MEMO_SIZE:
            good.clear()
        good |= unknown
    return True


def _obey(events: list[Event], rules: _Rules) -> bool:
    """Do all events obey the rules that the decoder does not check? Normalises their times."""
    try:
        _all_good({event.stream for event in events}, _good_streams, _RULES_ALWAYS.check_stream)
    except InvalidName:
        try:
            for event in events:
                rules.check_stream(event.stream)
        except InvalidName:
            return False
    try:
        _all_good({event.type for event in events}, _good_types, check_event_type)
        for key in {event.key for event in events} - {None}:
            _check_key(key or "")
        for origin in {event.origin for event in events} - {None}:
            _check_origin(origin or "")
        for event in events:
            if event.blobs:
                _check_blobs(event.blobs)
        if not instants_valid([event.time for event in events]):
            for event in events:
                time = to_text(parse_instant(event.time))
                msgspec.structs.force_setattr(event, "time", time)
    except (InvalidName, InvalidEvent, InvalidTime):
        return False
    return True


_RULES_ALWAYS = _Rules(stored=False, reserved=False)


def _keep_all_strings(lines: Sequence[bytes], given: int) -> bool:
    """Does re-encoding the lines, as they stand, keep as many quotes as are `given`?"""
    decode = msgspec.json.Decoder().decode
    return canonical.count_strings(_encode_lines([decode(line) for line in lines])) == given


_encode_lines = canonical.SORTED_ENCODER.encode_lines


def _fast(lines: Sequence[bytes], rules: _Rules) -> _Found | None:
    """Events and canonical lines of what a user gave, or None where there is any doubt."""
    try:
        events = list(map(_strict_decoder().decode, lines))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not _obey(events, rules):
        return None
    text = _encode_lines(events)
    given = b"\n".join(lines) + b"\n"
    if canonical.has_astral(text):
        return None
    if max(len(text), len(given)) > canonical.MAX_OBJECT_BYTES and (
        max(map(len, lines)) > canonical.MAX_OBJECT_BYTES
    ):
        return None
    if text != given:
        # Left out, `kind` and its value and `version` are at most six quotes more in the canonical
        # text, so six more in every line leave none for a member that a duplicate key displaced.
        quotes = canonical.count_strings(given)
        if canonical.count_strings(text) != quotes + 6 * len(lines) and not _keep_all_strings(
            lines, quotes
        ):
            return None
    canonical_lines = text.split(b"\n")
    canonical_lines.pop()
    return events, canonical_lines


def _fast_events(events: Sequence[Event], rules: _Rules) -> _Found | None:
    """Checked copies and canonical lines of events made in Python, or None in doubt."""
    try:
        lines = _encode_lines(events).split(b"\n")
        lines.pop()
        found = _fast(lines, rules)
        # msgspec also writes sets, dates and the like: those don't come back equal.
        return found if found is not None and found[0] == list(events) else None
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _fast_stored(lines: Sequence[bytes], rules: _Rules) -> _Found | None:
    found = _fast(lines, rules)
    return found if found is not None and found[1] == list(lines) else None
