"""Reads the blocks of a database that is itself damaged: all that SQLite can still give.

Where a page is damaged, the blocks on it, or below it, can't be read; those behind it can. It knows
lines, not what stands on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evgit.errors import Damage, EvgitError
from evgit.history.history import History
from evgit.storage.blocks import BlockData, BlockEntry
from evgit.storage.database import fetch_one

MOST_LINES_AT_ONCE = 256  # looked past where blocks can't be read


def last_line(history: History) -> int:
    """The number of lines; 0 where nothing can say it any more."""
    for ask in (
        lambda: history.end()[0],
        lambda: fetch_one(history.connection, "SELECT max(number + events + 1) FROM commits")[0],
    ):
        try:
            return int(ask() or 0)
        except EvgitError:
            continue
    return 0


def readable_blocks(
    history: History, end: int, unreadable: Callable[[int, EvgitError], None]
) -> Iterator[tuple[BlockEntry, BlockData]]:
    """(directory, bytes) of every block in order that can be read.

    `end`: the number of lines. `unreadable` is called with the first line of the block before each
    gap (-1 if there is none), and the error.
    """
    after, at_once = -1, 16
    while True:
        try:
            for entry, data in history.blocks.blocks(after, at_once):
                yield entry, data
                after = entry.first_line
            return
        except Damage as error:
            if at_once > 1:
                at_once = 1  # the others may be readable
                continue
            unreadable(after, error)
            following = _skip(history, after, end)
            if following is None:
                return
            after = following


def _skip(history: History, after: int, end: int) -> int | None:
    """A line behind which to go on, None if there is nothing more to be had."""
    try:
        row = fetch_one(
            history.connection,
            "SELECT first_line FROM blocks WHERE first_line>? ORDER BY first_line LIMIT 1",
            (after,),
        )
    except Damage:
        return _skip_page(history, after, end)
    # The block's number can be read, so only its bytes can't.
    return int(row[0]) if row and isinstance(row[0], int) and row[0] > after else None


def _skip_page(history: History, after: int, end: int) -> int | None:
    damaged, step = after, 1
    while True:
        line = damaged + step
        if line >= end:
            return None
        if _is_readable(history, line):
            break
        damaged, step = line, min(step * 2, MOST_LINES_AT_ONCE)
    while line - damaged > 1:
        middle = (damaged + line) // 2
        if _is_readable(history, middle):
            line = middle
        else:
            damaged = middle
    return line


def _is_readable(history: History, after: int) -> bool:
    try:
        fetch_one(
            history.connection,
            "SELECT first_line FROM blocks WHERE first_line>? ORDER BY first_line LIMIT 1",
            (after,),
        )
    except Damage:
        return False
    return True
