"""Pushing: send what another repository lacks, and ask it to move its refs, all or none.

It must not know transports or terminals, nor decide what the other side allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from evgit.errors import BehindBoundary, Conflict, NotAFastForward, NotFound, UsageError
from evgit.formats.transfer import encode_transfer
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS, TAGS
from evgit.storage.database import fetch_one
from evgit.storage.operations import RefChange
from evgit.sync.depth import new_boundaries
from evgit.sync.messages import (
    MAX_IDS,
    BlobsReply,
    BlobsRequest,
    PushReply,
    PushRequest,
    PutBlobRequest,
    RefsReply,
    RefsRequest,
    Update,
    check_protocol,
)
from evgit.sync.outgoing import (
    Outgoing,
    between,
    blobs_in,
    outgoing,
    pieces,
    samples,
    texts,
    to_send,
)
from evgit.sync.quarantine import Progress
from evgit.sync.remotes import Remote
from evgit.sync.store import Store
from evgit.sync.transport import Transport, ask

BLOBS_AT_ONCE = 1000
ASKED = 256  # commits that are asked for at once


class PushedRef(msgspec.Struct, frozen=True):
    """A ref to push: `source` here (a full name, or a commit's id; None: delete it there) to
    `target` there.

    `lease`: where it must be there, or the push is refused ("" for not there); None: anywhere that
    can be moved forward. `force`: off its first-parent chain, too.
    """

    source: str | None
    target: str
    force: bool = False
    lease: str | None = None


class Pushed(msgspec.Struct):
    """What a push did, or would do. `updates`: refs that moved there, with where they were;
    `rewound`: those of them that left their first-parent chains."""

    updates: list[Update] = []
    unchanged: list[str] = []
    rewound: list[str] = []
    commits: int = 0
    events: int = 0
    blobs: int = 0
    bytes: int = 0


def push(
    store: Store,
    transport: Transport,
    remote: Remote | None,
    refs: Sequence[PushedRef],
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Push refs atomically. Moves the remote-tracking refs of `remote` along.

    Raises NotAFastForward and Conflict where the other side has moved on, and what it refuses;
    nothing has moved there then.
    """
    rows = {ref: _row_of(store, ref.source) for ref in refs if ref.source is not None}
    asked = dict.fromkeys(i for ref, row in rows.items() for i in _first(store, remote, ref, row))
    reply, _ = ask(transport, RefsRequest(list(asked)[:MAX_IDS]), RefsReply)
    check_protocol(reply.protocol)
    if reply.repository != store.repository:
        raise UsageError(
            "the other repository has no history in common with this one",
            hint="push to a clone of this repository",
        )
    done = Pushed()
    for ref in refs:
        update = _update(store, ref, reply.refs.get(ref.target))
        if update is None:
            done.unchanged.append(ref.target)
        else:
            done.updates.append(update)
            if _is_rewound(store, update):
                done.rewound.append(update.ref)
    _narrow(store, transport, reply, done.updates, list(asked)[:MAX_IDS])
    sent = _to_send(store, reply, done.updates, reply.known)
    done.commits, done.events = sent.commits, sent.events
    there = {name: reply.refs.get(name) for name in done.unchanged}
    if not dry_run and not done.updates:
        _follow(store, remote, there)
    if dry_run or not done.updates:
        return done
    # What an interrupted push left there without a ref may lack blobs: all are offered anew.
    if fetch_one(store.history.connection, "SELECT 1 FROM blobs LIMIT 1") is not None:
        done.blobs = _send_blobs(store, transport, _to_send(store, reply, done.updates, ()))
    tags = [
        line + b"\n"
        for update in done.updates
        if update.new is not None
        for line in store.behind(update.new)[0]
    ]
    body = _counted(encode_transfer(chain(pieces(store.history, sent), tags)), done, progress, sent)
    ask(transport, PushRequest(done.updates), PushReply, body)
    _follow(store, remote, there | {update.ref: update.new for update in done.updates})
    return done


def _is_rewound(store: Store, update: Update) -> bool:
    if update.old is None or update.new is None:
        return False
    before, after = store.row(update.old), store.row(update.new)
    if before is None or after is None:  # a commit that is not here, or a tag
        return True
    return not store.history.graph.on_first_parents(before, after)


def _target_of(store: Store, source: str) -> str | None:
    return store.refs.get(source) or (None if "/" in source else source)


def _row_of(store: Store, ref: str) -> CommitRow:
    target = _target_of(store, ref)
    row = None if target is None else store.behind(target)[1]
    if row is None:
        raise NotFound(f"there is no {ref} to push", hint="`evgit branch` lists the branches")
    return row


def _update(store: Store, ref: PushedRef, there: str | None) -> Update | None:
    """The move to ask for; None where the ref is there already. Raises what can be known here."""
    new = None if ref.source is None else _target_of(store, ref.source)
    short = ref.target.removeprefix(HEADS).removeprefix(TAGS)
    if new is None and there is None:
        raise NotFound(
            f"there is no {short} there to delete",
            hint="`evgit ls-remote` lists what is there; `evgit fetch --prune` forgets what is not",
        )
    if new == there:
        return None
    if ref.lease is not None and (there or "") != ref.lease:
        raise Conflict(
            f"{short} is at {(there or 'nothing')[:12]} there, not at "
            f"{(ref.lease or 'nothing')[:12]}, where it was last seen",
            hint="fetch, look at what came, and push again",
        )
    force = ref.force or ref.lease is not None
    if there is not None and new is not None and ref.target.startswith(HEADS) and not force:
        _refuse_other_chain(store, short, there, new)
    return Update(ref.target, there, new, force)


def _refuse_other_chain(store: Store, short: str, there: str, new: str) -> None:
    graph = store.history.graph
    old, row = store.row(there), graph.get(new)
    if old is None:
        raise NotAFastForward(
            f"{short} has commits there that are not here",
            hint="`evgit pull` brings them and puts yours after them; then push again",
        )
    if graph.on_first_parents(old, row):
        return
    if any(ancestor.number == old.number for ancestor in graph.ancestors([row])):
        raise NotAFastForward(
            f"{short} was merged here with the other side's commits as second parent: pushed like "
            "that, positions that were already published there would change",
            hint="undo that merge (`evgit undo`), then `evgit pull` (a merge with upstream first) "
            "or `evgit pull --reappend` (your commits after upstream's), and push again",
        )
    raise NotAFastForward(
        f"{short} has moved on there: your commits don't follow its last one",
        hint="`evgit pull` (a merge with upstream first) or `evgit pull --reappend` (your commits "
        "after upstream's), then push again",
    )


# ---------------------------------------------------------------- what the other side has
def _first(store: Store, remote: Remote | None, ref: PushedRef, row: CommitRow) -> Iterator[str]:
    """Commits to ask for first: the tip, what follows the place where the branch was last seen
    there, and ancestors at distances that double. The next one behind that place tells whether an
    interrupted push left anything."""
    yield row.hex
    name = "" if remote is None else remote.tracking + ref.target.removeprefix(HEADS)
    seen = store.refs.get(name) if name else None
    last = None if seen is None else store.row(seen)
    boundary = store.history.graph.boundary_of(row)
    height = 0 if boundary is None else boundary.height
    if last is not None:
        height = max(height, last.height)
    if height < row.height:
        yield from between(store.history, row, height, height + 2, 1)
    if last is not None:
        yield from between(store.history, row, height, row.height, ASKED)
    yield from samples(store.history, row)


def _narrow(
    store: Store,
    transport: Transport,
    reply: RefsReply,
    updates: Sequence[Update],
    first: Sequence[str],
) -> None:
    """Add to what is known there the last commit of each chain that an interrupted push left:
    it lies between the last that is known and the first that is not, of those asked for `first`."""
    graph = store.history.graph
    unknown = store.rows(dict.fromkeys(first).keys() - reply.known)
    for update in updates:
        row = None if update.new is None else store.behind(update.new)[1]
        if row is None or row.hex in reply.known:
            continue
        there = store.rows([*reply.known, *([update.old] if update.old else [])])
        low = max((k.height for k in there if graph.on_first_parents(k, row)), default=0)
        lacking = (lack.height for lack in unknown if graph.on_first_parents(lack, row))
        high = min(lacking, default=row.height)
        while ids := between(store.history, row, low, high, ASKED):
            more, _ = ask(transport, RefsRequest(ids), RefsReply)
            found = {*more.known}
            for asked in store.rows(ids):
                if asked.hex in found:
                    low = max(low, asked.height)
                else:
                    high = min(high, asked.height)
            reply.known += more.known


def _to_send(
    store: Store, reply: RefsReply, updates: Sequence[Update], stored: Sequence[str]
) -> Outgoing:
    """What the other side lacks that has what its refs reach, and the commits `stored`."""
    wanted, known = [], store.rows([store.repository, *stored])
    for target in reply.refs.values():
        row = store.behind(target)[1]
        if row is not None:
            known.append(row)
    for update in updates:
        row = None if update.new is None else store.behind(update.new)[1]
        if row is not None:
            wanted.append(row)
    if not reply.boundaries:
        return to_send(store.history, wanted, known)
    sent = outgoing(store.history, wanted, known)
    _refuse_what_is_behind(store, sent, store.rows(reply.boundaries))
    return sent


def _refuse_what_is_behind(store: Store, sent: Outgoing, boundaries: list[CommitRow]) -> None:
    """Raise BehindBoundary where commits to be sent build on what a shallow repository lacks."""
    root = store.history.graph.get(store.repository)
    for row in new_boundaries(store.history, root, sent, boundaries):
        raise BehindBoundary(
            f"the other repository is shallow: it does not have commit {row.hex[:12]}, which what "
            "is to be pushed builds on",
            hint="push to the repository that it was cloned from, or have it fetch the rest "
            "(`evgit fetch --unshallow` there)",
        )


def _send_blobs(store: Store, transport: Transport, sent: Outgoing) -> int:
    """Send the blobs that events list, and the other side lacks."""
    listed: dict[str, int] = {}
    count = 0
    for blob_id, size in blobs_in(texts(store.history, sent)):
        listed[blob_id] = size
        if len(listed) >= BLOBS_AT_ONCE:
            count += _send_missing(store, transport, listed)
            listed = {}
    return count + _send_missing(store, transport, listed)


def _send_missing(store: Store, transport: Transport, listed: dict[str, int]) -> int:
    ids, missing = list(listed), {}
    for start in range(0, len(ids), BLOBS_AT_ONCE):
        request = BlobsRequest(ids[start : start + BLOBS_AT_ONCE])
        missing.update(ask(transport, request, BlobsReply)[0].missing)
    for blob_id, held in missing.items():
        if blob_id in listed:
            _send_blob(store, transport, blob_id, listed[blob_id], held)
    return len(missing)


def _send_blob(store: Store, transport: Transport, blob_id: str, size: int, held: int) -> None:
    offset = held if 0 <= held <= size else 0
    with store.blobs.open(blob_id) as source:
        while offset and (skipped := source.read(min(offset, 1 << 20))):
            offset -= len(skipped)
        chunks: Iterator[bytes] = iter(lambda: source.read(1 << 18), b"")
        offset = held if 0 <= held <= size else 0
        ask(transport, PutBlobRequest(blob_id, size, offset), BlobsReply, chunks)


def _counted(
    body: Iterator[bytes], done: Pushed, progress: Progress | None, sent: Outgoing
) -> Iterator[bytes]:
    for chunk in body:
        done.bytes += len(chunk)
        yield chunk
        if progress:
            progress(done.bytes, 0)


def _follow(store: Store, remote: Remote | None, there: dict[str, str | None]) -> None:
    """Move the remote-tracking refs to where the refs are there now: also of those that were
    there already, as after a push that was killed while it waited for the answer."""
    branches = {name: at for name, at in there.items() if name.startswith(HEADS)}
    if remote is None or not branches:
        return
    with store.changing():
        changes = []
        for name, new in branches.items():
            here = remote.tracking + name.removeprefix(HEADS)
            old = store.refs.get(here)
            if old != new:
                changes.append(RefChange(here, old, new))
        if changes:
            store.move(changes, "push", {"remote": remote.name})
