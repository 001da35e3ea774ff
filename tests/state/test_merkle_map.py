"""The Merkle map against a dict: same content, same root, whatever happened before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blake3 import blake3
from hypothesis import given, strategies as st

from evgit.formats import canonical
from evgit.state.forest import Forest
from evgit.state.merkle_map import EMPTY_ROOT, MerkleMap
from evgit.state.merkle_node import (
    LARGE_DOCUMENT,
    Node,
    Reader,
    key_of,
    keys_of,
    path_of,
    references,
)
from evgit.storage.cache import Cache

PATHS = st.one_of(
    st.integers(0, 400).map(lambda n: f"streams/account-{n:07d}.json"),
    st.text(st.characters(codec="utf-8"), min_size=0, max_size=6),
)
DOCUMENTS = st.one_of(
    st.integers(0, 5).map(lambda n: b'{"n":%d}' % n),
    st.sampled_from([b"1", b'"text"', b"[]", b'"' + b"x" * (LARGE_DOCUMENT + 1) + b'"']),
)
CONTENT = st.dictionaries(PATHS, DOCUMENTS, max_size=120)


def nothing(digest: bytes) -> None:
    return None


def build(content: Mapping[str, bytes]) -> MerkleMap:
    return MerkleMap(Reader(nothing)).update(content)


def text(tree: MerkleMap, digest: bytes) -> bytes:
    found = tree.fresh[digest]
    return found.text if isinstance(found, Node) else found


def numbered(count: int) -> dict[str, bytes]:
    return {
        f"streams/account-{n:07d}.json": canonical.encode({"n": n, "pad": "x" * 180})
        for n in range(count)
    }


def test_the_format_of_a_leaf() -> None:
    tree = build({"b": b"[1,2]", 'a"\n': b'{"x":1}'})
    expected = b'"a\\"\\n"\n{"x":1}\n"b"\n[1,2]\n'
    assert text(tree, tree.root) == expected
    assert tree.root == blake3(expected).digest()


def test_a_large_document_is_a_node_of_its_own() -> None:
    document = b'"' + b"y" * LARGE_DOCUMENT + b'"'
    tree = build({"a": document})
    digest = blake3(document).digest()
    assert text(tree, tree.root) == b'"a"\n#' + digest.hex().encode() + b"\n"
    assert tree.fresh[digest] == document
    assert tree.get("a") == document
    assert list(references(text(tree, tree.root))) == [digest]
    assert list(references(document)) == []


def test_the_empty_map() -> None:
    tree = build({})
    assert tree.root == EMPTY_ROOT
    assert tree.root.hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert len(tree) == 0
    assert tree.get("a") is None
    assert list(tree.items()) == []


def test_golden_root() -> None:
    tree = build(numbered(2000))
    top = Node.parse(text(tree, tree.root))
    assert tree.root.hex() == "75856e6ab67afdb59a05554af4b4f5a93bfa6bd662907d8dc3cfd6ef8819edb0"
    assert top.level == 2
    assert text(tree, tree.root).startswith(b'2\n"streams/account-')
    assert len(tree) == 2000


@given(CONTENT)
def test_it_holds_what_was_put_in(content: dict[str, bytes]) -> None:
    tree = build(content)
    assert dict(tree.items()) == tree.everything() == content
    assert keys_of(content) == list(map(key_of, content))
    assert [key_of(p) for p, _ in tree.items()] == sorted(map(key_of, content))
    assert len(tree) == len(content)
    for path in [*content, "streams/account-0000003.json", "zz"]:
        assert tree.get(path) == content.get(path)


@given(CONTENT, st.lists(PATHS, max_size=30))
def test_several_documents_are_those_that_are_there(
    content: dict[str, bytes], others: list[str]
) -> None:
    asked = [*others, *list(content)[::2]]
    expected = {path: content.get(path) for path in asked}
    tree, cache = build(content), Cache(None)
    tree.flushed(cache.add_nodes)
    stored = MerkleMap(Reader(cache.node, cache.nodes), tree.root)
    for each in (tree, stored, Forest({"": tree}), Forest({"": stored})):
        assert each.several(asked) == expected


@given(CONTENT, st.lists(st.dictionaries(PATHS, st.none() | DOCUMENTS, max_size=60), max_size=6))
def test_history_leaves_no_trace(
    start: dict[str, bytes], updates: list[dict[str, bytes | None]]
) -> None:
    tree, content = build(start), dict(start)
    for changes in updates:
        before, was = tree, dict(content)
        tree = tree.update(changes)
        for path, document in changes.items():
            if document is None:
                content.pop(path, None)
            else:
                content[path] = document
        assert dict(before.items()) == was
    assert tree.root == build(content).root
    assert dict(tree.items()) == content
    # Removing all but one, then all, comes back to the same roots too.
    keep = min(content, default=None)
    left = tree.update(dict.fromkeys((p for p in content if p != keep), None))
    assert left.root == build({p: d for p, d in content.items() if p == keep}).root
    assert left.update(dict.fromkeys(content, None)).root == EMPTY_ROOT


@given(
    CONTENT,
    st.dictionaries(PATHS, st.none() | DOCUMENTS | PATHS.map(canonical.encode), max_size=60),
    st.integers(0, 1500),
)
def test_changes_made_of_old_documents_are_asked_for_once(
    content: dict[str, bytes], changes: dict[str, bytes | None], more: int
) -> None:
    """Also where a document reads like a key, and where all changes are of documents that stay."""
    content |= {f"more/{number}": canonical.encode(f"more/{number + 1}") for number in range(more)}
    changes |= dict.fromkeys(list(content)[:: max(1, more // 100)], b'{"new":1}')
    cache = Cache(None)
    tree = MerkleMap(Reader(cache.node, cache.nodes)).update(content).flushed(cache.add_nodes)
    given: list[tuple[str, bytes | None]] = []

    def change_of(path: str) -> Callable[[bytes | None], bytes | None]:
        def change(before: bytes | None) -> bytes | None:
            given.append((path, before))
            return changes[path]

        return change

    changed = MerkleMap(Reader(cache.node, cache.nodes), tree.root, {}).update(
        {path: change_of(path) for path in changes}
    )
    assert sorted(given) == sorted((path, content.get(path)) for path in changes)
    expected = {path: text for path, text in (content | changes).items() if text is not None}
    assert changed.everything() == expected
    assert changed.root == tree.update(changes).root
    assert changed.root == build(expected).root


@given(CONTENT, CONTENT, PATHS, st.booleans())
def test_diff_is_what_dicts_differ_in(
    a: dict[str, bytes], b: dict[str, bytes], cut: str, share: bool
) -> None:
    if share:
        b = {**a, **b}
    prefix, after = cut[:9], cut if len(cut) > 9 else None
    low = key_of(after) if after is not None else None
    expected = [
        (p, a.get(p), b.get(p))
        for p in sorted(a.keys() | b.keys(), key=key_of)
        if a.get(p) != b.get(p)
    ]
    left, right = build(a), build(b)
    assert list(left.diff(right)) == expected
    assert list(left.diff(right, prefix, after)) == [
        e for e in expected if e[0].startswith(prefix) and (low is None or key_of(e[0]) > low)
    ]
    assert list(left.items(prefix, after)) == [
        (p, a[p])
        for p in sorted(a, key=key_of)
        if p.startswith(prefix) and (low is None or key_of(p) > low)
    ]


def test_an_update_copies_only_what_it_touches() -> None:
    stored: dict[bytes, bytes] = {}
    tree = build(numbered(5000)).flushed(stored.update)
    read: list[bytes] = []

    def load(digest: bytes) -> bytes | None:
        read.append(digest)
        return stored.get(digest)

    tree = MerkleMap(Reader(load), tree.root, {})
    changed = tree.update({"streams/account-0002500.json": b"{}"})
    assert len(changed.fresh) <= 4
    assert len(read) <= 4
    read.clear()
    assert len(list(tree.diff(changed))) == 1
    assert len(read) == 0


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_keys_are_canonical_strings_and_come_back(path: str) -> None:
    assert b'"' + key_of(path) + b'"' == canonical.encode(path)
    assert path_of(key_of(path)) == path


def root_as_documented(content: Mapping[str, bytes]) -> bytes:
    """docs/decisions/merkle-map.md, read by somebody who does not know the program."""

    def ends(key: bytes, level: int) -> bool:
        digest = blake3(key).digest()
        bits = int.from_bytes(digest[:8], "little")
        return digest[0] % 16 == 0 and (bits >> 4) % 32**level == 0

    def line(document: bytes) -> bytes:
        large = len(document) > 2048
        return b"#" + blake3(document).hexdigest().encode() if large else document

    items = sorted((canonical.encode(path)[1:-1], line(d), 1) for path, d in content.items())
    level = 0
    while True:
        nodes: list[list[tuple[bytes, bytes, int]]] = [[]]
        for item in items:
            nodes[-1].append(item)
            if ends(item[0], level):
                nodes.append([])
        if not nodes[-1] and len(nodes) > 1:
            nodes.pop()
        items = []
        for node in nodes:
            text = b"%d\n" % level if level else b""
            for key, value, count in node:
                text += b'"' + key + b'"\n' + value + (b" %d" % count if level else b"") + b"\n"
            digest = blake3(text)
            last = node[-1][0] if node else b""
            items.append((last, digest.hexdigest().encode(), sum(n for _, _, n in node)))
        if len(nodes) == 1:
            return digest.digest()
        level += 1


@given(CONTENT, st.integers(0, 1500))
def test_the_format_is_the_documented_one(content: dict[str, bytes], more: int) -> None:
    content |= {f"more/{n}": b"%d" % n for n in range(more)}
    assert build(content).root == root_as_documented(content)
