"""Finds stored events by id, id prefix or idempotency key.

Two families of sorted runs hold `fingerprint << 32 | line`: of ids (their first four bytes), and of
stream and key (four bytes of a hash). A fingerprint only points at lines to look at: the line's
own bytes decide. Entries of small recent commits still stand in the commits' own rows.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

import apsw

from evgit.formats.boundary import line_id
from evgit.formats.canonical import digest
from evgit.formats.hashing import ID_BYTES, joined_ids
from evgit.history.commit_row import damaged_index
from evgit.history.words import decode_words, encode_words, paired
from evgit.storage.blocks import BlockStore
from evgit.storage.database import fetch_all, reading
from evgit.storage.sorted_runs import SortedRuns

IDS = -1
KEYS = -2
LINE_BITS = 32
LINE_MASK = (1 << LINE_BITS) - 1
PENDING_LINES = 128  # more than these are moved from commit rows into runs
BULK_LOOKUP = 64  # from this many ids on, all fingerprints are loaded once and kept
CHECKED_BLOCKS = 8


def id_fingerprint(event_id: bytes) -> int:
    """The first four bytes, as a number."""
    return int.from_bytes(event_id[:4], "big")


def short_fingerprints(ids: Sequence[bytes]) -> bytes:
    """The fingerprints of a few ids, as their commit's row keeps them."""
    return b"".join([event_id[3::-1] for event_id in ids])  # least byte first


def id_words(ids: Sequence[bytes], first_line: int) -> array[int]:
    """The words of events on lines one after another."""
    lines = array("I", range(first_line, first_line + len(ids)))
    return paired(fingerprints(joined_ids(ids)), lines)


def fingerprints(joined: bytes) -> array[int]:
    """`id_fingerprint` of ids that stand one after another."""
    prints = array("I", joined)[:: ID_BYTES // 4]
    if sys.byteorder == "little":
        prints.byteswap()
    return prints


def key_fingerprint(stream: str, key: str) -> int:
    """Four bytes of a hash of stream and key (no control characters in either)."""
    return int.from_bytes(digest(f"{stream}\0{key}".encode())[:4], "big")


class EventIndex:
    """Look-ups by id and key. Writing needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection, runs: SortedRuns, blocks: BlockStore) -> None:
        self._connection = connection
        self._runs = runs
        self._blocks = blocks
        self._loaded: dict[int, _Loaded] = {}
        self._checked: dict[int, list[bytes]] = {}
        self._reach: int | None = None

    # ------------------------------------------------------------------ writing
    def add(
        self,
        first_line: int,
        next_line: int,
        ids: Sequence[bytes],
        keys: Sequence[tuple[int, str, str]],
    ) -> tuple[bytes, bytes | None]:
        """Index a block's events; returns what its commit's row keeps, (b"", None) once in runs.

        `ids`: of the lines from `first_line` on. `keys`: (line, stream, key) where there is a key.
        `next_line`: the line after the block.
        """
        key_words = [key_fingerprint(s, k) << LINE_BITS | line for line, s, k in keys]
        reach = self._runs.reach(IDS) if self._reach is None else self._reach
        self._reach = reach
        if next_line - reach <= PENDING_LINES:
            return short_fingerprints(ids), encode_words(key_words) if key_words else None
        self._add(id_words(ids, first_line), key_words, reach, next_line)
        return b"", None

    def add_all(
        self,
        lines: array[int],
        next_line: int,
        event_ids: bytes,
        keys: Sequence[tuple[int, str, str]],
    ) -> None:
        """Index the events of many blocks at once, in runs. `lines`: of the events, 32 bits each;
        `event_ids`: theirs, one after another."""
        key_words = [key_fingerprint(s, k) << LINE_BITS | line for line, s, k in keys]
        reach = self._runs.reach(IDS) if self._reach is None else self._reach
        self._add(paired(fingerprints(event_ids), lines), key_words, reach, next_line)

    def _add(self, words: array[int], key_words: list[int], reach: int, next_line: int) -> None:
        """Put words into runs, with those that still stand in commits' rows."""
        words.extend(self._pending_ids(reach))
        key_words += self._pending_keys(reach)
        self._runs.add(IDS, words, next_line - 1)
        self._reach = next_line - 1
        if key_words:
            self._runs.add(KEYS, key_words, next_line - 1)
        added: Iterable[int]
        for family, added in ((IDS, words), (KEYS, key_words)):
            loaded = self._loaded.get(family)
            if loaded is not None and loaded.reach == reach:
                loaded.extend(added, next_line - 1)

    def settle(self, next_line: int) -> None:
        """Move what still stands in commits' own rows into runs. `next_line`: to be stored."""
        ids, keys = self.pending(IDS), self.pending(KEYS)
        for family, words in ((IDS, ids), (KEYS, keys)):
            if words:
                self._runs.add(family, words, next_line - 1)
        self.forget()

    def has_room(self, next_line: int) -> bool:
        """Is it known that a commit's row can keep what ends before this line?"""
        return self._reach is not None and next_line - self._reach <= PENDING_LINES

    def _pending_ids(self, reach: int) -> list[int]:
        rows = fetch_all(
            self._connection,
            "SELECT number, fingerprints FROM commits WHERE number>? AND fingerprints IS NOT NULL",
            (reach,),
        )
        words: list[int] = []
        for number, data in rows:
            if not isinstance(data, bytes) or len(data) % 4:
                raise damaged_index("fingerprints in a commit's row are cut off")
            packed = array("I", data)
            if sys.byteorder == "big":
                packed.byteswap()
            words += [print_ << LINE_BITS | line for line, print_ in enumerate(packed, number)]
        return words

    def _pending_keys(self, reach: int) -> list[int]:
        rows = fetch_all(
            self._connection,
            "SELECT keys FROM commits WHERE number>? AND keys IS NOT NULL",
            (reach,),
        )
        return [word for (data,) in rows for word in decode_words(data)]

    def pending(self, family: int) -> list[int]:
        """The words of a family that still stand in commits' own rows."""
        reach = self._runs.reach(IDS)
        return self._pending_ids(reach) if family == IDS else self._pending_keys(reach)

    # ------------------------------------------------------------------ reading
    def find(self, ids: Iterable[bytes]) -> dict[bytes, int]:
        """{id: line} of those events that are stored."""
        wanted = list(ids)
        with reading(self._connection):
            candidates = self._candidates(IDS, [id_fingerprint(i) for i in wanted])
            found = {}
            for event_id in wanted:
                for line in candidates.get(id_fingerprint(event_id), ()):
                    if self._id_at(line, bulk=len(wanted) >= BULK_LOOKUP) == event_id:
                        found[event_id] = line
                        break
        return found

    def with_prefix(self, low: bytes, high: bytes, limit: int) -> list[tuple[bytes, int]]:
        """(id, line) of stored events with low <= id <= high (32-byte bounds), up to `limit`."""
        with reading(self._connection):
            first = id_fingerprint(low) << LINE_BITS
            last = (id_fingerprint(high) + 1) << LINE_BITS
            words = self._runs.keys_between(IDS, first, last)
            pending = self._pending_ids(self._runs.reach(IDS))
            words.extend([word for word in pending if first <= word < last])
            found = []
            for word in words:
                event_id = self._id_at(word & LINE_MASK)
                if id_fingerprint(event_id) != word >> LINE_BITS:
                    continue  # an `again` line: its event is found on its own line
                if low <= event_id <= high:
                    found.append((event_id, word & LINE_MASK))
                    if len(found) >= limit:
                        break
        return found

    def lines_with_key(self, stream: str, key: str) -> list[int]:
        """Lines that may hold an event of this stream with this key, in order of storing."""
        return self.lines_with_keys([(stream, key)])[0]

    def lines_with_keys(self, pairs: Sequence[tuple[str, str]]) -> list[list[int]]:
        """The same for many (stream, key) pairs at once, parallel to them."""
        fingerprints = [key_fingerprint(stream, key) for stream, key in pairs]
        with reading(self._connection):
            candidates = self._candidates(KEYS, fingerprints)
        return [sorted(candidates.get(fingerprint, ())) for fingerprint in fingerprints]

    def fingerprints_of_lines(self, first: int, count: int) -> dict[int, str]:
        """{line: 8 hex digits of its event's id}, for naming events that can't be read.

        Looks through the whole index, so it is for reporting damage only.
        """
        with reading(self._connection):
            words = self._runs.all_keys(IDS)
            words.extend(self._pending_ids(self._runs.reach(IDS)))
        end = first + count
        return {
            word & LINE_MASK: f"{word >> LINE_BITS:08x}"
            for word in words
            if first <= (word & LINE_MASK) < end
        }

    def forget_reach(self) -> None:
        """Forget how far the runs reach: somebody else may have written since."""
        self._reach = None

    def forget(self) -> None:
        """Forget what was loaded, after a roll-back or a re-index."""
        self._reach = None
        self._loaded.clear()
        self._checked.clear()

    def _candidates(self, family: int, fingerprints: list[int]) -> dict[int, list[int]]:
        reach = self._runs.reach(IDS)
        found: defaultdict[int, list[int]] = defaultdict(list)
        if len(fingerprints) < BULK_LOOKUP:
            for fingerprint in set(fingerprints):
                low = fingerprint << LINE_BITS
                for word in self._runs.keys_between(family, low, low + LINE_MASK + 1):
                    found[fingerprint].append(word & LINE_MASK)
        else:
            for words in self._all(family, reach).arrays:
                for fingerprint in set(fingerprints):
                    place = bisect_left(words, fingerprint << LINE_BITS)
                    while place < len(words) and words[place] >> LINE_BITS == fingerprint:
                        found[fingerprint].append(words[place] & LINE_MASK)
                        place += 1
        wanted = set(fingerprints)
        for word in self.pending(family):
            if word >> LINE_BITS in wanted:
                found[word >> LINE_BITS].append(word & LINE_MASK)
        return found

    def _all(self, family: int, reach: int) -> _Loaded:
        loaded = self._loaded.get(family)
        if loaded is None or loaded.reach != reach:
            loaded = self._loaded[family] = _Loaded(reach, self._runs.all_keys(family))
        return loaded

    def _id_at(self, line: int, *, bulk: bool = False) -> bytes:
        if not bulk:
            return line_id(self._blocks.line(line, closed=True))
        entry = self._blocks.entry(line)
        ids = self._checked.get(entry.first_line)
        if ids is None:
            ids = [line_id(text) for text in self._blocks.lines(entry.first_line, entry.line_count)]
            if len(self._checked) >= CHECKED_BLOCKS:
                self._checked.pop(next(iter(self._checked)))
            self._checked[entry.first_line] = ids
        return ids[line - entry.first_line]


class _Loaded:
    """All words of a family in memory, 8 bytes each, while one process keeps looking up in bulk.

    Sorted arrays, each at least four times as long as the next one, so that a batch of new words
    costs no pass over the old ones.
    """

    def __init__(self, reach: int, words: array[int]) -> None:
        self.reach = reach
        self.arrays = [words]

    def extend(self, words: Iterable[int], reach: int) -> None:
        self.reach = reach
        self.arrays.append(array("Q", sorted(words)))
        while len(self.arrays) > 1 and len(self.arrays[-2]) < 4 * len(self.arrays[-1]):
            last = self.arrays.pop()
            last.extend(self.arrays.pop())
            self.arrays.append(array("Q", sorted(last)))
