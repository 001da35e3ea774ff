"""What the native part offers. Every function has a twin in Python that says the same."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

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

_Certified = tuple[str, bytes, str, str, list[int], list[str], list[int], list[int]]

def certified_lines(lines: list[bytes], /) -> _Certified | None:
    """What stored lines of events say that are beyond doubt: exactly canonical, and events that
    obey all rules.

    (their streams with a newline between each two, the instants of their times as int64 in this
    machine's order, the earliest and the latest of their times, the places of those that have a
    key, those keys, the places of those that list blobs, the places of doubtful lines). What a
    doubtful line says is not in it: its stream is empty, its instant -1. None: there are too many
    of those.
    """

def certified_text(text: bytes, /) -> _Certified | None:
    """The same for lines that stand in a text, each with its newline. None too where the text does
    not end with one, and for no text."""

def canonical_text(text: bytes, /) -> tuple[bytes, _Certified] | None:
    """The canonical lines of events that a user gives, each with its newline, and what they say.

    None: one is out of the ordinary, or wrong; streams that only stored events may have are both.
    """

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

def leaf_hash(event_id: Buffer, /) -> bytes:
    """RFC 6962: SHA-256 of 0x00 and these bytes."""

def node_hash(left: Buffer, right: Buffer, /) -> bytes:
    """RFC 6962: SHA-256 of 0x01 and these bytes."""

def sorted_words(words: Buffer, /) -> bytes:
    """Unsigned 64-bit words of this machine in ascending order. Here as in the next two, a number
    of bytes that is not a multiple of 8 is a ValueError."""

def columns_of_words(words: Buffer, /) -> bytes:
    """The bytes of 64-bit words of this machine in columns, all highest ones first."""

def words_of_columns(columns: Buffer, /) -> bytes:
    """The words whose bytes stand in columns, as this machine has them."""

def numbered(
    names: list[str], numbers: dict[str, int], first: int, /
) -> tuple[bytes, list[str]] | None:
    """The words `numbers[name] << 32 | place`, places counted from `first`, as this machine has
    them; and the names that have no number, whose words mean nothing.

    None: something does not fit into 32 bits, or is of another type.
    """

def subtrees(
    ids: bytes, start: int, kept: int, /
) -> tuple[list[tuple[int, bytes]], list[tuple[int, int, bytes]]] | None:
    """`pieces` and `nodes`, from level `kept` on, of `merkle.subtrees` of ids that stand one after
    another. None: they are not 32 bytes each, or there is no such start."""

def root(size: int, peaks: list[bytes], /) -> bytes | None:
    """The root of a tree of `size` leaves with these peaks. None: it does not have such peaks."""

def first_wrong_root(
    size: int, peaks: list[bytes], ids: bytes, counts: Sequence[int], roots: bytes, /
) -> tuple[int | None, int, list[bytes]] | None:
    """What `merkle.first_wrong_root` says, and the size and the peaks of the tree afterwards.

    None: no tree has such peaks, or there are fewer ids or roots than `counts` says.
    """

def new_event_line(
    stream: str,
    event_type: str,
    data: Any,
    meta: dict[str, Any],
    version: int,
    origin: str,
    instant: int,
    /,
) -> bytes | None:
    """The canonical line of an event of these members, but for rules about names of streams and
    types. None: it is out of the ordinary, or long."""

def close_block(
    lines: list[bytes],
    size: int,
    peaks: bytes,
    parent: str,
    author: str,
    message: str,
    instant: int,
    /,
) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The commit of up to 16 lines of events behind a log of this size and frontier: (their ids one
    after another, the commit's id, the new frontier, all lines and the commit's, each with its
    newline). None: it is out of the ordinary, or long."""

_Chain = tuple[
    bytes, bytes, bytes, list[int], list[int], list[int], int, int, bytes, str,
    list[tuple[int, str, str]], list[int],
]  # fmt: skip

def certified_chain(text: bytes, /) -> _Chain | None:
    """What the blocks in a text say, if they are beyond doubt a chain: commits, each the only
    parent of the next, with nothing unusual about them, and events of their own without blobs.

    (the id of the first one's parent; ids and roots, one after another; the commits' numbers of
    events, instants, and instants of the latest of their events, -1 without any; the size of the
    log before; the instant of the earliest event; the events' ids, and streams with a newline
    between each two; (place among events, stream, key) of those that have one; where each block
    ends in the text).

    What hangs on other things (do all events differ? are the roots right?) is for others to see.
    """

def declared(frames: list[bytes], /) -> int | None:
    """How many bytes some zstd frames say they hold together. None: one is not a whole frame with
    a checksum, and nothing else, that says it holds something; or it is unusual, or large."""

def picked_lines(
    text: Buffer, starts: array[int], places: array[int], first: int, end: int, /
) -> bytes | None:
    """The lines at places[first:end] of a text, one after another; the n-th is from starts[n] up
    to, not including, starts[n + 1]. None: there is no such place, or it is unusual."""

def event_objects_plan(
    form: type, slots: tuple[tuple[str, int, object], ...], data_is_object: bool, /
) -> object | None:
    """How objects of a class are filled in (`evgit.formats.event_objects.Slot`), to be handed to
    `event_objects`; None where its members are not ordinary slots. `data_is_object`: data that is
    no JSON object is none for it."""

def event_objects(plan: object, text: Buffer, odd: Callable[[bytes], Any], /) -> list[Any]:
    """An object for each canonical line of an event; what `odd` makes of it, or raises, where a
    line is out of the ordinary."""

def wanted_lines(names: tuple[str, ...], text: Buffer, /) -> list[bytes | None]:
    """Each line, with its newline, that may be an event of one of these streams, and None for each
    that is none if it is the canonical line of an event."""
