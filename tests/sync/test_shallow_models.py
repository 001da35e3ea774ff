"""States at a boundary as a model sees them: given by one who trusts it, or said to be unknown."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from evgit.errors import BehindBoundary, InvalidInput, InvariantViolated
from evgit.formats.event import Event, batch_from_events
from evgit.repository import ModelUse, Repository
from evgit.state.modelling.trust import TrustEverything
from evgit.sync.fetching import Fetch
from tests.model.banking import BANK, deposit, withdrawal
from tests.sync.making import Line
from tests.sync.test_shallow_edges import Liar, changed, empty, taken

TRUSTING = ModelUse(trust=TrustEverything())


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Repository]:
    """A bank with some money in it, whose model is recorded and trusted."""
    root = tmp_path / "bank"
    (root / "model").mkdir(parents=True)
    (root / "model" / "bank.py").write_text(BANK)
    with Repository.init(root, model=TRUSTING) as repository:
        repository.commit_model(message="A model")
        for amount in (100, 200, 300):
            repository.append([deposit("1", amount), deposit("2", 5)])
        yield repository


def end_of(bank: Repository, path: Path, lie: Liar | None = None) -> Repository:
    """The last commit of the bank's history, in a repository that trusts its model."""
    with empty(bank, path) as copy:
        taken(copy, lie or Line(bank))
        copy.branches.create("main", copy.resolve_commit("origin/main"), force=True)
    return Repository.open(path, model=TRUSTING)


def documents(repository: Repository) -> dict[str, bytes]:
    return dict(repository.state().documents())


def test_states_of_a_model_go_on_from_the_boundary(bank: Repository, tmp_path: Path) -> None:
    with end_of(bank, tmp_path / "copy") as copy:
        assert documents(copy) == documents(bank)
        assert copy.state()["accounts/1.json"] == {"balance": 600}
        for repository in (copy, bank):
            with pytest.raises(InvariantViolated):
                repository.append([withdrawal("1", 700)])
        copy.append([withdrawal("1", 500)])
        assert copy.state()["accounts/1.json"] == {"balance": 100}
        taken(copy, Line(bank), Fetch(all=True))
        assert copy.state()["accounts/1.json"] == {"balance": 100}
        assert copy.fsck(jobs=1).clean
        assert not copy.boundaries


@pytest.mark.parametrize("under", ["accounts/1.json", "accounts", ""])
def test_what_its_events_did_is_known_from_the_boundary_on(
    bank: Repository, tmp_path: Path, under: str
) -> None:
    with end_of(bank, tmp_path / "copy") as copy:
        found: list[object] = []
        with pytest.raises(BehindBoundary, match="is shallow"):
            found.extend(copy.provenance.changes(copy.resolve("main"), 0, under))
        whole = bank.provenance.changes(bank.resolve("main"), copy.log("main").floor, under)
        assert found == list(whole) != []


def test_a_model_of_other_code_can_not_go_on(bank: Repository, tmp_path: Path) -> None:
    with end_of(bank, tmp_path / "copy") as copy:
        code = BANK.replace('{"balance": 0}', '{"balance": 1}')
        blob, size = copy.write_blob(BytesIO(code.encode()))
        written = Event(
            stream="$model",
            type="model_file_written",
            data={"blob": blob, "path": "model/bank.py", "size": size},
            blobs={blob: size},
            time="2026-11-23T03:36:00.123456Z",
        )
        copy.append(batch_from_events([written], reserved=True), verify=False)
    with (
        Repository.open(tmp_path / "copy", model=TRUSTING) as copy,
        pytest.raises(BehindBoundary, match="is not known"),
    ):
        documents(copy)


def test_without_trust_there_only_its_own_states_are_given(
    bank: Repository, tmp_path: Path
) -> None:
    with (
        Repository.open(bank.layout.directory) as untrusting,
        end_of(untrusting, tmp_path / "copy") as copy,
    ):
        with pytest.raises(BehindBoundary, match="is not known"):
            documents(copy)
        with pytest.raises(BehindBoundary):
            copy.append([withdrawal("1", 1)])
        assert copy.builtin_states.at(copy.log()).root == bank.builtin_states.at(bank.log()).root
        copy.append([withdrawal("1", 1)], verify=False)


def test_a_lie_about_a_models_state_is_found(bank: Repository, tmp_path: Path) -> None:
    lie = changed(rb'{"document":{"balance":300}', (rb"300", b"999"))
    with end_of(bank, tmp_path / "copy", Liar(bank, lie)) as copy:
        assert copy.state()["accounts/1.json"] == {"balance": 1299}
        with pytest.raises(InvalidInput, match="LIED"):
            taken(copy, Line(bank), Fetch(all=True))
        assert copy.boundaries
