"""Several Merkle maps, each of its own paths, that are read as one.

Where there is one map it stands for itself. Of several, the root is the hash of a text that names
them, `forest`, then for each in order of paths its prefix's key and its root, all on lines of their
own; that text is kept in the cache as a node is, so that a root leads to everything below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from evgit.formats.hashing import blake3_digest
from evgit.state.merkle_map import Change, MerkleMap
from evgit.state.merkle_node import Reader, key_of, path_of

_FIRST_LINE = b"forest\n"

Trees: TypeAlias = "MerkleMap | Forest"
Difference = tuple[str, "bytes | None", "bytes | None"]


class Forest:
    """Maps by prefix. No prefix begins another, so their paths never mix. Immutable."""

    def __init__(self, parts: Mapping[str, MerkleMap]) -> None:
        self.parts = {prefix: parts[prefix] for prefix in sorted(parts, key=key_of)}
        lines = [
            b"%b\n%b\n" % (key_of(prefix), tree.root.hex().encode())
            for prefix, tree in self.parts.items()
        ]
        self._text = _FIRST_LINE + b"".join(lines)
        self.root = blake3_digest(self._text)

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def get(self, path: str) -> bytes | None:
        """The document at `path`, None if there is none."""
        for prefix, tree in self.parts.items():
            if path.startswith(prefix):
                return tree.get(path)
        return None

    def several(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        """As MerkleMap.several. Raises NodeMissing."""
        found: dict[str, bytes | None] = dict.fromkeys(paths)
        for prefix, tree in self.parts.items():
            found.update(tree.several(path for path in paths if path.startswith(prefix)))
        return found

    def items(self, prefix: str = "", after: str | None = None) -> Iterator[tuple[str, bytes]]:
        """As MerkleMap.items. Raises NodeMissing."""
        for own, tree in self.parts.items():
            if own.startswith(prefix) or prefix.startswith(own):
                yield from tree.items(prefix, after)

    def update(self, changes: Mapping[str, Change]) -> Forest:
        """The maps with these documents changed. Raises NodeMissing."""
        return Forest(
            {
                own: tree.update({p: c for p, c in changes.items() if p.startswith(own)})
                for own, tree in self.parts.items()
            }
        )

    def flushed(self, keep: Callable[[Iterable[tuple[bytes, bytes]]], None]) -> Forest:
        """As MerkleMap.flushed."""
        parts = {prefix: tree.flushed(keep) for prefix, tree in self.parts.items()}
        keep([(self.root, self._text)])
        return Forest(parts)

    def diff(
        self, other: Trees, prefix: str = "", after: str | None = None
    ) -> Iterator[Difference]:
        """As MerkleMap.diff."""
        return differences(self, other, prefix, after)


def tree_at(reader: Reader, root: bytes) -> Trees:
    """The map or maps whose root this is. Raises NodeMissing."""
    text = reader.text(root) if root else b""
    if not text.startswith(_FIRST_LINE):
        return MerkleMap(reader, root, {})
    lines = text.split(b"\n")[1:-1]
    return Forest(
        {
            path_of(key): MerkleMap(reader, bytes.fromhex(digest.decode()), {})
            for key, digest in zip(lines[::2], lines[1::2], strict=True)
        }
    )


def differences(
    a: Trees, b: Trees, prefix: str = "", after: str | None = None
) -> Iterator[Difference]:
    """(path, document in a or None, document in b or None) where they differ, in key order.

    Maps of the same prefix are compared in proportion to what differs; all else by every path.
    """
    if isinstance(a, MerkleMap) and isinstance(b, MerkleMap):
        yield from a.diff(b, prefix, after)
    elif isinstance(a, Forest) and isinstance(b, Forest) and a.parts.keys() == b.parts.keys():
        for own, tree in a.parts.items():
            if own.startswith(prefix) or prefix.startswith(own):
                yield from tree.diff(b.parts[own], prefix, after)
    elif a.root != b.root:
        yield from _by_every_path(a.items(prefix, after), b.items(prefix, after))


def _by_every_path(
    ours: Iterator[tuple[str, bytes]], theirs: Iterator[tuple[str, bytes]]
) -> Iterator[Difference]:
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and key_of(one[0]) < key_of(other[0])):
            assert one is not None
            yield one[0], one[1], None
            one = next(ours, None)
        elif one is None or key_of(other[0]) < key_of(one[0]):
            yield other[0], None, other[1]
            other = next(theirs, None)
        else:
            if one[1] != other[1]:
                yield one[0], one[1], other[1]
            one, other = next(ours, None), next(theirs, None)
