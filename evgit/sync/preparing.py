"""Goes through the blocks of a transfer ahead of who stores them, in worker processes if worth it.

What is asked of a worker and can't be had of it is done here: the outcome is the same with any
number of workers, and with none. It must not know a repository.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from evgit.storage.jobs import jobs_to_use
from evgit.storage.workers import Workers
from evgit.sync.sound_chains import (
    RIGHT,
    Claim,
    Part,
    parts_in,
    parts_of,
    question_of,
    request_of,
    wrong_claim,
)

BEGIN = "evgit.sync.sound_chains:begin"
START_BYTES = 1 << 19
"""A compressed transfer of so many bytes is worth the tenth of a second that starting a process
takes."""
MAX_WAITING_BYTES = 32 << 20

Refuse = Callable[[int, bytes], None]
"""Called with the number of the commit whose root is wrong, and the root that its log has."""
Blocks = tuple[list[bytes], list[Part]]


class _Asked(NamedTuple):
    """A question that a worker has. `lines`: of blocks; `claim`, `refuse`: else."""

    lines: list[bytes]
    size: int
    claim: Claim | None
    refuse: Refuse


class Preparing:
    """Used as a context manager. `size`: bytes of the transfer; `jobs`: as `--jobs` has it."""

    def __init__(self, jobs: int | None, size: int) -> None:
        count = jobs_to_use(jobs) if size >= START_BYTES else 0
        self._workers = Workers(BEGIN, b"", count) if count else None
        self._asked: deque[_Asked] = deque()
        self._held = 0

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

    def parts(self, chunks: Iterable[list[bytes]]) -> Iterator[Blocks]:
        """Some whole blocks' lines and what they consist of, for each of `chunks`, in order.

        Behind the last, all claims have been found right.
        """
        for lines in chunks:
            size = sum(map(len, lines))
            while self._asked and self._held + size > MAX_WAITING_BYTES:
                yield from self._oldest()
            request = request_of(lines) if self._workers else b""
            while not self._ask(request):
                if not self._asked:
                    yield lines, parts_of(lines)
                    break
                yield from self._oldest()
            else:
                self._asked.append(_Asked(lines, size, None, _nothing))
                self._held += size
        while self._asked:
            yield from self._oldest()

    def check(self, claim: Claim, refuse: Refuse) -> None:
        """See to it that `refuse` is called if a root is wrong, now or later."""
        if self._ask(question_of(claim) if self._workers else b""):
            self._asked.append(_Asked([], 0, claim, refuse))
        else:
            _check_now(claim, refuse)

    def _ask(self, request: bytes) -> bool:
        return self._workers is not None and self._workers.submit(request)

    def _oldest(self) -> Iterator[Blocks]:
        assert self._workers is not None
        asked = self._asked.popleft()
        self._held -= asked.size
        answer = self._workers.next()
        if asked.claim is None:
            yield asked.lines, parts_in(answer) if answer else parts_of(asked.lines)
        elif answer != RIGHT:
            _check_now(asked.claim, asked.refuse)


def _check_now(claim: Claim, refuse: Refuse) -> None:
    wrong = wrong_claim(claim)
    if wrong is not None:
        refuse(*wrong)


def _nothing(_number: int, _root: bytes) -> None:
    pass
