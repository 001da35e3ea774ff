"""Goes through the blocks of a transfer ahead of who stores them, in worker processes if worth it.

That begins while the transfer comes, as far as workers keep up and there is room for what they
say; the rest is done while it is stored. What is asked of a worker and can't be had of it is done
here: the outcome is the same with any number of workers, and with none. It must not know a
repository.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Self

from evgit.errors import EvgitError
from evgit.formats.native import native
from evgit.formats.transfer import Frame, WholeBlocks, transfer_frames, whole_blocks
from evgit.storage.jobs import jobs_to_use
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

if TYPE_CHECKING:
    from evgit.storage.workers import Workers

BEGIN = "evgit.sync.sound_chains:begin"
START_BYTES = 1 << 17 if native is None else 3 << 19
"""A compressed transfer of so many bytes is worth workers: the native part goes through less in the
time that it takes to start them and to hear of them."""
MAX_WAITING_BYTES = 32 << 20
"""Most that is held of lines, and of answers to what was asked while the transfer came."""

Refuse = Callable[[int, bytes], None]
"""Called with the number of the commit whose root is wrong, and the root that its log has."""
Found = tuple[WholeBlocks, list[Part]]


class _Asked:
    """What a worker was asked; once it is `done`, its `answer`, or None."""

    __slots__ = ("answer", "check", "done")

    def __init__(self, check: Callable[[bytes | None], None] | None = None) -> None:
        self.answer: bytes | None = None
        self.done = False
        self.check = check


class Preparing:
    """Used as a context manager. `jobs`: as `--jobs` has it."""

    def __init__(self, jobs: int | None) -> None:
        self._jobs = jobs_to_use(jobs)
        self._workers: Workers | None = None
        self._asked: deque[_Asked] = deque()
        self._early: deque[tuple[WholeBlocks, _Asked | None]] = deque()
        self._early_bytes = 0
        self._rest: Iterator[WholeBlocks] | None = None

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

    # ------------------------------------------------------------------ while it comes
    def ahead(self, chunks: Iterator[bytes], again: Callable[[int], Iterator[bytes]]) -> None:
        """Take all chunks of a transfer. Raises only what they raise: that what they hold is not as
        it should be is said when it is stored. `again` gives them later, from a byte on."""
        first, size = [], 0
        for chunk in chunks:
            first.append(chunk)
            size += len(chunk)
            if size >= START_BYTES and self._jobs:
                break
            if not self._jobs:
                first.clear()
        else:
            return
        from evgit.storage.workers import Workers

        self._workers = Workers(BEGIN, b"", self._jobs)
        coming = _Coming(chain(first, chunks))
        first = []
        self._rest = whole_blocks(transfer_frames(coming))
        try:
            for blocks in self._rest:
                folded = blocks.folded()
                self._early.append((folded, self._ask(request_of(blocks))))
                self._early_bytes += folded.held
                while self._workers.has_answer():
                    self._early_bytes += len(self._take_answer().answer or b"")
                if self._early_bytes > MAX_WAITING_BYTES:
                    break
        except EvgitError as error:
            if coming.failed:
                raise
            self._rest = _raising(error)
        for _ in chunks:
            pass
        coming.go_on(again(coming.given))

    # ------------------------------------------------------------------ while it is stored
    def parts(self, frames: Iterable[Frame]) -> Iterator[Found]:
        """Some whole blocks and what they consist of, in order. `frames`: of all of the transfer;
        not asked for where `ahead` went through them.

        Behind the last, all claims have been found right.
        """
        waiting: deque[tuple[WholeBlocks, _Asked]] = deque()
        held = 0
        for blocks, asked in self._all(frames):
            if asked is None:
                request = request_of(blocks) if self._workers else b""
                while (asked := self._ask(request)) is None and waiting:
                    held -= waiting[0][0].held
                    yield self._parts(*waiting.popleft())
            if asked is None:
                yield blocks, parts_of(blocks)
                continue
            waiting.append((blocks.folded(), asked))
            held += waiting[-1][0].held
            while waiting and (waiting[0][1].done or held > MAX_WAITING_BYTES):
                held -= waiting[0][0].held
                yield self._parts(*waiting.popleft())
        while waiting:
            yield self._parts(*waiting.popleft())
        while self._asked:
            self._take_answer()

    def _all(self, frames: Iterable[Frame]) -> Iterator[tuple[WholeBlocks, _Asked | None]]:
        while self._early:
            yield self._early.popleft()
        for blocks in whole_blocks(frames) if self._rest is None else self._rest:
            yield blocks, None

    def check(self, claim: Claim, refuse: Refuse) -> None:
        """See to it that `refuse` is called if a root is wrong, now or later."""

        def judge(answer: bytes | None) -> None:
            if answer != RIGHT:
                _check_now(claim, refuse)

        question = question_of(claim) if self._workers else b""
        while self._ask(question, judge) is None:
            if not self._asked:
                _check_now(claim, refuse)
                return
            self._take_answer()  # workers are to do this: who stores has enough to do

    # ------------------------------------------------------------------ workers
    def _ask(
        self, request: bytes, check: Callable[[bytes | None], None] | None = None
    ) -> _Asked | None:
        if self._workers is None or not self._workers.submit(request):
            return None
        asked = _Asked(check)
        self._asked.append(asked)
        return asked

    def _take_answer(self) -> _Asked:
        """Waits for the answer to what was asked first of what has had none."""
        assert self._workers is not None
        asked = self._asked.popleft()
        asked.answer, asked.done = self._workers.next(), True
        if asked.check is not None:
            asked.check(asked.answer)
        return asked

    def _parts(self, blocks: WholeBlocks, asked: _Asked) -> Found:
        while not asked.done:
            self._take_answer()
        answer, asked.answer = asked.answer, None
        return blocks, parts_in(answer) if answer else parts_of(blocks)


def _raising(error: EvgitError) -> Iterator[WholeBlocks]:
    raise error
    yield


class _Coming:
    """Chunks as they come. `failed`: was it they that raised? `given`: how many bytes came."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.failed = False
        self.given = 0

    def go_on(self, chunks: Iterator[bytes]) -> None:
        """Give these from now on."""
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            raise
        except BaseException:
            self.failed = True
            raise
        self.given += len(chunk)
        return chunk


def _check_now(claim: Claim, refuse: Refuse) -> None:
    wrong = wrong_claim(claim)
    if wrong is not None:
        refuse(*wrong)
