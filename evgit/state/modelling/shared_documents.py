"""Documents of a keyed projection that several processes fold, each for a share of the streams.

Every process is told which stretches of the packs to take, and reads only what holds its own
streams; this one gets documents as bytes when they are asked for. A process gets the model's files,
from whoever trusts them already, and no repository. Whatever goes wrong there ends the attempt:
then everything is folded in one process, in log order, and that one says what is wrong.
"""

from __future__ import annotations

import sys
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

_encode = msgspec.msgpack.Encoder().encode


class _Setup(msgspec.Struct):
    files: dict[str, bytes]
    prefix: str
    skipped: Skipped
    share: Share


class _Request(msgspec.Struct):
    """A stretch to fold; or None: give all documents."""

    stretch: Stretch | None


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
        self._early: Stretch | None = None  # asked for, though nobody has taken it yet
        self._count = 0
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
        if self._early is None:
            self._ask_next()
        if self._early != stretch:
            raise Unclustered
        self._early = None
        self._count = sum(answer.count for answer in self._answers())
        yield

    def stored(self) -> dict[str, bytes | None]:
        """The bytes of all documents; the processes go on with the next stretch meanwhile."""
        self._ask(None)
        self._ask_next()
        answers = self._answers()
        found = dict(chain.from_iterable(answer.documents.items() for answer in answers))
        if len(found) < sum(len(answer.documents) for answer in answers):
            raise Unclustered  # streams of different shares have a document in common
        return found

    def _ask_next(self) -> None:
        self._early = next(self._coming, None)
        if self._early is not None:
            self._ask(self._early)

    def _ask(self, stretch: Stretch | None) -> None:
        request = _encode(_Request(stretch))
        if not all(pool.submit(request) for pool in self._pools):
            raise Unclustered

    def _answers(self) -> list[_Answer]:
        """The answers of all processes to what was asked first of what has had none."""
        found = []
        for pool in self._pools:
            answer = pool.next()
            if answer is None:
                raise Unclustered
            found.append(_decode_answer(answer))
        for each in found:
            if each.printed:
                sys.stderr.write(each.printed)
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
        stretch = _decode_request(request).stretch
        stored: dict[str, bytes | None] = {}
        with redirect_stderr(StringIO()) as printed:
            if stretch is None:
                stored = documents.stored()
            else:
                for _ in documents.take_stretch(stretch, told.share):
                    pass
        return _encode(_Answer(len(documents), printed.getvalue(), stored))

    return answer
