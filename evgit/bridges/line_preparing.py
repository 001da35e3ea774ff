"""Batches of lines made into batches of events by worker processes, a few ahead of what is stored.

A worker does everything that needs no repository: it parses, checks, and computes ids, frames and
hashes (`EventBatch.pack`). Whatever it can't do is done again here, so that results and errors
are the same with any number of workers, and with none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from evgit.bridges.event_lines import EventLines
from evgit.bridges.json_lines import LineBatch
from evgit.bridges.line_worker import BEGIN, request_of, setup_of
from evgit.errors import UsageError
from evgit.formats.event import EventBatch, unpack_batch
from evgit.storage.workers import Workers, usable_cores, workers_possible

MAX_JOBS = 64
USEFUL_JOBS = 2  # more than storing keeps up with
START_BYTES = 1 << 20  # an input of so many bytes, or
START_LINES = 4000  # of so many lines is worth the tenth of a second that starting a process takes
MAX_WAITING_BYTES = 32 * 2**20

Store = Callable[[LineBatch, EventBatch, int], None]
"""Stores a batch: (its lines, its events, bytes of the input read by then)."""


def jobs_to_use(jobs: int | None) -> int:
    """How many workers to start. `jobs`: as a person said, None for what is of use here."""
    if jobs is None:
        jobs = min(usable_cores(), USEFUL_JOBS)
    if not 1 <= jobs <= MAX_JOBS:
        raise UsageError(
            f"{jobs} jobs make no sense", hint=f"give 1 (no further process) to {MAX_JOBS}"
        )
    return jobs if jobs > 1 and workers_possible() else 0


class _Waiting(msgspec.Struct):
    lines: LineBatch
    done: int
    size: int


class LinePreparing:
    """Takes batches of lines in order, and stores them in that order.

    `reading` says how lines are read. `store` is called for each batch, `position` asked where
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
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
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
        taken = _Waiting(lines, done, sum(map(len, lines.lines)))
        if not self._jobs or not self._ask(taken):
            self._store(lines, self._reading.events(lines), done)
        self._lines += len(lines.lines)
        worth_it = self._lines >= START_LINES or (total or 0) >= START_BYTES
        if self._jobs and self._workers is None and worth_it:
            # Only now is it settled what the lines are.
            self._workers = Workers(BEGIN, setup_of(self._reading.options), self._jobs)

    def drain(self) -> None:
        """Stores everything that was taken."""
        while self._waiting:
            self._store_oldest()

    def _ask(self, taken: _Waiting) -> bool:
        """Have a worker prepare it, once there is room; False if none is ready."""
        if self._workers is None:
            return False
        while self._waiting_bytes and self._waiting_bytes + taken.size > MAX_WAITING_BYTES:
            self._store_oldest()
        while True:
            position = self._position() + sum(len(each.lines.lines) for each in self._waiting)
            if self._workers.submit(request_of(position, taken.lines.lines)):
                self._waiting.append(taken)
                self._waiting_bytes += taken.size
                return True
            if not self._waiting:
                return False
            self._store_oldest()

    def _store_oldest(self) -> None:
        oldest = self._waiting.popleft()
        self._waiting_bytes -= oldest.size
        try:
            answer = self._workers.next() if self._workers else None
            batch = unpack_batch(answer) if answer else self._reading.events(oldest.lines)
            self._store(oldest.lines, batch, oldest.done)
        except BaseException:
            self._waiting.clear()
            raise
