"""One line that says what a commit is about."""

from __future__ import annotations

from evgit.cli.commit_text import plural
from evgit.cli.output import shown_in_line
from evgit.errors import BehindBoundary
from evgit.formats.event import Event
from evgit.repository import CommitEntry, Repository


def event_title(event: Event) -> str:
    """`account-42: deposit_made`."""
    return f"{shown_in_line(event.stream)}: {shown_in_line(event.type)}"


def commit_title(repository: Repository, entry: CommitEntry) -> str:
    """The first line of a commit's message; without one, the event or number of events.

    The event of a commit that a shallow repository begins at is mostly not here.
    """
    commit = entry.commit
    message = commit.message.strip()
    if message:
        return shown_in_line(message.split("\n", 1)[0])
    size = commit.log.size
    if commit.events == 1 and size > entry.size_before:
        try:
            return event_title(repository.log(entry.id).event(size - 1))
        except BehindBoundary:
            return "(1 event, not here)"
    return f"({plural(commit.events, 'event')})"
