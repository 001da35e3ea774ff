"""Two who merge: at once in one repository, and in the same way in two clones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from evgit.errors import Conflict
from evgit.merging.merge import KIND
from evgit.repository import NewEvent, Repository

ROUNDS = 15
MERGED, SECOND, FAILED = 0, 7, 9


def prepared(directory: Path) -> None:
    with Repository.init(directory) as repository:
        repository.append([NewEvent("s-0", "begun")])
        repository.branches.create("side", repository.resolve_commit())
        diverge(repository)


def diverge(repository: Repository) -> None:
    repository.append([NewEvent("ours", "noted")])
    repository.append([NewEvent("theirs", "noted")], branch="side")


def merging(directory: Path, gate: int) -> int:
    """In a process of its own: wait until the gate is shut, merge, tell how that went."""
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        with Repository.open(directory) as repository:
            theirs = repository.resolve_commit("side")
            os.read(gate, 1)
            kind = repository.merging.merge.start(theirs).kind
            code = MERGED if kind == "merged" else SECOND if kind == "current" else FAILED
    except Conflict:
        code = SECOND
    finally:
        os._exit(code)


def test_one_of_two_merges_and_the_other_is_told(tmp_path: Path) -> None:
    prepared(tmp_path)
    for _ in range(ROUNDS):
        gate, key = os.pipe()
        children = [merging(tmp_path, gate) for _ in "ab"]
        os.write(key, b"..")
        ends = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        os.close(gate)
        os.close(key)
        assert ends == [MERGED, SECOND]
        with Repository.open(tmp_path) as repository:
            assert next(repository.operations()).command == KIND
            assert repository.in_progress() is None
            log = list(repository.log().ids())
            assert len(log) == len(set(log))
            diverge(repository)
    with Repository.open(tmp_path) as repository:
        assert repository.fsck().problems == []


def test_two_clones_that_merge_the_same_way_get_the_same(tmp_path: Path) -> None:
    prepared(tmp_path / "one")
    with Repository.open(tmp_path / "one") as repository:
        repository.append([NewEvent("both", "noted")])
        left_out = repository.append([NewEvent("both", "noted")], branch="side").ids
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    commits = []
    for name in ("one", "other"):
        with Repository.open(tmp_path / name, author=f"{name} <{name}@example.org>") as repository:
            merge = repository.merging.merge
            assert merge.start(repository.resolve_commit("side")).kind == "waiting"
            merge.leave_out(events=left_out)
            done = merge.go_on()
            commit = repository.commit(done.head).commit
            assert commit.author.startswith(name)
            commits.append((commit.log, commit.parents, commit.merge, commit.message, commit.meta))
            commits[-1] += (repository.state().root,)
    assert commits[0] == commits[1]
