"""Where a body waits until all of it is here, so that nobody's pace holds a lock.

A body that stops short, or whose reader is killed, leaves a file from which the next transfer takes
what is whole. This module must not know what is in it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from evgit.storage import files

CHUNK_BYTES = 1 << 18
TRANSFER = ".transfer"
REQUEST = ".request"  # a whole request over HTTP: its message, then its body in chunks


class Spool:
    """A file of one body, locked for as long as it is open. Close or discard it."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    @classmethod
    def create(cls, directory: Path, kind: str = TRANSFER) -> Spool:
        """A new, empty one in a directory, which is made where it is missing."""
        with files.translate_errors(directory):
            directory.mkdir(exist_ok=True)
            path = directory / (os.urandom(8).hex() + kind)
            file = path.open("x+b")
            fcntl.flock(file, fcntl.LOCK_EX)
        return cls(path, file)

    @classmethod
    def abandoned(cls, directory: Path, kind: str = TRANSFER) -> Iterator[Spool]:
        """Those whose writers are no more."""
        for path in sorted(directory.glob("*" + kind)):
            with suppress(OSError):
                file = path.open("r+b")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                except OSError:
                    file.close()
                    continue
                yield cls(path, file)

    def fill(self, body: Iterable[bytes]) -> None:
        """Write all of a body. Raises what the body raises, and StorageFull."""
        for _ in self.filling(body):
            pass

    def filling(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """The same body, written chunk by chunk. Raises what it raises, and StorageFull."""
        for chunk in body:
            with files.translate_errors(self._path):
                self._file.write(chunk)
            yield chunk

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """What has been written, from byte `start` on."""
        self._file.seek(start)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def rewound(self) -> BinaryIO:
        """The file itself, to be read from the beginning."""
        self._file.seek(0)
        return self._file

    def discard(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk does not take what was still to be written
            self._file.close()
