"""Exit codes, and what is said where something goes wrong in a way that no command foresees."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evgit import errors
from evgit.cli.commands import log as log_command
from evgit.cli.output import colour_wanted, shown, shown_in_line

EVGIT = [sys.executable, "-m", "evgit"]


def made(session) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in vars(errors).values() if isinstance(kind, type)],
    ids=lambda kind: str(kind.__name__),
)
def test_every_error_has_its_exit_code(kind, session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    if not issubclass(kind, errors.EvgitError) or kind is errors.WrongExpectedRevision:
        return

    def fail() -> None:
        raise kind("it went wrong", hint="do it again")

    monkeypatch.setattr(log_command, "open_repository", fail)
    result = session.evgit("log")
    assert result.code == kind.exit_code
    assert result.err == "evgit: error: it went wrong\nhint: do it again\n"
    as_json = session.evgit("log", "--json")
    assert json.loads(as_json.err) == {
        "error": "it went wrong",
        "hint": "do it again",
        "exit_code": kind.exit_code,
    }
    assert result.out == as_json.out == ""


def test_a_mistake_in_evgit_is_one_line(session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(log_command, "open_repository", fail)
    result = session.evgit("log")
    assert result.code == 70
    assert result.err.startswith("evgit: error: internal error: ZeroDivisionError: division")
    assert "EVGIT_TRACEBACK=1" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("EVGIT_TRACEBACK", "1")
    assert "Traceback" in session.evgit("log").err


def test_an_interrupt_is_130(session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log_command, "open_repository", interrupt)
    result = session.evgit("log")
    assert result.code == 130
    assert "interrupted" in result.err
    assert "Traceback" not in result.err


def test_directories_are_changed_and_changed_back(session) -> None:  # type: ignore[no-untyped-def]
    made(session)
    (session.directory / "x" / "y").mkdir(parents=True)
    before = Path.cwd()
    assert session.evgit("-C", "x", "-C", "y", "rev-list", "--count", "HEAD").out == "2\n"
    assert Path.cwd() == before


def test_a_reader_that_goes_away_is_no_error(session) -> None:  # type: ignore[no-untyped-def]
    made(session)
    lines = b"".join(
        b'{"stream":"s-%d","type":"made","time":"2020-01-01T00:00:00Z","data":{}}\n' % i
        for i in range(3000)
    )
    assert session.evgit("import", "-q", "-", stdin=lines).code == 0
    process = subprocess.Popen(
        [*EVGIT, "-C", str(session.directory), "rev-list", "--events", "HEAD"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stderr:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 141
        assert process.stderr.read() == b""


def test_an_interrupted_import_can_be_run_again(session) -> None:  # type: ignore[no-untyped-def]
    made(session)
    process = subprocess.Popen(
        [*EVGIT, "-C", str(session.directory), "import", "--batch-size", "10", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    line = b'{"stream":"s-%d","type":"made","time":"2020-01-01T00:00:00Z","data":{}}\n'
    process.stdin.write(b"".join(line % i for i in range(10_000)))
    process.stdin.flush()
    while session.evgit("rev-list", "--count", "--events", "HEAD").out == "1\n":
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert b"run the same import again" in err
    stored = int(session.evgit("rev-list", "--count", "--events", "HEAD").out) - 1
    assert 0 < stored < 10_000
    assert stored % 10 == 0
    said = int(re.search(rb"Appended ([0-9,]+) events", out)[1].replace(b",", b""))  # type: ignore[index]
    assert stored - said in (0, 10)  # the last batch may be stored and not yet counted
    again = session.evgit("import", "--json", "-", stdin=b"".join(line % i for i in range(100)))
    assert json.loads(again.out)["appended"] == max(100 - stored, 0)


def test_python_m_evgit_is_evgit() -> None:
    done = subprocess.run([*EVGIT, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("evgit 0.")


def test_control_characters_do_not_reach_the_terminal(session) -> None:  # type: ignore[no-untyped-def]
    made(session)
    session.evgit(
        "commit", "-q", "-s", "a-1", "-t", "made", "-m", "bell\x07\x1b[31mred", "x=\x9b31m"
    )
    for words in (["log"], ["log", "--oneline"], ["show"], ["diff", "HEAD~1", "HEAD"]):
        text = session.evgit(*words).text
        assert not {"\x07", "\x1b", "\x9b"} & set(text)
    assert "\\x1b[31mred" in session.evgit("log", "--oneline").text
    assert shown("a\tb\nc\x1b") == "a\tb\nc\\x1b"
    assert shown_in_line("a\tb\nc") == "a\\tb\\nc"


def test_colour_is_for_terminals_or_on_demand(session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made(session)
    assert "\x1b" not in session.evgit("log").out
    assert "\x1b[33mcommit" in session.evgit("--color", "always", "log").out
    assert colour_wanted("always")
    assert not colour_wanted("never")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colour_wanted("auto")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted("auto")


def test_a_terminal_gets_a_pager(session, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made(session)
    paged = tmp_path / "paged"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {paged}\n")
    pager.chmod(0o755)
    monkeypatch.setenv("EVGIT_PAGER", str(pager))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for words, expected in (
        (["log"], True),
        (["--no-pager", "log"], False),
        (["init", "x"], False),
    ):
        paged.unlink(missing_ok=True)
        leader, follower = os.openpty()
        done = subprocess.Popen(
            [*EVGIT, "-C", str(session.directory), *words], stdout=follower, stdin=follower
        )
        assert done.wait() == 0
        os.close(follower)
        os.close(leader)
        assert paged.exists() is expected
        if expected:
            assert b"\x1b[33mcommit" in paged.read_bytes()


@pytest.mark.parametrize(
    ("name", "email", "settings", "author"),
    [
        ("Eve", "eve@example.org", {}, "Eve <eve@example.org>"),
        ("", "", {"user.name": "Bob", "user.email": "b@b"}, "Bob <b@b>"),
        ("Eve", "", {"user.email": "b@b"}, "Eve <b@b>"),
        ("Eve <x>\n", "e@e", {}, "Eve x <e@e>"),
    ],
)
def test_the_author_comes_from_environment_then_settings(
    name, email, settings, author, session, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("EVGIT_AUTHOR_NAME", name)
    monkeypatch.setenv("EVGIT_AUTHOR_EMAIL", email)
    session.evgit("init")
    for key, value in settings.items():
        session.evgit("config", key, value)
    result = session.evgit("commit", "-s", "a", "-t", "b")
    assert result.err == ""
    assert json.loads(session.evgit("log", "-n1", "--json").out)["author"] == author
    assert json.loads(session.evgit("op", "log", "-n1", "--json").out)["actor"] == author


def test_nobody_is_refused_for_having_no_name(session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("EVGIT_AUTHOR_NAME")
    monkeypatch.delenv("EVGIT_AUTHOR_EMAIL")
    session.evgit("init")
    result = session.evgit("commit", "-s", "a", "-t", "b")
    assert result.code == 0
    assert result.err.count("hint: say who you are") == 1
    author = json.loads(session.evgit("log", "-n1", "--json").out)["author"]
    assert "@" in author
    assert "<" in author
    # Who has been told need not be told again.
    assert "say who you are" not in session.evgit("commit", "-s", "a", "-t", "b").err
    line = '{"stream":"s","type":"t","time":"2020-01-01T00:00:00Z","data":{}}'
    assert "say who you are" not in session.evgit("import", "-", stdin=line).err


def test_settings_of_a_person_and_of_a_repository(session) -> None:  # type: ignore[no-untyped-def]
    assert session.evgit("config", "--global", "user.name", "Bob").code == 0
    assert session.evgit("config", "user.name").out == "Bob\n"
    session.evgit("init")
    assert session.evgit("config", "set", "user.name", "Ada B").code == 0
    assert session.evgit("config", "get", "user.name").out == "Ada B\n"
    assert session.evgit("config", "--unset", "user.name").code == 0
    assert session.evgit("config", "user.name").out == "Bob\n"
    assert session.evgit("config", "unset", "user.name").code == 1
    assert session.evgit("config", "user.email").code == 1
    assert "worktree.update=true\n" in session.evgit("config", "list").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made(session)
    assert "_EVGIT_COMPLETE" in session.evgit("completion", shell).out
    session.evgit("branch", "trial")

    def completed(*words: str) -> list[str]:
        monkeypatch.setenv("_EVGIT_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("evgit", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        done = subprocess.run(
            EVGIT, cwd=session.directory, capture_output=True, text=True, check=False
        )
        monkeypatch.delenv("_EVGIT_COMPLETE")
        return [line.split(",", 1)[1] for line in done.stdout.splitlines()]

    if shell == "bash":
        assert completed("che") == ["checkout", "cherry-pick"]
        assert completed("switch", "tr") == ["trial"]
        assert completed("show", "m") == ["main"]
        assert completed("commit", "-s", "a") == ["a-1"]
        assert "--oneline" in completed("log", "--one")


def test_a_demo_of_any_git_repository(session, tmp_path) -> None:  # type: ignore[no-untyped-def]
    project = tmp_path / "project"
    project.mkdir()
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", str(project)]
    subprocess.run([*git, "init", "-q"], check=True)
    for number in range(3):
        (project / "a.txt").write_text(f"{number}\n")
        subprocess.run([*git, "add", "a.txt"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", f"Change {number}"], check=True)
    result = session.evgit("demo", str(project), "--into", "try")
    assert result.code == 0, result.text
    assert "error" not in result.err
    commands = [line for line in result.out.splitlines() if line.startswith("$ evgit ")]
    assert {line.split()[2] for line in commands} >= {
        "init",
        "import",
        "log",
        "show",
        "diff",
        "fsck",
    }
    assert "All is well" in result.out
    again = session.evgit("demo", str(project), "--into", "try")
    assert (again.code, again.out) == (4, "")
    assert "is not empty" in again.err


def test_the_clock_may_be_fixed(session, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a", "-t", "b")
    (first,) = (json.loads(session.evgit("show", "--json").out),)
    assert first["time"] == first["added"][0]["time"] == "2026-11-23T12:01:00.000000Z"
    monkeypatch.setattr(session, "now", lambda: "the other day")
    result = session.evgit("show", "main@{yesterday}")
    assert result.code == 5
    assert "EVGIT_NOW" in result.err
