"""Taking back what happened, by events that compensate for it: nothing is ever deleted.

The model says what compensates for an event: `@compensate("deposit_made")`. This module asks it,
newest event first, and must not know how the answer is appended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evgit.errors import HandlerFailed, ModelError, NotFound
from evgit.formats.canonical import digest
from evgit.formats.event import Event as StoredEvent
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.new_event import NewEvent, stamped
from evgit.state.modelling.events import (
    Event,
    decode_lines,
    fresh_data,
    read_only,
    set_data,
    set_position,
)
from evgit.state.modelling.failures import event_text, raise_failed
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.upcasting import upcast_data

CAUSATION = "causation"


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """An event as a compensating function may write it. Without a stream, that of the event that
    it compensates for."""

    type: str
    data: Any = {}
    stream: str | None = None
    version: int | None = None
    meta: dict[str, Any] = {}
    key: str | None = None


class Reverted(msgspec.Struct, frozen=True):
    """What takes commits back. `events`, in order, to be appended; `taken_back`: ids of the events
    that they compensate for; `expected`: last revisions of their streams as they were looked at."""

    events: list[StoredEvent]
    taken_back: list[str]
    expected: dict[str, int]


def compensating(
    history: History,
    states: ModelStates | None,
    head: CommitRow,
    commits: Sequence[CommitRow],
    clock: Callable[[], int],
) -> Reverted:
    """The events that take back all that these commits added to their first parents' logs.

    Raises NotFound for a commit whose events are not in the log of `head`, ModelError where the
    model can't say what compensates for an event, HandlerFailed where its code fails.
    """
    events = _added(history, head, commits)
    model = _able(states, events)
    assert states is not None
    log = history.log_of(head)
    made: list[StoredEvent] = []
    lines: list[bytes] = []
    taken_back = []
    for event, event_id in events:
        documents = states.after(log, [b"".join(lines)] if lines else []).state
        for new in _asked(model, event, event_id, documents):
            stored = stamped(new, clock)
            made.append(stored)
            lines.append(stored.canonical() + b"\n")
        taken_back.append(event_id)
    streams = dict.fromkeys(event.stream for event in made)
    revision = history.streams.revision
    return Reverted(made, taken_back, {each: revision(head, head.size, each) for each in streams})


def _added(
    history: History, head: CommitRow, commits: Sequence[CommitRow]
) -> list[tuple[Event, str]]:
    """The events that these commits added, newest first, with their ids."""
    found: dict[str, Event] = {}
    positions: dict[str, int] = {}
    for row in commits:
        lines = [line for text in history.blocks.texts(row.ranges) for line in text.splitlines()]
        numbers = [n for first, count in row.ranges for n in range(first, first + count)]
        for event, line, number in zip(
            decode_lines(b"\n".join(lines)), lines, numbers, strict=True
        ):
            event_id = digest(line).hex()
            position = history.graph.position_of(head, number)
            if position is None:
                raise NotFound(
                    f"event {event_id[:12]} of commit {row.hex[:12]} is not in the history of HEAD",
                    hint="only what happened here can be taken back here",
                )
            set_position(event, position)
            found[event_id] = event
            positions[event_id] = position
    ordered = sorted(found, key=lambda each: positions[each], reverse=True)
    return [(found[event_id], event_id) for event_id in ordered]


def _able(states: ModelStates | None, events: Sequence[tuple[Event, str]]) -> LoadedModel | None:
    known = {} if states is None else states.model.compensations
    missing = sorted({event.type for event, _ in events} - known.keys())
    if missing or states is None:
        names = ", ".join(map(repr, missing)) or "anything"
        said = "there is no model that says" if states is None else "the model does not say"
        example = missing[0] if missing else "deposit_made"
        raise ModelError(
            f"{said} what compensates for {names}; nothing was appended",
            hint=f'write it in the model: @compensate("{example}") on a function '
            "(event, documents) that returns events; or append the events yourself",
        )
    return states.model


def _asked(
    model: LoadedModel | None, event: Event, event_id: str, documents: Mapping[str, Any]
) -> Iterator[NewEvent]:
    assert model is not None
    function = model.compensations[event.type]
    set_data(event, read_only(upcast_data(model.upcasting, event, fresh_data(event))))
    try:
        said = function(event, documents)
        given = [] if said is None else [said] if isinstance(said, Mapping) else list(said)
    except BaseException as error:
        raise_failed(error, f"@compensate({event.type!r})", event=event)
    for each in given:
        try:
            one = msgspec.convert(dict(each), _Given)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise HandlerFailed(
                f"@compensate({event.type!r}) returned what is no event on {event_text(event)}: "
                f"{error}",
                event_id=event_id,
                hint='return events such as {"type": "deposit_reversed", "data": {"amount": 5}}',
            ) from None
        yield NewEvent(
            stream=one.stream or event.stream,
            type=one.type,
            data=one.data,
            version=one.version or model.upcasting.newest.get(one.type, 1),
            meta={**one.meta, CAUSATION: event_id},
            key=one.key,
        )
