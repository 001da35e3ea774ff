"""Fetching: bring what another repository has and this one lacks, and move remote-tracking refs.

Objects come first, checked in quarantine; then the blobs that their events list; refs move last. It
must not know transports or terminals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import msgspec

from evgit.errors import InvalidName, InvalidObject, NotFound, UnsupportedFormat, UsageError
from evgit.formats.canonical import object_id
from evgit.formats.names import check_ref_name
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS, TAGS, check_shared_name
from evgit.storage.operations import RefChange
from evgit.storage.refs import Ref
from evgit.sync.messages import (
    BlobReply,
    FetchReply,
    FetchRequest,
    GetBlobRequest,
    check_commit_id,
    check_protocol,
)
from evgit.sync.outgoing import between, samples, tips
from evgit.sync.quarantine import Limits, Progress, Received
from evgit.sync.remotes import Remote
from evgit.sync.store import Store
from evgit.sync.transport import Transport, ask

MAX_HAVE = 256
MAX_ROUNDS = 40
MAX_REFS = 100_000
BETWEEN = 8
STAYS = ("refused", "untracked", "behind", "unnameable")


class Fetch(msgspec.Struct, frozen=True):
    """What to fetch. `branches`: short names; none: all, or in a shallow repository those that are
    followed here. `prune`: drop tracking refs of branches that are gone there. `tags`: bring tags,
    too. `depth`: so many commits of each branch, `more`: so many before the present boundaries,
    `all`: everything behind them; one of the three at most."""

    branches: Sequence[str] = ()
    prune: bool = False
    tags: bool = True
    limits: Limits = Limits()
    depth: int = 0
    more: int = 0
    all: bool = False

    @property
    def deepens(self) -> bool:
        """Is history wanted that lies behind boundaries, or less than all of it?"""
        return bool(self.depth or self.more or self.all)


class RefMove(msgspec.Struct, frozen=True):
    """What became of a ref here. `kind`: new, forward, rewound, deleted, refused, untracked, behind
    or unnameable.

    unnameable: no branch or tag may be called so here, so it is left out; `ref` is empty.

    behind: what it is at lies behind a boundary of this shallow repository, and is not here.
    untracked: the other repository has no name here, so that no ref here stands for its branch;
    `ref` is empty, and `new` is the commit that it is at there.
    """

    remote_ref: str
    ref: str
    old: str | None
    new: str | None
    kind: str


class Fetched(msgspec.Struct):
    """What a fetch did. `head`: the ref that the other side's HEAD names. `bytes`: of the body.
    `resumed`: some had come before, in a clone that was interrupted."""

    refs: dict[str, str] = {}
    head: str | None = None
    moves: list[RefMove] = []
    commits: int = 0
    events: int = 0
    blobs: int = 0
    bytes: int = 0
    rounds: int = 0
    resumed: bool = False


def fetch(
    store: Store,
    transport: Transport,
    remote: Remote,
    wanted: Fetch | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch from a remote. `progress` is called with (events so far, events in all).

    Raises what the other side refuses, TransferInterrupted (what came whole is kept, and needn't
    be sent again), InvalidObject (nothing is kept). No ref has moved then.
    """
    wanted = wanted or Fetch()
    if wanted.deepens and not store.boundaries() and store.history.graph.count() > 1:
        raise UsageError(
            "this repository is not shallow: it has all of its history",
            hint="a shallow one is made by `evgit clone --depth N`",
        )
    done = Fetched()
    store.salvage()
    prefixes = [HEADS + name for name in wanted.branches] or _followed(store, remote)
    if wanted.tags:
        prefixes.append(TAGS)
    reply, body = _negotiate(store, transport, remote, prefixes, wanted, done)
    unnameable = _check(store, reply, wanted)
    done.refs, done.head = reply.refs, reply.head
    counted = _counted(body, done)
    first, _ = store.history.end()
    blobs: dict[str, int] = {}
    if reply.commits or not _all_here(store, reply):
        report = _report(progress, reply.events)
        with _arriving(store, remote, reply, wanted, counted, report) as received:
            _refuse_lying_refs(store, reply)
            done.commits, done.events, blobs = received.commits, received.events, received.blobs
    for _ in counted:
        pass  # frames of nothing
    blobs |= store.blobs_owed(reply.refs.values(), first)
    done.blobs = _fetch_blobs(store, transport, blobs)
    with store.changing():
        done.moves = [*unnameable, *_moves(store, reply.refs, remote, wanted)]
        changes = [RefChange(m.ref, m.old, m.new) for m in done.moves if m.kind not in STAYS]
        if changes:
            store.move(changes, "fetch", {"remote": remote.name})
    return done


def _arriving(
    store: Store,
    remote: Remote,
    reply: FetchReply,
    wanted: Fetch,
    body: Iterator[bytes],
    report: Progress | None,
) -> AbstractContextManager[Received]:
    """What is sent, checked and stored in a transaction that is still open."""
    if wanted.deepens and store.boundaries():
        from evgit.sync.deepening import deepening

        return deepening(
            store,
            body,
            wanted.limits,
            report,
            boundaries_from=remote.url,
            still_shallow=reply.boundaries > 0,
        )
    source = remote.url if reply.boundaries else None
    return store.arriving(body, wanted.limits, report, boundaries_from=source)


def _followed(store: Store, remote: Remote) -> list[str]:
    """The branches to ask for where none is named: full names, or the prefix of all."""
    if not store.boundaries():
        return [HEADS]
    tracking = [ref.name.removeprefix(remote.tracking) for ref in store.refs.under(remote.tracking)]
    return [HEADS + name for name in tracking if name != "HEAD"] or [HEADS]


# ---------------------------------------------------------------- what is new
def _negotiate(
    store: Store,
    transport: Transport,
    remote: Remote,
    prefixes: list[str],
    wanted: Fetch,
    done: Fetched,
) -> tuple[FetchReply, Iterator[bytes]]:
    """Ask until the other side knows where our histories part; its last reply, and the body.

    The first request names the tips here, among which is what this remote had last time: on a
    linear history that is all it takes. Otherwise the first-parent chains of the tips are named at
    distances that double, and then between the last known commit and the first unknown one.
    """
    have = _tips(store, remote)
    boundaries = store.boundaries()
    request = FetchRequest(
        prefixes,
        have,
        settled=not have or wanted.deepens,
        boundaries=boundaries,
        depth=wanted.depth,
        more=wanted.more,
        all=wanted.all,
    )
    rows = store.rows(have[:BETWEEN])
    lines = [_Line(row) for row in rows]
    for _ in range(MAX_ROUNDS):
        done.rounds += 1
        reply, body = ask(transport, request, FetchReply)
        check_protocol(reply.protocol)
        if not reply.more:
            return reply, body
        if _all_here(store, reply):
            return reply, iter(())
        known = {*reply.known}
        asked = [commit for line in lines for commit in line.narrow(store, known)]
        have = [*dict.fromkeys([*asked, *(line.known for line in lines if line.known)])]
        request = FetchRequest(prefixes, have[:4096], settled=not asked, boundaries=boundaries)
    raise UnsupportedFormat("the other side asks without end", hint="is it evgit at all?")


class _Line:
    """A first-parent chain of which the other side knows some: where does what it knows end?"""

    def __init__(self, row: CommitRow) -> None:
        self._row = row
        self._low, self._high = -1, row.height
        self._asked: dict[str, int] = {row.hex: row.height}
        self._begun = False
        self.known: str | None = None

    def narrow(self, store: Store, known: set[str]) -> list[str]:
        """What to ask next, given what the other side said that it knows; nothing once sure."""
        for commit, height in self._asked.items():
            if commit in known:
                if height > self._low:
                    self._low, self.known = height, commit
            else:
                self._high = min(self._high, height)
        if not self._begun:
            self._begun = True
            ids = list(samples(store.history, self._row))
        elif self._low < self._high - 1:
            ids = between(store.history, self._row, max(self._low, 0), self._high, BETWEEN)
        else:
            ids = []
        rows = store.rows(ids)
        self._asked = {row.hex: row.height for row in rows}
        return ids


def _tips(store: Store, remote: Remote) -> list[str]:
    """Commits to name first: where this remote was, other refs, and what no ref points to."""
    refs = [ref.target for ref in store.refs.under(remote.tracking)]
    refs += [ref.target for ref in store.refs.under("refs/") if ref.target not in refs]
    found: dict[str, None] = {}
    for target in [*refs, *tips(store.history, MAX_HAVE)]:
        tags, row = store.behind(target)
        if row is not None and row.height and len(found) < MAX_HAVE:
            found[row.hex] = None
            found.update(dict.fromkeys(map(object_id, tags)))
    return list(found)


def _all_here(store: Store, reply: FetchReply) -> bool:
    return all(store.behind(target)[1] is not None for target in reply.refs.values())


def _refuse_lying_refs(store: Store, reply: FetchReply) -> None:
    """While what came can still be taken back."""
    for name, target in reply.refs.items():
        if store.behind(target)[1] is None and not store.boundaries():
            raise InvalidObject(f"{name} is at {target} there, but no such commit was sent")


def _is_hostile(name: str) -> bool:
    """Does a ref's name lead through directories, or play with a terminal? None that a person gave
    does, whatever rules that person's repository has."""
    return not name.isprintable() or any(part in ("", ".", "..") for part in name.split("/"))


def _check(store: Store, reply: FetchReply, wanted: Fetch) -> list[RefMove]:
    """Refuse a reply that can't be true. Refs whose names can't be had here are taken out of it."""
    if reply.repository != store.repository:
        raise InvalidObject(
            f"the other repository is {reply.repository[:12]}, this one {store.repository[:12]}: "
            "they have no history in common",
            hint="histories with different roots never merge; clone the other one instead",
        )
    if len(reply.refs) > MAX_REFS:
        raise InvalidObject(f"the other repository names more than {MAX_REFS:,} refs")
    unnameable = []
    for name, target in sorted(reply.refs.items()):
        check_commit_id(target)
        try:
            check_ref_name(name)
            check_shared_name(name)
        except InvalidName:
            if name.removeprefix(HEADS) in wanted.branches or _is_hostile(name):
                raise
            unnameable.append(RefMove(name, "", None, target, "unnameable"))
            del reply.refs[name]
    for name in wanted.branches:
        if HEADS + name not in reply.refs:
            raise NotFound(
                f"the other repository has no branch {name!r}",
                hint="`evgit ls-remote` lists what it has",
            )
    return unnameable


# ---------------------------------------------------------------- bodies
def _counted(body: Iterator[bytes], done: Fetched) -> Iterator[bytes]:
    for chunk in body:
        done.bytes += len(chunk)
        yield chunk


def _report(progress: Progress | None, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda _, events: progress(events, total)


def _fetch_blobs(store: Store, transport: Transport, blobs: dict[str, int]) -> int:
    for blob_id, size in blobs.items():
        held = min(store.inbox.held(blob_id), size)
        reply, body = ask(transport, GetBlobRequest(blob_id, held), BlobReply)
        if reply.size != size:
            raise InvalidObject(f"blob {blob_id} has {reply.size:,} bytes there, not {size:,}")
        store.inbox.take(blob_id, size, held, body)
    return len(blobs)


# ---------------------------------------------------------------- refs
def _moves(store: Store, refs: dict[str, str], remote: Remote, wanted: Fetch) -> list[RefMove]:
    """What the remote's refs make of those here: tracking refs follow, if the remote has a name;
    tags are only added."""
    moves: list[RefMove] = []
    boundaries = store.boundaries()
    for name, target in sorted(refs.items()):
        if name.startswith(HEADS) and not remote.named:
            moves.append(RefMove(name, "", None, target, "untracked"))
            continue
        if name.startswith(HEADS):
            here = remote.tracking + name.removeprefix(HEADS)
        elif name.startswith(TAGS) and wanted.tags:
            here = name
        else:
            continue
        old = store.refs.get(here)
        if boundaries and not store.is_here(target):
            if name.startswith(HEADS):
                moves.append(RefMove(name, here, old, target, "behind"))
            continue
        if old != target:
            moves.append(RefMove(name, here, old, target, _kind(store, here, old, target)))
    if wanted.prune and remote.named and not wanted.branches:
        for gone in _gone(store.refs.under(remote.tracking), refs, remote):
            there = HEADS + gone.name.removeprefix(remote.tracking)
            moves.append(RefMove(there, gone.name, gone.target, None, "deleted"))
    return moves


def _kind(store: Store, ref: str, old: str | None, new: str) -> str:
    if old is None:
        return "new"
    if ref.startswith(TAGS):
        return "refused"  # a tag that is here means what it meant
    before, after = store.row(old), store.row(new)
    if before is None or after is None:
        return "rewound"
    return "forward" if store.history.graph.on_first_parents(before, after) else "rewound"


def _gone(tracking: Sequence[Ref], refs: dict[str, str], remote: Remote) -> Iterator[Ref]:
    for ref in tracking:
        short = ref.name.removeprefix(remote.tracking)
        if short != "HEAD" and HEADS + short not in refs:
            yield ref
