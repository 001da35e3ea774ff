"""Batches of lines made into batches of events by worker processes, a few ahead of what is stored.

A worker does everything that needs no repository: it parses, checks, and computes ids, frames and
hashes (`EventBatch.pack`). Whatever it can't do is done again here, so that results and errors
are the same with any number of workers, and with none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

import msgspec

from evgit.bridges.event_lines import EventLines
from evgit.bridges.json_lines import LineBatch
from evgit.bridges.line_worker import BEGIN, request_of, setup_of
from evgit.errors import EvgitError
from evgit.formats.event import EventBatch, unpack_batch
from evgit.storage.workers import Workers

START_BYTES = 1 << 20  # an input of so many bytes, or
START_LINES = 4000  # of so many lines is worth the tenth of a second that starting a process takes
MAX_WAITING_BYTES = 32 * 2**20

GROUP_BATCHES = 16
GROUP_BYTES = 8 * 2**20
GROUP_SECONDS = 0.2


class Prepared(msgspec.Struct, frozen=True):
    """A batch to be stored. `done`: bytes of the input read by then."""

    lines: LineBatch
    batch: EventBatch
    done: int


Store = Callable[[list[Prepared]], None]
"""Stores some batches, in order."""


class _Taken(msgspec.Struct):
    lines: LineBatch
    done: int
    size: int


class LinePreparing:
    """Takes batches of lines in order, and stores them in that order, some at a time.

    So many as are ready are stored together: up to 16, or 8 MiB of lines, or after 0.2 seconds.

    `reading` says how lines are read. `store` is called for all batches, `position` asked where
    in the log the next one that is stored will begin. Used as a context manager; what was taken is
    stored when `drain` has returned. After an error nothing that was waiting is stored.
    """

    def __init__(
        self, reading: EventLines, jobs: int, store: Store, position: Callable[[], int]
    ) -> None:
        self._reading = reading
        self._jobs = jobs
        self._store = store
        self._position = position
        self._workers: Workers | None = None
        self._asked: deque[_Taken] = deque()
        self._ready: list[Prepared] = []
        self._ready_bytes = 0
        self._ready_since = 0.0
        self._held_bytes = 0
        self._lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._workers is not None:
            self._workers.close()

    @property
    def lost(self) -> int:
        """How many workers ended before their time; what they had to do was done here."""
        return 0 if self._workers is None else self._workers.lost

    def take(self, lines: LineBatch, done: int, total: int | None) -> None:
        """The next batch. `done` and `total`: bytes of the input, as far as they are known."""
        text = lines.text
        taken = _Taken(lines, done, len(text))
        self._make_room(taken.size)
        if not self._ask(taken, text):
            self._keep(taken, None)
        self._lines += len(lines)
        worth_it = self._lines >= START_LINES or (total or 0) >= START_BYTES
        if self._jobs and self._workers is None and worth_it:
            # Only now is it settled what the lines are.
            self._workers = Workers(BEGIN, setup_of(self._reading.options), self._jobs)

    def drain(self) -> None:
        """Stores everything that was taken."""
        while self._asked:
            self._take_answer()
        self._store_ready()

    def _make_room(self, size: int) -> None:
        while self._held_bytes and self._held_bytes + size > MAX_WAITING_BYTES:
            if self._asked:
                self._take_answer()
            self._store_ready()

    def _ask(self, taken: _Taken, text: bytes) -> bool:
        """Have a worker prepare it, once there is room; False if none is ready."""
        if self._workers is None:
            return False
        while True:
            while self._workers.has_answer():
                self._take_answer()
            before = [*(each.lines for each in self._ready), *(each.lines for each in self._asked)]
            position = self._position() + sum(map(len, before))
            if self._workers.submit(request_of(position, text)):
                self._asked.append(taken)
                self._held_bytes += taken.size
                return True
            if not self._asked:
                return False
            self._take_answer()

    def _take_answer(self) -> None:
        """Waits for the answer to the oldest request."""
        oldest = self._asked.popleft()
        self._held_bytes -= oldest.size
        self._keep(oldest, self._workers.next() if self._workers else None)

    def _keep(self, taken: _Taken, answer: bytes | None) -> None:
        """It comes next, prepared by a worker or now. Stores what is ready if that is enough."""
        try:
            batch = unpack_batch(answer) if answer else self._reading.events(taken.lines)
        except EvgitError:
            self._store_ready()  # what comes before the line that is refused
            self._asked.clear()
            raise
        if not self._ready:
            self._ready_since = monotonic()
        self._ready.append(Prepared(taken.lines, batch, taken.done))
        self._ready_bytes += taken.size
        self._held_bytes += taken.size
        if (
            len(self._ready) >= GROUP_BATCHES
            or self._ready_bytes >= GROUP_BYTES
            or monotonic() - self._ready_since >= GROUP_SECONDS
        ):
            self._store_ready()

    def _store_ready(self) -> None:
        ready, self._ready = self._ready, []
        self._held_bytes -= self._ready_bytes
        self._ready_bytes = 0
        if not ready:
            return
        try:
            self._store(ready)
        except BaseException:
            self._asked.clear()
            raise
