"""What if an event had not happened, or another one had: a branch whose history is told anew.

The new branch forks off before the first change, and all that followed is re-appended, commit by
commit, in the order of the log, with the times at which it was recorded: so both branches can be
asked about the same past time. What then speaks against a commit is reported and stops nothing. The
real branch is not touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from evgit.errors import EvgitError, ModelError, NotFound, UsageError
from evgit.formats.canonical import digest
from evgit.formats.event import EventBatch
from evgit.history.ancestry import compare, parents_first
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, clipped, joined, total
from evgit.history.rewriting import CommitWriter, NewCommit, ReadSource, Source, read_sources
from evgit.merging.differences import lines_of_events, own_lines
from evgit.merging.ground import Ground
from evgit.merging.problems import Problem, of_violation
from evgit.merging.reappend import REAPPENDED, Judge, Revisions
from evgit.storage.operations import RefChange

COMMAND = "what-if"
INSERTED = "What if"
HEADS = "refs/heads/"
NAMED_EVENTS = 20  # that the op log keeps


@dataclass(slots=True)
class Tried:
    """What came of it. Ids of commits: `base`, behind which `commits` were told anew up to `head`;
    `torn`, of which only a part is left or which were cut in two. Ids of events: `left_out`,
    `inserted`, and `held_back`, which the history leaves out anyway. `problems`: what fails that
    did not fail before: the first time for each guard's stream and each rule."""

    branch: str
    base: str
    head: str
    commits: int
    left_out: list[str]
    inserted: list[str]
    torn: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)


class _Piece(NamedTuple):
    """What becomes a commit: events of `owner` as they stood on `ranges`, or those inserted.

    `time`: when it is recorded. `first`: does it begin with the owner's first event that is left?
    """

    owner: CommitRow | None
    ranges: list[LineRange]
    time: int
    first: bool = True
    as_events: bool = False


class _Stretch(NamedTuple):
    """Events of a log, one after another, that one commit brought. `through`: the commit of the
    first-parent chain in which they came."""

    owner: CommitRow
    through: CommitRow
    position: int
    ranges: list[LineRange]


def what_if(
    ground: Ground,
    tip: str,
    *,
    without: Sequence[str] = (),
    insert: EventBatch | None = None,
    at: int | None = None,
    branch: str | None = None,
) -> Tried:
    """Tell the history of commit `tip` without events (ids), or with others inserted before the
    event at position `at` (or at the end), on a new branch.

    Raises NotFound for an event that is not in the log, UsageError for an impossible position or
    no change at all, AlreadyExists for a branch that there is, Conflict where another process
    was faster.
    """
    history = ground.history
    row = ground.row(tip)
    out = _lines_left_out(history, row, without)
    if insert is not None and at is None:
        at = row.size
    if at is not None and not 0 <= at <= row.size:
        raise UsageError(
            f"there is no place {at} to insert events at: the log has {row.size} events",
            hint="give a position from 0, the events go before it; the size is the end",
        )
    new = insert if insert is not None and len(insert) else None
    _refuse_known(history, row, new)
    changed = [*out.values(), *([at] if new is not None and at is not None else [])]
    if not changed:
        raise UsageError(
            "nothing is left out and nothing inserted", hint="--without EVENT, or --insert FILE"
        )
    start = min(changed)
    base = row if start == row.size else _before(history, row, start)
    name = branch or _free_name(ground)
    ground.branches.check_new(name, base.hex)
    pieces, torn = _pieces(history, row, start, set(out), at if new is not None else None)
    told = _told(history, pieces)
    try:
        with ground.transaction():
            ground.branches.check_new(name, base.hex)
            written = _write(ground, base, pieces, told, new)
            head = written[-1][0] if written else base
            arguments = {"of": tip, "without": list(without)[:NAMED_EVENTS]}
            if new is not None:
                arguments["inserted"] = [each.hex() for each in new.ids[:NAMED_EVENTS]]
            ground.move([RefChange(HEADS + name, None, head.hex)], COMMAND, arguments)
    except BaseException:
        history.forget()
        raise
    found = Tried(
        name,
        base.hex,
        head.hex,
        len(written),
        list(without),
        [] if new is None else [each.hex() for each in new.ids],
        torn,
    )
    found.held_back = [
        digest(history.blocks.line(line)).hex() for line in history.indexer.held_back_lines(head)
    ]
    owners = {piece.owner.number: piece.owner for piece in pieces if piece.owner is not None}
    found.problems = _problems(ground, row, base, written, list(owners.values()))
    return found


# -------------------------------------------------------------------- what changes
def _lines_left_out(history: History, row: CommitRow, without: Sequence[str]) -> dict[int, int]:
    """{line: position} of the events to be left out."""
    found = {}
    for event_id, line in zip(without, lines_of_events(history, without), strict=True):
        position = history.graph.position_of(row, line)
        if position is None:
            raise NotFound(
                f"event {event_id[:12]} is not in this log, so it can't be left out of it",
                hint="`evgit log --events` lists the events that are",
            )
        found[line] = position
    return found


def _refuse_known(history: History, row: CommitRow, new: EventBatch | None) -> None:
    if new is None:
        return
    if len(set(new.ids)) != len(new.ids):
        raise UsageError("an event is to be inserted twice", hint="leave one of them out")
    for event_id in history.events.find(new.ids):
        raise UsageError(
            f"event {event_id.hex()[:12]} is stored already, and can't be inserted",
            hint="give it another time, or cherry-pick the commit that has it",
        )


def _before(history: History, row: CommitRow, position: int) -> CommitRow:
    """The commit of the first-parent chain before the one that brought a position."""
    holder = history.graph.holding(row, position)
    assert holder.parent is not None
    return history.graph.by_number(holder.parent)


def _free_name(ground: Ground) -> str:
    number = 1
    while ground.refs.get(f"{HEADS}{COMMAND}-{number}") is not None:
        number += 1
    return f"{COMMAND}-{number}"


# -------------------------------------------------------------------- the log, in pieces
def _stretches(history: History, row: CommitRow, start: int) -> Iterator[_Stretch]:
    """The log from the commit that brought position `start` on."""
    for through in history.graph.chain_from(row, start):
        ranges = through.ranges
        position = through.size - through.added
        if not through.further_parents:
            if ranges:
                yield _Stretch(through, through, position, ranges)
            continue
        merged = through.added - through.events
        owner_of = _owners(history, through)
        lines = [
            n for first, count in clipped(ranges, 0, merged) for n in range(first, first + count)
        ]
        for number, group in groupby(lines, key=lambda line: owner_of[line].number):
            own = list(group)
            owner = owner_of[own[0]]
            assert owner.number == number
            yield _Stretch(owner, through, position, joined((n, 1) for n in own))
            position += len(own)
        if through.events:
            yield _Stretch(through, through, position, list(clipped(ranges, merged, through.added)))


def _owners(history: History, merge: CommitRow) -> dict[int, CommitRow]:
    """Which commit each event comes from that a merge brings."""
    ours, *theirs = (history.graph.by_number(parent) for parent in merge.parents)
    rows = parents_first(compare(history.graph, [ours], theirs).only_theirs, theirs)
    found: dict[int, CommitRow] = {}
    for row, ranges in zip(rows, own_lines(history, rows), strict=True):
        for first, count in ranges:
            for line in range(first, first + count):
                found.setdefault(line, row)
    return found


def _pieces(
    history: History, row: CommitRow, start: int, out: Collection[int], at: int | None
) -> tuple[list[_Piece], list[str]]:
    """(what becomes commits, ids of commits that are torn)."""
    pieces: list[_Piece] = []
    torn: list[str] = []
    size = 0
    for each in _stretches(history, row, start) if start < row.size else ():
        size = total(each.ranges)
        inside = None if at is None else at - each.position
        cut = inside is not None and 0 < inside < size
        if inside == 0:
            pieces.append(_Piece(None, [], each.through.time))
        parts = [each.ranges]
        if cut and inside is not None:
            parts = [list(clipped(each.ranges, *part)) for part in ((0, inside), (inside, size))]
        kept = 0
        for number, part in enumerate(parts):
            if number:
                pieces.append(_Piece(None, [], each.through.time))
            left = _without(part, out)
            as_events = each.owner is each.through
            if left:
                pieces.append(_Piece(each.owner, left, each.through.time, not kept, as_events))
                kept += total(left)
        if cut or 0 < kept < size:
            torn.append(each.owner.hex)
    if at == row.size:
        pieces.append(_Piece(None, [], row.time))
    return pieces, list(dict.fromkeys(torn))


def _without(ranges: Sequence[LineRange], out: Collection[int]) -> list[LineRange]:
    if not any(first <= line < first + count for line in out for first, count in ranges):
        return list(ranges)
    lines = (n for first, count in ranges for n in range(first, first + count))
    return joined((n, 1) for n in lines if n not in out)


def _told(history: History, pieces: Sequence[_Piece]) -> Iterator[ReadSource]:
    sources = [Source(each.owner, each.ranges) for each in pieces if each.owner is not None]
    return iter([each._replace(lines=[]) for each in read_sources(history, sources)])


def _write(
    ground: Ground,
    base: CommitRow,
    pieces: Sequence[_Piece],
    told: Iterator[ReadSource],
    new: EventBatch | None,
) -> list[tuple[CommitRow, CommitRow | None]]:
    """Write the pieces behind `base`: (commit, the one that it was told anew of)."""
    revisions = Revisions(ground.history, base)
    writer = CommitWriter(ground.history, base)
    written: list[tuple[CommitRow, CommitRow | None]] = []
    for piece in pieces:
        if piece.owner is None:
            assert new is not None
            streams = [event.stream for event in new.events]
            commit = NewCommit(
                author=ground.actor.name,
                message=INSERTED,
                time=piece.time,
                ids=new.ids,
                streams=streams,
                batch=new,
            )
        else:
            source = next(told)
            streams = source.streams
            commit = NewCommit(
                author=source.commit.author,
                message=source.commit.message,
                time=piece.time,
                ids=source.ids,
                streams=streams,
                ranges=source.ranges,
                guards=revisions.of(source.commit.guards) if piece.first else {},
                meta={**source.commit.meta, REAPPENDED: source.row.hex},
                recorded=source.commit.recorded if piece.as_events else None,
            )
        revisions.add(streams)
        written.append((writer.write(commit), piece.owner))
    return written


# -------------------------------------------------------------------- what then fails
def _problems(
    ground: Ground,
    real: CommitRow,
    base: CommitRow,
    written: Sequence[tuple[CommitRow, CommitRow | None]],
    owners: Sequence[CommitRow],
) -> list[Problem]:
    """Guards and rules that fail on the new branch and did not on the real one."""
    history = ground.history
    try:
        judge = Judge(history, ground.model_states())
    except ModelError as error:
        return [_of_error(error, base)]
    moved = [each for row, _ in written for each in row.ranges]
    failed = judge.guards_behind(base, owners, moved)
    problems = [problem for each in failed.values() for problem in each]
    try:
        walk, old = judge.walk(base), judge.walk(base)
        if walk is None or old is None:
            return problems
        known: set[tuple[str, str | None]] = set()
        for row in history.graph.chain_from(real, base.size) if base.size < real.size else ():
            known.update((each.name, each.path) for each in old.after(_lines(history, row)))
    except ModelError as error:
        return [*problems, _of_error(error, base)]
    for row, owner in written:
        try:
            broken = walk.after(_lines(history, row))
        except ModelError as error:
            return [*problems, _of_error(error, owner or row)]
        for each in broken:
            if (each.name, each.path) not in known:
                known.add((each.name, each.path))
                problems.append(of_violation(each, (owner or row).hex))
    return problems


def _of_error(error: EvgitError, row: CommitRow) -> Problem:
    return Problem("model", row.hex, reason=error.message)


def _lines(history: History, row: CommitRow) -> list[bytes]:
    return [line for text in history.blocks.texts(row.ranges) for line in text.splitlines()]
