"""What a model says of events that are about to be appended, before anything is folded: does it
know their types and versions, and do their data keep the schemas?

It must not know where they go: whether a rule of the model holds is judged under the lock, by
`invariants`, on the state that they lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evgit.errors import HandlerFailed, SchemaViolated, UnknownVersion
from evgit.formats.event import Event
from evgit.state.modelling.events import decode_lines, fresh_data
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.schemas import Breach
from evgit.state.modelling.upcasting import step_data

REFUSED = "; nothing was appended"
ALL_THE_SAME = "--no-verify appends all the same"

Judge = Callable[[Event], Breach | None]
_UNSEEN: Any = object()


def check_new_events(
    model: LoadedModel,
    events: Sequence[Event],
    known: Callable[[Event], bool] = lambda event: False,
) -> None:
    """Raise UnknownVersion or SchemaViolated for the first event that the model does not take.

    `known`: is an event in the log already? Only those that are not taken are asked about.
    """
    try:
        refused = first_refused(model, events, known)
    except HandlerFailed as error:
        error.message += REFUSED
        error.hint = f"correct the event or the upcaster; {ALL_THE_SAME}"
        raise
    if refused is not None:
        number, problem = refused
        problem.message = f"event {number + 1} {problem.message}{REFUSED}"
        schema = isinstance(problem, SchemaViolated)
        way_on = "correct the event" if schema else "extend the model first"
        problem.hint = f"{way_on}; {ALL_THE_SAME}"
        raise problem


def first_refused(
    model: LoadedModel,
    events: Sequence[Event],
    known: Callable[[Event], bool] = lambda event: False,
) -> tuple[int, UnknownVersion | SchemaViolated] | None:
    """(index, what to say of it) of the first event that the model does not take; None for none.

    `known` as in `check_new_events`. Raises HandlerFailed.
    """
    judges: dict[tuple[str, int], Judge | str | None] = {}
    for number, event in enumerate(events):
        if event.stream[:1] == "$":
            continue
        kind = (event.type, event.version)
        judge = judges.get(kind, _UNSEEN)
        if judge is _UNSEEN:
            judge = judges[kind] = _unknown(model, event) or judge_of(model, *kind)
        if judge is None:
            continue
        problem = judge if isinstance(judge, str) else judge(event)
        if problem is not None and not known(event):
            return number, _refusal(event, problem)
    return None


def _refusal(event: Event, problem: Breach | str) -> UnknownVersion | SchemaViolated:
    if isinstance(problem, str):
        return UnknownVersion(problem)
    as_version = "" if problem.version == event.version else f", upcast to {problem.version},"
    return problem.error(f"({event.type}, version {event.version}){as_version}")


def _unknown(model: LoadedModel, event: Event) -> str | None:
    """Why the model can't read an event's type or version at all; None where it can."""
    newest = model.upcasting.newest.get(event.type)
    if model.settings.strict and event.type not in model.types:
        return f"is of a type that the model does not know: {event.type}"
    if newest is not None and event.version > newest:
        return (
            f"is of version {event.version} of {event.type}, and the model knows it only up to "
            f"version {newest}"
        )
    if model.upcasting.chain(event.type, event.version) is None:
        return (
            f"is of version {event.version} of {event.type}, and the model has no upcaster from "
            "there"
        )
    return None


def judge_of(model: LoadedModel, event_type: str, version: int) -> Judge | None:
    """What holds events of a version of a type to its schema and, upcast, to those of all later
    versions; None where there are none."""
    schemas = model.schemas
    of_type = schemas.by_type.get(event_type, {})
    path = of_type.get(version)
    if any(each > version for each in of_type):
        return lambda event: _along_chain(model, event)
    if path is None:
        return None
    accepts, file = schemas.accepts(path), path

    def judge(event: Event) -> Breach | None:
        if accepts(event.data):
            return None
        return schemas.breach(file, event_type, version, event.data)

    return judge


def _along_chain(model: LoadedModel, event: Event) -> Breach | None:
    found = decode_lines(event.canonical())[0]
    version, data = event.version, fresh_data(found)
    steps = model.upcasting.chain(event.type, version) or []
    breach = _breach(model, event.type, version, data)
    for step in steps:
        if breach is not None:
            break
        data = step_data(step, found, data)
        version += 1
        breach = _breach(model, event.type, version, data)
    return breach


def _breach(model: LoadedModel, event_type: str, version: int, data: Any) -> Breach | None:
    path = model.schemas.file(event_type, version)
    return None if path is None else model.schemas.breach(path, event_type, version, data)
