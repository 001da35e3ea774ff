"""Nodes of a Merkle map: their bytes, their keys, where they end, and finding them by hash.

docs/decisions/merkle-map.md gives the format to the byte. Documents are opaque bytes here, and what
a map is made of is known above.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from evgit.formats import canonical
from evgit.formats.hashing import blake3_digest

LARGE_DOCUMENT = 2048
"""Documents of more bytes than this are nodes of their own, named in the leaf by their hash."""
CACHED_TEXT_BYTES = 4 << 20

_FIRST_LEVEL_MASK = 15  # one key in 16 ends a leaf
_LEVEL_BITS = 5  # one child in 32 ends an inner node

Item = tuple[bytes, bytes]
"""A key and its value line."""


class NodeMissing(Exception):
    """A node that a map needs is no longer in the cache: the state must be computed again.

    A signal inside this layer, never shown to a person.
    """


class Node:
    """A node: its level, and its bytes, which are taken apart when somebody looks into them."""

    __slots__ = ("_keys", "_values", "level", "text")

    def __init__(
        self,
        level: int,
        text: bytes,
        keys: list[bytes] | None = None,
        values: list[bytes] | None = None,
    ) -> None:
        """`keys` and `values`: what the text says, where that is known."""
        self.level = level
        self.text = text
        self._keys = keys
        self._values = values

    @classmethod
    def parse(cls, text: bytes) -> Node:
        # After a quotation mark, a leaf: that begins with a path.
        level = 0 if not text or text[0] == 0x22 else int(text[: text.index(b"\n")])
        return cls(level, text)

    @classmethod
    def of(cls, level: int, items: list[Item]) -> Node:
        return cls.holding(level, [key for key, _ in items], [line for _, line in items])

    @classmethod
    def holding(cls, level: int, keys: list[bytes], values: list[bytes]) -> Node:
        """The node of these keys, in order, and the value lines beside them."""
        text = b'\n"'.join(map(b'"\n'.join, zip(keys, values, strict=True)))
        if keys:
            text = b'"%b\n' % text
        if level:
            text = b"%d\n%b" % (level, text)
        return cls(level, text, keys, values)

    @property
    def keys(self) -> list[bytes]:
        """Path keys, in order."""
        keys = self._keys
        return self._take_apart()[0] if keys is None else keys

    @property
    def values(self) -> list[bytes]:
        """The value lines beside them."""
        values = self._values
        return self._take_apart()[1] if values is None else values

    def _take_apart(self) -> tuple[list[bytes], list[bytes]]:
        lines = self.text.split(b"\n")
        first = 1 if self.level else 0
        keys = self._keys = [line[1:-1] for line in lines[first:-1:2]]
        values = self._values = lines[first + 1 :: 2]
        return keys, values

    @property
    def count(self) -> int:
        """Documents below this node."""
        if self.level == 0:
            return self.text.count(b"\n") // 2
        return sum(int(line[65:]) for line in self.values)


class Reader:
    """Finds nodes by hash through `load`, keeping some that were parsed."""

    def __init__(
        self,
        load: Callable[[bytes], bytes | None],
        load_all: Callable[[Sequence[bytes]], Mapping[bytes, bytes]] | None = None,
    ) -> None:
        """`load_all` finds several at once, as many of them as there are."""
        self._load = load
        self._load_all = load_all
        self._young: dict[bytes, Node] = {}
        self._old: dict[bytes, Node] = {}
        self._young_bytes = 0

    def text(self, digest: bytes) -> bytes:
        """The bytes with this BLAKE3. Raises NodeMissing."""
        text = self._load(digest)
        if text is None:
            raise NodeMissing(digest.hex())
        return text

    def node(self, digest: bytes) -> Node:
        """The node with this hash. Raises NodeMissing."""
        found = self._young.get(digest)
        if found is not None:
            return found
        node = self._old.get(digest) or Node.parse(self.text(digest))
        self.remember(digest, node)
        return node

    def prepare(self, digests: Sequence[bytes]) -> None:
        """Have these nodes at hand, if they can be found: they will be asked for."""
        if self._load_all is not None:
            wanted = [d for d in digests if d not in self._young and d not in self._old]
            for digest, text in self._load_all(wanted).items() if wanted else ():
                self.remember(digest, Node.parse(text))

    def remember(self, digest: bytes, node: Node) -> None:
        """Keep a node at hand for a while."""
        self._young[digest] = node
        self._young_bytes += len(node.text)
        if self._young_bytes > CACHED_TEXT_BYTES:
            self._old, self._young, self._young_bytes = self._young, {}, 0


def key_of(path: str) -> bytes:
    """The key of a path: its canonical JSON string without the quotation marks.

    Keys compare bytewise. The escape of a beginning is the beginning of the escape, so the paths
    under a prefix stand together.
    """
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return path.encode()
    return canonical.encode(path)[1:-1]


def keys_of(paths: Iterable[str]) -> list[bytes]:
    """The keys of many paths."""
    every = list(paths)
    text = "".join(every)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return "\n".join(every).encode().split(b"\n") if every else []
    return list(map(key_of, every))


def path_of(key: bytes) -> str:
    """The path of a key."""
    if b"\\" not in key:
        return key.decode()
    path = canonical.parse(b'"' + key + b'"')
    assert isinstance(path, str)
    return path


def references(text: bytes) -> Iterator[bytes]:
    """Hashes of the nodes that a node's bytes name; nothing for a document's bytes."""
    if text[:7] == b"forest\n":  # several maps: evgit.state.forest
        for line in text.split(b"\n")[2::2]:
            yield unhexlify(line)
    elif text[:1].isdigit() and b"\n" in text:
        for line in text.split(b"\n")[2::2]:
            yield unhexlify(line[:64])
    elif text[:1] == b'"' and b"\n#" in text:
        for line in text.split(b"\n")[1::2]:
            if line[:1] == b"#":
                yield unhexlify(line[1:])


def rank(key: bytes) -> int:
    """How many levels end a node at this key, counted from the leaves."""
    digest = blake3_digest(key)
    if digest[0] & _FIRST_LEVEL_MASK:
        return 0
    bits = int.from_bytes(digest[:8], "little") >> 4
    levels = 1
    while levels < 12 and not bits & 31:
        bits >>= _LEVEL_BITS
        levels += 1
    return levels
