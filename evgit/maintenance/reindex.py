"""Makes all indexes again from the blocks, in one transaction: all of it happens, or nothing."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from evgit.errors import Damage, DamagedObject
from evgit.formats.canonical import digest
from evgit.formats.commit import decode_commit
from evgit.formats.event import EventBatch, decode_event
from evgit.history.boundary_index import is_boundary_block, unfold
from evgit.history.derive import commit_to_index, split_again
from evgit.history.frontiers import Frontiers
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.storage import database, schema


def reindex(history: History, progress: Callable[[int, int], None] | None = None) -> int:
    """Drop every index and write it anew; returns the number of commits.

    Raises Damage, having changed nothing, where a block can't be read: the present index still
    finds everything that can be.
    """
    connection = history.connection
    try:
        with database.writing(connection):
            total, _ = history.blocks.end()
            schema.upgrade(connection)
            for table in schema.INDEX_TABLES:
                connection.execute(f"DELETE FROM {table}")
            history.forget()
            frontiers = Frontiers(history)
            count = 0
            for entry, data in history.blocks.blocks():
                lines: list[bytes] = []
                for _, part in history.blocks.decode(entry, data):
                    lines += part
                commit = _derived(history, frontiers, entry.first_line, lines)
                history.indexer.index(commit)
                frontiers.remember(entry.first_line, commit.frontier)
                count += 1
                if progress:
                    progress(entry.first_line + entry.line_count, total)
    except DamagedObject as error:
        history.forget()
        raise Damage(
            f"the indexes were left as they are, because a block can't be read: {error}",
            hint="restore the damaged objects from a clone or a backup first",
        ) from error
    except (Damage, apsw.CorruptError) as error:
        history.forget()
        raise Damage(
            f"the indexes were left as they are, because the database itself is damaged: {error}",
            hint="`evgit fsck` lists what can't be read; restore the database from a clone or a "
            "backup (`evgit export` still writes what can be read)",
        ) from error
    except BaseException:
        history.forget()
        raise
    history.forget()
    return count


def _derived(
    history: History, frontiers: Frontiers, number: int, lines: list[bytes]
) -> CommitToIndex:
    """What the index must hold of the block at line `number`."""
    commit_line = lines.pop()
    commit, commit_id = decode_commit(commit_line), digest(commit_line)
    if is_boundary_block(lines):
        return unfold(history, number, lines, commit, commit_id).commit
    own, again = split_again(lines)
    batch = EventBatch([decode_event(line) for line in own], own)
    return commit_to_index(history, number, batch, again, commit, commit_id, frontiers.of)
