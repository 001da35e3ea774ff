"""Merkle trees against RFC 6962's own recursive definitions, and proofs that must not be forged."""

from __future__ import annotations

import hashlib
import os
from functools import cache

import pytest
from hypothesis import given, strategies as st

from evgit.formats.merkle import (
    EMPTY_ROOT,
    KEPT_LEVEL,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_hash,
    verify_consistency,
    verify_inclusion,
)

IDS = [hashlib.sha256(str(number).encode()).digest() for number in range(2100)]
OTHER_ID = b"\xff" * 32


@cache
def naive_root(start: int, stop: int) -> bytes:
    """MTH of RFC 6962, section 2.1, over IDS[start:stop]."""
    if start == stop:
        return hashlib.sha256(b"").digest()
    if stop - start == 1:
        return hashlib.sha256(b"\0" + IDS[start]).digest()
    k = 1
    while k * 2 < stop - start:
        k *= 2
    left, right = naive_root(start, start + k), naive_root(start + k, stop)
    return hashlib.sha256(b"\1" + left + right).digest()


def naive_path(m: int, start: int, stop: int) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if stop - start == 1:
        return []
    k = 1
    while k * 2 < stop - start:
        k *= 2
    if m < k:
        return [*naive_path(m, start, start + k), naive_root(start + k, stop)]
    return [*naive_path(m - k, start + k, stop), naive_root(start, start + k)]


def naive_subproof(m: int, start: int, stop: int, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if m == stop - start:
        return [] if whole else [naive_root(start, stop)]
    k = 1
    while k * 2 < stop - start:
        k *= 2
    if m <= k:
        return [*naive_subproof(m, start, start + k, whole), naive_root(start + k, stop)]
    return [*naive_subproof(m - k, start + k, stop, False), naive_root(start, start + k)]


def subtree(level: int, index: int) -> bytes:
    return naive_root(index << level, (index + 1) << level)


def test_golden_roots() -> None:
    """Roots over 32-byte ids 00…00, 01…01, and so on, spelled out."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expected = {
        1: "7f9c9e31ac8256ca2f258583df262dbc7d6f68f2a03043d5c99a4ae5a7396ce9",
        2: "28fb81e496897e0ce886f08602392e9239b65c659041e5202163e58ad898f444",
        3: "ba8d94b7fbcecae7b81c4c80574fe24734a6917bf9c1ecd66ff3e0c34ead4620",
        7: "7318881c41fce3c1de3640df8e8c110c93f43f686b74204a9d1ad5b8c71c2047",
    }
    for size, root in expected.items():
        frontier = Frontier()
        frontier.extend([bytes([number]) * 32 for number in range(size)])
        assert frontier.root().hex() == root
    assert leaf_hash(b"\0" * 32) == hashlib.sha256(b"\0" * 33).digest()
    assert node_hash(b"l", b"r") == hashlib.sha256(b"\1lr").digest()


@given(st.lists(st.integers(0, 700), max_size=5))
def test_extending_in_batches(batches: list[int]) -> None:
    frontier = Frontier()
    told: dict[tuple[int, int], bytes] = {}
    for count in batches:
        start = frontier.size
        if start + count > len(IDS):
            break

        def note(level: int, index: int, node: bytes) -> None:
            assert (level, index) not in told
            told[level, index] = node

        before = frontier.copy()
        frontier.extend(IDS[start : start + count], note)
        assert before.root() == naive_root(0, start)
        assert frontier.size == start + count
        assert frontier.root() == naive_root(0, frontier.size)
        restored = Frontier.from_bytes(frontier.size, frontier.to_bytes())
        assert restored.peaks == frontier.peaks
    assert told == {
        (level, index): subtree(level, index)
        for level in range(KEPT_LEVEL, 12)
        for index in range(frontier.size >> level)
    }


def test_a_large_tree_in_one_batch_tells_every_kept_node() -> None:
    told = []
    frontier = Frontier()
    frontier.extend(IDS[:300], lambda level, index, node: told.append((level, index)))
    frontier.extend(IDS[300:2100], lambda level, index, node: told.append((level, index)))
    assert frontier.root() == naive_root(0, 2100)
    assert sorted(told) == [
        *((8, index) for index in range(8)),
        *((9, index) for index in range(4)),
        (10, 0),
        (10, 1),
        (11, 0),
    ]


def test_a_frontier_must_fit_its_size() -> None:
    with pytest.raises(ValueError, match="3 leaves"):
        Frontier(3, [b"\0" * 32])
    with pytest.raises(ValueError, match="3 leaves"):
        Frontier.from_bytes(3, b"\0" * 32)
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier.from_bytes(1, b"\0" * 33)


def test_ranges() -> None:
    assert range_hash(5, 5, subtree) == EMPTY_ROOT
    for size in range(1, 40):
        assert range_hash(0, size, subtree) == naive_root(0, size)
        assert range_hash(64, 64 + size, subtree) == naive_root(64, 64 + size)


def test_inclusion_proofs_as_the_rfc_defines_them() -> None:
    for size in range(1, 34):
        root = naive_root(0, size)
        for index in range(size):
            proof = inclusion_proof(index, size, subtree)
            assert proof == naive_path(index, 0, size)
            assert verify_inclusion(IDS[index], index, size, proof, root)


def test_consistency_proofs_as_the_rfc_defines_them() -> None:
    for new in range(34):
        for old in range(new + 1):
            proof = consistency_proof(old, new, subtree)
            assert proof == ([] if old == 0 else naive_subproof(old, 0, new, True))
            assert verify_consistency(old, new, naive_root(0, old), naive_root(0, new), proof)


def test_impossible_proofs_are_not_made() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(index, size, subtree)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no prefix"):
            consistency_proof(old, new, subtree)


def forged(proof: list[bytes]) -> list[list[bytes]]:
    """Proofs near a right one: one hash changed, left out, doubled, or one too many."""
    found = [[*proof, OTHER_ID], [OTHER_ID, *proof], proof[1:], proof[:-1]]
    for place in range(len(proof)):
        found.append([*proof[:place], OTHER_ID, *proof[place + 1 :]])
        found.append([*proof[:place], proof[place], *proof[place:]])
    return [each for each in found if each != proof]


@given(st.integers(1, 70), st.data())
def test_forged_inclusion_proofs_are_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = naive_root(0, size)
    proof = naive_path(index, 0, size)
    for other in forged(proof):
        assert not verify_inclusion(IDS[index], index, size, other, root)
    assert not verify_inclusion(OTHER_ID, index, size, proof, root)
    assert not verify_inclusion(IDS[index], index, size, proof, OTHER_ID)
    for other_index in {-1, size, *range(size)} - {index}:
        assert not verify_inclusion(IDS[index], other_index, size, proof, root)


@given(st.integers(1, 70), st.data())
def test_forged_consistency_proofs_are_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    proof = [] if old == 0 else naive_subproof(old, 0, new, True)
    old_root, new_root = naive_root(0, old), naive_root(0, new)
    for other in forged(proof):
        assert not verify_consistency(old, new, old_root, new_root, other)
    assert not verify_consistency(old, new, OTHER_ID, new_root, proof)
    assert old == 0 or not verify_consistency(old, new, old_root, OTHER_ID, proof)
    assert not verify_consistency(new + 1, new, old_root, new_root, proof)
    for other_old in set(range(1, new + 1)) - {old}:
        assert not verify_consistency(other_old, new, old_root, new_root, proof)


def test_random_ids_at_the_sizes_around_powers_of_two() -> None:
    ids = [os.urandom(32) for _ in range(1026)]
    for size in (255, 256, 257, 511, 512, 513, 1023, 1024, 1025):
        one_by_one, at_once = Frontier(), Frontier()
        for event_id in ids[:size]:
            one_by_one.extend([event_id])
        at_once.extend(ids[:size])
        assert one_by_one.peaks == at_once.peaks
