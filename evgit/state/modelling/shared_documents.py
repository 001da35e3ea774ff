"""Documents of a keyed projection that several processes fold, each for a share of the streams.

Every process is told which stretches of the packs to take, and reads only what holds its own
streams; this one gets documents as bytes when they are asked for. A process gets the model's files,
from whoever trusts them already, and no repository. Whatever goes wrong there ends the attempt:
then everything is folded in one process, in log order, and that one says what is wrong.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from io import StringIO
from itertools import chain

import msgspec

from evgit.state.modelling.adapters import Skipped
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.live_documents import LiveAdapter, LiveDocuments
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.loader import load
from evgit.storage.jobs import jobs_to_use
from evgit.storage.stretches import Share, Stretch, StretchReader, Unclustered
from evgit.storage.worker_process import may_fork
from evgit.storage.workers import Workers

BEGIN = f"{__name__}:begin"
WORTH_FORKING = 100_000
"""From so many events on, processes pay that are there at once."""
WORTH_SPAWNING = 1_000_000
"""The same where each has to start an interpreter and load the model."""
AHEAD = 2
"""Stretches that are asked for behind the one that is folded: so no process waits for another, nor
for the one that asks them. Documents are then given with each, whether they are wanted or not."""
FEW_DOCUMENTS = 25_000
FEW_BYTES = 8 << 20
"""So many documents, of so many bytes together, are worth giving with each stretch."""

_encode = msgspec.msgpack.Encoder().encode


class _Setup(msgspec.Struct):
    files: dict[str, bytes]
    prefix: str
    skipped: Skipped
    share: Share


class _Request(msgspec.Struct):
    """A stretch to fold, if there is one. `gives`: are all documents to be given behind it?"""

    stretch: Stretch | None
    gives: bool


class _Answer(msgspec.Struct):
    """How many documents are held, what the model printed, and all documents if asked for."""

    count: int
    printed: str
    documents: dict[str, bytes | None]


_decode_setup = msgspec.msgpack.Decoder(_Setup).decode
_decode_request = msgspec.msgpack.Decoder(_Request).decode
_decode_answer = msgspec.msgpack.Decoder(_Answer).decode


def sharing(
    model: LoadedModel, skipped: Skipped, jobs: int | None
) -> Callable[[LiveAdapter, Sequence[Stretch]], SharedDocuments | None]:
    """What shares the documents of a model's projections among processes. `jobs`: how many, 1 for
    this one alone, None for what is of use here."""

    def share(adapter: LiveAdapter, stretches: Sequence[Stretch]) -> SharedDocuments | None:
        count, events = jobs_to_use(jobs), sum(each.size for each in stretches)
        if not count or events < (WORTH_FORKING if may_fork() else WORTH_SPAWNING):
            return None
        parts = StretchReader().shares(stretches, count)
        if len(parts) < 2:
            return None
        files = dict(model.files)
        return SharedDocuments(
            [_encode(_Setup(files, adapter.prefix, skipped, part)) for part in parts], stretches
        )

    return share


class SharedDocuments:
    """See evgit.state.projection.SharedDocuments."""

    def __init__(self, setups: Sequence[bytes], stretches: Sequence[Stretch]) -> None:
        """One process for each setup. `stretches`: all that are going to be taken, in order."""
        self._coming = iter(stretches)
        self._asked: deque[tuple[Stretch, bool]] = deque()  # what was asked for: does it give?
        self._given: dict[str, bytes | None] | None = None  # with the last stretch
        self._count = 0
        self._are_few = True
        self._pools: list[Workers] = []
        try:
            for setup in setups:
                self._pools.append(Workers(BEGIN, setup, 1))
            for pool in self._pools:
                pool.wait()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for pool in self._pools:
            pool.close()

    def take_stretch(self, stretch: Stretch) -> Iterator[None]:
        """Let the next of the stretches be folded."""
        self._ask_next(1, gives=self._are_few)
        asked, gives = self._asked.popleft()
        if asked != stretch:
            raise Unclustered
        answers, size = self._answers()
        self._count = sum(answer.count for answer in answers)
        self._given = _all_of(answers) if gives else None
        self._are_few = self._count <= FEW_DOCUMENTS and size <= FEW_BYTES
        if gives:
            self._ask_next(AHEAD if self._are_few else 1, gives=self._are_few)
        yield

    def stored(self) -> dict[str, bytes | None]:
        """The bytes of all documents; the processes go on with the next stretch meanwhile."""
        if self._given is None:
            self._ask(None, gives=True)
            self._ask_next(1, gives=self._are_few)
            self._given = _all_of(self._answers()[0])
        return self._given

    def _ask_next(self, number: int, *, gives: bool) -> None:
        """Have so many stretches asked for, or as many as there are."""
        while len(self._asked) < number:
            stretch = next(self._coming, None)
            if stretch is None:
                return
            self._ask(stretch, gives=gives)
            self._asked.append((stretch, gives))

    def _ask(self, stretch: Stretch | None, *, gives: bool) -> None:
        request = _encode(_Request(stretch, gives))
        if not all(pool.submit(request) for pool in self._pools):
            raise Unclustered

    def _answers(self) -> tuple[list[_Answer], int]:
        """The answers of all processes to what was asked first of what has had none, and how many
        bytes they are."""
        found, size = [], 0
        for pool in self._pools:
            answer = pool.next()
            if answer is None:
                raise Unclustered
            found.append(_decode_answer(answer))
            size += len(answer)
        for each in found:
            if each.printed:
                sys.stderr.write(each.printed)
        return found, size


def _all_of(answers: Sequence[_Answer]) -> dict[str, bytes | None]:
    """The documents of several processes. Raises Unclustered if they have one in common."""
    found = dict(chain.from_iterable(answer.documents.items() for answer in answers))
    if len(found) < sum(len(answer.documents) for answer in answers):
        raise Unclustered
    return found


# ---------------------------------------------------------------------- in the other processes
def begin(setup: bytes) -> Callable[[bytes], bytes]:
    """What answers requests."""
    told = _decode_setup(setup)
    with redirect_stderr(StringIO()):  # it has been loaded before, where somebody saw that
        model = load(ModelFiles(told.files))
    found = [each for each in model.adapters(told.skipped) if each.prefix == told.prefix]
    assert len(found) == 1
    (adapter,) = found
    assert isinstance(adapter, LiveAdapter)
    documents: LiveDocuments = adapter.live(lambda path: None)

    def answer(request: bytes) -> bytes:
        asked = _decode_request(request)
        stored: dict[str, bytes | None] = {}
        with redirect_stderr(StringIO()) as printed:
            if asked.stretch is not None:
                for _ in documents.take_stretch(asked.stretch, told.share):
                    pass
            if asked.gives:
                stored = documents.stored()
        return _encode(_Answer(len(documents), printed.getvalue(), stored))

    return answer
