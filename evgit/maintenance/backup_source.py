"""A backup as a place to read from: a directory, or one tar file.

Names of files are made by whoever asks, never taken from a backup. It must not know what a
repository is.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from evgit.errors import InvalidObject, NotFound
from evgit.formats.backup_list import FILE_NAME, MAX_LIST_BYTES, BackupList, decode_list
from evgit.storage import files


class Source(Protocol):
    """Where the files of a backup are, by names that this module makes."""

    def open(self, name: str) -> BinaryIO:
        """A file to read. Raises NotFound, InvalidInput for what is no plain file."""
        ...

    def close(self) -> None:
        """No more is read."""
        ...


class _Directory:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> BinaryIO:
        try:
            return files.open_regular(self._path / name)
        except FileNotFoundError:
            raise NotFound(
                f"{name} is missing in the backup {self._path}", hint="use another backup"
            ) from None

    def close(self) -> None:
        pass


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path = path
        with _tar_errors(path):
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115
            self._members = {m.name: m for m in self._tar.getmembers() if m.isreg()}

    def open(self, name: str) -> BinaryIO:
        member = self._members.get(name)
        if member is None:
            raise NotFound(
                f"{name} is missing in the backup {self._path}", hint="use another backup"
            )
        with _tar_errors(self._path):
            return cast(BinaryIO, self._tar.extractfile(member))

    def close(self) -> None:
        self._tar.close()


@contextmanager
def _tar_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InvalidObject(
            f"{path} is not the backup of a repository: {error}", hint="evgit backup makes one"
        ) from None


def is_backup(path: Path) -> bool:
    """Does this look like what `back_up` makes?"""
    if path.is_dir():
        return (path / FILE_NAME).is_file()
    return path.suffix == ".tar" and path.is_file()


def read_list(source: Path) -> BackupList:
    """The list of the backup at a path. Raises NotFound, InvalidObject."""
    opened = open_source(source)
    try:
        return list_of(opened)
    finally:
        opened.close()


def open_source(source: Path) -> Source:
    """What is at a path. Raises NotFound, InvalidObject for a file that is no tar file."""
    if source.is_dir():
        return _Directory(source)
    if not source.exists():
        raise NotFound(f"there is no backup {source}", hint="evgit backup makes one")
    return _Tar(source)


def list_of(source: Source) -> BackupList:
    """The list in it. Raises NotFound, InvalidObject."""
    with source.open(FILE_NAME) as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise InvalidObject(f"{FILE_NAME} has more than {MAX_LIST_BYTES:,} bytes")
    return decode_list(data)
