"""What the tests of faults share: a repository with some history, and a quick place for many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

IN_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def quick_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As `quick_path`, for all tests of a module."""
    with ExitStack() as stack:
        if IN_MEMORY.is_dir():
            made = tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="evgit-tests-")
            yield Path(stack.enter_context(made))
        else:
            yield tmp_path_factory.mktemp("quick")


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: for tests that sync often and not in earnest."""
    if not IN_MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="evgit-tests-") as directory:
        yield Path(directory)
