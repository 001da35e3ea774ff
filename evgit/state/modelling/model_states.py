"""The states of a model: each projection's own, cached and rebuilt apart, read as one.

A document asks only the projection that owns its path: the others are not computed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from evgit.state.forest import Forest, Trees
from evgit.state.merkle_node import NodeMissing, key_of
from evgit.state.modelling.adapters import NOTHING_SKIPPED, Adapter, Skipped
from evgit.state.modelling.live_documents import LiveAdapter
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.shared_documents import sharing
from evgit.state.state import Overlay, State
from evgit.state.states import EventLog, States, Trial, checked_size
from evgit.storage.cache import Cache

T = TypeVar("T")


class Part(NamedTuple):
    """One projection of a model, and its states."""

    adapter: Adapter
    states: States


class ModelStates:
    """The states of logs as a model sees them."""

    def __init__(
        self,
        cache: Cache,
        model: LoadedModel,
        *,
        skipped: Skipped = NOTHING_SKIPPED,
        jobs: int | None = 1,
        **more: Any,
    ) -> None:
        """`jobs`: how many processes may share a long replay; None: as many as are of use here.
        `more`: the settings of `States`."""
        self.model = model
        adapters = sorted(model.adapters(skipped), key=lambda adapter: key_of(adapter.prefix))
        for adapter in adapters:
            if jobs != 1 and isinstance(adapter, LiveAdapter):
                adapter.share = sharing(model, skipped, jobs)
        self.parts: Sequence[Part] = [
            Part(adapter, States(cache, adapter, **more))  # type: ignore[arg-type]
            for adapter in adapters
        ]

    def at(self, log: EventLog, size: int | None = None) -> ModelState:
        """The state after the first `size` events of `log`, or after all of them."""
        size = checked_size(log, size)

        def state_of(part: Part) -> State:
            return part.states.at(log, size)

        return ModelState(self.parts, state_of, size=size, log_root=log.root(size))

    def rebuild(self, log: EventLog, size: int | None = None) -> ModelState:
        """The same state from the events alone: no snapshot is used and none is made."""
        size = checked_size(log, size)

        def state_of(part: Part) -> State:
            return part.states.rebuild(log, size)

        return ModelState(self.parts, state_of, size=size, log_root=log.root(size))

    def after(
        self,
        log: EventLog,
        texts: Iterable[bytes],
        wanted: Callable[[str], bool] = lambda prefix: True,
    ) -> Trial:
        """The state that a log would have with further events, which are in no log yet: of the
        projections whose prefixes are `wanted`."""
        lines = list(texts)
        size = log.size + sum(text.count(b"\n") for text in lines)
        parts = [part for part in self.parts if wanted(part.adapter.prefix)]
        found = {part.adapter.prefix: part.states.after(log, lines) for part in parts}

        def state_of(part: Part) -> State:
            return found[part.adapter.prefix].state

        state = ModelState(parts, state_of, size=size, log_root=b"")
        return Trial(state, {path for trial in found.values() for path in trial.touched})


class ModelState(State):
    """All documents of a model at one point; each projection is computed when first asked for."""

    def __init__(
        self,
        parts: Sequence[Part],
        state_of: Callable[[Part], State],
        *,
        size: int,
        log_root: bytes,
    ) -> None:
        self.size = size
        self.log_root = log_root
        self._parts = parts
        self._state_of = state_of
        self._made: dict[str, State] = {}

    def part(self, prefix: str) -> State:
        """The state of the projection that owns a prefix, with documents as they are stored."""
        for part in self._parts:
            if part.adapter.prefix == prefix:
                return self._state(part)
        raise KeyError(prefix)

    def _state(self, part: Part) -> State:
        prefix = part.adapter.prefix
        if prefix not in self._made:
            self._made[prefix] = self._state_of(part)
        return self._made[prefix]

    def _owner(self, path: str) -> Part | None:
        for part in self._parts:
            if path.startswith(part.adapter.prefix):
                return part
        return None

    def _all(self) -> list[State]:
        return [self._state(part) for part in self._parts]

    @property
    def last_snapshot(self) -> int:  # type: ignore[override]
        """The oldest of the last snapshots of the projections."""
        return min((state.last_snapshot for state in self._all()), default=0)

    # ------------------------------------------------------------------ documents
    def document(self, path: str) -> bytes | None:
        part = self._owner(path)
        if part is None:
            return None
        return self.presented(path, self._state(part).document(path))

    def several(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        return {path: self.document(path) for path in paths}

    def documents(self, under: str = "") -> Iterator[tuple[str, bytes]]:
        for part in self._parts:
            prefix = part.adapter.prefix
            if prefix.startswith(under) or under.startswith(prefix):
                for path, document in self._state(part).documents(under):
                    yield path, part.adapter.present(document)

    def __len__(self) -> int:
        return sum(map(len, self._all()))

    def presented(self, path: str, document: bytes | None) -> bytes | None:
        part = self._owner(path)
        return document if part is None or document is None else part.adapter.present(document)

    # ------------------------------------------------------------------ as Merkle maps
    def _combined(self, tree_of: Callable[[State], Trees]) -> Trees:
        trees: dict[str, Any] = {
            part.adapter.prefix: tree_of(self._state(part)) for part in self._parts
        }
        return next(iter(trees.values())) if len(trees) == 1 else Forest(trees)

    @property
    def tree(self) -> Trees:
        return self._combined(lambda state: state.tree)

    @property
    def overlay(self) -> Overlay:
        overlays = [state.overlay for state in self._all()]
        if len(overlays) == 1:
            return overlays[0]
        return {path: entry for overlay in overlays for path, entry in overlay.items()}

    @property
    def settled(self) -> Trees | None:
        if any(state.settled is None for state in self._all()):
            return None
        return self.settle()

    def settle(self) -> Trees:
        return self._combined(lambda state: state.settle())

    def retrying(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except NodeMissing:
            self._compute_again()
            return work()

    def _compute_again(self) -> None:
        for state in self._all():
            state._compute_again()
