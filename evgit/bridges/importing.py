"""Import: the lines of an input, or the history of a Git repository, become commits.

Each batch of lines is one commit, so an import that was stopped anywhere (interrupt, power, a bad
line) has stored whole batches, and running it again adds what is missing: what is there already is
recognised by its id or key. The same input and batch size make the same batches.

Commits are recorded at the times of their events (`"recorded":"events"`), so that asking for a
point in time works for imported history as for native one, unless `now` is given.

This module must not know terminals: progress is reported through a callback.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from evgit.bridges.event_lines import EventLines, Format
from evgit.bridges.git_history import GitHistory
from evgit.bridges.json_lines import LineReader
from evgit.bridges.line_preparing import LinePreparing, Prepared
from evgit.bridges.twins import Twins
from evgit.errors import EvgitError, UsageError
from evgit.formats.event import Event, EventBatch, batch_from_events
from evgit.formats.times import parse_instant
from evgit.repository import Appended, Repository
from evgit.storage.jobs import jobs_to_use

BATCH_SIZE = 1000
MAX_BATCH_SIZE = 65_536  # events of one commit
_MAX_WARNINGS = 10


@dataclass(slots=True)
class ImportReport:
    """What an import has done so far; whole batches only.

    read: events read. appended: new ones. already: ones that the branch had. twins: identical
    lines that were given a key. commits: made. head: the last of them, "" for none. done and
    total: bytes of the input or commits of the Git history (total None: not known).
    """

    read: int = 0
    appended: int = 0
    already: int = 0
    twins: int = 0
    commits: int = 0
    head: str = ""
    done: int = 0
    total: int | None = None
    warnings: list[str] = field(default_factory=list)


Progress = Callable[[ImportReport], None]


@dataclass(frozen=True, slots=True)
class _Part:
    """A batch on its way. `label`: for its message; `done`, `twins`: of the report, up to it."""

    batch: EventBatch
    label: str
    done: int
    twins: int = 0


@dataclass(frozen=True, slots=True)
class _Target:
    """Where batches go, and how they are recorded."""

    repository: Repository
    branch: str | None
    now: bool
    author: str | None
    name: str
    message: str | None
    progress: Progress | None
    report: ImportReport

    def append(self, parts: list[_Part]) -> int:
        """Append batches, a commit each; the size of the log afterwards."""
        waiting = iter(parts)
        size = 0
        for stored in self.repository.append_together(
            [(part.batch, self._message(part.label)) for part in parts],
            branch=self.branch,
            author=self.author,
            recorded_at_event_times=not self.now,
            operation="import",
            arguments={"source": self.name},
        ):
            for appended in stored:
                self._count(next(waiting), appended)
                size = appended.size
            if self.progress is not None:
                self.progress(self.report)
        return size

    def _message(self, label: str) -> str:
        return f"import {self.name}: {label}" if self.message is None else self.message

    def _count(self, part: _Part, appended: Appended) -> None:
        report = self.report
        report.done = part.done
        report.twins = part.twins
        report.read += len(part.batch)
        report.appended += appended.appended
        report.already += appended.already
        if appended.commit is not None:
            report.commits += 1
            report.head = appended.commit
        for warning in appended.warnings:
            if warning not in report.warnings and len(report.warnings) < _MAX_WARNINGS:
                report.warnings.append(warning)


def import_lines(
    repository: Repository,
    source: str | os.PathLike[str] | BinaryIO,
    *,
    batch_size: int = BATCH_SIZE,
    branch: str | None = None,
    format: Format = "auto",  # noqa: A002
    time: int | str | None = None,
    time_field: str | None = None,
    now: bool = False,
    message: str | None = None,
    author: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Append the events of a file, `-` (standard input) or an open binary file, line by line.

    time: the time (an instant, or its text) of lines that have none; time_field: where such a
    line has it (see EventLines). now: record commits at the present, not at their events' times.
    message: of every commit, in place of `import NAME: lines A-B`. jobs: processes that prepare
    batches while this one stores, 1 for none; by default two, where there are as many cores and
    the input is not small. The result is the same. progress: called whenever batches were stored,
    which is once for some that were ready together; always with the same report.

    Raises InvalidEvent (with the line), InvalidInput, KeyReused, … : batches before are stored,
    and the error's hint says how much that was. An interrupt (KeyboardInterrupt) passes through.
    """
    _check_batch_size(batch_size)
    instant = parse_instant(time) if isinstance(time, str) else time
    reading = EventLines(format, time=instant, time_field=time_field)
    twins = Twins()
    report = ImportReport()
    size = 0

    def store(ready: list[Prepared]) -> None:
        nonlocal size
        parts = []
        for each in ready:
            numbers = each.lines.numbers
            batch = twins.tell_apart(each.batch)
            label = f"lines {numbers[0]}-{numbers[-1]}"
            parts.append(_Part(batch, label, each.done, twins.given))
        size = target.append(parts)

    with (
        LineReader(source) as reader,
        LinePreparing(reading, jobs_to_use(jobs), store, lambda: size) as preparing,
    ):
        report.total = reader.bytes_total
        target = _Target(repository, branch, now, author, reader.name, message, progress, report)
        reader.before_waiting = preparing.drain
        batches = reader.batches(batch_size)
        with _saying_what_is_stored(report):
            while True:
                try:
                    lines = next(batches, None)
                except EvgitError:
                    preparing.drain()  # what comes before the part that can't be read
                    raise
                if lines is None:
                    break
                preparing.take(lines, reader.bytes_read, reader.bytes_total)
            preparing.drain()
        if preparing.lost:
            report.warnings.append(_lost_workers(preparing.lost))
    return report


def _lost_workers(count: int) -> str:
    processes = "a worker process" if count == 1 else f"{count} worker processes"
    return f"{processes} ended unexpectedly; what was left undone was done without"


def import_git_history(
    repository: Repository,
    path: str | os.PathLike[str],
    revision: str = "HEAD",
    *,
    batch_size: int = BATCH_SIZE,
    branch: str | None = None,
    now: bool = False,
    message: str | None = None,
    author: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Append the file changes of a Git repository's history: see GitHistory for the events.

    As `import_lines`; a batch can end in the middle of a Git commit.
    """
    _check_batch_size(batch_size)
    report = ImportReport()
    with GitHistory(path, revision) as history, _saying_what_is_stored(report):
        report.total = history.total
        target = _Target(repository, branch, now, author, history.name, message, progress, report)
        for events, done in _filled(history.events(), batch_size):
            label = f"events {report.read + 1}-{report.read + len(events)}"
            target.append([_Part(batch_from_events(events), label, done)])
    return report


def _filled(commits: Iterator[list[Event]], size: int) -> Iterator[tuple[list[Event], int]]:
    """Batches of at least `size` events where there are as many, and how many Git commits were
    begun by then."""
    waiting: list[Event] = []
    done = 0
    for events in commits:
        done += 1
        waiting += events
        while len(waiting) >= size:
            yield waiting[:size], done
            waiting = waiting[size:]
    if waiting:
        yield waiting, done


@contextmanager
def _saying_what_is_stored(report: ImportReport) -> Iterator[None]:
    """Adds to an error's hint how much of the input is stored, and that it can be run again."""
    try:
        yield
    except EvgitError as error:
        stored = (
            f"{report.read:,} events before it are stored, in whole batches; once mended, run the "
            "same import again: it adds what is missing"
            if report.read
            else "nothing was imported"
        )
        error.hint = f"{error.hint}; {stored}" if error.hint else stored
        raise


def _check_batch_size(size: int) -> None:
    if not 1 <= size <= MAX_BATCH_SIZE:
        raise UsageError(
            f"a batch of {size} events makes no commit",
            hint=f"give 1 to {MAX_BATCH_SIZE}; {BATCH_SIZE} is a good size",
        )
