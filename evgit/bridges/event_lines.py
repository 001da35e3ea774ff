"""Lines of an input made into evgit events: format, and the times that lines lack.

The common line, an evgit event with a time, passes through untouched. This module must not know
where lines come from, nor what becomes of the events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec

from evgit.bridges.cloudevents import from_cloudevent
from evgit.bridges.json_lines import LineBatch
from evgit.errors import InvalidEvent, InvalidInput, InvalidTime, UsageError
from evgit.formats import canonical
from evgit.formats.event import EventBatch, batch_from_lines, batch_from_text
from evgit.formats.times import parse_instant, to_instant, to_text

Format = Literal["auto", "evgit", "cloudevents"]

_UNIX_EPOCH = to_instant("1970-01-01T00:00:00.000000Z")
_SECOND = 1_000_000
# Later than the year 5000 in seconds: somebody's milliseconds.
_NO_SECONDS = 10**11
_POSITION = re.compile(r"0|[1-9][0-9]*")
_TIME_HINT = "give --time TIME for all such lines, or --time-field PATH to where each has its time"


class LineOptions(msgspec.Struct, frozen=True):
    """How one input's lines are read: what `EventLines` was made with, the format settled."""

    format: Format
    time: int | None
    time_field: str | None


class _Peek(msgspec.Struct):
    """The members of a line that decide how to read it."""

    time: Any = msgspec.UNSET
    specversion: Any = msgspec.UNSET


_PEEK = msgspec.json.Decoder(_Peek)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class EventLines:
    """Reads batches of one input's lines as events.

    format: "auto" looks at the first line for CloudEvents' `specversion`, and takes all for that.
    time: the instant of lines without a time. time_field: where such a line has it, a JSON pointer
    (`/data/created`) or names with dots (`data.created`); an RFC 3339 text or Unix seconds.
    Raises UsageError for both at once or an unknown format.
    """

    def __init__(
        self,
        format: Format = "auto",  # noqa: A002
        *,
        time: int | None = None,
        time_field: str | None = None,
    ) -> None:
        if format not in ("auto", "evgit", "cloudevents"):
            raise UsageError(
                f"unknown format {format!r}", hint="the formats are auto, evgit and cloudevents"
            )
        if time is not None and time_field is not None:
            raise UsageError("a time for all lines and a time field exclude each other")
        self._format = format
        self._instant = time
        self._time = None if time is None else to_text(time)
        self._path = None if time_field is None else _steps(time_field)
        self._field = time_field

    @property
    def options(self) -> LineOptions:
        """What another process needs to read further lines in the same way."""
        return LineOptions(self._format, self._instant, self._field)

    def events(self, batch: LineBatch) -> EventBatch:
        """The events of a batch. Raises InvalidEvent naming the line that is refused."""
        if self._format == "auto":
            self._format = _format_of(batch.lines[0])
        changed: list[bytes] | None = None
        if self._format == "cloudevents":
            changed = self._each(batch, self._from_cloudevent)
        elif self._time is not None or self._path is not None:
            changed = self._each(batch, self._with_time)
        try:
            # Numbered from 1 here: blank lines may have left gaps.
            return batch_from_text(batch.text) if changed is None else batch_from_lines(changed)
        except InvalidEvent as error:
            raise self._placed(error, batch) from error

    def _each(self, batch: LineBatch, change: Callable[[bytes], bytes]) -> list[bytes]:
        changed: list[bytes] = []
        for number, line in zip(batch.numbers, batch.lines, strict=True):
            try:
                changed.append(change(line))
            except InvalidInput as error:
                raise InvalidEvent(error.message, line=number, hint=error.hint) from error
        return changed

    def _placed(self, error: InvalidEvent, batch: LineBatch) -> InvalidEvent:
        """The same error with the line's number in the input, and advice."""
        if error.line is None:
            return error
        index = error.line - 1
        hint = error.hint
        line = batch.lines[index].strip()
        if batch.numbers[index] == 1 and (line.startswith(b"[") or line == b"{"):
            hint = "give one event a line: jq -c '.[]?' FILE or jq -c . FILE makes lines"
        elif "'time'" in error.message and error.message.endswith("missing"):
            hint = _TIME_HINT
        elif error.message.endswith("'data' missing"):
            hint = 'each line says what its event\'s data is, "data":{} if there is nothing to say'
        return InvalidEvent(
            error.message.removeprefix(f"line {error.line}: "),
            line=batch.numbers[index],
            hint=hint,
        )

    def _with_time(self, line: bytes) -> bytes:
        """The line with a time where it lacks one. It is spliced in, so that all that the line
        says, right or wrong, is still judged as it stands."""
        if not _lacks_time(line):
            return line
        text = line.strip()
        return b'{"time":"%s",%s' % (self._time_of(line).encode(), text[1:])

    def _from_cloudevent(self, line: bytes) -> bytes:
        members = canonical.parse(line)
        if not isinstance(members, dict):
            raise InvalidEvent("a CloudEvent must be a JSON object")
        event = from_cloudevent(members)
        if "time" not in event:
            if self._time is None and self._path is None:
                raise InvalidEvent("the CloudEvent has no 'time'", hint=_TIME_HINT)
            event["time"] = self._time_of(line)
        return canonical.encode(event)

    def _time_of(self, line: bytes) -> str:
        if self._time is not None:
            return self._time
        value: Any = canonical.parse(line)
        for step in self._path or ():
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and _POSITION.fullmatch(step) and int(step) < len(value):
                value = value[int(step)]
            else:
                raise InvalidEvent(
                    f"no time, and nothing at {self._field!r}",
                    hint="a time field is written as data.created or /data/created",
                )
        try:
            return to_text(_instant(value))
        except InvalidTime as error:
            raise InvalidEvent(f"{self._field!r} is no time: {error.message}") from error


def _format_of(line: bytes) -> Format:
    try:
        is_cloudevent = _PEEK.decode(line).specversion is not msgspec.UNSET
    except _UNREADABLE:
        is_cloudevent = False  # what is wrong with it is found when it is read
    return "cloudevents" if is_cloudevent else "evgit"


def _lacks_time(line: bytes) -> bool:
    """Is it a JSON object (not an empty one) without a time?"""
    try:
        return _PEEK.decode(line).time is msgspec.UNSET and line.strip()[1:].lstrip()[:1] == b'"'
    except _UNREADABLE:
        return False


def _steps(field: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901) or of names with dots."""
    if field.startswith("/"):
        return [step.replace("~1", "/").replace("~0", "~") for step in field[1:].split("/")]
    steps = field.split(".")
    if not all(steps):
        raise UsageError(
            f"{field!r} is not a path", hint="write it as data.created or /data/created"
        )
    return steps


def _instant(value: object) -> int:
    """Microseconds since year 1, of a text or of Unix seconds; nothing is rounded."""
    if isinstance(value, str):
        return parse_instant(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTime(f"{value!r} is neither a text nor a number of seconds")
    if abs(value) >= _NO_SECONDS:
        raise InvalidTime(f"{value} is too much for seconds: milliseconds?")
    micros = Decimal(repr(value)) * _SECOND
    if micros != int(micros):
        raise InvalidTime(f"{value} has more than six digits after the point")
    return _UNIX_EPOCH + int(micros)
