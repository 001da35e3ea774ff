"""A backup as a place to read from: a directory, or one tar file.

Names of files are made by whoever asks, never taken from a backup. It must not know what a
repository is.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import msgspec
import zstandard

from evgit.errors import Damage, InvalidObject, NotFound
from evgit.formats.backup_list import FILE_NAME, MAX_LIST_BYTES, BackupList, decode_list
from evgit.formats.hashing import new_hasher
from evgit.storage import files

HINT = "use another backup"
MAKE = "evgit backup DIR makes one"
CHUNK_BYTES = 1 << 20
MAX_STATE_LINE = 1 << 26


def damaged(backup: Path, name: str, how: str) -> Damage:
    """The error for a file of a backup that is not as it was written."""
    return Damage(f"{name} {how} in the backup {backup}", hint=HINT)


class Source(Protocol):
    """Where the files of a backup are, by names that this module makes."""

    path: Path

    def has(self, name: str) -> bool:
        """Is there such a file?"""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read. Raises Damage where it is missing, InvalidInput for no plain file."""
        ...

    def close(self) -> None:
        """No more is read."""
        ...


class _Directory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        """Is there such a file?"""
        return (self.path / name).exists()

    def open(self, name: str) -> BinaryIO:
        """A file to read."""
        try:
            return files.open_regular(self.path / name)
        except FileNotFoundError:
            raise damaged(self.path, name, "is missing") from None

    def close(self) -> None:
        pass


class _Tar:
    def __init__(self, path: Path) -> None:
        self.path = path
        with files.translate_errors(path):
            self._file = files.open_regular(path.resolve())
        try:
            with _tar_errors(path):
                self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115
            try:
                self._members = {m.name: m for m in self._tar.getmembers() if m.isreg()}
            except (tarfile.TarError, EOFError, ValueError) as error:
                raise Damage(
                    f"the backup {path} is cut short or damaged: {error}", hint=HINT
                ) from None
        except BaseException:
            self._file.close()
            raise

    def has(self, name: str) -> bool:
        """Is there such a file?"""
        return name in self._members

    def open(self, name: str) -> BinaryIO:
        """A file to read."""
        member = self._members.get(name)
        if member is None:
            raise damaged(self.path, name, "is missing")
        with _tar_errors(self.path):
            return cast(BinaryIO, self._tar.extractfile(member))

    def close(self) -> None:
        self._tar.close()
        self._file.close()


@contextmanager
def _tar_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InvalidObject(
            f"{path} is not the backup of a repository: {error}", hint=MAKE
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
    """What is at a path. Raises NotFound, Damage, InvalidObject for a file that is no tar file."""
    if source.is_dir():
        return _Directory(source)
    if not source.exists():
        raise NotFound(f"{source} is no backup: there is no such file or directory", hint=MAKE)
    return _Tar(source)


def list_of(source: Source) -> BackupList:
    """The list in it. Raises NotFound where there is none, Damage, UnsupportedFormat."""
    if not source.has(FILE_NAME):
        raise NotFound(f"{source.path} is no backup: it has no {FILE_NAME}", hint=MAKE)
    with source.open(FILE_NAME) as file:
        data = file.read(MAX_LIST_BYTES + 1)
    try:
        return decode_list(data)
    except InvalidObject as error:
        raise damaged(source.path, FILE_NAME, f"is damaged ({error.message})") from None


def state_lines(source: Source, state: str) -> Iterator[dict[str, Any]]:
    """Everything but blocks and blobs: rows of tables, and the configuration. Raises Damage."""
    name = f"state/{state}.zst"
    hasher = new_hasher()
    with source.open(name) as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
    if hasher.hexdigest() != state:
        raise damaged(source.path, name, "is damaged")
    with source.open(name) as file:
        for line in _lines(file):
            yield msgspec.json.decode(line)


def read_heads(path: Path) -> dict[str, str]:
    """{full name: id} of the branches in the backup at a path. Raises Damage."""
    rows = _rows(path, "refs")
    return {name: target for name, target in rows if name.startswith("refs/heads/")}


def read_is_shallow(path: Path) -> bool:
    """Is the backup at a path that of a shallow repository? Raises Damage."""
    return bool(_rows(path, "boundaries"))


def _rows(path: Path, table: str) -> list[Any]:
    source = open_source(path)
    try:
        lines = state_lines(source, list_of(source).state)
        return [line["row"] for line in lines if line.get("table") == table]
    finally:
        source.close()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of a zstd file, none of them longer than 64 MiB."""
    held = b""
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 25).stream_reader(file) as text:
            while chunk := text.read(CHUNK_BYTES):
                *lines, held = (held + chunk).split(b"\n")
                yield from lines
                if len(held) > MAX_STATE_LINE:
                    raise InvalidObject("the backup's state has a line that is too long")
    except zstandard.ZstdError as error:
        raise Damage(f"the backup's state is damaged: {error}", hint=HINT) from None
    if held:
        raise Damage("the backup's state is cut short", hint=HINT)
