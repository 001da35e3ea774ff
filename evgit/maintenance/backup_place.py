"""What a backup may take the place of: an earlier one of the repository, with nothing more.

It must not know how a backup is written.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from evgit.errors import AlreadyExists, Conflict, Damage, InvalidInput, NotFound
from evgit.formats.backup_list import FILE_NAME, BackupList
from evgit.history.history import History
from evgit.history.newer import refuse_newer
from evgit.maintenance.backup_source import read_heads, read_is_shallow, read_list
from evgit.storage import database

MARK = "backup"
"""The setting that tells this database from copies of it: a random text."""


def refuse_another(
    history: History, repository: str, target: Path, place: Path, force: bool
) -> None:
    """Raise where something else, or more, is at the place that a backup is to take."""
    if place.is_dir() and not (place / FILE_NAME).exists():
        return
    try:
        found = read_list(place)
    except (InvalidInput, NotFound, Damage) as error:
        raise AlreadyExists(
            f"{target} exists already, and is no backup that can be read: {error.message}",
            hint="choose another name, or remove it first",
        ) from None
    if found.repository != repository:
        raise Conflict(
            f"{target} has a backup of another repository, {found.repository[:12]}",
            hint="choose another name, or remove that one first",
        )
    if not force and not _is_behind(history, found):
        with suppress(Damage):  # it could not be restored
            refuse_newer(history, read_heads(place), f"the backup {target}")
            _refuse_less(history, found, target, place)


def _refuse_less(history: History, found: BackupList, target: Path, place: Path) -> None:
    """Raise Conflict where a shallow repository would replace what lies behind its boundaries."""
    if not history.graph.boundaries.all():
        return
    if found.commits > history.graph.count() or not read_is_shallow(place):
        raise Conflict(
            f"this repository is shallow, and the backup {target} holds more of the history",
            hint="choose another name, or `evgit fetch --unshallow` first; --force replaces it all "
            "the same",
        )


def _is_behind(history: History, found: BackupList) -> bool:
    """Is a backup of this very database what it was earlier?"""
    if found.of != database.setting(history.connection, MARK):
        return False
    end, _ = history.end()
    if not 0 < found.lines <= end:
        return False
    return history.graph.owning(found.lines - 1).hex == found.last
