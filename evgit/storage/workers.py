"""Work done ahead by other processes, for work that takes all the time Python has.

`Workers` starts processes of this interpreter, hands them requests, and gives the answers in the
order of the requests. Requests and answers are bytes. What can't be answered, because the worker
failed at it or is gone, comes back as None: whoever asked does it then, and no request is lost.

A script that uses evgit needs no `if __name__ == "__main__"` for it (`worker_process` starts them).
This module must not know what the requests are about.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from types import TracebackType
from typing import Self

from evgit.storage.worker import LENGTH_BYTES
from evgit.storage.worker_process import start

AHEAD = 6  # requests that a worker is given before their answers are taken
_CHUNK_BYTES = 1 << 20


class Workers:
    """`count` processes, each answering with `begin(setup)`, a function of bytes.

    `begin`: where that function is, as `module:name`. They start in the background: until one is
    ready, `submit` takes nothing. Used as a context manager, which ends them.
    """

    def __init__(self, begin: str, setup: bytes, count: int) -> None:
        self.lost = 0
        """How many workers ended before their time."""
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._asked: deque[_Worker] = deque()
        for _ in range(count):
            try:
                worker = _Worker(begin)
            except OSError:  # no more processes, or pipes: there will be fewer
                self.lost += 1
                continue
            self._workers.append(worker)
            self._selector.register(worker.answers_fd, selectors.EVENT_READ, worker)
            self._send(worker, setup)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes, whatever they are at."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._asked.clear()
        self._selector.close()

    def wait(self) -> None:
        """Waits until every worker is ready or gone: for who can't do the work alone."""
        while any(worker.alive and not worker.greeted for worker in self._workers):
            self._pump(None)

    def submit(self, request: bytes) -> bool:
        """Asks a worker, if one is ready and has not enough to do already."""
        self._pump(0)
        free = [w for w in self._workers if w.ready and w.asked < AHEAD]
        if not free:
            return False
        worker = min(free, key=lambda one: one.asked)
        self._asked.append(worker)
        worker.asked += 1
        self._send(worker, request)
        return True

    def has_answer(self) -> bool:
        """Can the oldest request that has not had an answer have one without waiting?"""
        return bool(self._asked) and (bool(self._asked[0].answers) or not self._asked[0].alive)

    def next(self) -> bytes | None:
        """The answer to the oldest request that has not had one; None: it has to be done again."""
        worker = self._asked.popleft()
        worker.asked -= 1
        while not worker.answers and worker.alive:
            self._pump(None)
        return worker.answers.popleft() or None if worker.answers else None

    # ------------------------------------------------------------------ pipes
    def _send(self, worker: _Worker, data: bytes) -> None:
        worker.to_write += (len(data).to_bytes(LENGTH_BYTES, "little"), memoryview(data))
        self._write(worker)

    def _pump(self, timeout: float | None) -> None:
        """Reads and writes what can be; waits for something to do if that is allowed."""
        for key, _ in self._selector.select(timeout):
            worker: _Worker = key.data
            if not worker.alive:
                continue
            if key.fd == worker.answers_fd:
                self._read(worker)
            else:
                self._write(worker)

    def _write(self, worker: _Worker) -> None:
        try:
            while worker.to_write:
                piece = worker.to_write[0]
                written = os.write(worker.requests_fd, piece)
                if written == len(piece):
                    worker.to_write.popleft()
                else:
                    worker.to_write[0] = memoryview(piece)[written:]
        except BlockingIOError:
            if not worker.writing:
                self._selector.register(worker.requests_fd, selectors.EVENT_WRITE, worker)
                worker.writing = True
            return
        except OSError:
            self._lose(worker)
            return
        if worker.writing:
            self._selector.unregister(worker.requests_fd)
            worker.writing = False

    def _read(self, worker: _Worker) -> None:
        try:
            chunk = os.read(worker.answers_fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            worker.take(chunk)
        else:
            self._lose(worker)

    def _lose(self, worker: _Worker) -> None:
        self.lost += 1
        self._selector.unregister(worker.answers_fd)
        if worker.writing:
            self._selector.unregister(worker.requests_fd)
        worker.end()


class _Worker:
    """One process, and what is under way to and from it."""

    def __init__(self, begin: str) -> None:
        self.process = start(begin)
        self.requests_fd = self.process.requests_fd
        self.answers_fd = self.process.answers_fd
        self.ready = self.process.at_once
        self.alive = True
        self.asked = 0  # requests whose answers were not taken yet
        self.to_write: deque[bytes | memoryview] = deque()
        self.writing = False
        self.answers: deque[bytes] = deque()
        self.greeted = False
        self._read = bytearray()

    def take(self, chunk: bytes) -> None:
        """More of its answers. The first one only says that it is ready."""
        self._read += chunk
        while len(self._read) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._read[:LENGTH_BYTES], "little")
            if len(self._read) < end:
                return
            answer = bytes(self._read[LENGTH_BYTES:end])
            del self._read[:end]
            if self.greeted:
                self.answers.append(answer)
            else:
                self.ready = self.greeted = True

    def end(self) -> None:
        """Ends the process."""
        self.alive = self.ready = False
        self.process.end()
