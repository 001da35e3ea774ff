"""Finding the nodes of one level of a Merkle map, one after another.

Whoever changes many documents goes through the leaves from left to right, then through the nodes
above them: each is found from where the last one was, not from the root, and those that will be
needed below one node are fetched together. It changes nothing.
"""

from __future__ import annotations

from binascii import unhexlify
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from evgit.state.merkle_node import Node, Reader


class Tree(Protocol):
    """What is needed of a map."""

    root: bytes
    reader: Reader

    @property
    def fresh(self) -> Mapping[bytes, object]:
        """What no cache has yet, by hash."""

    def node(self, digest: bytes) -> Node: ...


class Found(NamedTuple):
    """A node, its hash and its last key (b"" for none). `rightmost`: whatever is behind the last
    key would be here, too."""

    digest: bytes
    node: Node
    high: bytes
    rightmost: bool


class LevelWalk:
    """Finds the nodes of one level by keys that ascend."""

    def __init__(self, tree: Tree, level: int, keys: Sequence[bytes]) -> None:
        """`keys`: what will be looked for, among others, in order."""
        self._tree = tree
        self._level = level
        self._keys = keys
        root = tree.node(tree.root)
        self._way = [Found(tree.root, root, root.keys[-1] if root.keys else b"", True)]
        """What was gone down through to the last one."""
        self._prepared: Node | None = None

    def node_at(self, key: bytes) -> Found:
        """The node whose range holds `key`. Raises NodeMissing."""
        way = self._way
        while not way[-1].rightmost and way[-1].high < key:
            way.pop()
        found = way[-1]
        while (node := found.node).level > self._level:
            if node.level == 1 and node is not self._prepared:
                self._prepare(node, key, found.rightmost)
            keys = node.keys
            last = len(keys) - 1
            place = min(bisect_left(keys, key), last)
            digest = unhexlify(node.values[place][:64])
            rightmost = found.rightmost and place == last
            found = Found(digest, self._tree.node(digest), keys[place], rightmost)
            way.append(found)
        return found

    def _prepare(self, node: Node, key: bytes, rightmost: bool) -> None:
        """Have the leaves below a node at hand that will be asked for from `key` on."""
        self._prepared = node
        first = bisect_left(self._keys, key)
        end = len(self._keys)
        if not rightmost:
            end = bisect_right(self._keys, node.keys[-1], lo=first)
        values = node.values
        if end - first < len(values):
            last = len(values) - 1
            places = {min(bisect_left(node.keys, each), last) for each in self._keys[first:end]}
            values = [values[place] for place in sorted(places)]
        if len(values) > 1:
            digests = [unhexlify(line[:64]) for line in values]
            self._tree.reader.prepare([each for each in digests if each not in self._tree.fresh])
