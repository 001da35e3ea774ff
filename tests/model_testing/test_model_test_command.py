"""`evgit model test`: which tests run, where, and only with trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.cli import model_tests
from tests.model.banking import Run
from tests.model.conftest import run, work

__all__ = ["run", "work"]

TEST = """\
from evgit.model_testing import event, given

def test_deposits_add_up():
    given(event("account-1", "deposit_made", amount=5)).then("accounts/1.json", {"balance": 5})

def test_wrong():
    given(event("account-1", "deposit_made", amount=5)).then("accounts/1.json", {"balance": RIGHT})
"""


@pytest.fixture
def tested(run: Run, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take longer than the tests
    (work / "model" / "tests").mkdir()
    (work / "model" / "tests" / "test_accounts.py").write_text(TEST.replace("RIGHT", "5"))
    return work


def test_passes_on_what_pytest_says(run: Run, tested: Path) -> None:
    assert "2 passed" in (said := run("model", "test")).out
    assert said.code == 0
    (tested / "model/test_more.py").write_text(TEST.replace("RIGHT", "6"))
    said = run("model", "test", "-q", "--maxfail", "1", "model/test_more.py")
    assert (said.code, "1 failed, 1 passed" in said.out) == (1, True)
    assert "/balance: expected 6, found 5" in said.out
    assert sorted(p.name for p in tested.iterdir() if p.name != ".hypothesis") == [
        ".evgit",
        "model",
    ]
    assert not (tested / "model" / "__pycache__").exists()


def test_of_another_revision(run: Run, tested: Path) -> None:
    run("model", "commit")
    (tested / "model/tests/test_accounts.py").write_text(TEST.replace("RIGHT", "6"))
    assert "2 passed" in run("model", "test", "-q", "--model", "main").out


def test_nothing_runs_without_trust(run: Run, tested: Path) -> None:
    (tested / "model/tests/test_accounts.py").write_text("open('planted', 'w')")
    run("trust", "--revoke")
    said = run("model", "test")
    assert (said.code, "is not trusted" in said.err) == (9, True)
    assert not (tested / "planted").exists()


def test_nothing_to_run(run: Run, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("model", "test")
    assert (said.code, "the model has no tests" in said.err) == (3, True)
    monkeypatch.setattr(model_tests, "find_spec", lambda name: None)
    said = run("model", "test")
    assert (said.code, "pip install 'evgit[test]'" in said.err) == (3, True)
    assert run("-C", "..", "init", "-q", "other").code == 0
    assert run("-C", "../other", "model", "test").code == 3


def test_exit_codes_are_evgit_s(run: Run, tested: Path) -> None:
    said = run("model", "test", "-q", "-k", "nosuch")
    assert (said.code, "no tests to run" in said.err) == (1, True)
    assert run("model", "test", "--nosuch").code == 2
    assert run("model", "test", "model/nosuch.py::test_x").code in (1, 2)
    said = run("model", "test", "--json")
    assert (said.code, "no JSON" in said.err) == (2, True)


def test_files_that_are_not_in_the_working_tree(run: Run, tested: Path) -> None:
    run("model", "commit")
    for path in sorted((tested / "model").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tested / "model").rmdir()
    said = run("model", "test")
    assert (said.code, "evgit model checkout HEAD" in said.err) == (3, True)
