"""RFC 6962 Merkle trees (SHA-256) over event ids: the root of a log, grown batch by batch.

The leaf data is the 32-byte event id. Following RFC 6962, section 2.1, a leaf hash is
SHA-256(0x00 || id), an inner hash is SHA-256(0x01 || left || right), and a tree of n leaves splits
at the largest power of two below n. So every subtree is either *complete* (2^level leaves, aligned)
or lies on the right edge, where complete subtrees, the *peaks*, add up to it.

A subtree is named (level, index): leaves index * 2^level up to (index + 1) * 2^level. Where hashes
come from is the caller's business: proofs ask for them through a function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from evgit.formats.hashing import joined_ids
from evgit.formats.native import native

Subtree = Callable[[int, int], bytes]
"""(level, index) -> hash of that complete subtree."""

NodeSink = Callable[[int, int, bytes], object]
"""Called as (level, index, hash) for a subtree that has just become complete."""

EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""Root of the log without events: SHA-256 of nothing."""

KEPT_LEVEL = 8
"""Subtrees from this level up are reported by `Frontier.extend`, to be kept for proofs."""


@cache
def _sha256() -> Any:
    """The SHA-256 of `hashlib`, loaded when something is hashed: loading OpenSSL takes as long as
    many a command that only reads."""
    return import_module("hashlib").sha256


def _short_sha256() -> Any:
    """The SHA-256 that is quickest for one block of input, such as a leaf's 33 bytes.

    OpenSSL, which `hashlib` gives, takes longer to begin than such a block takes; the interpreter's
    own (`_sha2` from Python 3.12 on) begins at once, and is slower from two blocks on.
    """
    for name in ("_sha2", "_sha256"):
        try:
            return import_module(name).sha256
        except (ImportError, AttributeError):  # this build of Python has none
            continue
    return _sha256()


_leaf_sha256 = _short_sha256()


def _leaf_hash(event_id: bytes) -> bytes:
    digest: bytes = _leaf_sha256(b"\0" + event_id).digest()
    return digest


def _node_hash(left: bytes, right: bytes) -> bytes:
    digest: bytes = _sha256()(b"\1" + left + right).digest()
    return digest


leaf_hash = _leaf_hash if native is None else native.leaf_hash
"""Hash of the leaf that holds this 32-byte event id."""

node_hash = _node_hash if native is None else native.node_hash
"""Hash of an inner node, of the hashes to its left and right."""


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Root over peaks, largest first: each smaller one is the right child of the one before."""
    root = peaks[-1]
    for peak in peaks[-2::-1]:
        root = node_hash(peak, root)
    return root


class Frontier:
    """What must be kept of a tree to append to it and to know its root: O(log n) hashes.

    `peaks` holds the hash of one complete subtree for every 1 bit of `size`, largest first.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves does not have {len(peaks)} peaks")
        self.size = size
        self.peaks = list(peaks)

    def root(self) -> bytes:
        """The RFC 6962 root of the first `size` ids."""
        if not self.peaks:
            return EMPTY_ROOT
        root = None if native is None else native.root(self.size, self.peaks)
        return _fold(self.peaks) if root is None else root

    def copy(self) -> Frontier:
        return Frontier(self.size, self.peaks)

    def to_bytes(self) -> bytes:
        """The peaks one after another, 32 bytes each; `size` is kept apart."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Raises ValueError when the length of `data` does not fit `size`."""
        if len(data) % 32:
            raise ValueError("the peaks of a tree are 32 bytes each")
        return cls(size, [data[i : i + 32] for i in range(0, len(data), 32)])

    def extend(self, ids: Sequence[bytes], on_node: NodeSink | None = None) -> None:
        """Appends 32-byte event ids, one tree level at a time (0.2 us an id; in Python 0.8).

        `on_node` is told every subtree of level 8 or more that becomes complete, in no order.
        """
        if len(ids) == 1:
            self._append(0, leaf_hash(ids[0]), on_node)
        else:
            self.add(subtrees(ids, self.size), on_node)

    def add(self, leaves: Subtrees, on_node: NodeSink | None = None) -> None:
        """Appends leaves that `subtrees` hashed; their `start` must be the size so far."""
        if leaves.start != self.size:
            raise ValueError(f"leaves from {leaves.start} on can't follow {self.size} leaves")
        for level, node in leaves.pieces:
            self._append(level, node, on_node)
        if on_node is not None:
            for kept in leaves.nodes:
                on_node(*kept)

    def _append(self, level: int, node: bytes, on_node: NodeSink | None) -> None:
        """Appends a complete subtree: like adding to a binary number, peak by peak."""
        size, after = self.size, self.size + (1 << level)
        while size >> level & 1:
            node = node_hash(self.peaks.pop(), node)
            level += 1
            if on_node is not None and level >= KEPT_LEVEL:
                on_node(level, size >> level, node)
        self.peaks.append(node)
        self.size = after


class Subtrees(NamedTuple):
    """Some leaves of a tree, hashed as far as that can be done without the leaves before them.

    `start`: index of the first leaf. `pieces`: (level, hash) of the complete subtrees that cover
    the leaves, as large as can be, from left to right. `nodes`: (level, index, hash) of all
    complete subtrees among them of level 8 or more.
    """

    start: int
    pieces: list[tuple[int, bytes]]
    nodes: list[tuple[int, int, bytes]]


def subtrees(ids: Sequence[bytes], start: int) -> Subtrees:
    """Hashes the leaves start, start + 1, …, which hold these 32-byte event ids."""
    if len(ids) == 1:
        return Subtrees(start, [(0, leaf_hash(ids[0]))], [])
    if native is not None:
        found = native.subtrees(joined_ids(ids), start, KEPT_LEVEL)
        if found is not None:
            return Subtrees(start, *found)
    return subtrees_in_python(ids, start)


def subtrees_in_python(ids: Sequence[bytes], start: int) -> Subtrees:
    """As `subtrees`, without the native part."""
    left: list[tuple[int, bytes]] = []  # pieces on the left edge, smallest first
    right: list[tuple[int, bytes]] = []  # and on the right edge, smallest first
    nodes: list[tuple[int, int, bytes]] = []
    level, index = 0, start
    sha256 = _sha256()
    hashes: list[bytes] = [_leaf_sha256(b"\0" + event_id).digest() for event_id in ids]
    while hashes:
        if level >= KEPT_LEVEL:
            nodes += [(level, index + offset, node) for offset, node in enumerate(hashes)]
        if index & 1:
            left.append((level, hashes[0]))
            hashes = hashes[1:]
            index += 1
        if len(hashes) & 1:
            right.append((level, hashes.pop()))
        pairs = iter(hashes)
        hashes = [
            sha256(b"\1" + one + other).digest() for one, other in zip(pairs, pairs, strict=True)
        ]
        level, index = level + 1, index >> 1
    return Subtrees(start, left + right[::-1], nodes)


def first_wrong_root(
    frontier: Frontier,
    joined_ids: bytes,
    counts: Sequence[int],
    roots: bytes,
    on_node: NodeSink | None = None,
) -> int | None:
    """Appends ids to a tree, some at a time: the first time that its root is not as said, or None.

    `joined_ids`: one after another; `counts`: how many come each time; `roots`: 32 bytes each. The
    frontier is moved, and `on_node` told, as by `Frontier.extend`; about 1 us a root, 6 without
    the native part.
    """
    if native is not None and on_node is None:
        found = native.first_wrong_root(frontier.size, frontier.peaks, joined_ids, counts, roots)
        if found is not None:
            wrong, frontier.size, frontier.peaks = found
            return wrong
    return first_wrong_root_in_python(frontier, joined_ids, counts, roots, on_node)


def first_wrong_root_in_python(
    frontier: Frontier,
    joined_ids: bytes,
    counts: Sequence[int],
    roots: bytes,
    on_node: NodeSink | None = None,
) -> int | None:
    """As `first_wrong_root`, without the native part."""
    peaks, size = frontier.peaks, frontier.size
    leaf_sha256, sha256 = _leaf_sha256, _sha256()
    start = 0
    for number, count in enumerate(counts):
        stop = start + 32 * count
        for place in range(start, stop, 32):
            node = leaf_sha256(b"\0" + joined_ids[place : place + 32]).digest()
            level, index = 0, size
            while index & 1:
                node = sha256(b"\1" + peaks.pop() + node).digest()
                level, index = level + 1, index >> 1
                if on_node is not None and level >= KEPT_LEVEL:
                    on_node(level, index, node)
            peaks.append(node)
            size += 1
        start = stop
        frontier.size = size
        root = peaks[-1] if peaks else EMPTY_ROOT
        for peak in peaks[-2::-1]:
            root = sha256(b"\1" + peak + root).digest()
        if root != roots[32 * number : 32 * number + 32]:
            return number
    return None


def range_hash(start: int, stop: int, subtree: Subtree) -> bytes:
    """RFC 6962 hash over the leaves start..stop-1, where `start` is aligned as in any tree.

    Aligned: a multiple of the smallest power of two that is at least stop - start, as every
    subtree of a tree is.
    """
    if start == stop:
        return EMPTY_ROOT
    peaks = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        peaks.append(subtree(level, start >> level))
        start += 1 << level
    return _fold(peaks)


def _split(size: int) -> int:
    """The largest power of two below `size` (which is at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962, 2.1.1: the hashes that lead from leaf `index` to the root of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    proof = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(range_hash(middle, stop, subtree))
            stop = middle
        else:
            proof.append(range_hash(start, middle, subtree))
            start = middle
    return proof[::-1]


def consistency_proof(old_size: int, new_size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962, 2.1.2: the hashes that show the first `old_size` leaves to be a prefix."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} has no prefix of {old_size}")
    if old_size in (0, new_size):
        return []
    proof = []
    start, stop = 0, new_size
    whole = True  # has the old tree been, so far, the leftmost part of what is looked at?
    while old_size != stop:
        middle = start + _split(stop - start)
        if old_size <= middle:
            proof.append(range_hash(middle, stop, subtree))
            stop = middle
        else:
            proof.append(range_hash(start, middle, subtree))
            start = middle
            whole = False
    if not whole:
        proof.append(range_hash(start, stop, subtree))
    return proof[::-1]


def verify_inclusion(
    event_id: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Does `proof` show that the log of `size` events with this root has the id at `index`?"""
    if not 0 <= index < size:
        return False
    computed = leaf_hash(event_id)
    last = size - 1  # node numbers on the level looked at: of the leaf's ancestor, of the last one
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            computed = node_hash(sibling, computed)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        index >>= 1
        last >>= 1
    return last == 0 and computed == root


def verify_consistency(
    old_size: int,
    new_size: int,
    old_root: bytes,
    new_root: bytes,
    proof: Sequence[bytes],
) -> bool:
    """Does `proof` show that the log with `new_root` begins with the log with `old_root`?

    The empty log is a prefix of every log, with an empty proof.
    """
    if old_size == 0:
        return new_size >= 0 and not proof and old_root == EMPTY_ROOT
    if old_size == new_size:
        return not proof and old_root == new_root
    if not 0 < old_size < new_size:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # a complete subtree: its hash is the root already known
        path.insert(0, old_root)
    if not path:
        return False
    index, last = old_size - 1, new_size - 1
    while index & 1:
        index >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        index >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root
