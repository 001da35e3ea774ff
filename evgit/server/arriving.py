"""A request's body on its way in: in memory while it is small, then in a file.

Of those who may write, the file lies in the repository, where the next push finds what came whole,
should this process be killed. It must not know HTTP.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from evgit.storage import files
from evgit.sync.spool import REQUEST, Spool

IN_MEMORY_BYTES = 1 << 18


class ArrivingBody:
    """Takes in one body. Close it."""

    def __init__(self, incoming: Path | None) -> None:
        """`incoming`: the repository's directory for what comes in; None: nobody's but ours."""
        self._incoming = incoming
        self._spool: Spool | None = None
        self._file: BinaryIO = io.BytesIO()
        self.size = 0

    @property
    def on_disk(self) -> bool:
        """Does it lie in a file, so that writing may take its time?"""
        return self.size > IN_MEMORY_BYTES

    def write(self, chunk: bytes) -> None:
        """Take in some more. Raises StorageFull."""
        before = self.on_disk
        self.size += len(chunk)
        if self.on_disk and not before:
            self._move_to_disk()
        if self._spool is not None:
            self._spool.fill([chunk])
        else:
            with files.translate_errors(Path(tempfile.gettempdir())):
                self._file.write(chunk)

    def _move_to_disk(self) -> None:
        begun = cast(io.BytesIO, self._file).getvalue()
        if self._incoming is not None:
            self._spool = Spool.create(self._incoming, REQUEST)
            self._spool.fill([begun])
            return
        with files.translate_errors(Path(tempfile.gettempdir())):
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed later
            self._file.write(begun)

    def rewound(self) -> BinaryIO:
        """All of it, to be read from the beginning."""
        if self._spool is not None:
            return self._spool.rewound()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Forget it."""
        if self._spool is not None:
            self._spool.discard()
        self._file.close()
