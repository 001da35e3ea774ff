"""Puts sound history in the place of damaged history, with the help of repositories that have it.

As in deepening, all blocks get new lines and new indexes in one transaction, each checked as if it
came for the first time: first what the others send, then all that can still be read here. So it
does not matter what was damaged: frames, packs, indexes. Where a ref or an operation would then
lead to nothing, all stays as it was. It must not know how damage is found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from evgit.errors import BehindBoundary, Damage, EvgitError, InvalidObject, UnknownObject
from evgit.formats.canonical import digest
from evgit.formats.transfer import encode_transfer, transfer_frames
from evgit.history.heads import HEADS, TAGS
from evgit.history.history import NUMBERING, SEEN
from evgit.storage import database
from evgit.storage.blocks import BlockData, BlockEntry
from evgit.storage.refs import SYMBOLIC
from evgit.sync.deepening import begin_anew
from evgit.sync.messages import (
    BlobReply,
    FetchReply,
    FetchRequest,
    GetBlobRequest,
    RefsReply,
    RefsRequest,
)
from evgit.sync.quarantine import Limits, Progress, Quarantine
from evgit.sync.spool import Spool
from evgit.sync.store import Store
from evgit.sync.transport import Transport, ask

Blocks = Iterator[tuple[BlockEntry, BlockData]]


@dataclass(slots=True)
class Mended:
    """What was done. `commits` and `events`: stored anew, of which `received` commits came from the
    others; `blobs`: brought; `blobs_missing`: listed by events, and not here."""

    commits: int = 0
    events: int = 0
    received: int = 0
    blobs: int = 0
    blobs_missing: list[str] = field(default_factory=list)


def mend_history(
    store: Store, sources: Sequence[Transport], readable: Blocks, progress: Progress | None = None
) -> Mended:
    """Store everything anew, from `sources` and from those blocks here that are `readable`.

    Raises UnknownObject where none of them has what a ref or an operation here leads to, and what
    fetching raises; nothing has changed then.
    """
    if store.boundaries():
        raise BehindBoundary(
            "this repository is shallow, and can't be repaired in place",
            hint="clone it again, and fetch from here what only this one has",
        )
    with ExitStack() as ending:
        spools = [_whole(store, source, ending) for source in sources]
        with store.changing():
            needed = [*_needed(store)]
            aside = _spool(store, ending)
            aside.fill(encode_transfer(_texts(store, readable)))
            _forget_damaged_tags(store)
            begin_anew(store, _root_line(store, sources))
            done = Mended()
            for spool in spools:
                frames = transfer_frames(spool.chunks())
                received = store.receive(frames, Limits(), progress)
                done.blobs_missing += received.blobs
                done.received += received.commits
                done.events += received.events
            store.history.forget()
            kept = Quarantine(store.history, store.blobs.size).take(
                transfer_frames(aside.chunks()), progress
            )
            done.commits = done.received + kept.commits
            done.events += kept.events
            done.blobs_missing += kept.blobs
            _refuse_loose_ends(store, needed)
            connection = store.history.connection
            database.set_setting(connection, NUMBERING, os.urandom(8).hex())
            database.set_setting(connection, SEEN, "[]")  # other lines, all new
            store.history.forget()
    return done


def mend_blobs(store: Store, sources: Sequence[Transport], blob_ids: Sequence[str]) -> int:
    """Bring blobs again; how many. Raises UnknownObject for one that nobody has whole."""
    for blob_id in blob_ids:
        if not any(_brought(store, source, blob_id) for source in sources):
            raise UnknownObject(f"blob {blob_id} is nowhere to be had")
    return len(blob_ids)


def _brought(store: Store, source: Transport, blob_id: str) -> bool:
    try:
        reply, body = ask(source, GetBlobRequest(blob_id), BlobReply)
        store.inbox.take(blob_id, reply.size, 0, body)
    except (UnknownObject, Damage, InvalidObject):
        return False
    return True


# ---------------------------------------------------------------- what there is
def _spool(store: Store, ending: ExitStack) -> Spool:
    spool = Spool.create(store.layout.incoming)
    ending.callback(spool.discard)
    return spool


def _whole(store: Store, source: Transport, ending: ExitStack) -> Spool:
    """All that the branches and tags of another repository lead to."""
    request = FetchRequest([HEADS, TAGS], settled=True)
    reply, body = ask(source, request, FetchReply)
    if reply.repository != store.repository:
        raise InvalidObject(
            f"the other repository is {reply.repository[:12]}, this one {store.repository[:12]}: "
            "they have no history in common",
            hint="name a clone of this one, or a backup that was restored",
        )
    if reply.boundaries:
        raise BehindBoundary(
            "the other repository is shallow: it does not have all of the history",
            hint="name one that is whole",
        )
    spool = _spool(store, ending)
    spool.fill(body)
    return spool


def _root_line(store: Store, sources: Sequence[Transport]) -> bytes:
    """The root commit; any of the others has it."""
    for source in sources:
        reply, _ = ask(source, RefsRequest(), RefsReply)
        line = reply.root.encode()
        if digest(line).hex() == store.repository:
            return line
    raise InvalidObject("the other repository does not show its root commit")


def _texts(store: Store, readable: Blocks) -> Iterator[bytes]:
    """The text of every block here but the root's, if its frames and lines can be read."""
    for entry, data in readable:
        lines: list[bytes] = []
        with suppress(EvgitError):
            lines = [line for _, some in store.history.blocks.decode(entry, data) for line in some]
        if lines and entry.first_line:
            yield b"\n".join(lines) + b"\n"


def _forget_damaged_tags(store: Store) -> None:
    connection = store.history.connection
    for tag_id, line in database.fetch_all(connection, "SELECT id, data FROM objects"):
        if not isinstance(line, bytes) or digest(line) != tag_id:
            connection.execute("DELETE FROM objects WHERE id=?", (tag_id,))


# ---------------------------------------------------------------- what must not be lost
def _needed(store: Store) -> Iterator[tuple[str, str]]:
    """(what leads there, commit or tag) of refs, and of operations as far as it can be found."""
    for ref in store.refs.under(""):
        if not ref.target.startswith(SYMBOLIC):
            yield ref.name, ref.target
    with suppress(Damage):
        for operation in store.operations.newest_first():
            for change in operation.changes:
                for target in {change.old, change.new} - {None}:
                    assert target is not None
                    if not target.startswith(SYMBOLIC) and _is_found(store, target):
                        yield f"operation {operation.number}", target


def _is_found(store: Store, target: str) -> bool:
    try:
        return store.behind(target)[1] is not None
    except EvgitError:
        return False


def _refuse_loose_ends(store: Store, needed: Sequence[tuple[str, str]]) -> None:
    for name, target in needed:
        if not _is_found(store, target):
            raise UnknownObject(
                f"{name} leads to {target}, which is damaged here, and is not there either",
                hint="name another clone, too: --repair-from may be given more than once",
            )
