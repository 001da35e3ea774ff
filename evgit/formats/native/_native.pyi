"""What the native part offers. Every function has a twin in Python that says the same."""

from collections.abc import Sequence

from typing_extensions import Buffer

def choose_hashes(plain: bool, /) -> tuple[str, str]:
    """Chooses the quickest code for BLAKE3 and SHA-256 that this processor has or, if `plain`, the
    code for any. Names both. For tests: the quickest is chosen when the module is loaded."""

def blake3(data: Buffer, /) -> bytes:
    """The BLAKE3-256."""

def sha256(data: Buffer, /) -> bytes:
    """The SHA-256."""

def hashed(lines: Sequence[bytes], cut: int, /) -> bytes | None:
    """The BLAKE3-256 of each line but for its last `cut` bytes, one after another, 32 bytes each.

    None: not all of them are `bytes` of that length.
    """

def hashed_text(text: bytes, /) -> bytes | None:
    """The BLAKE3-256 of each line without its newline, one after another, 32 bytes each.

    None: the last one has no newline.
    """
