"""What a JSON value is here, and how large it may be.

It knows limits only; `canonical` says what the bytes of a value are.
"""

from __future__ import annotations

from typing import TypeAlias, Union

from evgit.errors import InvalidJSON

JSONValue: TypeAlias = Union[bool, int, float, str, "list[JSONValue]", "dict[str, JSONValue]", None]

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 128
"""Arrays and objects that may be open at once."""
MAX_OBJECT_BYTES = 16 * 2**20


def to_bytes(text: bytes | str) -> bytes:
    """The text in UTF-8, unless it is too long for an object."""
    if isinstance(text, str):
        try:
            text = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidJSON(f"lone surrogate at character {error.start}") from None
    if len(text) > MAX_OBJECT_BYTES:
        raise InvalidJSON(
            f"{len(text):,} bytes of JSON: an object may have {MAX_OBJECT_BYTES:,}",
            hint="keep large contents as blobs and refer to them",
        )
    return text
