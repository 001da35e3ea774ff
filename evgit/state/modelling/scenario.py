"""Given these events, when those happen, then the documents are so: a model tried out in memory.

A scenario folds, upcasts, checks schemas and judges invariants with the code that a repository does
it with. It knows no repository, asks nobody for trust (who runs own tests has decided) and no test
framework: what is not as expected is an AssertionError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn, Self

from evgit.errors import EvgitError, InvariantViolated, ModelError, SchemaViolated
from evgit.formats import canonical
from evgit.formats.event import Event, EventBatch, batch_from_events
from evgit.formats.times import to_instant, to_text
from evgit.history.new_event import NewEvent, stamped
from evgit.state.diff import MISSING, field_changes
from evgit.state.modelling.invariants import violations
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.new_events import check_new_events
from evgit.storage.cache import Cache

NEWEST = 0
"""As an event's version: the newest that the model knows."""
_FIRST = to_instant("2026-01-01T00:00:00.000000Z")
_SECOND = 1_000_000
_MISSING: Any = object()


class _LinesLog:
    """A log in memory."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines
        self.size = len(lines)

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        lines = self._lines[start:stop]
        if lines:
            yield b"".join(line + b"\n" for line in lines)

    def root(self, size: int | None = None) -> bytes:
        return canonical.digest(b"\n".join(self._lines[:size]))


@dataclass(frozen=True)
class Scenario:
    """Events that a model has seen, and how the last attempt to add some went.

    Scenarios don't change: each step gives another.
    """

    model: LoadedModel
    lines: tuple[bytes, ...] = ()
    refused: ModelError | None = None
    """Why the last `when` was refused, or what its code raised; None where it went well."""

    @classmethod
    def given(cls, model: LoadedModel, events: Sequence[NewEvent | Event]) -> Self:
        """Events that are stored already, of any versions: nothing judges them."""
        scenario = cls(model)
        return replace(scenario, lines=tuple(scenario._batch(events).lines))

    def when(self, *events: NewEvent | Event) -> Self:
        """Try to append these, in one commit, as `evgit commit` would."""
        if self.refused is not None:
            self._fail_refused()
        batch = self._batch(events)
        after = replace(self, lines=(*self.lines, *batch.lines))
        try:
            check_new_events(self.model, batch.events)
            broken = next(violations(self.model, after._state, self._touched(batch)), None)
            if broken is not None:
                raise InvariantViolated(str(broken), name=broken.name, path=broken.path)
            len(after.documents)  # handlers that no rule looks at
        except ModelError as error:
            return replace(self, refused=error)
        return after

    def then(self, path: str | Mapping[str, Any], document: Any = _MISSING) -> Self:
        """The document at a path is this; or, of a mapping, all of these are. Texts are texts."""
        if self.refused is not None:
            self._fail_refused()
        expected = {path: document} if isinstance(path, str) else path
        if document is _MISSING and isinstance(path, str):
            raise TypeError("then() takes a path and a document, or a mapping of several")
        for each, wanted in expected.items():
            found = self.documents.get(each, _MISSING)
            if found is _MISSING:
                raise AssertionError(f"there is no document {each}; {self._paths()}")
            if found != _plain(wanted):
                raise AssertionError(f"{each} is not as expected:\n{_difference(wanted, found)}")
        return self

    def then_absent(self, *paths: str) -> Self:
        """There are no documents at these paths."""
        if self.refused is not None:
            self._fail_refused()
        for path in paths:
            if path in self.documents:
                raise AssertionError(f"there is a document {path}: {self.documents[path]!r}")
        return self

    def then_refused(self, name: str | None = None) -> Self:
        """The last `when` was refused: by the invariant of this name; by a schema or for a version,
        with this in its message; or, without a name, by any of them. What was before goes on."""
        if self.refused is None:
            raise AssertionError("it was not refused" + ("" if name is None else f" by {name!r}"))
        error = self.refused
        if not isinstance(error, InvariantViolated | SchemaViolated) and name is None:
            raise error
        by = error.name if isinstance(error, InvariantViolated) else None
        if name is not None and by != name and (by is not None or name not in error.message):
            raise AssertionError(f"it was not refused by {name!r}, but: {error.message}") from error
        return replace(self, refused=None)

    def then_raises(self, kind: type[EvgitError] = ModelError, says: str = "") -> Self:
        """The last `when` raised an error of this class, with this in its message. What was before
        goes on."""
        error = self.refused
        if error is None:
            raise AssertionError(f"it did not raise {kind.__name__}")
        if not isinstance(error, kind) or says not in error.message:
            wanted = kind.__name__ + (f" with {says!r}" if says else "")
            raise AssertionError(f"it did not raise {wanted}, but {error.message}") from error
        return replace(self, refused=None)

    @cached_property
    def documents(self) -> dict[str, Any]:
        """All documents by path. Raises ModelError where the model's code fails."""
        return dict(self._state)

    # ------------------------------------------------------------------ inside
    @cached_property
    def _state(self) -> Any:
        return ModelStates(Cache(None), self.model).at(_LinesLog(self.lines))

    def _touched(self, batch: EventBatch) -> set[str]:
        states = ModelStates(Cache(None), self.model)
        text = b"".join(line + b"\n" for line in batch.lines)
        return states.after(_LinesLog(self.lines), [text], self.model.is_judged).touched

    def _batch(self, events: Sequence[NewEvent | Event]) -> EventBatch:
        newest = self.model.upcasting.newest
        made: list[Event] = []
        for event in events:
            if isinstance(event, NewEvent):
                if event.version == NEWEST:
                    event = _with(event, version=newest.get(event.type, 1))
                if event.time is None:  # a second each, so that ids are the same in every run
                    second = len(self.lines) + len(made)
                    event = _with(event, time=to_text(_FIRST + second * _SECOND))
                event = stamped(event, lambda: _FIRST)
            made.append(event)
        return batch_from_events(made)

    def _fail_refused(self) -> NoReturn:
        error = self.refused
        assert error is not None
        if isinstance(error, InvariantViolated | SchemaViolated):
            raise AssertionError(f"it was refused: {error.message}") from error
        raise error

    def _paths(self) -> str:
        paths = sorted(self.documents)
        shown = ", ".join(paths[:10]) + (", …" if len(paths) > 10 else "")
        return f"there are {shown}" if paths else "there are none"


def _with(event: NewEvent, **changes: Any) -> NewEvent:
    members = {name: getattr(event, name) for name in event.__struct_fields__}
    return NewEvent(**(members | changes))


def _plain(value: Any) -> Any:
    """As it would be stored: tuples are lists, 1.0 is 1."""
    return canonical.parse(canonical.encode(value))


def _difference(wanted: Any, found: Any) -> str:
    plain = _plain(wanted)
    if not isinstance(plain, dict | list) or not isinstance(found, dict | list):
        return f"  expected {_shown(plain)}\n  found    {_shown(found)}"
    return "\n".join(
        f"  {change.pointer or '/'}: expected {_shown(change.old)}, found {_shown(change.new)}"
        for change in field_changes(plain, found)
    )


def _shown(value: Any) -> str:
    return "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
