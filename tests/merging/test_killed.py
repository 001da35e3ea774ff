"""Killed at any statement of a rebase, a what-if or an undo: the old state or the new."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evgit.repository import Repository
from tests.history.making import Clock, event, ids, new

Change = Callable[[Repository], Any]


def made(path: Path, *, guarded: bool) -> Repository:
    repository = new(path, Clock())
    base = repository.append([event(0)]).head
    repository.branches.create("side", base)
    repository.append([event(1)])
    for number in (10, 11):
        expected: Any = {"s-0": 0} if guarded and number == 11 else {}
        repository.append([event(number, "t-0")], branch="side", expected=expected)
    repository.branches.set_head("ref: refs/heads/side", "switch", {})
    return repository


def seen(repository: Repository) -> tuple[Any, ...]:
    state = repository.merging.rebase.state()
    refs = {ref.name: tuple(ids(repository, ref.name)) for ref in repository.refs("refs/")}
    return refs, repository.head().branch, state and (state.done, len(state.todo))


def killed(path: Path, change: Change, after: int) -> bool:
    """Do it in a process that dies at its statement number `after`; did it live to the end?"""
    child = os.fork()
    if not child:
        count = 0

        def trace(*_: Any) -> bool:
            nonlocal count
            count += 1
            if count > after:
                os._exit(9)
            return True

        with Repository.open(path, clock=Clock(), author="Ada") as repository:
            repository._connection.exec_trace = trace
            change(repository)
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def rebase(repository: Repository) -> Any:
    return repository.merging.rebase.start(repository.resolve_commit("main"))


def what_if(repository: Repository) -> Any:
    tip = repository.resolve_commit("side")
    return repository.merging.what_if(tip, without=ids(repository, "side")[1:2], branch="calm")


def go_on(repository: Repository) -> Any:
    return repository.merging.rebase.go_on(accept=True)


@pytest.mark.parametrize(
    ("guarded", "before", "change"),
    [
        (False, None, rebase),
        (True, None, rebase),
        (True, None, what_if),
        (True, rebase, go_on),
        (True, rebase, lambda r: r.merging.rebase.abort()),
        (False, rebase, lambda r: r.branches.undo()),
    ],
    ids=["rebase", "rebase that stops", "what-if", "continue", "abort", "undo"],
)
def test_the_old_state_or_the_new_one(
    guarded: bool, before: Change | None, change: Change, tmp_path: Path
) -> None:
    with made(tmp_path / "r", guarded=guarded) as repository:
        if before is not None:
            before(repository)
        old = seen(repository)
    finished, at = False, 0
    while not finished:
        finished = killed(tmp_path / "r", change, at)
        at += 3
        with Repository.open(tmp_path / "r", clock=Clock()) as repository:
            found = seen(repository)
            assert repository.fsck().problems == []
            if found != old:  # durable, though nobody was told
                break
    assert found != old
    assert at > 3
    with Repository.open(tmp_path / "r", clock=Clock(), author="Ada") as repository:
        if repository.in_progress() is not None:
            repository.merging.rebase.abort()
        repository.append([event(50)], branch="side")
        assert repository.fsck().clean
