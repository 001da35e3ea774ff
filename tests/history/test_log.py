"""Logs: slices, points inside commits, single events, and what lies beyond the end."""

from __future__ import annotations

import json
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import DamagedObject, InvalidEvent, UnknownObject, UsageError
from evgit.formats.canonical import digest
from evgit.formats.event import Event
from evgit.history.points import Point
from evgit.repository import Repository
from evgit.storage.block_reading import checksum
from tests.history.making import event, events, ids, merge, new, row


@pytest.fixture
def merged(repository: Repository) -> Repository:
    """A log whose lines lie here and there: forks, a merge, an event appended again."""
    repository.append(events(0, 100, 3))
    fork = row(repository).hex
    repository.branches.create("side", fork)
    repository.append([event(200), event(201)])
    repository.append([event(300), event(201), event(301)], branch="side")
    repository.append([event(302)], branch="side")
    merge(repository, "main", [row(repository, "side").hex], own=[event(400)])
    repository.append([event(401)])
    return repository


def test_slices_are_slices(merged: Repository) -> None:
    log, expected = merged.log(), ids(merged)
    assert len(log) == log.size == len(expected) == 107
    ends = [0, 1, 50, 99, 100, 101, 102, 103, 105, 106, 107, 200]
    for start in ends:
        for stop in [*ends, None]:
            wanted = expected[start:stop]
            assert [i.hex() for i in log.ids(start, stop)] == wanted
            assert [e.id for e in log.events(start, stop)] == wanted
            assert [digest(line).hex() for line in log.lines(start, stop)] == wanted
            assert [e.id for batch in log.batches(start, stop) for e in batch] == wanted
            assert b"".join(log.texts(start, stop)).count(b"\n") == len(wanted)


def test_a_log_begins_with_another_as_lists_do(merged: Repository) -> None:
    ends = {"main": [0, 50, 100, 101, 102, 103, 106, 107], "side": [0, 99, 100, 101, 102, 104]}
    logs = [
        merged.log(Point(row(merged, name).hex, size))
        for name, sizes in ends.items()
        for size in sizes
    ]
    every = [list(log.ids()) for log in logs]
    answers = set()
    for log, own in zip(logs, every, strict=True):
        for other, first in zip(logs, every, strict=True):
            assert log.begins_with(other) is (own[: len(first)] == first)
            answers.add((log.row.chain == other.row.chain, log.begins_with(other)))
    assert len(answers) == 4


def test_single_events_and_beyond(merged: Repository) -> None:
    log, expected = merged.log(), ids(merged)
    for position in (0, 50, 99, 100, 102, 103, 106):
        assert log.event(position).id == expected[position]
        assert merged.locate(expected[position]) == position
        adder = merged.commit_adding(position)
        assert expected[position] in [e.id for e in merged.added_events(adder)]
    for beyond in (-1, 107, 10**9):
        with pytest.raises(UnknownObject):
            log.event(beyond)
        with pytest.raises(UnknownObject):
            merged.commit_adding(beyond)


def test_a_point_inside_a_commit_ends_the_log(merged: Repository) -> None:
    expected = ids(merged)
    tip = merged.resolve_commit()
    for size in (0, 1, 60, 100, 103, 107):
        log = merged.log(Point(tip, size))
        assert [i.hex() for i in log.ids()] == expected[:size]
        assert [i.hex() for i in log.ids(0, size + 50)] == expected[:size]
        assert log.root() == merged.log().root(size)
        assert merged.locate(expected[100], Point(tip, size)) == (100 if size > 100 else None)
        with pytest.raises(UnknownObject):
            log.event(size)
    for beyond in (-1, 108):
        with pytest.raises(UnknownObject, match="107 events"):
            merged.log(Point(tip, beyond))


def test_an_older_point_does_not_see_what_its_chain_got_later(merged: Repository) -> None:
    older = merged.resolve_commit("main~2")
    assert merged.log(older).size == 102
    with pytest.raises(UnknownObject):
        merged.commit_adding(104, older)


def test_boundaries_are_the_commits_that_add(merged: Repository) -> None:
    history, tip = merged.history, row(merged)
    everything = [r.hex for r in history.graph.first_parents(tip)][::-1][1:]
    assert [r.hex for r in history.boundaries(tip, 0, 107)] == everything
    assert [r.hex for r in history.boundaries(tip, 101, 103)] == everything[1:3]
    assert [r.hex for r in history.boundaries(tip, 106, 107)] == everything[3:]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.data())
def test_logs_of_any_shape(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory, new(Path(directory) / "r") as repository:
        count = 0
        for size in sizes:
            repository.append(events(count, count + size), allow_empty=True)
            count += size
        start = data.draw(st.integers(0, count))
        stop = data.draw(st.integers(start, count + 5))
        expected = [event(n).id for n in range(count)][start:stop]
        assert [i.hex() for i in repository.log().ids(start, stop)] == expected
        adders = {repository.commit_adding(p) for p in range(start, min(stop, count))}
        boundaries = [
            r for r in repository.history.boundaries(row(repository), start, stop) if r.added
        ]
        if start < stop:
            assert {r.hex for r in boundaries} == adders


def test_what_is_read_by_id(merged: Repository) -> None:
    for event_id in ids(merged)[::10]:
        kind, line = merged.read_object(event_id)
        assert kind == "event"
        assert digest(line).hex() == event_id
    for entry in merged.walk([merged.resolve_commit()]):
        kind, line = merged.read_object(entry.id)
        assert kind == "commit"
        assert digest(line).hex() == entry.id
        assert entry.size_before + len(list(merged.added_events(entry.id))) == entry.commit.log.size
    with pytest.raises(UnknownObject):
        merged.read_object("0" * 64)
    with pytest.raises(UnknownObject):
        merged.event(merged.id)


@pytest.mark.parametrize("text", ["", "zz", "main", "ä" * 64, "0" * 63, "0" * 65, "0x" + "0" * 62])
def test_what_is_no_id_is_not_found(merged: Repository, text: str) -> None:
    for ask in (
        merged.event,
        merged.commit,
        merged.read_object,
        merged.open_blob,
        lambda i: merged.branches.create("b", i),
        lambda i: list(merged.added_events(i)),
        lambda i: merged.log(Point(i, 0)),
    ):
        with pytest.raises(UnknownObject):
            ask(text)
    assert merged.tag(text) is None
    assert merged.locate(text) is None
    assert merged.blobs.size(text) is None


class Amount(msgspec.Struct):
    n: int = -1


class Fact(msgspec.Struct, gc=False):
    stream: str
    data: Amount


class Undecided(msgspec.Struct):
    data: Amount | Fact


class Dated(TypedDict):
    time: str


@dataclass
class Colour:
    colour: str


def test_events_are_read_into_the_members_that_matter(merged: Repository) -> None:
    log = merged.log()
    for start, stop in ((0, None), (0, 0), (7, 9), (98, 107)):
        whole = list(log.events(start, stop))
        facts = [fact for batch in log.batches(start, stop, into=Fact) for fact in batch]
        assert [(f.stream, f.data.n) for f in facts] == [
            (e.stream, e.data.get("n", -1)) for e in whole
        ]
        dated = [fact for batch in log.batches(start, stop, into=Dated) for fact in batch]
        assert dated == [{"time": e.time} for e in whole]
        bare = [fact for batch in log.batches(start, stop, into=dict) for fact in batch]
        assert bare == [json.loads(line) for line in log.lines(start, stop)]


@pytest.mark.parametrize("says", [-1, 1])
def test_a_frame_with_another_number_of_events_is_damage(repository: Repository, says: int) -> None:
    """Whoever decodes lines counts events; what is wrong is said as if lines had been counted."""
    repository.append(events(0, 400, 3))
    first = row(repository).number
    connection = repository.history.connection
    ((latest, directory),) = connection.execute(
        "SELECT latest, frames FROM blocks WHERE first_line=?", (first,)
    ).fetchall()
    words = array("I", directory)
    assert len(words) > 4
    words[3] += says
    connection.execute(
        "UPDATE blocks SET frames=?, checksum=? WHERE first_line=?",
        (words.tobytes(), checksum(first, latest, words.tobytes()), first),
    )
    for into in (Event, dict):
        found: list[Any] = []
        batches = repository.log().batches(into=into)
        with pytest.raises(DamagedObject, match=r"a frame holds \d+ lines, not"):
            found.extend(event for batch in batches for event in batch)
        assert len(found) == words[1]


def test_events_that_do_not_fit_are_refused(merged: Repository) -> None:
    with pytest.raises(InvalidEvent, match=r"can't be read as Colour: .*`colour`"):
        list(merged.log().batches(into=Colour))
    with pytest.raises(UsageError, match="can't be read as"):
        list(merged.log().batches(into=Undecided))
