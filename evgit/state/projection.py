"""What a projection is: how events become documents.

A projection is a pure function of (documents, event). Whoever writes one says what its results
depend on in `key`; where documents are kept, and when they are computed, is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from evgit.formats import canonical
from evgit.formats.canonical import JSONValue
from evgit.storage.stretches import Stretch

Groups: TypeAlias = "dict[str, list[Any]]"
"""Path of a document -> the events that it has still to take in, in log order."""


class Projection(Protocol):
    """Reads and writes any document.

    `key` names everything that the result depends on besides the log: the format of states and the
    code. States made under different keys never mix.
    """

    @property
    def key(self) -> bytes: ...

    def decode(self, text: bytes, position: int) -> Sequence[Any]:
        """The events of a text of canonical JSON lines, the first of them at `position`."""

    def fold(self, events: Sequence[Any], documents: MutableMapping[str, Any]) -> None:
        """Take in events, in order. `documents` is a `Documents`, which tracks what is touched."""

    def encode(self, path: str, value: Any) -> bytes:
        """The canonical bytes of a document."""


@runtime_checkable
class KeyedProjection(Protocol):
    """Every event concerns at most one document, which depends on its own events alone.

    So documents can be computed one by one, and only those that somebody asks for.
    """

    @property
    def key(self) -> bytes: ...

    def decode(self, text: bytes, position: int) -> Sequence[Any]:
        """The events of a text of canonical JSON lines, the first of them at `position`, in
        whatever form the other two methods take. Members that don't matter here need not be
        decoded."""

    def group(self, events: Sequence[Any], groups: Groups) -> None:
        """Append each event to the list of its document; `groups` is a defaultdict(list)."""

    def fold_document(
        self, path: str, document: bytes | None, events: Sequence[Any]
    ) -> bytes | None:
        """The canonical bytes of a document after events; None for no document, before or after.

        It must leave the events as they are.
        """


@runtime_checkable
class KnowsStreams(Protocol):
    """A keyed projection that can tell the streams of a document's events from its path."""

    @property
    def sees_all(self) -> bool:
        """Must it be shown every event, whichever document is asked for? So it is where some events
        are errors of their own."""

    def streams_of(self, path: str, names: Callable[[str], Iterable[str]]) -> Sequence[str] | None:
        """The streams whose events can concern the document at `path`; None where it can't tell.

        `names(prefix)` gives the names of all streams that begin so.
        """


class LiveDocuments(Protocol):
    """Documents as Python values, while many events are folded into them."""

    def take(self, text: bytes, position: int) -> int:
        """Fold the events of a text of canonical JSON lines, the first of them at `position`; how
        many they are."""

    def __len__(self) -> int:
        """How many documents are held."""

    def stored(self) -> dict[str, bytes | None]:
        """Path -> bytes of all of them, None for those that are no more. Raises Unstorable."""

    def clear(self) -> None:
        """Forget them all: from here on they will be loaded again."""

    @property
    def takes_streams(self) -> bool:
        """Can each stream be folded apart from the others, as far as is known?"""

    def take_stretch(self, stretch: Stretch) -> Iterator[None]:
        """Fold the events of a stretch, stream by stream. Whenever this yields, documents may be
        stored or forgotten. Raises Unclustered where that can't be, or anything is wrong."""


class SharedDocuments(Protocol):
    """The same in other processes, which fold stretches and nothing else."""

    def take_stretch(self, stretch: Stretch) -> Iterator[None]:
        """As in LiveDocuments."""

    def __len__(self) -> int:
        """How many documents are held."""

    def stored(self) -> dict[str, bytes | None]:
        """Path -> bytes of all of them, None for those that are no more. Raises Unclustered."""

    def close(self) -> None:
        """End the processes."""


@runtime_checkable
class LiveProjection(KeyedProjection, Protocol):
    """A keyed projection that can also take in many events at once, with its documents as Python
    values: quicker where most of them are asked for anyway."""

    def live(self, load: Callable[[str], bytes | None]) -> LiveDocuments:
        """None held yet; `load` gives the bytes of a document that was there before."""

    def shared(self, stretches: Sequence[Stretch]) -> SharedDocuments | None:
        """None held yet, and none there before, in other processes which are to be given these
        stretches; None where that does not pay. Raises Unclustered."""


class Unstorable(Exception):
    """A live document has no bytes: fold it event by event, to learn which one is to blame.

    A signal inside this layer.
    """


GONE: Any = object()
"""No document, among live ones."""

AnyProjection: TypeAlias = Projection | KeyedProjection


class Documents(MutableMapping[str, Any]):
    """All documents of a state while a projection folds events into them.

    `read` and `written` name what was touched since the last `take_changes`. A value that was got
    may be changed in place; that counts as written once it is seen, in `take_changes`.
    """

    def __init__(
        self,
        load: Callable[[str], bytes | None],
        paths: Callable[[], Iterator[str]],
        encode: Callable[[str, Any], bytes] = lambda _, value: canonical.encode(value),
    ) -> None:
        self._encode = encode
        self._load = load
        self._paths = paths
        self._live: dict[str, Any] = {}
        self._before: dict[str, bytes | None] = {}
        self.read: set[str] = set()
        self.written: set[str] = set()

    def __getitem__(self, path: str) -> Any:
        self.read.add(path)
        if path not in self._live:
            document = self._original(path)
            self._live[path] = GONE if document is None else canonical.parse(document)
        value = self._live[path]
        if value is GONE:
            raise KeyError(path)
        return value

    def __setitem__(self, path: str, value: JSONValue) -> None:
        self._original(path)
        self.written.add(path)
        self._live[path] = value

    def __delitem__(self, path: str) -> None:
        self[path]  # raises KeyError where there is nothing
        self.written.add(path)
        self._live[path] = GONE

    def __iter__(self) -> Iterator[str]:
        """All paths; what is live comes last. Reading them all counts as reading every document."""
        for path in self._paths():
            if path not in self._live:
                self.read.add(path)
                yield path
        for path, value in list(self._live.items()):
            self.read.add(path)
            if value is not GONE:
                yield path

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, path: object) -> bool:
        try:
            self[path]  # type: ignore[index]
        except KeyError:
            return False
        return True

    @property
    def live(self) -> int:
        """How many documents are held as Python values."""
        return len(self._live)

    def take_changes(self) -> dict[str, bytes | None]:
        """Canonical bytes of the documents that changed since the last call; holds none after."""
        changes: dict[str, bytes | None] = {}
        for path, value in self._live.items():
            document = None if value is GONE else self._encode(path, value)
            if document != self._before[path]:
                changes[path] = document
                self.written.add(path)
        self._live.clear()
        self._before.clear()
        return changes

    def _original(self, path: str) -> bytes | None:
        if path not in self._before:
            self._before[path] = self._load(path)
        return self._before[path]
