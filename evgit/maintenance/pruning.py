"""Drops commits that nothing leads to: no ref, no operation that is kept, nothing in progress.

Whoever is about to point a ref at a commit (a fetch between storing and moving refs) must find it
there. So only lines are dropped that an earlier gc saw, long enough ago; when it saw how many is
kept in the settings. All of it happens in one transaction, or nothing: rows that say which lines
are gone, and every index entry that led to them. Their bytes go when their pack is written anew.

An event that a kept commit took from a dropped branch keeps that branch's commits alive.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from evgit.formats.canonical import id_bytes
from evgit.history.commit_pages import COMMIT_IDS
from evgit.history.commit_row import COLUMNS, CommitRow
from evgit.history.event_index import IDS, KEYS
from evgit.history.graph import ChainRow
from evgit.history.history import SEEN, History
from evgit.history.kept import Kept
from evgit.storage import database
from evgit.storage.database import fetch_all
from evgit.storage.packs import Packed

NOTES_KEPT = 64
_LINE_MASK = (1 << 32) - 1


class Pruned(NamedTuple):
    """What was dropped. `ranges`: of lines, ascending; (first, behind the last)."""

    commits: int
    ranges: list[tuple[int, int]]


def prune(history: History, kept: Callable[[], Kept], *, now: int, keep: int | None) -> Pruned:
    """Drop what `kept` does not lead to and was there `keep` microseconds ago (None: nothing)."""
    connection = history.connection
    with database.writing(connection):
        history.forget()
        history.blocks.packs.reload()
        end, latest = history.end()
        old = _note(history, now, end, keep)
        if keep is None or old == 0:
            return Pruned(0, [])
        roots = kept()
        reachable = _Reachable(history)
        for row in (*roots.commits, *_owners(history, roots.others)):
            reachable.add(row.chain, row.height)
        chains = [history.graph.chain(number) for number in reachable.numbers]
        for chain in chains:
            tip = _at(history, chain, chain.height)
            if tip.number + tip.events >= old:
                reachable.add(chain.number, chain.height)
        dropped = _droppable(history, reachable, chains)
        if not dropped:
            return Pruned(0, [])
        ranges = joined((row.number, row.number + row.events + 1) for row in dropped)
        _drop_rows(history, ranges)
        _drop_lines(history, ranges, latest)
        for chain in chains:
            _cut_chain(history, chain, reachable.height(chain.number))
    history.forget()
    return Pruned(len(dropped), ranges)


def _note(history: History, now: int, end: int, keep: int | None) -> int:
    """Remember how many lines there are now; the line up to which all were there long ago."""
    text = database.setting(history.connection, SEEN)
    notes: list[list[int]] = msgspec.json.decode(text or "[]", type=list[list[int]])
    notes = [note for note in notes if note[0] <= now]
    old = 0
    if keep is not None:
        old = end if keep == 0 else max((n for at, n in notes if at <= now - keep), default=0)
        while len(notes) > 1 and notes[1][0] <= now - keep:
            del notes[0]
    if len(notes) >= NOTES_KEPT:
        del notes[1::2]
    notes.append([now, end])
    database.set_setting(history.connection, SEEN, msgspec.json.encode(notes).decode())
    return min(old, end)


class _Reachable:
    """How far each chain is reachable: all its commits up to a height, or none."""

    def __init__(self, history: History) -> None:
        self._history = history
        rows = fetch_all(history.connection, "SELECT number, parent, fork_height FROM chains")
        self._forks = {number: (parent, height) for number, parent, height in rows}
        self._heights: dict[int, int] = {}
        self._merges: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for chain, height, parents in fetch_all(
            history.connection,
            "SELECT chain, height, further_parents FROM commits"
            " WHERE further_parents IS NOT NULL ORDER BY height DESC",
        ):
            self._merges[chain].append((height, parents))

    @property
    def numbers(self) -> list[int]:
        """All chains."""
        return sorted(self._forks)

    def height(self, chain: int) -> int:
        """The height of the chain's last reachable commit; that of its fork if there is none."""
        return self._heights.get(chain, int(self._forks[chain][1]))

    def add(self, chain: int, height: int) -> None:
        """A commit is reachable, and all its ancestors."""
        waiting = [(chain, height)]
        while waiting:
            chain, height = waiting.pop()
            known = self._heights.get(chain)
            if known is not None and height <= known:
                continue
            self._heights[chain] = height
            parent, fork_height = self._forks[chain]
            if known is None and parent is not None:
                waiting.append((parent, fork_height))
            merges = self._merges[chain]
            while merges and merges[-1][0] <= height:
                for number in array("Q", merges.pop()[1]):
                    row = self._history.graph.by_number(number)
                    waiting.append((row.chain, row.height))


def _owners(history: History, ids: Iterable[str]) -> Iterator[CommitRow]:
    """The commits that hold those of the objects that are events."""
    for line in map(history.line_of_event, filter(id_bytes, ids)):
        if line is not None:
            yield history.graph.owning(line)


def _droppable(history: History, reachable: _Reachable, chains: list[ChainRow]) -> list[CommitRow]:
    """The commits that nothing leads to, by number."""
    while True:
        dropped = [
            row
            for chain in chains
            if reachable.height(chain.number) < chain.height
            for row in _above(history, chain, reachable.height(chain.number))
        ]
        numbers = {row.number: row for row in dropped}
        needed = [
            numbers[block]
            for block, number in fetch_all(
                history.connection, "SELECT DISTINCT block, number FROM merged_lines"
            )
            if block in numbers and number not in numbers
        ]
        if not needed:
            return sorted(dropped, key=lambda row: row.number)
        for row in needed:
            reachable.add(row.chain, row.height)


def _above(history: History, chain: ChainRow, height: int) -> Iterator[CommitRow]:
    """The commits of a chain that are higher."""
    start = chain.fork_size if height == chain.fork_height else _at(history, chain, height).size
    found = history.graph.table.ascending(chain.number, start, height, chain.size, chain.height)
    return (row for row in found if row.height > height)


def _at(history: History, chain: ChainRow, height: int) -> CommitRow:
    tip = next(history.graph.table.descending(chain.number, chain.size, chain.height + 1))
    return history.graph.at_height(tip, height)


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending ranges, those that touch or overlap made one."""
    found: list[tuple[int, int]] = []
    for first, end in ranges:
        if found and found[-1][1] >= first:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found


def _drop_lines(history: History, ranges: list[tuple[int, int]], latest: int) -> None:
    """Let rows of the table of packs say that these lines are gone."""
    packs = history.blocks.packs
    for first, end in ranges:
        for row in packs.rows():
            if row.end <= first or row.first_line >= end:
                continue
            packs.remove(row)
            if row.first_line < first:
                packs.put(row._replace(lines=first - row.first_line))
            if row.end > end:
                rest = end - row.first_line
                packs.put(Packed(end, row.lines - rest, row.name, row.place + rest, row.latest))
        history.blocks.drop(first, end)
        packs.put(Packed(first, end - first, "", 0, latest))


def _drop_rows(history: History, ranges: list[tuple[int, int]]) -> None:
    """Take the commits out of the tables, and their lines out of the indexes of ids and keys."""
    connection = history.connection
    for first, end in ranges:
        for page in fetch_all(
            connection,
            "SELECT first, last FROM commit_pages WHERE first<? AND last>=?",
            (end, first),
        ):
            _unfold(history, *page)
        connection.execute("DELETE FROM commits WHERE number>=? AND number<?", (first, end))
        connection.execute("DELETE FROM held_back WHERE number>=? AND number<?", (first, end))
        connection.execute("DELETE FROM merged_lines WHERE number>=? AND number<?", (first, end))
    for family in (IDS, KEYS, COMMIT_IDS):
        history.runs.retain(family, lambda words: _outside(words, ranges))


def _unfold(history: History, first: int, last: int) -> None:
    """Make rows of the commits of a page again."""
    rows = history.graph.table.between(first, last + 1)
    values = [(row.number, row.id, *row[2:], row.checksum()) for row in rows]
    history.connection.execute("DELETE FROM commit_pages WHERE first=?", (first,))
    history.connection.executemany(
        f"INSERT INTO commits({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", values
    )
    history.runs.retain(COMMIT_IDS, lambda words: _outside(words, [(first, last + 1)]))


def _outside(words: array[int], ranges: list[tuple[int, int]]) -> list[int]:
    """Those words whose lower half is in none of the ranges."""
    bounds = [bound for each in ranges for bound in each]
    return [word for word in words if not bisect_right(bounds, word & _LINE_MASK) % 2]


def _cut_chain(history: History, chain: ChainRow, height: int) -> None:
    """Let a chain end at a height, or be gone if that is where it forked off."""
    connection = history.connection
    if height >= chain.height:
        return
    if height == chain.fork_height:
        connection.execute("DELETE FROM chains WHERE number=?", (chain.number,))
        connection.execute("DELETE FROM merkle_nodes WHERE chain=?", (chain.number,))
        history.runs.retain(chain.number, lambda words: [])
        return
    last = next(history.graph.table.descending(chain.number, chain.size, chain.height + 1))
    if not isinstance(last.identity, bytes):  # the last of a chain stands in a row of its own
        first, end = fetch_all(
            connection,
            "SELECT first, last FROM commit_pages WHERE first<=? ORDER BY first DESC LIMIT 1",
            (last.number,),
        )[0]
        _unfold(history, first, end)
        last = history.graph.by_number(last.number)
    frontier = history.log_of(last).frontier().to_bytes()
    covered = min(chain.covered, last.size)
    cut = chain._replace(height=last.height, size=last.size, covered=covered, frontier=frontier)
    connection.execute(
        "UPDATE chains SET height=?, size=?, covered=?, frontier=?, checksum=? WHERE number=?",
        (*cut[4:], cut.checksum(), chain.number),
    )
    connection.execute(
        "DELETE FROM merkle_nodes WHERE chain=? AND (place + 1) << level > ?",
        (chain.number, last.size),
    )
    history.runs.retain(
        chain.number, lambda words: [word for word in words if word & _LINE_MASK < last.size]
    )
