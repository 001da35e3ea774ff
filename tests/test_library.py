"""The public library: what it exports, what it does not load, and whether its guide is true."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import evgit
from evgit import errors

CHECKOUT = Path(__file__).resolve().parents[1]
GUIDE = (CHECKOUT / "docs" / "library.md").read_text(encoding="utf-8")

PROMISED = """
AccessDenied AlreadyExists AmbiguousRevision Appended BehindBoundary Commit CommitEntry Conflict
Damage DamagedObject DocumentChange Event EventBatch EvgitError FieldChange HandlerFailed
InvalidEvent InvalidInput InvalidJSON InvalidModel InvalidName InvalidObject InvalidPath InvalidTime
InvariantViolated KeyReused LocalChanges Locked Log LogEvent ModelError NewEvent NotADatabase
NotAFastForward NotARepository NotDeterministic NotFound Point ReadOnly Repository SchemaViolated
State StorageFull StreamEvent StreamSummary TransferInterrupted Unavailable UnknownObject
UnknownRevision UnknownVersion UnsupportedFormat UntrustedModel UsageError WrongExpectedRevision
__version__ batch_from_lines init open
""".split()  # noqa: SIM905 - a list of names reads best so


# ---------------------------------------------------------------------------- exports


def test_what_is_exported_is_what_is_promised() -> None:
    assert sorted(evgit.__all__) == sorted(PROMISED)
    assert len(set(evgit.__all__)) == len(evgit.__all__)
    assert dir(evgit) == sorted(evgit.__all__)


@pytest.mark.parametrize("name", PROMISED)
def test_every_export_is_there_and_documented(name: str) -> None:
    value = getattr(evgit, name)
    if name != "__version__":
        assert value.__doc__, f"{name} has no docstring"
        assert value.__module__.startswith("evgit.")


def test_every_error_is_exported() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.EvgitError)
    }
    assert raised <= set(evgit.__all__)


def test_what_is_not_exported_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_thing'"):
        evgit.no_such_thing  # noqa: B018
    namespace: dict[str, Any] = {}
    exec("from evgit import *", namespace)  # noqa: S102 - what a user may write
    assert set(PROMISED) <= set(namespace)


def test_the_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z0-9.]+)?", evgit.__version__)


def test_the_package_says_that_it_is_typed() -> None:
    assert (CHECKOUT / "evgit" / "py.typed").is_file()


def test_public_methods_of_a_repository_are_documented_and_typed() -> None:
    for name, value in vars(evgit.Repository).items():
        if name.startswith("_"):
            continue
        function = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
        assert function.__doc__, f"Repository.{name} has no docstring"
        assert "return" in function.__annotations__, f"Repository.{name} has no return type"


# ---------------------------------------------------------------------------- what is loaded

USE = """
import sys
import evgit
with evgit.init(sys.argv[1]) as repository:
    opened = evgit.NewEvent("account-1", "opened", {"n": 1})
    repository.append([opened], expected={"account-1": "none"})
    repository.append(evgit.batch_from_lines(
        [b'{"stream":"account-1","type":"done","time":"2026-01-01T00:00:00Z","data":1.5}']))
    repository.branches.create("side", repository.head().point.commit)
    assert len(list(repository.events("main@{now}"))) == 2
    assert len(list(repository.stream("account-1"))) == 2
    assert len(repository.state("main~1")) == 1
    assert len(list(repository.diff("main~1", "main"))) == 1
    repository.checkout()
    assert repository.fsck().clean
    repository.reindex()
for name in ("click", "pygit2", "evgit.cli", "evgit.bridges", "tomlkit"):
    loaded = [m for m in sys.modules if m == name or m.startswith(name + ".")]
    assert not loaded, loaded
print("ok")
"""


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_using_the_library_loads_neither_the_command_line_nor_its_packages(tmp_path: Path) -> None:
    assert run(USE, str(tmp_path / "r")) == "ok\n"


def test_importing_alone_loads_almost_nothing() -> None:
    loaded = run(
        "import sys; before = set(sys.modules); import evgit; evgit.__version__;"
        " print(*sorted(m for m in set(sys.modules) - before if m.startswith('evgit')))"
    ).split()
    assert loaded == ["evgit", "evgit.errors"]


# ---------------------------------------------------------------------------- the guide


def blocks_of(page: str) -> list[tuple[str, str, int]]:
    """(language, text, line) of every fenced block."""
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [(m[1], m[2], page[: m.start()].count("\n") + 2) for m in found]


def test_the_guide_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All blocks in order, in one namespace; a block of text says what the one before printed."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "guide"}
    blocks = blocks_of(GUIDE)
    assert len([b for b in blocks if b[0] == "python"]) > 15
    for place, (language, text, line) in enumerate(blocks):
        if language != "python":
            assert blocks[place - 1][0] == "python", f"line {line}: output of nothing"
            continue
        printed = io.StringIO()
        code = compile("\n" * (line - 1) + text, "docs/library.md", "exec")
        with redirect_stdout(printed):
            exec(code, namespace)  # noqa: S102 - our own documentation
        following = blocks[place + 1] if place + 1 < len(blocks) else ("", "", 0)
        expected = following[1] if following[0] == "text" else ""
        assert printed.getvalue() == expected, f"docs/library.md, line {line}"


def test_the_guide_names_only_what_is_promised() -> None:
    for _, text, line in blocks_of(GUIDE):
        for name in re.findall(r"\bevgit\.([A-Za-z_]+)", text):
            assert name in PROMISED, f"docs/library.md, line {line}: evgit.{name}"


def test_the_example_of_the_package_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.search(r"\n\n((?:    .*\n|\n)+)\n", evgit.__doc__ or "")
    assert example is not None
    printed = io.StringIO()
    program = re.sub(r"^    ", "", example[1], flags=re.MULTILINE)
    with redirect_stdout(printed):
        exec(compile(program, "evgit", "exec"), {"__name__": "example"})  # noqa: S102
    assert "0 deposit_made {'amount': 500}" in printed.getvalue()
