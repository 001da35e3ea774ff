"""What merging, re-appending and trying out stand on: the stores of one repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evgit.errors import Conflict, UsageError
from evgit.history.branches import Actor, Branches
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.storage import database
from evgit.storage.in_progress import InProgress
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import RefStore

if TYPE_CHECKING:
    from evgit.history.append import Appender
    from evgit.state.modelling.model_states import ModelStates
    from evgit.state.modelling.models import Models
    from evgit.state.states import States
    from evgit.storage.blobs import BlobStore


class Ground(NamedTuple):
    """Stores and ways to states. `model_states`: those of the model, None where there is none;
    `models` is None where there can't be any."""

    history: History
    refs: RefStore
    operations: OperationLog
    branches: Branches
    actor: Actor
    model_states: Callable[[], ModelStates | None]
    states: Callable[[], States | ModelStates]
    builtin_states: Callable[[], States]
    models: Callable[[], Models | None]
    blobs: Callable[[], BlobStore]
    appender: Callable[[], Appender]

    @property
    def in_progress(self) -> InProgress:
        """What waits for a decision."""
        return InProgress(self.history.connection)

    def transaction(self) -> Any:
        """One write transaction: all of it is durable afterwards, or none of it happened."""
        return database.writing(self.history.connection)

    def row(self, commit_id: str) -> CommitRow:
        """A commit in the index. Raises UnknownObject."""
        return self.history.graph.get(commit_id)

    def tip(self, ref: str) -> CommitRow:
        """The whole commit that a ref is at. Raises Conflict if it is gone, UsageError where HEAD
        is at a point inside a commit."""
        target = self.refs.get(ref)
        if target is None:
            raise Conflict(f"{ref} does not exist any more", hint="`evgit branch` lists branches")
        if "#" in target:
            raise UsageError(
                "HEAD is at a point inside a commit; what follows it there would be lost",
                hint="make a branch from a whole commit, or switch to a branch",
            )
        return self.row(target)

    def move(self, changes: Sequence[RefChange], command: str, arguments: Mapping[str, Any]) -> int:
        """Move refs, as one operation, inside a transaction; the operation's number.

        Raises Conflict where another process was faster.
        """
        self.refs.move(list(changes))
        return self.operations.record(
            list(changes),
            now=self.actor.now(),
            actor=self.actor.name,
            writer=self.actor.writer,
            command=command,
            arguments=arguments,
        )
