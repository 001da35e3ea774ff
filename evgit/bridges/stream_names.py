"""Stream names made from names that other systems gave: file paths, CloudEvents subjects.

Pure, and the same in every run: an import that is repeated must find the streams it made.
"""

from __future__ import annotations

import re
import unicodedata

from evgit.errors import InvalidName
from evgit.formats.canonical import object_id
from evgit.formats.names import MAX_NAME_BYTES, check_stream_name

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_HASH_DIGITS = 16


def stream_name(wanted: str) -> str:
    """`wanted` itself where that may name a stream, else a mended form of it.

    Mended: NFC; control characters, a leading `$`, and empty, `.` or `..` components become `_`;
    cut to fit 240 bytes; then `~` and 16 hex digits of the BLAKE3 of what was wanted, so that
    different names stay different streams. Lone surrogates become `?`.
    """
    try:
        check_stream_name(wanted)
    except InvalidName:
        return _mended(wanted)
    return wanted


def _mended(wanted: str) -> str:
    exact = wanted.encode("utf-8", "surrogatepass")
    text = wanted.encode("utf-8", "replace").decode("utf-8")
    text = _CONTROL.sub("_", unicodedata.normalize("NFC", text))
    if text.startswith("$"):
        text = "_" + text[1:]
    components = ["_" if part in ("", ".", "..") else part for part in text.split("/")]
    suffix = "~" + object_id(exact)[:_HASH_DIGITS]
    room = MAX_NAME_BYTES - len(suffix)
    kept = "/".join(components).encode("utf-8")[:room].decode("utf-8", "ignore")
    # A cut can leave a base character before a combining one that is gone: still NFC.
    return kept + suffix
