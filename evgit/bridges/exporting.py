"""Export: events of a revision or a range, as lines that import gives the same events again.

This module must not know terminals: progress is reported through a callback.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Literal

from evgit.bridges.cloudevents import repository_source, to_cloudevent
from evgit.bridges.line_writing import LineWriter
from evgit.errors import EvgitError, InvalidInput, NotFound, UsageError
from evgit.formats.block import count_lines
from evgit.formats.canonical import object_id
from evgit.formats.event import decode_event, decode_events
from evgit.history.points import Point
from evgit.repository import Repository

ExportFormat = Literal["evgit", "cloudevents"]

_LINES_AT_ONCE = 1000
_HEADS = "refs/heads/"
_MODEL = b'"$model"'


@dataclass(slots=True)
class ExportReport:
    """events: written so far. left_out: events of the model, whose files are no lines. total: how
    many there are, None where that is not known before."""

    events: int = 0
    left_out: int = 0
    total: int | None = None


def export_events(
    repository: Repository,
    target: str | os.PathLike[str] | BinaryIO,
    revision: str = "HEAD",
    *,
    format: ExportFormat = "evgit",  # noqa: A002
    streams: Sequence[str] = (),
    progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write the events of `revision` (or of `A..B`: those in B's log and not in A's), in log order.

    target: a path (`.gz` and `.zst` compress), `-` or an open binary file. format: "evgit" writes
    each event's canonical bytes, "cloudevents" CloudEvents 1.0 in structured JSON. streams: only
    these; NotFound where one has no events there. The events that record the model are left out
    unless `streams` names theirs: they refer to files, which are no lines, and import does not take
    them. Memory does not grow with the log.
    """
    if format not in ("evgit", "cloudevents"):
        raise UsageError(
            f"unknown format {format!r}", hint="events are exported as evgit or cloudevents"
        )
    report = ExportReport()
    texts, report.total = _selected(repository, revision, frozenset(streams))
    if not streams:
        texts = _without_model(texts, report)
    if format == "cloudevents":
        source = repository_source(repository.id, _branch(repository, revision))
        texts = (_cloudevents(text, source) for text in texts)
    with LineWriter(target) as writer:
        for text in texts:
            writer.write(text)
            report.events += count_lines(text)
            if progress is not None:
                progress(report)
    return report


def _selected(
    repository: Repository, revision: str, streams: frozenset[str]
) -> tuple[Iterator[bytes], int | None]:
    """The events as texts of whole lines, and how many there are if that is known."""
    selection = repository.resolver().select([revision])
    if selection.symmetric or len(selection.include) != 1:
        raise UsageError(
            f"{revision!r} does not say what to export from one log",
            hint="give a revision, or a range A..B: what B has and A has not",
        )
    point = selection.include[0]
    if not selection.exclude:
        total = _count(repository, streams, point, revision)
        if streams:
            return _joined(_lines_of_streams(repository, streams, point)), total
        return repository.log(point).texts(), total
    lines = _lines_of_range(repository, selection.exclude[0], point)
    if streams:
        _count(repository, streams, point, revision)
        lines = (line for line in lines if decode_event(line).stream in streams)
    return _joined(lines), None


def _count(repository: Repository, streams: frozenset[str], point: Point, revision: str) -> int:
    """Events of these streams, or of all if there are none given. Raises NotFound."""
    total = 0
    for name in streams:
        last = repository.stream_revision(name, point)
        if last < 0:
            raise NotFound(
                f"no stream {name!r} at {revision}", hint="evgit streams lists those that there are"
            )
        total += last + 1
    return total if streams else point.size


def _lines_of_streams(
    repository: Repository, streams: Iterable[str], point: Point
) -> Iterator[bytes]:
    log = repository.log(point)
    positions = (
        (entry.position for entry in repository.stream(name, point)) for name in sorted(streams)
    )
    return map(log.line, heapq.merge(*positions))


def _lines_of_range(repository: Repository, start: Point, stop: Point) -> Iterator[bytes]:
    """What the log at `stop` holds and the one at `start` does not."""
    before, after = repository.log(start), repository.log(stop)
    # Equal log roots are equal beginnings: search for where the two logs part.
    shortest = min(before.size, after.size)
    common = bisect_left(
        range(1, shortest + 1), True, key=lambda size: before.root(size) != after.root(size)
    )
    for line in after.lines(common):
        if common == before.size or repository.locate(object_id(line), start) is None:
            yield line


def _without_model(texts: Iterable[bytes], report: ExportReport) -> Iterator[bytes]:
    """The texts without the events that record the model, which are counted."""
    for text in texts:
        if _MODEL in text:  # which may stand in somebody's data too
            lines = text.splitlines()
            kept = [line for line in lines if _MODEL not in line or not _is_of_model(line)]
            report.left_out += len(lines) - len(kept)
            text = b"".join(line + b"\n" for line in kept)
        if text:
            yield text


def _is_of_model(line: bytes) -> bool:
    return decode_event(line).stream == "$model"


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    while some := list(islice(lines, _LINES_AT_ONCE)):
        yield b"\n".join(some) + b"\n"


def _cloudevents(text: bytes, source: str) -> bytes:
    lines = []
    for line, event in zip(text.splitlines(), decode_events(text), strict=True):
        event_id = object_id(line)
        try:
            lines.append(to_cloudevent(event, event_id, source))
        except EvgitError as error:
            raise InvalidInput(
                f"event {event_id} can't be a CloudEvent: {error}",
                hint="export it as an evgit event: --format evgit",
            ) from error
    return b"\n".join(lines) + b"\n"


def _branch(repository: Repository, revision: str) -> str | None:
    """The branch that is named, else the current one."""
    named = revision.rpartition("..")[2]
    if any(ref.name == _HEADS + named for ref in repository.refs(_HEADS)):
        return named
    return repository.head().branch
