"""The first commit: a new database that holds the root commit, HEAD and one branch.

It knows what every repository begins with, and not where the database will stand.
"""

from __future__ import annotations

import os
from pathlib import Path

from evgit.errors import InvalidObject
from evgit.formats.block import encode_block
from evgit.formats.commit import Commit, decode_commit, root_commit, verify_commit_line
from evgit.formats.merkle import Frontier
from evgit.history.heads import HEADS
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.storage import database
from evgit.storage.database_errors import translate_errors
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import SYMBOLIC, RefStore


def write_first_commit(
    path: Path, branch: str, *, actor: str, now: int, root_line: bytes | None = None
) -> None:
    """Make the database at `path` with the root commit and one branch, in one transaction.

    `now`: instant of the operation; the root commit itself is as old as time. `root_line`: another
    repository's root commit, of which this becomes a clone. All of it is in the one file
    afterwards, durably. Raises InvalidObject for a line that is no root commit.
    """
    root = root_commit(os.urandom(16).hex()) if root_line is None else _root(root_line)
    connection = database.create(path)
    history = History(connection)
    try:
        with database.writing(connection):
            history.blocks.put(0, encode_block([], root.canonical()), -1)
            history.indexer.index(index_of_root(bytes.fromhex(root.id)))
            database.set_setting(connection, "repository", root.id)
            ref = HEADS + branch
            changes = [RefChange("HEAD", None, SYMBOLIC + ref), RefChange(ref, None, root.id)]
            RefStore(connection).move(changes)
            OperationLog(connection).record(
                changes, now=now, actor=actor, writer=os.urandom(8).hex(), command="init"
            )
        database.empty_log(connection)  # closing would do it too, but fail in silence
    finally:
        with translate_errors(path):
            connection.close()


def index_of_root(commit_id: bytes) -> CommitToIndex:
    """What the index says of the root commit, whose block is the first."""
    return CommitToIndex(
        number=0,
        id=commit_id,
        time=0,
        parents=[],
        ids=[],
        streams=[],
        frontier=Frontier(),
        nodes=[],
    )


def _root(line: bytes) -> Commit:
    problem = verify_commit_line(line)
    commit = None if problem else decode_commit(line)
    if commit is None or commit.parents:
        raise InvalidObject(f"not a root commit: {problem or 'it has parents'}")
    return commit
