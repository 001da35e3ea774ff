"""Annotated tags: a name and a message for another object, as an object of its own.

This module knows one tag at a time; whether its target exists is known above.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

from evgit.errors import EvgitError, InvalidJSON, InvalidObject
from evgit.formats import canonical
from evgit.formats.names import check_branch_name
from evgit.formats.times import to_instant

_ID = re.compile(r"[0-9a-f]{64}")


class Tag(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="tag",
):
    """name: without refs/tags/. target: id of any object. time: when it was made."""

    message: str
    name: str
    tagger: str
    target: str
    time: str

    def canonical(self) -> bytes:
        """The canonical bytes. Raises InvalidObject where the tag breaks a rule."""
        try:
            line = canonical.encode({"kind": "tag", **msgspec.structs.asdict(self)})
        except InvalidJSON as error:
            raise InvalidObject(f"not a tag: {error.message}", hint=error.hint) from None
        decode_tag(line)
        return line

    @property
    def id(self) -> str:
        """BLAKE3-256 of the canonical bytes, 64 hex digits."""
        return canonical.object_id(self.canonical())


class _AnotherKind(msgspec.Struct, tag_field="kind", tag=""):
    """Makes msgspec insist on `kind`, which it does only where there are two to choose from."""


@cache
def _decoder() -> msgspec.json.Decoder[Tag | _AnotherKind]:
    return msgspec.json.Decoder(Tag | _AnotherKind)


def decode_tag(line: bytes) -> Tag:
    """The tag of a stored line. Raises InvalidObject unless it is exactly canonical and valid."""
    try:
        tag = _decoder().decode(line)
        if not isinstance(tag, Tag):
            raise InvalidObject("its kind is another")
        check_branch_name(tag.name)
        to_instant(tag.time)
        if canonical.canonicalize(line) != line:
            raise InvalidObject("not in canonical form")
    except (EvgitError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidObject(f"not a tag: {error}") from None
    if not _ID.fullmatch(tag.target):
        raise InvalidObject(f"a tag's target {tag.target[:80]!r} is not an id")
    return tag
