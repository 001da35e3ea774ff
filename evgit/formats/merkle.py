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
from hashlib import sha256

Subtree = Callable[[int, int], bytes]
"""(level, index) -> hash of that complete subtree."""

NodeSink = Callable[[int, int, bytes], object]
"""Called as (level, index, hash) for a subtree that has just become complete."""

EMPTY_ROOT = sha256(b"").digest()
"""Root of the log without events."""

KEPT_LEVEL = 8
"""Subtrees from this level up are reported by `Frontier.extend`, to be kept for proofs."""


def leaf_hash(event_id: bytes) -> bytes:
    """Hash of the leaf that holds this 32-byte event id."""
    return sha256(b"\0" + event_id).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Root over peaks, largest first: each smaller one is the right child of the one before."""
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
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
        return _fold(self.peaks) if self.peaks else EMPTY_ROOT

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

    def _append(self, node: bytes, on_node: NodeSink | None) -> None:
        """Appends one leaf hash: like adding one to a binary number, peak by peak."""
        level, size = 0, self.size
        while size >> level & 1:
            node = node_hash(self.peaks.pop(), node)
            level += 1
            if on_node is not None and level >= KEPT_LEVEL:
                on_node(level, size >> level, node)
        self.peaks.append(node)
        self.size = size + 1

    def extend(self, ids: Sequence[bytes], on_node: NodeSink | None = None) -> None:
        """Appends 32-byte event ids, one tree level at a time (0.8 us an id).

        `on_node` is told every subtree of level 8 or more that becomes complete, lower levels
        first.
        """
        if len(ids) <= 1:
            for event_id in ids:
                self._append(leaf_hash(event_id), on_node)
            return
        old, new = self.size, self.size + len(ids)
        rest = self.peaks
        peaks: list[bytes] = []  # smallest first
        level = 0
        hashes = [sha256(b"\0" + event_id).digest() for event_id in ids]
        while hashes or rest:
            # `hashes` are the nodes of this level that are new; the peak left of them joins in.
            if old >> level & 1:
                hashes = [rest[-1], *hashes]
                rest = rest[:-1]
                first_is_old = True
            else:
                first_is_old = False
            if on_node is not None and level >= KEPT_LEVEL:
                index = (new >> level) - len(hashes)
                for offset in range(first_is_old, len(hashes)):
                    on_node(level, index + offset, hashes[offset])
            if len(hashes) & 1:
                peaks.append(hashes.pop())
            pairs = iter(hashes)
            hashes = [
                sha256(b"\1" + left + right).digest()
                for left, right in zip(pairs, pairs, strict=True)
            ]
            level += 1
        self.size = new
        self.peaks = peaks[::-1]


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
