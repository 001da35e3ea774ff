"""The states at boundaries: given by one repository, taken on trust by another.

They are states of the built-in projection, which needs no model: what a server sends must not
depend on code that it would have to run. This module must not know how they are transported.
"""

from __future__ import annotations

from collections.abc import Iterator

from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.state.builtin import BUILTIN
from evgit.state.states import States
from evgit.storage.cache import Cache
from evgit.storage.layout import Layout


class GivenStates:
    """Makes the documents at commits of a repository."""

    def __init__(self, history: History, layout: Layout) -> None:
        self._history = history
        self._layout = layout

    @property
    def projection(self) -> str:
        """The key of the projection."""
        return BUILTIN.key.hex()

    def documents(self, row: CommitRow) -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of all documents at a commit, in the order of the Merkle map.

        Raises BehindBoundary where they are not known here either.
        """
        state = States(Cache(self._layout.cache)).at(self._history.log_of(row))
        return state.documents()
