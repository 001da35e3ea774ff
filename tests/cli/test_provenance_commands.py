"""blame, bisect, step and the log of documents: what the transcripts don't show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evgit.errors import LocalChanges

OVERDRAFT = 13


@pytest.fixture
def bank(session: Any) -> Any:
    """Thirty events in ten commits; account-1 is below zero from position 13 on."""
    assert session.evgit("init", "bank").code == 0
    session.directory /= "bank"
    balance = 0
    for commit in range(10):
        lines = []
        for position in range(commit * 3, commit * 3 + 3):
            balance += -500 if position == OVERDRAFT else 10
            data = {"balance": balance} if position % 3 == 1 else {"note": f"n{position}"}
            stream = "account-1" if position % 3 < 2 else "account-2"
            lines.append(json.dumps({"stream": stream, "type": "balance_changed", "data": data}))
        done = session.evgit("commit", "-q", "-m", f"batch {commit}", stdin="\n".join(lines))
        assert done.code == 0, done.err
    return session


CHECK = "! grep -q 'balance\": -' streams/account-1.json"


def test_run_writes_the_files_and_finds_the_event(bank: Any) -> None:
    assert bank.evgit("bisect", "start", "main").code == 0
    done = bank.evgit("bisect", "run", "--json", "--", "sh", "-c", CHECK)
    assert done.code == 0, done.err
    outcome = json.loads(done.out)
    assert outcome["first_bad"]["position"] == OVERDRAFT
    assert outcome["first_bad"]["message"] == "batch 4"
    (change,) = outcome["first_bad"]["changes"]
    assert change["path"] == "streams/account-1.json"
    assert {"pointer": "/data/balance", "old": 110, "new": -370} in change["fields"]
    # HEAD and the files are at the event that was found.
    assert bank.evgit("rev-parse", "HEAD").out == bank.evgit("rev-parse", "main#13").out
    assert "-370" in (bank.directory / "streams" / "account-1.json").read_text()
    assert bank.evgit("bisect", "reset").out == "Back on main\n"
    assert bank.evgit("status").out.startswith("On branch main: 30 events")
    assert bank.evgit("bisect", "log").code == 3


def test_a_file_edited_by_hand_is_kept_and_the_bisection_goes_on(bank: Any) -> None:
    file: Path = bank.directory / "streams" / "account-1.json"
    assert bank.evgit("bisect", "start", "main", "main#0").code == 0
    at = bank.evgit("rev-parse", "HEAD").out
    file.write_text("mine")
    for words in (("bisect", "good"), ("bisect", "reset"), ("step", "to", "3")):
        refused = bank.evgit(*words)
        assert refused.code == LocalChanges.exit_code, words
        assert file.read_text() == "mine"
        assert bank.evgit("rev-parse", "HEAD").out == at
    assert bank.evgit("bisect", "reset", "--force").code == 0
    assert bank.evgit("status").out.startswith("On branch main")


def test_the_point_and_position_are_in_the_environment(bank: Any) -> None:
    assert bank.evgit("bisect", "start", "main").code == 0
    script = (
        'test "$(evgit_point)" = "$EVGIT_POINT" && exit 9; '
        'echo "$EVGIT_POSITION $EVGIT_POINT" >> ../asked; test "$EVGIT_POSITION" -lt 20'
    )
    done = bank.evgit("bisect", "run", "--path", "streams/account-1.json", "sh", "-c", script)
    assert "Position 21 is the first" in done.out or "Position 20 is the first" in done.out
    asked = (bank.directory.parent / "asked").read_text().splitlines()
    assert 4 <= len(asked) <= 7
    for line in asked:
        position, _, point = line.partition(" ")
        spelled = bank.evgit("rev-parse", f"main#{position}").out.strip()
        assert point == spelled


def test_a_bare_repository_is_bisected_without_moving_head(bank: Any, tmp_path: Path) -> None:
    session = bank
    exported = session.evgit("export").out
    session.directory = tmp_path
    assert session.evgit("init", "--bare", "bare").code == 0
    session.directory = tmp_path / "bare"
    assert session.evgit("import", "-", stdin=exported).code == 0
    head = session.evgit("rev-parse", "HEAD").out
    assert session.evgit("bisect", "start", "main", "main#0").code == 0
    refused = session.evgit("bisect", "run", "true")
    assert refused.code == 2
    assert "--path" in refused.err
    for _ in range(7):
        shown = session.evgit("bisect", "log", "--json").out
        suspects = json.loads(shown)["suspects"]
        if suspects["first"] == suspects["last"]:
            break
        middle = suspects["first"] + (suspects["last"] - suspects["first"] + 1) // 2 - 1
        session.evgit("bisect", "bad" if middle >= OVERDRAFT else "good")
    assert json.loads(shown)["first_bad"]["position"] == OVERDRAFT
    assert session.evgit("rev-parse", "HEAD").out == head
    assert session.evgit("bisect", "reset").code == 0


def test_skipped_points_are_listed_as_suspects(bank: Any) -> None:
    assert bank.evgit("bisect", "start", "main#14", "main#11").code == 0
    assert "position 13" in bank.evgit("bisect", "skip").out
    done = bank.evgit("bisect", "skip")
    assert "one of 3, at positions 12 to 14" in done.out
    assert done.out.count("balance_changed") == 3
    assert bank.evgit("bisect", "good", "main#12").code == 0
    assert bank.evgit("bisect", "reset").code == 0


def test_log_of_paths(bank: Any) -> None:
    def positions(*words: str) -> list[int]:
        done = bank.evgit("log", "--json", *words)
        assert done.code == 0, done.err
        return [json.loads(line)["position"] for line in done.out.splitlines()]

    one = [p for p in range(30) if p % 3 < 2]
    assert positions("--", "streams/account-1.json") == one[::-1]
    assert positions("streams/account-1.json") == one[::-1]
    assert positions("--reverse", "-n", "3", "--", "streams/account-1.json") == one[-3:]
    assert positions("main~2..main", "--", "streams/account-1.json") == [28, 27, 25, 24]
    assert positions("main#9", "--", "streams/") == list(range(10))[::-1]
    both = ("streams/account-1.json", "streams/account-2.json")
    assert positions("--skip", "1", "-n", "4", "--", *both) == [28, 27, 26, 25]
    assert positions("--grep", '"n12"', "--", "streams") == [12]
    assert positions("--stream", "account-2", "-n", "2", "--", "streams") == [29, 26]
    assert positions("--author", "nobody", "--", "streams") == []
    assert positions("--", "nowhere") == []


def test_log_of_events_says_what_each_changed(bank: Any) -> None:
    done = bank.evgit("log", "--events", "-p", "--json", "--stream", "account-1", "-n", "3")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [each["position"] for each in found] == [28, 27, 25]
    for each in found:
        (change,) = each["changes"]
        assert change["path"] == "streams/account-1.json"
        assert any(field["pointer"] == "/revision" for field in change["fields"])
    done = bank.evgit("log", "--events", "--stat", "--reverse", "-n", "2")
    assert done.out.index("account-1@19") < done.out.index("account-2@9")
    assert done.out.count("1 document changed") == 2


def test_steps_lead_along_the_branch_and_back_to_it(bank: Any) -> None:
    def at(*words: str) -> int:
        done = bank.evgit("step", "--json", *words)
        assert done.code == 0, done.err
        return int(json.loads(done.out)["events"])

    assert at() == 30
    assert at("back", "7") == 23
    assert at("back", "--stream", "account-2") == 21
    assert at("forward", "--", "streams/account-2.json") == 24
    assert at("3") == 27
    assert at("to", "0") == 1
    assert bank.evgit("step", "back", "--stream", "account-1").code == 3
    assert at("to", "start") == 0
    assert not (bank.directory / "streams").exists()
    assert at("forward", "99") == 30
    assert bank.evgit("status").out.startswith("On branch main")
    # A branch that has grown in the meantime is still the way.
    assert at("back") == 29
    assert bank.evgit("branch", "other", "main~1").code == 0
    assert bank.evgit("switch", "--detach", "other#4").code == 0
    assert at("to", "end") == 30  # other's points are main's too
    assert bank.evgit("status").out.startswith("On branch main")


def test_what_makes_no_sense_is_refused(bank: Any) -> None:
    for words in (
        ("blame",),
        ("blame", "a", "b", "c"),
        ("blame", "main", "--", "a", "b"),
        ("step", "to"),
        ("step", "back", "many"),
        ("step", "back", "1", "2"),
        ("step", "back", "--stream", "account-1", "--", "streams"),
        ("step", "back", "--", "a", "b"),
    ):
        done = bank.evgit(*words)
        assert done.code == 2, words
        assert "hint: " in done.err
    assert bank.evgit("blame", "streams/account-1.json", "nowhere").code == 3
    assert bank.evgit("step", "to", "30").code == 3
    assert bank.evgit("step", "back", "--stream", "account-9").code == 3
