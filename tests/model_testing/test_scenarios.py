"""given, when, then: what holds passes, and what does not says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.errors import HandlerFailed, NotFound, SchemaViolated, UnknownVersion
from evgit.model_testing import event, given, model_at
from evgit.repository import ModelUse, Repository
from evgit.state.modelling.trust import TrustEverything
from tests.model.banking import BANK

SCHEMA = '{"required": ["amount"], "properties": {"amount": {"minimum": 1}}}'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the tests: below one with the bank's model."""
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "bank.py").write_text(BANK)
    (tmp_path / "schemas" / "deposit_made").mkdir(parents=True)
    (tmp_path / "schemas" / "deposit_made" / "2.json").write_text(SCHEMA)
    monkeypatch.chdir(tmp_path / "model" / "deep")
    return tmp_path


DEPOSIT = event("account-1", "deposit_made", amount=500, meta={"actor": "till"})
WITHDRAWAL = event("account-1", "money_withdrawn", {"amount": 200})


def test_what_holds_passes() -> None:
    (
        given(DEPOSIT)
        .then("accounts/1.json", {"balance": 500})
        .when(WITHDRAWAL, event("account-2", "deposit_made", amount=1))
        .then("accounts/1.json", {"balance": 300.0})
        .then({"accounts/2.json": {"balance": 1}, "audit/by/till.json": 1})
        .then("statements/1.md", "# 1\n- 0 deposit_made 500\n- 1 money_withdrawn 200\n")
        .when(event("account-2", "account_closed"))
        .then_absent("accounts/2.json", "accounts/9.json")
    )


def test_old_versions_are_upcast() -> None:
    given(event("account-1", "deposit_made", value=5, version=1)).then(
        "accounts/1.json", {"balance": 5}
    )


@pytest.mark.parametrize(
    ("path", "document", "says"),
    [
        ("accounts/1.json", {"balance": 501}, r"/balance: expected 501, found 500"),
        ("accounts/1.json", {"balance": 500, "x": 1}, r"/x: expected 1, found nothing"),
        ("accounts/1.json", 5, r"expected 5\n  found    \{\"balance\": 500\}"),
        ("accounts/2.json", {}, r"no document accounts/2.json; there are accounts/1.json, audit"),
    ],
)
def test_what_does_not_hold_says_why(path: str, document: object, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        given(DEPOSIT).then(path, document)


def test_refused_by_an_invariant() -> None:
    tried = given(DEPOSIT).when(event("account-1", "money_withdrawn", amount=501))
    tried.then_refused("never below zero").then("accounts/1.json", {"balance": 500})
    tried.then_refused().when(WITHDRAWAL).then("accounts/1.json", {"balance": 300})
    with pytest.raises(AssertionError, match="not refused by 'other', but: invariant 'never"):
        tried.then_refused("other")
    for step in (lambda: tried.then("accounts/1.json", {}), lambda: tried.when(DEPOSIT),
                 lambda: tried.then_absent("x")):  # fmt: skip
        with pytest.raises(AssertionError, match="it was refused: invariant 'never below zero'"):
            step()
    with pytest.raises(AssertionError, match="it was not refused by 'never below zero'"):
        given(DEPOSIT).when(WITHDRAWAL).then_refused("never below zero")


def test_a_rule_holds_between_commits() -> None:
    (
        given()
        .when(event("account-1", "money_withdrawn", amount=5), DEPOSIT)
        .then("accounts/1.json", {"balance": 495})
    )


def test_refused_by_a_schema() -> None:
    tried = given().when(event("account-1", "deposit_made", amount=0))
    tried.then_refused("less than the minimum of 1")
    tried.then_refused()
    tried.then_raises(SchemaViolated, "/amount")
    assert given(event("account-1", "deposit_made", amount=0)).documents["accounts/1.json"]


def test_code_that_fails() -> None:
    tried = given().when(event("account-1", "money_withdrawn", sum=5))
    tried.then_raises(HandlerFailed, "KeyError: 'amount'").when(DEPOSIT).then(
        "accounts/1.json", {"balance": 500}
    )
    with pytest.raises(HandlerFailed, match=r"model/bank\.py, line"):
        tried.then_refused()
    with pytest.raises(HandlerFailed):
        tried.then("accounts/1.json", {})
    with pytest.raises(AssertionError, match="did not raise UnknownVersion, but"):
        tried.then_raises(UnknownVersion)
    with pytest.raises(AssertionError, match="did not raise HandlerFailed"):
        given().when(DEPOSIT).then_raises(HandlerFailed)
    given().when(event("account-1", "deposit_made", version=3)).then_raises(UnknownVersion)


def test_steps_don_t_change_what_was() -> None:
    start = given(DEPOSIT)
    start.when(WITHDRAWAL)
    start.then("accounts/1.json", {"balance": 500})


def test_the_same_as_a_repository(here: Path) -> None:
    """Ids and positions too: handlers may use both."""
    use = ModelUse(trust=TrustEverything())
    scenario = given(DEPOSIT).when(WITHDRAWAL)
    with Repository.init(here, model=use) as repository:
        for number, new in enumerate([DEPOSIT, WITHDRAWAL]):
            made = event(new.stream, new.type, new.data, meta=new.meta,
                         time=f"2026-01-01T00:00:0{number}Z", version=2 - number)  # fmt: skip
            repository.append([made])
        assert dict(repository.state()) == scenario.documents


def test_where_there_is_no_model(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = here.parent / (here.name + "-other")
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(NotFound, match=r"there is no model in .*-other or above"):
        given(DEPOSIT)
    given(DEPOSIT, model=model_at(here)).then("accounts/1.json", {"balance": 500})


def test_mistakes_in_tests_are_said() -> None:
    with pytest.raises(TypeError, match="takes a path and a document"):
        given().then("accounts/1.json")
    with pytest.raises(TypeError, match="as one value, or its members"):
        event("account-1", "deposit_made", {"amount": 1}, amount=1)
