"""The stream index: which positions of a log belong to a stream, at any point of any branch.

A posting is `stream number << 32 | position`. Postings are kept per chain (see `graph`), in sorted
runs (see `sorted_runs`); those of small recent commits still stand in the commits' own rows.
An older point is a filter on position, so branches share all postings from before their fork.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

import apsw
import msgspec

from evgit.history.commit_row import CommitRow, damaged_index
from evgit.history.graph import CommitGraph, Stretch
from evgit.history.words import decode_words, encode_words, low_halves, numbered
from evgit.storage.database import Answers, fetch_all, fetch_one, reading
from evgit.storage.sorted_runs import SortedRuns

POSITION_BITS = 32
STREAM_BITS = 32
POSITION_MASK = (1 << POSITION_BITS) - 1
REMEMBERED_NAMES = 200_000
MANY_NAMES = 16  # from this many new ones on, they are looked up and numbered together
PENDING_POSTINGS = 64  # more than these are moved from commit rows into a run


class StreamIndex:
    """Finds a stream's positions. Writing methods need the caller's write transaction."""

    def __init__(self, connection: apsw.Connection, graph: CommitGraph, runs: SortedRuns) -> None:
        self._connection = connection
        self._graph = graph
        self._runs = runs
        self._numbers: dict[str, int] = {}
        self._pending = Answers(connection)
        self._found = Answers(connection, 16)

    # ------------------------------------------------------------------ names
    def number(self, name: str) -> int | None:
        """The local number of a stream, or None if no commit of this repository has it."""
        known = self._numbers.get(name)
        if known is None:
            row = fetch_one(self._connection, "SELECT number FROM streams WHERE name=?", (name,))
            if row is None:
                return None
            known = _sound_number(name, row[0])
            if len(self._numbers) >= REMEMBERED_NAMES:
                self._numbers.clear()
            self._numbers[name] = known
        return known

    def numbers(self, names: Iterable[str]) -> dict[str, int]:
        """The local numbers of those of many streams that have one."""
        rows = fetch_all(
            self._connection,
            "SELECT name, number FROM streams WHERE name IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(list(names)).decode(),),
        )
        return {name: _sound_number(name, number) for name, number in rows}

    def all_numbers(self, limit: int) -> dict[str, int]:
        """The local numbers of all streams that have a sound one; none where there may be more than
        `limit`. For who will ask for most of them: it takes a fifth of asking for them."""
        (last,) = fetch_one(self._connection, "SELECT max(number) FROM streams")
        if not isinstance(last, int) or last > limit:
            return {}
        rows = fetch_all(self._connection, "SELECT name, number FROM streams")
        return {name: number for name, number in rows if isinstance(number, int) and number > 0}

    def name(self, number: int) -> str:
        """The stream with this local number."""
        row = fetch_one(self._connection, "SELECT name FROM streams WHERE number=?", (number,))
        return str(row[0])

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        """(name, local number) of all streams whose names start with `prefix`, by name."""
        rows = fetch_all(
            self._connection,
            "SELECT name, number FROM streams WHERE name>=? AND name<? ORDER BY name",
            (prefix, prefix + "\U0010ffff"),
        )
        if not all(isinstance(number, int) and number > 0 for _, number in rows):
            raise damaged_index("a stream has no number")
        return rows

    def _number_or_new(self, name: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO streams(name) VALUES(?)", (name,))
        if self._connection.changes():  # RETURNING would make a table of its own for the answer
            return _sound_number(name, self._connection.last_insert_rowid())
        row = fetch_one(self._connection, "SELECT number FROM streams WHERE name=?", (name,))
        return _sound_number(name, row[0])

    def forget_names(self) -> None:
        """Forget what was remembered, after a roll-back or a re-index."""
        self._numbers.clear()

    # ------------------------------------------------------------------ writing
    def postings(self, names: list[str], first_position: int) -> array[int]:
        """Postings of events that stand one after another from `first_position` on."""
        known = self._numbers
        found = numbered(names, known, first_position)
        if isinstance(found, set):
            if len(known) + len(found) > REMEMBERED_NAMES:
                known.clear()
                found = set(names)
            self._number_all(sorted(found))
            found = numbered(names, known, first_position)
            assert not isinstance(found, set)
        return found

    def kept_postings(self, names: list[str], first_position: int) -> bytes:
        """The same as a commit's row keeps them."""
        if len(names) > 1:
            return encode_words(sorted(self.postings(names, first_position)))
        number = self._numbers.get(names[0])
        if number is None:
            if len(self._numbers) >= REMEMBERED_NAMES:
                self._numbers.clear()
            number = self._numbers[names[0]] = self._number_or_new(names[0])
        return (number << POSITION_BITS | first_position).to_bytes(8, "little")

    def _number_all(self, names: list[str]) -> None:
        """Remember the numbers of streams, after giving the next ones to those that have none."""
        if len(names) < MANY_NAMES:
            for name in names:
                self._numbers[name] = self._number_or_new(name)
            return
        self._numbers.update(self.numbers(names))
        (last,) = fetch_one(self._connection, "SELECT max(number) FROM streams")
        new = [name for name in names if name not in self._numbers]
        numbered = list(enumerate(new, 1 if last is None else _sound_number("?", last) + 1))
        self._connection.executemany("INSERT INTO streams(number, name) VALUES(?,?)", numbered)
        self._numbers.update((name, number) for number, name in numbered)

    def has_room(self, covered: int, size: int) -> bool:
        """Can a commit's row keep its postings? (See `add`.)"""
        return size - covered < PENDING_POSTINGS

    def add(self, chain: int, covered: int, size: int, postings: array[int]) -> tuple[bytes, int]:
        """Add a commit's postings to its chain: (what its row keeps, how far runs reach now).

        `covered`: log size that the chain's runs reached so far; `size`: the commit's log size.
        """
        if self.has_room(covered, size):
            return encode_words(sorted(postings)), covered
        for (data,) in fetch_all(
            self._connection,
            "SELECT postings FROM commits WHERE chain=? AND size>? AND postings IS NOT NULL",
            (chain, covered),
        ):
            postings.extend(decode_words(data))
        self._runs.add(chain, postings, size)
        return b"", size

    def settle(self, chain: int) -> None:
        """Move what still stands in the rows of a chain's commits into a run."""
        row = self._graph.chain(chain)
        words = self.pending(chain)
        if words:
            self._runs.add(chain, words, row.size)
            settled = row._replace(covered=row.size)
            self._connection.execute(
                "UPDATE chains SET covered=?, checksum=? WHERE number=?",
                (settled.covered, settled.checksum(), chain),
            )

    # ------------------------------------------------------------------ reading
    def positions(self, row: CommitRow, size: int, stream: int, start: int = 0) -> list[int]:
        """The positions [start, size) of the commit's log that hold the stream's events."""
        known: list[int] | None = self._found.known().get((row.number, size, stream))
        if known is not None:
            return known[bisect_left(known, start) :] if start else known
        found: list[int] = []
        with reading(self._connection):
            for stretch in reversed(self._graph.lineage(row)):
                if stretch.end <= start:
                    continue
                low, high = self._bounds(stretch, size, stream)
                low = max(low, stream << POSITION_BITS | start)
                if low < high:
                    found += low_halves(self._runs.keys_between(stretch.chain, low, high))
                    found += self._pending_positions(stretch.chain, low, high)
        return found

    def count(self, row: CommitRow, size: int, stream: int) -> int:
        """How many of the log's first `size` events are of the stream."""
        count = 0
        with reading(self._connection):
            few = self._few_positions(row, size, stream)
            if few is not None:
                return len(few)
            for stretch in self._graph.lineage(row):
                low, high = self._bounds(stretch, size, stream)
                if low < high:
                    count += self._runs.count_between(stretch.chain, low, high)
                    count += len(self.pending(stretch.chain, low, high))
        return count

    def _few_positions(self, row: CommitRow, size: int, stream: int) -> list[int] | None:
        """All positions of a stream, kept for who reads them next; None where they are many."""
        known = self._found.known()
        found: list[int] | None = known.get((row.number, size, stream))
        if found is not None:
            return found
        found = []
        for stretch in reversed(self._graph.lineage(row)):
            low, high = self._bounds(stretch, size, stream)
            if low < high:
                words = self._runs.few_between(stretch.chain, low, high)
                if words is None:
                    return None
                found += low_halves(words)
                found += self._pending_positions(stretch.chain, low, high)
        known[row.number, size, stream] = found
        return found

    def revision(self, row: CommitRow, size: int, name: str) -> int:
        """The last revision of a stream in the log's first `size` events; -1: no such stream."""
        number = self.number(name)
        return -1 if number is None else self.count(row, size, number) - 1

    def counts(self, row: CommitRow, size: int) -> dict[int, tuple[int, int]]:
        """{stream number: (number of events, last position)} of the log's first `size` events.

        Reads all postings: about a tenth of a microsecond an event.
        """
        found: dict[int, tuple[int, int]] = {}
        with reading(self._connection):
            for stretch in reversed(self._graph.lineage(row)):
                end = min(stretch.end, size)
                words = self._runs.all_keys(stretch.chain)
                words.extend(self.pending(stretch.chain))
                for word in words:
                    position = word & POSITION_MASK
                    if stretch.start <= position < end:
                        stream = word >> POSITION_BITS
                        count, last = found.get(stream, (0, -1))
                        found[stream] = (count + 1, max(last, position))
        return found

    def _bounds(self, stretch: Stretch, size: int, stream: int) -> tuple[int, int]:
        base = stream << POSITION_BITS
        return base | stretch.start, base | min(stretch.end, size)

    def pending(self, chain: int, low: int = 0, high: int = 1 << 64) -> list[int]:
        """The chain's postings in [low, high) that still stand in commits' own rows."""
        known = self._pending.known()
        words: list[int] | None = known.get(chain)
        if words is None:
            rows = fetch_all(
                self._connection,
                "SELECT postings FROM commits WHERE chain=?1 AND postings IS NOT NULL"
                " AND size>(SELECT covered FROM chains WHERE number=?1) ORDER BY size, height",
                (chain,),
            )
            words = known[chain] = sorted(word for (data,) in rows for word in decode_words(data))
        return words[bisect_left(words, low) : bisect_left(words, high)] if words else []

    def _pending_positions(self, chain: int, low: int, high: int) -> list[int]:
        words = self.pending(chain, low, high)
        return [word & POSITION_MASK for word in words] if words else words


def _sound_number(name: str, number: object) -> int:
    if isinstance(number, int) and 0 < number < 1 << STREAM_BITS:
        return number
    raise damaged_index(f"the number of stream {name!r} is {number}")
