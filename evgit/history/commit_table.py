"""Looks commits up wherever the index has them: rows of their own, or pages of many.

Rows are asked first, pages after them: `gc` moves commits from rows into pages, so that nobody can
miss one in between. Where a row is known to be the answer, pages are not asked. It knows numbers,
not what the DAG means.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import apsw
import msgspec

from evgit.history.commit_row import COLUMNS, NO_LINE, CommitRow, checked
from evgit.storage.blocks import BlockStore
from evgit.storage.database import Answers, fetch_all, fetch_one

if TYPE_CHECKING:
    from evgit.history.commit_pages import CommitPage, CommitPages
    from evgit.storage.sorted_runs import SortedRuns

PagePart: TypeAlias = "tuple[CommitPage, int, int]"
"""The commits of a page at places from the first number up to, not including, the second."""
ANY_HEIGHT = 1 << 62
REMEMBERED_ROWS = 4096
_SMALL_READ, _LARGE_READ = 16, 256


class CommitTable:
    """All commits of one database, by id, by line, and along their chains."""

    def __init__(
        self, connection: apsw.Connection, blocks: BlockStore, runs: Callable[[], SortedRuns]
    ) -> None:
        self._connection = connection
        self._blocks = blocks
        self._runs = runs
        self._pages: CommitPages | None = None
        self._answers = Answers(connection)

    @property
    def pages(self) -> CommitPages | None:
        """The pages, once there is any."""
        if self._pages is None:
            known = self._answers.known()
            if known.get("none"):
                return None
            if _has_pages(self._connection):
                from evgit.history.commit_pages import CommitPages

                self._pages = CommitPages(self._connection, self._blocks, self._runs)
            else:
                known["none"] = True
        return self._pages

    def put_paged(
        self,
        parent: CommitRow,
        chain: int,
        numbers: Sequence[int],
        counts: Sequence[int],
        times: Sequence[int],
        ids: bytes,
    ) -> int:
        """Keep commits in pages, as many as fill some, inside a write transaction; how many.

        Each is the first and only parent of the next, `parent` of the first. `numbers`: theirs;
        what else is told of them in order may go on behind the last; `ids`: one after another.
        """
        from evgit.formats.hashing import ID_BYTES
        from evgit.history.commit_pages import COMMIT_IDS, full_pages, put_pages
        from evgit.history.event_index import fingerprints
        from evgit.history.words import paired

        pages = full_pages(parent, chain, numbers, counts, times)
        paged = sum(len(page.events) for page in pages)
        if paged:
            put_pages(self._connection, pages)
            prints = fingerprints(ids[: paged * ID_BYTES])
            words = paired(prints, array("I", numbers[:paged]))
            self._runs().add(COMMIT_IDS, words, numbers[paged - 1])
        return paged

    # ------------------------------------------------------------------ single commits
    def find(self, commit_id: bytes) -> CommitRow | None:
        """The commit with this id, or None."""
        row = self._row("WHERE substr(id, 1, 4)=? AND id=?", (commit_id[:4], commit_id))
        if row is None and (pages := self.pages) is not None:
            return pages.find(commit_id)
        return row

    def by_number(self, number: int) -> CommitRow | None:
        """The commit whose block starts at this line, or None."""
        row = self._row("WHERE number=?", (number,))
        if row is None and (pages := self.pages) is not None:
            return pages.by_number(number)
        return row

    def owning(self, line: int) -> CommitRow | None:
        """The last commit whose block starts at this line or before."""
        row = self._row("WHERE number<=? ORDER BY number DESC LIMIT 1", (line,))
        if row is not None and line <= row.number + row.events:
            return row
        paged = None if (pages := self.pages) is None else pages.at_or_before(line)
        if row is None or (paged is not None and paged.number > row.number):
            return paged
        return row

    def up_to(self, number: int, limit: int) -> list[CommitRow]:
        """The last commits whose blocks start at this line or before, the newest first."""
        rows = self._rows("WHERE number<=? ORDER BY number DESC LIMIT ?", (number, limit))
        if (pages := self.pages) is None:
            return rows
        found: list[CommitRow] = []
        left = iter(rows)
        row = next(left, None)
        for paged in pages.newest_first(number):
            while row is not None and row.number > paged.number:
                found.append(row)
                row = next(left, None)
            if len(found) >= limit:
                break
            found.append(paged)
        if row is not None:
            found += [row, *left]
        return found[:limit]

    def between(self, first: int, end: int) -> list[CommitRow]:
        """The commits whose blocks start on lines [first, end), in order, rows unchecked: for
        saying what is lost."""
        rows = fetch_all(
            self._connection,
            f"SELECT {COLUMNS} FROM commits WHERE number>=? AND number<? ORDER BY number",
            (first, end),
        )
        found = [CommitRow(*values[:-1]) for values in rows]
        if (pages := self.pages) is not None:
            for row in pages.newest_first(end - 1):
                if row.number < first:
                    break
                found.append(row)
            found.sort(key=lambda row: row.number)
        return found

    def ids_between(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Ids of commits between two 32-byte bounds, both included."""
        rows = fetch_all(
            self._connection,
            "SELECT id FROM commits WHERE substr(id, 1, 4)>=? AND substr(id, 1, 4)<=?"
            " AND id>=? AND id<=? ORDER BY id LIMIT ?",
            (low[:4], high[:4], low, high, limit),
        )
        found = [row[0] for row in rows]
        if (pages := self.pages) is not None:
            found = sorted([*found, *pages.ids_between(low, high)])
        return found[:limit]

    def count(self) -> int:
        """How many commits are stored."""
        rows = int(fetch_one(self._connection, "SELECT count(*) FROM commits")[0])
        return rows + (0 if (pages := self.pages) is None else pages.count())

    # ------------------------------------------------------------------ along a chain
    def next(self, chain: int, size: int, height: int = ANY_HEIGHT) -> CommitRow | None:
        """The first commit of a chain whose (size, height) is greater."""
        row = self._row(
            "WHERE chain=? AND (size, height)>(?, ?) ORDER BY size, height LIMIT 1",
            (chain, size, height),
        )
        if height == ANY_HEIGHT and row is not None and row.size - row.added <= size:
            return row
        page = None if (pages := self.pages) is None else pages.after(chain, size, height)
        if page is None or (row is not None and (row.size, row.height) < page.first_key):
            return row
        assert pages is not None
        place = page.place_behind(size, height)
        return next(pages.rows(page, place, place + 1))

    def ascending(
        self, chain: int, size: int, height: int, last_size: int, last_height: int
    ) -> Iterator[CommitRow]:
        """The commits of a chain whose (size, height) is greater, in order, up to a last one."""
        for piece in self.pieces(chain, size, height, last_size, last_height):
            if isinstance(piece, CommitRow):
                yield piece
            elif (pages := self.pages) is not None:
                yield from pages.rows(*piece)

    def pieces(
        self, chain: int, size: int, height: int, last_size: int, last_height: int
    ) -> Iterator[CommitRow | PagePart]:
        """The same, those of a page together."""
        limit = _SMALL_READ
        while True:
            # Bounded by size as well, or a look at the past would scan all that came after.
            rows = self._rows(
                "WHERE chain=? AND (size, height)>(?, ?) AND size<=? AND height<=?"
                " ORDER BY size, height LIMIT ?",
                (chain, size, height, last_size, last_height, limit),
            )
            page = None if (pages := self.pages) is None else pages.after(chain, size, height)
            fetched = len(rows)
            if page is not None:
                rows = [row for row in rows if (row.size, row.height) < page.first_key]
            yield from rows
            if rows:
                size, height = rows[-1].size, rows[-1].height
            if len(rows) == limit:
                limit = _LARGE_READ
            elif pages is None or page is None or page.first_key > (last_size, last_height):
                return
            else:
                stop = page.place_behind(last_size, last_height)
                yield page, page.place_behind(size, height), stop
                if stop < len(page):
                    return
                size, height = page.last_key
                limit = max(_SMALL_READ, fetched)

    def descending(self, chain: int, size: int, height: int) -> Iterator[CommitRow]:
        """The commits of a chain whose (size, height) is smaller, the last one first."""
        limit = _SMALL_READ
        while True:
            rows = self._rows(
                "WHERE chain=? AND (size, height)<(?, ?) ORDER BY size DESC, height DESC LIMIT ?",
                (chain, size, height, limit),
            )
            page = None if (pages := self.pages) is None else pages.before(chain, size, height)
            if page is not None:
                rows = [row for row in rows if (row.size, row.height) > page.first_key]
            yield from rows
            if rows:
                size, height = rows[-1].size, rows[-1].height
            if len(rows) == limit:
                limit = _LARGE_READ
            elif pages is None or page is None:
                return
            else:
                yield from reversed(list(pages.rows(page, 0, page.place_behind(size, height - 1))))
                size, height = page.first_key

    def lines_of(self, chain: int, positions: list[int]) -> list[int]:
        """For each of these ascending positions the line of the event there, as far as a commit of
        a chain added it."""
        pages = self.pages
        lines = [NO_LINE] * len(positions) if pages is None else pages.lines_of(chain, positions)
        if NO_LINE in lines:
            others = [place for place, line in enumerate(lines) if line == NO_LINE]
            self._find_in_rows(chain, positions, others, lines)
            if NO_LINE in lines:
                return lines[: lines.index(NO_LINE)]
        return lines

    def _find_in_rows(
        self, chain: int, positions: list[int], wanted: list[int], lines: list[int]
    ) -> None:
        """Put the lines of some of ascending positions into `lines`, as far as rows go. `wanted`:
        places in both lists."""
        ends, rows = self._answers.known().setdefault(chain, ([], []))
        missing: list[int] = []
        for place in wanted:
            position = positions[place]
            at = bisect_right(ends, position)
            if at < len(ends) and rows[at].size - rows[at].added <= position:
                lines[place] = rows[at].line_at(position)
            else:
                missing.append(place)
        if missing:
            found = self._rows_holding(chain, [positions[place] for place in missing])
            for place, row in zip(missing, found, strict=False):
                position = positions[place]
                if row.size - row.added > position and self.pages is not None:
                    moved = self.next(chain, position)  # into a page, meanwhile
                    if moved is None:
                        break
                    row = moved
                lines[place] = row.line_at(position)

    def _rows_holding(self, chain: int, positions: list[int]) -> list[CommitRow]:
        """The commit that holds each of some ascending positions, as far as rows go; they are
        remembered."""
        ends, rows = self._answers.known().setdefault(chain, ([], []))
        if len(ends) + len(positions) > REMEMBERED_ROWS:
            del ends[:], rows[:]
        for row in self._rows(
            "WHERE number=(SELECT number FROM commits WHERE chain=?1 AND size>position"
            " ORDER BY size, height LIMIT 1) ORDER BY place",
            (chain, msgspec.json.encode(positions).decode()),
            "(SELECT key AS place, value AS position FROM json_each(?2)) CROSS JOIN commits",
        ):
            place = bisect_left(ends, row.size)
            if place == len(ends) or ends[place] != row.size:
                ends.insert(place, row.size)
                rows.insert(place, row)
        places = [bisect_right(ends, position) for position in positions]
        return [rows[place] for place in places if place < len(rows)]

    def any_merged(self, first: int, end: int) -> bool:
        """Did any commit whose block lies on lines [first, end) add others than its own events, or
        not all of them? (None in a page did.)"""
        found = fetch_one(
            self._connection,
            "SELECT 1 FROM commits WHERE number>=? AND number<? AND segment IS NOT NULL LIMIT 1",
            (first, end),
        )
        return found is not None

    # ------------------------------------------------------------------ rows
    def _row(self, where: str, values: Sequence[object]) -> CommitRow | None:
        row = fetch_one(self._connection, f"SELECT {COLUMNS} FROM commits {where}", values)
        return None if row is None else checked(row)

    def _rows(
        self, where: str, values: Sequence[object], source: str = "commits"
    ) -> list[CommitRow]:
        rows = fetch_all(self._connection, f"SELECT {COLUMNS} FROM {source} {where}", values)
        return list(map(checked, rows))


def _has_pages(connection: apsw.Connection) -> bool:
    """Is there any page, and a table of them?"""
    table = "SELECT 1 FROM sqlite_schema WHERE name='commit_pages'"
    return (
        fetch_one(connection, table) is not None
        and fetch_one(connection, "SELECT 1 FROM commit_pages LIMIT 1") is not None
    )
