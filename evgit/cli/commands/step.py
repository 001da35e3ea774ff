"""Walk through history event by event, and see what each changed.

    evgit step back                        to before the last event
    evgit step back 10
    evgit step forward
    evgit step to 500                      to right after the event at position 500
    evgit step to start                    to before the first event
    evgit step to end                      back to where it began: the branch
    evgit step back --stream account-42    to right after that stream's event before this one
    evgit step forward -- streams/account-42.json
    evgit step                             where you are, and what the last event changed

The files follow, as with checkout, and HEAD is at the point. `evgit step to end` leads back to the
branch, and so does stepping forward as far as it goes. With --stream only events of that stream
count as steps, with a path only those that changed that document or something in that directory.

With --json, one document: where you are, and what the last event changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from evgit.cli.attribution_text import attribution_document, message_line
from evgit.cli.change_text import change_document, write_changes
from evgit.cli.command import documented
from evgit.cli.event_text import compact, event_line
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import Stream, json_option
from evgit.cli.point_moves import go_to, head_target, point_of_target
from evgit.cli.provenance_words import documents_or_directories
from evgit.errors import EvgitError, NotFound, UsageError
from evgit.repository import DocumentChange, Point, Repository

SESSION = "step"
WORDS = ("forward", "back", "to")


@documented(__doc__, "step", paths=True)
@click.argument("words", nargs=-1, metavar="[forward|back [N] | to POSITION|start|end]")
@click.option("--stream", type=Stream(), help="Only events of this stream count.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that were edited by hand.")
@state_options
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    paths: tuple[str, ...],
    stream: str | None,
    force: bool,
    as_json: bool,
) -> None:
    verb, number = _parsed(words)
    if len(paths) > 1 or (paths and stream is not None):
        raise UsageError(
            "steps follow one stream or one document", hint="evgit step back --stream NAME"
        )
    with open_to_change() as repository:
        under = documents_or_directories(repository, paths)[0] if paths else ""
        walk = _Walk(repository)
        here = walk.here.size
        if verb == "to":
            size = walk.end.size if number is None else number
            if size > walk.end.size:
                raise NotFound(
                    f"there is no position {size - 1}: the last one is {walk.end.size - 1}",
                    hint="evgit step to end",
                )
        elif number is None:
            size = here
        else:
            size = _stepped(walk, verb, number, stream, under)
        if verb == "to" or number is not None:
            _go(invocation, repository, walk, size, force=force)
        _show(invocation, repository, walk, size, under, as_json=as_json)


def _parsed(words: tuple[str, ...]) -> tuple[str, int | None]:
    """(verb, number): steps to go, or for `to` the size of the log there, None for its end."""
    if not words:
        return "forward", None
    verb, rest = (words[0], words[1:]) if words[0] in WORDS else ("forward", words)
    if len(rest) <= 1:
        word = rest[0] if rest else "1"
        if verb == "to" and rest and word in ("start", "end"):
            return verb, 0 if word == "start" else None
        if word.isdecimal() and (rest or verb != "to"):
            return verb, int(word) + (verb == "to")
    raise UsageError(
        f"can't read {' '.join(words)!r} as steps",
        hint="evgit step forward, evgit step back 10, evgit step to 500, evgit step to end",
    )


class _Walk:
    """Where a walk is, and the log that it goes along.

    That is the log of the branch, or whatever HEAD was at, where it began; HEAD's own if HEAD was
    moved elsewhere in the meantime.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        head = repository.head()
        self.here = head.point
        self.origin = head_target(head, repository)
        if head.branch is None:
            known = repository.provenance.sessions.load(SESSION)
            if isinstance(known, str) and self._leads_here(known):
                self.origin = known
            else:
                # A point inside a commit is on the way to that commit's end.
                self.origin = head.point.commit
        self.end = point_of_target(repository, self.origin)

    def _leads_here(self, target: str) -> bool:
        """Is HEAD's point in the log of a target?"""
        try:
            end = point_of_target(self.repository, target)
        except EvgitError:  # the branch is gone
            return False
        return self.repository.provenance.leads_through(end, self.here)

    def point(self, size: int) -> Point:
        """The point after so many events, named by the commit that it lies in."""
        if size == self.end.size:
            return self.end
        if size == 0:
            return Point(self.repository.id, 0)
        return Point(self.repository.commit_adding(size - 1, self.end), size)


def _stepped(walk: _Walk, verb: str, count: int, stream: str | None, under: str) -> int:
    """The size of the log after so many steps. Raises NotFound where there is no step to take."""
    here, end = walk.here.size, walk.end.size
    if count == 0:
        return here
    if verb == "back" and here == 0:
        raise NotFound("this is the beginning: nothing has happened yet", hint="evgit step forward")
    if verb == "forward" and here == end:
        raise NotFound("this is the end of the log", hint="evgit step back")
    if stream is None and not under:
        return max(here - count, 0) if verb == "back" else min(here + count, end)
    what = f"of stream {stream!r}" if stream is not None else f"that changed {under!r}"
    if verb == "back":
        # The event that HEAD is right after is where we are, not a step.
        before = list(islice(_backwards(walk, here - 1, 0, stream, under), count))
        if not before:
            raise NotFound(
                f"there is no event {what} before this point", hint="evgit step to start"
            )
        return before[-1] + 1
    ahead = list(_backwards(walk, end, here, stream, under))
    if not ahead:
        raise NotFound(f"there is no event {what} after this point", hint="evgit step to end")
    return ahead[-min(count, len(ahead))] + 1


def _backwards(walk: _Walk, stop: int, start: int, stream: str | None, under: str) -> Iterator[int]:
    """Positions in [start, stop) of the events that count, the last first."""
    provenance = walk.repository.provenance
    point = walk.point(stop)
    if stream is not None:
        for position in reversed(provenance.stream_positions(point, stream)):
            if position >= start:
                yield position
        return
    for position, _ in provenance.changes(point, start, under):
        yield position


def _go(
    invocation: Invocation, repository: Repository, walk: _Walk, size: int, *, force: bool
) -> None:
    sessions = repository.provenance.sessions
    if size == walk.end.size:
        target = walk.origin
    else:
        point = walk.point(size)
        whole = repository.commit(point.commit).commit.log.size == size
        target = point.commit if whole else f"{point.commit}#{size}"
        sessions.save(SESSION, walk.origin)
    go_to(invocation, repository, target, command="step", force=force)
    if size == walk.end.size:
        sessions.clear(SESSION)


# ---------------------------------------------------------------------- showing
def _show(
    invocation: Invocation,
    repository: Repository,
    walk: _Walk,
    size: int,
    under: str,
    *,
    as_json: bool,
) -> None:
    point = walk.point(size)
    document: dict[str, Any] = {"events": size, "of": walk.end.size}
    with invocation.output() as output:
        if size == 0:
            if as_json:
                output.json(document)
            else:
                output.line(f"The beginning: none of {walk.end.size:,} events has happened")
            return
        position = size - 1
        by = repository.provenance.attribution(point, position)
        changes = [
            change
            for change in repository.provenance.changes_at(point, position)
            if not under or f"{change.path}/".startswith(under.rstrip("/") + "/")
        ]
        if as_json:
            document["event"] = attribution_document(by) | {"data": by.event.data}
            document["changes"] = [change_document(change) for change in changes]
            output.json(document)
            return
        revision = repository.stream_revision(by.event.stream, point)
        output.line(event_line(output, by.event, position=position, revision=revision))
        said = message_line(by)
        output.line(f"        {shown_in_line(by.actor)}{': ' + said if said else ''}")
        _write_data(output, by.event.data, changes)
        if size == walk.end.size and walk.origin.startswith("ref: "):
            name = walk.origin.removeprefix("ref: refs/heads/")
            output.line(f"This is the end of branch {name}")


def _write_data(output: Output, data: Any, changes: list[DocumentChange]) -> None:
    output.line(f"        {compact(data)}")
    for line in write_changes(output, changes):
        output.line(line)
