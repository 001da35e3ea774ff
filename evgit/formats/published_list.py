"""The list of a published directory: which packs are in it, and what the branches are at.

Readers believe nothing of it: packs are named by their bytes' hash, and what is in them is checked
like everything that comes from elsewhere. This module knows bytes, neither files nor URLs.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from evgit.errors import EvgitError, InvalidObject, UnsupportedFormat
from evgit.formats import canonical

FORMAT = 1
FILE_NAME = "evgit.json"
MAX_LIST_BYTES = 1 << 26
MAX_PACK_BYTES = 1 << 42

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class PublishedPack(msgspec.Struct, forbid_unknown_fields=True):
    """A pack. `name`: BLAKE3 of its bytes. `tips`: ids of commits and tags; who has these has all
    that is in it."""

    bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PACK_BYTES)]
    commits: Count
    events: Count
    name: Id
    tips: list[Id]

    @property
    def lines(self) -> int:
        return self.commits + self.events


class PublishedList(msgspec.Struct, forbid_unknown_fields=True):
    """All that is published. `root`: the root commit's line; `gone`: blobs that nothing needs any
    more, and that the next one who publishes removes."""

    packs: list[PublishedPack]
    refs: dict[str, str]
    repository: Id
    root: str
    format: int = FORMAT
    gone: list[Id] = []
    kind: str = "published"


_decode = msgspec.json.Decoder(PublishedList).decode


def encode_list(found: PublishedList) -> bytes:
    """The list as a line of canonical JSON."""
    return canonical.encode(msgspec.to_builtins(found)) + b"\n"


def decode_list(data: bytes) -> PublishedList:
    """What a list says. Raises InvalidObject, UnsupportedFormat for a newer one."""
    if len(data) > MAX_LIST_BYTES:
        raise InvalidObject(f"a list of what is published of more than {MAX_LIST_BYTES:,} bytes")
    try:
        members = canonical.parse(data)
        if not isinstance(members, dict) or members.get("kind") != "published":
            raise InvalidObject(f"{FILE_NAME} is not the list of a published directory")
        if members.get("format") != FORMAT:
            raise UnsupportedFormat(
                f"a published directory of format {members.get('format')!r}; this evgit reads "
                f"format {FORMAT}",
                hint="use a newer evgit",
            )
        if canonical.encode(members) != data.rstrip(b"\n"):
            raise InvalidObject(f"{FILE_NAME} is not canonical")
        return _decode(data)
    except (InvalidObject, UnsupportedFormat):
        raise
    except (msgspec.MsgspecError, EvgitError, UnicodeDecodeError) as error:
        raise InvalidObject(
            f"{FILE_NAME} is not the list of a published directory: {error}"
        ) from None
