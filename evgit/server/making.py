"""Large answers, made at full speed and few at a time, and then sent at the client's pace.

Reading packs holds a window of events, tens of megabytes, until the next: with a slow client for as
long as it likes, and with many clients many times. So an answer is put into a file first, and only
`AT_ONCE` are being made. It must not know what is in them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore
from typing import BinaryIO, cast

from evgit.storage import files

AT_ONCE = 2  # more would not be quicker: it is work for the processor
PIECE_BYTES = 1 << 18


class LargeAnswers:
    """Where they are made, for one server."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._slots = Semaphore(at_once)

    def aside(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, once all of them are made. Raises what making them raises, and
        StorageFull."""
        with files.translate_errors(Path(tempfile.gettempdir())):
            file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed below
        with file:
            with self._slots:
                for chunk in chunks:
                    with files.translate_errors(Path(tempfile.gettempdir())):
                        file.write(chunk)
            del chunks  # and what it holds
            file.seek(0)
            while piece := file.read(PIECE_BYTES):
                yield piece
