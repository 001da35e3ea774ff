"""Re-appending a branch: events stay, commits are new, guards and rules are asked again."""

from __future__ import annotations

import pytest

from evgit.errors import Conflict, NotFound
from evgit.repository import Repository
from tests.history.making import SECOND, Clock, event, ids, merge


def fork(repository: Repository, *, guards: bool = False) -> tuple[str, str]:
    """main with 0, 1, 2; side, the current branch, with 0, 10, 11, 12; returns both heads."""
    base = repository.append([event(0)]).head
    repository.branches.create("side", base)
    main = repository.append([event(1), event(2, "s-1")]).head
    for number in (10, 11, 12):
        expected = {f"t-{number}": "none", "s-0": 0} if guards else {}
        side = repository.append(
            [event(number, f"t-{number}")],
            branch="side",
            message=f"side {number}",
            author="Bob <bob@example.org>",
            expected=expected,
        ).head
    repository.branches.set_head("ref: refs/heads/side", "switch", {})
    return main, side


def test_events_follow_and_commits_are_new(repository: Repository, clock: Clock) -> None:
    main, side = fork(repository)
    before = {name: ids(repository, name) for name in ("main", "side")}
    clock.now += SECOND
    done = repository.merging.rebase.start(main)
    assert ids(repository, "side") == before["main"] + before["side"][1:]
    assert ids(repository, "main") == before["main"]
    assert repository.head().branch == "side"
    assert done.head == repository.resolve_commit("side")
    assert [old for old, _ in done.written] == [
        *reversed(list(repository.commit_ids([side], [main])))
    ]
    entry = repository.commit(done.head).commit
    assert (entry.message, entry.author) == ("side 12", "Bob <bob@example.org>")
    assert entry.meta == {"reappended": side}
    assert repository.ancestry.may_fast_forward(main, done.head)
    assert repository.fsck().clean
    repository.reindex()
    assert repository.fsck().clean
    operation = next(repository.operations())
    assert operation.command == "rebase"
    assert operation.arguments["rewound"] == 1
    assert repository.branches.undo().number == operation.number
    assert repository.resolve_commit("side") == side
    repository.append([event(99)])
    assert repository.fsck().clean


def test_nothing_to_do_and_fast_forward(repository: Repository) -> None:
    main, side = fork(repository)
    again = repository.merging.rebase.start(repository.resolve_commit("side~1"))
    assert again.head == side
    assert again.written == [(side, side)]
    assert next(repository.operations()).command == "switch"
    repository.branches.set_head("ref: refs/heads/main", "switch", {})
    repository.merging.rebase.start(repository.resolve_commit("main~1"))
    assert repository.resolve_commit("main") == main
    repository.branches.create("old", repository.resolve_commit("main~1"))
    repository.branches.set_head("ref: refs/heads/old", "switch", {})
    assert repository.merging.rebase.start(main).head == main
    assert "rewound" not in next(repository.operations()).arguments


def test_guards_are_recorded_anew_and_stop(repository: Repository) -> None:
    main, side = fork(repository, guards=True)
    first = repository.resolve_commit("side~2")
    done = repository.merging.rebase.start(main)
    assert done.stopped == first
    (problem,) = done.problems
    assert (problem.kind, problem.stream, problem.revision) == ("guard", "s-0", 0)
    assert problem.events == [event(1).id]
    assert done.left == 3
    assert repository.resolve_commit("side") == side
    assert repository.head().branch is None
    assert repository.head().point.commit == main
    with pytest.raises(Conflict, match="a rebase is in progress"):
        repository.branches.undo()
    with pytest.raises(Conflict, match="a rebase is in progress"):
        repository.merging.rebase.start(main)
    still = repository.merging.rebase.go_on()
    assert still.stopped == first
    after = repository.merging.rebase.go_on(accept=True)
    assert after.stopped == repository.resolve_commit("side~1")
    assert after.left == 2
    with Repository.open(repository.layout.directory, clock=repository.clock) as other:
        skipped = other.merging.rebase.go_on(skip=True)
        assert skipped.stopped == side
        assert skipped.skipped == repository.resolve_commit("side~1")
        repository.append([event(50, "compensation")])
        final = other.merging.rebase.go_on(accept=True)
    assert final.stopped is None
    assert repository.head().branch == "side"
    streams = [e.stream for e in repository.events("side")]
    assert streams == ["s-0", "s-0", "s-1", "t-10", "compensation", "t-12"]
    entry = repository.commit(final.head).commit
    assert entry.guards == {"s-0": 1, "t-12": -1}
    assert entry.meta["accepted"] == [
        "stream 's-0' was decided on at revision 0: 1 event came before"
    ]
    assert repository.fsck().clean
    repository.branches.undo()
    assert repository.resolve_commit("side") == side
    assert repository.head().branch == "side"
    repository.branches.redo()
    assert repository.resolve_commit("side") == final.head
    with pytest.raises(NotFound, match="no rebase is in progress"):
        repository.merging.rebase.go_on()


def test_abort_leaves_everything_as_it_was(repository: Repository) -> None:
    main, _ = fork(repository, guards=True)
    before = {ref.name: ref.target for ref in repository.refs("")}
    assert repository.merging.rebase.start(main).stopped is not None
    repository.merging.rebase.go_on(accept=True)
    assert repository.merging.rebase.abort() == "ref: refs/heads/side"
    assert {ref.name: ref.target for ref in repository.refs("")} == before
    assert repository.merging.rebase.state() is None
    assert repository.branches.undo().command == "switch"


def test_all_accepted_or_none_asked(repository: Repository) -> None:
    main, side = fork(repository, guards=True)
    tried = repository.merging.rebase.start(main, dry_run=True)
    assert tried.stopped
    assert repository.resolve_commit("side") == side
    noted = repository.merging.rebase.start(main, accept_all=True)
    assert len(noted.accepted) == 1
    assert noted.stopped is None
    repository.branches.undo()
    blind = repository.merging.rebase.start(main, verify=False)
    assert not blind.accepted
    assert ids(repository, blind.head) == ids(repository, noted.head)


def test_onto_takes_a_part(repository: Repository) -> None:
    main, _ = fork(repository)
    upstream = repository.resolve_commit("side~2")
    done = repository.merging.rebase.start(upstream, main)
    assert [e.stream for e in repository.events("side")] == ["s-0", "s-0", "s-1", "t-11", "t-12"]
    assert len(done.written) == 2


def test_what_is_there_already_or_held_back_stays_out(repository: Repository) -> None:
    fork(repository)
    tip = merge(
        repository, "main", [repository.resolve_commit("side~1")], left_out=[event(11, "t-11").id]
    ).head
    repository.merging.rebase.start(tip)
    assert [e.stream for e in repository.events("side")] == ["s-0", "s-0", "s-1", "t-10", "t-12"]
    repository.branches.undo()
    repository.branches.undo()
    picked = repository.append([event(11, "t-11")], branch="main").head
    done = repository.merging.rebase.start(picked)
    assert done.gone == [repository.resolve_commit(f"{done.old}~1")]
    streams = ["s-0", "s-0", "s-1", "t-11", "t-10", "t-12"]
    assert [e.stream for e in repository.events("side")] == streams


def test_merges_become_linear(repository: Repository) -> None:
    main, _ = fork(repository)
    repository.branches.create("third", repository.resolve_commit("main~1"))
    third = repository.append([event(30, "u-0")], branch="third").head
    merge(repository, "side", [third], [event(31, "u-0")])
    repository.append([event(13, "t-13")], branch="side")
    done = repository.merging.rebase.start(main)
    streams = [e.stream for e in repository.events("side")]
    assert streams[3:] == ["t-10", "t-11", "t-12", "u-0", "u-0", "t-13"]
    assert all(len(repository.commit(new).commit.parents) == 1 for _, new in done.written)
    assert repository.fsck().clean


def test_a_key_that_another_event_has_stops(repository: Repository) -> None:
    fork(repository)
    repository.append([event(60, "k-0", key="a")], branch="side")
    other = repository.append([event(61, "k-0", key="a")], branch="main").head
    done = repository.merging.rebase.start(other)
    (problem,) = done.problems
    assert (problem.kind, problem.stream) == ("key", "k-0")
    assert done.left == 1
    assert repository.merging.rebase.go_on(skip=True).stopped is None


def test_a_branch_moved_meanwhile_is_noticed(repository: Repository) -> None:
    main, _ = fork(repository, guards=True)
    repository.merging.rebase.start(main)
    repository.append([event(70)], branch="side")
    with pytest.raises(Conflict, match="refs/heads/side was moved by another process"):
        repository.merging.rebase.go_on(accept=True)
    repository.merging.rebase.abort()
    assert len(ids(repository, "side")) == 5
