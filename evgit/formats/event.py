"""Events: their members, their rules, and their canonical bytes, a batch at a time.

What users give is read leniently (times with offsets, members left out) and checked strictly; what
was stored is decoded as it stands. Batches go at C speed as long as nothing raises a doubt; what
does is narrowed down to single lines, which the slow way judges. Both ways give the same result.

This module knows bytes and rules. Whether an event is already there, when it was recorded, and what
it means is known above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple

import msgspec

from evgit.errors import (
    DamagedObject,
    EvgitError,
    InvalidEvent,
    InvalidName,
    InvalidTime,
    UsageError,
)
from evgit.formats import canonical, fast_json
from evgit.formats.again import again_id, again_line, is_again
from evgit.formats.block import ended_lines, split_lines
from evgit.formats.event_batch import EventBatch
from evgit.formats.event_facts import canonical_text, facts_of_lines, facts_of_text
from evgit.formats.event_objects import lines_decoder
from evgit.formats.event_rules import (
    MAX_KEY_BYTES,
    MAX_VERSION,
    Rules,
    check_blobs,
    check_key,
    check_origin,
    checked_members,
)
from evgit.formats.names import check_event_type
from evgit.formats.native import native
from evgit.formats.times import normalize, to_instant

if TYPE_CHECKING:  # a plain `Event` is an Event[Any]; at run time every type variable is
    from typing_extensions import TypeVar

    Payload = TypeVar("Payload", default=Any)
else:
    from typing import TypeVar

    Payload = TypeVar("Payload")

Form = TypeVar("Form")

__all__ = [
    "MAX_KEY_BYTES",
    "MAX_VERSION",
    "Event",
    "EventBatch",
    "again_id",
    "again_line",
    "batch_from_events",
    "batch_from_lines",
    "batch_from_text",
    "batch_of_new",
    "decode_event",
    "decode_events",
    "decoder_into",
    "is_again",
    "unpack_batch",
    "verified_batch",
    "verified_text",
    "verify_event_lines",
]

_STORED = Rules(stored=True, reserved=True)
_Version = Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSION)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=canonical.MAX_SAFE_INTEGER)]


def _first_version() -> int:  # a factory, so that the member is written even where it is 1
    return 1


class Event(
    msgspec.Struct,
    Generic[Payload],
    frozen=True,
    gc=False,  # JSON has no cycles, and the collector is slow with millions of events
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

    # In the order in which they are stored, in which msgspec finds them quickest.
    blobs: dict[str, _Size] = {}
    data: Payload
    key: str | None = None
    meta: dict[str, Payload] = {}
    origin: str | None = None
    stream: str
    time: str
    type: str
    version: _Version = msgspec.field(default_factory=_first_version)

    def canonical(self) -> bytes:
        """The canonical bytes. Raises InvalidEvent where the event breaks a rule."""
        return batch_from_events([self], reserved=True).lines[0]

    @property
    def id(self) -> str:
        """BLAKE3-256 of the canonical bytes, 64 hex digits."""
        return canonical.object_id(self.canonical())


def batch_from_lines(
    lines: Sequence[bytes], first_line_number: int = 1, *, reserved: bool = False
) -> EventBatch:
    """Checks JSON lines that a user gives, one event each.

    A line has stream, type, data and time, and may have the other members of an event; `kind` and
    `version` may be left out, null for an optional member counts as leaving it out, and `time` may
    be any RFC 3339 time. reserved: allow streams that begin with `$`.

    Raises InvalidEvent that names the line (counted from `first_line_number`) and the reason.
    """
    rules = Rules(stored=False, reserved=reserved)
    parts: list[EventBatch] = []
    for index, found in _in_parts(lines, lambda part: _fast(part, rules)):
        if found is None:
            try:
                found = _slow(lines[index], rules)
            except EvgitError as error:
                raise InvalidEvent(
                    error.message, line=first_line_number + index, hint=error.hint
                ) from None
        parts.append(found)
    return EventBatch.joined(parts)


def batch_from_text(text: bytes) -> EventBatch:
    """The same for lines that stand in one text, each with its newline."""
    made = canonical_text(text)
    if made is not None:
        return EventBatch.of_facts(made[1], decode_events, text=made[0])
    ended = ended_lines(text)
    found = _fast(ended, Rules(stored=False, reserved=False), text) if ended else None
    return batch_from_lines([line[:-1] for line in ended]) if found is None else found


def batch_from_events(events: Sequence[Event], *, reserved: bool = False) -> EventBatch:
    """Checks events made in Python, by the rules of `batch_from_lines`.

    The batch holds them as they will be read back: a float 1.0 in data is an int 1 there. Raises
    InvalidEvent that says which event of several it is, counted from 1.
    """
    if len(events) == 1 and (one := _fast_event(events[0], reserved)) is not None:
        return one
    rules = Rules(stored=False, reserved=reserved)
    parts: list[EventBatch] = []
    for index, found in _in_parts(events, lambda part: _fast_events(part, rules)):
        if found is None:
            try:
                found = _slow(canonical.encode(_given_members(events[index])), rules)
            except EvgitError as error:
                prefix = f"event {index + 1}: " if len(events) > 1 else ""
                raise InvalidEvent(prefix + error.message, hint=error.hint) from None
        parts.append(found)
    return EventBatch.joined(parts)


def batch_of_new(
    stream: str,
    event_type: str,
    data: Any,
    meta: Any,
    version: int,
    origin: str,
    instant: int,
) -> EventBatch | None:
    """What `batch_from_events` makes of one event with these members and no others, in one call of
    the native part. None where that must do it: there is none, or it doesn't know."""
    if native is None:
        return None
    line = native.new_event_line(stream, event_type, data, meta, version, origin, instant)
    if line is None:
        return None
    try:
        if stream not in _good_streams:
            _check_new({stream}, _good_streams, _check_any_stream)
        if event_type not in _good_types:
            _check_new({event_type}, _good_types, check_event_type)
    except InvalidName:
        return None
    return EventBatch.of_new(line, stream, instant, decode_events)


def verify_event_lines(lines: Sequence[bytes]) -> list[str | None]:
    """For every stored line, what is wrong with it, or None: it must be exactly canonical."""
    problems: list[str | None] = [None] * len(lines)
    for index, found in _in_parts(lines, verified_batch):
        if found is None:
            try:
                if _slow(lines[index], _STORED).lines != [lines[index]]:
                    problems[index] = "not in canonical form"
            except EvgitError as error:
                problems[index] = error.message
    return problems


def verified_batch(lines: Sequence[bytes]) -> EventBatch | None:
    """The events of stored lines that are all beyond doubt, else None (see verify_event_lines)."""
    if not lines:
        return EventBatch([], [])
    given = list(lines)
    facts = facts_of_lines(given, lambda places: _fast_stored([given[i] for i in places]))
    if facts is None:
        return _fast_stored(given)
    return EventBatch.of_facts(facts, decode_events, lines=given)


def batch_from_stored(lines: list[bytes], wrong: Callable[[bytes, str], None]) -> EventBatch:
    """The events of stored lines, also of sound ones that `verified_batch` has doubts about.

    `wrong` is told of each line that is not exactly canonical, and why, before any is decoded.
    Raises DamagedObject where one can't be.
    """
    batch = verified_batch(lines)
    if batch is not None:
        return batch
    for line, problem in zip(lines, verify_event_lines(lines), strict=True):
        if problem:
            wrong(line, problem)
    return EventBatch([decode_event(line) for line in lines], lines)


def verified_text(text: bytes) -> EventBatch | None:
    """The same for lines that stand one after another in `text`, each with its newline."""
    if not text:
        return EventBatch([], [])

    def judge(places: list[int]) -> EventBatch | None:
        lines = split_lines(text)
        return _fast_stored([lines[place] for place in places])

    facts = facts_of_text(text, judge)
    if facts is not None:
        return EventBatch.of_facts(facts, decode_events, text=text)
    ended = ended_lines(text)
    found = _fast(ended, _STORED, text)
    if found is None or found.text != text:
        return None
    found.know_ended(ended)
    return found


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


def decode_events(text: bytes | memoryview) -> list[Event]:
    """The events of stored lines, one a line and nothing else between them."""
    try:
        return lines_decoder(Event)(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedObject(f"stored bytes are not lines of events: {error}") from None


def decoder_into(form: type[Form]) -> Callable[[bytes | memoryview], list[Form]]:
    """What `decode_events` is, into another type: one object of it for each event.

    `form`: any type that msgspec decodes objects to: a `msgspec.Struct`, a dataclass, a TypedDict,
    `dict`. Members of events that it has no place for are passed over. The function raises
    InvalidEvent for an event that does not fit, UsageError is raised for a type that can't be had.
    """
    try:
        decode = lines_decoder(form)
    except TypeError as error:
        raise UsageError(f"events can't be read as {form!r}: {error}") from None

    def decoded(text: bytes | memoryview) -> list[Form]:
        try:
            return decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            decode_events(text)  # raises where the fault is not the type's
            raise InvalidEvent(
                f"an event can't be read as {form.__qualname__}: {error}",
                hint="give members that not all events have a default",
            ) from None

    return decoded


def unpack_batch(data: bytes) -> EventBatch:
    """The batch that `EventBatch.pack` made these bytes of."""
    return EventBatch.unpack(data, decode_events)


# ---------------------------------------------------------------------------- batches

_NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_LEFT_OUT = b'"kind":"event",,"version":1'
_MEMO_SIZE = 1 << 16
_good_streams: set[str] = set()
_good_types: set[str] = set()
_check_any_stream = Rules(stored=False, reserved=False).check_stream

_encode_lines = fast_json.ENCODER.encode_lines


def _in_parts(
    items: Sequence[Any], attempt: Callable[[Sequence[Any]], EventBatch | None]
) -> Iterable[tuple[int, EventBatch | None]]:
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


def _slow(line: bytes, rules: Rules) -> EventBatch:
    """Raises the error that says what is wrong with one event's line."""
    line = canonical.encode(checked_members(canonical.parse(line), rules))
    return EventBatch([decode_event(line)], [line])


def _given_members(event: Event) -> dict[str, Any]:
    """For the slow way: optional members only where they are given."""
    members = {name: getattr(event, name) for name in event.__struct_fields__}
    for name in ("meta", "key", "origin", "blobs"):
        if members[name] is None or members[name] == {}:
            del members[name]
    return members


@cache
def _strict_decoder() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(Event[fast_json.strict_type()])  # type: ignore[misc]


def _decode(lines: Sequence[bytes], stored: bytes | None = None) -> tuple[list[Event], bool] | None:
    """(events whose sorted encoding is canonical but for astral keys, are all numbers in them
    integers that were written as such), or None in doubt.

    `stored`: the lines as one text, of which that encoding is to be the very same.
    """
    try:
        if stored is not None:
            events = _strict_decoder().decode_lines(stored)  # passes over empty lines
            return (events, True) if len(events) == len(lines) else None
        return list(map(_strict_decoder().decode, lines)), True
    except _NOT_DECODED:  # perhaps only for a float, or for depth
        pass
    try:
        events = list(map(_stored_decoder().decode, lines))
    except _NOT_DECODED:
        return None
    for event in events:
        kind = type(event.data)
        if kind is dict or kind is list:
            if not fast_json.settle_numbers(event.data):
                return None
        elif kind is int or kind is float:
            return None
        if not fast_json.settle_numbers(event.meta):
            return None
    return events, False


def _check_new(names: set[str], good: set[str], check: Callable[[str], None]) -> None:
    """Checks only names that are not in `good`, which remembers the others."""
    unknown = names - good
    if unknown:
        for name in unknown:
            check(name)
        if len(good) > _MEMO_SIZE:
            good.clear()
        good |= unknown


class _Obeying(NamedTuple):
    """Streams and times of events that obey the rules."""

    streams: list[str]
    given_times: list[str]
    times: list[str]


def _obeying(events: list[Event], rules: Rules) -> _Obeying | None:
    """Normalizes the events' times. None: some rule is broken that the decoder does not check."""
    try:
        streams = [event.stream for event in events]
        distinct = set(streams)
        try:
            _check_new(distinct, _good_streams, _check_any_stream)
        except InvalidName:
            for stream in distinct:
                rules.check_stream(stream)
        _check_new({event.type for event in events}, _good_types, check_event_type)
        for key in {event.key for event in events}:
            if key is not None:
                check_key(key)
        for origin in {event.origin for event in events}:
            if origin is not None:
                check_origin(origin)
        for event in events:
            if event.blobs:
                check_blobs(event.blobs)
        given = [event.time for event in events]
        times = normalize(given)
        if times is not given:
            for event, time in zip(events, times, strict=True):
                msgspec.structs.force_setattr(event, "time", time)  # nobody else has seen it yet
    except (InvalidName, InvalidEvent, InvalidTime):
        return None
    return _Obeying(streams, given, times)


def _fast(lines: Sequence[bytes], rules: Rules, given: bytes | None = None) -> EventBatch | None:
    """Events and canonical lines of what a user gave, or None where there is any doubt.

    `given`: the lines as one text, each with a newline, if it is at hand. They may have theirs."""
    decoded = _decode(lines, given if rules.stored else None)
    if decoded is None:
        return None
    events, only_integers = decoded
    obeying = _obeying(events, rules)
    if obeying is None:
        return None
    text = _encode_lines(events)
    if given is None:
        given = b"\n".join(lines) + b"\n"
    if fast_json.has_astral(text):
        return None
    limit = canonical.MAX_OBJECT_BYTES
    if text != given:
        if len(given) > limit and max(map(len, lines)) > limit:
            return None
        if not (
            (only_integers and _grew_by_all_there_is(len(text) - len(given), obeying))
            or _lost_no_string(lines, given, text)
        ):
            return None
    if len(text) > limit and max(map(len, ended_lines(text))) > limit:
        return None
    return EventBatch.of_text(events, text, obeying.streams, obeying.times)


def _grew_by_all_there_is(more: int, obeying: _Obeying) -> bool:
    """Is the canonical text longer by all that can make it so, where numbers are integers?

    `kind` and `version` may have been left out, and times are written in full; all else that may
    differ (white space, escapes, -0, members that are null) makes it shorter. So at that
    length nothing was lost, and no member displaced by a duplicate key.
    """
    most = len(_LEFT_OUT) * len(obeying.times)
    if obeying.times is not obeying.given_times:
        most += sum(map(len, obeying.times)) - sum(map(len, obeying.given_times))
    return more == most


def _lost_no_string(lines: Sequence[bytes], given: bytes, text: bytes) -> bool:
    """Does the canonical text have the quotes of all strings that were given?

    Left out, `kind` and its value and `version` are at most six quotes more in it, so six more in
    every line leave none for a member that a duplicate key displaced.
    """
    quotes = fast_json.count_strings(given)
    more = fast_json.count_strings(text) - quotes
    return more == 6 * len(lines) or _keep_all_strings(lines, quotes)


def _keep_all_strings(lines: Sequence[bytes], quotes: int) -> bool:
    """Does re-encoding the lines, as they stand, give as many `quotes` of strings as they have?"""
    decode = msgspec.json.Decoder().decode
    return fast_json.count_strings(_encode_lines([decode(line) for line in lines])) == quotes


def _fast_events(events: Sequence[Event], rules: Rules) -> EventBatch | None:
    """Checked copies and canonical lines of events made in Python, or None in doubt."""
    try:
        lines = _encode_lines(events).split(b"\n")
        lines.pop()
        found = _fast(lines, rules)
        # msgspec also writes sets, dates and the like: those don't come back equal.
        return found if found is not None and found.events == list(events) else None
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _fast_event(event: Event, reserved: bool) -> EventBatch | None:
    """The same for one event, as most appends have: written once, as what it is read back as is
    written the same if it is equal."""
    try:
        line = fast_json.ENCODER.encode(event)
        found = _strict_decoder().decode(line)
        if found != event:
            return None
        stream, time, origin = found.stream, found.time, found.origin
        if stream not in _good_streams or found.type not in _good_types:
            if _obeying([found], Rules(stored=False, reserved=reserved)) is None:
                return None
        elif found.key is not None or found.blobs:
            return None
        elif origin is not None:
            check_origin(origin)
        to_instant(time)
    except (EvgitError, *_NOT_DECODED, TypeError, ValueError, OverflowError):
        return None
    if len(line) > canonical.MAX_OBJECT_BYTES or fast_json.has_astral(line):
        return None
    return EventBatch([found], [line], [stream], [time])


def _fast_stored(lines: list[bytes]) -> EventBatch | None:
    given = b"\n".join(lines) + b"\n"
    found = _fast(lines, _STORED, given)
    if found is None or found.text != given:
        return None
    return EventBatch(found.events, lines, found.streams, found.times)
