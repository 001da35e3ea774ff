"""The states at boundaries: given by one repository, taken on trust by another.

Those of the built-in projection always are, which needs no model. Those of a model's projections
are where this repository has a model that it trusts: nothing is run that is not. This module must
not know how they are transported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.state.states import States
from evgit.storage.cache import Cache
from evgit.storage.layout import Layout

Documents = Callable[[CommitRow], Iterator[tuple[str, bytes]]]


def given_states(
    history: History, layout: Layout, of_model: Sequence[States]
) -> list[tuple[str, Documents]]:
    """(key of a projection, what gives (path, canonical JSON) of all documents at a commit).

    Raises BehindBoundary, then, where the state is not known here either, or ModelError.
    """
    return [
        (states.projection.key.hex(), _documents_by(history, states))
        for states in (States(Cache(layout.cache)), *of_model)
    ]


def _documents_by(history: History, states: States) -> Documents:
    def documents(row: CommitRow) -> Iterator[tuple[str, bytes]]:
        state = states.at(history.log_of(row))
        state.retrying(state.settle)  # a model that fails shall fail before anything is sent
        return state.documents()

    return documents
