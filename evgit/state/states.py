"""States at any point of a log, at a bounded cost: what is in memory, snapshots, and the tail.

Snapshots are taken while a log is replayed, and found again by (projection key, size, root of the
log up to there): a snapshot of another history or of other code is never served, and branches with
the same events share theirs. It knows a log only as something to read events from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, cast, runtime_checkable

from evgit.errors import UnknownRevision
from evgit.state.builtin import BUILTIN
from evgit.state.folding import Fold
from evgit.state.late_state import FindsDocuments, IndexedLog, LateState
from evgit.state.merkle_map import EMPTY_ROOT, Change, MerkleMap
from evgit.state.merkle_node import NodeMissing, Reader, references
from evgit.state.projection import (
    AnyProjection,
    KeyedProjection,
    Unstorable,
)
from evgit.state.state import Overlay, State
from evgit.storage.cache import Cache, Snapshot
from evgit.storage.stretches import Stretch, Unclustered

SNAPSHOT_INTERVAL = 8192
"""A snapshot of the past is due after this many events, or SPARSENESS times as many as there are
documents if those are more: so that making one costs no more than the replay it saves, and a tail
is short. The end of a long replay gets one, too."""
SPARSENESS = 1
LIVE_SPARSENESS = 0.5
"""The same where documents are folded live, and so made at a lower price, for which the interval is
half as long, too."""
SPARSER = 50
"""On the way to the present, so many times fewer are left where documents are folded live: most of
the past is never asked for, and whoever asks leaves the others."""
REMEMBERED_STATES = 4
LIVE_EVENTS = 65_536  # from so many on, they are folded live
WHOLE_EVENTS = 3072  # from so many on, a state of which everything is wanted is folded live
WORTH_LOOKING = 256  # events: to replay fewer costs no more than to look for those of a document


class EventLog(Protocol):
    """What is needed of a log. Positions are 0-based."""

    @property
    def size(self) -> int: ...

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The events at positions [start, stop) as canonical JSON lines, several to a text."""

    def root(self, size: int | None = None) -> bytes: ...


class ShallowLog(EventLog, Protocol):
    """A log that may begin in the middle, with documents that somebody else vouches for."""

    @property
    def floor(self) -> int:
        """How many events, the first ones, can't be read: 0 where all of them can."""

    def given_documents(self, projection: bytes) -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of the state after `floor` events, by the projection with this
        key. Raises BehindBoundary where it is not known."""


@runtime_checkable
class ClusteredLog(EventLog, Protocol):
    """A log some of which can be read stream by stream."""

    def stretches(self, start: int = 0, stop: int | None = None) -> Iterator[Stretch]:
        """The events at positions [start, stop), those in front that can be read so."""


class Trial(NamedTuple):
    """A state that no log has yet, and the paths of the documents that its last events touched."""

    state: State
    touched: set[str]


class States:
    """The states of logs as one projection sees them."""

    def __init__(
        self,
        cache: Cache,
        projection: AnyProjection = BUILTIN,
        *,
        interval: int = SNAPSHOT_INTERVAL,
        remembered: int = REMEMBERED_STATES,
    ) -> None:
        self._cache = cache
        self._projection = projection
        self._keyed = projection if isinstance(projection, KeyedProjection) else None
        self._finding: FindsDocuments | None = None
        if isinstance(projection, FindsDocuments) and not projection.sees_all:
            self._finding = projection
        self._interval = interval
        self._remembered = remembered
        self._reader = Reader(cache.node, cache.nodes)
        self._recent: list[State] = []  # the latest used comes last
        self._late: list[LateState] = []  # of which it may be that only documents are asked for

    @property
    def projection(self) -> AnyProjection:
        """The projection whose states these are."""
        return self._projection

    def at(self, log: EventLog, size: int | None = None) -> State:
        """The state after the first `size` events of `log`, or after all of them."""
        size = checked_size(log, size)
        root = log.root(size)
        for state in self._recent:
            if state.size == size and state.log_root == root:
                self._remember(state)
                return state
        for late in self._late:
            if late.size == size and late.log_root == root:
                return late
        found = self._late_state(log, size, root)
        return self._replayed(log, size, root) if found is None else found

    def _replayed(
        self, log: EventLog, size: int, root: bytes, *, live_from: int | None = None
    ) -> State:
        """`live_from`: so many events are worth folding live; LIVE_EVENTS if not given."""
        while True:
            start, covered = self._nearest(log, size)
            try:
                state = self._replay(log, start, size, root, covered, live_from)
                break
            except NodeMissing:
                self._forget(start)
        self._remember(state)
        return state

    def _late_state(self, log: EventLog, size: int, root: bytes) -> LateState | None:
        """A state of the past whose documents can be made one by one; None where replaying costs
        little, or is needed anyway."""
        if self._finding is None or not self._is_past(size) or not isinstance(log, IndexedLog):
            return None
        before, _ = self._nearest(log, size)
        if size - before.size < WORTH_LOOKING:
            return None
        late = LateState(
            before,
            log,
            self._finding,
            lambda: self._replayed(log, size, root, live_from=WHOLE_EVENTS),
            size=size,
            log_root=root,
            short=2 * max(self._interval, SPARSENESS * len(before.tree)),
        )
        self._late = [*self._late, late][-self._remembered or 1 :]
        return late

    def nearest(self, log: EventLog, size: int) -> State:
        """The latest state at or before `size` that is at hand, in memory or as a snapshot."""
        return self._nearest(log, checked_size(log, size))[0]

    def rebuild(self, log: EventLog, size: int | None = None) -> State:
        """The same state from the events alone: no snapshot is used and none is made."""
        size = checked_size(log, size)
        apart = States(Cache(None), self._projection, interval=1 << 62, remembered=0)
        return apart._replay(log, apart._nothing(log), size, log.root(size), 0)

    def after(self, log: EventLog, texts: Iterable[bytes]) -> Trial:
        """The state that a log would have with further events, which are in no log yet."""
        start = self.at(log)
        fold = Fold(self._cache, self._projection, start, bounded=False)
        position = start.size
        for text in texts:
            position += fold.take(text, position)
        touched = fold.touched()
        state = self._state(log, fold.tree, fold.overlay(), position, b"", start.last_snapshot)
        return Trial(state, touched)

    # ------------------------------------------------------------------ where to start

    def _nearest(self, log: EventLog, size: int) -> tuple[State, int]:
        """The state known that costs least to go on from, and the size of the last snapshot."""
        floor = _floor(log)
        best: State | None = None if floor else self._nothing(log)
        for state in sorted(self._recent, key=_size_of, reverse=True):
            if floor <= state.size <= size and log.root(state.size) == state.log_root:
                best = state
                break
        roots: dict[int, bytes] = {}
        for snapshot in self._cache.snapshots(self._projection.key, size):
            if snapshot.size <= (floor - 1 if best is None else best.size):
                break
            if snapshot.size not in roots:
                roots[snapshot.size] = log.root(snapshot.size)
            if roots[snapshot.size] != snapshot.log_root:
                continue
            # What is in memory has its nodes at hand, and shares documents with what follows it.
            if best is not None and best.size and snapshot.size - best.size < self._interval // 8:
                return best, snapshot.size
            if self._cache.node(snapshot.map_root) is None:
                self._cache.forget_snapshot(snapshot)
                continue
            tree = MerkleMap(self._reader, snapshot.map_root, {})
            found = self._state(log, tree, {}, snapshot.size, snapshot.log_root, snapshot.size)
            return found, snapshot.size
        best = best or self._nothing(log)
        return best, best.last_snapshot

    def _is_past(self, size: int) -> bool:
        """Has a later state been made? Then more of the past may be asked for."""
        later = max((state.size for state in self._recent), default=0)
        return max(later, self._cache.last_snapshot(self._projection.key)) > size

    def _nothing(self, log: EventLog) -> State:
        """What everything is made from: no documents, or those that a shallow repository began
        with."""
        if _floor(log):
            return self._given(cast("ShallowLog", log))
        return self._state(log, MerkleMap(self._reader), {}, 0, log.root(0), 0)

    def _given(self, log: ShallowLog) -> State:
        documents: dict[str, Change] = dict(log.given_documents(self._projection.key))
        root = log.root(log.floor)
        tree = MerkleMap(self._reader).update(documents)
        made = Snapshot(self._projection.key, log.floor, root, tree.root, len(tree))
        tree = tree.flushed(lambda nodes: self._cache.add_nodes(nodes, made))
        return self._state(log, tree, {}, log.floor, root, log.floor)

    def _state(
        self,
        log: EventLog,
        tree: MerkleMap,
        overlay: Overlay,
        size: int,
        log_root: bytes,
        last_snapshot: int,
    ) -> State:
        return State(
            tree,
            overlay,
            size=size,
            log_root=log_root,
            last_snapshot=last_snapshot,
            projection=self._keyed,
            rebuild=lambda: self.rebuild(log, size).settle(),
        )

    def _remember(self, state: State) -> None:
        self._recent = [s for s in self._recent if s is not state]
        self._recent.append(state)
        del self._recent[: -self._remembered or len(self._recent)]

    def _forget(self, start: State) -> None:
        """The cache lost nodes of a state that we started from."""
        self._recent = [s for s in self._recent if s is not start]
        if start.tree.root != EMPTY_ROOT:
            self._reader = Reader(self._cache.node, self._cache.nodes)
            self._cache.forget_snapshot(
                Snapshot(self._projection.key, start.size, start.log_root, start.tree.root, 0)
            )

    # ------------------------------------------------------------------ replaying

    def _replay(
        self,
        log: EventLog,
        start: State,
        size: int,
        root: bytes,
        last_snapshot: int,
        live_from: int | None = None,
    ) -> State:
        if start.size == size:
            return start
        many = size - start.size > (LIVE_EVENTS if live_from is None else live_from)
        for streams in (True, False) if many else ():
            try:
                return self._folded(
                    log, start, size, root, last_snapshot, live=True, streams=streams
                )
            except Unclustered:
                continue  # in log order, then
            except Unstorable:
                break
        return self._folded(log, start, size, root, last_snapshot, live=False)

    def _folded(
        self,
        log: EventLog,
        start: State,
        size: int,
        root: bytes,
        last_snapshot: int,
        *,
        live: bool,
        streams: bool = False,
    ) -> State:
        """`streams`: take what is packed stream by stream, if it can be. Raises Unclustered where
        it turns out that it can't."""
        fold = Fold(self._cache, self._projection, start, live=live)
        position, taken = start.size, 0
        sparser = SPARSER if fold.is_live and not self._is_past(size) else 1
        sparseness = sparser * (LIVE_SPARSENESS if fold.is_live else SPARSENESS)
        interval = sparser * (self._interval // 2 if fold.is_live else self._interval)
        fold.expect(size - position)

        def snapshot_if_due() -> None:
            nonlocal last_snapshot, taken
            due = max(interval, int(sparseness * fold.count()))
            if position == size:  # where somebody happened to look is not worth one so soon
                due = min(due + due // 4, max(self._interval, LIVE_EVENTS))
            if position - last_snapshot >= due:
                fold.snapshot(position, log.root(position))
                last_snapshot, taken = position, taken + 1

        # Whoever looks back wants more snapshots than there are windows.
        streams = streams and sparser > 1 and fold.takes_streams
        if streams and isinstance(log, ClusteredLog):
            stretches = list(log.stretches(position, size))
            try:
                fold.share(stretches)
                for stretch in stretches:
                    position = fold.take_stretch(stretch)
                    snapshot_if_due()
                fold.end_sharing()
            finally:
                fold.close()
        for text in log.texts(position, size):
            position += fold.take(text, position)
            snapshot_if_due()
        if taken and self._cache.oversized():
            self._cache.sweep(references)
        return self._state(log, fold.tree, fold.overlay(), size, root, last_snapshot)


def _size_of(state: State) -> int:
    return state.size


def checked_size(log: EventLog, size: int | None) -> int:
    """`size`, or the whole log's. Raises UnknownRevision beyond its ends."""
    if size is None:
        return log.size
    if size < (floor := _floor(log)):
        for _ in log.texts(max(size, 0), floor):
            pass  # it says what is not here
    if not 0 <= size <= log.size:
        raise UnknownRevision(
            f"this log has {log.size} events, so there is no point after {size}",
            hint=f"ask for a point from 0 to {log.size}",
        )
    return size


def _floor(log: EventLog) -> int:
    return int(getattr(log, "floor", 0))
