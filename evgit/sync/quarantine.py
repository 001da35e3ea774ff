"""Checks everything that is received before anything can point at it.

A transfer is stored inside the caller's transaction, each block judged on those before it: ids,
canonical form, connectedness, log order, size and root, times, limits. Whatever fails raises, and
the transaction's roll-back leaves no trace. Commits that follow one another are judged and stored
many at a time (`chain_run`), all others, and all that raise a doubt, block by block here. It must
not know who sent it, or move refs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from evgit.errors import DamagedObject, InvalidObject
from evgit.formats.again import again_line
from evgit.formats.block import encode_block
from evgit.formats.canonical import digest, object_id
from evgit.formats.commit import verified_commit
from evgit.formats.event import EventBatch, batch_from_stored
from evgit.formats.hashing import ID_BYTES
from evgit.formats.tag import decode_tag
from evgit.formats.times import to_instant
from evgit.formats.transfer import Frame, ReceivedBlock, received_blocks
from evgit.history.commit_row import CommitRow
from evgit.history.derive import commit_to_index, order_problem, split_again
from evgit.history.frontiers import Frontiers
from evgit.history.history import History
from evgit.history.recording import END_OF_TIME, latest_received, refuse_received
from evgit.sync.chain_run import ChainRun
from evgit.sync.preparing import Preparing
from evgit.sync.sound_chains import SoundChain, split_ids

Progress = Callable[[int, int], None]


class Limits(msgspec.Struct, frozen=True):
    """What one transfer may bring, at most."""

    text_bytes: int = 1 << 40
    commits: int = 1 << 31
    boundary_lines: int = 1 << 24
    tags: int = 1 << 16


class Received(msgspec.Struct):
    """What a transfer brought. `blobs`: {id: size} that its events list and nobody has here."""

    commits: int = 0
    events: int = 0
    tags: int = 0
    blobs: dict[str, int] = {}


class Quarantine:
    """Receives one transfer within a write transaction of the caller's."""

    def __init__(
        self,
        history: History,
        blob_size: Callable[[str], int | None],
        limits: Limits | None = None,
        *,
        now: int | None = None,
    ) -> None:
        """`now`: the receiver's clock, which commits may hardly be ahead of; None: whatever they
        say, because they were here before."""
        self._history = history
        self._blob_size = blob_size
        self._limits = limits or Limits()
        self._last_time = END_OF_TIME if now is None else latest_received(now)
        self._frontiers = Frontiers(history)
        self._number, self._latest = history.end()
        self._text = 0
        self._run: ChainRun | None = None
        self.received = Received()

    def take(
        self,
        frames: Iterable[Frame],
        progress: Progress | None = None,
        preparing: Preparing | None = None,
    ) -> Received:
        """Check and store a whole transfer. `progress` is called with (commits, events).

        Raises InvalidObject or another InvalidInput; nothing may be kept then.
        """
        with self._history.runs.gathering():
            self._take(frames, progress, preparing or Preparing(1))
        return self.received

    def _take(
        self, frames: Iterable[Frame], progress: Progress | None, preparing: Preparing
    ) -> None:
        done = self.received
        for blocks, parts in preparing.parts(frames):
            self._text += blocks.size
            if self._text > self._limits.text_bytes:
                raise InvalidObject(f"a transfer of more than {self._limits.text_bytes:,} bytes")
            for start, stop, chain in parts:
                if chain is None or not self._chain(chain, preparing):
                    self._one_by_one(blocks.lines[start:stop])
                if done.commits > self._limits.commits:
                    raise InvalidObject(f"a transfer of more than {self._limits.commits:,} commits")
                if progress:
                    progress(done.commits, done.events)
        self._store_run()

    # ------------------------------------------------------------------ many at a time
    def _chain(self, chain: SoundChain, preparing: Preparing) -> bool:
        """Judge a chain on what is stored before it, and store it, soon; False: in doubt."""
        if chain.times[-1] > self._last_time:
            return False
        if chain.earliest <= self._latest:
            self._store_run()
            if self._history.events.find(split_ids(chain.event_ids)):
                return False
        run = self._run
        if run is None or run.last != chain.parent:
            self._store_run()
            parent = self._history.graph.find(chain.parent)
            if parent is None or self._may_be_stored(parent, chain):
                return False
            run = ChainRun(parent, self._frontiers.of(parent), self._number, self._latest)
        if not run.add(chain, preparing):
            return False
        self._run = run
        self._latest = run.latest
        self.received.commits += len(chain.counts)
        self.received.events += sum(chain.counts)
        if run.is_long:
            self._store_run()
        return True

    def _may_be_stored(self, parent: CommitRow, chain: SoundChain) -> bool:
        """Only a parent that has children can have this very commit as its child already."""
        history = self._history
        return (
            not history.indexer.ends_chain(parent)
            and history.graph.find(chain.ids[:ID_BYTES]) is not None
        )

    def _store_run(self) -> None:
        """Store the chains that have been judged."""
        run, self._run = self._run, None
        if run is not None:
            row, self._number = run.store(self._history)
            self._frontiers.remember(row.number, run.frontier)

    # ------------------------------------------------------------------ one by one
    def _one_by_one(self, lines: list[bytes]) -> None:
        self._store_run()
        for found in received_blocks([lines]):
            if isinstance(found, bytes):
                self._tag(found)
            else:
                self._block(found)

    def _block(self, block: ReceivedBlock) -> None:
        history = self._history
        commit_id = digest(block.commit_line)
        try:
            commit = verified_commit(block.commit_line)
        except InvalidObject as error:
            raise InvalidObject(f"commit {commit_id.hex()}: {error.message}") from None
        if history.graph.find(commit_id) is not None:
            return  # sent though it is here: no harm, and nothing to do
        refuse_received(commit_id.hex(), commit.time, self._last_time)
        if not commit.parents:
            raise InvalidObject(
                f"{commit_id.hex()} is the root commit of another repository",
                hint="histories with different roots are unrelated: they can't be brought together",
            )
        try:
            own, again = split_again(block.lines)
            batch = batch_from_stored(own, _refuse_line)
        except (DamagedObject, InvalidObject) as error:
            raise InvalidObject(f"commit {commit_id.hex()}: {error.message}") from None
        lines = block.lines
        stored = self._stored(batch)
        if stored:
            lines = [
                again_line(object_id(line)) if digest(line) in stored else line for line in lines
            ]
            own, again = split_again(lines)
            batch = EventBatch(
                [e for e, i in zip(batch.events, batch.ids, strict=True) if i not in stored], own
            )
        try:
            derived = commit_to_index(
                history, self._number, batch, again, commit, commit_id, self._frontiers.of
            )
        except InvalidObject as error:
            raise InvalidObject(
                f"commit {commit_id.hex()}: {error.message}",
                hint="nothing of what was sent has been kept",
            ) from None
        problem = order_problem(commit, derived)
        if problem:
            raise InvalidObject(f"commit {commit_id.hex()} {problem}")
        if batch.events:
            self._latest = max(self._latest, to_instant(batch.last_time))
            self._list_blobs(batch)
        history.blocks.put(self._number, encode_block(lines, block.commit_line), self._latest)
        history.indexer.index(derived)
        self._frontiers.remember(self._number, derived.frontier)
        self._number += len(lines) + 1
        self.received.commits += 1
        self.received.events += len(own)

    def _stored(self, batch: EventBatch) -> set[bytes]:
        """Ids of the batch's events that are stored already: another block has them."""
        if not len(batch) or to_instant(batch.first_time) > self._latest:
            return set()
        return set(self._history.events.find(batch.ids))

    def _list_blobs(self, batch: EventBatch) -> None:
        for place in batch.listing_blobs:
            event = batch.events[place]
            for blob_id, size in event.blobs.items():
                stored = self._blob_size(blob_id)
                if stored is None:
                    known = self.received.blobs.setdefault(blob_id, size)
                    stored = known
                if stored != size:
                    raise InvalidObject(
                        f"event {event.id} says blob {blob_id} has {size} bytes, not {stored}"
                    )

    def _tag(self, line: bytes) -> None:
        tag = decode_tag(line)
        if tag.canonical() != line:
            raise InvalidObject(f"tag {object_id(line)} is not in canonical form")
        self.received.tags += 1
        if self.received.tags > self._limits.tags:
            raise InvalidObject(f"a transfer of more than {self._limits.tags:,} tags")
        self._history.connection.execute(
            "INSERT OR IGNORE INTO objects(id, data) VALUES(?,?)", (digest(line), line)
        )


def _refuse_line(line: bytes, problem: str) -> None:
    raise InvalidObject(f"event {object_id(line)}: {problem}")
