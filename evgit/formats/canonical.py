"""Canonical JSON: the bytes that every object of evgit is hashed over.

The form is RFC 8785 (JCS). What it leaves open, and what can't survive it, is refused: NaN and
infinities, integer literals that a double would change, lone surrogates, duplicate keys, nesting
deeper than 128, more than 16 MiB. There are two ways to each result: `rfc8785` is slow and is the
rule, `fast_json` hands over to it whenever the two might differ.

This module knows JSON values and their bytes, not what evgit puts into them.
"""

from __future__ import annotations

from evgit.formats import fast_json
from evgit.formats.hashing import blake3_digest
from evgit.formats.json_value import (
    MAX_DEPTH,
    MAX_OBJECT_BYTES,
    MAX_SAFE_INTEGER,
    JSONValue,
    to_bytes,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_OBJECT_BYTES",
    "MAX_SAFE_INTEGER",
    "SORTED_ENCODER",
    "JSONValue",
    "canonicalize",
    "digest",
    "encode",
    "has_astral",
    "id_bytes",
    "object_id",
    "parse",
]

SORTED_ENCODER = fast_json.ENCODER
has_astral = fast_json.has_astral


digest = blake3_digest
"""BLAKE3-256 of exactly these bytes: 32 bytes."""


def object_id(line: bytes) -> str:
    """BLAKE3-256 of exactly these bytes: 64 hex digits."""
    return blake3_digest(line).hex()


def id_bytes(object_id: str) -> bytes:
    """The 32 bytes of an id; none for a text that is no id, under which nothing is ever stored."""
    try:
        return bytes.fromhex(object_id) if len(object_id) == 64 else b""
    except ValueError:
        return b""


def parse(text: bytes | str) -> JSONValue:
    """The value of a JSON text (RFC 8259), or InvalidJSON saying what is refused and where.

    Integer literals become int, others float. The text is judged as it stands, white space
    included: at most 16 MiB.
    """
    raw = to_bytes(text)
    value: JSONValue = fast_json.parse(raw)
    return _parse_slowly(raw) if value is fast_json.DOUBT else value


def encode(value: object) -> bytes:
    """The canonical bytes of a JSON value made of dict, list, str, int, float, bool and None.

    Raises InvalidJSON, with the place as a JSON pointer, for anything else in it: other types,
    keys that are not strings, NaN, lone surrogates, integers that a double can't hold exactly as
    JCS would write them, and values too deep or too big.
    """
    line = fast_json.encode(value)
    return _encode_slowly(value) if line is None else line


def encode_all(values: list[object]) -> list[bytes]:
    """The canonical bytes of each of many values. Raises what `encode` raises."""
    lines = fast_json.encode_all(values)
    return [encode(value) for value in values] if lines is None else lines


def canonicalize(text: bytes | str) -> bytes:
    """The canonical bytes of a JSON text. Raises InvalidJSON as `parse` does."""
    raw = to_bytes(text)
    value = fast_json.parse(raw)
    if value is fast_json.DOUBT:
        return _encode_slowly(_parse_slowly(raw))
    return encode(value)


# The slow way is loaded when there is a doubt, and most commands meet none.
def _parse_slowly(raw: bytes) -> JSONValue:
    from evgit.formats.rfc8785 import parse

    return parse(raw)


def _encode_slowly(value: object) -> bytes:
    from evgit.formats.rfc8785 import encode

    return encode(value)
