"""Holding events that others push to the model that a branch has here, commit by commit.

Only that model runs, and only if it is trusted; one that comes along waits, and what is pushed with
it is judged by the old one. It must not know who pushes, or how what is pushed came here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from evgit.errors import (
    EvgitError,
    HandlerFailed,
    InvalidModel,
    InvariantViolated,
    ModelError,
    UntrustedModel,
)
from evgit.formats.canonical import object_id
from evgit.formats.event import decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.log import Log
from evgit.history.reading import Reader
from evgit.state.modelling.events import decode_lines, set_position
from evgit.state.modelling.judging import Walk
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.model_stream import STREAM
from evgit.state.modelling.models import Models
from evgit.state.modelling.new_events import first_refused

_NEWER_MODEL = (
    "correct the events; if they need a newer model, push the commit that records it first, have "
    "it trusted there (`evgit trust`), and push the rest then"
)


class ReceivedEvents:
    """Judges what comes to one repository."""

    def __init__(self, history: History, models: Callable[[], Models]) -> None:
        """`models` is called when there is something to be judged by."""
        self._history = history
        self._models = models

    def prepare(self, base: CommitRow, *, must: bool) -> None:
        """Load the model at a commit and compute the state there, while no lock is held.

        Raises UntrustedModel and InvalidModel where it `must` judge.
        """
        model = self._model(base, must=must)
        if model is not None and model.invariants:
            self._start(model, base)

    def model_event(self, base: CommitRow, row: CommitRow) -> tuple[str, int] | None:
        """(id, position) of the first event of `row`'s log after that of `base` that changes the
        model; None for none."""
        history = self._history
        before = history.streams.revision(base, base.size, STREAM)
        if history.streams.revision(row, row.size, STREAM) <= before:
            return None
        found = Reader(history).stream_event(STREAM, history.whole(row), before + 1)
        return None if found is None else (found.event.id, found.position)

    def refuse_broken(self, base: CommitRow, row: CommitRow, *, must: bool) -> None:
        """Raise ModelError for the first event of `row`'s log after that of `base` that the model
        at `base` does not take: version, schema, and rules after every commit."""
        if base.size == row.size:
            return
        model = self._model(base, must=must)
        if model is None:
            return
        log = self._history.log_of(row)
        walk = self._start(model, base) if model.invariants else None
        lines, done = _lines(log, base.size), base.size
        for commit in self._history.boundaries(row, base.size, row.size):
            own = list(islice(lines, commit.size - done))
            self._refuse_unread(model, own, done, commit)
            if walk is not None:
                self._refuse_breaking(walk, own, done, commit)
            done = commit.size

    # ------------------------------------------------------------------ the model
    def _model(self, base: CommitRow, *, must: bool) -> LoadedModel | None:
        if self._history.streams.number(STREAM) is None:
            return None
        try:
            return self._models().trusted_at(self._history.whole(base))
        except (UntrustedModel, InvalidModel) as error:
            if not must:
                return None
            error.message = f"pushed events can't be judged there: {error.message}"
            error.hint = "its owner must trust the model there first: `evgit trust`"
            raise

    def _start(self, model: LoadedModel, base: CommitRow) -> Walk:
        states = self._models().states_by(model)
        return Walk(model, states.at(self._history.log_of(base)))

    # ------------------------------------------------------------------ judging
    def _refuse_unread(
        self, model: LoadedModel, lines: Sequence[bytes], first: int, commit: CommitRow
    ) -> None:
        """Versions and schemas."""
        events = [decode_event(line) for line in lines]
        try:
            refused = first_refused(model, events)
        except ModelError as error:  # an upcaster of the model here
            raise _named(error, f"what commit {commit.hex[:12]} brings") from None
        if refused is not None:
            number, problem = refused
            problem.message = f"{_place(lines[number], first + number, commit)} {problem.message}"
            problem.hint = _NEWER_MODEL
            raise problem

    def _refuse_breaking(
        self, walk: Walk, lines: Sequence[bytes], first: int, commit: CommitRow
    ) -> None:
        """Rules. What fails while an event is folded names its position."""
        events = decode_lines(b"\n".join(lines))
        for position, event in enumerate(events, first):
            set_position(event, position)
        try:
            broken = walk.take(events)
        except ModelError as error:
            failed = error.position if isinstance(error, HandlerFailed) else None
            if failed is not None and 0 <= failed - first < len(lines):
                raise _named(error, _place(lines[failed - first], failed, commit)) from None
            raise _named(error, f"what commit {commit.hex[:12]} brings") from None
        if broken is not None:
            violation, position = broken
            raise InvariantViolated(
                f"{_place(lines[position - first], position, commit)}: {violation}",
                name=violation.name,
                path=violation.path,
                position=position,
                hint="`evgit pull`, decide again on the state as it is, and push what fits",
            )


def _lines(log: Log, start: int) -> Iterator[bytes]:
    for text in log.texts(start):
        yield from text.splitlines()


def _place(line: bytes, position: int, commit: CommitRow) -> str:
    return f"event {object_id(line)} at position {position} (commit {commit.hex[:12]})"


def _named(error: EvgitError, place: str) -> EvgitError:
    error.message = f"{place}: {error.message}"
    error.hint = _NEWER_MODEL
    return error
