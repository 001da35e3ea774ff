"""The files of a model: a tree of names and bytes with an id, from wherever they come.

    evgit.toml                    settings
    model/**/*.py                 code
    schemas/<type>/<version>.json JSON Schemas

Reading them from a directory follows no symbolic link. Nothing here looks into them or runs them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from evgit.errors import InvalidModel
from evgit.formats import canonical
from evgit.formats.hashing import blake3_digest

SETTINGS = "evgit.toml"
CODE = "model/"
SCHEMAS = "schemas/"
MAX_FILE_BYTES = 4 << 20
MAX_FILES = 10_000


class ModelFiles(Mapping[str, bytes]):
    """Path -> bytes, in order of paths. Raises InvalidModel for a path that no model has."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        for path in files:
            if not is_model_path(path):
                raise InvalidModel(f"{path!r} is no file of a model")
        self._files = {path: files[path] for path in sorted(files)}

    def __getitem__(self, path: str) -> bytes:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def id(self) -> str:
        """BLAKE3 of the canonical JSON of {path: BLAKE3 of the file}, 64 hex digits."""
        hashes = {path: blake3_digest(data).hex() for path, data in self._files.items()}
        return canonical.object_id(canonical.encode(hashes))


def is_model_path(path: str) -> bool:
    """May a model have a file of this name?"""
    parts = path.split("/")
    if any(part in ("", ".", "..", "__pycache__") or part.startswith(".") for part in parts):
        return False
    if "\\" in path or "\0" in path or not path.isprintable():
        return False
    return (
        path == SETTINGS
        or (path.startswith(CODE) and path.endswith(".py"))
        or (path.startswith(SCHEMAS) and path.endswith(".json"))
    )


def model_places(root: Path) -> list[str]:
    """What there would be one of if there were anything of a model in this directory."""
    return [str(root / name) for name in (SETTINGS, "model", "schemas")]


def has_model(root: Path) -> bool:
    """Is there anything of a model in this directory? Three look-ups; nothing is read."""
    return any(map(os.path.lexists, model_places(root)))


def read_directory(root: Path) -> ModelFiles:
    """The files of the model in a working tree. Raises InvalidModel for links and large files."""
    found: dict[str, bytes] = {}
    for path in _paths(root):
        found[path] = _read(root, path)
        if len(found) > MAX_FILES:
            raise InvalidModel(f"the model in {root} has more than {MAX_FILES} files")
    return ModelFiles(found)


def _paths(root: Path) -> Iterator[str]:
    if os.path.lexists(root / SETTINGS):
        yield SETTINGS
    waiting = ["model", "schemas"]
    while waiting:
        directory = waiting.pop()
        place = root / directory
        if not os.path.lexists(place):
            continue
        _refuse_link(root, directory)
        if not place.is_dir():
            raise InvalidModel(f"{directory} is not a directory")
        with os.scandir(place) as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name != "__pycache__":
                        waiting.append(path)
                elif entry.is_symlink() and (is_model_path(path) or entry.is_dir()):
                    _refuse_link(root, path)
                elif is_model_path(path):
                    yield path


def _refuse_link(root: Path, path: str) -> None:
    if (root / path).is_symlink():
        raise InvalidModel(
            f"{path} is a symbolic link, and a model must be all in its own tree",
            hint="put a copy of the file or directory there",
        )


def _read(root: Path, path: str) -> bytes:
    _refuse_link(root, path)
    try:
        handle = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidModel(f"can't read {path}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InvalidModel(f"{path} is not a regular file")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InvalidModel(f"{path} is larger than {MAX_FILE_BYTES:,} bytes")
    return data
