"""What the native part offers. Every function has a twin in Python that says the same."""

from array import array
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

_Certified = tuple[str, bytes, str, str, list[int], list[int], list[int]]

def certified_lines(lines: list[bytes], /) -> _Certified | None:
    """What stored lines of events say that are beyond doubt: exactly canonical, and events that
    obey all rules.

    (their streams with a newline between each two, the instants of their times as int64 in this
    machine's order, the earliest and the latest of their times, the places of those that have a
    key, the places of those that list blobs, the places of doubtful lines). What a doubtful line
    says is not in it: its stream is empty, its instant -1. None: there are too many of those.
    """

def certified_text(text: bytes, /) -> _Certified | None:
    """The same for lines that stand in a text, each with its newline. None too where the text does
    not end with one, and for no text."""

def line_starts(text: Buffer, /) -> bytes | None:
    """Where each line of a text begins, as unsigned 32-bit numbers of this machine, and behind them
    the length of the text; a last line without its newline counts. None for 4 GiB and more."""

def lines_at(
    positions: list[int], start: int, sizes: array[int], shifts: array[int], /
) -> list[int] | None:
    """As `evgit.formats.places.lines_at`, with numbers of 64 bits. None: something is too large, or
    not what it should be."""

def spans(
    numbers: list[int],
    start: int,
    low: int,
    high: int,
    base: int,
    places: array[int],
    starts: array[int],
    /,
) -> tuple[int, list[tuple[int, int, int]]] | None:
    """As `evgit.formats.places.spans`, with places of 32 bits. None: something is too large, or not
    what it should be."""
