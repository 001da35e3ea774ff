"""Appending: one commit, its block, its index rows, the ref and the operation in one transaction.

What can be computed before the lock is held is computed before. Which of the given events are new
is decided under the lock, against the log of the branch as it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from evgit.errors import (
    Damage,
    DamagedObject,
    InvalidInput,
    NotFound,
    UsageError,
    WrongExpectedRevision,
)
from evgit.formats.block import EncodedBlock, close_block, encode_block, encode_frames
from evgit.formats.canonical import digest
from evgit.formats.commit import MAX_EVENTS, MAX_GUARDS, Commit, LogHead, MergeRecord
from evgit.formats.event import Event, EventBatch, again_line
from evgit.formats.merkle import Frontier
from evgit.formats.names import check_stream_name
from evgit.formats.times import to_instant, to_text
from evgit.history.commit_row import CommitRow
from evgit.history.duplicates import Sorted, sort_out
from evgit.history.history import History
from evgit.history.incoming import Incoming, incoming_events
from evgit.history.indexing import CommitToIndex
from evgit.history.line_ranges import LineRange, joined
from evgit.history.recording import never_before, recorded_at_event_times, refuse_future
from evgit.storage import database
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import RefStore

Expected = int | Literal["none", "any"]
COMPRESS_EARLY_BYTES = 16_384


class Append(msgspec.Struct, kw_only=True):
    """What to append and how to record it. Instants are microseconds since year 1.

    `expected`: stream -> revision that the caller believes to be its last.
    `recorded_at_event_time`: record as an imported batch (docs/format.md, "Time").
    `judge` raises for new events that must not follow a commit; it is asked under the lock.
    `further_parents` and `left_out` (event ids) make the commit a merge.
    """

    batch: EventBatch
    ref: str
    author: str
    now: int
    actor: str
    writer: str
    message: str = ""
    expected: Mapping[str, Expected] = {}
    commit_time: int | None = None
    recorded_at_event_time: bool = False
    meta: dict[str, Any] = {}
    allow_empty: bool = False
    judge: Callable[[CommitRow, EventBatch], None] | None = None
    further_parents: Sequence[str] = ()
    left_out: Sequence[str] = ()
    command: str = "commit"
    arguments: Mapping[str, Any] = {}


class Appended(msgspec.Struct):
    """What an append did.

    `commit`: id of the new commit, None where every event was there already. `head`: the commit
    that the ref is at. `already`: how many of the given events the log had. `size`: of the log now.
    """

    commit: str | None
    head: str
    appended: int
    already: int
    size: int
    digests: list[bytes]
    warnings: list[str] = []

    @property
    def ids(self) -> list[str]:
        """Ids of all given events, in order; of the stored one where a key made it a repetition."""
        return [event_id.hex() for event_id in self.digests]


class _Tip(msgspec.Struct):
    target: str
    row: CommitRow
    frontier: Frontier
    revisions: dict[str, int]


class Appender:
    """Writes commits. One per open repository; it remembers the tips that it wrote last."""

    def __init__(self, history: History, refs: RefStore, operations: OperationLog) -> None:
        self._history = history
        self._refs = refs
        self._operations = operations
        self._tips: dict[str, _Tip] = {}
        self._current: set[str] = set()
        self._version: int | None = None
        self._end: tuple[int, int] | None = None

    def append(self, request: Append) -> Appended:
        """Append a batch to a ref, durably.

        Raises WrongExpectedRevision, KeyReused, InvalidTime, UsageError (nothing given), or what
        the storage raises; nothing has changed then.
        """
        self._check(request)
        early = _compressed_early(request.batch)
        history = self._history
        try:
            with database.writing(history.connection):
                # What the last append left is what stands there, unless somebody wrote since.
                if history.connection.data_version() != self._version:
                    self._forget_last()
                outcome, tip = self._append(request, early)
            self._version = history.connection.data_version()
        except BaseException:
            history.forget()
            self._tips.clear()
            self._forget_last()
            raise
        self._tips[request.ref] = tip
        self._current.add(request.ref)
        return outcome

    def _forget_last(self) -> None:
        self._version = self._end = None
        self._current.clear()
        self._history.indexer.forget_last()
        self._operations.forget_last()

    def _check(self, request: Append) -> None:
        count = len(request.batch.ids)  # hashed here, before the lock is held
        if not count and not request.allow_empty and not request.further_parents:
            raise UsageError("nothing to append", hint="give at least one event")
        if count > MAX_EVENTS:
            raise InvalidInput(
                f"{count} events are too many for one commit (at most {MAX_EVENTS})",
                hint="append them in several commits",
            )
        if len(request.expected) > MAX_GUARDS:
            raise InvalidInput(f"more than {MAX_GUARDS} expected revisions in one commit")
        for stream, expected in request.expected.items():
            check_stream_name(stream, reserved=True)
            if not _is_expected(expected):
                raise UsageError(
                    f"expected revision {expected!r} of stream {stream!r} is not understood",
                    hint="give a revision number, `none` or `any`",
                )
        if request.left_out and not request.further_parents:
            raise UsageError("only a merge can leave events out")
        if request.commit_time is not None:
            refuse_future(request.commit_time, request.now)

    def _append(self, request: Append, early: EncodedBlock | None) -> tuple[Appended, _Tip]:
        history, batch = self._history, request.batch
        tip = self._tip(request.ref)
        parent = tip.row
        number, latest = self._end or history.end()
        found = sort_out(history, batch, parent, latest, number)
        if not found.fresh and not request.allow_empty and not request.further_parents:
            already = len(found.ids)
            return Appended(None, parent.hex, 0, already, parent.size, found.ids), tip

        guards = self._guards(request.expected, tip)
        if request.judge is not None and found.fresh:
            whole = len(found.fresh) == len(batch)
            request.judge(parent, batch if whole else batch.select(found.fresh))
        merged = self._merged(request, parent) if request.further_parents else None
        if merged and found.again:
            _drop_incoming(found, merged)
        streams, own_ids, segment = self._added(found, batch, number, merged)
        nodes: list[tuple[int, int, bytes]] = []
        frontier = tip.frontier.copy()
        for ids in (merged.ids if merged else [], own_ids):
            frontier.extend(ids, lambda *node: nodes.append(node))

        warnings: list[str] = []
        time, recorded = _time_of(request, parent, found, warnings)
        commit = Commit(
            author=request.author,
            events=len(found.fresh),
            guards=guards,
            log=LogHead(root=frontier.root().hex(), size=frontier.size),
            merge=MergeRecord(left_out=list(request.left_out)) if request.left_out else None,
            message=request.message,
            meta=request.meta,
            parents=[parent.hex, *request.further_parents],
            recorded=recorded,
            time=to_text(time),
        )
        line = commit.canonical()
        commit_id = digest(line)
        # Only a parent that has children can have this very commit as its child already.
        row = None if history.indexer.ends_chain(parent) else history.graph.find(commit_id)
        if row is None:
            block = self._block(batch, found, line, early)
            latest = _latest(batch, latest)
            history.blocks.put(number, block, latest)
            self._end = number + len(own_ids) + 1, latest
            row = history.indexer.index(
                CommitToIndex(
                    number=number,
                    id=commit_id,
                    time=time,
                    parents=[parent, *(merged.parents if merged else ())],
                    ids=own_ids,
                    streams=streams,
                    frontier=frontier,
                    nodes=nodes,
                    keys=_keys(found, batch, number),
                    segment=segment,
                    held_back=self._held_back(parent, merged, found),
                )
            )
        target = row.hex
        self._move(request, tip.target, target)
        revisions = _revisions_after(tip.revisions, streams)
        outcome = Appended(
            target,
            target,
            len(found.fresh),
            len(found.ids) - len(found.fresh),
            frontier.size,
            found.ids,
            warnings,
        )
        return outcome, _Tip(target, row, frontier, revisions)

    def _move(self, request: Append, old: str, new: str) -> None:
        changes = [RefChange(request.ref, old, new)]
        self._refs.move(changes)
        self._operations.record(
            changes,
            now=request.now,
            actor=request.actor,
            writer=request.writer,
            command=request.command,
            arguments=request.arguments,
            continues=True,
        )

    # ------------------------------------------------------------------ parts of a commit
    def _tip(self, ref: str) -> _Tip:
        known = self._tips.get(ref)
        if known is not None and ref in self._current:
            return known
        target = self._refs.get(ref)
        if target is None:
            raise NotFound(
                f"there is no {ref}", hint="`evgit branch` lists the branches that there are"
            )
        if known is not None and known.target == target:
            return known
        if "#" in target:
            raise UsageError(
                "HEAD is at a point inside a commit; appending there would lose what follows",
                hint="make a branch from a whole commit, or switch to a branch",
            )
        row = self._history.graph.get(target)
        frontier = self._history.log_of(row).frontier()
        try:
            root = self._history.commit(row).log.root
        except DamagedObject:
            root = ""  # nothing to compare with; the frontier has a checksum of its own
        if root and frontier.root().hex() != root:
            # A wrong index must not find its way into a commit, where it would be for good.
            raise Damage(
                f"the index does not give the log root of commit {target}",
                hint="`evgit fsck` shows the extent, `evgit reindex` rebuilds the index",
            )
        return _Tip(target, row, frontier, {})

    def _guards(self, expected: Mapping[str, Expected], tip: _Tip) -> dict[str, int]:
        guards: dict[str, int] = {}
        for stream, wanted in expected.items():
            if wanted == "any":
                continue
            revision = -1 if wanted == "none" else int(wanted)
            actual = tip.revisions.get(stream)
            if actual is None:
                actual = self._history.streams.revision(tip.row, tip.row.size, stream)
                tip.revisions[stream] = actual
            if actual != revision:
                raise WrongExpectedRevision(stream, revision, actual)
            guards[stream] = revision
        return guards

    def _added(
        self, found: Sorted, batch: EventBatch, number: int, merged: Incoming | None
    ) -> tuple[list[str], list[bytes], list[LineRange] | None]:
        """(streams of all added events, ids of the commit's own, its segment if not plain)."""
        events = batch.events
        if len(found.fresh) == len(events):
            own = [event.stream for event in events]
            ids = found.ids
        else:
            own = [events[place].stream for place in found.fresh]
            ids = [found.ids[place] for place in found.fresh]
        if merged is None and not found.again:
            return own, ids, None
        again = found.again
        ranges = [
            (again.get(place, number + offset), 1) for offset, place in enumerate(found.fresh)
        ]
        segment = joined([*(merged.ranges if merged else ()), *ranges])
        return [*(merged.streams if merged else ()), *own], ids, segment

    def _block(
        self, batch: EventBatch, found: Sorted, commit_line: bytes, early: EncodedBlock | None
    ) -> EncodedBlock:
        if len(found.fresh) == len(batch.events) and not found.again:
            return (
                close_block(early, commit_line) if early else encode_block(batch.lines, commit_line)
            )
        lines = [
            again_line(found.ids[place].hex()) if place in found.again else batch.lines[place]
            for place in found.fresh
        ]
        return encode_block(lines, commit_line)

    # ------------------------------------------------------------------ merges
    def _merged(self, request: Append, ours: CommitRow) -> Incoming:
        """What the further parents bring: L(p2) without what is there already or is held back."""
        history = self._history
        parents = [history.graph.get(parent) for parent in request.further_parents]
        left_out = []
        for event_id in request.left_out:
            line = history.line_of_event(event_id)
            if line is None:
                raise NotFound(f"event {event_id}, to be left out, is not stored here")
            left_out.append(line)
        held = set(left_out)
        for row in (ours, *parents):
            held.update(history.indexer.held_back_lines(row))
        return incoming_events(history, ours, parents, held)

    def _held_back(self, parent: CommitRow, merged: Incoming | None, found: Sorted) -> list[int]:
        """Lines of X(c): what is held back on any side and is not in the new log."""
        history = self._history
        appended = set(found.again.values())
        if merged is None:
            return [n for n in history.indexer.held_back_lines(parent) if n not in appended]
        return [
            line
            for line in merged.held
            if line not in appended and history.graph.position_of(parent, line) is None
        ]


def _drop_incoming(found: Sorted, merged: Incoming) -> None:
    """Own events that a further parent brings are in the log already when their turn comes."""
    there = set(merged.ids)
    found.fresh = [place for place in found.fresh if found.ids[place] not in there]
    kept = set(found.fresh)
    found.again = {place: line for place, line in found.again.items() if place in kept}


def _compressed_early(batch: EventBatch) -> EncodedBlock | None:
    """The events' frames, made before the lock is held where that is worth while."""
    if sum(map(len, batch.lines)) < COMPRESS_EARLY_BYTES:
        return None
    return encode_frames(batch.lines)


def _is_expected(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= -1
    return value in ("none", "any")


def _time_of(
    request: Append, parent: CommitRow, found: Sorted, warnings: list[str]
) -> tuple[int, Literal["events"] | None]:
    """(the commit's time, whether it is recorded at its events' times)."""
    if request.recorded_at_event_time and found.fresh:
        times = [request.batch.events[place].time for place in found.fresh]
        return recorded_at_event_times(times, parent.time, request.now), "events"
    time = request.now if request.commit_time is None else request.commit_time
    return never_before(parent.time, time, warnings), None


def _latest(batch: EventBatch, latest: int) -> int:
    if not batch.events:
        return latest
    return max(latest, to_instant(batch.last_time))


def _keys(found: Sorted, batch: EventBatch, number: int) -> list[tuple[int, str, str]]:
    if not found.keyed:
        return []
    events: list[Event] = batch.events
    return [
        (number + offset, events[place].stream, key)
        for offset, place in enumerate(found.fresh)
        if (key := events[place].key) is not None and place not in found.again
    ]


def _revisions_after(before: dict[str, int], streams: list[str]) -> dict[str, int]:
    if not before:
        return before
    for stream in streams:
        if stream in before:
            before[stream] += 1
    return before if len(before) < 10_000 else {}
