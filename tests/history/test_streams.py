"""The stream index at every point of branches: postings in runs, in commit rows, across forks."""

from __future__ import annotations

import tempfile
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import Damage, NotFound
from evgit.history.points import Point
from evgit.history.streams import PENDING_POSTINGS
from evgit.history.words import decode_words, encode_words, paired
from evgit.repository import Repository
from tests.history.making import event, events, new, row

sizes = st.lists(
    st.sampled_from(
        [0, 1, 2, 3, PENDING_POSTINGS - 1, PENDING_POSTINGS, PENDING_POSTINGS + 1, 150]
    ),
    min_size=1,
    max_size=8,
)


def positions_by_stream(repository: Repository, revision: str) -> dict[str, list[int]]:
    """What a scan of the whole log finds."""
    found: dict[str, list[int]] = {}
    for position, one in enumerate(repository.events(revision)):
        found.setdefault(one.stream, []).append(position)
    return found


def check(repository: Repository, revision: str) -> None:
    index = repository.history.streams
    tip = row(repository, revision)
    scanned = positions_by_stream(repository, revision)
    for size in {0, 1, 63, 64, 65, tip.size // 2, tip.size - 1, tip.size}:
        if not 0 <= size <= tip.size:
            continue
        counts = index.counts(tip, size)
        for name, positions in list(scanned.items())[:12]:
            number = index.number(name)
            assert number is not None
            expected = [p for p in positions if p < size]
            assert index.positions(tip, size, number) == expected
            assert index.count(tip, size, number) == len(expected)
            if expected:
                assert counts[number] == (len(expected), expected[-1])
        assert len(counts) == len([p for p in scanned.values() if p[0] < size])


@settings(max_examples=15)
@given(main=sizes, side=sizes, fork=st.integers(0, 8), streams=st.sampled_from([1, 3, 70]))
def test_both_sides_of_a_fork(main: list[int], side: list[int], fork: int, streams: int) -> None:
    with tempfile.TemporaryDirectory() as directory, new(Path(directory) / "r") as repository:
        heads, count = [repository.head().point.commit], 0
        for size in main:
            done = repository.append(events(count, count + size, streams), allow_empty=True)
            heads.append(done.head)
            count += size
        repository.branches.create("side", heads[min(fork, len(heads) - 1)])
        for size in side:
            added = events(count, count + size, streams)
            repository.append(added, branch="side", allow_empty=True)
            count += size
        check(repository, "main")
        check(repository, "side")


@pytest.mark.parametrize("before", [PENDING_POSTINGS - 2, PENDING_POSTINGS - 1, PENDING_POSTINGS])
def test_single_events_across_the_limit_of_pending(repository: Repository, before: int) -> None:
    """Postings move from commit rows into a run between one commit and the next: none is lost."""
    for number in range(before):
        repository.append([event(number, f"s-{number % 5}")])
    for number in range(before, before + 4):
        repository.append([event(number, f"s-{number % 5}")])
        check(repository, "main")
    pending = repository.history.streams.pending(row(repository).chain)
    assert len(pending) < PENDING_POSTINGS


def test_a_fork_inside_what_is_pending(repository: Repository) -> None:
    """The fork's parent still has its postings in commit rows, which move on the other side."""
    for number in range(40):
        repository.append([event(number, f"s-{number % 2}")])
    repository.branches.create("side", repository.resolve_commit("main~10"))
    repository.append([event(500, "s-0"), event(501, "t")], branch="side")
    repository.append(events(40, 140, 2))
    check(repository, "side")
    check(repository, "main")
    assert [e.position for e in repository.stream("t", "side")] == [31]


def test_streams_are_listed_by_name(repository: Repository) -> None:
    names = ["b", "a-1", "a-2", "a/x", "ä", "a-10"]
    repository.append([event(n, name) for n, name in enumerate(names)])
    repository.append([event(10, "a-1"), event(11, "a-1")])
    assert [s.name for s in repository.streams()] == sorted(names)
    assert [tuple(s) for s in repository.streams(prefix="a-")] == [
        ("a-1", 2, 7),
        ("a-10", 0, 5),
        ("a-2", 0, 2),
    ]
    assert [tuple(s) for s in repository.streams("main#2", "a")] == [("a-1", 0, 1), ("a-2", 0, 2)]
    assert list(repository.streams(Point(repository.head().point.commit, 0))) == []


def test_many_streams_are_listed_as_few_are(repository: Repository) -> None:
    """Listing takes another way from 65 names on; both must say the same."""
    repository.append(events(0, 300, 64))
    few = list(repository.streams())
    assert len(few) == 64
    repository.append(events(300, 301), message="one more stream makes it many")
    repository.append([event(302, "t-1")])
    many = list(repository.streams("main~2"))
    assert many == few
    assert [s for s in repository.streams("main") if s.name == "t-1"] == [("t-1", 0, 301)]


def test_reading_a_stream(repository: Repository) -> None:
    for start in range(0, 30, 10):
        repository.append(events(start, start + 10, 3))
    everything = list(repository.stream("s-1"))
    assert [e.revision for e in everything] == list(range(10))
    assert [e.event.data["n"] for e in everything] == list(range(1, 30, 3))
    assert list(repository.stream("s-1", start=3, stop=5)) == everything[3:5]
    assert list(repository.stream("s-1", start=-2)) == everything[-2:]
    assert list(repository.stream("s-1", backwards=True)) == everything[::-1]
    assert list(repository.stream("s-1", start=2, stop=6, backwards=True)) == everything[2:6][::-1]
    assert list(repository.stream("s-1", "main#8")) == everything[:3]
    assert repository.stream_revision("s-1", "main#7") == 2
    assert repository.stream_revision("s-1", "main#6") == 1
    assert repository.stream_revision("none") == -1
    assert list(repository.stream("s-1", start=99)) == []
    for name, revision in (("none", "main"), ("s-2", "main#1")):
        with pytest.raises(NotFound, match=name):
            list(repository.stream(name, revision))


def test_names_of_every_length_and_script(repository: Repository) -> None:
    names = ["x" * 240, "konto/ä-1", "账户-1", "🏦-1", "a b", 'quo"te\\', "%2F", "a@b"]
    repository.append([event(n, name) for n, name in enumerate(names)])
    for position, name in enumerate(names):
        assert [e.position for e in repository.stream(name)] == [position]
    assert [s.name for s in repository.streams()] == sorted(names, key=str.encode)


def test_a_wrong_posting_is_not_passed_off_as_the_stream(repository: Repository) -> None:
    repository.append([event(1, "a"), event(2, "b")])
    repository._connection.execute("UPDATE streams SET name='x' WHERE name='a'")
    repository._connection.execute("UPDATE streams SET name='a' WHERE name='b'")
    repository.history.forget()
    with pytest.raises(Damage, match="of stream 'a'"):
        list(repository.stream("a"))


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_words_come_back(words: list[int]) -> None:
    assert list(decode_words(encode_words(words))) == words


def test_words_are_little_endian() -> None:
    assert encode_words([1 << 32 | 5]).hex() == "0500000001000000"


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_words_of_two_halves(pairs: list[tuple[int, int]]) -> None:
    high, low = (array("I", [pair[half] for pair in pairs]) for half in (0, 1))
    assert list(paired(high, low)) == [one << 32 | other for one, other in pairs]


def test_many_new_streams_are_numbered_like_single_ones(tmp_path: Path) -> None:
    at_once, one_by_one = new(tmp_path / "a"), new(tmp_path / "b")
    log = events(0, 100, streams=40)
    for start, stop in ((0, 30), (30, 100)):
        at_once.append(log[start:stop])
        first = {one.stream: one for one in reversed(log[:stop])}
        for name in sorted({one.stream for one in log[start:stop]}):
            one_by_one.append([first[name]])  # a repetition changes nothing
    assert at_once.history.streams.names() == one_by_one.history.streams.names()
    at_once.history.forget()
    assert [found.position for found in at_once.stream("s-7")] == [7, 47, 87]
