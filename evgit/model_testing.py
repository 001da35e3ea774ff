"""What a model's tests import: given these events, when those happen, then the documents are so.

    from evgit.model_testing import event, given

    def test_a_withdrawal_is_taken_off():
        (
            given(event("account-1", "deposit_made", amount=500))
            .when(event("account-1", "money_withdrawn", amount=200))
            .then("accounts/1.json", {"balance": 300})
        )

    def test_nobody_takes_what_is_not_there():
        given().when(event("account-1", "money_withdrawn", amount=1)).then_refused(
            "never below zero"
        )

docs/testing-models.md tells the rest. The model is the one of the current directory or of one
above, and runs: who runs own tests has decided that. A thin face over `evgit.state.modelling`; it
must not know repositories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evgit.errors import NotFound
from evgit.formats.event import Event
from evgit.history.new_event import NewEvent
from evgit.state.modelling.files import has_model, read_directory
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.loader import load
from evgit.state.modelling.scenario import NEWEST, Scenario
from evgit.state.modelling.strategies import events_strategy

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Scenario", "event", "events_of", "given", "model_at"]


def event(
    stream: str,
    type: str,  # noqa: A002 - as it is called everywhere
    data: Any = None,
    /,
    *,
    version: int = NEWEST,
    time: str | None = None,
    meta: Mapping[str, Any] | None = None,
    key: str | None = None,
    **members: Any,
) -> NewEvent:
    """An event: its data as one JSON value, or its members by name.

    `version`: the newest that the model knows, if left out. Without a `time`, the events of a
    scenario are a second apart, from the beginning of 2026.
    """
    if data is not None and members:
        raise TypeError("give data as one value, or its members by name")
    return NewEvent(
        stream,
        type,
        members if data is None else data,
        time=time,
        version=version,
        meta=meta or {},
        key=key,
    )


def given(*events: NewEvent | Event, model: LoadedModel | None = None) -> Scenario:
    """A scenario in which these events are stored already, of any versions."""
    return Scenario.given(model or model_at(), events)


def model_at(directory: Path | str = ".") -> LoadedModel:
    """The model in a directory, or in the nearest above that has one. Runs its code.

    Raises NotFound and InvalidModel.
    """
    start = Path(directory).resolve()
    for place in (start, *start.parents):
        if has_model(place) and (files := read_directory(place)):
            return load(files)
    raise NotFound(
        f"there is no model in {start} or above",
        hint="run tests where the model is, or give `model=model_at(DIRECTORY)`",
    )


def events_of(
    event_type: str,
    *,
    version: int | None = None,
    streams: str | Sequence[str] | None = None,
    model: LoadedModel | None = None,
) -> SearchStrategy[NewEvent]:
    """A strategy of hypothesis: events of a type whose data its schema takes.

    `version`: the newest by default. `streams`: names to choose from; by default three of the
    category that the model has for the type. Raises NotFound where there is no schema.
    """
    return events_strategy(model or model_at(), event_type, version=version, streams=streams)
