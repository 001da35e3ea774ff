"""Lines of text to a file or standard output, plain, gzip or zstd: the name says which.

This module must not know what a line means.
"""

from __future__ import annotations

import gzip
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self, cast

import zstandard

from evgit.bridges.named_files import STANDARD, cannot_write

_ZSTD_LEVEL = 3


class LineWriter:
    """Writes lines to a path, `-` (standard output) or an open binary file.

    `.gz` and `.zst` names compress. A file appears under its name only when all was written: an
    interrupted export leaves what was there before. Used as a context manager.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        self._final: Path | None = None
        self._partial: Path | None = None
        self._opened = False
        self._file: IO[bytes]
        name = ""
        self._name = "the output"
        if not isinstance(target, str | os.PathLike):
            self._file = target
        elif os.fspath(target) == STANDARD:
            self._name = "standard output"
            self._file = sys.stdout.buffer
        else:
            name = os.fspath(target)
            self._name = repr(name)
            self._file = self._create(Path(target))
            self._opened = True
        self._sink: IO[bytes] = _compressing(name, self._file)

    def _create(self, path: Path) -> IO[bytes]:
        try:
            if path.exists() and not path.is_file():  # a device or a named pipe
                return path.open("wb")
            partial = path.with_name(f".{path.name}.{os.getpid()}.part")
            opened = partial.open("wb")
        except OSError as error:
            raise cannot_write(self._name, error) from error
        self._final, self._partial = path, partial
        return opened

    def write(self, text: bytes) -> None:
        """Write whole lines, each with its line end."""
        try:
            self._sink.write(text)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            if self._sink is not self._file:
                self._sink.close()
            self._file.flush()
            if self._opened:
                self._file.close()
            if self._final is not None and self._partial is not None:
                self._partial.replace(self._final)
        except OSError as failure:
            self._abandon()
            raise self._failure(failure) from failure

    def _failure(self, error: OSError) -> Exception:
        """What an error means; that a reader went away is the caller's business."""
        return error if isinstance(error, BrokenPipeError) else cannot_write(self._name, error)

    def _abandon(self) -> None:
        if not self._opened:
            return
        for file in (self._sink, self._file):
            with suppress(OSError):  # it may fail again to write what it still holds
                file.close()
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)


def _compressing(name: str, file: IO[bytes]) -> IO[bytes]:
    if name.endswith(".gz"):
        # No name and no time inside: equal exports are equal files.
        return cast("IO[bytes]", gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))
    if name.endswith(".zst"):
        compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
        return cast("IO[bytes]", compressor.stream_writer(file, closefd=False))
    return file
