"""Appending for a program: one commit or several together, held to the model where there is one.

It must not know how an append is stored, nor how a model judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import apsw

from evgit.errors import EvgitError, Locked
from evgit.formats.event import Event, EventBatch, batch_from_events
from evgit.history.append import Append, Appended, Appender
from evgit.history.heads import Heads
from evgit.history.history import History
from evgit.history.new_event import NewEvent, stamped, stamped_batch
from evgit.storage import database

if TYPE_CHECKING:
    from evgit.state.modelling.models import Models

MODEL = "$model"


class _ModelRecorded(Exception):
    """Somebody has recorded a model since it was last looked for."""


class Appending:
    """Appends to one repository.

    `models`: its models, asked for where there may be one. `model_at_hand`: is one wanted or in the
    working tree? `may_have_model`: or perhaps recorded? `is_in`: is an event in the log of a ref
    already?
    """

    request = Append

    def __init__(
        self,
        connection: apsw.Connection,
        history: History,
        heads: Heads,
        appender: Appender,
        *,
        models: Callable[[], Models],
        model_at_hand: Callable[[], bool],
        may_have_model: Callable[[], bool],
        is_in: Callable[[Event, str], bool],
    ) -> None:
        self._connection = connection
        self._history = history
        self._heads = heads
        self._appender = appender
        self._models = models
        self._model_at_hand = model_at_hand
        self._may_have_model = may_have_model
        self._is_in = is_in
        self._model_recorded = False  # as far as an append has seen

    def batch(self, events: Sequence[NewEvent | Event], clock: Callable[[], int]) -> EventBatch:
        """Events, checked and stamped where they have no time. Raises InvalidEvent."""
        if len(events) == 1 and not isinstance(event := events[0], Event):
            return stamped_batch(event, clock)
        return batch_from_events([e if isinstance(e, Event) else stamped(e, clock) for e in events])

    def append(self, request: Append, *, verify: bool) -> Appended:
        """Append; `verify`: hold the events to the model's versions and invariants."""
        if verify and (self._model_recorded or self._model_at_hand()):
            self._hold_to_model(request)
        elif verify:
            request.overtaken = self._refuse_recorded_model
        try:
            done = self._appender.append(request)
        except _ModelRecorded:
            request.overtaken = None
            self._hold_to_model(request)
            done = self._appender.append(request)
        self._model_recorded = self._model_recorded or MODEL in request.batch.streams
        return done

    def append_together(self, requests: Sequence[Append]) -> Iterator[list[Appended]]:
        """Append all, each verified, in one transaction where that can be.

        Yields what was stored once it is durable. The first that fails raises, and those before it
        are stored.
        """
        model = self._may_have_model() or any(MODEL in each.batch.streams for each in requests)
        if len(requests) > 1 and not model:
            for request in requests:
                request.overtaken = self._refuse_recorded_model
            stored: list[Appended] = []
            try:
                with database.in_bulk(self._connection):
                    stored = self._appender.append_together(requests)
            except Locked:
                raise
            except (EvgitError, _ModelRecorded):
                pass  # nothing is stored; which of them it was shows below
            if stored:
                yield stored
                return
        for request in requests:
            yield [self.append(request, verify=True)]

    def _hold_to_model(self, request: Append) -> None:
        """Have an append checked by the model, if there is one."""
        if self._may_have_model():
            ref = request.ref = request.ref or self._heads.current_ref()
            models = self._models()
            models.check_events(request.batch.events, lambda event: self._is_in(event, ref))
            request.judge = models.judge()

    def _refuse_recorded_model(self) -> None:
        """Asked under the lock, where a look at the database costs least."""
        if self._history.streams.number(MODEL) is not None:
            self._model_recorded = True
            raise _ModelRecorded
