"""Streams whose other end may not fall silent for ever, over real pipes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from evgit.cli.silence import not_for_ever
from evgit.errors import TransferInterrupted


class Pipes:
    """Two pipes: what the other side writes, and what it reads."""

    def __init__(self) -> None:
        self.source, self.theirs = os.pipe()
        self.taken, self.target = os.pipe()

    def close(self) -> None:
        for descriptor in (self.source, self.theirs, self.taken, self.target):
            os.close(descriptor)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    made.close()


def test_every_wait_has_all_of_the_time(pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    setitimer = signal.setitimer

    def noting(which: int, seconds: float) -> None:
        waits.append(seconds)
        setitimer(which, seconds)

    monkeypatch.setattr(signal, "setitimer", noting)
    with not_for_ever(pipes.source, pipes.target, 50) as (source, target):
        for number in range(3):
            os.write(pipes.theirs, b"%d\n" % number)
            assert source.readline() == b"%d\n" % number
        target.write(b"answer")
        target.flush()
    assert os.read(pipes.taken, 100) == b"answer"
    assert waits == [50, 0] * 4


def test_who_says_nothing_is_left(pipes: Pipes) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with not_for_ever(pipes.source, pipes.target, 0.05) as (source, _):
        with pytest.raises(TransferInterrupted, match=r"silent for 0\.05 seconds"):
            source.read(1)
        os.write(pipes.theirs, b"too late\n")
        with pytest.raises(TransferInterrupted):
            source.readline()
    assert signal.getsignal(signal.SIGALRM) is before


def test_who_takes_nothing_is_left(pipes: Pipes) -> None:
    with (
        not_for_ever(pipes.source, pipes.target, 0.05) as (_, target),
        pytest.raises(TransferInterrupted),
    ):
        target.write(bytes(1 << 20))


def test_much_goes_through_whole(pipes: Pipes) -> None:
    much = os.urandom(3 << 20)
    got = bytearray()

    def take() -> None:
        while len(got) < len(much):
            got.extend(os.read(pipes.taken, 1 << 16))

    taker = threading.Thread(target=take)
    taker.start()
    with not_for_ever(pipes.source, pipes.target, 60) as (_, target):
        target.write(much)
        target.flush()
    taker.join(60)
    assert bytes(got) == much
