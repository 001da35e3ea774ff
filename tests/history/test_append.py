"""Appending: what is new and what is not, expected revisions, keys, limits, atomicity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evgit.errors import (
    Conflict,
    InvalidEvent,
    InvalidInput,
    InvalidName,
    InvalidTime,
    KeyReused,
    NotFound,
    UsageError,
    WrongExpectedRevision,
)
from evgit.formats.commit import MAX_EVENTS, MAX_GUARDS
from evgit.formats.event import Event, is_again
from evgit.formats.times import to_text
from evgit.history.recording import CLOCK_TOLERANCE
from evgit.repository import NewEvent, Repository
from tests.history.making import NOW, SECOND, Clock, event, events, ids, merge, new


def state_of(repository: Repository) -> tuple[list[str], list[Any], int]:
    """What must be just the same after an append that was refused."""
    return ids(repository), repository.refs(""), repository.history.graph.count()


# ---------------------------------------------------------------------------- what is appended


def test_a_single_event(repository: Repository) -> None:
    done = repository.append([event(1)], message="first", meta={"why": "because"})
    assert (done.appended, done.already, done.size) == (1, 0, 1)
    assert done.commit == done.head == repository.head().point.commit
    assert done.ids == [event(1).id]
    assert done.warnings == []
    commit = repository.commit(done.head).commit
    assert (commit.events, commit.message, commit.meta) == (1, "first", {"why": "because"})
    assert (commit.author, commit.guards, commit.recorded) == ("Ada <ada@example.org>", {}, None)
    assert commit.time == to_text(NOW)
    assert repository.event(event(1).id) == event(1)
    assert repository.read_object(done.head) == ("commit", commit.canonical())
    assert repository.read_object(event(1).id) == ("event", event(1).canonical())


def test_several_streams_in_one_commit(repository: Repository) -> None:
    batch = [event(1, "a"), event(2, "b"), event(3, "a"), event(4, "c")]
    done = repository.append(batch)
    assert list(repository.events()) == batch
    assert [e.position for e in repository.added_events(done.head)] == [0, 1, 2, 3]
    assert [tuple(s) for s in repository.streams()] == [("a", 1, 2), ("b", 0, 1), ("c", 0, 3)]


def test_nothing_is_appended_when_one_event_is_wrong(repository: Repository) -> None:
    repository.append([event(1)])
    before = state_of(repository)
    bad = [
        NewEvent("s-0", "done", {"x": float("nan")}),
        NewEvent("$model", "done"),
        NewEvent("", "done"),
        NewEvent("s-0", ""),
        NewEvent("s-0", "done", version=0),
        NewEvent("s-0", "done", key=""),
        NewEvent("s-0", "done", blobs={"xyz": 1}),
        Event(stream="s-0", type="done", data={}, time="soon"),
    ]
    for one in bad:
        with pytest.raises((InvalidEvent, InvalidName)):
            repository.append([event(2), one])
    assert state_of(repository) == before


def test_to_another_branch_and_to_a_detached_head(repository: Repository) -> None:
    first = repository.append([event(1)])
    repository.branches.create("side", first.head)
    repository.append([event(2)], branch="side")
    assert ids(repository, "main") == [event(1).id]
    repository.branches.set_head(first.head, "switch", {})
    done = repository.append([event(3)])
    assert repository.head().branch is None
    assert repository.head().point.commit == done.head
    assert ids(repository, "main") == [event(1).id]
    assert ids(repository) == [event(1).id, event(3).id]
    with pytest.raises(NotFound, match="refs/heads/none"):
        repository.append([event(4)], branch="none")


def test_not_inside_a_commit(repository: Repository) -> None:
    done = repository.append(events(0, 5))
    repository.branches.set_head(f"{done.head}#3", "switch", {})
    assert repository.head().point.size == 3
    with pytest.raises(UsageError, match="inside a commit"):
        repository.append([event(9)])


def test_nothing_given(repository: Repository) -> None:
    with pytest.raises(UsageError, match="nothing to append"):
        repository.append([])
    done = repository.append([], allow_empty=True, message="a mark")
    assert (done.appended, done.size) == (0, 0)
    assert repository.commit(done.head).commit.message == "a mark"


def test_stamped_events_never_become_one(repository: Repository) -> None:
    """The clock stands still; the events are alike; they are all kept, in order."""
    made = [NewEvent("s-0", "deposit_made", {"amount": 5}) for _ in range(50)]
    repository.append(made)
    repository.append(made)
    stored = list(repository.events())
    assert len({e.id for e in stored}) == 100
    assert [e.time for e in stored] == sorted({e.time for e in stored})
    assert len({e.origin for e in stored}) == 1
    assert stored[0].origin


def test_a_given_time_is_stored_as_it_is_and_without_origin(repository: Repository) -> None:
    repository.append([NewEvent("s-0", "done", time="2026-01-01T05:00:00+02:00")])
    (stored,) = repository.events()
    assert (stored.time, stored.origin) == ("2026-01-01T03:00:00.000000Z", None)
    with pytest.raises(InvalidTime):
        repository.append([NewEvent("s-0", "done", time="yesterday")])


# ---------------------------------------------------------------------------- again


def test_appending_again_is_a_reported_no_op(repository: Repository) -> None:
    repository.append(events(0, 3))
    before = state_of(repository)
    done = repository.append(events(0, 3))
    assert (done.commit, done.appended, done.already, done.size) == (None, 0, 3, 3)
    assert done.head == repository.head().point.commit
    assert done.ids == ids(repository)
    assert state_of(repository) == before


def test_appending_again_does_not_mind_a_stale_expectation(repository: Repository) -> None:
    """A retry after a lost answer: what it expected was true when it was first appended."""
    repository.append([event(1)], expected={"s-0": "none"})
    repository.append([event(2)], expected={"s-0": 0})
    done = repository.append([event(1)], expected={"s-0": "none"})
    assert (done.commit, done.already) == (None, 1)


def test_a_partial_repetition_appends_the_rest(repository: Repository) -> None:
    repository.append(events(0, 4))
    done = repository.append([event(2), event(9), event(0), event(8)])
    assert (done.appended, done.already, done.size) == (2, 2, 6)
    assert done.ids == [event(n).id for n in (2, 9, 0, 8)]
    assert ids(repository)[4:] == [event(9).id, event(8).id]
    assert repository.commit(done.head).commit.events == 2


def test_a_partial_repetition_minds_its_expectation(repository: Repository) -> None:
    repository.append([event(1)])
    with pytest.raises(WrongExpectedRevision):
        repository.append([event(1), event(2)], expected={"s-0": "none"})
    assert len(ids(repository)) == 1


def test_twice_in_one_batch_is_once(repository: Repository) -> None:
    done = repository.append([event(1), event(2), event(1)])
    assert (done.appended, done.already) == (2, 1)
    assert done.ids == [event(1).id, event(2).id, event(1).id]
    assert ids(repository) == [event(1).id, event(2).id]


def test_an_event_of_another_branch_is_stored_once(repository: Repository) -> None:
    root = repository.head().point.commit
    repository.branches.create("side", root)
    repository.append(events(0, 3), branch="side")
    done = repository.append([event(7), event(1), event(8)])
    assert (done.appended, done.already, done.size) == (3, 0, 3)
    assert ids(repository) == [event(n).id for n in (7, 1, 8)]
    found = repository.history.graph.get(done.head)
    assert found.events == repository.commit(done.head).commit.events == 3
    lines = repository.history.blocks.lines(found.number, 3)
    assert [is_again(line) for line in lines] == [False, True, False]
    assert [e.position for e in repository.stream("s-0")] == [0, 1, 2]
    assert repository.locate(event(1).id, "main") == 1
    assert repository.locate(event(1).id, "side") == 1
    assert repository.locate(event(0).id, "main") is None
    assert list(repository._reader.own_ids(found)) == ids(repository)
    assert [e.id for e in repository.added_events(done.head)] == ids(repository)
    again = repository.append([event(1)])
    assert (again.commit, again.already) == (None, 1)
    assert repository.fsck().clean


def test_after_undo_the_same_events_can_be_appended(repository: Repository, clock: Clock) -> None:
    first = repository.append(events(0, 2))
    repository.branches.undo()
    assert ids(repository) == []
    clock.now += SECOND
    second = repository.append(events(0, 2))
    assert (second.appended, second.already) == (2, 0)
    assert second.head != first.head
    assert ids(repository) == [event(0).id, event(1).id]
    assert repository.fsck().clean


def test_the_very_same_commit_is_stored_once(repository: Repository) -> None:
    """Two imports of one file into two branches of one parent: equal commits, equal ids."""
    repository.branches.create("side", repository.head().point.commit)
    repository.branches.create("third", repository.head().point.commit)
    batch = events(0, 3)
    done = [
        repository.append(batch, branch=branch, recorded_at_event_times=True, message="import")
        for branch in ("main", "side", "third")
    ]
    assert {d.head for d in done} == {done[0].head}
    assert [d.appended for d in done] == [3, 3, 3]
    assert repository.history.graph.count() == 2
    more = repository.append([event(5)], branch="side")
    assert repository.commit(more.head).commit.parents == [done[0].head]
    assert repository.fsck().clean


def test_older_events_are_looked_up_and_newer_ones_are_not_missed(repository: Repository) -> None:
    """The quick way out (later than everything stored) must not be taken by mistake."""
    repository.append([event(100)])
    repository.append([event(5)])
    assert repository.append([event(100)]).commit is None
    assert repository.append([event(5)]).commit is None
    both = repository.append([event(101), event(100)])
    assert (both.appended, both.already) == (1, 1)
    equal_time = event(101, "s-2", time=NOW - 10**12 + 101 * SECOND)
    assert repository.append([equal_time]).appended == 1
    assert repository.append([equal_time]).appended == 0


# ---------------------------------------------------------------------------- expected revisions


def test_expected_revisions_are_checked_and_recorded(repository: Repository) -> None:
    first = repository.append([event(1, "a")], expected={"a": "none", "b": -1, "c": "any"})
    assert repository.commit(first.head).commit.guards == {"a": -1, "b": -1}
    second = repository.append([event(2, "a"), event(3, "b")], expected={"a": 0, "b": "none"})
    assert repository.commit(second.head).commit.guards == {"a": 0, "b": -1}
    third = repository.append([event(4, "z")], expected={"a": 1, "b": 0})
    assert repository.commit(third.head).commit.guards == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    ("stream", "expected", "actual"),
    [("a", 0, 1), ("a", 2, 1), ("a", "none", 1), ("b", 0, -1), ("b", 5, -1), ("a", -1, 1)],
)
def test_a_wrong_expectation_says_the_actual_revision(
    repository: Repository, stream: str, expected: Any, actual: int
) -> None:
    repository.append([event(1, "a"), event(2, "a")])
    before = state_of(repository)
    with pytest.raises(WrongExpectedRevision) as caught:
        repository.append([event(3, "a")], expected={stream: expected})
    assert (caught.value.stream, caught.value.actual) == (stream, actual)
    assert f"'{stream}' is at revision {'none' if actual < 0 else actual}" in str(caught.value)
    assert isinstance(caught.value, Conflict)
    assert f"--expect {'none' if actual < 0 else actual}" in caught.value.hint
    assert state_of(repository) == before
    assert repository.append([event(3, "a")], expected={"a": 1}).appended == 1


@pytest.mark.parametrize("expected", ["last", "1", "", True, 1.5, -2, None])
def test_an_expectation_that_is_none(repository: Repository, expected: Any) -> None:
    with pytest.raises(UsageError, match="not understood"):
        repository.append([event(1)], expected={"s-0": expected})
    with pytest.raises(InvalidName):
        repository.append([event(1)], expected={"": 1})


def test_expectations_after_many_appends_and_on_branches(repository: Repository) -> None:
    """What is remembered of revisions from one append to the next stays right."""
    for number in range(130):
        name = f"s-{number % 3}"
        expected = {f"s-{n}": (number - n + 2) // 3 - 1 for n in range(3)}
        repository.append([event(number, name)], expected=expected)
    repository.branches.create("side", repository.resolve_commit("main~60"))
    repository.append([event(500, "s-0")], branch="side", expected={"s-0": 23, "s-1": 22})
    repository.append([event(501, "s-0")], expected={"s-0": 43})
    with pytest.raises(WrongExpectedRevision, match="44"):
        repository.append([event(502, "s-0")], expected={"s-0": 43})
    repository.append([event(502, "s-0"), event(503, "s-0")], expected={"s-0": 44})
    repository.append([event(504, "s-0")], expected={"s-0": 46})


def test_guards_count_what_a_merge_brought(repository: Repository) -> None:
    root = repository.head().point.commit
    repository.branches.create("side", root)
    side = repository.append([event(1, "a"), event(2, "a")], branch="side")
    repository.append([event(3, "a")], expected={"a": "none"})
    merge(repository, "main", [side.head])
    with pytest.raises(WrongExpectedRevision) as caught:
        repository.append([event(4, "a")], expected={"a": 0})
    assert caught.value.actual == 2
    repository.append([event(4, "a")], expected={"a": 2})


# ---------------------------------------------------------------------------- keys


def test_a_retry_with_its_key_is_a_no_op(repository: Repository) -> None:
    first = repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k", meta={"by": "x"})])
    retry = repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k", meta={"by": "x"})])
    assert (retry.commit, retry.already) == (None, 1)
    assert retry.ids == first.ids, "the id of what is stored, not of what was given"
    other = repository.append([NewEvent("s-2", "paid", {"n": 1}, key="k", meta={"by": "x"})])
    assert other.appended == 1, "a key is unique in its stream only"


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"n": 2}},
        {"data": {"n": True}},
        {"data": {"n": "1"}},
        {"data": {}},
        {"type": "refunded"},
        {"version": 2},
        {"meta": {"by": "y"}},
    ],
)
@pytest.mark.parametrize("same_batch", [False, True])
def test_a_key_on_something_else_is_refused(
    repository: Repository, other: dict[str, Any], same_batch: bool
) -> None:
    said: dict[str, Any] = {"type": "paid", "data": {"n": 1}, "meta": {"by": "x"}, "key": "k"}
    one, two = NewEvent("s-0", **said), NewEvent("s-0", **{**said, **other})
    repository.append([event(1)])
    if same_batch:
        with pytest.raises(KeyReused, match="'s-0' already has an event with key 'k'"):
            repository.append([one, two])
    else:
        repository.append([one])
        before = state_of(repository)
        with pytest.raises(KeyReused, match="'s-0' already has an event with key 'k'"):
            repository.append([event(2), two])
        assert state_of(repository) == before
    assert repository.fsck().clean


def test_numbers_that_are_equal_in_canonical_form_are_one_key(repository: Repository) -> None:
    repository.append([NewEvent("s-0", "paid", {"n": 1.0, "m": [0]}, key="k")])
    assert repository.append([NewEvent("s-0", "paid", {"m": [-0.0], "n": 1}, key="k")]).already == 1


def test_a_key_twice_in_one_batch_is_once(repository: Repository) -> None:
    made = [NewEvent("s-0", "paid", {"n": n}, key=f"k{n}") for n in (1, 2, 1)]
    done = repository.append(made)
    assert (done.appended, done.already) == (2, 1)
    assert done.ids[0] == done.ids[2]


def test_many_keys_at_once(repository: Repository) -> None:
    made = [NewEvent(f"s-{n % 7}", "paid", {"n": n}, key=f"k{n}") for n in range(300)]
    assert repository.append(made).appended == 300
    assert repository.append(made).already == 300
    some = repository.append(
        [*made[:150], *(NewEvent("s-0", "paid", key=f"x{n}") for n in range(9))]
    )
    assert (some.appended, some.already) == (9, 150)


def test_keys_across_forks(repository: Repository) -> None:
    """A key counts in its log: another branch may use it, even for something else."""
    root = repository.append([NewEvent("s-0", "paid", {"n": 0}, key="old")]).head
    repository.branches.create("side", root)
    here = repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k")])
    there = repository.append([NewEvent("s-0", "paid", {"n": 2}, key="k")], branch="side")
    assert there.appended == 1
    assert repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k")]).ids == here.ids
    for branch in ("main", "side"):
        old = repository.append([NewEvent("s-0", "paid", {"n": 0}, key="old")], branch=branch)
        assert old.commit is None
    with pytest.raises(KeyReused):
        repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k")], branch="side")
    # The stored event itself on the other branch: an `again` line, and from then on its key.
    stored = repository.event(here.ids[0])
    repository.branches.create("third", root)
    assert repository.append([stored], branch="third").appended == 1
    retry = repository.append([NewEvent("s-0", "paid", {"n": 1}, key="k")], branch="third")
    assert retry.ids == here.ids
    assert repository.fsck().clean


# ---------------------------------------------------------------------------- limits and clocks


def test_as_many_events_as_a_commit_may_have(repository: Repository) -> None:
    many = events(0, MAX_EVENTS + 1, 5)
    before = state_of(repository)
    with pytest.raises(InvalidInput, match=f"{MAX_EVENTS + 1} events are too many"):
        repository.append(many)
    with pytest.raises(InvalidInput, match="expected revisions"):
        repository.append([event(1)], expected={f"x-{n}": "none" for n in range(MAX_GUARDS + 1)})
    assert state_of(repository) == before
    assert repository.append(many[:-1]).size == MAX_EVENTS
    assert repository.stream_revision("s-0") == (MAX_EVENTS - 1) // 5


def test_commit_times_never_decrease(repository: Repository, clock: Clock) -> None:
    repository.append([event(1)])
    clock.now -= 3_600 * SECOND
    done = repository.append([event(2)])
    assert repository.commit(done.head).commit.time == to_text(NOW)
    (warning,) = done.warnings
    assert to_text(NOW) in warning
    assert to_text(clock.now) in warning
    clock.now = NOW + SECOND
    same = repository.append([event(3)], commit_time=NOW)
    assert same.warnings == []
    earlier = repository.append([event(4)], commit_time=NOW - 1)
    assert len(earlier.warnings) == 1
    assert repository.fsck().clean


def test_a_commit_time_far_ahead_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidTime, match="10 minutes ahead"):
        repository.append([event(1)], commit_time=NOW + CLOCK_TOLERANCE + 1)
    assert ids(repository) == []
    done = repository.append([event(1)], commit_time=NOW + CLOCK_TOLERANCE)
    assert repository.commit(done.head).commit.time == to_text(NOW + CLOCK_TOLERANCE)


def test_an_event_far_ahead_is_not_the_commits_business(repository: Repository) -> None:
    done = repository.append([event(1, time=NOW + 10**15)])
    assert repository.commit(done.head).commit.time == to_text(NOW)


# ---------------------------------------------------------------------------- merges


def test_an_own_event_that_the_other_side_brings_is_not_doubled(repository: Repository) -> None:
    root = repository.head().point.commit
    repository.branches.create("side", root)
    side = repository.append([event(1), event(2)], branch="side")
    repository.append([event(3)])
    done = merge(repository, "main", [side.head], own=[event(2), event(9)])
    assert (done.appended, done.already) == (1, 1)
    assert ids(repository) == [event(n).id for n in (3, 1, 2, 9)]
    assert repository.stream_revision("s-0") == 3
    assert repository.fsck().clean


def test_a_left_out_event_appended_in_the_same_merge_comes_last(repository: Repository) -> None:
    root = repository.head().point.commit
    repository.branches.create("side", root)
    side = repository.append([event(1), event(2)], branch="side")
    done = merge(repository, "main", [side.head], own=[event(1)], left_out=[event(1).id])
    assert ids(repository) == [event(2).id, event(1).id]
    assert repository.history.indexer.held_back_lines(repository.history.graph.get(done.head)) == []
    assert repository.fsck().clean


def test_what_was_left_out_stays_out_until_it_is_appended(repository: Repository) -> None:
    root = repository.head().point.commit
    repository.branches.create("side", root)
    side = repository.append([event(1), event(2)], branch="side")
    repository.append([event(3)])
    merge(repository, "main", [side.head], left_out=[event(1).id])
    more = repository.append([event(4)], branch="side")
    merge(repository, "main", [more.head])
    assert ids(repository) == [event(n).id for n in (3, 2, 4)]
    done = repository.append([event(1)])
    assert done.appended == 1
    assert ids(repository)[-1] == event(1).id
    assert repository.fsck().clean


def test_leaving_out_takes_a_merge(repository: Repository) -> None:
    repository.append([event(1)])
    with pytest.raises(UsageError, match="only a merge"):
        merge(repository, "main", [], own=[event(2)], left_out=[event(1).id])
    with pytest.raises(NotFound):
        merge(repository, "main", [repository.head().point.commit], left_out=["0" * 64])


def test_two_repositories_never_share_what_they_stamp(tmp_path: Path) -> None:
    with new(tmp_path / "a") as one, new(tmp_path / "b") as two:
        assert one.id != two.id
        for repository in (one, two):
            repository.append([NewEvent("s-0", "done", {"x": 1})])
        assert next(one.events()).id != next(two.events()).id
