"""Events on their way into documents, in bounded memory.

It knows projections, Merkle maps and where their nodes are kept; not where to begin, nor when a
snapshot is due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from evgit.state.merkle_map import EMPTY_ROOT, MerkleMap
from evgit.state.projection import (
    AnyProjection,
    Documents,
    Groups,
    KeyedProjection,
    LiveDocuments,
    LiveProjection,
    SharedDocuments,
)
from evgit.state.state import Overlay, State, changes_of, extended, pending, resolved
from evgit.storage.cache import Cache, Snapshot
from evgit.storage.stretches import Stretch

PENDING_EVENTS = 65_536
PENDING_BYTES = 16 << 20
OVERLAY_BYTES = 64 << 20
UPDATED_AT_ONCE = 16_384  # documents, all of whose leaves are in memory meanwhile
LIVE_DOCUMENTS = 100_000
ALL_PER_EVENT = 4  # so many times the events, and all documents are got at once, not one by one
_PER_DOCUMENT = 300  # what Python adds to the bytes of a document in an overlay, about


class Fold:
    """Events on their way into documents, in bounded memory.

    Documents of a keyed projection wait with their events until somebody asks; those of a general
    one are Python values. When either grow too many they become bytes, and when those grow too many
    they go into the Merkle map.
    """

    def __init__(
        self,
        cache: Cache,
        projection: AnyProjection,
        start: State,
        *,
        bounded: bool = True,
        live: bool = False,
    ) -> None:
        """`start` is of this projection alone. Not `bounded`: nothing is settled on the way."""
        tree = start.tree
        assert isinstance(tree, MerkleMap)
        self.tree = tree
        self._bounded = bounded
        self._live: LiveDocuments | None = None
        self._shared: SharedDocuments | None = None  # in place of `_live`, while there are any
        self._is_new = not start.overlay and tree.root == EMPTY_ROOT
        self._lively = projection if live and isinstance(projection, LiveProjection) else None
        if self._lively is not None:
            self._live = self._lively.live(self._document)
        self._live_changed = False  # since they were last gathered
        self._loaded: dict[str, bytes] | None = None  # all documents at the start, if they are few
        self._cache = cache
        self._key = projection.key
        self._keyed: KeyedProjection | None = None
        if isinstance(projection, KeyedProjection):
            self._keyed = projection
        else:
            self._general = projection
            self._documents = Documents(
                self._document, lambda: iter(self._paths()), projection.encode
            )
        self._overlay = dict(start.overlay)
        self._groups: Groups = defaultdict(list)
        self._events = 0
        self._bytes = 0
        self._overlay_bytes = 0

    def take(self, text: bytes, position: int) -> int:
        """Take in the events of these JSON lines, from `position` on; how many they are."""
        if self._live is not None:
            taken = self._live.take(text, position)
            self._live_changed = True
            self._relieve()
            return taken
        if self._keyed is not None:
            events = self._keyed.decode(text, position)
            self._keyed.group(events, self._groups)
        else:
            events = self._general.decode(text, position)
            self._general.fold(events, self._documents)
        self._events += len(events)
        self._bytes += len(text)
        full = self._events > PENDING_EVENTS or self._bytes > PENDING_BYTES
        if full and self._bounded:
            self._settle()
            if self._overlay_bytes > OVERLAY_BYTES:
                self._into_tree()
                self.tree = self.tree.flushed(self._cache.add_nodes)
        return len(events)

    def share(self, stretches: Sequence[Stretch]) -> None:
        """Let other processes fold these stretches, if that pays: they are to be taken next.
        Whoever calls this must call `close` in the end. Raises Unclustered."""
        if self._is_new and self._lively is not None:
            self._shared = self._lively.shared(stretches)

    def end_sharing(self) -> None:
        """Get the documents of other processes, and go on alone. Raises Unclustered."""
        if self._shared is not None:
            self._gather()
            self._loaded = None
            self.close()

    def close(self) -> None:
        """End other processes, whatever they are at."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None

    def take_stretch(self, stretch: Stretch) -> int:
        """Take in the events of a stretch, stream by stream; the position behind the last. Raises
        Unclustered."""
        live = self._in_hand
        assert live is not None
        for _ in live.take_stretch(stretch):
            self._live_changed = True
            self._relieve()
        return stretch.end

    @property
    def takes_streams(self) -> bool:
        """Can it take stretches?"""
        return self._live is not None and self._live.takes_streams

    @property
    def is_live(self) -> bool:
        """Are documents held as Python values?"""
        return self._live is not None

    def expect(self, events: int) -> None:
        """So many events are to come: if they may concern most documents, all are got at once."""
        if self.is_live and len(self.tree) <= min(ALL_PER_EVENT * events, LIVE_DOCUMENTS):
            self._loaded = self.tree.everything()

    def count(self) -> int:
        """How many documents there are, about: those that are settled, or else those in hand."""
        live = self._in_hand
        return max(len(self.tree), 0 if live is None else len(live))

    def touched(self) -> set[str]:
        """Paths of the documents that events not settled yet have to do with."""
        if self._keyed is not None:
            return set(self._groups)
        self._overlay.update(self._documents.take_changes())
        return set(self._documents.written)

    def overlay(self) -> Overlay:
        """What lies over `tree` after the events taken so far."""
        self._gather()
        return self._overlay

    def snapshot(self, size: int, log_root: bytes) -> None:
        """Put everything into the tree and keep it as the state after `size` events."""
        self._gather()
        self._into_tree()
        tree = self.tree
        snapshot = Snapshot(self._key, size, log_root, tree.root, len(tree))
        self.tree = tree.flushed(lambda nodes: self._cache.add_nodes(nodes, snapshot))

    def _gather(self) -> None:
        """Bring what was touched into the overlay."""
        live = self._in_hand
        if live is not None:
            if self._live_changed:
                self._overlay |= live.stored()
                self._live_changed = False
        elif self._keyed is not None:
            self._overlay = extended(self._overlay, self._groups, self._keyed)
            self._groups = defaultdict(list)
        else:
            self._overlay.update(self._documents.take_changes())
        self._events = self._bytes = 0

    @property
    def _in_hand(self) -> LiveDocuments | SharedDocuments | None:
        return self._live if self._shared is None else self._shared

    def _relieve(self) -> None:
        """Put live documents away if they are too many."""
        assert self._live is not None
        if len(self._in_hand or ()) > LIVE_DOCUMENTS:
            self._gather()
            self._into_tree()
            self.tree = self.tree.flushed(self._cache.add_nodes)
            self.close()
            self._live.clear()
            self._loaded = None

    def _settle(self) -> None:
        """Make bytes of all documents that were touched."""
        self._gather()
        for path in self._overlay:
            self._overlay[path] = self._document(path)
        size = sum(len(d) for d in self._overlay.values() if isinstance(d, bytes))
        self._overlay_bytes = size + len(self._overlay) * _PER_DOCUMENT

    def _into_tree(self) -> None:
        paths = iter(sorted(self._overlay))
        while part := list(islice(paths, UPDATED_AT_ONCE)):
            overlay = {path: self._overlay.pop(path) for path in part}
            self.tree = self.tree.update(changes_of(overlay, self._keyed))
            if self._overlay:
                self.tree = self.tree.flushed(self._cache.add_nodes)
        self._overlay = {}
        self._overlay_bytes = 0

    def _document(self, path: str) -> bytes | None:
        if path not in self._overlay:
            if self._loaded is not None:
                return self._loaded.get(path)
            return None if self.tree.root == EMPTY_ROOT else self.tree.get(path)
        entry = self._overlay[path]
        if isinstance(entry, list):
            entry = pending(entry, self._keyed)
        return resolved(entry, path, self.tree)

    def _paths(self) -> list[str]:
        paths = {path for path, _ in self.tree.items()} | self._overlay.keys()
        return sorted(path for path in paths if self._document(path) is not None)
