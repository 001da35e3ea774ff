"""Answers what resolving a revision asks (`RevisionSource`) from a repository's stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from evgit.errors import UnknownObject
from evgit.formats.canonical import digest
from evgit.history.heads import HEAD_COMMANDS, HEADS, Heads
from evgit.history.history import History
from evgit.history.points import Point
from evgit.history.reading import Reader
from evgit.history.revision_source import Kind, StreamEntry
from evgit.storage.database import fetch_all
from evgit.storage.operations import OperationLog
from evgit.storage.refs import RefStore

if TYPE_CHECKING:
    from evgit.storage.blobs import BlobStore


class HistorySource:
    """The revision source of an open repository. `upstream_of` knows configured upstreams; `blobs`
    is called when blobs are asked for, which is seldom."""

    def __init__(
        self,
        history: History,
        refs: RefStore,
        operations: OperationLog,
        heads: Heads,
        blobs: Callable[[], BlobStore],
        upstream_of: Callable[[str], str | None],
        clock: Callable[[], int],
    ) -> None:
        self._history = history
        self._reader = Reader(history)
        self._refs = refs
        self._operations = operations
        self._heads = heads
        self._blobs = blobs
        self._upstream_of = upstream_of
        self._clock = clock

    def now(self) -> datetime:
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._clock())

    # ------------------------------------------------------------------ refs
    def read_ref(self, name: str) -> str | None:
        return self._refs.get(name)

    def list_ref_names(self) -> list[str]:
        return [ref.name for ref in self._refs.under("refs/")]

    def ref_before(self, name: str, operations: int) -> str | None:
        if name == "HEAD":
            name = self._heads.current_ref()
        found = next(islice(self._operations.changes_of(name), operations - 1, operations), None)
        return None if found is None else found[1].old

    def previous_branch(self, number: int) -> str | None:
        switches = (
            change.old
            for operation, change in self._operations.changes_of("HEAD")
            if change.old and operation.command in HEAD_COMMANDS
        )
        return next(islice(switches, number - 1, number), None)

    def upstream(self, branch: str) -> str | None:
        return self._upstream_of(branch.removeprefix(HEADS))

    # ------------------------------------------------------------------ ids
    def find_ids(self, prefix: str, limit: int) -> Sequence[tuple[str, Kind]]:
        low = bytes.fromhex(prefix.ljust(64, "0"))
        high = bytes.fromhex(prefix.ljust(64, "f"))
        found: list[tuple[str, Kind]] = []
        found += [(i.hex(), "commit") for i in self._history.graph.with_prefix(low, high, limit)]
        tags = fetch_all(
            self._history.connection,
            "SELECT id FROM objects WHERE id>=? AND id<=? ORDER BY id LIMIT ?",
            (low, high, limit),
        )
        found += [(row[0].hex(), "tag") for row in tags]
        events = self._history.events.with_prefix(low, high, limit)
        found += [(i.hex(), "event") for i, _ in events]
        found += [(i, "blob") for i in self._blobs().ids_with_prefix(low, high, limit)]
        return found[:limit]

    def tag_target(self, tag: str) -> str:
        line = self._heads.tag_line(tag)
        if line is None:
            raise UnknownObject(f"there is no tag object {tag}")
        from evgit.formats.tag import decode_tag  # few repositories have any

        return decode_tag(line).target

    # ------------------------------------------------------------------ commits and logs
    def parents(self, commit: str) -> list[str]:
        graph = self._history.graph
        return [graph.by_number(number).hex for number in graph.get(commit).parents]

    def first_parent(self, commit: str, generations: int) -> str | None:
        row = self._history.graph.get(commit)
        if generations > row.height:
            return None
        return self._history.graph.at_height(row, row.height - generations).hex

    def size(self, commit: str) -> int:
        return self._history.graph.get(commit).size

    def point_at_time(self, commit: str, instant: int) -> Point:
        return self._history.point_at(self._history.graph.get(commit), instant)

    def point_at_size(self, commit: str, size: int) -> Point:
        graph = self._history.graph
        row = graph.get(commit)
        holder = graph.holding(row, size - 1) if size else graph.at_height(row, 0)
        return Point(holder.hex, size)

    def event_id(self, commit: str, position: int) -> str:
        row = self._history.graph.get(commit)
        return digest(self._history.log_of(row).line(position)).hex()

    def locate(self, event: str, commit: str) -> int | None:
        point = Point(commit, self._history.graph.get(commit).size)
        return self._reader.position(event, point)

    def stream_event(self, point: Point, stream: str, revision: int | None) -> StreamEntry | None:
        found = self._reader.stream_event(stream, point, -1 if revision is None else revision)
        return (
            None if found is None else StreamEntry(found.revision, found.position, found.event.id)
        )
