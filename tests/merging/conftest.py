"""A repository with a clock of its own, for the tests of merging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evgit.repository import Repository
from tests.history.making import Clock, new


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repository(tmp_path: Path, clock: Clock) -> Iterator[Repository]:
    with new(tmp_path / "r", clock) as repository:
        yield repository
