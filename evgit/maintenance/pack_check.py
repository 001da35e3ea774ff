"""Compares packs with their names, which are the hashes of their bytes."""

from __future__ import annotations

from collections.abc import Iterator

from evgit.errors import Unavailable
from evgit.formats.hashing import new_hasher
from evgit.history.history import History
from evgit.storage import files

CHUNK_BYTES = 1 << 20


def pack_problems(history: History) -> Iterator[str]:
    """What is wrong with the packs that count: what it hits is found when blocks are read."""
    if not history.blocks.any_packs():
        return
    packs = history.blocks.packs
    packs.reload()
    for name in sorted({row.name for row in packs.rows() if row.name}):
        path = packs.path(name)
        hasher = new_hasher()
        try:
            with files.translate_errors(path), path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    hasher.update(chunk)
        except Unavailable as error:
            yield f"pack {name} can't be read: {error.message}"
            continue
        if hasher.hexdigest() != name:
            yield f"pack {name} is damaged: its bytes hash to {hasher.hexdigest()}"
