"""Puts the history behind boundaries in their place, and holds what was taken on trust against it.

All blocks get new lines, parents before children: first what another repository sends, then what
was here, each checked as if it came for the first time. Then everything that was believed of the
old boundaries (ids, streams, keys, what is held back, states) is compared with what the history
itself says. All of it happens in one transaction: where anything is not so, the repository stays as
it was, and the error says what the other repository had lied about. It must not know transports,
or move refs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, zip_longest

import msgspec

from evgit.errors import BehindBoundary, InvalidObject, ModelError
from evgit.formats.block import encode_block
from evgit.formats.boundary import Boundary, absent_for, is_absent, line_id
from evgit.formats.canonical import digest
from evgit.formats.event import decode_event
from evgit.formats.transfer import decode_transfer, encode_transfer, transfer_frames
from evgit.history.boundaries import BoundaryRow
from evgit.history.boundary_index import told_of
from evgit.history.commit_row import CommitRow
from evgit.history.first_commit import index_of_root
from evgit.history.given_states import GivenState
from evgit.history.history import NUMBERING, SEEN, History
from evgit.state.states import States
from evgit.storage import database, schema
from evgit.storage.blocks import LINE_LIMIT
from evgit.storage.cache import Cache
from evgit.storage.database import fetch_all
from evgit.sync.quarantine import Limits, Progress, Quarantine, Received
from evgit.sync.spool import Spool
from evgit.sync.store import Store

AT_ONCE = 4096


class _Believed(msgspec.Struct, frozen=True):
    """A boundary as it was. `lines`: a file of those that stood for its events."""

    row: BoundaryRow
    told: Boundary
    lines: Spool


@contextmanager
def deepening(
    store: Store,
    body: Iterable[bytes],
    limits: Limits,
    progress: Progress | None = None,
    *,
    boundaries_from: str,
    still_shallow: bool,
) -> Iterator[Received]:
    """As `Store.arriving`, for a body that brings what lies behind boundaries.

    `still_shallow`: it begins with boundaries further back. Raises InvalidObject where anything
    that was believed turns out not to be so.
    """
    spools = [Spool.create(store.layout.incoming)]
    try:
        spools[0].fill(body)
        with store.changing():
            aside = Spool.create(store.layout.incoming)
            spools.append(aside)
            aside.fill(encode_transfer(_blocks_here(store.history)))
            believed = list(_believed(store, spools))
            begin_anew(store, _root_line(store))
            source = boundaries_from if still_shallow else None
            frames = transfer_frames(spools[0].chunks())
            received = store.receive(frames, limits, progress, source)
            with _telling_lies(believed):
                store.history.forget()
                again = Quarantine(store.history, store.blobs.size, limits)
                again.take(transfer_frames(aside.chunks()))
                for one in believed:
                    _compare(store, one)
            numbering = os.urandom(8).hex()
            database.set_setting(store.history.connection, NUMBERING, numbering)
            database.set_setting(store.history.connection, SEEN, "[]")  # other lines, all new
            if not still_shallow:
                schema.become_whole(store.history.connection)
            store.history.forget()
            yield received
    finally:
        for spool in spools:
            spool.discard()


def _blocks_here(history: History) -> Iterator[bytes]:
    """The text of every block but the root's and boundaries', parents before children."""
    for entry, data in history.blocks.blocks(0):
        if history.graph.boundaries.get(entry.first_line) is None:
            lines = [line for _, some in history.blocks.decode(entry, data) for line in some]
            yield b"\n".join(lines) + b"\n"


def _believed(store: Store, spools: list[Spool]) -> Iterator[_Believed]:
    history = store.history
    for row in history.graph.boundaries.all():
        spool = Spool.create(store.layout.incoming)
        spools.append(spool)
        own = [(row.number, row.lines)] if row.lines else []
        spool.fill(encode_transfer(history.blocks.texts(own, closed=True)))
        yield _Believed(row, told_of(history, row), spool)


def _root_line(store: Store) -> bytes:
    return store.history.commit_line(store.history.graph.get(store.repository))


def begin_anew(store: Store, root_line: bytes) -> None:
    """Leave nothing of history but the root commit, inside a write transaction."""
    history, connection = store.history, store.history.connection
    connection.execute(
        "INSERT OR REPLACE INTO replaced_packs(name, replaced)"
        " SELECT DISTINCT name, ? FROM packs WHERE length(name)>0",
        (store.actor.now(),),
    )
    tables = ["blocks", "packs", *schema.INDEX_TABLES]
    if schema.is_shallow(connection):
        connection.execute("UPDATE boundary_states SET number=-1-number")
        tables.append("boundaries")
    for table in tables:
        connection.execute(f"DELETE FROM {table}")
    history.forget()
    history.blocks.put(0, encode_block([], root_line), -1)
    history.indexer.index(index_of_root(digest(root_line)))


@contextmanager
def _telling_lies(believed: Sequence[_Believed]) -> Iterator[None]:
    """Say of what does not fit who had vouched for it."""
    try:
        yield
    except InvalidObject as error:
        sources = ", ".join(dict.fromkeys(one.row.taken_from for one in believed))
        raise InvalidObject(
            f"{sources} had LIED about the history that was not here: {error.message}",
            hint="nothing has changed here. Trust no state of this clone, nor revisions of its "
            "streams: clone from a repository that you trust, and bring your own commits there",
        ) from None


# ---------------------------------------------------------------- what was believed
def _compare(store: Store, one: _Believed) -> None:
    history = store.history
    row = history.graph.get(one.row.id)
    called = f"commit {one.row.id[:12]}"
    if row.height != one.told.height:
        raise InvalidObject(f"{called} has {row.height} first parents, not {one.told.height}")
    held = {_id_on(history, line) for line in history.indexer.held_back_lines(row)}
    if held != {bytes.fromhex(event_id) for event_id in one.told.held}:
        raise InvalidObject(f"{called} holds back other events than was said")
    lines = (line for lines in decode_transfer(one.lines.chunks()) for line in lines)
    while some := list(islice(lines, AT_ONCE)):
        _compare_lines(history, one, [line for line in some if is_absent(line)])
    _compare_states(store, one, row)


def _compare_lines(history: History, one: _Believed, lines: Sequence[bytes]) -> None:
    stored = history.events.find(map(line_id, lines))
    for line in lines:
        event_id = line_id(line)
        if event_id not in stored:
            raise InvalidObject(f"event {event_id.hex()} is nowhere in it")
        found = history.blocks.line(stored[event_id], closed=True)
        if not is_absent(found):
            event = decode_event(found)
            if event.time > one.told.latest:
                raise InvalidObject(f"event {event_id.hex()} is later than any was said to be")
            found = absent_for(found, event)
        if found != line:
            raise InvalidObject(
                f"event {event_id.hex()} has another stream or key than was said: "
                f"{found.decode()}, not {line.decode()}"
            )


def _compare_states(store: Store, one: _Believed, row: CommitRow) -> None:
    """Make the states anew that were given, by all projections that can be run here.

    What can't be compared is not used any more either.
    """
    history, connection = store.history, store.history.connection
    made_by = {states.projection.key: states for states in (States(Cache(None)), *_models(store))}
    given_by = fetch_all(
        connection,
        "SELECT DISTINCT projection FROM boundary_states WHERE number=?",
        (-1 - one.row.number,),
    )
    for (projection,) in given_by:
        given = GivenState(connection, -1 - one.row.number, projection)
        now = GivenState(connection, row.number, projection)
        try:
            made = made_by[projection].rebuild(history.log_of(row))
            _compare_documents(given.documents(), made.documents(), row.hex)
        except (BehindBoundary, KeyError, ModelError):
            _forget_snapshots(store, projection)
        if history.graph.boundaries.get(row.number) is not None and not now.known():
            connection.execute(
                "UPDATE boundary_states SET number=? WHERE number=? AND projection=?",
                (row.number, -1 - one.row.number, projection),
            )
        given.clear()


def _models(store: Store) -> Sequence[States]:
    try:
        return store.model_states()
    except BehindBoundary:
        return ()


def _forget_snapshots(store: Store, projection: bytes) -> None:
    cache = Cache(store.layout.cache)
    for snapshot in list(cache.snapshots(projection, LINE_LIMIT)):
        cache.forget_snapshot(snapshot)
    cache.close()


def _compare_documents(
    given: Iterable[tuple[str, bytes]], made: Iterable[tuple[str, bytes]], commit: str
) -> None:
    for said, is_so in zip_longest(given, made):
        if said != is_so:
            path = min(found[0] for found in (said, is_so) if found is not None)
            raise InvalidObject(
                f"the state at commit {commit[:12]} was said to be another: document {path!r} "
                "is not what its events make of it"
            )


def _id_on(history: History, line: int) -> bytes:
    return line_id(history.blocks.line(line, closed=True))
