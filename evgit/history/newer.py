"""Is a copy of a repository newer than the repository, or that of another copy of it?

What a copy's branches are at tells: a commit that is not here, and that nothing here ever was at,
came from elsewhere. This module must not know what kind of copy it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from evgit.errors import Conflict
from evgit.formats.canonical import id_bytes
from evgit.history.history import History
from evgit.storage.operations import OperationLog

NAMED = 3


def refuse_newer(history: History, heads: Mapping[str, str], where: str) -> None:
    """Raise Conflict where branches in a copy are at commits that this repository lacks.

    `heads`: {full name: id}. Commits that were here once are no reason: a branch may have been
    moved back or deleted, and what it led to dropped, as long as an operation tells of it.
    """
    operations = OperationLog(history.connection)
    unknown = {
        name.removeprefix("refs/heads/"): target
        for name, target in heads.items()
        if history.graph.find(id_bytes(target)) is None and not operations.mentions(target)
    }
    if not unknown:
        return
    words = [f"{name} at {target[:12]}" for name, target in sorted(unknown.items())[:NAMED]]
    words += ["…"] * (len(unknown) > NAMED)
    raise Conflict(
        f"{where} has commits that this repository lacks ({', '.join(words)}): it is newer, or "
        "made from another copy",
        hint="choose another name, or bring them here first; --force replaces it all the same",
    )
