"""A repository that loses `cache.db`, or can't write it, still knows what its files show."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.errors import LocalChanges
from evgit.repository import NewEvent, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    with Repository.init(tmp_path / "r") as made:
        made.append([NewEvent("s0", "noted", {"v": 0}), NewEvent("s1", "noted", {"v": 1})])
        made.checkout()
    return Repository.open(tmp_path / "r")


def lose_the_cache(repository: Repository) -> Repository:
    repository.close()
    for file in repository.layout.directory.glob("cache.db*"):
        file.unlink()
    return Repository.open(repository.layout.directory)


def test_files_follow_after_the_cache_is_gone(repository: Repository) -> None:
    before = repository.head().point
    repository = lose_the_cache(repository)
    assert repository.working_tree.shown == before
    assert repository.working_tree.status(repository.state()).clean
    repository = lose_the_cache(repository)
    repository.append([NewEvent("s1", "noted", {"v": 10})])
    status = repository.working_tree.status(repository.state())
    assert (status.outdated, status.in_the_way) == (["streams/s1.json"], [])
    repository = lose_the_cache(repository)
    (repository.layout.directory.parent / "streams" / "s0.json").write_text("mine")
    assert repository.checkout().written == 1
    repository = lose_the_cache(repository)
    status = repository.working_tree.status(repository.state())
    assert (status.modified, status.outdated) == (["streams/s0.json"], [])
    assert status.shown == repository.head().point
    repository.close()


def test_a_cache_that_can_not_be_written(repository: Repository) -> None:
    """As on a read-only disk: everything about the files is still known."""
    repository.close()
    for file in repository.layout.directory.glob("cache.db*"):
        file.unlink()
    repository.layout.cache.mkdir()  # nobody can make a file of that name
    for _ in range(2):
        with Repository.open(repository.layout.directory) as reopened:
            status = reopened.working_tree.status(reopened.state())
            assert status.clean
            assert status.untracked == []
            assert status.shown == reopened.head().point
    with Repository.open(repository.layout.directory) as reopened:
        reopened.append([NewEvent("s1", "noted", {"v": 10})])
        assert reopened.checkout().written == 1
    with Repository.open(repository.layout.directory) as reopened:
        assert reopened.working_tree.status(reopened.state()).clean


@pytest.mark.parametrize("record", ["", "nonsense", "f" * 64 + "#1", None])
def test_a_record_that_is_lost_too_costs_no_edit(
    repository: Repository, record: str | None
) -> None:
    repository = lose_the_cache(repository)
    repository.layout.shown.unlink()
    if record is not None:
        repository.layout.shown.write_text(record)
    file = repository.layout.directory.parent / "streams" / "s0.json"
    file.write_text("mine")
    repository.append([NewEvent("s0", "noted"), NewEvent("s1", "noted", {"v": 10})])
    with pytest.raises(LocalChanges):
        repository.checkout()
    assert file.read_text() == "mine"
    assert repository.checkout(force=True).written == 2
    assert repository.working_tree.status(repository.state()).clean
    repository.close()
