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
        if rule.prefix is not None:
            yield from _judged_each(rule, documents, paths)
        elif paths:
            yield from _judged(rule, documents)


class Asked:
    """Judges documents that change again and again. A rule about all together is asked anew only
    where something may have changed that it read when it was asked last."""

    def __init__(self, model: LoadedModel, documents: Mapping[str, Any]) -> None:
        self._model = model
        self._documents = documents
        self._read: dict[str, _Read] = {}

    def after(self, touched: Mapping[str, bool]) -> Iterator[Violation]:
        """What does not hold where `touched` documents changed: {path: did it come or go?}. A
        violation of all together is told when it is found, not again while nothing it read changes.
        """
        paths = sorted(touched)
        for rule in self._model.invariants:
            if rule.prefix is not None:
                yield from _judged_each(rule, self._documents, paths)
                continue
            before = self._read.get(rule.name)
            if paths and (before is None or before.concerns(touched)):
                read = _Read(self._documents)
                self._read.pop(rule.name, None)
                found = list(_judged(rule, read))
                self._read[rule.name] = read
                yield from found


class _Read(Mapping[str, Any]):
    """Documents, and which of them somebody looked at."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents
        self._paths: set[str] = set()
        self._listed = False

    def concerns(self, touched: Mapping[str, bool]) -> bool:
        """Can what was read have changed?"""
        if self._listed and any(touched.values()):
            return True
        return any(path in self._paths for path in touched)

    def __getitem__(self, path: str) -> Any:
        self._paths.add(path)
        return self._documents[path]

    def __iter__(self) -> Iterator[str]:
        self._listed = True
        return iter(self._documents)

    def __len__(self) -> int:
        self._listed = True
        return len(self._documents)


def _judged_each(
    rule: LoadedInvariant, documents: Mapping[str, Any], paths: Iterable[str]
) -> Iterator[Violation]:
    for path in paths:
        if path.startswith(str(rule.prefix)):
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
