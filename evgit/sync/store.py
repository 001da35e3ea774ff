"""What sync needs of one repository, put together: history, refs, blobs, and who acts.

It must not know which side of a conversation this repository is on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from evgit.errors import BehindBoundary, EvgitError, InvalidInput, InvalidObject
from evgit.formats.block import split_lines
from evgit.formats.canonical import id_bytes
from evgit.formats.tag import decode_tag
from evgit.formats.transfer import Frame, frames_of_lines, transfer_frames
from evgit.history.boundaries import WAY_ON
from evgit.history.branches import Actor, Branches
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS, TAGS
from evgit.history.history import History
from evgit.storage import database
from evgit.storage.blobs import BlobStore
from evgit.storage.layout import Layout
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import SYMBOLIC, RefStore
from evgit.sync.inbox import Inbox
from evgit.sync.messages import check_commit_id
from evgit.sync.outgoing import blobs_in, left_before, texts
from evgit.sync.preparing import Preparing
from evgit.sync.quarantine import Limits, Progress, Quarantine, Received
from evgit.sync.spool import Spool

if TYPE_CHECKING:
    from evgit.state.states import States

SHARED = (HEADS, TAGS)
"""What another repository gets to see."""


class Store(msgspec.Struct, dict=True):
    """One repository's stores. `repository`: its id, the root commit's. `jobs`: how many processes
    go through what is received, 1 for this one alone; None: as many as are of use. `model_states`:
    by each projection of the model, if there is one that is trusted."""

    repository: str
    layout: Layout
    history: History
    refs: RefStore
    operations: OperationLog
    blobs: BlobStore
    branches: Branches
    actor: Actor
    jobs: int | None = None
    model_states: Callable[[], Sequence[States]] = tuple

    @classmethod
    def open(cls, layout: Layout, author: str, now: Callable[[], int]) -> Store:
        """The stores of a repository, opened apart from any other. `close` it."""
        connection = database.open_existing(layout.database)
        history = History(connection)
        refs, operations = RefStore(connection), OperationLog(connection)
        actor = Actor(author, os.urandom(8).hex(), now)
        return cls(
            repository=str(database.setting(connection, "repository")),
            layout=layout,
            history=history,
            refs=refs,
            operations=operations,
            blobs=BlobStore(connection, layout),
            branches=Branches(history, refs, operations, actor),
            actor=actor,
        )

    def close(self) -> None:
        """Close the database."""
        self.history.connection.close()

    # ------------------------------------------------------------------ reading
    def row(self, commit_id: str) -> CommitRow | None:
        """A commit by id, or None where it is not stored."""
        return self.history.graph.find(id_bytes(commit_id))

    def knows(self, object_id: str) -> bool:
        """Is this a commit or tag object that is stored? Raises InvalidObject for what is no id."""
        check_commit_id(object_id)
        return self.row(object_id) is not None or self.branches.tag_line(object_id) is not None

    def rows(self, ids: Iterable[str]) -> list[CommitRow]:
        """Those of some commits that are stored."""
        return [row for row in map(self.row, ids) if row is not None]

    def shared_refs(self) -> dict[str, str]:
        """{full name: target} of what another repository gets to see."""
        return {ref.name: ref.target for prefix in SHARED for ref in self.refs.under(prefix)}

    def head_ref(self) -> str | None:
        """The branch that HEAD is on, as a full name; None where it is detached."""
        target = self.refs.get("HEAD") or ""
        return target.removeprefix(SYMBOLIC) if target.startswith(SYMBOLIC) else None

    def boundaries(self) -> list[str]:
        """Ids of the commits behind which this repository has nothing; empty unless shallow."""
        return [boundary.id for boundary in self.history.graph.boundaries.all()]

    def is_here(self, target: str) -> bool:
        """Is the commit that a ref's target stands for here, with its events?"""
        row = self.behind(target)[1]
        return row is not None and self.history.graph.boundaries.get(row.number) is None

    def behind(self, target: str) -> tuple[list[bytes], CommitRow | None]:
        """(lines of tag objects, commit) that a ref's target stands for; None: not a commit."""
        lines: list[bytes] = []
        while (line := self.branches.tag_line(target)) is not None:
            lines.append(line)
            target = decode_tag(line).target
        return lines, self.row(target)

    def blobs_owed(self, targets: Iterable[str], first: int) -> dict[str, int]:
        """{id: size} of the blobs that are listed by what refs are about to point to, and missing.

        Only what was stored before line `first` is looked at: an earlier transfer may have brought
        it and been cut short before its blobs came. Without such, this costs next to nothing.
        """
        wanted = [row for row in (self.behind(target)[1] for target in targets) if row is not None]
        known = [row for row in (self.behind(r.target)[1] for r in self.refs.under("refs/")) if row]
        known += self.rows(self.boundaries())
        if first <= self.history.graph.get(self.repository).number + 1 or not wanted:
            return {}
        left = left_before(self.history, wanted, known, first)
        listed = dict(blobs_in(texts(self.history, left)))
        return {
            blob_id: size for blob_id, size in listed.items() if self.blobs.size(blob_id) is None
        }

    # ------------------------------------------------------------------ writing
    @contextmanager
    def changing(self) -> Iterator[None]:
        """One write transaction, after which nothing is remembered that was not kept."""
        try:
            with database.writing(self.history.connection):
                self.history.notice_renumbering()
                yield
        except BaseException:
            self.history.forget()
            raise

    @contextmanager
    def arriving(
        self,
        body: Iterable[bytes],
        limits: Limits,
        progress: Progress | None = None,
        *,
        boundaries_from: str | None = None,
    ) -> Iterator[Received]:
        """All of a transfer, checked and stored, in a transaction that is still open.

        A body that stops short raises, after what came whole of it has been stored: no ref points
        there, but it needn't be sent again. `boundaries_from`: boundaries come first, taken on the
        word of the repository at this address; nothing is kept then of what stops short.
        """
        spool = Spool.create(self.layout.incoming)
        try:
            with Preparing(self.jobs) as preparing:
                self._spool(spool, body, limits, None if boundaries_from else preparing)
                with self.changing():
                    frames = transfer_frames(spool.chunks())
                    yield self.receive(frames, limits, progress, boundaries_from, preparing)
        finally:
            spool.discard()

    def _spool(
        self, spool: Spool, body: Iterable[bytes], limits: Limits, preparing: Preparing | None
    ) -> None:
        """Put all of a body into a file. Without `preparing`, nothing is kept of one cut short."""
        try:
            if preparing is None:
                spool.fill(body)
            else:
                preparing.ahead(spool.filling(body), spool.chunks)
        except InvalidInput:
            raise  # of what is not as it should be nothing is kept
        except BaseException:
            if preparing is not None:
                self._salvage(spool, limits)
            raise

    def salvage(self) -> None:
        """Store what came whole of transfers whose receivers were killed."""
        for spool in Spool.abandoned(self.layout.incoming):
            try:
                self._salvage(spool, Limits())
            finally:
                spool.discard()

    def _salvage(self, spool: Spool, limits: Limits) -> None:
        with suppress(EvgitError), self.changing():
            self.receive(transfer_frames(spool.chunks(), cut_short=True), limits, None)

    def receive(
        self,
        frames: Iterable[Frame],
        limits: Limits,
        progress: Progress | None,
        boundaries_from: str | None = None,
        preparing: Preparing | None = None,
    ) -> Received:
        """Check and store a transfer, inside `changing`."""
        self.history.indexer.forget_last()
        now = self.actor.now()
        blobs: dict[str, int] = {}
        if boundaries_from is not None:
            from evgit.sync.boundary_receiving import BoundaryReceiver

            boundaries = BoundaryReceiver(self.history, boundaries_from, limits.boundary_lines, now)
            lines = (split_lines(frame.text) for frame in frames)
            frames, blobs = frames_of_lines(boundaries.take(lines)), boundaries.blobs
        received = Quarantine(self.history, self.blobs.size, limits, now=now).take(
            frames, progress, preparing
        )
        self._refuse_behind_boundaries()
        received.blobs.update((i, n) for i, n in blobs.items() if self.blobs.size(i) is None)
        return received

    def _refuse_behind_boundaries(self) -> None:
        """Of what lies behind a boundary all or nothing may be here, or nobody could tell."""
        graph = self.history.graph
        for boundary in graph.boundaries.all():
            for parent in self.history.commit(graph.by_number(boundary.number)).parents:
                row = self.row(parent)
                if row is not None and row.height and graph.boundaries.get(row.number) is None:
                    raise BehindBoundary(
                        f"commit {parent[:12]} lies behind commit {boundary.id[:12]}, where this "
                        "shallow repository begins, and can't be taken in alone",
                        hint=WAY_ON,
                    )

    @cached_property
    def inbox(self) -> Inbox:
        """Where blobs come in."""
        return Inbox(self.layout.incoming, self.blobs)

    def move(self, changes: list[RefChange], command: str, arguments: dict[str, Any]) -> None:
        """Move refs by compare-and-swap as one operation, inside `changing`."""
        for change in changes:
            if change.new is not None:
                self._refuse_unconnected(change.ref, change.new)
        self.refs.move(changes)
        self.operations.record(
            changes,
            now=self.actor.now(),
            actor=self.actor.name,
            writer=self.actor.writer,
            command=command,
            arguments=arguments,
        )

    def _refuse_unconnected(self, ref: str, target: str) -> None:
        _, row = self.behind(target)
        if row is None:
            raise InvalidObject(
                f"{ref} can't be put on {target}: no such commit is stored or was sent"
            )
