"""What a first user stumbled over, and how it is now."""

from __future__ import annotations

import json
import threading
import time

import apsw
import pytest

from evgit.cli import patience
from evgit.cli.command_table import COMMANDS
from evgit.cli.git_words import IN_PLACE_OF


@pytest.fixture
def one(session):  # type: ignore[no-untyped-def]
    """A repository with one event."""
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1")
    return session


def test_a_revision_with_a_colon_is_the_state_as_a_whole(one) -> None:  # type: ignore[no-untyped-def]
    whole = one.evgit("ls-tree", "main")
    assert one.evgit("ls-tree", "main:").out == whole.out != ""
    assert one.evgit("show", "main:").out == "streams/a-1.json\n"
    changes = one.evgit("diff", "main~1", "main").out
    assert one.evgit("diff", "main~1:", "main:").out == changes != ""
    empty = one.evgit("show", "main~1:")
    assert (empty.code, empty.text) == (0, "")


def test_a_branch_made_on_the_way_is_undone_with_it(one) -> None:  # type: ignore[no-untyped-def]
    for words in (["switch", "-c", "trial"], ["checkout", "-b", "trial"]):
        assert one.evgit(*words).code == 0
        assert one.evgit("branch").out == "  main\n* trial\n"
        assert one.evgit("undo").code == 0
        assert one.evgit("branch").out == "* main\n"
    one.evgit("switch", "-c", "trial")
    one.evgit("switch", "main")
    assert one.evgit("switch", "-").out == "On branch trial\n"


def test_files_in_the_way_leave_no_branch_behind(one) -> None:  # type: ignore[no-untyped-def]
    (one.directory / "streams" / "a-1.json").write_text("{}")
    assert one.evgit("switch", "-c", "trial", "main~1").code == 4
    assert one.evgit("branch").out == "* main\n"
    assert one.evgit("switch", "-c", "main").code == 4
    assert one.evgit("switch", "-c", "-x").code == 2


def test_each_commit_names_the_files_that_stay_behind(one) -> None:  # type: ignore[no-untyped-def]
    (one.directory / "streams" / "a-1.json").write_text("{}")
    for number in range(2):
        result = one.evgit("commit", "-s", "a-1", "-t", "made", f"n={number}")
        assert result.code == 0
        assert "streams/a-1.json" in result.err
        assert "restore" in result.err
        assert "`evgit checkout` updates it" not in result.err


def test_a_bare_repository_says_what_to_use_in_place_of_files(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("init", "-q", "--bare", "bare")
    result = one.evgit("-C", "bare", "restore", ".")
    assert result.code == 2
    assert "evgit show REV:PATH" in result.err


def test_names_that_cannot_be_get_an_example(one) -> None:  # type: ignore[no-untyped-def]
    for stream, kind in (("a\x01", "made"), ("a-1", "is made")):
        result = one.evgit("commit", "-s", stream, "-t", kind)
        assert result.code == 5
        assert "hint: " in result.err


def test_a_stream_as_a_ref_has_its_last_event_as_subject(one) -> None:  # type: ignore[no-untyped-def]
    asked = ("for-each-ref", "--format", "%(subject)", "refs/streams/main")
    assert one.evgit(*asked).out == "a-1: made\n"


def test_hints_of_import_are_about_the_error(one) -> None:  # type: ignore[no-untyped-def]
    def hint(line: str, *options: str) -> str:
        result = one.evgit("import", "-", *options, stdin=line)
        assert result.code == 5
        return str(result.err)

    assert "--time TIME" in hint('{"stream":"a","type":"b","data":{}}')
    twice = '{"stream":"a","type":"b","data":{"x":1,"x":2}}'
    assert "--time TIME" not in hint(twice)
    assert "--time TIME" not in hint(twice, "--time", "2020-01-01")
    assert '"data":{}' in hint('{"stream":"a","type":"b"}', "--time", "2020-01-01")
    assert "there is no branch" in one.evgit("import", "-", "-b", "mian", stdin=twice).err


def test_a_long_wait_for_another_process_is_said(one, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(patience, "SILENT", 0.1)
    other = apsw.Connection(str(one.directory / ".evgit" / "evgit.db"))
    other.execute("BEGIN IMMEDIATE")

    def let_go() -> None:
        time.sleep(0.6)
        other.execute("ROLLBACK")

    thread = threading.Thread(target=let_go)
    thread.start()
    result = one.evgit("commit", "-s", "a-1", "-t", "made", "--json")
    thread.join()
    other.close()
    assert result.code == 0
    assert result.err.count("waiting for another process") == 1
    assert json.loads(result.out)["appended"] == 1


def test_a_wait_has_an_end(one, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(patience, "LONGEST", 0.2)
    other = apsw.Connection(str(one.directory / ".evgit" / "evgit.db"))
    other.execute("BEGIN IMMEDIATE")
    result = one.evgit("commit", "-s", "a-1", "-t", "made")
    other.execute("ROLLBACK")
    other.close()
    assert result.code == 7
    assert result.out == ""


def test_names_of_refs_elsewhere_can_t_steer_a_terminal(one) -> None:  # type: ignore[no-untyped-def]
    assert one.evgit("gc", "-q", "--publish", "web").code == 0
    path = one.directory / "web" / "evgit.json"
    path.write_bytes(path.read_bytes().replace(b"refs/heads/main", b"refs/heads/\\u001b[2J"))
    for words in (["ls-remote", "./web"], ["fetch", "./web"], ["clone", "./web", "copy"]):
        result = one.evgit(*words)
        assert result.text
        assert "\x1b" not in result.text


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (["add", "."], "evgit commit"),
        (["reset", "--hard", "HEAD~1"], "evgit undo"),
        (["stash"], "evgit restore"),
    ],
)
def test_what_git_has_and_evgit_has_not(one, words, instead) -> None:  # type: ignore[no-untyped-def]
    result = one.evgit(*words)
    assert result.code == 2
    assert f"there is no command {words[0]!r}\n" in result.err
    assert instead in result.err


def test_words_of_git_are_no_commands() -> None:
    assert not set(IN_PLACE_OF) & set(COMMANDS)


def test_log_of_all_branches(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("switch", "-c", "trial")
    one.evgit("commit", "-q", "-s", "a-1", "-t", "made", "-m", "On trial")
    one.evgit("switch", "main")
    assert "On trial" not in one.evgit("log").out
    assert "On trial" in one.evgit("log", "--all").out
    assert one.evgit("log", "--all", "^trial").out == ""
    assert "On trial" in one.evgit("log", "--all", "--graph", "--oneline").out
    assert one.evgit("log", "--all", "--events").code == 2


def test_help_as_a_word(one) -> None:  # type: ignore[no-untyped-def]
    assert one.evgit("help").out == one.evgit("--help").out
    assert one.evgit("help", "log").out == one.evgit("log", "--help").out
    assert one.evgit("help", "nothing").code == 2


def test_a_commit_on_no_branch_is_not_left_in_silence(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("switch", "--detach", "HEAD")
    assert "is on no branch" not in one.evgit("switch", "main").err
    one.evgit("switch", "--detach", "HEAD")
    one.evgit("commit", "-q", "-s", "a-1", "-t", "made")
    left = one.evgit("rev-parse", "HEAD").out[:12]
    away = one.evgit("switch", "main")
    assert away.code == 0
    assert f"warning: commit {left}, where HEAD was, is on no branch" in away.err
    assert f"evgit branch NAME {left}" in away.err
    one.evgit("undo")
    assert one.evgit("rev-parse", "HEAD").out[:12] == left
    kept = one.evgit("switch", "-c", "kept")
    assert "is on no branch" not in kept.err


def test_words_for_remotes_as_in_git(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("remote", "add", "origin", "/nowhere")
    assert one.evgit("remote", "get-url", "origin").out == "/nowhere\n"
    assert one.evgit("remote", "get-url", "other").code == 3
    assert one.evgit("remote", "rm", "origin").code == 0
    assert one.evgit("remote").out == ""
    for word in ("main:", ":"):
        refused = one.evgit("push", "/nowhere", word)
        assert refused.code == 2
        assert "what the ref is called there" in refused.err
