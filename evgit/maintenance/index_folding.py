"""Makes the indexes of packed history small: commits into pages, runs into one of each family.

What is indexed does not change, only where it stands. Every step is a short transaction of its own,
so that writers need not wait long, and being killed between two leaves an index that is right.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

import apsw

from evgit.history.commit_pages import (
    COMMIT_IDS,
    LEAST_COMMITS,
    PAGE_COMMITS,
    CommitPages,
    fits,
    follows,
)
from evgit.history.commit_row import COLUMNS, CommitRow, checked
from evgit.history.event_index import IDS, KEYS
from evgit.history.history import History
from evgit.storage import database
from evgit.storage.database import fetch_all, fetch_one

ROWS_AT_ONCE = 16_384
"""So many commits are looked at in one transaction."""

Step = Callable[[str], None]


def fold_index(history: History, step: Step) -> None:
    """Make the indexes small. `step` is called after each transaction, with what was done."""
    connection = history.connection
    with database.writing(connection):
        history.forget()
        history.events.settle(history.end()[0])
        chains = [number for (number,) in fetch_all(connection, "SELECT number FROM chains")]
        for chain in chains:
            history.streams.settle(chain)
        history.forget()
    step("settled")
    after = -1
    while True:
        with database.writing(connection):
            limit = _packed_end(history)
            rows = _rows(connection, after, limit)
            _fold(history, rows, last=len(rows) < ROWS_AT_ONCE)
        step("folded")
        if len(rows) < ROWS_AT_ONCE:
            break
        after = rows[-PAGE_COMMITS].number  # where a page may have been cut short, begin again
    for family in (IDS, KEYS, COMMIT_IDS, *chains):
        with database.writing(connection):
            history.runs.consolidate(family)
    history.forget()
    step("consolidated")


def _packed_end(history: History) -> int:
    """The line up to which everything is packed."""
    packs = history.blocks.packs
    packs.reload()
    (hot,) = fetch_one(history.connection, "SELECT min(first_line) FROM blocks")
    end, _ = packs.end()
    return end if hot is None else min(hot, end)


def _rows(connection: apsw.Connection, after: int, end: int) -> list[CommitRow]:
    """Commits that may move: not the last of a chain, which is asked for most, and nothing that
    runs don't have yet."""
    columns = ", ".join(f"c.{column.strip()}" for column in COLUMNS.split(","))
    rows = fetch_all(
        connection,
        f"SELECT {columns} FROM commits c JOIN chains h ON h.number=c.chain"
        " WHERE c.number>? AND c.number<? AND c.height<h.height"
        " AND (c.postings IS NULL OR c.size<=h.covered) AND (c.fingerprints IS NULL OR"
        " c.number<=(SELECT max(last) FROM runs WHERE family=?)) ORDER BY c.number LIMIT ?",
        (after, end, IDS, ROWS_AT_ONCE),
    )
    return list(map(checked, rows))


def _fold(history: History, rows: list[CommitRow], *, last: bool) -> None:
    """Move rows into pages; those at the end wait for others to come, unless these are the last."""
    connection = history.connection
    pages = CommitPages(connection, history.blocks, lambda: history.runs)
    words = array("Q")
    reach = -1
    for page in _pages(rows, last=last):
        pages.put(page)
        reach = page[-1].number
        connection.execute(
            "DELETE FROM commits WHERE number BETWEEN ? AND ?", (page[0].number, reach)
        )
        words.extend(int.from_bytes(row.id[:4], "big") << 32 | row.number for row in page)
    if words:
        history.runs.add(COMMIT_IDS, words, reach)


def _pages(rows: list[CommitRow], *, last: bool) -> Iterator[list[CommitRow]]:
    """Commits that follow one another, as many to a page as it takes."""
    held: list[CommitRow] = []
    for row in rows:
        if held and (len(held) == PAGE_COMMITS or not follows(row, held[-1])):
            if len(held) >= LEAST_COMMITS:
                yield held
            held = []
        if fits(row):
            held.append(row)
    if len(held) == PAGE_COMMITS or (last and len(held) >= LEAST_COMMITS):
        yield held
