"""`evgit model`, `evgit trust`, `--model`, `--skip`: what a person sees, and what never runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evgit.state.modelling.loader import forget
from tests.model.banking import BANK, Run

NOTE = "note: the model of the working tree is used; it is not committed\n"


def test_a_model_is_recorded_compared_and_brought_back(run: Run, work: Path) -> None:
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=5")
    assert run("show", "HEAD:accounts/1.json").err == NOTE
    said = run("model", "commit", "-m", "First model")
    assert (said.code, "1 file changed" in said.out) == (0, True)
    assert run("model", "commit").out.startswith("Nothing new")
    assert run("show", "HEAD:accounts/1.json") == (0, '{\n  "balance": 5\n}\n', "")
    assert run("status").out == "On branch main: 2 events\nThe files show this state.\n"

    (work / "model" / "bank.py").write_text(BANK.replace("+= event", "+= 2 * event"))
    (work / "model" / "more.py").write_text("x = 1\n")
    diff = run("model", "diff").out
    assert '+        account["balance"] += 2 * event.data["amount"]\n' in diff
    assert "--- /dev/null\n+++ b/model/more.py\n" in diff
    said = run("show", "HEAD:accounts/1.json")
    assert (said.out, said.err) == ('{\n  "balance": 10\n}\n', NOTE)
    assert run("show", "--model", "head", "HEAD:accounts/1.json").out == '{\n  "balance": 5\n}\n'
    assert run("model", "checkout").code == 4
    run("model", "commit", "-m", "Second model")
    assert run("show", "--model", "HEAD~1", "HEAD:accounts/1.json").out == '{\n  "balance": 5\n}\n'
    log = run("model", "log").out
    assert log.index("Second model") < log.index("A model/more.py") < log.index("First model")
    assert "    M model/bank.py\n    A model/more.py\n" in log
    assert log.endswith("    A model/bank.py\n")
    newest = json.loads(run("model", "log", "-n", "1", "--json").out)
    assert newest["files"][1] == {"path": "model/more.py", "added": True, "removed": False}
    assert run("model", "diff", "HEAD~1", "HEAD").out == diff

    assert run("model", "checkout", "HEAD~1").code == 0
    assert not (work / "model" / "more.py").exists()
    assert (work / "model" / "bank.py").read_text() == BANK
    assert run("model", "checkout").code == 0
    assert (work / "model" / "more.py").read_text() == "x = 1\n"


def test_no_empty_directory_of_another_model_stays(run: Run, work: Path) -> None:
    (work / "model" / "parts" / "small").mkdir(parents=True)
    (work / "model" / "parts" / "small" / "more.py").write_text("x = 1\n")
    run("model", "commit")
    (work / "model" / "parts" / "small" / "more.py").unlink()
    run("model", "commit")
    assert run("model", "checkout", "HEAD~1").code == 0
    assert (work / "model" / "parts" / "small" / "more.py").exists()
    assert run("model", "checkout").code == 0
    assert sorted(place.name for place in (work / "model").iterdir()) == ["bank.py"]


def test_texts_and_the_edits_in_them_survive_the_loss_of_the_cache(run: Run, work: Path) -> None:
    run("model", "commit")
    for account in ("account-1", "account-2"):
        run("commit", "-q", "-s", account, "-t", "deposit_made", "value=5")
    first, second = sorted((work / "statements").iterdir())
    before = first.read_text()
    for cache in (work / ".evgit").glob("cache.db*"):
        cache.unlink()
    second.write_text("mine\n")
    said = run("status").out
    assert said.count("statements/") == 1
    assert f"    statements/{second.name}\n" in said
    for account in ("account-1", "account-2"):
        run("commit", "-q", "-s", account, "-t", "deposit_made", "value=7")
    assert first.read_text().startswith(before)
    assert first.read_text().count("deposit_made") == 2
    assert second.read_text() == "mine\n"
    assert run("restore", f"statements/{second.name}").code == 0
    assert second.read_text().count("deposit_made") == 2
    assert run("status").out.endswith("The files show this state.\n")


def test_check_says_what_it_looked_at(run: Run, work: Path) -> None:
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=5")
    said = run("model", "check")
    assert said.code == 0
    assert "is right on 1 event: two replays agree, and every invariant holds" in said.out
    assert "accounts/  bank.Accounts, 1 document" in said.out
    run("commit", "-s", "account-1", "-t", "money_withdrawn", "amount=6", "--no-verify")
    said = run("model", "check")
    assert said.code == 9
    assert "'never below zero' does not hold for accounts/1.json" in said.err
    assert "position 1: money_withdrawn in account-1" in said.err
    assert run("model", "check", "HEAD~1").code == 0


def test_a_refused_commit_has_an_exit_code_of_its_own(run: Run, work: Path) -> None:
    said = run("commit", "-s", "account-1", "-t", "money_withdrawn", "amount=6")
    assert said.code == 9
    assert "nothing was appended" in said.err
    assert run("commit", "-s", "account-1", "-t", "money_withdrawn", "amount=6", "--no-verify")


def test_a_broken_model_is_an_error_with_a_place(run: Run, work: Path) -> None:
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=5")
    (work / "model" / "bank.py").write_text("def f(:\n")
    said = run("show", "HEAD:accounts/1.json")
    assert said.code == 9
    assert "model/bank.py, line 1: SyntaxError" in said.err
    assert run("log").code == run("fsck").code == 0
    said = run("status")
    assert (said.code, said.out.splitlines()[0]) == (9, "On branch main: 1 event")
    assert "model/bank.py, line 1: SyntaxError" in said.err
    document = json.loads(run("status", "--json").out)
    assert (document["branch"], document["bare"], "clean" in document) == ("main", False, False)
    assert "SyntaxError" in document["error"]
    said = run("commit", "-s", "account-1", "-t", "deposit_made", "value=5", "--no-verify")
    assert said.code == 0
    assert "the working tree was not updated" in said.err


def test_what_a_model_prints_is_no_output(run: Run, work: Path) -> None:
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=5")
    add = 'account["balance"] += event'
    chatty = BANK.replace(add, f'print("seen", event.type); {add}')
    (work / "model" / "bank.py").write_text('print("loaded")\n' + chatty)
    said = run("show", "--json", "HEAD:accounts/1.json")
    assert json.loads(said.out)["balance"] == 5
    assert said.err == f"loaded\n{NOTE}seen deposit_made\n"


def test_events_can_be_left_out(run: Run, work: Path) -> None:
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=5")
    run("commit", "-s", "account-1", "-t", "deposit_made", "value=7")
    first = run("rev-parse", "account-1@0").out.strip()
    said = run("show", "--skip", first[:12], "HEAD:accounts/1.json")
    assert json.loads(said.out) == {"balance": 7}
    assert run("show", "--skip", "main", "HEAD:accounts/1.json").code == 2


PLANT = 'from pathlib import Path\nPath(PATH).write_text("it ran")\n' + BANK


@pytest.fixture
def copied(run: Run, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a planted model would write a file, in a copy of a repository that has one."""
    planted = tmp_path / "planted"
    (work / "model" / "bank.py").write_text(PLANT.replace("PATH", repr(str(planted))))
    run("commit", "-q", "-s", "account-1", "-t", "deposit_made", "value=5")
    run("model", "commit", "-m", "A trap")
    planted.unlink()
    forget(
        json.loads(run("trust", "--list", "--json").out)["model"]
    )  # or it would not run a second time in this process
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(work / ".evgit", elsewhere / ".evgit")
    monkeypatch.chdir(elsewhere)
    return planted


COMMANDS = [
    ("status",), ("checkout",), ("log",), ("log", "-p"), ("log", "--events"), ("fsck",),
    ("show", "HEAD:streams/account-1.json"), ("diff", "HEAD~1", "HEAD"), ("ls-tree", "HEAD"),
    ("commit", "-s", "account-1", "-t", "deposit_made", "value=5"), ("reindex",),
    ("model", "log"), ("model", "diff"), ("model", "checkout"), ("model", "check"), ("export",),
    ("switch", "-c", "other"), ("restore", "."), ("trust", "--list"),
    ("show", "--model", "head", "HEAD:accounts/1.json"), ("model", "commit"),
    ("schema", "list"), ("schema", "check"), ("schema", "diff", "--check"), ("model", "test"),
    ("log", "-p", "--model", "head"), ("blame", "streams/account-1.json"), ("step", "back"),
    ("bisect", "start", "HEAD", "main#0"), ("bisect", "reset"), ("diff", "--model", "head", "HEAD"),
]  # fmt: skip


def test_nothing_of_a_model_runs_before_it_is_trusted(run: Run, copied: Path) -> None:
    for _ in range(2):  # the second time with the model's files in the working tree
        for words in COMMANDS:
            run(*words)
            assert not copied.exists(), words
    said = run("ls-tree", "HEAD")
    assert said.code == 0
    assert "streams/account-1.json" in said.out
    assert "is not trusted: the built-in projection is used instead" in said.err
    assert run("show", "--model", "head", "HEAD:accounts/1.json").code == 9
    assert run("trust").code == 0
    assert not copied.exists()
    assert "accounts/1.json" in run("ls-tree", "HEAD").out
    assert copied.read_text() == "it ran"


def test_appending_under_a_model_that_is_not_trusted_says_that_nothing_is_judged(
    run: Run, copied: Path
) -> None:
    words = ("commit", "-s", "account-1", "-t", "deposit_made", "--version", "99", "value=5")
    unjudged = "note: what is appended is not held to that model's schemas and rules"
    said = run(*words)
    assert said.code == 0
    assert said.err.count(unjudged) == 1
    assert unjudged not in run("status").err
    assert unjudged not in run(*words, "--no-verify").err
    run("trust")
    refused = run(*words)
    assert refused.code == 9
    assert unjudged not in refused.err


def test_any_change_and_revoking_end_trust(run: Run, copied: Path) -> None:
    run("model", "checkout")
    run("trust")
    assert "accounts/1.json" in run("ls-tree", "HEAD").out
    (Path.cwd() / "model" / "helper.py").write_text("")
    assert "not trusted" in run("ls-tree", "HEAD").err
    run("trust")
    assert "accounts/1.json" in run("ls-tree", "HEAD").out
    listed = [json.loads(line) for line in run("trust", "--list", "--json").out.splitlines()]
    assert len([each for each in listed if each["path"] == str(Path.cwd() / ".evgit")]) == 2
    assert run("trust", "--revoke", listed[-1]["model"][:10]).code == 0
    assert "not trusted" in run("ls-tree", "HEAD").err
    assert run("trust", "--revoke").out == "Took back 1 decision\n"
    assert "not trusted" in run("ls-tree", "--model", "head", "HEAD").err


def test_a_foreign_model_in_an_own_repository_is_not_the_persons_own(
    run: Run, work: Path, tmp_path: Path
) -> None:
    planted = tmp_path / "planted"
    (work / "model" / "bank.py").write_text(PLANT.replace("PATH", repr(str(planted))))
    run("model", "commit")
    model = json.loads(run("trust", "--list", "--json").out)["model"]
    run("trust", "--revoke", model)  # as if it had been pulled from somewhere
    (work / "model" / "bank.py").unlink()
    planted.unlink(missing_ok=True)
    forget(model)
    assert "not trusted" in run("ls-tree", "HEAD").err
    said = run("model", "checkout")
    assert "hint: this model came with data and is not trusted" in said.err
    assert "not trusted" in run("ls-tree", "HEAD").err
    assert "not trusted" in run("ls-tree", "--model", "worktree", "HEAD").err
    assert not planted.exists()


def test_a_damaged_trust_file_trusts_nothing(run: Run, work: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "trusted.json").write_text("not JSON")
    run("commit", "-q", "-s", "account-1", "-t", "deposit_made", "value=5")
    assert "not trusted" in run("ls-tree", "HEAD").err


def test_repositories_that_are_gone_are_forgotten(run: Run, work: Path, tmp_path: Path) -> None:
    run("init", "-q", "other")
    shutil.rmtree(work / "other")
    run("init", "-q", "third")
    own = json.loads((tmp_path / "home" / "trusted.json").read_text())["own"]
    assert [entry["path"] for entry in own] == [
        str(work / ".evgit"),
        str(work / "third" / ".evgit"),
    ]
