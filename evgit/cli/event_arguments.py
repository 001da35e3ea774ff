"""Events as people write them on a command line: JSON, `key=value` pairs, files, standard input.

It turns words into `NewEvent`s and must not know what happens to them.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from evgit.bridges.named_files import open_to_read
from evgit.errors import EvgitError, InvalidEvent, InvalidJSON, Unavailable, UsageError
from evgit.formats import canonical
from evgit.formats.event import Event, batch_from_events
from evgit.formats.times import parse_instant, to_text
from evgit.repository import Expected, NewEvent

LINE_MEMBERS = frozenset(
    {"blobs", "data", "key", "kind", "meta", "origin", "stream", "time", "type", "version"}
)
DATA_HINT = "quote it for the shell: -d '{\"amount\": 500}', or write pairs: amount=500"
ANY_TIME = "2000-01-01T00:00:00.000000Z"  # an event is checked before it is stamped
FILE_HINT = "@FILE means: read it from FILE; a text that begins with @ is '\"@…\"' in JSON"
MAX_INPUT_BYTES = canonical.MAX_OBJECT_BYTES


def instant(text: str) -> str:
    """A time as people write it, in the one format of events. Raises InvalidTime."""
    return to_text(parse_instant(text))


def read_argument(text: str) -> bytes:
    """The bytes that an argument stands for: `@FILE`, `@-` for standard input, or itself."""
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    name = text[1:]
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with open_to_read(name, hint=FILE_HINT) as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise Unavailable(f"{name} can't be read: {error.strerror or error}") from error
    if len(data) > MAX_INPUT_BYTES:
        raise InvalidEvent(
            f"{name} is larger than {MAX_INPUT_BYTES // 2**20} MiB, the limit of an event",
            hint="store it as a blob (--blob FILE) and keep the facts about it in the data",
        )
    return data


def value(text: str) -> Any:
    """`text` as JSON if it is JSON, else as a string. Raises InvalidJSON for JSON refused here.

    So `amount=500` is a number, `paid=true` a truth value, `name=Ada` a string, and a number too
    large to be kept exactly is an error, not silently a string.
    """
    try:
        return canonical.parse(text)
    except InvalidJSON:
        try:
            json.loads(text, parse_constant=_not_json)
        except (ValueError, RecursionError):
            return text
        raise


def quoted(text: str) -> str:
    """A text as a JSON string that says just this text."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)


def pairs(words: Iterable[str], what: str) -> dict[str, Any]:
    """`key=value` words as a dictionary; `what` names them in errors."""
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UsageError(
                f"{word!r} is not a pair key=value",
                hint=f"write {what} as key=value, for example amount=500 note='two words'",
            )
        if key in found:
            raise UsageError(f"{key!r} is given twice", hint=f"give each key of {what} once")
        try:
            found[key] = value(text)
        except InvalidJSON as error:
            raise InvalidJSON(
                f"{what}, {key!r}: {error.message}",
                hint=error.hint or f"to keep it as text: {shlex.quote(f'{key}={quoted(text)}')}",
            ) from error
    return found


def event_data(json_text: str | None, words: Sequence[str]) -> Any:
    """What `-d` and the `key=value` words say; an empty object if neither is given."""
    if json_text is None:
        return pairs(words, "the data")
    if words:
        raise UsageError(
            "the data is given twice: with -d and as key=value pairs",
            hint="use one of the two",
        )
    data = read_argument(json_text)
    try:
        return canonical.parse(data)
    except InvalidJSON as error:
        source = f" in {json_text[1:]}" if json_text.startswith("@") else ""
        raise InvalidJSON(
            f"the data{source} is not JSON that can be stored: {error.message}",
            hint=error.hint or ("" if _is_json(data) else DATA_HINT),
        ) from error


def _is_json(data: bytes) -> bool:
    """Is it JSON to others, though not to be stored here?"""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def events_from_lines(lines: Iterable[bytes]) -> list[NewEvent]:
    """JSON lines as events; blank lines are skipped. Raises InvalidEvent with the line's number."""
    events: list[NewEvent] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            events.append(_event_from_line(line, number))
    return events


def _event_from_line(line: bytes, number: int) -> NewEvent:
    try:
        members = canonical.parse(line)
    except InvalidJSON as error:
        raise InvalidEvent(
            error.message, line=number, hint=error.hint or "each line is one event as JSON"
        ) from error
    if not isinstance(members, Mapping):
        raise InvalidEvent("an event is a JSON object", line=number)
    missing = [name for name in ("stream", "type") if name not in members]
    if missing:
        raise InvalidEvent(
            f"{' and '.join(missing)} missing",
            line=number,
            hint='a line looks like {"stream":"account-42","type":"deposit_made","data":{…}}',
        )
    unknown = sorted(set(members) - LINE_MEMBERS)
    if unknown or members.get("kind", "event") != "event":
        what = f"unknown member {unknown[0]!r}" if unknown else 'kind is not "event"'
        raise InvalidEvent(
            what, line=number, hint="an event has: " + ", ".join(sorted(LINE_MEMBERS))
        )
    try:
        event = _new_event(members)
        _check(event)
        return event
    except InvalidEvent as error:
        if error.line is not None:
            raise
        raise InvalidEvent(error.message, line=number, hint=error.hint) from error
    except EvgitError as error:
        raise InvalidEvent(error.message, line=number, hint=error.hint) from error


def _new_event(members: Mapping[str, Any]) -> NewEvent:
    for name, kind in (
        ("stream", str),
        ("type", str),
        ("time", str),
        ("key", str),
        ("origin", str),
    ):
        if name in members and not isinstance(members[name], kind):
            raise InvalidEvent(f"{name} is not a string")
    for name in ("meta", "blobs"):
        if not isinstance(members.get(name, {}), Mapping):
            raise InvalidEvent(f"{name} is not an object")
    version = members.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise InvalidEvent("version is not a whole number")
    return NewEvent(
        members["stream"],
        members["type"],
        members.get("data", {}),
        time=instant(members["time"]) if "time" in members else None,
        version=version,
        meta=dict(members.get("meta", {})),
        key=members.get("key"),
        blobs=dict(members.get("blobs", {})),
        origin=members.get("origin"),
    )


def _check(event: NewEvent) -> None:
    """Raises what appending the event would raise, which can't name its line."""
    batch_from_events(
        [
            Event(
                stream=event.stream,
                type=event.type,
                data=event.data,
                time=ANY_TIME,
                version=event.version,
                meta=dict(event.meta),
                key=event.key,
                origin=event.origin,
                blobs=dict(event.blobs),
            )
        ]
    )


def expectations(words: Sequence[str], stream: str | None) -> dict[str, Expected]:
    """`--expect` as stream -> N, "none" or "any". For a single event `STREAM=` may be left out."""
    found: dict[str, Expected] = {}
    for word in words:
        name, equals, text = word.rpartition("=")
        if not equals:
            if stream is None:
                raise UsageError(
                    f"--expect {word}: of which stream?",
                    hint="for a batch write --expect STREAM=N (or none, or any)",
                )
            name = stream
        if name in found:
            raise UsageError(f"--expect is given twice for stream {name!r}", hint="give it once")
        found[name] = _expectation(text)
    return found


def _expectation(text: str) -> Expected:
    if text == "none":
        return "none"
    if text == "any":
        return "any"
    if text.isascii() and text.isdigit():
        return int(text)
    raise UsageError(
        f"--expect {text!r} is not a revision",
        hint="it is the stream's last revision (0, 1, 2, …), `none` for a new stream, or `any`",
    )
