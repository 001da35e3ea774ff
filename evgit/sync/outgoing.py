"""What to send: the commits that one side has and the other lacks, and their blocks as text.

It must not know how anything is transported, nor check anything: that is the receiver's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import TypeVar

import msgspec

from evgit.errors import BehindBoundary, DamagedObject
from evgit.formats.again import again_id, is_again
from evgit.formats.block import WholeFrames
from evgit.formats.boundary import is_absent
from evgit.formats.canonical import id_bytes
from evgit.formats.event import decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.storage.database import fetch_all

Piece = TypeVar("Piece")
_SMALLEST_PAGE, _LARGEST_PAGE = 16, 4096
SENT_HINT = (
    "ask for less (`--depth N`), ask the repository that it was cloned from, or have it fetch the "
    "rest (`evgit fetch --unshallow` there)"
)
WRITTEN_HINT = "`evgit fetch --unshallow` brings the rest here; then try again"


class Outgoing(msgspec.Struct):
    """Commits to send. `ranges`: (first line, lines) of their blocks, parents before children.

    `special`: numbers of those that may name events stored elsewhere. `straight`: how many commits
    there are where one range has the blocks of all; None: a range is a block.
    """

    ranges: list[tuple[int, int]]
    special: set[int]
    events: int
    straight: int | None = None

    @property
    def commits(self) -> int:
        return len(self.ranges) if self.straight is None else self.straight


def outgoing(
    history: History,
    wanted: Sequence[CommitRow],
    known: Sequence[CommitRow],
    hint: str = SENT_HINT,
) -> Outgoing:
    """All commits reachable from `wanted` and not from `known`.

    Reads the index in descending order of storing, in which children come before their parents,
    and stops where nothing wanted is left: what is old costs nothing.
    """
    needed = {row.number for row in wanted}
    had = {row.number for row in known}
    needed -= had
    ranges: list[tuple[int, int]] = []
    special: set[int] = set()
    events, page = 0, _SMALLEST_PAGE
    below = max(needed | had, default=-1) + 1
    while needed:
        rows = history.graph.up_to(below - 1, page)
        if not rows:
            break
        page = min(page * 2, _LARGEST_PAGE)
        for row in rows:
            below = number = row.number
            if number in had:
                had.discard(number)
                target = had
            elif number in needed:
                needed.discard(number)
                ranges.append((number, row.events + 1))
                events += row.events
                if row.segment is not None:
                    special.add(number)
                target = needed
            else:
                continue
            target.update(row.parents)
        needed -= had
    ranges.reverse()
    refuse_boundaries(history, ranges, hint)
    return Outgoing(ranges, special, events)


def to_send(history: History, wanted: Sequence[CommitRow], known: Sequence[CommitRow]) -> Outgoing:
    """The same, as one range of lines where that is all that there is on them."""
    return _straight(history, wanted, known) or outgoing(history, wanted, known)


def _straight(
    history: History, wanted: Sequence[CommitRow], known: Sequence[CommitRow]
) -> Outgoing | None:
    """The commits behind the last known one, if they follow one another and nothing else was
    stored since, so that nobody need look at each of them."""
    graph = history.graph
    last = max(wanted, key=attrgetter("number"), default=None)
    if last is None or not all(graph.on_first_parents(row, last) for row in wanted):
        return None
    before = [row for row in known if graph.on_first_parents(row, last)]
    base = max(before, key=attrgetter("number"), default=None)
    if base is None:
        return None
    first, behind = (row.number + row.events + 1 for row in (base, last))
    commits, events = last.height - base.height, last.size - base.size
    if any(first <= boundary.number < behind for boundary in graph.boundaries.all()):
        return None
    # Without merges, every commit has a line, and one for each event that it adds to the log.
    if behind - first != commits + events or graph.table.any_merged(first, behind):
        return None
    return Outgoing([(first, behind - first)] if commits else [], set(), events, commits)


def texts(history: History, sent: Outgoing) -> Iterator[bytes]:
    """The blocks as text. An event stored in another block that is not sent stands in full."""
    return _read(history, sent, partial(history.blocks.texts, alone=True))


def pieces(history: History, sent: Outgoing) -> Iterator[bytes | WholeFrames]:
    """The same, to be sent: in part in the frames that they are stored in."""
    return _read(history, sent, history.blocks.sendable)


def _read(
    history: History,
    sent: Outgoing,
    read: Callable[[list[tuple[int, int]]], Iterator[Piece]],
) -> Iterator[bytes | Piece]:
    plain: list[tuple[int, int]] = []
    numbers = {first for first, _ in sent.ranges} if sent.special else set()
    for first, count in sent.ranges:
        if first not in sent.special:
            plain.append((first, count))
            continue
        yield from read(plain)
        plain = []
        yield _in_full(history, history.blocks.lines(first, count), first, numbers)
    yield from read(plain)


def _in_full(history: History, lines: list[bytes], number: int, sent: set[int]) -> bytes:
    """A block's text in which `again` lines name only events sent before it."""
    named = {id_bytes(again_id(line)) for line in lines[:-1] if is_again(line)}
    stored = history.events.find(named) if named else {}
    found = []
    for line in lines:
        if is_again(line):
            at = stored.get(id_bytes(again_id(line)))
            if at is None:
                raise DamagedObject(f"event {again_id(line)} is not stored", ids=[again_id(line)])
            owner = history.graph.owning(at).number
            if owner not in sent or owner >= number:
                stored_line = history.blocks.line(at, closed=True)
                if not is_absent(stored_line):  # else the receiver has it, or can't take this
                    line = stored_line
        found.append(line + b"\n")
    return b"".join(found)


def listed_blobs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Those of some event lines that may list blobs."""
    return (line for line in lines if line.startswith(b'{"blobs":'))


def blobs_in(texts: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """(id, size) of every blob that the events of some blocks list, as often as they do."""
    for text in texts:
        if b'{"blobs":' in text:
            for line in listed_blobs(text.splitlines()):
                yield from decode_event(line).blobs.items()


def left_before(
    history: History, wanted: Sequence[CommitRow], known: Sequence[CommitRow], first: int
) -> Outgoing:
    """Of the commits reachable from `wanted` and not from `known`, those stored before line
    `first`, and those that name events of others: what a transfer has not just brought whole."""
    found = outgoing(history, wanted, known)
    found.ranges = [r for r in found.ranges if r[0] < first or r[0] in found.special]
    return found


def tips(history: History, limit: int) -> list[str]:
    """Ids of the newest commits without first-parent children: ends of chains, refs or none.

    What an interrupted transfer left is found again through them.
    """
    rows = fetch_all(
        history.connection,
        "SELECT c.id FROM chains h JOIN commits c ON c.chain=h.number AND c.size=h.size"
        " AND c.height=h.height ORDER BY c.number DESC LIMIT ?",
        (limit,),
    )
    return [row[0].hex() for row in rows]


def samples(history: History, row: CommitRow) -> Iterator[str]:
    """Ids of first-parent ancestors, at distances 1, 2, 4, 8 … and the last one here."""
    step = 1
    boundary = history.graph.boundary_of(row)
    lowest = 0 if boundary is None else boundary.height
    while step <= row.height - lowest:
        yield history.graph.at_height(row, row.height - step).hex
        step *= 2
    if row.height > lowest:
        yield history.graph.at_height(row, lowest).hex


def parting(history: History, row: CommitRow, other: CommitRow) -> CommitRow:
    """The last commit that is on the first-parent chains of both."""
    low, high = 0, min(row.height, other.height)
    at = history.graph.at_height
    while low < high:
        middle = (low + high + 1) // 2
        if at(row, middle).number == at(other, middle).number:
            low = middle
        else:
            high = middle - 1
    return at(row, low)


def between(history: History, row: CommitRow, low: int, high: int, count: int) -> list[str]:
    """Ids of up to `count` first-parent ancestors at heights strictly between two, evenly."""
    heights = range(low + 1, high)
    step = max(1, len(heights) // count)
    return [history.graph.at_height(row, h).hex for h in islice(heights[::step], count)]


def refuse_boundaries(
    history: History, ranges: Iterable[tuple[int, int]], hint: str = SENT_HINT
) -> None:
    """Raise BehindBoundary where a commit to be sent is known here by its ids alone."""
    numbers = {first for first, _ in ranges} if history.graph.boundaries else set()
    for boundary in history.graph.boundaries.all():
        if boundary.number in numbers:
            raise BehindBoundary(
                f"a shallow repository can't send what it does not have: commit "
                f"{boundary.id[:12]}, at position {boundary.size}, and what came before it",
                hint=hint,
            )
