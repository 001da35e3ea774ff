"""Models that are wrong, as a person meets them: an error with file and line, exit code 9, and
nothing lost: history, files and the state under the right model are as they were."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from evgit.formats.event import Event, batch_from_events
from evgit.repository import Repository
from tests.model.banking import BANK, Run, deposit

ADD = 'account["balance"] += event.data["amount"]'
LINE = BANK.splitlines().index(f"        {ADD}") + 1
HANDLER = LINE - 2  # where its decorator stands
RULE = BANK.splitlines().index('    return account["balance"] >= 0') + 1
TWIN = 'from evgit.model import Projection\n\nclass Twin(Projection):\n    prefix = "accounts/4"\n'
GAP = '\n\n@upcast("deposit_made", from_version=3)\ndef deposit_4(data):\n    return data\n'


@pytest.fixture
def stored(run: Run, work: Path) -> Path:
    """A bank with 40 events and its files."""
    with Repository.open(".") as repository:
        repository.append([deposit(str(n % 10 + 1), n // 10 + 1) for n in range(40)])
    run("model", "commit")
    assert run("checkout").code == 0
    return work


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".evgit" not in path.parts and "model" not in path.parts
    }


def changed(code: str) -> str:
    return BANK.replace(ADD, f"{ADD}; {code}")


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("bank.py", BANK.replace("def closed(self", "def closed(self("),
         "model/bank.py, line 20: SyntaxError"),
        ("bank.py", f"import no_such_package\n{BANK}",
         "line 1: importing failed: ModuleNotFoundError: No module named 'no_such_package'"),
        ("twin.py", TWIN,
         "model/twin.py, line 3: twin.Twin owns 'accounts/4', which bank.Accounts (model/bank.py"),
        ("bank.py", BANK + GAP, "nothing brings version 2 to 3"),
        ("bank.py", changed('1 / (event.data["amount"] - 4)'),
         f"at position 30, document accounts/1.json at model/bank.py, line {LINE}: ZeroDivision"),
        ("bank.py", changed('event.data["amount"] = 0'),
         f"model/bank.py, line {LINE}: TypeError: 'mappingproxy' object does not support item"),
        ("bank.py", changed('account["x"] = float("nan")'),
         f"accounts/1.json at model/bank.py, line {HANDLER}: nan is not a JSON value (at /x)"),
        ("bank.py", changed('account["x"] = {1}'),
         f"accounts/1.json at model/bank.py, line {HANDLER}: a set is not a JSON value (at /x)"),
        ("bank.py", BANK.replace('setdefault("audit/ids.json", [])', 'setdefault("audit/x", {2})')
                        .replace(".append(event.id)", ".add(3)"),
         "storing the document of bank.Audit failed on event"),
    ],
    ids=["syntax", "package", "collision", "gap", "raises", "mutates", "nan", "set", "general"],
)  # fmt: skip
def test_a_wrong_model(run: Run, stored: Path, file: str, text: str, says: str) -> None:
    head, before = run("rev-parse", "HEAD").out, contents(stored)
    (stored / "model" / file).write_text(text)
    for words in (["ls-tree", "HEAD"], ["checkout"], ["model", "check"]):
        said = run(*words)
        assert said.code == 9, words
        assert says in said.err.replace("\n", " ")
        assert "Traceback" not in said.err
    assert run("rev-parse", "HEAD").out == head
    assert contents(stored) == before
    assert run("fsck").code == 0
    assert run("log", "-n", "1").code == 0
    assert run("show", "--model", "head", "HEAD:accounts/1.json").code == 0
    (stored / "model" / "twin.py").unlink(missing_ok=True)
    (stored / "model" / "bank.py").write_text(BANK)
    assert run("status").out.endswith("The files show this state.\n")


def test_before_the_event_that_a_handler_fails_on_there_is_a_state(run: Run, stored: Path) -> None:
    (stored / "model/bank.py").write_text(changed('1 / (event.data["amount"] - 4)'))
    assert (
        run("show", "main#29:accounts/1.json").out.strip().replace(" ", "") == '{\n"balance":6\n}'
    )
    said = run("show", "main:accounts/1.json")
    assert said.code == 9
    (event,) = {word for word in said.err.split() if said.err.count(word) == 2 and len(word) == 12}
    skipped = run("show", "--skip", event, "main:accounts/1.json")
    assert skipped.out.replace(" ", "") == '{\n"balance":6\n}\n'


def test_a_clock_is_found_by_check(run: Run, stored: Path) -> None:
    code = changed('account["at"] = __import__("time").time()')
    (stored / "model/bank.py").write_text(code)
    said = run("model", "check")
    assert said.code == 9
    assert "bank.Accounts (model/bank.py, line 4) is not deterministic" in said.err
    assert "deterministic: document accounts/1.json differs between two replays from" in said.err
    assert "from the event at position 0 on" in said.err


def test_a_rule_that_raises(run: Run, stored: Path) -> None:
    (stored / "model/bank.py").write_text(BANK.replace('["balance"] >= 0', '["balances"] >= 0'))
    deposit = ("commit", "-s", "account-1", "-t", "deposit_made", "--version", "2", "amount=1")
    for words in (deposit, ("model", "check")):
        said = run(*words)
        assert said.code == 9
        assert "invariant 'never below zero' failed, document accounts/1.json at" in said.err
        assert f"at model/bank.py, line {RULE}: KeyError: 'balances'" in said.err
    commit = run("rev-parse", "HEAD~1").out[:12]
    assert f"'balances' (after commit {commit}, at position 39)" in said.err
    assert "evgit show main#39" in said.err
    assert run("rev-parse", "main").out == run("rev-parse", "HEAD").out
    assert run("commit", "--no-verify", *deposit[1:]).code == 0


def test_a_model_that_does_not_load_refuses_to_append_and_says_how(run: Run, stored: Path) -> None:
    (stored / "model/bank.py").write_text("def")
    deposit = ("commit", "-s", "account-1", "-t", "deposit_made", "--version", "2", "amount=1")
    said = run(*deposit)
    assert said.code == 9
    assert "model/bank.py, line 1: SyntaxError: invalid syntax; nothing was appended" in said.err
    assert "hint: correct the model; --no-verify appends all the same" in said.err
    assert run(*deposit, "--no-verify").code == 0


@pytest.mark.parametrize("link", ["model", "model/more.py", "model/sub", "schemas",
                                  "schemas/deposit_made", "evgit.toml"])  # fmt: skip
def test_links_out_of_the_tree_are_not_followed(
    run: Run, stored: Path, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "deposit_made").mkdir(parents=True)
    (outside / "bank.py").write_text("open('planted', 'w')")
    (outside / "2.json").write_text("{}")
    place = stored / link
    if link == "model":
        shutil.rmtree(place)
    place.parent.mkdir(exist_ok=True)
    target = {"model/more.py": outside / "bank.py", "evgit.toml": outside / "2.json"}
    os.symlink(target.get(link, outside), place)
    for words in (["status"], ["checkout"], ["model", "commit"], ["schema", "list"]):
        said = run(*words)
        assert said.code == 9
        assert f"{link} is a symbolic link" in said.err
    assert not (stored / "planted").exists()
    assert run("log", "-n", "1").code == run("fsck").code == 0


@pytest.mark.parametrize(
    "data",
    [
        {"path": "../outside.py"}, {"path": "model/../../outside.py"}, {"path": "/outside.py"},
        {"path": ".evgit/config.toml"}, {"path": "model/.hidden.py"}, {"path": "model/a\0.py"},
        {"path": 7}, {}, [], {"path": "model/x.py", "blob": "none"},
    ],
)  # fmt: skip
def test_events_that_make_no_model_don_t_stand_in_the_way(
    run: Run, tmp_path: Path, data: object
) -> None:
    run("init", "-q")
    run("commit", "-q", "-s", "account-1", "-t", "deposit_made", "value=5")
    with Repository.open(".") as repository:
        event = Event(stream="$model", type="model_file_written", data=data,
                      time="2026-11-23T10:00:00.000000Z")  # fmt: skip
        repository.append(batch_from_events([event], reserved=True), verify=False)
    for words in (["status"], ["checkout"], ["show", "HEAD:streams/account-1.json"], ["fsck"],
                  ["commit", "-s", "account-1", "-t", "deposit_made", "value=1"]):  # fmt: skip
        assert run(*words).code == 0, words
    said = run("ls-tree", "--name-only", "HEAD")
    assert said.out == "streams/account-1.json\n"
    assert "note: what is recorded as the model at HEAD is none" in said.err
    for words in (["model", "checkout"], ["show", "--model", "head", "HEAD:x"], ["model", "diff"]):
        assert run(*words).code == 9
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("home", "work")] == []
