"""reindex makes the very index that appending made, or changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from evgit.errors import Damage, InvalidObject
from evgit.repository import Repository
from evgit.storage.database import fetch_all
from evgit.storage.schema import INDEX_TABLES
from tests.history.making import SECOND, Clock, event, events, ids, merge, new, row


def index_of(repository: Repository) -> dict[str, list[Any]]:
    """Every row of every index table."""
    return {
        table: sorted(fetch_all(repository._connection, f"SELECT * FROM {table}"), key=repr)
        for table in INDEX_TABLES
    }


# What happens to a repository: append some events on one of the branches, fork, merge, append
# events that another branch has.
steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "append", "fork", "merge", "again"]),
        st.integers(0, 5),
        st.sampled_from([1, 2, 3, 70, 140]),
    ),
    max_size=14,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(given_steps=steps)
def test_the_index_made_again_is_the_index_that_was(
    given_steps: list[tuple[str, int, int]],
) -> None:
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as directory,
        new(Path(directory) / "r", clock) as repository,
    ):
        repository._connection.execute("PRAGMA synchronous=OFF")
        branches, count = ["main"], 0
        for what, which, size in given_steps:
            clock.now += SECOND
            branch, other = branches[which % len(branches)], branches[(which + 1) % len(branches)]
            if what == "fork":
                branches.append(f"b{len(branches)}")
                repository.branches.create(branches[-1], row(repository, branch).hex)
            elif what == "merge" and row(repository, branch) != row(repository, other):
                theirs = [i for i in ids(repository, other) if i not in ids(repository, branch)]
                merge(repository, branch, [row(repository, other).hex], left_out=theirs[:which])
            elif what == "again":
                repository.append(
                    [
                        *list(repository.events(other))[-size:],
                        event(90_000 + count, key=f"k{count}"),
                    ],
                    branch=branch,
                )
                count += 1
            else:
                repository.append(events(count, count + size, 5), branch=branch)
                count += size
        before = index_of(repository)
        assert repository.reindex() == repository.history.graph.count()
        after = index_of(repository)
        for table in INDEX_TABLES:
            assert after[table] == before[table], table
        assert repository.fsck().problems == []


def test_progress_and_count(tmp_path: Path) -> None:
    with new(tmp_path / "r") as repository:
        for start in range(0, 30, 3):
            repository.append(events(start, start + 3))
        seen: list[tuple[int, int]] = []
        assert repository.reindex(lambda done, total: seen.append((done, total))) == 11
        assert [done for done, _ in seen] == [1, *range(5, 42, 4)]
        assert {total for _, total in seen} == {41}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=9",
        "DELETE FROM blocks WHERE first_line=9",
        "UPDATE blocks SET frames=x'' WHERE first_line=9",
    ],
)
def test_with_a_damaged_block_nothing_changes(tmp_path: Path, damage: str) -> None:
    """The present index still finds what can be read, so it is left as it is."""
    with new(tmp_path / "r") as repository:
        for start in range(0, 30, 3):
            repository.append(events(start, start + 3))
        repository._connection.execute(damage)
        repository.history.forget()
        before = index_of(repository)
        with pytest.raises((Damage, InvalidObject)):
            repository.reindex()
        assert index_of(repository) == before
        assert repository.log("main").event(29) == event(29, "s-0")
        assert repository.append([event(100)]).size == 31


def test_going_on_after_it(tmp_path: Path) -> None:
    """What an appender remembered of a wrong index is forgotten with it."""
    with new(tmp_path / "r") as repository:
        repository.append(events(0, 20, 2), expected={"s-0": "none"})
        repository._connection.execute("UPDATE streams SET name='?' WHERE name='s-0'")
        repository._connection.execute("UPDATE streams SET name='s-0' WHERE name='s-1'")
        repository._connection.execute("UPDATE streams SET name='s-1' WHERE name='?'")
        repository._connection.execute("DELETE FROM commits WHERE number=0")
        repository.reindex()
        repository.append([event(20, "s-0")], expected={"s-0": 9, "s-1": 9})
        assert [e.revision for e in repository.stream("s-0")] == list(range(11))
        repository.branches.create("side", repository.id)
        repository.append([event(21, "s-1")], branch="side", expected={"s-1": "none"})
        assert repository.fsck().clean


def test_an_interrupted_reindex_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    class Interrupted(BaseException):
        pass

    with new(tmp_path / "r") as repository:
        for start in range(0, 300, 30):
            repository.append(events(start, start + 30, 4))
        before = index_of(repository)

        def stop(done: int, total: int) -> None:
            if done > total // 2:
                raise Interrupted

        with pytest.raises(Interrupted):
            repository.reindex(stop)
        assert index_of(repository) == before
        assert repository.append([event(1_000)]).size == 301
        assert repository.fsck().clean
