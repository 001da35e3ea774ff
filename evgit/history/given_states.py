"""Documents at boundaries, as another repository gave them: where states of what follows begin.

They can't be made again from anything here, so they are truth, kept with the boundary. This module
knows paths and bytes, not what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import msgspec
import zstandard

from evgit.errors import Damage
from evgit.formats.block import decode_frame
from evgit.storage import schema
from evgit.storage.database import fetch_all

PART_BYTES = 1 << 18
LEVEL = 3
MAX_PART_BYTES = 1 << 26


class GivenState:
    """The documents at one boundary, whose block begins at line `number`, by one projection.

    Writing needs the caller's write transaction.
    """

    def __init__(self, connection: apsw.Connection, number: int, projection: bytes) -> None:
        self._connection = connection
        self._number = number
        self._projection = projection
        self._held: list[bytes] = []
        self._size = 0
        self._part = 0

    def known(self) -> bool:
        """Was it given?"""
        return bool(self._rows("SELECT 1", "LIMIT 1"))

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of each document, in the order in which they were given."""
        for (data,) in self._rows("SELECT data", "ORDER BY part"):
            text = decode_frame(data, MAX_PART_BYTES)
            for line in filter(None, text.splitlines()):
                path, _, document = line.partition(b"\t")
                try:
                    yield msgspec.json.decode(path, type=str), document
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    raise Damage("the state kept for a boundary is damaged") from None

    def clear(self) -> None:
        """Forget what was given before."""
        self._connection.execute(
            "DELETE FROM boundary_states WHERE number=? AND projection=?",
            (self._number, self._projection),
        )

    def add(self, path: str, document: bytes) -> None:
        """Keep a document. Call `finish` after the last."""
        line = msgspec.json.encode(path) + b"\t" + document + b"\n"
        self._held.append(line)
        self._size += len(line)
        if self._size >= PART_BYTES:
            self._write()

    def finish(self) -> None:
        """Keep what was added, even if nothing was: an empty state is known, too."""
        if self._held or not self._part:
            self._write()

    def _write(self) -> None:
        text = b"".join(self._held) or b"\n"
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._connection.execute(
            "INSERT INTO boundary_states(number, projection, part, data) VALUES(?,?,?,?)",
            (self._number, self._projection, self._part, compressor.compress(text)),
        )
        self._held, self._size, self._part = [], 0, self._part + 1

    def _rows(self, select: str, end: str) -> list[tuple[bytes]]:
        if not schema.is_shallow(self._connection):
            return []
        return fetch_all(
            self._connection,
            f"{select} FROM boundary_states WHERE number=? AND projection=? {end}",
            (self._number, self._projection),
        )


def given_state_problems(connection: apsw.Connection, number: int) -> list[str]:
    """What is wrong with the bytes of the states kept for a boundary; empty if nothing."""
    found = []
    for (projection,) in fetch_all(
        connection, "SELECT DISTINCT projection FROM boundary_states WHERE number=?", (number,)
    ):
        try:
            for _ in GivenState(connection, number, projection).documents():
                pass
        except Damage as error:
            found.append(f"the state kept for it can't be read: {error.message}")
    return found
