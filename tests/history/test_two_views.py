"""Two open repositories on one database: each sees what the other did, whatever it remembers."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evgit.errors import Conflict, KeyReused, WrongExpectedRevision
from evgit.repository import NewEvent, Repository
from evgit.storage.operations import RefChange
from tests.history.making import Clock, event, events, ids, merge, new, row


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Repository, Repository]]:
    clock = Clock()
    with (
        new(tmp_path / "r", clock) as one,
        Repository.open(tmp_path / "r", author="Bob <bob@example.org>", clock=clock) as other,
    ):
        yield one, other


def test_in_turn(two: tuple[Repository, Repository]) -> None:
    one, other = two
    for number in range(200):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer.append([event(number, f"s-{number % 3}")])
        assert reader.log().size == number + 1
        assert reader.log().root() == writer.log().root()
        assert reader.stream_revision(f"s-{number % 3}") == number // 3
    assert ids(one) == ids(other) == [event(n, f"s-{n % 3}").id for n in range(200)]
    assert one.fsck().clean
    assert [o.actor for o in one.operations()][:2] == [
        "Ada <ada@example.org>",
        "Bob <bob@example.org>",
    ]


def test_expectations_are_checked_against_what_is_there_now(
    two: tuple[Repository, Repository],
) -> None:
    """What an appender remembers of a branch is dropped as soon as the branch has moved."""
    one, other = two
    one.append([event(1)], expected={"s-0": "none"})
    other.append([event(2)], expected={"s-0": 0})
    with pytest.raises(WrongExpectedRevision) as caught:
        one.append([event(3)], expected={"s-0": 0})
    assert caught.value.actual == 1
    one.append([event(3)], expected={"s-0": 1})
    with pytest.raises(WrongExpectedRevision):
        other.append([event(4)], expected={"s-0": 1})


def test_repetitions_and_keys_of_the_other(two: tuple[Repository, Repository]) -> None:
    one, other = two
    one.append(events(0, 100))
    assert other.append(events(50, 100)).commit is None
    assert other.append(events(90, 110)).appended == 10
    assert one.append(events(0, 110)).already == 110
    one.append([NewEvent("s-0", "paid", {"n": 1}, key="k")])
    assert other.append([NewEvent("s-0", "paid", {"n": 1}, key="k")]).commit is None
    with pytest.raises(KeyReused):
        other.append([NewEvent("s-0", "paid", {"n": 2}, key="k")])


def test_a_branch_that_went_away_and_came_back(two: tuple[Repository, Repository]) -> None:
    one, other = two
    one.append([event(1)], branch="main")
    other.branches.undo()
    assert one.append([event(2)]).size == 1
    other.branches.create("side", other.id)
    one.append([event(3)], branch="side")
    other.branches.delete("side", force=True)
    other.branches.create("side", row(other, "main").hex)
    assert one.append([event(4)], branch="side").size == 2
    assert ids(one, "side") == ids(other, "side") == [event(2).id, event(4).id]
    assert one.fsck().clean


def test_forks_that_the_other_made(two: tuple[Repository, Repository]) -> None:
    """Chains and stream numbers that one has never seen, and a merge over both."""
    one, other = two
    one.append(events(0, 70, 3))
    for number in range(5):
        other.branches.create(f"b{number}", row(other, "main").hex)
        other.append([event(100 + number, f"t-{number}")], branch=f"b{number}")
        merge(one, "main", [row(one, f"b{number}").hex], own=[event(200 + number, "u")])
        assert [e.revision for e in one.stream(f"t-{number}")] == [0]
        assert other.stream_revision("u") == number
    assert ids(one) == ids(other)
    assert one.fsck().clean


def test_an_index_made_again_by_the_other(two: tuple[Repository, Repository]) -> None:
    one, other = two
    one.append(events(0, 300, 7))
    one.branches.create("side", row(one).hex)
    before = ids(one), [tuple(s) for s in one.streams()]
    other.reindex()
    assert (ids(one), [tuple(s) for s in one.streams()]) == before
    assert one.append(events(250, 350, 7)).appended == 50
    assert one.append([event(900, "new")], branch="side").size == 301
    assert other.fsck().clean


def test_the_other_deletes_what_we_are_about_to_move(two: tuple[Repository, Repository]) -> None:
    one, other = two
    one.branches.create("side", one.id)
    other.branches.delete("side")
    with pytest.raises(Conflict):
        one._refs.move([RefChange("refs/heads/side", one.id, one.id)])


def test_fsck_looks_at_one_moment(two: tuple[Repository, Repository]) -> None:
    """Another process appends, and merges index runs, while the check is under way."""
    one, other = two
    for start in range(0, 60, 2):
        one.append(events(start, start + 2, 5))
    added = 0

    def meanwhile(done: int, total: int) -> None:
        nonlocal added
        added += 200
        other.append(events(1_000 + added, 1_200 + added, 9))

    report = one.fsck(meanwhile)
    assert added > 0
    assert report.problems == []
    assert report.events == 60
    assert one.fsck().events == 60 + added


def test_a_reader_in_the_middle_of_a_log_is_not_disturbed(
    two: tuple[Repository, Repository],
) -> None:
    one, other = two
    one.append(events(0, 1_000))
    reading = one.events()
    first = [next(reading) for _ in range(10)]
    for number in range(30):
        other.append([event(5_000 + number)])
    other.reindex()
    assert [e.id for e in [*first, *reading]] == ids(one)[:1_000]


def test_writers_in_threads_of_their_own(tmp_path: Path) -> None:
    """Each with its own repository object; every event is there exactly once, in each's order."""
    with new(tmp_path / "r", Clock()) as repository:
        failures: list[BaseException] = []

        def write(number: int) -> None:
            try:
                with Repository.open(tmp_path / "r", clock=repository.clock) as mine:
                    for start in range(0, 40, 2):
                        mine.append(
                            [event(number * 1_000 + start + i, f"s-{number}") for i in range(2)]
                        )
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert repository.log().size == 160
        for number in range(4):
            read = [e.event.data["n"] for e in repository.stream(f"s-{number}")]
            assert read == list(range(number * 1_000, number * 1_000 + 40))
        assert repository.fsck().clean


def test_a_child_process_stamps_with_an_origin_of_its_own(tmp_path: Path) -> None:
    """After a fork, and in a new process: two alike events in one microsecond stay two."""
    program = """
import os, sys
import evgit
with evgit.init(sys.argv[1]) as repository:
    repository.append([evgit.NewEvent("s", "done")])
pid = os.fork()
with evgit.open(sys.argv[1]) as repository:
    repository.append([evgit.NewEvent("s", "done")])
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    with evgit.open(sys.argv[1]) as repository:
        print(*sorted({e.origin for e in repository.events()}))
        print(len({e.id for e in repository.events()}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "r")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    origins, count = done.stdout.splitlines()
    assert len(origins.split()) == 2
    assert count == "3"


def test_a_reader_that_remembers_much_sees_what_the_other_does(
    two: tuple[Repository, Repository],
) -> None:
    """Look-ups are remembered while nobody writes: not longer, and not over a roll-back."""
    one, other = two
    written: dict[str, list[str]] = {f"s-{n}": [] for n in range(4)}

    def all_is_seen() -> None:
        for reader in (one, other):
            for _ in range(3):  # from the second time on remembered
                for stream, there in written.items():
                    assert reader.stream_revision(stream) == len(there) - 1
                    found = list(reader.stream(stream)) if there else []
                    assert [each.event.id for each in found] == there
                    assert [each.revision for each in found] == list(range(len(there)))
                    back = list(reader.stream(stream, backwards=True)) if there else []
                    assert back == found[::-1]

    for number in range(1, 121):
        stream = f"s-{number % 3}"
        writer = one if number % 5 else other
        made = event(number, stream)
        writer.append([made])
        written[stream].append(made.id)
        if number % 30 == 0:
            one.gc()
        if number % 10 == 0:
            with pytest.raises(WrongExpectedRevision):
                writer.append([event(1000 + number, "s-3")], expected={stream: 0})
            all_is_seen()


def test_the_other_goes_to_another_branch(two: tuple[Repository, Repository]) -> None:
    one, other = two
    one.append([event(1)])
    one.branches.create("side", row(one, "main").hex)
    one.append([event(2)])
    assert [len(list(reader.stream("s-0"))) for reader in two] == [2, 2]
    one.branches.set_head("ref: refs/heads/side", "switch", {})
    assert [len(list(reader.stream("s-0"))) for reader in two] == [1, 1]
    other.append([event(3), event(4)])
    assert [len(list(reader.stream("s-0"))) for reader in two] == [3, 3]
    assert len(list(one.stream("s-0", "main"))) == 2
