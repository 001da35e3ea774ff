"""Checks every stored byte against what it must be: hashes, canonical form, order, log roots.

What it finds, it reports, with the ids that are hit; it changes nothing. It works block by block in
the order of storing, so that each commit is judged on ones that have been judged already.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from evgit.errors import Damage, DamagedObject, EvgitError, InvalidObject, UnsupportedFormat
from evgit.formats.canonical import digest, object_id
from evgit.formats.commit import Commit, verified_commit
from evgit.formats.event import EventBatch, decode_event, verified_batch, verify_event_lines
from evgit.formats.tag import decode_tag
from evgit.history.commit_row import CommitRow
from evgit.history.derive import commit_to_index, order_problem, split_again
from evgit.history.frontiers import Frontiers
from evgit.history.heads import TAGS
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.maintenance.index_check import IndexCheck
from evgit.maintenance.operation_check import operation_problems
from evgit.maintenance.salvage import last_line, readable_blocks
from evgit.storage.blobs import BlobStore
from evgit.storage.blocks import LINE_LIMIT, BlockEntry
from evgit.storage.database import fetch_all, integrity_problems, reading, translate_errors
from evgit.storage.operations import OperationLog
from evgit.storage.refs import SYMBOLIC, RefStore

Progress = Callable[[int, int], None]
_ID = re.compile(r"\b[0-9a-f]{64}\b")
_TARGET = re.compile(r"[0-9a-f]{64}(#[0-9]{1,10})?")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `kind`: damage, format, order, index, ref, blob or database."""

    kind: str
    message: str
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class FsckReport:
    """What was checked, and what was found."""

    commits: int = 0
    events: int = 0
    blobs: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.problems


def fsck(
    history: History, refs: RefStore, blobs: BlobStore, progress: Progress | None = None
) -> FsckReport:
    """Check a whole repository. Reads everything; needs 8 bytes of memory an event."""
    check = _Fsck(history, blobs)
    with reading(history.connection):  # one view of it all, whatever others append meanwhile
        for part in (
            check.database,
            lambda: check.blocks(progress),
            check.tags,
            lambda: check.refs(refs),
            lambda: check.operations(refs),
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
        self._seen = array("Q"), array("Q")  # eight bytes of the id of every event and commit
        self._commit = ""  # the one that is looked at
        self._bad: set[int] = set()
        self._objects: set[str] = set()
        self._tags: dict[str, str] = {}  # id -> target, of sound ones
        self.report = FsckReport()

    def _add(self, kind: str, message: str, *ids: str) -> None:
        self.report.problems.append(Problem(kind, message, ids))

    def run(self, part: Callable[[], None]) -> None:
        """Do one part of the check; what ends it early is reported, and the others go on."""
        try:
            with translate_errors(self._path):
                part()
        except EvgitError as error:
            self._bad.add(-1)
            self._add("database", error.message)
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            # Tables are typed; only damage puts a NULL or a text where there was a number.
            self._bad.add(-1)
            self._add("database", f"a row holds what was never written to it ({error})")

    def database(self) -> None:
        for text in integrity_problems(self._history.connection):
            self._add("database", text)

    # ------------------------------------------------------------------ blocks
    def blocks(self, progress: Progress | None) -> None:
        history = self._history
        expected_line, total = 0, last_line(history)
        for entry, data in readable_blocks(history, total, self._unreadable):
            if entry.first_line != expected_line:
                self._missing(expected_line, entry.first_line)
            expected_line = entry.first_line + entry.line_count
            self._commit = ""
            try:
                with translate_errors(self._path):
                    self._block(entry, data)
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
                self._add("index", text)

    def _unreadable(self, after: int, error: EvgitError) -> None:
        self._bad.add(after)
        where = "the first block" if after < 0 else f"the block after the one at line {after}"
        self._add("database", f"{where} can't be read: {error.message}")

    def _add_error(self, error: EvgitError) -> None:
        """Report what ended the check of a block."""
        if isinstance(error, DamagedObject):
            self._add("damage", error.message, *error.ids)
            return
        if isinstance(error, UnsupportedFormat):
            kind = "format"
        elif isinstance(error, Damage) or self._only_index_lacks(error.message):
            kind = "index"
        else:
            kind = "order"
        if self._commit:
            self._add(kind, f"commit {self._commit}: {error.message}", self._commit)
        else:
            self._add(kind, error.message)

    def _only_index_lacks(self, message: str) -> bool:
        """Is it about an object that was read here, so that only the index doesn't find it?"""
        return any(_print(i) in seen for i in _ID.findall(message) for seen in self._seen)

    def _missing(self, line: int, end: int) -> None:
        """Report the commits in lines [line, end), if any, of which only the index knows."""
        try:
            rows = fetch_all(
                self._history.connection,
                "SELECT id, number, events FROM commits WHERE number>=? AND number<?"
                " ORDER BY number",
                (line, end),
            )
        except Damage:
            rows = []  # the index can't say either
        for commit_id, number, events in rows:
            self._bad.add(number)
            try:
                named = self._history.name_lines(number, events + 1)
            except Damage:
                named = [commit_id.hex()]
            self._add("damage", f"commit {commit_id.hex()} and its events are missing", *named)
        if not rows and end < LINE_LIMIT:
            self._bad.add(line)
            self._add("damage", f"lines {line} to {end - 1} are missing")

    def _block(self, entry: BlockEntry, data: bytes) -> None:
        history = self._history
        lines: list[bytes] = []
        for _, part in history.blocks.decode(entry, data):
            lines += part
        if not lines:
            raise DamagedObject(f"the block at line {entry.first_line} is empty")
        commit_line = lines.pop()
        commit_id = digest(commit_line)
        self._commit = commit_id.hex()
        self._seen[1].append(_print(self._commit))
        try:
            commit = verified_commit(commit_line)
        except InvalidObject as error:
            self._bad.add(entry.first_line)
            self._add("format", f"commit {commit_id.hex()}: {error.message}", commit_id.hex())
            return
        own, again = split_again(lines)
        batch = self._events(own)
        self.report.events += len(own)
        derived = commit_to_index(
            history, entry.first_line, batch, again, commit, commit_id, self._frontiers.of
        )
        self._frontiers.remember(entry.first_line, derived.frontier)
        row = history.graph.find(commit_id)
        if row is None or row.number != entry.first_line:
            self._bad.add(entry.first_line)
            self._add(
                "index",
                f"commit {commit_id.hex()} is stored but not in the index, or its bytes changed",
                commit_id.hex(),
            )
            return
        self._index.add(derived, row)
        self._order(commit, derived, row)

    def _events(self, lines: list[bytes]) -> EventBatch:
        batch = verified_batch(lines)
        if batch is None:
            for line, problem in zip(lines, verify_event_lines(lines), strict=True):
                if problem:
                    self._add("format", f"event {object_id(line)}: {problem}", object_id(line))
            batch = EventBatch([decode_event(line) for line in lines], lines)
        self._seen[0].frombytes(b"".join([event_id[:8] for event_id in batch.ids]))
        for event in batch.events:
            if event.blobs:
                self._listed_blobs(event.id, event.blobs)
        return batch

    def _listed_blobs(self, event_id: str, listed: dict[str, int]) -> None:
        for blob_id, size in listed.items():
            stored = self._blob_store.size(blob_id)
            if stored is None:
                self._add("blob", f"event {event_id} lists blob {blob_id}, not stored", event_id)
            elif stored != size:
                self._add(
                    "blob",
                    f"event {event_id} says blob {blob_id} has {size} bytes, it has {stored}",
                    event_id,
                )

    def _order(self, commit: Commit, derived: CommitToIndex, row: CommitRow) -> None:
        """Does the commit say what its history makes of it?"""
        problem = order_problem(commit, derived)
        if problem:
            self._add("order", f"commit {row.hex} {problem}", row.hex)

    def _repeated_events(self) -> None:
        """No event may be stored twice: eight bytes of each id are enough to see suspects."""
        ordered = sorted(self._seen[0])
        for before, after in pairwise(ordered):
            if before == after:
                prefix = before.to_bytes(8, sys.byteorder).hex()
                self._add("order", f"events that start with {prefix} are stored twice", prefix)

    # ------------------------------------------------------------------ refs, tags, blobs
    def tags(self) -> None:
        for raw_id, line in fetch_all(self._history.connection, "SELECT id, data FROM objects"):
            tag_id = raw_id.hex()
            self._objects.add(tag_id)
            if object_id(line) != tag_id:
                self._add("damage", f"tag {tag_id} is damaged", tag_id)
                continue
            try:
                self._tags[tag_id] = decode_tag(line).target
            except EvgitError as error:
                self._add("format", f"tag {tag_id}: {error.message}", tag_id)
        for tag_id, target in self._tags.items():
            if not self._is_stored(target):
                self._add("ref", f"tag {tag_id} points at {target}, which is not stored", tag_id)

    def _is_stored(self, target: str) -> bool:
        return (
            target in self._objects
            or any(_print(target) in seen for seen in self._seen)
            or self._blob_store.size(target) is not None
        )

    def refs(self, refs: RefStore) -> None:
        every = refs.under("")
        known = {ref.name for ref in every}
        if not any(ref.name == "HEAD" for ref in every):
            self._add("ref", "there is no HEAD")
        for name, target in every:
            if target.startswith(SYMBOLIC):
                if target.removeprefix(SYMBOLIC) not in known:
                    self._add("ref", f"{name} names {target.removeprefix(SYMBOLIC)}, not there")
                continue
            commit, _, size = target.partition("#")
            if not _TARGET.fullmatch(target):
                self._add("ref", f"{name} has a target that is none: {target!r}")
                continue
            try:
                row = self._history.graph.find(bytes.fromhex(commit))
            except Damage as error:
                self._add("index", f"{name}: {error.message}", commit)
                continue
            if row is not None:
                if size and int(size) > row.size:
                    self._add("ref", f"{name} points behind the end of commit {commit}", commit)
            elif name.startswith(TAGS) and self._is_stored(commit):
                pass
            elif _print(commit) in self._seen[1] and not self._is_indexed(commit[:16]):
                pass  # only the index lacks it, which is reported already
            elif self._is_stored(commit):
                self._add("ref", f"{name} points at {commit}, which is no commit", commit)
            else:
                self._add("ref", f"{name} points at {commit}, which is not stored", commit)

    def _is_indexed(self, prefix: str) -> bool:
        low, high = (bytes.fromhex(prefix.ljust(64, digit)) for digit in "0f")
        return bool(self._history.graph.with_prefix(low, high, 1))

    def operations(self, refs: RefStore) -> None:
        if self.report.problems:
            return  # what is wrong has better names
        operations = OperationLog(self._history.connection)
        for text in operation_problems(operations, refs, self._is_commit):
            self._add("ref", text)

    def _is_commit(self, target: str) -> bool:
        return bool(_TARGET.fullmatch(target)) and (
            self._history.graph.find(bytes.fromhex(target.partition("#")[0])) is not None
        )

    def blobs(self) -> None:
        for blob_id, size in self._blob_store.all():
            self.report.blobs += 1
            try:
                found = sum(map(len, self._blob_store.chunks(blob_id)))
                if found != size:
                    self._add("blob", f"blob {blob_id} has {found} bytes, not {size}", blob_id)
            except EvgitError as error:
                self._add("blob", error.message, blob_id)


def _print(object_id: str) -> int:
    """Eight bytes of an id, enough to tell whether it was seen."""
    return int.from_bytes(bytes.fromhex(object_id[:16]), sys.byteorder)
