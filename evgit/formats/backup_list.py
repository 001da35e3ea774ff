"""The list of a backup: which packs hold which lines, and where the rest is.

This module knows bytes, no files. The form of the rest is that of the tables in docs/format.md.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from evgit.errors import EvgitError, InvalidObject, UnsupportedFormat
from evgit.formats import canonical
from evgit.formats.hashing import blake3_digest
from evgit.formats.times import to_instant

FORMAT = 1
FILE_NAME = "evgit-backup.json"
MAX_LIST_BYTES = 1 << 26

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
MaybeId = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class BackedUp(msgspec.Struct, forbid_unknown_fields=True):
    """`lines` lines from `first_line` on are all of the pack `name`, of `bytes` bytes. Without a
    name: nothing led to them, and they have been dropped. `latest`: as in the table `packs`, but as
    a time, or empty."""

    bytes: Count
    first_line: Count
    latest: str
    lines: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]
    name: MaybeId

    @property
    def latest_instant(self) -> int:
        """Microseconds, or -1. Raises InvalidTime."""
        return to_instant(self.latest) if self.latest else -1


class BackupList(msgspec.Struct, forbid_unknown_fields=True):
    """A whole backup. `of`: tells the database that it was made of from others, `last`: the last
    commit in it. `state`: BLAKE3 of the file with everything but blocks and blobs. `checksum`: of
    the list as it was read, empty in one that has none."""

    bare: bool
    commits: Count
    last: Id
    of: str
    packs: list[BackedUp]
    repository: Id
    state: Id
    time: str
    checksum: MaybeId = ""
    format: int = FORMAT
    kind: str = "backup"

    @property
    def lines(self) -> int:
        """How many lines there are, numbered from 0."""
        return self.packs[-1].first_line + self.packs[-1].lines if self.packs else 0


_decode = msgspec.json.Decoder(BackupList).decode


def encode_list(found: BackupList) -> bytes:
    """The list as a line of canonical JSON, with its checksum."""
    members = msgspec.to_builtins(found)
    return canonical.encode(members | {"checksum": _checksum(members)}) + b"\n"


def _checksum(members: dict[str, Any]) -> str:
    """BLAKE3 of the canonical form of everything but the checksum."""
    rest = {name: value for name, value in members.items() if name != "checksum"}
    return blake3_digest(canonical.encode(rest)).hex()


def decode_list(data: bytes) -> BackupList:
    """What a list says. Raises InvalidObject, UnsupportedFormat for a newer one."""
    try:
        members = canonical.parse(data)
        if not isinstance(members, dict) or members.get("kind") != "backup":
            raise InvalidObject(f"{FILE_NAME} is not the list of a backup")
        if "checksum" in members and members["checksum"] != _checksum(members):
            raise InvalidObject(f"{FILE_NAME} is not as it was written: its checksum is another")
        if members.get("format") != FORMAT:
            raise UnsupportedFormat(
                f"a backup of format {members.get('format')!r}; this evgit reads format {FORMAT}",
                hint="use a newer evgit",
            )
        found = _decode(data)
    except (InvalidObject, UnsupportedFormat):
        raise
    except (msgspec.MsgspecError, EvgitError, UnicodeDecodeError) as error:
        raise InvalidObject(f"{FILE_NAME} is not the list of a backup: {error}") from None
    end = 0
    for pack in found.packs:
        if pack.first_line != end:
            raise InvalidObject(f"{FILE_NAME} lacks the lines {end} to {pack.first_line - 1}")
        end += pack.lines
    return found
