"""A model that was loaded: what it declares, ready to fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evgit.state.modelling import declarations
from evgit.state.modelling.adapters import (
    NOTHING_SKIPPED,
    Adapter,
    Handler,
    Skipped,
)
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.general_adapter import GeneralAdapter
from evgit.state.modelling.live_documents import LiveAdapter
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.settings import ModelSettings
from evgit.state.modelling.upcasting import Upcasting


@dataclass(frozen=True, slots=True)
class LoadedProjection:
    """A projection of a model. `name`: module and class. `key`: hash of all it depends on."""

    name: str
    declared: declarations.AnyProjection
    handlers: Mapping[str, Handler]
    key: bytes
    file: str
    line: int

    @property
    def prefix(self) -> str:
        """The beginning of all its paths."""
        return self.declared.prefix

    @property
    def commuting(self) -> frozenset[str]:
        """The types of events whose order among themselves it says not to matter."""
        types = self.declared.commuting
        return frozenset([types] if isinstance(types, str) else types)


@dataclass(frozen=True, slots=True)
class LoadedInvariant:
    """A rule. `prefix`: of the documents that it judges one by one; None: all together."""

    name: str
    prefix: str | None
    holds: Callable[..., Any]
    file: str
    line: int


@dataclass(slots=True)
class LoadedModel:
    """A model in memory. `projections` by prefix; `id` is that of its files."""

    id: str
    files: ModelFiles
    settings: ModelSettings
    upcasting: Upcasting
    schemas: Schemas
    projections: Sequence[LoadedProjection]
    invariants: Sequence[LoadedInvariant]
    compensations: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def types(self) -> frozenset[str]:
        """All types of events that it handles, upcasts or lists."""
        handled = {name for projection in self.projections for name in projection.handlers}
        return frozenset(handled | self.upcasting.newest.keys() | self.settings.ignore)

    @property
    def commuting(self) -> frozenset[str]:
        """Types of events whose order does not matter: some projection says so, and so does every
        other that is strict and handles them."""
        declared = {name for each in self.projections for name in each.commuting}
        return frozenset(
            name
            for name in declared
            if all(
                name in each.commuting
                for each in self.projections
                if name in each.handlers and each.declared.order == "strict"
            )
        )

    def is_judged(self, prefix: str) -> bool:
        """Does any invariant look at documents of the projection that owns this prefix?"""
        return any(
            rule.prefix is None or rule.prefix.startswith(prefix) or prefix.startswith(rule.prefix)
            for rule in self.invariants
        )

    def adapters(self, skipped: Skipped = NOTHING_SKIPPED) -> list[Adapter]:
        """The projections as the state layer folds them, by prefix."""
        strict = self.types if self.settings.strict else None
        found: list[Adapter] = []
        for projection in self.projections:
            declared = projection.declared
            kind: Any = (
                LiveAdapter
                if isinstance(declared, declarations.KeyedProjection)
                else GeneralAdapter
            )
            found.append(
                kind(
                    projection.name,
                    declared,
                    projection.handlers,
                    self.upcasting,
                    key=projection.key,
                    strict=strict,
                    skipped=skipped,
                )
            )
        return found
