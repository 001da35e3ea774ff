"""An immutable map from document path to canonical JSON, as a tree of hashed nodes.

Equal maps have equal roots however they came to be, a diff costs in proportion to what differs, an
update copies only what it touches. docs/decisions/merkle-map.md gives the format of a node to the
byte. Documents are opaque bytes here; where nodes are kept is the reader's business.
"""

from __future__ import annotations

from binascii import unhexlify
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from evgit.formats.hashing import blake3_digest
from evgit.state.merkle_level import LevelWalk
from evgit.state.merkle_node import (
    LARGE_DOCUMENT,
    Item,
    Node,
    Reader,
    key_of,
    keys_of,
    path_of,
    rank,
)

EMPTY_ROOT = blake3_digest(b"")

_PREPARED = 32  # nodes that are looked for at once where all documents are wanted
_TAKEN_APART = 256  # leaves whose lines are handled together
_key_of_edit = itemgetter(0)

Change: TypeAlias = "bytes | Callable[[bytes | None], bytes | None] | None"
"""A new document, None to remove it, or what makes the new document from the old one."""
Edits: TypeAlias = "tuple[list[bytes], list[Change]]"
"""Keys in order, and what becomes of the lines beside them."""
Fresh: TypeAlias = "dict[bytes, Node | bytes]"
"""Hash -> node, or large document, that no cache has yet."""


class _Range(NamedTuple):
    """A subtree met by a diff: its keys are in (low, high]; high is None for the rightmost."""

    low: bytes
    high: bytes | None
    digest: bytes


class MerkleMap:
    """One map. `fresh` holds the nodes that no cache has yet."""

    __slots__ = ("_count", "fresh", "reader", "root")

    def __init__(
        self, reader: Reader, root: bytes = EMPTY_ROOT, fresh: Fresh | None = None
    ) -> None:
        self.reader = reader
        self.root = root
        self.fresh: Fresh = {EMPTY_ROOT: Node.of(0, [])} if fresh is None else fresh
        self._count: int | None = None

    def node(self, digest: bytes) -> Node:
        """One of its nodes. Raises NodeMissing."""
        node = self.fresh.get(digest)
        return node if isinstance(node, Node) else self.reader.node(digest)

    def __len__(self) -> int:
        if self._count is None:
            self._count = self.node(self.root).count
        return self._count

    # ------------------------------------------------------------------ reading

    def get(self, path: str) -> bytes | None:
        """The document at `path`, None if there is none."""
        key = key_of(path)
        node = self.node(self.root)
        while node.level:
            place = bisect_left(node.keys, key)
            if place == len(node.keys):
                return None
            node = self.node(unhexlify(node.values[place][:64]))
        place = bisect_left(node.keys, key)
        if place == len(node.keys) or node.keys[place] != key:
            return None
        return self._document(node.values[place])

    def several(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        """What `get` gives for each of these paths, with nodes read together. Raises
        NodeMissing."""
        found: dict[str, bytes | None] = dict.fromkeys(paths)
        asked = {self.root: [(key_of(path), path) for path in found]}
        while asked:
            digests = list(asked)
            for start in range(0, len(digests), _PREPARED):
                part = digests[start : start + _PREPARED]
                self.reader.prepare([digest for digest in part if digest not in self.fresh])
            below: dict[bytes, list[tuple[bytes, str]]] = {}
            for digest, wanted in asked.items():
                node = self.node(digest)
                keys, values, is_leaf = node.keys, node.values, not node.level
                for each in wanted:
                    place = bisect_left(keys, each[0])
                    if place == len(keys):
                        continue
                    if not is_leaf:
                        below.setdefault(unhexlify(values[place][:64]), []).append(each)
                    elif keys[place] == each[0]:
                        found[each[1]] = self._document(values[place])
            asked = below
        return found

    def _document(self, line: bytes) -> bytes:
        if line[0] != 0x23:
            return line
        digest = unhexlify(line[1:])
        text = self.fresh.get(digest)
        return text if isinstance(text, bytes) else self.reader.text(digest)

    def items(self, prefix: str = "", after: str | None = None) -> Iterator[tuple[str, bytes]]:
        """(path, document) in key order, of paths that begin with `prefix` and come after
        `after`. Raises NodeMissing."""
        begin = key_of(prefix)
        low = begin if after is None else max(begin, key_of(after) + b"\0")
        for key, line in self._lines(self.root, low):
            if not key.startswith(begin):
                return
            yield path_of(key), self._document(line)

    def everything(self) -> dict[str, bytes]:
        """Path -> document of all of them: `items`, at a lower price. Raises NodeMissing."""
        # What is done for the lines of many leaves at once costs half of what it costs one by one.
        leaves = self._leaves(self.root, b"")
        found: dict[str, bytes] = {}
        while texts := [leaf.text for leaf in islice(leaves, _TAKEN_APART)]:
            text = b"".join(texts)
            lines = text.split(b"\n")
            names, values = lines[0:-1:2], lines[1::2]
            if b"\n#" in text:
                values = list(map(self._document, values))
            if b"\\" in text:
                paths = [path_of(name[1:-1]) for name in names]
            else:  # line breaks stand between lines only
                paths = b"\n".join(names).decode()[1:-1].split('"\n"') if names else []
            found.update(zip(paths, values, strict=True))
        return found

    def _lines(self, digest: bytes, low: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(key, value line) below a node, from `low` on."""
        for leaf in self._leaves(digest, low):
            first = bisect_left(leaf.keys, low) if low else 0
            yield from zip(leaf.keys[first:], leaf.values[first:], strict=True)

    def _leaves(self, digest: bytes, low: bytes) -> Iterator[Node]:
        """The leaves below a node, from the one that may hold `low` on."""
        node = self.node(digest)
        if node.level == 0:
            yield node
            return
        first = bisect_left(node.keys, low) if low else 0
        below = [unhexlify(line[:64]) for line in node.values[first:]]
        for start in range(0, len(below), _PREPARED):
            part = below[start : start + _PREPARED]
            if len(part) > 1:
                self.reader.prepare([each for each in part if each not in self.fresh])
            if node.level == 1:
                yield from map(self.node, part)
                continue
            for each in part:
                yield from self._leaves(each, low)

    # ------------------------------------------------------------------ updating

    def update(self, changes: Mapping[str, Change]) -> MerkleMap:
        """The map with these documents changed. Raises NodeMissing."""
        fresh = dict(self.fresh)
        keys, lines = keys_of(changes), list(changes.values())
        if keys != sorted(keys):
            wanted = sorted(zip(keys, lines, strict=True), key=_key_of_edit)
            keys, lines = [key for key, _ in wanted], [line for _, line in wanted]
        edits = self._edit_level(0, (keys, lines), fresh)
        top = self.node(self.root).level
        for level in range(1, top + 1):
            edits = self._edit_level(level, edits, fresh)
        if not edits[0]:
            return self
        return MerkleMap(self.reader, _grow(top + 1, edits, fresh, self.reader), fresh)

    def _edit_level(self, level: int, edits: Edits, fresh: Fresh) -> Edits:
        """Apply edits to the nodes of one level; what that changes in the level above.

        At level 0 documents are changed, above it the lines that name nodes.

        A node that loses the key that ended it runs on into the next one, which is why what
        remains after the last boundary is carried there.
        """
        above: dict[bytes, Change] = {}
        carry: list[Item] = []
        place, after = 0, b""
        keys, every = edits
        node_at = LevelWalk(self, level, keys).node_at
        while place < len(keys) or carry:
            digest, node, high, rightmost = node_at(after + b"\0" if carry else keys[place])
            stop = len(keys) if rightmost else bisect_right(keys, high, lo=place)
            changed, lines = keys[place:stop], every[place:stop]
            place, after = stop, high
            text = None if carry else self._with_lines(node, changed, lines, fresh)
            if text is not None:
                if text != node.text:
                    fresh.pop(digest, None)
                    above[high] = _keep(Node(level, text), fresh)
                continue
            items: Any = dict(zip(node.keys, node.values, strict=True))
            items.update(zip(changed, self._new_lines(node, changed, lines, fresh), strict=True))
            kept = [(key, line) for key, line in items.items() if line is not None]
            pieces, carry = _cut(level, carry + sorted(kept), node.keys, rightmost)
            nodes = [Node.of(level, piece) for piece in pieces]
            if len(nodes) == 1 and nodes[0].text == node.text:
                continue
            fresh.pop(digest, None)
            if node.keys:
                above[high] = None
            for each in nodes:
                above[each.keys[-1]] = _keep(each, fresh)
        ordered = sorted(above)
        return ordered, [above[key] for key in ordered]

    def _with_lines(
        self, node: Node, keys: Sequence[bytes], changes: list[Change], fresh: Fresh
    ) -> bytes | None:
        """The text of a node with other lines for these keys, in order; None where keys come or go.

        An old document is given to a callable only once: what that says takes its place.
        """
        lines = node.text.split(b"\n")
        place = first = 1 if node.level else 0
        places, find = [], lines.index
        try:
            for key in keys:
                place = find(b'"%b"' % key, place)
                places.append(place)
                place += 2
        except ValueError:
            return None
        if any((place - first) % 2 for place in places):  # a document that reads like a key
            return None
        for turn, place in enumerate(places):
            change = changes[turn]
            if callable(change):
                change = changes[turn] = change(self._document(lines[place + 1]))
            if change is None:
                return None
            if len(change) > LARGE_DOCUMENT:
                change = changes[turn] = _line_of(change, fresh)
            lines[place + 1] = change
        return b"\n".join(lines)

    def _new_lines(
        self, node: Node, keys: Sequence[bytes], changes: Sequence[Change], fresh: Fresh
    ) -> list[Change]:
        """The value lines that changes to a node come to, None to remove one."""
        found: list[Change] = []
        for key, change in zip(keys, changes, strict=True):
            if callable(change):
                place = bisect_left(node.keys, key)
                known = place < len(node.keys) and node.keys[place] == key
                change = change(self._document(node.values[place]) if known else None)
            found.append(None if change is None else _line_of(change, fresh))
        return found

    def flushed(self, keep: Callable[[Iterable[tuple[bytes, bytes]]], None]) -> MerkleMap:
        """This map once `keep` was given the nodes that no cache had."""
        keep((d, n.text if isinstance(n, Node) else n) for d, n in self.fresh.items())
        for digest, node in self.fresh.items():
            if isinstance(node, Node):
                self.reader.remember(digest, node)
        return MerkleMap(self.reader, self.root, {})

    # ------------------------------------------------------------------ comparing

    def diff(
        self, other: MerkleMap, prefix: str = "", after: str | None = None
    ) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        """(path, document here or None, document there or None) where they differ, in key order.

        Going down both trees a level at a time, what both have under one hash is left out: nodes
        of one level with one hash hold the same keys, and no key is in two nodes.
        """
        begin = key_of(prefix)
        low = begin if after is None else max(begin, key_of(after) + b"\0")
        ours, theirs = [_Range(b"", None, self.root)], [_Range(b"", None, other.root)]
        our_level, their_level = self.node(self.root).level, other.node(other.root).level
        while True:
            level = max(our_level, their_level)
            if our_level == their_level:
                hashes = {r.digest for r in ours} & {r.digest for r in theirs}
                ours = [r for r in ours if r.digest not in hashes]
                theirs = [r for r in theirs if r.digest not in hashes]
            if level == 0 or not (ours or theirs):
                break
            if our_level == level:
                ours, our_level = self._children(ours, low, begin), level - 1
            if their_level == level:
                theirs, their_level = other._children(theirs, low, begin), level - 1
        yield from _compared(self, ours, other, theirs, low, begin)

    def _children(self, ranges: list[_Range], low: bytes, prefix: bytes) -> list[_Range]:
        """The children of these subtrees that may hold keys from `low` on with this prefix."""
        found = []
        for parent in ranges:
            before = parent.low
            node = self.node(parent.digest)
            last = len(node.keys) - 1
            for place, key in enumerate(node.keys):
                high = parent.high if place == last else key
                inside = before[: len(prefix)] <= prefix
                if inside and (high is None or high >= low):
                    found.append(_Range(before, high, unhexlify(node.values[place][:64])))
                before = key
        return found


def _line_of(document: bytes, fresh: Fresh) -> bytes:
    """The value line of a document, which is added to `fresh` if it is to be a node of its own."""
    if len(document) <= LARGE_DOCUMENT:
        return document
    digest = blake3_digest(document)
    fresh[digest] = document
    return b"#" + digest.hex().encode()


def _cut(
    level: int, items: list[Item], before: list[bytes], rightmost: bool
) -> tuple[list[list[Item]], list[Item]]:
    """Items cut into nodes at the boundaries of this level, and the rest to carry on.

    `before`: the keys of the node that was here. But for its last they are known to end nothing.
    """
    interior = set(before[:-1])
    pieces, begin = [], 0
    for place, (key, _) in enumerate(items):
        if key not in interior and rank(key) > level:
            pieces.append(items[begin : place + 1])
            begin = place + 1
    rest = items[begin:]
    if rest and rightmost:
        pieces.append(rest)
        rest = []
    return pieces, rest


def _keep(node: Node, fresh: Fresh) -> bytes:
    """Add a node to `fresh`; the line that names it in the level above."""
    digest = blake3_digest(node.text)
    fresh[digest] = node
    return b"%b %d" % (digest.hex().encode(), node.count)


def _grow(level: int, edits: Edits, fresh: Fresh, reader: Reader) -> bytes:
    """The root over the nodes that edits of the level above the old root name."""
    items = [(key, line) for key, line in zip(*edits, strict=True) if isinstance(line, bytes)]
    if not items:
        fresh[EMPTY_ROOT] = Node.of(0, [])
        return EMPTY_ROOT
    while len(items) > 1:
        pieces, _ = _cut(level, items, [], True)
        items = [(piece[-1][0], _keep(Node.of(level, piece), fresh)) for piece in pieces]
        level += 1
    root = unhexlify(items[0][1][:64])
    # Where documents went away, the lowest level with a single node is the root.
    while True:
        found = fresh.get(root)
        node = found if isinstance(found, Node) else reader.node(root)
        if node.level == 0 or len(node.keys) > 1:
            return root
        fresh.pop(root, None)
        root = unhexlify(node.values[0][:64])


def _compared(
    ours: MerkleMap,
    our_leaves: list[_Range],
    theirs: MerkleMap,
    their_leaves: list[_Range],
    low: bytes,
    prefix: bytes,
) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    def lines(side: MerkleMap, leaves: list[_Range]) -> Iterator[tuple[bytes, bytes]]:
        for leaf in leaves:
            for key, line in side._lines(leaf.digest, low):
                if not key.startswith(prefix):
                    return
                yield key, line

    left, right = lines(ours, our_leaves), lines(theirs, their_leaves)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            assert a is not None
            yield path_of(a[0]), ours._document(a[1]), None
            a = next(left, None)
        elif a is None or b[0] < a[0]:
            yield path_of(b[0]), None, theirs._document(b[1])
            b = next(right, None)
        else:
            if a[1] != b[1]:
                yield path_of(a[0]), ours._document(a[1]), theirs._document(b[1])
            a, b = next(left, None), next(right, None)
