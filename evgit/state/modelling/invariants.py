"""Judging a state by a model's invariants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from evgit.state.modelling.failures import raise_failed
from evgit.state.modelling.loaded import LoadedInvariant, LoadedModel


class Violation(NamedTuple):
    """A rule that does not hold: for a document, or for all together (`path` None)."""

    name: str
    path: str | None
    reason: str

    def __str__(self) -> str:
        where = "" if self.path is None else f" for {self.path}"
        reason = f": {self.reason}" if self.reason else ""
        return f"invariant {self.name!r} does not hold{where}{reason}"


def violations(
    model: LoadedModel, documents: Mapping[str, Any], touched: Iterable[str]
) -> Iterator[Violation]:
    """What a state breaks of a model's rules, where `touched` documents may have changed.

    Raises HandlerFailed where a rule's own code fails.
    """
    paths = sorted(touched)
    for rule in model.invariants:
        if rule.prefix is None:
            if paths:
                yield from _judged(rule, documents)
            continue
        for path in paths:
            if path.startswith(rule.prefix):
                value = documents.get(path, _NONE)
                if value is not _NONE:
                    yield from _judged_one(rule, path, value)


def _judged_one(rule: LoadedInvariant, path: str, value: Any) -> Iterator[Violation]:
    try:
        said = rule.holds(path, value)
    except BaseException as error:
        raise_failed(error, f"invariant {rule.name!r}", path=path)
    if isinstance(said, str) and said:
        yield Violation(rule.name, path, said)
    elif said is not None and not isinstance(said, str) and not said:
        yield Violation(rule.name, path, "")


def _judged(rule: LoadedInvariant, documents: Mapping[str, Any]) -> Iterator[Violation]:
    try:
        said = rule.holds(documents)
        if said is None or isinstance(said, bool | str):
            found: list[Any] | bool | str | None = said
        else:
            found = list(said)
    except BaseException as error:
        raise_failed(error, f"invariant {rule.name!r}")
    if isinstance(found, list):
        for path in found:
            yield Violation(rule.name, str(path), "")
    elif found is False:
        yield Violation(rule.name, None, "")
    elif isinstance(found, str) and found:
        yield Violation(rule.name, None, found)


_NONE: Any = object()
