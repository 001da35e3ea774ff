"""Appending: one commit, its block, its index rows, the ref and the operation in one transaction.

What can be computed before the lock is held is computed before. Which of the given events are new
is decided under the lock, against the log of the branch as it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import msgspec

from evgit.errors import Conflict, InvalidInput, UsageError
from evgit.formats.block import EncodedBlock, close_block, encode_block
from evgit.formats.canonical import digest
from evgit.formats.commit import MAX_EVENTS, Commit, LogHead, MergeRecord
from evgit.formats.event import Event, EventBatch, again_line
from evgit.formats.times import to_instant, to_text
from evgit.history.commit_row import CommitRow
from evgit.history.duplicates import Sorted, sort_out
from evgit.history.expected import Expected, check_expected, guards
from evgit.history.heads import Heads
from evgit.history.history import History
from evgit.history.incoming import Incoming, held_back, incoming_events, still_held_back
from evgit.history.indexing import CommitToIndex
from evgit.history.line_ranges import LineRange, joined
from evgit.history.next_commit import few_events, write_next
from evgit.history.recording import never_before, recorded_at_event_times, refuse_future
from evgit.history.tips import Tip, Tips
from evgit.storage import database
from evgit.storage.in_progress import InProgress
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import RefStore

LIVE = "commit"
PAUSE = 60 * 1_000_000
"""Microseconds without an append by this process after which the next one is another operation:
whoever undoes what a service did that runs for months means what it did last. An import, which one
command began, may pause."""


class Append(msgspec.Struct, kw_only=True):
    """What to append and how to record it. Instants are microseconds since year 1.

    `expected`: stream -> revision that the caller believes to be its last.
    `recorded_at_event_time`: record as an imported batch (docs/format.md, "Time").
    `judge` raises for new events that must not follow a commit; it is asked under the lock.
    `further_parents` and `left_out` (event ids) make the commit a merge; `model` and `resolved` are
    kept in it as evidence. `at`: the commit that the ref must be at still. `first_parent`: the
    commit to go on from, where that is not the one that the ref is at. `along` is called in the
    same transaction; what it raises undoes everything. So does what `overtaken` raises, which is
    called under the lock where somebody else may have written since it was called last.
    """

    batch: EventBatch
    ref: str | None  # None: the one that HEAD names
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
    model: str | None = None
    resolved: Sequence[Any] = ()
    at: str | None = None
    first_parent: str | None = None
    along: Callable[[], None] | None = None
    overtaken: Callable[[], None] | None = None
    command: str = LIVE
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
    digests: Sequence[bytes]
    warnings: list[str] = []

    @property
    def ids(self) -> list[str]:
        """Ids of all given events, in order; of the stored one where a key made it a repetition."""
        return [event_id.hex() for event_id in self.digests]


class Appender:
    """Writes commits. One per open repository; it remembers the tips that it wrote last."""

    def __init__(self, history: History, refs: RefStore, operations: OperationLog) -> None:
        self._history = history
        self._refs = refs
        self._operations = operations
        self._writing = database.writing(history.connection)
        self._tips = Tips(history, refs)
        self._heads = Heads(history, refs)
        self._head: str | None = None
        self._overtaken = True
        self._seen: tuple[int, int] | None = None
        self._end: tuple[int, int] | None = None

    def append(self, request: Append) -> Appended:
        """Append a batch to a ref, durably.

        Raises WrongExpectedRevision, KeyReused, InvalidTime, UsageError (nothing given), or what
        the storage raises; nothing has changed then.
        """
        return self._append_next(request) or self.append_together([request])[0]

    def append_together(self, requests: Sequence[Append]) -> list[Appended]:
        """Append several batches, a commit each, in one transaction with one sync: all or none."""
        ahead = 0
        for request in requests:
            self._check(request)
            # Before the lock is held.
            likely = self._tips.likely_size(request.ref or self._head or "")
            request.batch.compute(likely + ahead)
            ahead += len(request.batch)
        history = self._history
        outcomes = []
        try:
            with (
                database.writing(history.connection),
                history.runs.gathering() if len(requests) > 1 else nullcontext(),
            ):
                # What the last append left is what stands there, unless somebody wrote since.
                if self._changes() != self._seen:
                    self._forget_last()
                    if history.notice_renumbering():
                        self._tips.forget()
                for request in requests:
                    if request.overtaken is not None and self._overtaken:
                        request.overtaken()
                        self._overtaken = False
                    ref = request.ref or self._current_ref()
                    outcome, tip = self._append(request, ref)
                    self._tips.remember(ref, tip)
                    outcomes.append(outcome)
            self._seen = self._changes()
        except BaseException:
            self._forget_all()
            raise
        return outcomes

    def _append_next(self, request: Append) -> Appended | None:
        """Append what follows on what was appended last, if nobody has written since; None where
        it does not, and nothing was changed."""
        history, batch = self._history, request.batch
        ref = request.ref or self._head
        tip = self._tips.current(ref)
        if ref is None or tip is None or self._end is None or not _is_plain(request):
            return None
        if request.overtaken is not None and self._overtaken:
            return None  # others wrote before an append that did not ask
        events = few_events(history, batch, tip, self._end)
        if events is None:
            return None
        if request.expected:
            check_expected(request.expected)
        if request.commit_time is not None:
            refuse_future(request.commit_time, request.now)
        warnings: list[str] = []
        time = never_before(
            tip.row.time,
            request.now if request.commit_time is None else request.commit_time,
            warnings,
        )
        try:
            with self._writing:
                if self._changes() != self._seen:
                    return None
                expected = guards(history, request.expected, tip) if request.expected else {}
                if request.judge is not None:
                    request.judge(tip.row, batch)
                written = write_next(
                    history,
                    events,
                    tip,
                    author=request.author,
                    message=request.message,
                    meta=request.meta,
                    guards=expected,
                    time=time,
                )
                row, target = written.row, written.target
                self._move(request, ref, tip.target, target)
                # Made before the wait for the disk, in which the processor's caches grow cold.
                following = tip.after(target, row, written.peaks, events.streams)
                outcome = Appended(target, target, events.count, 0, row.size, written.ids, warnings)
                end = events.number + events.count + 1, events.latest
            self._seen = self._changes()
        except BaseException:
            self._forget_all()
            raise
        self._end = end
        self._tips.remember(ref, following)
        return outcome

    def _changes(self) -> tuple[int, int]:
        """What differs once anybody has written: others, or somebody through this connection."""
        connection = self._history.connection
        return connection.data_version(), connection.total_changes()

    def _forget_all(self) -> None:
        self._history.forget()
        self._tips.forget()
        self._forget_last()

    def _current_ref(self) -> str:
        if self._head is None:
            self._head = self._heads.current_ref()
        return self._head

    def _forget_last(self) -> None:
        self._seen = self._end = self._head = None
        self._overtaken = True
        self._tips.doubt()
        self._history.indexer.forget_last()
        self._operations.forget_last()

    def _check(self, request: Append) -> None:
        count = len(request.batch)
        if not count and not request.allow_empty and not request.further_parents:
            raise UsageError("nothing to append", hint="give at least one event")
        if count > MAX_EVENTS:
            raise InvalidInput(
                f"{count} events are too many for one commit (at most {MAX_EVENTS})",
                hint="append them in several commits",
            )
        if request.expected:
            check_expected(request.expected)
        if request.left_out and not request.further_parents:
            raise UsageError("only a merge can leave events out")
        if request.commit_time is not None:
            refuse_future(request.commit_time, request.now)

    def _append(self, request: Append, ref: str) -> tuple[Appended, Tip]:
        history, batch = self._history, request.batch
        tip, moved_from = self._start(request, ref)
        parent = tip.row
        number, latest = self._end or history.end()
        found = sort_out(history, batch, parent, latest, number)
        if not found.fresh and not request.allow_empty and not request.further_parents:
            already = len(found.ids)
            return Appended(None, parent.hex, 0, already, parent.size, found.ids), tip

        if not request.further_parents:
            InProgress(history.connection).refuse_append(ref)
        expected = guards(history, request.expected, tip)
        if request.judge is not None and found.fresh:
            whole = len(found.fresh) == len(batch)
            request.judge(parent, batch if whole else batch.select(found.fresh))
        parents = [parent, *map(history.graph.get, request.further_parents)]
        held = held_back(history, parents, request.left_out)
        merged = incoming_events(history, parents, held) if request.further_parents else None
        if merged and found.again:
            _drop_incoming(found, merged)
        streams, own_ids, segment = self._added(found, batch, number, merged)
        nodes: list[tuple[int, int, bytes]] = []
        frontier = tip.frontier
        if merged:
            frontier.extend(merged.ids, lambda *node: nodes.append(node))
        if len(own_ids) == len(batch):
            frontier.add(batch.subtrees(frontier.size), lambda *node: nodes.append(node))
        else:
            frontier.extend(own_ids, lambda *node: nodes.append(node))

        warnings: list[str] = []
        time, recorded = _time_of(request, parent, found, warnings)
        commit = Commit(
            author=request.author,
            events=len(found.fresh),
            guards=expected,
            log=LogHead(root=frontier.root().hex(), size=frontier.size),
            merge=_merge_record(request),
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
            block = self._block(batch, found, line)
            latest = _latest(batch, latest)
            history.blocks.put(number, block, latest)
            self._end = number + len(own_ids) + 1, latest
            row = history.indexer.index(
                CommitToIndex(
                    number=number,
                    id=commit_id,
                    time=time,
                    parents=parents,
                    ids=own_ids,
                    streams=streams,
                    frontier=frontier,
                    nodes=nodes,
                    keys=_keys(found, batch, number),
                    segment=segment,
                    held_back=still_held_back(history, parents, held, found.again.values()),
                )
            )
        target = row.hex
        self._move(request, ref, moved_from, target)
        outcome = Appended(
            target,
            target,
            len(found.fresh),
            len(found.ids) - len(found.fresh),
            frontier.size,
            found.ids,
            warnings,
        )
        return outcome, tip.after(target, row, frontier.to_bytes(), streams)

    def _move(self, request: Append, ref: str, old: str, new: str) -> None:
        changes = [RefChange(ref, old, new)]
        self._refs.move(changes)
        self._operations.record(
            changes,
            now=request.now,
            actor=request.actor,
            writer=request.writer,
            command=request.command,
            arguments=request.arguments,
            continues=not request.further_parents,
            within=PAUSE if request.command == LIVE else None,
        )
        if request.along is not None:
            request.along()

    def _start(self, request: Append, ref: str) -> tuple[Tip, str]:
        """(what to go on from, what the ref is at)."""
        tip = self._tips.of(ref)
        if request.at is not None and tip.target != request.at:
            raise Conflict(
                f"{ref} was moved meanwhile, to {tip.target[:12]}",
                hint="look at it again and repeat the command if it still makes sense",
            )
        if request.first_parent is None:
            return tip, tip.target
        return self._tips.at(request.first_parent), tip.target

    # ------------------------------------------------------------------ parts of a commit
    def _added(
        self, found: Sorted, batch: EventBatch, number: int, merged: Incoming | None
    ) -> tuple[list[str], Sequence[bytes], list[LineRange] | None]:
        """(streams of all added events, ids of the commit's own, its segment if not plain)."""
        if len(found.fresh) == len(batch):
            own, ids = batch.streams, found.ids
        else:
            own = [batch.streams[place] for place in found.fresh]
            ids = [found.ids[place] for place in found.fresh]
        if merged is None and not found.again:
            return own, ids, None
        again = found.again
        ranges = [
            (again.get(place, number + offset), 1) for offset, place in enumerate(found.fresh)
        ]
        segment = joined([*(merged.ranges if merged else ()), *ranges])
        return [*(merged.streams if merged else ()), *own], ids, segment

    def _block(self, batch: EventBatch, found: Sorted, commit_line: bytes) -> EncodedBlock:
        if len(found.fresh) == len(batch) and not found.again:
            if batch.is_large:
                return close_block(batch.frames, commit_line)
            return encode_block(batch.lines, commit_line)
        lines = [
            again_line(found.ids[place].hex()) if place in found.again else batch.lines[place]
            for place in found.fresh
        ]
        return encode_block(lines, commit_line)


def _is_plain(request: Append) -> bool:
    """Is it an append of new events to where the ref is, whatever they are?"""
    return not (
        request.further_parents
        or request.left_out
        or request.model
        or request.resolved
        or request.recorded_at_event_time
        or request.at is not None
        or request.first_parent is not None
    )


def _merge_record(request: Append) -> MergeRecord | None:
    if not (request.left_out or request.model or request.resolved):
        return None
    return MergeRecord(
        left_out=list(request.left_out), model=request.model, resolved=list(request.resolved)
    )


def _drop_incoming(found: Sorted, merged: Incoming) -> None:
    """Own events that a further parent brings are in the log already when their turn comes."""
    there = set(merged.ids)
    found.fresh = [place for place in found.fresh if found.ids[place] not in there]
    kept = set(found.fresh)
    found.again = {place: line for place, line in found.again.items() if place in kept}


def _time_of(
    request: Append, parent: CommitRow, found: Sorted, warnings: list[str]
) -> tuple[int, Literal["events"] | None]:
    """(the commit's time, whether it is recorded at its events' times)."""
    if request.recorded_at_event_time and found.fresh:
        batch = request.batch
        if len(found.fresh) == len(batch) and batch.last_time <= to_text(request.now):
            return max(to_instant(batch.last_time), parent.time), "events"
        times = [batch.times[place] for place in found.fresh]
        return recorded_at_event_times(times, parent.time, request.now), "events"
    time = request.now if request.commit_time is None else request.commit_time
    return never_before(parent.time, time, warnings), None


def _latest(batch: EventBatch, latest: int) -> int:
    if not len(batch):
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
