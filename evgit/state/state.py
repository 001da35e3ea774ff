"""A state: all documents at one point, read-only, computed no sooner than somebody asks.

It knows documents and what they are folded from, not logs or snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from evgit.state.forest import Trees
from evgit.state.merkle_map import Change, MerkleMap
from evgit.state.merkle_node import NodeMissing, Reader, key_of
from evgit.state.projection import KeyedProjection

T = TypeVar("T")

MANY = 1024
"""More documents are read one by one: the nodes that lead to them need not all be held at once."""

_decode = msgspec.json.Decoder().decode
_IN_TREE: Any = object()
_ABSENT: Any = object()
_NO_TREE = MerkleMap(Reader(lambda digest: None))


class Pending:
    """A document that has still to take in events: made when first asked for, then kept.

    States that follow one another share these, and so the work.
    """

    __slots__ = ("_projection", "_result", "before", "events")

    def __init__(self, before: Any, events: Sequence[Any], projection: KeyedProjection) -> None:
        self.before = before
        self.events = events
        self._projection = projection
        self._result: Any = _ABSENT

    def then(self, events: Sequence[Any]) -> Pending:
        """The same document, with these events to follow."""
        if self._result is not _ABSENT:
            return Pending(self._result, events, self._projection)
        return Pending(self.before, [*self.events, *events], self._projection)

    def same(self, other: object) -> bool:
        """Is the other certainly the same document, as far as can be told without making it?"""
        if self is other:
            return True
        return (
            isinstance(other, Pending)
            and self.before == other.before
            and len(self.events) == len(other.events)
            and self.events == other.events
        )

    def resolve(self, path: str, tree: Trees) -> bytes | None:
        """Canonical bytes of the document, None for none. `tree` is what its overlay lies over."""
        if self._result is _ABSENT:
            before = tree.get(path) if self.before is _IN_TREE else self.before
            self._result = self._projection.fold_document(path, before, self.events)
        return cast("bytes | None", self._result)

    def change(self, path: str) -> Change:
        """The same as a change of the Merkle map that the overlay lies over: making many documents
        so, in the map's order, finds what they were made from without looking for each."""
        if self._result is not _ABSENT or self.before is not _IN_TREE:
            return self.resolve(path, _NO_TREE)
        return lambda before: self._projection.fold_document(path, before, self.events)


Overlay: TypeAlias = "dict[str, bytes | Pending | list[Any] | None]"
"""Documents that differ from the Merkle map below: bytes, still to be made, or None for gone. A
list is of the events that the map's document has still to take in: `Pending` in the making."""


class State(Mapping[str, Any]):
    """All documents after the first `size` events of a log: path -> JSON value.

    Every look-up gives a new value, so changing one changes nothing here. `log_root` is the RFC
    6962 root of those events, `last_snapshot` the size of the snapshot before it.
    """

    def __init__(
        self,
        tree: Trees,
        overlay: Overlay,
        *,
        size: int,
        log_root: bytes,
        last_snapshot: int,
        projection: KeyedProjection | None = None,
        rebuild: Callable[[], Trees],
    ) -> None:
        self.size = size
        self.log_root = log_root
        self.last_snapshot = last_snapshot
        self._projection = projection  # what makes documents of events that still wait
        self._tree = tree
        self._overlay = overlay
        self._settled: Trees | None = None
        self._rebuild = rebuild

    # ------------------------------------------------------------------ as a mapping

    def __getitem__(self, path: str) -> Any:
        document = self.document(path)
        if document is None:
            raise KeyError(path)
        return _decode(document)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.document(path) is not None

    def __iter__(self) -> Iterator[str]:
        for path, _ in self.documents():
            yield path

    def __len__(self) -> int:
        return self.retrying(lambda: len(self.settle()))

    def __repr__(self) -> str:
        return f"<State of {self.size} events>"

    # ------------------------------------------------------------------ as bytes

    def document(self, path: str) -> bytes | None:
        """Canonical JSON of the document at `path`; None if there is none."""
        return self.retrying(lambda: self._document(path))

    def several(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        """What `document` gives for each of these paths."""
        if len(paths) <= MANY:
            return self.retrying(lambda: self._several(paths))
        return {path: self.document(path) for path in paths}

    def _several(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        overlay = self._overlay
        found = self._tree.several([path for path in paths if path not in overlay])
        return {path: self._document(path) if path in overlay else found[path] for path in paths}

    def documents(self, under: str = "") -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of all documents whose path begins with `under`, in key order."""
        after: str | None = None
        while True:
            try:
                for path, document in self._merged(under, after):
                    yield path, document
                    after = path
                return
            except NodeMissing:
                self._compute_again()

    @property
    def root(self) -> str:
        """Root of the Merkle map, 64 hex digits: equal for equal states, whatever led to them."""
        return self.retrying(self.settle).root.hex()

    # ------------------------------------------------------------------ for this layer

    @property
    def tree(self) -> Trees:
        """The Merkle map that `overlay` lies over."""
        return self._tree

    @property
    def overlay(self) -> Overlay:
        return self._overlay

    def presented(self, path: str, document: bytes | None) -> bytes | None:
        """A document as everybody sees it, from what the Merkle map holds."""
        return document

    @property
    def settled(self) -> Trees | None:
        """The Merkle map of exactly this state, if it was computed already."""
        return self._settled if self._overlay else self._tree

    def settle(self) -> Trees:
        """The Merkle map of exactly this state. Raises NodeMissing."""
        settled = self.settled
        if settled is None:
            settled = self._settled = self._tree.update(changes_of(self._overlay, self._projection))
        return settled

    def retrying(self, work: Callable[[], T]) -> T:
        """`work()`, with everything computed again if the cache lost what it needs."""
        try:
            return work()
        except NodeMissing:
            self._compute_again()
            return work()

    def _compute_again(self) -> None:
        self._tree, self._overlay, self._settled = self._rebuild(), {}, None

    def _document(self, path: str) -> bytes | None:
        entry = self._overlay.get(path, _ABSENT)
        if entry is _ABSENT:
            return self._tree.get(path)
        if self._settled is not None:
            return self._settled.get(path)
        if isinstance(entry, list):
            entry = self._overlay[path] = pending(entry, self._projection)
        return resolved(entry, path, self._tree)

    def _merged(self, under: str, after: str | None) -> Iterator[tuple[str, bytes]]:
        settled = self.settled
        if settled is not None:
            yield from settled.items(under, after)
            return
        low = b"" if after is None else key_of(after) + b"\0"
        over = sorted(
            (key, path)
            for path in self._overlay
            if path.startswith(under) and (key := key_of(path)) >= low
        )
        below = self._tree.items(under, after)
        base = next(below, None)
        for key, path in over:
            while base is not None and key_of(base[0]) < key:
                yield base
                base = next(below, None)
            if base is not None and base[0] == path:
                base = next(below, None)
            document = self._document(path)
            if document is not None:
                yield path, document
        while base is not None:
            yield base
            base = next(below, None)


def resolved(entry: bytes | Pending | None, path: str, tree: Trees) -> bytes | None:
    """The document that an overlay over `tree` has at `path`."""
    return entry.resolve(path, tree) if isinstance(entry, Pending) else entry


def changes_of(overlay: Overlay, projection: KeyedProjection | None) -> dict[str, Change]:
    """What an overlay changes in the Merkle map that it lies over."""
    if set(map(type, overlay.values())) <= {bytes}:
        return cast("dict[str, Change]", overlay)
    changes: dict[str, Change] = {}
    for path, entry in overlay.items():
        if isinstance(entry, list):
            assert projection is not None
            changes[path] = _folding(projection, path, entry)
        else:
            changes[path] = entry.change(path) if isinstance(entry, Pending) else entry
    return changes


def _folding(
    projection: KeyedProjection, path: str, events: Sequence[Any]
) -> Callable[[bytes | None], bytes | None]:
    return lambda before: projection.fold_document(path, before, events)


def pending(events: list[Any], projection: KeyedProjection | None) -> Pending:
    """What a list in an overlay stands for."""
    assert projection is not None, "only keyed projections leave events in an overlay"
    return Pending(_IN_TREE, events, projection)


def extended(
    overlay: Overlay, groups: Mapping[str, list[Any]], projection: KeyedProjection
) -> Overlay:
    """An overlay like this one, whose documents have also these events to take in.

    It becomes the owner of the lists in `groups`.
    """
    if not overlay:
        return dict(groups)
    result = dict(overlay)
    for path, events in groups.items():
        entry = result.get(path, _IN_TREE)
        if entry is _IN_TREE:
            result[path] = events
        elif isinstance(entry, list):
            result[path] = [*entry, *events]
        elif isinstance(entry, Pending):
            result[path] = entry.then(events)
        else:
            result[path] = Pending(entry, events, projection)
    return result
