"""Answers what another repository asks of this one, whatever carries the messages.

It must not know transports, tokens or terminals. Nothing that is asked can make it write outside
its repository, hold much in memory, or run code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain

import msgspec

from evgit.errors import (
    AccessDenied,
    EvgitError,
    InvalidInput,
    InvalidObject,
    TransferInterrupted,
    UnknownObject,
)
from evgit.formats.canonical import object_id
from evgit.formats.names import check_ref_name
from evgit.formats.transfer import encode_transfer
from evgit.history.commit_row import CommitRow
from evgit.history.heads import TAGS, check_shared_name
from evgit.sync.depth import Cut, Depth, TagTarget, cut, tags_within
from evgit.sync.gate import Gate
from evgit.sync.messages import (
    AnyRequest,
    BlobReply,
    BlobsReply,
    BlobsRequest,
    FetchReply,
    FetchRequest,
    GetBlobRequest,
    PushReply,
    PushRequest,
    PutBlobRequest,
    RefsReply,
    RefsRequest,
    Reply,
    Update,
    check_commit_id,
    decode_request,
    encode,
    error_reply,
)
from evgit.sync.outgoing import pieces
from evgit.sync.quarantine import Limits
from evgit.sync.refusals import Refusal
from evgit.sync.rules import Judge, Rules
from evgit.sync.store import SHARED, Store

LARGE = 10_000  # events and commits


def _nobody() -> None:
    """No judge."""


def _nowhere(refusal: Refusal) -> None:
    """No log."""


class Policy(msgspec.Struct, frozen=True):
    """What others may do here. `write`: push at all; `name`: what rules call whoever asks;
    `rules`: gives the rules for refs when somebody pushes; `judge`: gives what holds events to the
    model, None where there is none; `aside`: what large answers go through, so that only few are
    made at the same time; `refused`: is told of each push that is refused."""

    write: bool = True
    name: str = ""
    rules: Callable[[], Rules] = Rules
    judge: Callable[[], Judge | None] = _nobody
    aside: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None
    limits: Limits = Limits()
    refused: Callable[[Refusal], None] = _nowhere


Answer = tuple[bytes, Iterator[bytes]]


class Service:
    """One repository's answers. Use it from one thread."""

    def __init__(self, store: Store, policy: Policy | None = None) -> None:
        self._store = store
        self._policy = policy or Policy()

    def answer(self, message: bytes, body: Iterable[bytes] = ()) -> Answer:
        """(reply, body of the reply). What is refused is a reply, too, and never an exception."""
        request = None
        try:
            request = decode_request(message)
            return self._answer(request, iter(body))
        except EvgitError as error:
            self._note_refusal(request, error)
            return encode(error_reply(error)), iter(())

    def _note_refusal(self, request: AnyRequest | None, error: EvgitError) -> None:
        """Log what was to change something here. Questions are nobody's business but the asker's;
        what makes no sense at all might have been anything."""
        refs: list[str] = []
        match request:
            case None:
                what = "request"
            case PushRequest():
                what, refs = "push", [update.ref for update in request.updates]
            case PutBlobRequest():
                what = "blob"
            case _:
                return
        name = self._policy.name
        self._policy.refused(Refusal(name, what, refs, type(error).__name__, error.message))

    def keep(self, message: bytes, body: Iterable[bytes]) -> None:
        """Keep what came whole of a request that was cut short, so that it needn't be sent again.

        Nothing moves, even if all of the body came.
        """
        with suppress(EvgitError):
            request = decode_request(message)
            if isinstance(request, PushRequest | PutBlobRequest):
                self._answer(request, _cut_short(body))

    def _answer(self, request: AnyRequest, body: Iterator[bytes]) -> Answer:
        nothing: Iterator[bytes] = iter(())
        match request:
            case RefsRequest():
                return encode(self._refs(request)), nothing
            case FetchRequest():
                reply, sent = self._fetch(request)
                return encode(reply), sent
            case PushRequest():
                return encode(self._push(request, body)), nothing
            case BlobsRequest():
                return encode(self._blobs(request)), nothing
            case GetBlobRequest():
                size, chunks = self._blob(request)
                return encode(BlobReply(size)), chunks
            case PutBlobRequest():
                return encode(self._put_blob(request, body)), nothing

    # ------------------------------------------------------------------ reading
    def _refs(self, request: RefsRequest) -> RefsReply:
        store = self._store
        if request.ids and self._policy.write:
            store.salvage()  # a push follows: what came of it before need not come again
        root = store.history.graph.get(store.repository)
        return RefsReply(
            repository=store.repository,
            root=store.history.commit_line(root).decode(),
            head=store.head_ref(),
            refs=store.shared_refs(),
            known=self._known(request.ids),
            boundaries=store.boundaries(),
        )

    def _known(self, ids: list[str]) -> list[str]:
        return [i for i in ids if self._store.row(check_commit_id(i)) is not None]

    def _fetch(self, request: FetchRequest) -> tuple[Reply, Iterator[bytes]]:
        store = self._store
        refs = {
            name: target
            for name, target in store.shared_refs().items()
            if any(name == r or (r.endswith("/") and name.startswith(r)) for r in request.refs)
        }
        known = self._known(request.have)
        reply = FetchReply(store.repository, store.head_ref(), refs, known)
        branches, tags = self._targets(refs)
        shallow = bool(request.boundaries or request.depth or request.more or request.all)
        wanted = branches if shallow else [*branches, *(row for _, row in tags if row is not None)]
        if not request.settled and not known and any(row.height for row in wanted):
            reply.more = True
            return reply, iter(())
        known_rows = store.rows(known)
        found, first = self._cut(request, wanted, known_rows)
        sent, reply.boundaries = found.sent, len(found.boundaries)
        reply.commits, reply.events = sent.commits, sent.events
        if shallow:
            there = [*found.boundaries, *store.rows(request.boundaries)]
            tags = tags_within(store.history, tags, found, known_rows, there)
        had = set(request.have)
        lines = dict.fromkeys(line for some, _ in tags for line in some)
        tag_lines = (line + b"\n" for line in lines if object_id(line) not in had)
        body = encode_transfer(chain(first, pieces(store.history, sent), tag_lines))
        if self._policy.aside is not None and sent.events + sent.commits > LARGE:
            body = self._policy.aside(body)
        return reply, body

    def _targets(self, refs: dict[str, str]) -> tuple[list[CommitRow], list[TagTarget]]:
        """(commits of branches, (lines of tag objects, commit) of tags)."""
        branches: list[CommitRow] = []
        tags: list[TagTarget] = []
        for name, target in refs.items():
            lines, row = self._store.behind(target)
            if name.startswith(TAGS):
                tags.append((lines, row))
            elif row is not None:
                branches.append(row)
        return branches, tags

    def _cut(
        self, request: FetchRequest, wanted: list[CommitRow], known: list[CommitRow]
    ) -> tuple[Cut, Iterator[bytes]]:
        """(what to send, what is said of boundaries before it)."""
        store, history = self._store, self._store.history
        depth = Depth(request.depth, request.more, request.all, request.boundaries)
        if min(depth.commits, depth.more) < 0:
            raise InvalidObject("a depth below 0")
        root = history.graph.get(store.repository)
        found = cut(history, root, wanted, known, depth)
        if not found.boundaries:
            return found, iter(())
        # Shallow clones are few, and states take long to load.
        from evgit.sync.boundary_sending import boundary_lines
        from evgit.sync.boundary_states import given_states

        there = [] if depth.deepens else [history.graph.get(i) for i in depth.boundaries]
        states = given_states(history, store.layout, store.model_states())
        return found, boundary_lines(history, found, there, states)

    # ------------------------------------------------------------------ pushing
    def _push(self, request: PushRequest, body: Iterator[bytes]) -> PushReply:
        self._refuse_reader("push")
        store = self._store
        for update in request.updates:
            self._check_name(update)
        gate = Gate(store, self._policy.rules(), self._policy.name, self._policy.judge)
        gate.prepare(request.updates)
        first, _ = store.history.end()
        with store.arriving(body, self._policy.limits) as received:
            new = [update.new for update in request.updates if update.new is not None]
            for blob_id in received.blobs | store.blobs_owed(new, first):
                raise InvalidObject(
                    f"blob {blob_id}, which a pushed event lists, was not sent before"
                )
            changes = [gate.change(update) for update in request.updates]
            changes = [change for change in changes if change.old != change.new]
            if changes:
                store.move(changes, "receive", {"refs": [change.ref for change in changes]})
        return PushReply(
            {update.ref: update.new for update in request.updates},
            received.commits,
            received.events,
        )

    def _check_name(self, update: Update) -> None:
        check_ref_name(update.ref)
        if not update.ref.startswith(SHARED):
            raise InvalidInput(
                f"{update.ref} can't be pushed to", hint="only branches and tags can be pushed"
            )
        if update.new is not None:  # one that was made otherwise may be deleted
            check_shared_name(update.ref)
        for target in (update.old, update.new):
            if target is not None:
                check_commit_id(target)

    # ------------------------------------------------------------------ blobs
    def _blobs(self, request: BlobsRequest) -> BlobsReply:
        sizes = ((i, self._store.blobs.size(check_commit_id(i))) for i in request.ids)
        inbox = self._store.inbox
        return BlobsReply({blob_id: inbox.held(blob_id) for blob_id, size in sizes if size is None})

    def _blob(self, request: GetBlobRequest) -> tuple[int, Iterator[bytes]]:
        blobs = self._store.blobs
        size = blobs.size(check_commit_id(request.id))
        if size is None:
            raise UnknownObject(f"there is no blob {request.id}")
        return size, _from(blobs.chunks(request.id), request.offset)

    def _put_blob(self, request: PutBlobRequest, body: Iterator[bytes]) -> BlobsReply:
        self._refuse_reader("send blobs")
        blob_id = check_commit_id(request.id)
        if not 0 <= request.offset <= request.size <= self._policy.limits.text_bytes:
            raise InvalidObject(f"a blob of {request.size:,} bytes is not taken here")
        if self._store.blobs.size(blob_id) is None:
            self._store.inbox.take(blob_id, request.size, request.offset, body)
        return BlobsReply({})

    def _refuse_reader(self, what: str) -> None:
        if not self._policy.write:
            raise AccessDenied(
                f"this repository may be read here, but you may not {what}",
                hint="over http, a token with the right to write goes into EVGIT_TOKEN",
            )


def _cut_short(body: Iterable[bytes]) -> Iterator[bytes]:
    yield from body
    raise TransferInterrupted("a request was cut short")


def _from(chunks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    for chunk in chunks:
        if offset < len(chunk):
            yield chunk[offset:] if offset > 0 else chunk
        offset = max(0, offset - len(chunk))
