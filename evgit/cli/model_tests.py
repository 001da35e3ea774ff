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

from evgit.errors import NotFound
from evgit.repository import ModelFiles


def is_test(path: str) -> bool:
    """Is a model's file one that pytest runs?"""
    name = path.rpartition("/")[2]
    return name.startswith("test_") or name.endswith("_test.py")


def run_tests(directory: Path, files: ModelFiles, words: Sequence[str]) -> int:
    """Run the tests of the model in `directory`, all or those that `words` name; pytest's exit
    code. Raises NotFound where there are none, or no pytest."""
    if find_spec("pytest") is None:
        raise NotFound("pytest is not installed where evgit runs", hint="pip install 'evgit[test]'")
    tests = [path for path in files if is_test(path)]
    if not tests:
        raise NotFound(
            "the model has no tests", hint="write model/test_NAME.py; docs/testing-models.md shows"
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
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


@contextmanager
def laid_out(files: ModelFiles) -> Iterator[Path]:
    """A model's files in a directory of their own, for as long as it takes."""
    with TemporaryDirectory(prefix="evgit-model-") as name:
        root = Path(name)
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        yield root
