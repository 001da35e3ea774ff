"""Commits written anew: the same events, stored already, behind another commit.

For re-appending in bulk. Sources are read many at a time; what is written goes into the caller's
transaction, and no ref moves here. Whether it makes sense is for others to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec

from evgit.errors import DamagedObject
from evgit.formats.again import again_line
from evgit.formats.block import encode_block
from evgit.formats.canonical import digest
from evgit.formats.commit import MAX_EVENTS, Commit, LogHead, decode_commit
from evgit.formats.event import EventBatch
from evgit.formats.times import to_instant, to_text
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.history.line_ranges import LineRange, joined, total

READ_EVENTS = 8192  # events of sources that are read together, at least one source's
READ_COMMITS = 512


class _Stream(msgspec.Struct, gc=False):
    stream: str


_decode_streams = msgspec.json.Decoder(_Stream).decode_lines


class Source(NamedTuple):
    """A commit to be written anew, with those of its events that are to be in it.

    `ranges`: their lines, in order.
    """

    row: CommitRow
    ranges: list[LineRange]


class ReadSource(NamedTuple):
    """A source, read. `lines`: the events' canonical bytes, parallel to `ids` and `streams`."""

    row: CommitRow
    ranges: list[LineRange]
    commit: Commit
    lines: list[bytes]
    ids: list[bytes]
    streams: list[str]


def read_sources(history: History, sources: Sequence[Source]) -> Iterator[ReadSource]:
    """Read sources, in order, many at a time. Raises DamagedObject."""
    start = 0
    while start < len(sources):
        stop, events = start, 0
        while stop < len(sources) and stop - start < READ_COMMITS and events < READ_EVENTS:
            events += total(sources[stop].ranges)
            stop += 1
        yield from _read_together(history, sources[start:stop])
        start = stop


def _read_together(history: History, sources: Sequence[Source]) -> Iterator[ReadSource]:
    ranges: list[LineRange] = []
    for row, own in sources:
        ranges += own
        ranges.append((row.number + row.events, 1))
    lines = (line for text in history.blocks.texts(ranges) for line in text.splitlines())
    for row, own in sources:
        events = list(islice(lines, total(own)))
        commit_line = next(lines)
        if digest(commit_line) != row.id:
            raise DamagedObject(
                f"commit {row.hex} is damaged: its bytes hash to {digest(commit_line).hex()}",
                ids=[row.hex],
                hint="`evgit fsck` shows the extent",
            )
        streams = [each.stream for each in _decode_streams(b"\n".join(events))]
        yield ReadSource(
            row, own, decode_commit(commit_line), events, list(map(digest, events)), streams
        )


@dataclass(slots=True)
class NewCommit:
    """A commit to be written. Its events are stored on the lines of `ranges`, or are those of
    `batch`, which are stored nowhere yet; `ids` and `streams` are parallel to either."""

    author: str
    message: str
    time: int
    ids: Sequence[bytes]
    streams: Sequence[str]
    ranges: Sequence[LineRange] = ()
    batch: EventBatch | None = None
    guards: Mapping[str, int] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    recorded: Literal["events"] | None = None


class CommitWriter:
    """Writes commits one after the other, inside the caller's write transaction.

    After an error the transaction must be rolled back, and `History.forget` called.
    """

    def __init__(self, history: History, parent: CommitRow) -> None:
        self._history = history
        self.row = parent
        self._frontier = history.log_of(parent).frontier().copy()
        self._held = set(history.indexer.held_back_lines(parent))
        self._number, self._latest = history.end()
        history.indexer.forget_last()
        self._fork = True

    def write(self, new: NewCommit) -> CommitRow:
        """Write a commit as the child of the last one. Its time is not before that one's."""
        assert len(new.ids) <= MAX_EVENTS
        history, parent = self._history, self.row
        nodes: list[tuple[int, int, bytes]] = []
        self._frontier.extend(list(new.ids), lambda *node: nodes.append(node))
        commit = Commit(
            author=new.author,
            events=len(new.ids),
            guards=dict(new.guards),
            log=LogHead(root=self._frontier.root().hex(), size=self._frontier.size),
            merge=None,
            message=new.message,
            meta=new.meta,
            parents=[parent.hex],
            recorded=new.recorded if new.ids else None,
            time=to_text(max(new.time, parent.time)),
        )
        line = commit.canonical()
        commit_id = digest(line)
        found = history.graph.find(commit_id) if self._may_exist(parent) else None
        self.row = found or self._stored(new, parent, line, commit_id, nodes)
        return self.row

    def _may_exist(self, parent: CommitRow) -> bool:
        """Only a parent that has children can have this very commit as its child already."""
        return not self._history.indexer.ends_chain(parent)

    def _stored(
        self,
        new: NewCommit,
        parent: CommitRow,
        line: bytes,
        commit_id: bytes,
        nodes: list[tuple[int, int, bytes]],
    ) -> CommitRow:
        history, number = self._history, self._number
        keys: list[tuple[int, str, str]] = []
        if new.batch is not None:
            lines: Sequence[bytes] = new.batch.lines
            segment = None
            if len(new.batch):
                self._latest = max(self._latest, to_instant(new.batch.last_time))
            keys = [
                (number + place, event.stream, event.key)
                for place, event in enumerate(new.batch.events)
                if event.key is not None
            ]
        else:
            lines = [again_line(event_id.hex()) for event_id in new.ids]
            segment = joined(new.ranges) if new.ids else None
            if self._held:
                for first, count in new.ranges:
                    self._held.difference_update(range(first, first + count))
        history.blocks.put(number, encode_block(lines, line), self._latest)
        self._number = number + len(new.ids) + 1
        return history.indexer.index(
            CommitToIndex(
                number=number,
                id=commit_id,
                time=max(new.time, parent.time),
                parents=[parent],
                ids=list(new.ids),
                streams=list(new.streams),
                frontier=self._frontier,
                nodes=nodes,
                keys=keys,
                segment=segment,
                held_back=sorted(self._held),
            )
        )
