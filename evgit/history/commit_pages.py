"""Many commits to a row: what the index keeps of packed history, and of what came in bulk.

A **page** holds commits that follow one another in every respect: on the lines, in one chain, each
with the one before as its only parent. So it need say no more than how many events each has and
when it was recorded; an id is read from the commit's own line, whose frame has a checksum, when
somebody asks for it. Ids are found by their first four bytes, in a sorted run.

It knows rows and bytes, not what the DAG means.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import add, sub
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import apsw
import zstandard

from evgit.formats.canonical import digest
from evgit.formats.places import lines_at
from evgit.history.commit_row import NO_LINE, CommitRow, damaged_index
from evgit.storage.blocks import BlockStore
from evgit.storage.database import Answers, fetch_all, fetch_one

if TYPE_CHECKING:
    from evgit.storage.sorted_runs import SortedRuns

COMMIT_IDS = -3
"""The family of runs that holds `first four bytes of the id << 32 | number` of paged commits."""
PAGE_COMMITS = 256
LEAST_COMMITS = 16
"""Fewer that follow one another are left as rows."""
REMEMBERED_PAGES = 64

_COLUMNS = "first, last, chain, size, height, data"
_HOLDING = "WHERE first<=? ORDER BY first DESC LIMIT 1"
_HEAD = struct.Struct("<5qI")  # parent, first height, size before, held back, count, checksum
_TEN_NUMBERS = struct.Struct("<10q").pack
_LINE_MASK = (1 << 32) - 1


class CommitPage:
    """One page, decoded. Commits have places in it, from 0."""

    def __init__(
        self,
        chain: int,
        parent: int | None,
        first_height: int,
        size_before: int,
        held_back: int | None,
        numbers: Sequence[int],
        events: Sequence[int],
        times: Sequence[int],
    ) -> None:
        self.chain = chain
        self.first_height = first_height
        self.size_before = size_before
        self.numbers = numbers
        self._parent = parent
        self._held_back = held_back
        self._events = events
        self._times = times
        self.sizes = array("q", (size_before + n for n in accumulate(events)))
        self._shifts = array("q", map(add, map(sub, numbers, self.sizes), events))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def last_key(self) -> tuple[int, int]:
        """(size, height) of the last commit."""
        return self.sizes[-1], self.first_height + len(self) - 1

    @property
    def first_key(self) -> tuple[int, int]:
        """The same of the first."""
        return self.sizes[0], self.first_height

    @property
    def end(self) -> int:
        """The line behind the last commit's."""
        return self.numbers[-1] + self._events[-1] + 1

    def place_behind(self, size: int, height: int) -> int:
        """The place of the first commit whose (size, height) is greater."""
        low = bisect_left(self.sizes, size)
        high = bisect_right(self.sizes, size, low)
        return min(max(low, height + 1 - self.first_height), high)

    def lines_at(self, positions: list[int], start: int) -> list[int]:
        """The lines of the events at positions[start:] of the log, which ascend, as far as these
        commits or those before added them."""
        return lines_at(positions, start, self.sizes, self._shifts)

    def size_at(self, place: int) -> int:
        """The size of the log before the commit at a place."""
        return self.sizes[place - 1] if place else self.size_before

    def ranges(self, first: int, end: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """(first line, lines) of the events at positions [start, stop) that the commits at places
        [first, end) add."""
        for place in range(first, end):
            size, count = self.sizes[place], self._events[place]
            if size <= start:
                continue
            before = size - count
            if before >= stop:
                return
            skipped = start - before if start > before else 0
            count -= skipped + (size - stop if size > stop else 0)
            if count:
                yield self.numbers[place] + skipped, count

    def row(self, place: int, read_id: Callable[[int], bytes]) -> CommitRow:
        """The commit at a place. `read_id`: of the commit whose line this is."""
        return CommitRow(
            self.numbers[place],
            read_id,
            self._events[place],
            self.chain,
            self.first_height + place,
            self.sizes[place],
            self._times[place],
            self.numbers[place - 1] if place else self._parent,
            None,
            None,
            self._held_back,
        )


class PageToStore(NamedTuple):
    """Commits that follow one another. `number`: of the first, and `last`: of the last of them.
    `parent`, `height`, `size` (of the log before): of the first. `events`, `times`: of each."""

    number: int
    last: int
    chain: int
    parent: int
    height: int
    size: int
    held_back: int | None
    events: Sequence[int]
    times: Sequence[int]

    def values(self) -> tuple[int, int, int, int, int, bytes]:
        """What the table keeps of them."""
        count = len(self.events)
        last_key = self.size + sum(self.events), self.height + count - 1
        named = (self.number, self.last, self.chain, *last_key)
        times = array("q", self.times[:1])
        times.extend(map(sub, self.times[1:], self.times))
        body = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(
            _columns(array("I", self.events)) + _columns(times)
        )
        held = -1 if self.held_back is None else self.held_back
        numbers = (self.parent, self.height, self.size, held, count)
        return (*named, _HEAD.pack(*numbers, crc32(_TEN_NUMBERS(*named, *numbers))) + body)


def page_of(rows: Sequence[CommitRow]) -> PageToStore:
    """The page of commits that follow one another."""
    first = rows[0]
    return PageToStore(
        first.number,
        rows[-1].number,
        first.chain,
        -1 if first.parent is None else first.parent,
        first.height,
        first.size - first.events,
        first.held_back,
        [row.events for row in rows],
        [row.time for row in rows],
    )


def full_pages(
    parent: CommitRow,
    chain: int,
    numbers: Sequence[int],
    counts: Sequence[int],
    times: Sequence[int],
) -> list[PageToStore]:
    """The pages that commits fill, each the first and only parent of the next, `parent` of the
    first; the last ones may be left. `counts`: of their events."""
    pages: list[PageToStore] = []
    before, size = parent.number, parent.size
    for first in range(0, len(numbers) - PAGE_COMMITS + 1, PAGE_COMMITS):
        stop = first + PAGE_COMMITS
        page = PageToStore(
            numbers[first],
            numbers[stop - 1],
            chain,
            before,
            parent.height + 1 + first,
            size,
            parent.held_back,
            counts[first:stop],
            times[first:stop],
        )
        pages.append(page)
        before, size = page.last, size + sum(page.events)
    return pages


def put_pages(connection: apsw.Connection, pages: Iterable[PageToStore]) -> None:
    """Keep commits as pages, inside a write transaction."""
    connection.executemany(
        f"INSERT INTO commit_pages({_COLUMNS}) VALUES(?,?,?,?,?,?)",
        [page.values() for page in pages],
    )


def follows(row: CommitRow, before: CommitRow) -> bool:
    """May a page go on with this commit behind that one?"""
    return (
        row.chain == before.chain
        and row.size == before.size + row.events
        and row.parent == before.number
        and row.number == before.number + before.events + 1
        and row.held_back == before.held_back
    )


def fits(row: CommitRow) -> bool:
    """May a commit be in a page at all?"""
    return row.segment is None and row.further_parents is None and row.parent is not None


class CommitPages:
    """The pages of one database."""

    def __init__(
        self, connection: apsw.Connection, blocks: BlockStore, runs: Callable[[], SortedRuns]
    ) -> None:
        self._connection = connection
        self._blocks = blocks
        self._runs = runs
        # By its bytes as well as its place: one that was made anew is not found here.
        self._remembered: dict[tuple[object, object], CommitPage] = {}
        self._answers = Answers(connection)

    # ------------------------------------------------------------------ single commits
    def find(self, commit_id: bytes) -> CommitRow | None:
        """The paged commit with this id."""
        low = int.from_bytes(commit_id[:4], "big") << 32
        for word in self._runs().keys_between(COMMIT_IDS, low, low + (1 << 32)):
            row = self.by_number(word & _LINE_MASK)
            if row is not None and row.id == commit_id:
                return row
        return None

    def ids_between(self, low: bytes, high: bytes) -> Iterator[bytes]:
        """Ids of paged commits between two 32-byte bounds, both included."""
        first = int.from_bytes(low[:4], "big") << 32
        behind = (int.from_bytes(high[:4], "big") + 1) << 32
        for word in self._runs().keys_between(COMMIT_IDS, first, behind):
            row = self.by_number(word & _LINE_MASK)
            if row is not None and low <= row.id <= high:
                yield row.id

    def fingerprint(self, number: int) -> str:
        """The first eight digits of a commit's id, for naming one that can't be read."""
        for words in self._runs().chunks(COMMIT_IDS):
            for word in words:
                if word & _LINE_MASK == number:
                    return f"{word >> 32:08x}"
        return "?"

    def by_number(self, number: int) -> CommitRow | None:
        """The paged commit whose block starts at this line."""
        row = self.at_or_before(number)
        return row if row is not None and row.number == number else None

    def at_or_before(self, line: int) -> CommitRow | None:
        """The last paged commit whose block starts at this line or before."""
        page = self._page(_HOLDING, (line,))
        if page is None:
            return None
        return self._row(page, bisect_right(page.numbers, line) - 1)

    def newest_first(self, number: int) -> Iterator[CommitRow]:
        """Paged commits from the last one at or before a line on, in descending order."""
        while (page := self._page(_HOLDING, (number,))) is not None:
            for place in range(bisect_right(page.numbers, number) - 1, -1, -1):
                yield self._row(page, place)
            number = page.numbers[0] - 1

    def count(self) -> int:
        """How many commits are paged."""
        rows = fetch_all(self._connection, f"SELECT {_COLUMNS} FROM commit_pages")
        return sum(len(self._decoded(row)) for row in rows)

    # ------------------------------------------------------------------ along a chain
    def after(self, chain: int, size: int, height: int) -> CommitPage | None:
        """The first page of a chain with a commit whose (size, height) is greater."""
        return self._page(
            "WHERE chain=? AND (size, height)>(?, ?) ORDER BY size, height LIMIT 1",
            (chain, size, height),
        )

    def lines_of(self, chain: int, positions: list[int]) -> list[int]:
        """For each of these ascending positions the line of the event there, NO_LINE where no page
        of the chain has it."""
        lines: list[int] = []
        ends, pages = self._answers.known().setdefault(chain, ([], []))
        while len(lines) < len(positions):
            position = positions[len(lines)]
            at = bisect_right(ends, position)
            if at < len(ends) and pages[at].size_before <= position:
                page: CommitPage = pages[at]
            else:  # the first whose log reaches beyond the position
                found = self.after(chain, position + 1, -1)
                if found is None:
                    break
                page = found
                if at == len(ends) or ends[at] != page.sizes[-1]:
                    if len(ends) >= REMEMBERED_PAGES:
                        del ends[:], pages[:]
                        at = 0
                    ends.insert(at, page.sizes[-1])
                    pages.insert(at, page)
                if position < page.size_before:
                    start = bisect_left(positions, page.size_before, len(lines))
                    lines += [NO_LINE] * (start - len(lines))
            lines += page.lines_at(positions, len(lines))
        return lines + [NO_LINE] * (len(positions) - len(lines))

    def before(self, chain: int, size: int, height: int) -> CommitPage | None:
        """The last page of a chain with a commit whose (size, height) is smaller."""
        page = self.after(chain, size, height - 1)  # may hold this one, and some before
        if page is not None and page.first_key < (size, height):
            return page
        return self._page(
            "WHERE chain=? AND (size, height)<(?, ?) ORDER BY size DESC, height DESC LIMIT 1",
            (chain, size, height),
        )

    def rows(self, page: CommitPage, start: int, stop: int) -> Iterator[CommitRow]:
        """The commits of a page at places [start, stop)."""
        return (page.row(place, self._read_id) for place in range(start, stop))

    # ------------------------------------------------------------------ writing
    def put(self, rows: Sequence[CommitRow]) -> None:
        """Keep commits that follow one another as a page, inside a write transaction."""
        put_pages(self._connection, [page_of(rows)])

    def _row(self, page: CommitPage, place: int) -> CommitRow:
        return page.row(place, self._read_id)

    def _read_id(self, line: int) -> bytes:
        return digest(self._blocks.line(line))

    def _page(self, where: str, values: Sequence[int]) -> CommitPage | None:
        row = fetch_one(self._connection, f"SELECT {_COLUMNS} FROM commit_pages {where}", values)
        return None if row is None else self._decoded(row)

    def _decoded(self, row: Sequence[object]) -> CommitPage:
        key = row[0], row[5]
        page = self._remembered.pop(key, None)
        if page is None:
            try:
                page = _decode(*row)  # type: ignore[arg-type]
            except (struct.error, zstandard.ZstdError, TypeError, ValueError) as error:
                raise damaged_index(f"the page of commits at line {row[0]}: {error}") from None
            if len(self._remembered) >= REMEMBERED_PAGES:
                del self._remembered[next(iter(self._remembered))]
        self._remembered[key] = page  # the last one asked for is the last one to go
        return page


def _decode(first: int, last: int, chain: int, size: int, height: int, data: bytes) -> CommitPage:
    *numbers, check = _HEAD.unpack_from(data)
    parent, first_height, size_before, held_back, count = numbers
    if check != crc32(_TEN_NUMBERS(first, last, chain, size, height, *numbers)):
        raise ValueError("its row is not what it was")
    text = zstandard.ZstdDecompressor().decompress(data[_HEAD.size :])
    if len(text) != 12 * count or not count:
        raise ValueError("it is cut short")
    events = _rows_of(text[: 4 * count], array("I"))
    times = list(accumulate(_rows_of(text[4 * count :], array("q"))))
    lines = [first, *(first + place + n for place, n in enumerate(accumulate(events[:-1]), 1))]
    page = CommitPage(
        chain,
        None if parent < 0 else parent,
        first_height,
        size_before,
        None if held_back < 0 else held_back,
        lines,
        events,
        times,
    )
    if page.numbers[-1] != last or page.last_key != (size, height):
        raise ValueError("it contradicts itself")
    return page


def _columns(words: array[int]) -> bytes:
    """The bytes of words, all first bytes first: what they have in common stands together."""
    if sys.byteorder == "big":
        words.byteswap()
    raw = words.tobytes()
    return b"".join([raw[column :: words.itemsize] for column in range(words.itemsize)])


def _rows_of(data: bytes, words: array[int]) -> array[int]:
    count = len(data) // words.itemsize
    raw = bytearray(len(data))
    for column in range(words.itemsize):
        raw[column :: words.itemsize] = data[column * count : (column + 1) * count]
    words.frombytes(bytes(raw))
    if sys.byteorder == "big":
        words.byteswap()
    return words
