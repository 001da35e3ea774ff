"""Sets of unsigned 64-bit keys, written as sorted runs that are merged four into one.

This is a small log-structured merge index: each addition is one sorted run, and whenever four runs
of one level stand together they become one run of the next level. So adding costs O(log n)
amortized, a look-up costs one or two pages in each of O(log n) runs, and no SQLite row is spent on
a single key. Additions of one transaction can be gathered: they become one run, of the level that
its length would have brought it to, and the passes over its keys up to there are saved. What a key
means is the caller's business: this module knows only numbers.

Pages hold up to 512 keys: the keys' bytes in columns (all first bytes, all second bytes, …, so
that what sorted keys have in common stands together), compressed with zstd.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter

import apsw
import zstandard

from evgit.errors import Damage
from evgit.storage.database import Answers, fetch_all, fetch_one
from evgit.storage.key_order import columns_of, in_order, keys_of
from evgit.storage.run_directory import PagePlace, RunDirectory

PAGE_KEYS = 512
APART_KEYS = 1024  # to a page of those that stand apart: a little smaller, a little slower
FAN_IN = 4
MERGE_CHUNK_KEYS = 65_536
KEY_LIMIT = 1 << 64
FEW_PAGES = 16  # for which keys are counted one by one
REMEMBERED_PAGES = 2048  # 4 or 8 KiB of keys each, when decoded
RUN_KEYS = 64  # a run of four times as many is of level 1, of sixteen times as many of level 2
GATHERED_KEYS = 131_072
LOOK_UPS = 4  # so many look-ups, and one more for every 32 pages, are worth reading a directory
DIRECTORY_KEYS = 1 << 26  # no directory of a family that has more

Page = bytes | PagePlace
"""A page as it is stored, or where it is."""


class SortedRuns:
    """The runs of all families in one database. A family is a set of keys of its own.

    Writing methods must be called inside a write transaction; reading ones that touch several
    runs inside a read transaction, as a merge in another process replaces runs.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # Not shared: a zstd context must not be used by two threads at once.
        self._compress = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        # By its bytes, not by its place: a page that another process replaced is not found here.
        self._remembered: dict[bytes, array[int]] = {}
        self._directories = Answers(connection, 1024)
        self._pages_of_view = Answers(connection, REMEMBERED_PAGES)
        self._gathering = False
        self._gathered: dict[int, tuple[array[int], int]] = {}

    def add(self, family: int, keys: Iterable[int], last: int) -> None:
        """Add keys as one run. `last`: how far the family now reaches, in the caller's measure."""
        if not self._gathering:
            self._add_run(family, keys, last)
            return
        held, _ = self._gathered.get(family, (array("Q"), last))
        held.extend(keys)
        self._gathered[family] = held, last
        if len(held) >= GATHERED_KEYS:
            self._settle(family)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Inside, keys that are added are held back, to become one run a family at the end.

        They are found all the same. After an exception they are forgotten, as the caller's
        transaction is undone.
        """
        if self._gathering:
            yield
            return
        self._gathering = True
        try:
            yield
            for family in list(self._gathered):
                self._settle(family)
        finally:
            self._gathering = False
            self._gathered.clear()

    def consolidate(self, family: int) -> None:
        """Make one run of all of a family's, with its pages apart, where that is worth it: what is
        not in its largest run is at least a quarter of that."""
        self._settle(family)
        rows = fetch_all(
            self._connection,
            "SELECT number, level, last, entries, (SELECT typeof(data) FROM run_pages"
            " WHERE run=number LIMIT 1) FROM runs WHERE family=? ORDER BY number",
            (family,),
        )
        if not rows:
            return
        total = sum(row[3] for row in rows)
        _, _, _, largest, kind = max(rows, key=itemgetter(3))
        if kind != "blob" and 4 * (total - largest) <= largest:
            return
        merged = self._new_run(family, max(_level(total), *(row[1] for row in rows)), rows[-1][2])
        sources = [row[0] for row in rows]
        self._write_pages(merged, self._merged_chunks(sources), apart=True)
        self._drop(sources)

    def retain(self, family: int, chosen: Callable[[array[int]], Iterable[int]]) -> None:
        """Keep only those keys that are `chosen` of each ascending part of a family's."""
        self._settle(family)
        rows = fetch_all(
            self._connection,
            "SELECT number, level, last FROM runs WHERE family=? ORDER BY number",
            (family,),
        )
        if not rows:
            return
        merged = self._new_run(family, max(row[1] for row in rows), rows[-1][2])
        sources = [row[0] for row in rows]
        parts = (array("Q", chosen(keys)) for keys in self._merged_chunks(sources))
        self._write_pages(merged, filter(None, parts), apart=True)
        self._drop(sources)

    def reach(self, family: int) -> int:
        """`last` of the family's newest run; -1 where there is none."""
        if family in self._gathered:
            return self._gathered[family][1]
        row = fetch_one(
            self._connection,
            "SELECT last FROM runs WHERE family=? ORDER BY number DESC LIMIT 1",
            (family,),
        )
        return -1 if row is None else int(row[0])

    def keys_between(self, family: int, low: int, high: int) -> array[int]:
        """All keys k with low <= k < high, ascending."""
        return self._keys_in(self._pages_between(family, low, high), low, high)

    def few_between(self, family: int, low: int, high: int) -> array[int] | None:
        """The same; None where they may stand on more than a few pages."""
        found = self._pages_between(family, low, high, FEW_PAGES + 1)
        return None if len(found) > FEW_PAGES else self._keys_in(found, low, high)

    def _keys_in(self, pages: Sequence[Page], low: int, high: int) -> array[int]:
        found, ascending = array("Q"), True
        for page in pages:
            keys = self._page(page)
            start = bisect_left(keys, low)
            keys = keys[start : bisect_left(keys, high, start)]
            if len(pages) == 1:
                return keys
            ascending = ascending and not (found and keys and keys[0] < found[-1])
            found += keys
        return found if ascending else in_order(found)

    def count_between(self, family: int, low: int, high: int) -> int:
        """How many keys k have low <= k < high, without reading them all where they are many."""
        found = self._pages_between(family, low, high, FEW_PAGES + 1)
        if len(found) <= FEW_PAGES:
            pages = map(self._page, found)
            return sum(bisect_left(page, high) - bisect_left(page, low) for page in pages)
        return self._rank(family, high) - self._rank(family, low)

    def _pages_between(self, family: int, low: int, high: int, limit: int = -1) -> Sequence[Page]:
        """The pages of all runs that may hold keys k with low <= k < high, or `limit` of them."""
        if low >= high:
            return []
        self._settle(family)
        directory = self._directory(family)
        if directory is not None:
            return directory.between(low, high, limit)
        # One statement for all runs: from the page that may hold `low` in each.
        rows = fetch_all(
            self._connection,
            "SELECT data FROM runs JOIN run_pages ON run=number WHERE family=?1 AND first<=?3"
            " AND first>=coalesce((SELECT max(first) FROM run_pages WHERE run=number"
            " AND first<=?2), x'') LIMIT ?4",
            (family, _as_bytes(low), _as_bytes(high - 1), limit),
        )
        return [data for (data,) in rows]

    def all_keys(self, family: int) -> array[int]:
        """Every key of the family in ascending order: 8 bytes a key of memory."""
        everything = array("Q")
        for chunk in self.chunks(family):
            everything.extend(chunk)
        return everything if len(self._runs(family)) < 2 else in_order(everything)

    def chunks(self, family: int) -> Iterator[array[int]]:
        """Every key of the family, run by run, some tens of thousands at a time."""
        for run in self._runs(family):
            yield from self._iterate(run)

    def pages(self, family: int) -> Iterator[tuple[array[int], bool]]:
        """(keys, are they in order and where the page says?) of every page, for checking."""
        for run in self._runs(family):
            ordinal, before, after = 0, -1, b""
            while rows := fetch_all(
                self._connection,
                "SELECT first, ordinal, data FROM run_pages WHERE run=? AND first>?"
                " ORDER BY first LIMIT 64",
                (run, after),
            ):
                for first, place, data in rows:
                    keys = self._decode_page(data)
                    sound = first == _as_bytes(keys[0]) and place == ordinal and before < keys[0]
                    yield keys, sound and list(keys) == sorted(keys)
                    ordinal, before, after = ordinal + len(keys), keys[-1], first

    # ------------------------------------------------------------------ runs and pages
    def _settle(self, family: int) -> None:
        """Make a run of what was gathered of a family."""
        if self._gathered and family in self._gathered:
            self._add_run(family, *self._gathered.pop(family))

    def _add_run(self, family: int, keys: Iterable[int], last: int) -> None:
        ordered = in_order(keys)
        level = _level(len(ordered))
        if level:
            # Shorter runs must not stand before it: no others would ever come to join them.
            shorter = self._newest_below(family, level)
            for run in shorter:
                for chunk in self._iterate(run):
                    ordered.extend(chunk)
            if shorter:
                ordered = in_order(ordered)
                self._drop(shorter)
        self._write_pages(self._new_run(family, level, last), [ordered])
        self._merge(family)

    def _newest_below(self, family: int, level: int) -> list[int]:
        """The newest runs that are all of a lower level."""
        found = []
        for number, found_level in fetch_all(
            self._connection,
            "SELECT number, level FROM runs WHERE family=? ORDER BY number DESC",
            (family,),
        ):
            if found_level >= level:
                break
            found.append(number)
        return found

    def _drop(self, runs: Iterable[int]) -> None:
        for run in runs:
            apart = fetch_all(
                self._connection,
                "SELECT data FROM run_pages WHERE run=? AND typeof(data)='integer'",
                (run,),
            )
            if apart:
                self._connection.executemany("DELETE FROM run_page_data WHERE number=?", apart)
            self._connection.execute("DELETE FROM run_pages WHERE run=?", (run,))
            self._connection.execute("DELETE FROM runs WHERE number=?", (run,))

    def _runs(self, family: int) -> list[int]:
        self._settle(family)
        rows = fetch_all(
            self._connection, "SELECT number FROM runs WHERE family=? ORDER BY number", (family,)
        )
        return [number for (number,) in rows]

    def _new_run(self, family: int, level: int, last: int) -> int:
        (number,) = fetch_one(
            self._connection,
            "INSERT INTO runs(family, level, last, entries) VALUES(?,?,?,0) RETURNING number",
            (family, level, last),
        )
        return int(number)

    def _write_pages(self, run: int, chunks: Iterable[array[int]], *, apart: bool = False) -> None:
        """Write a run's keys. `apart`: pages in a table of their own, where they waste nothing of
        the database's, and are not read in passing while another is looked for."""
        ordinal = number = 0
        page_keys = APART_KEYS if apart else PAGE_KEYS
        if apart:
            (number,) = fetch_one(
                self._connection, "SELECT coalesce(max(number), 0) FROM run_page_data"
            )
        for chunk in chunks:
            pages = []
            for start in range(0, len(chunk), page_keys):
                keys = chunk[start : start + page_keys]
                page: bytes | int = self._encode_page(keys)
                if apart:
                    number += 1
                    self._connection.execute(
                        "INSERT INTO run_page_data(number, data) VALUES(?,?)", (number, page)
                    )
                    page = number
                pages.append((run, _as_bytes(keys[0]), ordinal, page))
                ordinal += len(keys)
            self._connection.executemany(
                "INSERT INTO run_pages(run, first, ordinal, data) VALUES(?,?,?,?)", pages
            )
        self._connection.execute("UPDATE runs SET entries=? WHERE number=?", (ordinal, run))

    def _merge(self, family: int) -> None:
        while True:
            rows = fetch_all(
                self._connection,
                "SELECT number, level, last FROM runs WHERE family=? ORDER BY number DESC LIMIT ?",
                (family, FAN_IN),
            )
            if len(rows) < FAN_IN or any(level != rows[0][1] for _, level, _ in rows):
                return
            sources = [number for number, _, _ in rows]
            merged = self._new_run(family, rows[0][1] + 1, rows[0][2])
            self._write_pages(merged, self._merged_chunks(sources))
            self._drop(sources)

    def _merged_chunks(self, sources: list[int]) -> Iterator[array[int]]:
        """The keys of several runs in order, some tens of thousands at a time.

        Every round takes from each run what lies below the smallest last key of the chunks held,
        so that memory stays bounded however long the runs are.
        """
        iterators = [self._iterate(run) for run in sources]
        held: list[array[int]] = [array("Q") for _ in sources]
        exhausted = [False] * len(sources)
        while True:
            for place, iterator in enumerate(iterators):
                while not held[place] and not exhausted[place]:
                    chunk = next(iterator, None)
                    if chunk is None:
                        exhausted[place] = True
                    else:
                        held[place] = chunk
            live = [place for place, keys in enumerate(held) if keys]
            if not live:
                return
            bound = min(held[place][-1] for place in live)
            taken = array("Q")
            for place in live:
                end = (
                    bisect_left(held[place], bound + 1)
                    if bound + 1 < KEY_LIMIT
                    else len(held[place])
                )
                taken += held[place][:end]
                held[place] = held[place][end:]
            yield in_order(taken)

    def _iterate(self, run: int) -> Iterator[array[int]]:
        """The keys of a run in order, in arrays of up to MERGE_CHUNK_KEYS."""
        after = b""
        while True:
            rows = fetch_all(
                self._connection,
                "SELECT first, data FROM run_pages WHERE run=? AND first>? ORDER BY first LIMIT ?",
                (run, after, MERGE_CHUNK_KEYS // PAGE_KEYS),
            )
            if not rows:
                return
            chunk = array("Q")
            for _, data in rows:
                chunk.extend(self._decode_page(data))
            after = rows[-1][0]
            yield chunk

    def _encode_page(self, keys: array[int]) -> bytes:
        return self._compress(columns_of(keys))

    def _directory(self, family: int) -> RunDirectory | None:
        """Where the pages of a family are, once enough were looked for since anybody wrote."""
        known = self._directories.known()
        found: RunDirectory | int = known.get(family, 0)
        if isinstance(found, RunDirectory):
            return found
        known[family] = found + 1
        if found < LOOK_UPS or found % LOOK_UPS:
            return None
        (keys,) = fetch_one(
            self._connection, "SELECT sum(entries) FROM runs WHERE family=?", (family,)
        )
        if not isinstance(keys, int) or keys > min(DIRECTORY_KEYS, found * 32 * PAGE_KEYS):
            return None
        rows = fetch_all(
            self._connection,
            "SELECT run, first, CASE typeof(data) WHEN 'integer' THEN data END"
            " FROM runs JOIN run_pages ON run=number WHERE family=? ORDER BY run, first",
            (family,),
        )
        if not all(isinstance(first, bytes) and len(first) == 8 for _, first, _ in rows):
            return None  # damaged: statements may find something all the same
        made = known[family] = RunDirectory(rows)
        return made

    def _page(self, page: Page) -> array[int]:
        """The keys of a page that may be looked at again soon; not to be changed."""
        if isinstance(page, bytes):
            return self._page_of(page)
        known = self._pages_of_view.known()
        keys: array[int] | None = known.get(page)
        if keys is None:
            keys = known[page] = self._page_of(self._data(page))
        return keys

    def _page_of(self, page: bytes) -> array[int]:
        keys = self._remembered.pop(page, None)
        if keys is None:
            keys = self._decode_page(page)
            if len(self._remembered) >= REMEMBERED_PAGES:
                del self._remembered[next(iter(self._remembered))]
        self._remembered[page] = keys  # the last one asked for is the last one to go
        return keys

    def _data(self, page: Page) -> bytes:
        """A page's bytes, which may stand apart."""
        if isinstance(page, bytes):
            return page
        if isinstance(page, tuple):
            row = fetch_one(
                self._connection,
                "SELECT data FROM run_pages WHERE run=? AND first=?",
                (page[0], _as_bytes(page[1])),
            )
        else:
            row = fetch_one(
                self._connection, "SELECT data FROM run_page_data WHERE number=?", (page,)
            )
        if row is None or not isinstance(row[0], bytes):
            raise Damage("a page of an index is missing", hint="`evgit reindex` rebuilds the index")
        return row[0]

    def _decode_page(self, page: bytes | int) -> array[int]:
        try:
            return keys_of(self._decompress(self._data(page)))
        except (zstandard.ZstdError, ValueError) as error:
            raise Damage(
                f"a page of an index is damaged: {error}", hint="`evgit reindex` rebuilds the index"
            ) from None

    def _rank(self, family: int, key: int) -> int:
        """How many keys of the family are below `key`."""
        self._settle(family)
        rows = fetch_all(
            self._connection,
            "SELECT ordinal, data FROM runs JOIN run_pages ON run=number WHERE family=?1 AND first="
            "(SELECT max(first) FROM run_pages WHERE run=number AND first<=?2)",
            (family, _as_bytes(key)),
        )
        return sum(ordinal + bisect_left(self._page(data), key) for ordinal, data in rows)


def _level(count: int) -> int:
    """The level of a run of so many keys: that to which runs of 64 would have been merged."""
    return (count // RUN_KEYS).bit_length() - 1 >> 1 if count >= RUN_KEYS else 0


def _as_bytes(key: int) -> bytes:
    return min(key, KEY_LIMIT - 1).to_bytes(8, "big")
