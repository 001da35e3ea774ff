"""Single commits picked: events keep their ids, so nothing is applied twice."""

from __future__ import annotations

import pytest

from evgit.errors import Conflict, UsageError
from evgit.repository import Repository
from tests.history.making import event, ids, merge


def two_branches(repository: Repository) -> list[str]:
    base = repository.append([event(0)]).head
    repository.branches.create("side", base)
    return [
        repository.append(
            [event(10 + n, "t-0"), event(20 + n, f"u-{n}")],
            branch="side",
            expected={"t-0": n - 1 if n else "none"},
            message=f"side {n}",
        ).head
        for n in range(3)
    ]


def test_a_later_merge_does_not_apply_it_twice(repository: Repository) -> None:
    side = two_branches(repository)
    repository.append([event(1)])
    found = repository.merging.cherry_pick(side[:2], arguments={"commits": ["side"]})
    assert [old for old, _ in found.written] == side[:2]
    assert repository.resolve_commit("main") == found.head
    assert next(repository.operations()).arguments == {"commits": ["side"]}
    merge(repository, "main", [side[2]])
    log = ids(repository)
    assert len(log) == len(set(log)) == 8
    assert log[2:] == ids(repository, "side")[1:]
    assert repository.fsck().clean
    again = repository.merging.cherry_pick(side)
    assert (again.written, again.gone) == ([], side)
    assert ids(repository) == log


def test_a_commit_goes_as_a_whole_and_several_do(repository: Repository) -> None:
    side = two_branches(repository)
    before = {ref.name: ref.target for ref in repository.refs("")}
    found = repository.merging.cherry_pick([side[0], side[2]])
    assert (found.stopped, found.left) == (side[2], 1)
    (problem,) = found.problems
    assert (problem.stream, problem.missing) == (
        "t-0",
        [ids(repository, "side")[3]],
    )
    assert {ref.name: ref.target for ref in repository.refs("")} == before
    taken = repository.merging.cherry_pick([side[2]], accept=True, message="Anyway")
    entry = repository.commit(taken.head).commit
    assert (entry.message, entry.guards) == ("Anyway", {"t-0": -1})
    assert "accepted" in entry.meta


def test_what_follows_already_stays_as_it_is(repository: Repository) -> None:
    side = two_branches(repository)
    found = repository.merging.cherry_pick(side)
    assert found.written == [(each, each) for each in side]
    assert repository.resolve_commit("main") == side[-1]


def test_what_was_left_out_comes_back_on_purpose(repository: Repository) -> None:
    side = two_branches(repository)
    repository.append([event(1)])
    out = ids(repository, "side")[1:3]
    merge(repository, "main", [side[0]], left_out=out)
    assert not set(out) & set(ids(repository))
    repository.merging.cherry_pick([side[0]])
    assert ids(repository)[-2:] == out
    merge(repository, "main", [side[1]])
    assert len(ids(repository)) == 6
    assert repository.fsck().clean
    repository.reindex()
    assert repository.fsck().clean


def test_not_inside_a_commit_and_not_in_between(repository: Repository) -> None:
    side = two_branches(repository)
    repository.branches.set_head(f"{side[0]}#2", "checkout", {})
    with pytest.raises(UsageError, match="inside a commit"):
        repository.merging.cherry_pick([side[1]])
    repository.branches.set_head("ref: refs/heads/side", "switch", {})
    repository.append([event(40, "t-0")], branch="main", expected={"t-0": "none"})
    main = repository.resolve_commit("main")
    assert repository.merging.rebase.start(main).stopped
    with pytest.raises(Conflict, match="a rebase is in progress"):
        repository.merging.cherry_pick([side[1]])


def test_the_root_brings_nothing(repository: Repository) -> None:
    head = repository.append([event(0)]).head
    found = repository.merging.cherry_pick([repository.id, head])
    assert (found.written, found.gone) == ([], [repository.id, head])
    assert len(ids(repository)) == 1
