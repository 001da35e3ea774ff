"""Shallow repositories against whole ones: what is here is the same, what is not is said."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings, strategies as st

from evgit.errors import BehindBoundary
from evgit.repository import Repository, clone
from evgit.sync.fetching import Fetch
from tests.history.making import Clock, events, ids, merge, new
from tests.sync.making import (
    USING,
    Step,
    cloned,
    fetched,
    grow,
    heads,
    pushed,
    steps,
    tracked,
)


def shallow(
    source: Repository, path: Path, depth: int = 1, branch: str | None = None
) -> Repository:
    """A bare shallow clone of a bare repository."""
    repository, _ = clone(
        str(source.layout.directory), path, using=USING, bare=True, depth=depth, branch=branch
    )
    return repository


def state_root(repository: Repository, commit: str) -> str:
    return repository.builtin_states.at(repository.log(commit)).root


def commits_here(repository: Repository, *tips: str) -> list[str]:
    found: list[str] = []
    with suppress(BehindBoundary):
        found.extend(repository.commit_ids(tips))
    return found


def assert_same(ours: Repository, theirs: Repository, tip: str) -> None:
    """What is here of a history is what the whole one has: ids, roots, streams, states."""
    assert ids(ours, tip) == ids(theirs, tip)
    assert ours.log(tip).root() == theirs.log(tip).root()
    assert list(ours.streams(tip)) == list(theirs.streams(tip))
    assert state_root(ours, tip) == state_root(theirs, tip)
    for commit in ours.commit_ids([tip], first_parent=True) if not ours.boundaries else ():
        assert ids(ours, commit) == ids(theirs, commit)


def assert_same_changes(ours: Repository, theirs: Repository, tip: str) -> None:
    """What each event did that is here is what it did in the whole history; then, if there may be
    more, it is said that it is not here."""
    floor = ours.log(tip).floor
    paths = [path for path, _ in theirs.state(tip).documents()]
    for under in ("", "streams", *paths):
        every = list(theirs.provenance.changes(theirs.resolve(tip), 0, under))
        there = [each for each in every if each.position >= floor]
        found: list[object] = []
        said = None
        try:
            found.extend(ours.provenance.changes(ours.resolve(tip), 0, under))
        except BehindBoundary as error:
            said = error
        assert found == there
        assert said is None or floor > 0
        assert said is not None or len(there) == len(every)
        assert list(ours.provenance.changes(ours.resolve(tip), floor, under)) == there


def assert_sound(repository: Repository) -> None:
    report = repository.fsck(jobs=1)
    assert report.problems == []
    assert {found.commit for found in report.boundaries} == {b.id for b in repository.boundaries}


def brought_in_from_behind(repository: Repository, tip: str) -> bool:
    """Has the branch merged what lies behind a boundary, without lying behind one itself? Then not
    all events are known, nor is a state, unless another branch has had the same log."""
    log, absent = repository.log(tip), repository.history.graph.boundaries
    return any(
        line in absent
        for first, count in log.ranges(log.floor, log.size)
        for line in range(first, first + count)
    )


@settings(max_examples=25)
@example(
    taken=[
        ("branch", "main", "a", 1),
        *[("append", "main", "main", 1)] * 2,
        ("merge", "a", "main", 1),
    ],
    depth=1,
    deeper=[],
    reindexed=False,
)
@given(steps(at_least=3), st.integers(1, 4), st.lists(st.integers(1, 3), max_size=3), st.booleans())
def test_a_shallow_clone_is_the_end_of_a_whole_one_and_grows_into_it(
    taken: list[Step], depth: int, deeper: list[int], reindexed: bool
) -> None:
    with TemporaryDirectory() as directory:
        place = Path(directory)
        clock = Clock()
        with new(place / "source", clock) as source:
            grow(source, clock, taken)
            with shallow(source, place / "shallow", depth) as copy:
                _grows_into_a_whole_one(source, copy, place, deeper, reindexed)


def _grows_into_a_whole_one(
    source: Repository, copy: Repository, place: Path, deeper: list[int], reindexed: bool
) -> None:
    here = heads(source)
    assert heads(copy) == {"main": here["main"]}
    assert_same(copy, source, here["main"])
    assert_same_changes(copy, source, here["main"])
    assert_sound(copy)
    with cloned(copy, place / "second") as second:
        assert commits_here(second, here["main"]) == commits_here(copy, here["main"])
        assert_same(second, copy, here["main"])
        assert_sound(second)
    if reindexed:
        copy.reindex()
        assert_sound(copy)
    fetched(copy, source, wanted=Fetch(branches=list(here)))
    for name, target in tracked(copy).items():
        assert target == here[name]
        assert ids(copy, target) == ids(source, target)
        try:
            assert state_root(copy, target) == state_root(source, target)
        except BehindBoundary:
            assert brought_in_from_behind(copy, target)
    assert_sound(copy)
    copy.append(events(100, 102, streams=3), branch="main")
    source.append(events(200, 202, streams=3), branch="main")
    with pytest.raises(Exception, match="not here"):
        pushed(copy, source, "main")
    before = heads(copy)["main"]
    fetched(copy, source)
    assert ids(copy, "origin/main") == ids(source, "main")
    merge(copy, "main", [tracked(copy)["main"]])
    assert before in commits_here(copy, heads(copy)["main"])
    copy.branches.create("main", tracked(copy)["main"], force=True)
    copy.append(events(102, 104, streams=3), branch="main")
    pushed(copy, source, "main")
    assert_same(copy, source, heads(source)["main"])
    known = commits_here(copy, heads(source)["main"])
    for more in deeper if copy.boundaries else ():
        fetched(copy, source, wanted=Fetch(more=more if copy.boundaries else 0))
        now = commits_here(copy, heads(source)["main"])
        assert set(known) <= set(now)
        known = now
        assert_same(copy, source, heads(source)["main"])
        assert_sound(copy)
    fetched(copy, source, wanted=Fetch(branches=list(heads(source)), all=bool(copy.boundaries)))
    assert not copy.boundaries
    assert_sound(copy)
    with cloned(source, place / "whole") as whole:
        assert tracked(whole) == tracked(copy)
        for target in heads(source).values():
            assert set(commits_here(copy, target)) == set(whole.commit_ids([target]))
            assert_same(copy, whole, target)
