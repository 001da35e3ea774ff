"""A bank: a repository with a model in its working tree, and ways to run the command line on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evgit.cli.main import main
from evgit.repository import ModelUse, Repository
from evgit.state.modelling.trust import TrustEverything
from tests.model.banking import BANK, Run, Said


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Repository]:
    """An empty bank, whose model is trusted."""
    root = tmp_path / "bank"
    (root / "model").mkdir(parents=True)
    (root / "model" / "bank.py").write_text(BANK)
    with Repository.init(root, model=ModelUse(trust=TrustEverything())) as repository:
        yield repository


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands in tmp_path/work, as a person with an own home."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("EVGIT_CONFIG_GLOBAL", str(home / "config.toml"))
    monkeypatch.setenv("EVGIT_TRUST_FILE", str(home / "trusted.json"))
    monkeypatch.setenv("EVGIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("EVGIT_AUTHOR_EMAIL", "ada@example.org")
    monkeypatch.chdir(work)

    def command(*words: str) -> Said:
        capfd.readouterr()
        code = main(list(words))
        return Said(code, *capfd.readouterr())

    return command


@pytest.fixture
def work(run: Run) -> Path:
    """The directory that `run` runs in: a repository with the bank's model, not committed."""
    assert run("init").code == 0
    root = Path.cwd()
    (root / "model").mkdir()
    (root / "model" / "bank.py").write_text(BANK)
    return root
