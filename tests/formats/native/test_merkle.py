"""The log's tree in C, held against its twins in Python and against RFC 6962 by the word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from evgit.formats.hashing import JoinedIds
from evgit.formats.merkle import (
    EMPTY_ROOT,
    KEPT_LEVEL,
    Frontier,
    Subtrees,
    first_wrong_root,
    first_wrong_root_in_python,
    leaf_hash,
    node_hash,
    subtrees,
    subtrees_in_python,
)
from evgit.formats.native import native

IDS = [hashlib.sha256(str(number).encode()).digest() for number in range(2100)]


def naive_root(ids: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(ids) < 2:
        return hashlib.sha256(b"\0" + ids[0] if ids else b"").digest()
    k = 1 << (len(ids) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + naive_root(ids[:k]) + naive_root(ids[k:])).digest()


def frontier_of(size: int) -> Frontier:
    """Of the first ids, made without the native part."""
    frontier = Frontier()
    frontier.add(subtrees_in_python(IDS[:size], 0))
    return frontier


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_hashes_of_leaves_and_nodes_of_any_length(left: bytes, right: bytes) -> None:
    assert leaf_hash(left) == hashlib.sha256(b"\0" + left).digest()
    assert node_hash(left, right) == hashlib.sha256(b"\1" + left + right).digest()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_hashes_of_leaves_and_nodes_of_32_bytes(left: bytes, right: bytes) -> None:
    assert leaf_hash(left) == hashlib.sha256(b"\0" + left).digest()
    assert node_hash(left, right) == hashlib.sha256(b"\1" + left + right).digest()


STARTS = st.one_of(
    st.integers(0, 3000),
    st.integers(0, 2**62 - 3000),
    st.builds(lambda n: 2**n - 1, st.integers(1, 61)),
)


@given(count=st.integers(0, 1100), start=STARTS)
def test_subtrees_are_those_of_python(count: int, start: int) -> None:
    expected = subtrees_in_python(IDS[:count], start)
    assert subtrees(IDS[:count], start) == expected
    assert subtrees(JoinedIds(b"".join(IDS[:count])), start) == expected


@pytest.mark.parametrize("start", [2**62 - 10, 2**62, 2**63 - 2, 2**64 + 5])
def test_a_start_beyond_every_log_is_left_to_python(start: int) -> None:
    assert subtrees(IDS[:300], start) == subtrees_in_python(IDS[:300], start)


def test_every_level_can_be_asked_for() -> None:
    found = subtrees_in_python(IDS[:700], 3)
    everything = (
        native.subtrees(b"".join(IDS[:700]), 3, 0) if native else (found.pieces, found.nodes)
    )
    assert everything is not None
    pieces, nodes = everything
    assert pieces == found.pieces
    assert [node for node in nodes if node[0] >= KEPT_LEVEL] == found.nodes


@given(sizes=st.lists(st.integers(0, 300), max_size=7))
def test_a_log_that_grows_has_the_root_of_rfc_6962(sizes: list[int]) -> None:
    frontier = Frontier()
    for count in sizes:
        frontier.extend(IDS[frontier.size : frontier.size + count])
        assert frontier.root() == naive_root(IDS[: frontier.size])


@given(
    before=st.integers(0, 300),
    counts=st.lists(st.integers(0, 40), max_size=20),
    wrong=st.integers(0, 30),
    told=st.booleans(),
)
def test_the_first_wrong_root_is_found(
    before: int, counts: list[int], wrong: int, told: bool
) -> None:
    size, roots = before, []
    for count in counts:
        size += count
        roots.append(naive_root(IDS[:size]))
    if wrong < len(roots):
        roots[wrong] = bytes(32)
    arguments = b"".join(IDS[before:size]), counts, b"".join(roots)
    frontier, twin = frontier_of(before), frontier_of(before)
    nodes: list[tuple[int, int, bytes]] = []
    on_node = (lambda *node: nodes.append(node)) if told else None
    found = first_wrong_root(frontier, *arguments, on_node)
    assert found == first_wrong_root_in_python(twin, *arguments)
    assert found == (wrong if wrong < len(roots) else None)
    assert (frontier.size, frontier.peaks) == (twin.size, twin.peaks)


@pytest.mark.parametrize(
    ("ids", "counts", "roots"),
    [
        (b"", [1], bytes(32)),
        (bytes(64), [1, 2], bytes(64)),
        (bytes(64), [-1], bytes(32)),
        (bytes(64), [2**70], bytes(32)),
        (bytes(64), [1, 1], bytes(63)),
        (bytes(64), ["1"], bytes(32)),
    ],
)
def test_what_does_not_fit_together_is_left_to_python(
    ids: bytes, counts: list[int], roots: bytes
) -> None:
    if native is not None:
        assert native.first_wrong_root(0, [], ids, counts, roots) is None


def test_peaks_that_no_tree_has_are_left_to_python() -> None:
    if native is None:
        return
    for size, peaks in (
        (0, [b""]),
        (1, []),
        (1, [b"short"]),
        (3, [bytes(32)]),
        (-1, []),
        (2**63, []),
    ):
        assert native.root(size, peaks) is None
        assert native.first_wrong_root(size, peaks, b"", [], b"") is None
    assert native.root(1, ["text"]) is None  # type: ignore[list-item]
    assert native.root(0, []) == EMPTY_ROOT
    assert native.subtrees(bytes(33), 0, KEPT_LEVEL) is None
    assert native.subtrees(b"", 5, KEPT_LEVEL) == ([], [])
    assert subtrees(JoinedIds(b""), 5) == Subtrees(5, [], [])
