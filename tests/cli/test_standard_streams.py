"""Standard streams that are closed, full or gone: words and an exit code, never a traceback.

Above all: what is durable by then is never reported as if it had been refused.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from evgit import errors
from evgit.cli.commands import commit as commit_command

EVGIT = f'"{sys.executable}" -m evgit'
COMMIT = "commit -s s-1 -t thing_done"


@pytest.fixture
def shell(session):  # type: ignore[no-untyped-def]
    """Runs a line of real shell, in a repository with one event."""
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1")

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line.replace("evgit ", f"{EVGIT} ", 1)],
            cwd=session.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def last_commit(session) -> str:  # type: ignore[no-untyped-def]
    return str(json.loads(session.evgit("log", "-n1", "--json").out)["id"])


@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
@pytest.mark.parametrize("options", ["", "--json"])
def test_a_commit_whose_answer_is_lost_is_not_taken_for_refused(
    where, options, shell, session
) -> None:  # type: ignore[no-untyped-def]
    before = last_commit(session)
    done = shell(f"evgit {COMMIT} {options} {where}")
    commit = last_commit(session)
    assert commit != before
    assert done.returncode == 8
    assert f"commit {commit} is stored: 1 event appended" in done.stderr
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    if options:
        error = json.loads(done.stderr)
        assert error["exit_code"] == 8
        assert error["done"] == [f"commit {commit} is stored: 1 event appended"]


def test_a_commit_whose_reader_is_gone_says_that_it_is_stored(shell, session) -> None:  # type: ignore[no-untyped-def]
    done = shell(f"exec 3> >(true); sleep 0.3; evgit {COMMIT} >&3")
    assert done.returncode == 141
    assert f"evgit: commit {last_commit(session)} is stored" in done.stderr


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "-q >&-", "-q >/dev/full"])
def test_a_commit_that_has_nothing_to_say_there_is_done(where, shell, session) -> None:  # type: ignore[no-untyped-def]
    before = last_commit(session)
    assert shell(f"evgit {COMMIT} {where}").returncode == 0
    assert last_commit(session) != before


@pytest.mark.parametrize(
    "words",
    [
        "branch trial",
        "tag v1",
        "tag -m words v2",
        "switch -c other",
        "checkout HEAD~1",
        "undo",
        "op restore 1",
        "init there",
    ],
)
def test_changes_of_all_kinds_are_told_from_refusals(words, shell) -> None:  # type: ignore[no-untyped-def]
    done = shell(f"evgit {words} >&-")
    assert done.returncode == 8
    assert done.stderr.startswith("evgit: ")
    assert "standard output is closed" in done.stderr


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (KeyboardInterrupt(), 130),
        (RuntimeError("boom"), 8),
        (errors.Locked("in use"), 8),
        (OSError(28, "No space left on device"), 8),
    ],
)
def test_what_fails_after_a_commit_does_not_hide_it(failure, code, session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def fail(*_: object) -> None:
        raise failure

    session.evgit("init", "-q")
    monkeypatch.setattr(commit_command, "update_after_move", fail)
    result = session.evgit(*COMMIT.split())
    assert result.code == code
    assert f"evgit: commit {last_commit(session)} is stored: 1 event appended" in result.err


@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
@pytest.mark.parametrize(
    "words",
    [
        "log",
        "streams",
        "status --json",
        "rev-parse HEAD",
        "cat-file -p HEAD",
        "export",
        "config --list",
        "--version",
        "log --help",
    ],
)
def test_output_that_cannot_be_written_is_7(words, where, shell) -> None:  # type: ignore[no-untyped-def]
    done = shell(f"evgit {words} {where}")
    assert done.returncode == 7
    assert "Traceback" not in done.stderr
    assert ("closed" if where == ">&-" else "No space left") in done.stderr


@pytest.mark.parametrize("words", ["import -", "hash-object -", "commit -s a -t t -d @-", "commit"])
def test_input_that_is_closed_is_2(words, shell) -> None:  # type: ignore[no-untyped-def]
    done = shell(f"evgit {words} <&-")
    assert done.returncode == 2
    assert "standard input is closed" in done.stderr


def test_an_error_nobody_can_read_keeps_its_exit_code(shell) -> None:  # type: ignore[no-untyped-def]
    assert shell("evgit log nope 2>&-").returncode == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("commit -s a -t t --blob nope", 3),
        ("commit -s a -t t -d @nope", 3),
        ("hash-object nope", 3),
        ("import nope", 3),
        ("-C nope log", 3),
        ("demo nope", 3),
        ("export -o nope/x", 3),
        ("commit -s a -t t --blob .", 2),
        ("commit -s a -t t -d @.", 2),
        ("hash-object .", 2),
        ("import .", 2),
        ("export -o .", 2),
        ("init .evgit/evgit.db", 2),
        ("export -o /dev/full", 7),
    ],
)
def test_files_that_are_none_have_the_same_exit_code_everywhere(words, code, session) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1")
    result = session.evgit(*words.split())
    assert result.code == code, result.text
