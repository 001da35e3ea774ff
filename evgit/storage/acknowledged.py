"""Notices that the database holds less than was acknowledged: the end of its history is gone.

SQLite keeps what was written last in `evgit.db-wal`, and can't tell whether that file was deleted,
cut off, or never held more; nor whether `evgit.db` is an older copy of itself. So after each
transaction that moved a ref, the number of its operation and when it ended are written to a small
file. That is never synced, and so may say too little after a power cut; since it is written when
the transaction is durable, it never says too much. It must not know what operations do.
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from evgit.formats.times import to_text

_FORM = re.compile(rb"(\d{20}) (\d{20}) ([0-9a-f]{8})\n")


class Mark(NamedTuple):
    """The operation `number` was acknowledged when it had ended at `finished` (instant)."""

    number: int
    finished: int


def encode_mark(number: int, finished: int) -> bytes:
    """A mark as the file has it."""
    body = b"%020d %020d" % (number, finished)
    return b"%b %08x\n" % (body, zlib.crc32(body))


class Loss(msgspec.Struct, frozen=True):
    """Operations up to `operation`, which had ended at `finished`, were acknowledged; when somebody
    opened the repository at `noticed`, its newest was `found`. (Times as text.)"""

    operation: int
    finished: str
    found: int
    noticed: str

    @property
    def message(self) -> str:
        """For a person."""
        what = f"the end of the history is gone: operation {self.operation}, which had ended at "
        what += f"{self.finished}, was acknowledged here; at {self.noticed} the newest was "
        return what + (f"{self.found}" if self.found != self.operation else "a shorter part of it")


class Marker:
    """The file, for one process that writes. Nothing that goes wrong with it hinders anybody."""

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def write(self, mark: bytes) -> None:
        """What is durable now, as `encode_mark` has it."""
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o666)
            os.pwrite(self._descriptor, mark, 0)
        except OSError:
            pass

    def __del__(self) -> None:  # with the connection that it belongs to
        if self._descriptor is not None:
            os.close(self._descriptor)


def read_mark(path: Path) -> Mark | None:
    """What the file says; None where there is none, or none that is whole."""
    try:
        data = path.read_bytes()[:64]
    except OSError:
        return None
    found = _FORM.fullmatch(data)
    if found is None or zlib.crc32(data[:41]) != int(found[3], 16):
        return None
    return Mark(int(found[1]), int(found[2]))


def losses(connection: apsw.Connection, marker: Path, record: Path, now: int) -> list[Loss]:
    """What was lost, now or at any time since somebody removed `record`, where it is kept."""
    mark = read_mark(marker)  # before the database is read: it is at least there
    loss = None if mark is None else _loss(connection, mark, now)
    noted = _read(record)
    if loss is None:
        return noted
    with suppress(OSError):  # a disk that can't be written: then it is noticed every time
        with record.open("ab") as file:
            file.write(msgspec.json.encode(loss) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.truncate(marker, 0)  # it stays the same file, for those who have it open
    return [*noted, loss]


def _loss(connection: apsw.Connection, mark: Mark, now: int) -> Loss | None:
    sql = "SELECT max(number), max(finished) FILTER (WHERE number=?1) FROM operations"
    sql += " WHERE number>=?1"
    try:
        row = connection.execute(sql, (mark.number,)).fetchone()
        if row is None or (row[0] is not None and (row[1] is None or row[1] >= mark.finished)):
            return None
        newest = connection.execute("SELECT max(number) FROM operations").fetchone()
    except apsw.Error:
        return None  # damaged: whoever reads more of it says so
    found = 0 if newest is None or newest[0] is None else int(newest[0])
    return Loss(mark.number, to_text(mark.finished), found, to_text(now))


def _read(record: Path) -> list[Loss]:
    try:
        lines = record.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(line, type=Loss))
    return found
