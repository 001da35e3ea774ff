"""A merge that is killed at any moment: the old state or the new one, and a way on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from evgit.merging.merge import KIND  # loaded here, so that no child spends its time on that
from evgit.repository import NewEvent, Repository

KILLS = 40


def prepared(directory: Path) -> None:
    with Repository.init(directory) as repository:
        repository.append([NewEvent("s-0", "begun")])
        repository.branches.create("side", repository.resolve_commit())
        repository.append([NewEvent("ours", "noted"), NewEvent("both", "noted")])
        repository.append([NewEvent("theirs", "noted"), NewEvent("both", "noted")], branch="side")


def merge_for_ever(directory: Path) -> None:
    """Begin, resolve, add, commit; or abort and begin again."""
    with Repository.open(directory) as repository:
        merge = repository.merging.merge
        while True:
            if merge.state() is None:
                if merge.start(repository.resolve_commit("side")).kind == "current":
                    repository.append([NewEvent("both", "noted")], branch="side")
                    repository.append([NewEvent("both", "noted")])
            elif random.random() < 0.2:
                merge.abort()
            else:
                merge.add([NewEvent("both", "checked")])
                merge.accept(None)
                merge.go_on()


def test_killed_while_merging(tmp_path: Path) -> None:
    prepared(tmp_path)
    chance = random.Random(1)
    merged = 0
    for _ in range(KILLS):
        child = os.fork()
        if not child:
            try:
                merge_for_ever(tmp_path)
            finally:
                os._exit(1)
        time.sleep(0.02 + 0.1 * chance.random())
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the merging process failed by itself"
        with Repository.open(tmp_path) as repository:
            log = [event.hex() for event in repository.log().ids()]
            assert len(log) == len(set(log))
            merged += any(each.command == KIND for each in repository.operations())
            state = repository.merging.merge.state()
            if state is not None:  # it waits where it was, and can go on or be left
                assert state.old == repository.resolve_commit()
                assert repository.merging.merge.waiting().kind == "waiting"
    assert merged
    with Repository.open(tmp_path) as repository:
        assert repository.fsck().problems == []
        if repository.in_progress() is not None:
            repository.merging.merge.abort()
        assert repository.merging.merge.start(
            repository.resolve_commit("side"), prefer="accept"
        ).kind in ("merged", "current")
