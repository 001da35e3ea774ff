"""The text of packs from elsewhere, as a transfer has it; everything about their form is checked.

What the lines say is the quarantine's business, not this module's, nor where the bytes come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evgit.errors import DamagedObject, InvalidObject
from evgit.formats.pack_reading import PackReader

MAX_WAITING_BYTES = 1 << 24


def pack_texts(
    read: Callable[[int], bytes], called: str, repository: str, name: str = ""
) -> Iterator[bytes]:
    """Blocks as whole lines, in order, and lines of other objects between blocks.

    `read(n)` gives up to n bytes of the pack; `called`: what it is called, for errors. Raises
    InvalidObject where it is not sound, not of this repository, or not the one that is named so
    (BLAKE3 of its bytes, hex), at the end at the latest.
    """
    inside = False
    waiting: list[bytes] = []
    try:
        reader = PackReader(read)
        if reader.head.repository != repository:
            raise InvalidObject(f"{called} belongs to another repository")
        for window in reader.windows():
            for events, commit in window.pieces():
                inside = commit is None
                yield b"\n".join([*events, b""] if commit is None else [*events, commit, b""])
            waiting += window.objects
            if not inside:
                yield from _released(waiting)
            elif sum(map(len, waiting)) > MAX_WAITING_BYTES:
                raise InvalidObject(f"{called} has other objects inside a block")
    except DamagedObject as error:
        raise InvalidObject(
            f"{called} is not sound: {error.message.removeprefix('a pack is not sound: ')}",
            hint="it was damaged or changed on its way: get it anew",
        ) from error
    if name and reader.name != name:
        raise InvalidObject(f"{called} is another pack: its bytes hash to {reader.name}")
    if inside:
        raise InvalidObject(f"{called} ends in the middle of a block")
    yield from _released(waiting)


def _released(waiting: list[bytes]) -> Iterator[bytes]:
    for line in waiting:
        yield line + b"\n"
    waiting.clear()
