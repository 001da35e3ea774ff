"""Where a command may write a file or a directory that somebody named.

Names come from people in a hurry: what is there already may be all that somebody has. This module
says where a name leads, and refuses places that are no file, or inside a repository. It must not
know what is written there.
"""

from __future__ import annotations

import stat
from pathlib import Path

from evgit.errors import UsageError
from evgit.storage.files import translate_errors
from evgit.storage.layout import DIRECTORY_NAME, Layout


def file_place(path: Path) -> Path:
    """The file to write where `path` is named: what links lead to, there or not yet.

    Raises UsageError for a directory, device or pipe, and for a place inside a repository.
    """
    place = outside(path)
    with translate_errors(path):
        if place.is_dir():
            raise UsageError(f"{path} is a directory", hint="name a file")
        if place.exists() and not stat.S_ISREG(place.stat().st_mode):
            raise UsageError(f"{path} is a device, pipe or socket, no file", hint="name a file")
    return place


def outside(path: Path) -> Path:
    """What links lead to. Raises UsageError for a place inside a repository."""
    try:
        place = path.resolve()
    except RuntimeError:  # symbolic links that lead to one another
        raise UsageError(f"{path} is a link that leads nowhere", hint="name a file") from None
    with translate_errors(path):
        for directory in (place, *place.parents):
            if directory.name == DIRECTORY_NAME or Layout(directory).database.exists():
                raise UsageError(
                    f"{path} is inside the repository {directory}",
                    hint="name a place of its own, outside of it",
                )
    return place
