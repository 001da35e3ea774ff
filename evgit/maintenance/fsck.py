"""Checks every stored byte against what it must be: hashes, canonical form, order, log roots.

What it finds, it reports, with the ids that are hit; it changes nothing. It works block by block in
the order of storing, so that each commit is judged on ones that have been judged already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from evgit.errors import Damage, DamagedObject, EvgitError, InvalidObject, UnsupportedFormat
from evgit.formats.canonical import digest, object_id
from evgit.formats.commit import Commit, decode_commit, verified_commit
from evgit.formats.event import EventBatch, batch_from_stored
from evgit.history.boundary_index import is_boundary_block, unfold
from evgit.history.commit_row import CommitRow
from evgit.history.derive import commit_to_index, order_problem, split_again
from evgit.history.frontiers import Frontiers
from evgit.history.given_states import given_state_problems
from evgit.history.history import History
from evgit.maintenance.block_check import (
    GROUP_BLOCKS,
    GROUP_BYTES,
    Block,
    SoundBlock,
    checked,
    packed,
    unpacked,
)
from evgit.maintenance.index_check import IndexCheck
from evgit.maintenance.pack_check import pack_problems
from evgit.maintenance.ref_check import RefCheck
from evgit.maintenance.salvage import last_line, readable_blocks
from evgit.maintenance.seen import Seen
from evgit.storage.blobs import BlobStore
from evgit.storage.blocks import LINE_LIMIT, BlockData, BlockEntry
from evgit.storage.database import integrity_problems, reading
from evgit.storage.database_errors import translate_errors
from evgit.storage.refs import RefStore

Progress = Callable[[int, int], None]
PAGES_BETWEEN = 32
"""Pages of indexes that are read between two groups of blocks: more than a group's events fill."""
_ID = re.compile(r"\b[0-9a-f]{64}\b")


class _Gap(NamedTuple):
    """Blocks that can't be read, behind the one at line `after`."""

    after: int
    error: EvgitError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `kind`: damage, format, order, index, ref, blob, database, lost."""

    kind: str
    message: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotHere:
    """A boundary of a shallow repository: of the first `size` events of its log `absent` are known
    by their ids alone, which were checked, and their streams, which can't be."""

    commit: str
    size: int
    absent: int


@dataclass(slots=True)
class FsckReport:
    """What was checked, and what was found. `boundaries`: behind which nothing is here."""

    commits: int = 0
    events: int = 0
    blobs: int = 0
    problems: list[Problem] = field(default_factory=list)
    boundaries: list[NotHere] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.problems


def fsck(
    history: History,
    refs: RefStore,
    blobs: BlobStore,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> FsckReport:
    """Check a whole repository. Reads everything; needs 8 bytes of memory an event.

    `jobs`: how many processes check blocks; 1: this one alone; None: as many as are worth it. What
    is found does not depend on it.
    """
    check = _Fsck(history, blobs)
    pointing = RefCheck(history, blobs, check.seen, check.add)

    def operations() -> None:
        if check.report.clean:  # otherwise what is wrong has better names
            pointing.operations(refs)

    with reading(history.connection):  # one view of it all, whatever others append meanwhile
        for part in (
            lambda: check.blocks(progress, jobs),
            check.files,
            pointing.tags,
            lambda: pointing.refs(refs),
            operations,
            check.blobs,
        ):
            check.run(part)
    return check.report


class _Fsck:
    def __init__(self, history: History, blobs: BlobStore) -> None:
        self._history = history
        self._path = Path(history.connection.filename)
        self._blob_store = blobs
        self._frontiers = Frontiers(history)
        self._index = IndexCheck(history)
        self.seen = Seen()
        self._commit = ""  # the one that is looked at
        self._bad: set[int] = set()
        self._damaged: set[str] = set()
        self._files_checked = False
        self.report = FsckReport()

    def add(self, kind: str, message: str, *ids: str) -> None:
        self.report.problems.append(Problem(kind, message, ids))

    def run(self, part: Callable[[], None]) -> None:
        """Do one part of the check; what ends it early is reported, and the others go on."""
        try:
            with translate_errors(self._path):
                part()
        except EvgitError as error:
            self._bad.add(-1)
            self.add("database", error.message)
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            # Tables are typed; only damage puts a NULL or a text where there was a number.
            self._bad.add(-1)
            self.add("database", f"a row holds what was never written to it ({error})")

    def files(self) -> None:
        """Check each file as a whole, if that was not done yet."""
        if not self._files_checked:
            self._files_checked = True
            self.run(self._database)
            self.run(self._packs)

    def _database(self) -> None:
        for text in integrity_problems(self._history.connection):
            self.add("database", text)

    def _packs(self) -> None:
        for text in pack_problems(self._history):
            self.add("damage", text)

    # ------------------------------------------------------------------ blocks
    def blocks(self, progress: Progress | None, jobs: int | None) -> None:
        expected_line, total = 0, last_line(self._history)
        groups = ((group, packed(_blocks_of(group))) for group in self._groups(total))
        index_pages = self._index.look_ahead()
        for group, answer in checked(groups, jobs, total, self.files):
            for _ in islice(index_pages, PAGES_BETWEEN):  # others work meanwhile
                pass
            sound = unpacked(_blocks_of(group), answer)
            for found in group:
                if isinstance(found, _Gap):
                    self._unreadable(found)
                    continue
                entry, data = found
                if entry.first_line != expected_line:
                    self._missing(expected_line, entry.first_line)
                expected_line = entry.first_line + entry.line_count
                self._commit = ""
                try:
                    with translate_errors(self._path):
                        self._block(entry, data, next(sound))
                except EvgitError as error:
                    self._bad.add(entry.first_line)
                    self._add_error(error)
                self.report.commits += 1
                if progress:
                    progress(expected_line, total)
        self._missing(expected_line, LINE_LIMIT)
        self._repeated_events()
        if not self._bad:
            for text in self._index.problems():
                self.add("index", text)

    def _groups(self, total: int) -> Iterator[list[Block | _Gap]]:
        """All that is stored, in order, as many blocks at a time as are worth sending away."""
        gaps: list[_Gap] = []
        group: list[Block | _Gap] = []
        held = 0
        for block in readable_blocks(self._history, total, lambda *gap: gaps.append(_Gap(*gap))):
            group += gaps
            gaps.clear()
            group.append(block)
            data = block[1]  # lines of a packed block, else frames
            held += len(data) if isinstance(data, bytes) else sum(map(len, data or ()))
            if held >= GROUP_BYTES or len(group) >= GROUP_BLOCKS:
                yield group
                group, held = [], 0
        group += gaps
        yield group

    def _unreadable(self, gap: _Gap) -> None:
        after = gap.after
        self._bad.add(after)
        where = "the first block" if after < 0 else f"the block after the one at line {after}"
        self.add("database", f"{where} can't be read: {gap.error.message}")

    def _add_error(self, error: EvgitError) -> None:
        """Report what ended the check of a block."""
        if isinstance(error, DamagedObject):
            told = len(self._damaged)
            self._damaged.update(error.ids)
            if not error.ids or len(self._damaged) > told:  # once of all that one frame holds
                self.add("damage", error.message, *error.ids)
            return
        if isinstance(error, UnsupportedFormat):
            kind = "format"
        elif isinstance(error, Damage) or self._only_index_lacks(error.message):
            kind = "index"
        else:
            kind = "order"
        if self._commit:
            self.add(kind, f"commit {self._commit}: {error.message}", self._commit)
        else:
            self.add(kind, error.message)

    def _only_index_lacks(self, message: str) -> bool:
        """Is it about an object that was read here, so that only the index doesn't find it?"""
        return any(self.seen.any(i) for i in _ID.findall(message))

    def _missing(self, line: int, end: int) -> None:
        """Report the commits in lines [line, end), if any, of which only the index knows."""
        if end < LINE_LIMIT and self._history.blocks.packs.dropped(line, end):
            return
        try:
            rows = self._history.graph.table.between(line, end)
        except Damage:
            rows = []  # the index can't say either
        for row in rows:
            self._bad.add(row.number)
            called = self._history.called(row)
            try:
                named = self._history.name_lines(range(row.number, row.number + row.events + 1))
            except Damage:
                named = [called]
            self.add("damage", f"commit {called} and its events are missing", *named)
        if not rows and end < LINE_LIMIT:
            self._bad.add(line)
            self.add("damage", f"lines {line} to {end - 1} are missing")

    def _block(self, entry: BlockEntry, data: BlockData, sound: SoundBlock | None) -> None:
        again: list[tuple[int, bytes]] = []
        if sound is not None:
            commit_id = self._begin_commit(sound.commit_line)
            commit, batch = decode_commit(sound.commit_line), sound.batch()
            self.seen.add_events(batch)
        else:
            lines: list[bytes] = []
            for _, part in self._history.blocks.decode(entry, data):
                lines += part
            if not lines:
                raise DamagedObject(f"the block at line {entry.first_line} is empty")
            commit_line = lines.pop()
            commit_id = self._begin_commit(commit_line)
            try:
                commit = verified_commit(commit_line)
            except InvalidObject as error:
                self._bad.add(entry.first_line)
                self.add("format", f"commit {self._commit}: {error.message}", self._commit)
                return
            if is_boundary_block(lines):
                self._boundary(entry.first_line, commit, commit_id, lines)
                return
            own, again = split_again(lines)
            batch = self._events(own)
        self.report.events += len(batch)
        self._in_its_history(
            entry.first_line,
            commit,
            commit_id,
            batch,
            again,
            None if sound is None else sound.words,
        )

    def _boundary(self, number: int, commit: Commit, commit_id: bytes, lines: list[bytes]) -> None:
        """Check what is here of the history behind a boundary: that its ids give its log root."""
        history = self._history
        derived = unfold(history, number, lines, commit, commit_id).commit
        self._frontiers.remember(number, derived.frontier)
        row = history.graph.find(commit_id)
        boundary = history.graph.boundaries.get(number)
        if row is None or boundary is None or row.number != number:
            self._bad.add(number)
            self.add("index", f"boundary {self._commit} is stored but not known", self._commit)
            return
        self._index.add(derived, row)
        self.report.boundaries.append(
            NotHere(self._commit, row.size, sum(n for _, n in boundary.absent()))
        )
        for problem in given_state_problems(history.connection, number):
            self.add("damage", f"boundary {self._commit}: {problem}", self._commit)

    def _begin_commit(self, line: bytes) -> bytes:
        """What is found from now on is about this commit; its id."""
        commit_id = digest(line)
        self._commit = commit_id.hex()
        self.seen.add_commit(self._commit)
        return commit_id

    def _in_its_history(
        self,
        number: int,
        commit: Commit,
        commit_id: bytes,
        batch: EventBatch,
        again: list[tuple[int, bytes]],
        id_sum: int | None,
    ) -> None:
        """Hold a commit against its parents, and the index against both."""
        history = self._history
        derived = commit_to_index(
            history, number, batch, again, commit, commit_id, self._frontiers.of
        )
        self._frontiers.remember(number, derived.frontier)
        row = history.graph.find(commit_id)
        if row is None or row.number != number:
            self._bad.add(number)
            self.add(
                "index",
                f"commit {commit_id.hex()} is stored but not in the index, or its bytes changed",
                commit_id.hex(),
            )
            return
        self._index.add(derived, row, id_sum)
        problem = order_problem(commit, derived)
        if problem:
            self.add("order", f"commit {row.hex} {problem}", row.hex)
        self._guards(commit, derived.parents[:1])

    def _guards(self, commit: Commit, parents: list[CommitRow]) -> None:
        """Did what a commit expected of streams hold where it was appended?"""
        for stream, revision in commit.guards.items():
            for parent in parents:
                actual = self._history.streams.revision(parent, parent.size, stream)
                if actual != revision:
                    self.add(
                        "order",
                        f"commit {self._commit} expected stream {stream!r} at revision "
                        f"{_revision(revision)}, its first parent has it at {_revision(actual)}",
                        self._commit,
                    )

    def _events(self, lines: list[bytes]) -> EventBatch:
        def wrong(line: bytes, problem: str) -> None:
            self.add("format", f"event {object_id(line)}: {problem}", object_id(line))

        batch = batch_from_stored(lines, wrong)
        self.seen.add_events(batch, sound=False)
        for place in batch.listing_blobs:
            event = batch.events[place]
            self._listed_blobs(event.id, event.blobs)
        return batch

    def _listed_blobs(self, event_id: str, listed: dict[str, int]) -> None:
        for blob_id, size in listed.items():
            stored = self._blob_store.size(blob_id)
            if stored is None:
                self.add("blob", f"event {event_id} lists blob {blob_id}, not stored", event_id)
            elif stored != size:
                self.add(
                    "blob",
                    f"event {event_id} says blob {blob_id} has {size} bytes, it has {stored}",
                    event_id,
                )

    def _repeated_events(self) -> None:
        """No event may be stored twice."""
        for prefix in self.seen.repeated():
            self.add("order", f"events that start with {prefix} are stored twice", prefix)

    def blobs(self) -> None:
        for blob_id, size in self._blob_store.all():
            self.report.blobs += 1
            try:
                found = sum(map(len, self._blob_store.chunks(blob_id)))
                if found != size:
                    self.add("blob", f"blob {blob_id} has {found} bytes, not {size}", blob_id)
            except EvgitError as error:
                self.add("blob", error.message, blob_id)


def _blocks_of(group: list[Block | _Gap]) -> list[Block]:
    return [found for found in group if not isinstance(found, _Gap)]


def _revision(revision: int) -> str:
    return "none" if revision < 0 else str(revision)
