"""Many at once: writers queue and say so when they waited too long; readers never wait."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from evgit.errors import Locked, UsageError
from evgit.history import stamps
from evgit.repository import NewEvent, Repository
from tests.faults.making import ids, numbered, small_history


def in_child(work: object, *arguments: object) -> int:
    """Run a function in a forked child; its exit code (1 if it raised)."""
    child = os.fork()
    if not child:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_writer_that_waits_too_long_is_told(quick_path):
    small_history(quick_path)
    with (
        Repository.open(quick_path) as holder,
        Repository.open(quick_path, busy_timeout=0.2) as waiting,
    ):
        before = ids(holder)
        holder.history.connection.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(Locked, match="locked by another process") as told:
            waiting.append(numbered(900, 1))
        assert 0.1 < time.monotonic() - started < 5
        assert "nothing was changed" in told.value.hint
        assert ids(waiting) == before, "reading goes on meanwhile"
        holder.history.connection.execute("ROLLBACK")
        assert waiting.append(numbered(900, 1)).appended == 1
        assert waiting.fsck().problems == []


def test_a_reader_sees_one_log_while_another_appends(quick_path):
    small_history(quick_path)
    with Repository.open(quick_path) as reader, Repository.open(quick_path) as writer:
        expected = ids(reader)
        seen = []
        for number, event in enumerate(reader.events("main")):
            seen.append(event.id)
            if number % 20 == 0:
                writer.append(numbered(1000 + number, 20))
        assert seen == expected
        assert ids(reader)[: len(expected)] == expected
        assert len(ids(reader)) > len(expected)


def append_in_turn(directory: Path, number: int) -> None:
    with Repository.open(directory) as repository:
        for turn in range(12):
            # The same events from everybody, and some of one's own.
            repository.append(numbered(2000 + 3 * turn, 3))
            repository.append([NewEvent(f"own-{number}", "opened", {"turn": turn})])


def test_eight_writers_with_the_same_events(quick_path):
    small_history(quick_path)
    with Repository.open(quick_path) as repository:
        before = len(ids(repository))
    children = []
    for number in range(8):
        child = os.fork()
        if not child:
            try:
                append_in_turn(quick_path, number)
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * 8
    with Repository.open(quick_path) as repository:
        stored = ids(repository)
        assert len(stored) == len(set(stored)) == before + 36 + 8 * 12
        assert repository.stream_revision("own-5") == 11
        assert repository.fsck().problems == []


def test_one_of_many_wins_an_expected_revision(quick_path):
    small_history(quick_path)

    def decide(number: int) -> None:
        with Repository.open(quick_path) as repository:
            repository.append(
                [NewEvent("prize-1", "won", {"by": number})], expected={"prize-1": "none"}
            )

    assert sorted(in_child(decide, number) for number in range(4)) == [0, 1, 1, 1]
    with Repository.open(quick_path) as repository:
        assert repository.stream_revision("prize-1") == 0


def test_a_repository_does_not_pass_to_a_forked_child(quick_path):
    small_history(quick_path)
    with Repository.open(quick_path) as repository:

        def inherit() -> None:
            with pytest.raises(UsageError, match="before the process forked"):
                repository.append(numbered(900, 1))

        def open_again() -> None:
            with Repository.open(quick_path) as opened:
                opened.append(numbered(901, 1))

        assert in_child(inherit) == 0
        assert in_child(open_again) == 0
        assert repository.append(numbered(902, 1)).appended == 1
        assert repository.fsck().problems == []


def test_stamps_of_a_forked_child_have_another_origin(tmp_path):
    def note() -> None:
        (tmp_path / "child").write_text(f"{stamps.origin()} {stamps.stamp(0)}")

    stamps.stamp(stamps.now())
    assert in_child(note) == 0
    origin, stamp = (tmp_path / "child").read_text().split()
    assert origin != stamps.origin()
    assert len(origin) == 16
    assert stamp == "1", "a child counts for itself"


def test_stamps_of_threads_never_repeat():
    found: list[int] = []

    def take() -> None:
        mine = [stamps.stamp(0) for _ in range(2000)]
        assert mine == sorted(set(mine))
        found.extend(mine)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 8000


class Clock:
    def __init__(self) -> None:
        self.now = stamps.now()

    def __call__(self) -> int:
        return self.now


def test_a_clock_that_goes_back(quick_path):
    clock = Clock()
    Repository.init(quick_path).close()
    with Repository.open(quick_path, clock=clock) as repository:
        first = repository.append([NewEvent("till-1", "opened")])
        clock.now -= 3_600_000_000
        second = repository.append([NewEvent("till-1", "opened")])
        assert "behind the last commit" in " ".join(second.warnings)
        times = [repository.commit(done.head).commit.time for done in (first, second)]
        assert times[0] == times[1]
        one, two = repository.events()
        assert one.time < two.time, "stamps rise even so"
        assert repository.fsck().problems == []
