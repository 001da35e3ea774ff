"""The transport over packs that stand still: a bundle, a published directory.

Nobody answers there, so that this side looks for itself which of the packs it needs. They go
through the same quarantine as what a server sends. It must not know where the packs are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from evgit.errors import AccessDenied, BehindBoundary, NotFound
from evgit.formats.transfer import encode_transfer
from evgit.storage.refs import SYMBOLIC
from evgit.sync.messages import (
    BlobReply,
    FetchReply,
    FetchRequest,
    GetBlobRequest,
    RefsReply,
    RefsRequest,
    Reply,
    decode_request,
    encode,
)
from evgit.sync.packed import pack_texts
from evgit.sync.store import SHARED
from evgit.sync.transport import Carried

Read = Callable[[int], bytes]
Knows = Callable[[str], bool]
NAMED = 3


class Part(NamedTuple):
    """A pack. `name`: BLAKE3 of its bytes, hex, "" where nobody says; `called`: for errors.

    `open` gives its bytes from the beginning. `tips`: who has these commits and tags has all of it.
    """

    name: str
    called: str
    commits: int
    events: int
    tips: tuple[str, ...]
    open: Callable[[], AbstractContextManager[Read]]


class Source(Protocol):
    """Where packs stand. `refs` has HEAD, too; `requires`: commits that no pack there holds, but
    which those in the packs build on."""

    repository: str
    refs: dict[str, str]
    requires: list[str]
    where: str

    def root(self) -> str:
        """The root commit's line; empty where it is in no pack."""
        ...

    def parts(self) -> list[Part]:
        """All packs, each building on those before it."""
        ...

    def blob(self, blob_id: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """(size, bytes from an offset on). Raises UnknownObject."""
        ...

    def close(self) -> None:
        """No more is asked."""
        ...


class PackTransport:
    """Answers from packs. `knows`: is a commit or tag stored here?"""

    def __init__(self, source: Source, knows: Knows) -> None:
        self._source = source
        self._knows = knows
        self.round_trips = 0

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """The answer that somebody there would give. Raises AccessDenied for what would change
        something there."""
        self.round_trips += 1
        nothing: Iterator[bytes] = iter(())
        match decode_request(message):
            case RefsRequest():
                return Carried(encode(self._refs()), nothing)
            case FetchRequest() as request:
                reply, sent = self._fetch(request)
                return Carried(encode(reply), sent)
            case GetBlobRequest() as request:
                size, chunks = self._source.blob(request.id, request.offset)
                return Carried(encode(BlobReply(size)), chunks)
        raise AccessDenied(
            f"{self._source.where} can only be read: nobody answers there",
            hint="push to the repository that it was made from, or to a clone",
        )

    def close(self) -> None:
        """Close what is open."""
        self._source.close()

    def _shared(self) -> dict[str, str]:
        return {name: t for name, t in self._source.refs.items() if name.startswith(SHARED)}

    def _head(self) -> str | None:
        head = self._source.refs.get("HEAD", "")
        return head.removeprefix(SYMBOLIC) if head.startswith(SYMBOLIC) else None

    def _refs(self) -> RefsReply:
        source = self._source
        return RefsReply(source.repository, source.root(), self._head(), self._shared())

    def _fetch(self, request: FetchRequest) -> tuple[Reply, Iterator[bytes]]:
        source = self._source
        missing = [commit for commit in source.requires if not self._knows(commit)]
        if missing:
            raise missing_prerequisites(source.where, missing)
        refs = {
            name: target
            for name, target in self._shared().items()
            if any(name == r or (r.endswith("/") and name.startswith(r)) for r in request.refs)
        }
        reply = FetchReply(source.repository, self._head(), refs)
        if request.depth or request.more or (request.boundaries and not request.all):
            raise BehindBoundary(
                f"{source.where} gives all of its history or nothing: nobody answers there",
                hint="clone it whole; a shallow clone can take all of it: evgit fetch --unshallow",
            )
        parts = [
            part
            for part in source.parts()
            if request.all or not part.tips or not all(map(self._knows, part.tips))
        ]
        reply.commits = sum(part.commits for part in parts)
        reply.events = sum(part.events for part in parts)
        return reply, encode_transfer(self._texts(parts))

    def _texts(self, parts: list[Part]) -> Iterator[bytes]:
        for part in parts:
            with part.open() as read:
                yield from pack_texts(read, part.called, self._source.repository, part.name)


def missing_prerequisites(where: str, missing: list[str]) -> NotFound:
    """The error for packs that build on commits which are not here."""
    named = ", ".join(commit[:12] for commit in missing[:NAMED])
    return NotFound(
        f"{where} builds on {len(missing):,} commits that are not here: {named}"
        + (" …" if len(missing) > NAMED else ""),
        hint="fetch first what came before it: from the same repository, or its earlier bundles",
    )
