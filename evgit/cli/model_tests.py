"""Running a model's own tests: pytest, in a process of its own, where the model's files are.

It must not decide whether they may run: whoever calls it has made sure that the model is trusted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from evgit.errors import EvgitError, NotFound, UsageError
from evgit.repository import ModelFiles

PYTEST_USAGE, PYTEST_NONE = 4, 5
"""Exit codes of pytest (https://docs.pytest.org/en/stable/reference/exit-codes.html), which mean
other things here."""


def is_test(path: str) -> bool:
    """Is a model's file one that pytest runs?"""
    name = path.rpartition("/")[2]
    return name.startswith("test_") or name.endswith("_test.py")


def run_tests(directory: Path, files: ModelFiles, words: Sequence[str]) -> None:
    """Run the tests of the model in `directory`, all or those that `words` name.

    Raises NotFound where there are none, no pytest, or where they are not in the directory;
    UsageError for what pytest does not understand; EvgitError where tests fail or none was found.
    """
    if find_spec("pytest") is None:
        raise NotFound("pytest is not installed where evgit runs", hint="pip install 'evgit[test]'")
    tests = [path for path in files if is_test(path)]
    if not tests:
        raise NotFound(
            "the model has no tests", hint="write model/test_NAME.py; docs/testing-models.md shows"
        )
    if not all((directory / path).exists() for path in tests):
        raise NotFound(
            "the model's tests are not in the working tree",
            hint="evgit model checkout HEAD writes the files of the model",
        )
    chosen = any(
        (directory / word.partition("::")[0]).exists() for word in words if word[:1] != "-"
    )
    environment = dict(os.environ)
    paths = [str(directory), *(path for path in sys.path if path)]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # the working tree shows documents, not caches
    command = [sys.executable, "-m", "pytest", f"--rootdir={directory}", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *words, *([] if chosen else tests)],
        cwd=directory,
        env=environment,
        check=False,
    )
    if done.returncode == PYTEST_USAGE:
        raise UsageError("pytest did not take these arguments", hint="evgit model test -- --help")
    if done.returncode:
        raise EvgitError(
            "pytest found no tests to run"
            if done.returncode == PYTEST_NONE
            else "the model's tests did not pass"
        )


@contextmanager
def laid_out(files: ModelFiles) -> Iterator[Path]:
    """A model's files in a directory of their own, for as long as it takes."""
    with TemporaryDirectory(prefix="evgit-model-") as name:
        root = Path(name)
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        yield root
