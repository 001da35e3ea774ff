"""What the files of the working tree say, against a state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evgit.errors import InvalidJSON
from evgit.formats import canonical
from evgit.repository import DocumentChange, Point, Repository
from evgit.worktree.working_tree import TEXTS


def file_changes(
    repository: Repository, point: Point, places: list[str]
) -> Iterator[DocumentChange]:
    """The documents whose files differ from the state at a point: that is the old side.

    `places`: documents and directories to look at; none for all. A file that is not JSON counts as
    one text.
    """
    state = repository.state(point)
    tree = repository.working_tree
    status = tree.status(state)
    documents = {renamed.file: renamed.path for renamed in status.renamed}
    files = {*status.modified, *status.deleted, *status.outdated, *status.in_the_way}
    for file in sorted(files):
        path = documents.get(file, file)
        if places and not any(_within(path, place) for place in places):
            continue
        old, new = state.document(path), _document(path, tree.root / file)
        if old != new:
            yield DocumentChange(path, old, new)


def _within(path: str, place: str) -> bool:
    place = place.rstrip("/")
    return not place or path == place or path.startswith(place + "/")


def _document(path: str, file: Path) -> bytes | None:
    if file.is_symlink() or not file.is_file():
        return None
    data = file.read_bytes()
    if path.endswith(TEXTS):
        return canonical.encode(data.decode("utf-8", "replace"))
    try:
        return canonical.canonicalize(data)
    except InvalidJSON:
        return canonical.encode(data.decode("utf-8", "replace"))
