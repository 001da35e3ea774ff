"""Which model judges a merge: the one that the merged log will have.

So a side that brings events of a new version brings the model that can read them. It must not know
what is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from evgit.errors import Conflict, NotFound
from evgit.formats.event import Event, decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.reading import Reader
from evgit.merging.differences import Difference
from evgit.merging.overlaps import model_files_written
from evgit.merging.proposal import Proposal
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.model_stream import STREAM, files_from
from evgit.state.modelling.models import WORKTREE, Models
from evgit.storage.blobs import BlobStore


def merged_states(
    history: History,
    blobs: BlobStore,
    models: Models,
    proposal: Proposal,
    found: Difference,
    *,
    decided: bool = False,
) -> ModelStates | None:
    """The states of the model that judges; None where there is none, or none that is trusted.

    `decided`: the merge adds events, so whoever decides knows what the working tree has. Raises
    ModelError, and Conflict where the working tree has a model of its own meanwhile.
    """
    own = [line + b"\n" for line in proposal.own]
    changed = [*history.blocks.texts(found.a), *history.blocks.texts(found.b), *own]
    if history.streams.number(STREAM) is None or not model_files_written(changed):
        return models.states()
    choice = models.choice()
    if choice is not None and choice.asked:
        return models.states()
    if choice is not None and choice.source == WORKTREE and not decided:
        raise Conflict(
            "the model in the working tree is not recorded, and the two histories differ in theirs",
            hint="record it first (evgit model commit), or take back what was changed "
            "(evgit model checkout)",
        )
    try:
        files = merged_files(history, blobs, proposal, found)
    except NotFound:
        return models.states()
    sides = [files_at(history, blobs, row) for row in (proposal.ours, proposal.theirs)]
    known = [side for side in sides if side is not None]
    if not files:
        return None
    return models.states_of(files, "as merged", known)


def merged_files(
    history: History, blobs: BlobStore, proposal: Proposal, found: Difference
) -> ModelFiles:
    """The model that the merged log will have. Raises NotFound (a blob), InvalidModel."""
    return files_from(_events(history, proposal, found), blobs.chunks)


def _events(history: History, proposal: Proposal, found: Difference) -> Iterator[Event]:
    ours = found.ours
    if history.streams.revision(ours, ours.size, STREAM) >= 0:
        for entry in Reader(history).stream(STREAM, history.whole(ours)):
            yield entry.event
    for text in history.blocks.texts(found.b):
        if b'"$model"' in text:
            for line in text.splitlines():
                event = decode_event(line)
                if event.stream == STREAM:
                    yield event
    for line in proposal.own:
        event = decode_event(line)
        if event.stream == STREAM:
            yield event


def files_at(history: History, blobs: BlobStore, row: CommitRow) -> ModelFiles | None:
    """The model at a commit, None for none."""
    if history.streams.revision(row, row.size, STREAM) < 0:
        return None
    entries = Reader(history).stream(STREAM, history.whole(row))
    return files_from((entry.event for entry in entries), blobs.chunks)
