"""`--json` prints what docs/commands.md says, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evgit.cli.command_table import COMMANDS, SECTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the page's table whose first row is `heading`."""
    table = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.split("\n")[2:]
    ]


def members(of: str) -> set[str]:
    """The members that the page names for a command, in any order."""
    (cell,) = (text for names, text in rows("command") if names.startswith(of))
    return set(re.findall(r"`([a-z_]+)`", cell))


def test_the_page_has_all_commands() -> None:
    for (section, entries), (purpose, names) in zip(SECTIONS.items(), rows("to"), strict=True):
        assert purpose == section
        assert re.findall(r"`([a-z-]+)`", names) == list(entries)
    assert sum(map(len, SECTIONS.values())) == len(COMMANDS)


@pytest.fixture
def bank(session):  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1", "--expect", "none")
    session.evgit(
        "commit", "-q", "-s", "a-1", "-t", "used", "n=2", "--meta", "actor=x", "-m", "Two"
    )
    session.evgit("tag", "-m", "Seen", "seen")
    session.evgit("tag", "plain", "HEAD~1")
    session.evgit("branch", "trial", "HEAD~1")
    return session


def documents(session, *words: str) -> list[dict[str, Any]]:  # type: ignore[no-untyped-def]
    result = session.evgit(*words, "--json")
    assert result.err == ""
    return [json.loads(line) for line in result.out.splitlines()]


EVENT = {"id", "position", "revision", "stream", "type", "time", "version", "data", "origin"}


def test_lists_print_a_line_for_each(bank) -> None:  # type: ignore[no-untyped-def]
    assert len(documents(bank, "log")) == 3
    assert [d["revision"] for d in documents(bank, "log", "--events")] == [1, 0]
    assert set(documents(bank, "log", "--events", "-n1")[0]) == EVENT | {"meta"}
    assert documents(bank, "log", "--reverse")[0]["parents"] == []
    assert [d["branch"] for d in documents(bank, "branch")] == ["main", "trial"]
    assert [d["side"] for d in documents(bank, "diff", "--events", "trial", "main")] == ["new"]


@pytest.mark.parametrize(
    ("command", "words", "optional"),
    [
        (
            "`diff`",
            ["diff", "trial", "main"],
            {"added", "deleted", "changed", "pointer", "old", "new"},
        ),
        (
            "`status`",
            ["status"],
            {
                "shallow",
                "from",
                "kind",
                "remote",
                "ref",
                "ahead",
                "error",
                "behind",
                "commit",
                "size",
                "path",
                "reason",
                "file",
            },
        ),
        ("`streams`", ["streams"], set()),
        ("`ls-tree`", ["ls-tree", "HEAD"], set()),
        ("`branch`", ["branch"], {"status"}),
        ("`tag`", ["tag"], {"object", "tagger", "time", "message"}),
        ("`for-each-ref`", ["for-each-ref", "refs/streams/main/"], set()),
        ("`for-each-ref`", ["for-each-ref"], {"stream", "revision", "position"}),
        ("`reflog`", ["reflog"], set()),
        ("`op log`", ["op", "log"], {"ref", "old", "new"}),
        ("`op log`", ["op", "show", "1"], {"ref", "old", "new"}),
        ("`op log`", ["undo"], {"ref", "old", "new"}),
        ("`config`", ["config", "--list"], set()),
        (
            "`fsck`",
            ["fsck"],
            {"kind", "message", "ids", "commit", "size", "absent"}
            | {"repaired", "received", "blobs_missing"},
        ),
        ("`import`", ["import", "-"], set()),
        ("`commit`", ["commit", "-s", "a-1", "-t", "made"], set()),
    ],
)
def test_members_are_those_of_the_page(command, words, optional, bank) -> None:  # type: ignore[no-untyped-def]
    found = documents(bank, *words)
    assert found
    for document in found:
        assert members(command) - optional <= set(document) <= members(command)


def test_shows(bank) -> None:  # type: ignore[no-untyped-def]
    (commit,) = documents(bank, "show")
    assert commit["message"] == "Two"
    assert [event["type"] for event in commit["added"]] == ["used"]
    (event,) = documents(bank, "show", "a-1@0")
    assert set(event) == EVENT | {"commit"}
    (tag,) = documents(bank, "show", "seen")
    assert tag["message"] == "Seen"
    (document,) = documents(bank, "show", "HEAD:streams/a-1.json")
    assert document["data"] == {"n": 2}


def test_errors_are_json_too(session) -> None:  # type: ignore[no-untyped-def]
    result = session.evgit("log", "--json")
    assert result.code == 3
    assert set(json.loads(result.err)) == {"error", "hint", "exit_code"}
    wrong = session.evgit("log", "--json", "--nonsense")
    assert wrong.code == json.loads(wrong.err)["exit_code"] == 2
    # After `--`, words are paths.
    assert "evgit: error" in session.evgit("diff", "--", "--json").err
