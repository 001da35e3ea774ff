"""What demos are made of, and what `evgit demo` shows: the main job, on a Git history.

A list of command lines and why each is run; who runs and prints them is the command line's
business. Later ones depend on what the earlier made (a time, a file that changed often), so they
are made one by one. Every one of them succeeds, on a history of a single commit too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evgit.bridges.git_history import GitHistory
from evgit.bridges.importing import BATCH_SIZE
from evgit.errors import EvgitError, NotFound
from evgit.history.points import Point
from evgit.history.reading import StreamEvent, StreamSummary
from evgit.repository import Repository

_FILES = "file-"
_FEW = 5
# Checking out a document for every stream of a big history would take longer than the rest.
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One command line (without `evgit`) to be run in the demo's directory, and what it shows.

    given: what it gets on standard input, lines of text. code: the exit code that it must have.
    """

    words: Sequence[str]
    about: str
    given: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class FilesStep:
    """Files to be written below the demo's directory, and those to be shown: paths -> contents."""

    files: Mapping[str, bytes]
    shown: Sequence[str]
    about: str


Step: TypeAlias = DemoStep | FilesStep


def find_demo_history(places: Sequence[str | os.PathLike[str]]) -> Path:
    """The first place that lies in a Git repository with commits. Raises NotFound."""
    for place in places:
        try:
            with GitHistory(place) as history:
                return history.directory
        except EvgitError:
            continue
    raise NotFound(
        "no Git repository with commits here, whose history could be shown",
        hint="give one: evgit demo DIR, DIR being any clone",
    )


def demo_steps(
    directory: str | os.PathLike[str], git: str | os.PathLike[str]
) -> Iterator[DemoStep]:
    """The steps of a demo in `directory`, which is empty. Run each before asking for the next.

    git: the Git repository whose file changes become events.
    """
    directory, git = Path(directory).absolute(), Path(git).absolute()
    yield DemoStep(["init"], "Make a repository.")
    with GitHistory(git) as history:
        size = min(max(history.total // 10, 10), BATCH_SIZE)  # small enough for a log to look at
    yield DemoStep(
        ["import", "--git", str(git), "--batch-size", str(size)],
        "Import the file changes of a Git history as events.",
    )
    with Repository.open(directory) as repository:
        log = repository.log("main")
        stream = _busiest(repository)
        before, position = _earlier(repository, stream)
        few_before = f"main#{log.size - _FEW - 1}" if log.size > _FEW else "main~1"
        streams_are_few = sum(1 for _ in repository.streams("main")) <= _MOST_FILES
    document = f"streams/{stream.name}.json"
    count = str(_FEW)
    yield DemoStep(["log", "--oneline", "-n", count], "What was committed, newest first.")
    yield DemoStep(
        ["log", "--events", "--stream", stream.name, "-n", count], "The last events of one file."
    )
    yield DemoStep(["show", f"main:{document}"], "Its state: what its events add up to.")
    yield DemoStep(
        ["show", f"{before}:{document}"], f"The same, {position}: any past point can be asked for."
    )
    yield DemoStep(["diff", before, "main", "--", document], "What changed between, by field.")
    yield DemoStep(["diff", "--stat", few_before, "main"], "All that the last few events changed.")
    if streams_are_few:
        yield DemoStep(["checkout", before], "The whole past state as files.")
        yield DemoStep(["checkout", "main"], "And back: only files that differ are written.")
        yield DemoStep(["status"], "Files and history agree.")
    yield DemoStep(["fsck"], "Every hash, the order of events and the log root are right.")


def _busiest(repository: Repository) -> StreamSummary:
    """The file that changed most often; without files, some stream."""
    streams = list(repository.streams("main", _FILES)) or list(repository.streams("main"))
    return max(streams, key=lambda stream: (stream.revision, stream.name))


def _earlier(repository: Repository, stream: StreamSummary) -> tuple[str, str]:
    """A revision expression for a point half-way through a stream, and that in words.

    A time, where it leads to a point at which there is such a stream. Times in a Git history can
    be out of order, or in the future; the event's position always leads there.
    """
    middle = next(_revision(repository, stream, stream.revision // 2))
    expression = f"main@{{{middle.event.time[:19]}Z}}"
    try:
        point: Point | None = repository.resolve(expression)
    except EvgitError:
        point = None
    if point is not None and repository.stream_revision(stream.name, point) >= 0:
        return expression, f"as recorded by {middle.event.time[:10]}"
    return f"main#{middle.position}", f"at position {middle.position} of the log"


def _revision(
    repository: Repository, stream: StreamSummary, revision: int
) -> Iterator[StreamEvent]:
    return repository.stream(stream.name, "main", start=revision, stop=revision + 1)
