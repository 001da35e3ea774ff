"""Looking back at an operation, forgetting old ones, and what is kept alive meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evgit.errors import Conflict, EvgitError, NotFound, UsageError
from evgit.history.kept import kept_commits
from evgit.repository import Repository
from evgit.storage import database
from evgit.storage.in_progress import InProgress
from evgit.storage.operations import ABORT, SINCE, RefChange
from tests.history.making import SECOND, Clock, event, ids


def moves(repository: Repository) -> None:
    repository.append([event(1)])
    repository.branches.create("side", repository.resolve_commit("HEAD"))
    repository.append([event(2)], branch="side")
    repository.append([event(3)])
    repository.branches.delete("side", force=True)


def record(repository: Repository, *changes: RefChange, command: str, **arguments: Any) -> int:
    with database.writing(repository._connection):
        repository._refs.move(list(changes))
        return repository._operations.record(
            list(changes), now=1, actor="Ada", writer="w", command=command, arguments=arguments
        )


def refs(repository: Repository) -> dict[str, str]:
    return {ref.name: ref.target for ref in repository.refs("")}


def test_the_repository_as_an_operation_left_it(repository: Repository) -> None:
    moves(repository)
    for operation in list(repository.operations()):
        expected = repository.branches.refs_at(operation.number)
        with Repository.open(repository.layout.directory, at_operation=operation.number) as past:
            assert refs(past) == expected
            assert next(past.operations()).number == operation.number
            assert past.head().point.commit == expected["refs/heads/main"]
            assert len(ids(past)) == past.head().point.size
    with pytest.raises(NotFound, match="no operation 99"):
        Repository.open(repository.layout.directory, at_operation=99)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.append([event(9)]),
        lambda r: r.branches.create("new", r.resolve_commit("HEAD")),
        lambda r: r.branches.undo(),
        lambda r: r.branches.restore(1),
        lambda r: r.branches.set_head("refs/heads/main", "switch", {}),
        lambda r: r.branches.expire_operations(1 << 61),
        lambda r: r.reindex(),
    ],
)
def test_the_past_can_only_be_looked_at(
    repository: Repository, change: Callable[[Repository], Any]
) -> None:
    moves(repository)
    before = refs(repository)
    with (
        Repository.open(repository.layout.directory, at_operation=3) as past,
        pytest.raises(UsageError, match="at operation 3 the repository can only be looked at"),
    ):
        change(past)
    assert refs(repository) == before


def test_what_refs_and_operations_keep(repository: Repository, clock: Clock) -> None:
    moves(repository)
    lost = repository.operation(6).changes[0].old
    clock.now += 100 * SECOND
    repository.append([event(7)])
    everything = {row.hex for row in kept_commits(repository.history, repository.branches.kept(0))}
    assert lost in everything
    assert len(everything) == repository.history.graph.count()
    late = clock.now
    alive = repository.branches.kept(late)
    kept_now = {row.hex for row in kept_commits(repository.history, alive)}
    assert kept_now == set(repository.commit_ids([repository.resolve_commit("HEAD")]))
    assert lost not in kept_now
    assert repository.branches.kept(None) == repository.branches.kept(0)


def test_tags_points_and_what_is_in_progress_keep_commits(repository: Repository) -> None:
    first = repository.append([event(1), event(2)]).head
    repository.append([event(3)])
    last = repository.append([event(4)]).head
    repository.branches.undo()
    repository.branches.set_head(f"{first}#1", "checkout", {})
    assert last not in {row.hex for row in repository.branches.kept(1 << 61).commits}
    with database.writing(repository._connection):
        InProgress(repository._connection).begin("rebase", {"todo": [last, "x"], "n": {last: 1}})
    alive = repository.branches.kept(1 << 61)
    assert {first, last} <= {row.hex for row in alive.commits}
    assert not alive.others


def test_old_operations_are_forgotten_but_for_the_newest(
    repository: Repository, clock: Clock
) -> None:
    moves(repository)
    clock.now += SECOND
    repository.append([event(5)], message="late")
    last = next(repository.operations()).number
    assert repository.branches.expire_operations(None) == 0
    assert repository.branches.expire_operations(clock.now, dry_run=True) == last - 1
    assert repository.branches.expire_operations(clock.now) == last - 1
    assert [o.number for o in repository.operations()] == [last]
    assert repository.branches.expire_operations(1 << 61) == 0
    assert repository.fsck().clean
    repository.branches.undo()
    assert len(ids(repository)) == 2
    with pytest.raises(EvgitError, match="nothing to undo"):
        repository.branches.undo()
    repository.branches.redo()
    assert len(ids(repository)) == 3


def test_what_took_several_operations_is_undone_at_once(repository: Repository) -> None:
    first = repository.append([event(1)]).head
    second = repository.append([event(2)], message="x").head
    record(repository, RefChange("refs/heads/other", None, first), command="branch")
    before = refs(repository)
    main, head = "refs/heads/main", "ref: refs/heads/main"
    began = record(repository, RefChange("HEAD", head, first), command="rebase")
    record(repository, RefChange("HEAD", first, second), command="commit")
    record(repository, RefChange("refs/heads/aside", None, first), command="branch")
    record(
        repository,
        RefChange("HEAD", second, head),
        RefChange(main, second, first),
        command="rebase",
        **{SINCE: began},
    )
    after = refs(repository)
    assert repository.branches.undo().number == began + 3
    assert refs(repository) == before | {"refs/heads/aside": first}
    assert repository.branches.undo().number == began + 2
    assert refs(repository) == before
    assert repository.branches.undo().number == began - 1
    repository.branches.redo()
    repository.branches.redo()
    repository.branches.redo()
    assert refs(repository) == after


def test_what_was_aborted_is_not_there_to_undo(repository: Repository) -> None:
    first = repository.append([event(1)]).head
    head = "ref: refs/heads/main"
    began = record(repository, RefChange("HEAD", head, first), command="rebase")
    record(
        repository,
        RefChange("HEAD", first, head),
        command="rebase" + ABORT,
        **{SINCE: began},
    )
    assert repository.branches.undo().command == "commit"
    assert ids(repository) == []


def test_undo_waits_for_what_is_in_progress(repository: Repository) -> None:
    head = repository.append([event(1)]).head
    with database.writing(repository._connection):
        InProgress(repository._connection).begin("merge", {})
    for move in (
        repository.branches.undo,
        repository.branches.redo,
        lambda: repository.branches.restore(1),
        lambda: repository.branches.set_head(head, "switch", {}),
        lambda: repository.branches.create_and_go("x", head, "switch"),
    ):
        with pytest.raises(Conflict, match="a merge is in progress"):
            move()
    assert len(list(repository.operations())) == 2
