"""Taking commits back by compensating events: as the model says, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evgit.cli.main import main
from evgit.errors import HandlerFailed, ModelError, NotFound, WrongExpectedRevision
from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.trust import TrustEverything

BANK = """\
from evgit.model import KeyedProjection, compensate, invariant, on, upcast


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0}

    @on("deposit_made", "withdrawal_reversed")
    def more(self, account, event):
        account["balance"] += event.data["amount"]

    @on("money_withdrawn", "deposit_reversed")
    def less(self, account, event):
        account["balance"] -= event.data["amount"]


@upcast("deposit_made", from_version=1)
def name_the_amount(data):
    data["amount"] = data.pop("value")
    return data


@compensate("deposit_made")
def take_back(event, documents):
    return {"type": "deposit_reversed", "data": {"amount": event.data["amount"]}}


@compensate("money_withdrawn")
def give_back(event, documents):
    path = f"accounts/{event.stream.partition('-')[2]}.json"
    return [
        {
            "type": "withdrawal_reversed",
            "data": {"amount": event.data["amount"], "balance_before": documents[path]["balance"]},
            "meta": {"reason": "mistake"},
        },
        {"stream": "audit", "type": "reversal_noted"},
    ]


@compensate("noted")
def nothing(event, documents):
    return None


@compensate("bad")
def bad(event, documents):
    return {"typ": "x"}


@compensate("worse")
def worse(event, documents):
    return {"type": "x", "data": 1 / 0}


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Repository]:
    root = tmp_path / "bank"
    (root / "model").mkdir(parents=True)
    (root / "model" / "bank.py").write_text(BANK)
    use = ModelUse(trust=TrustEverything())
    with Repository.init(root, author="Ada <ada@example.org>", model=use) as repository:
        yield repository


def deposit(amount: int) -> NewEvent:
    return NewEvent("account-1", "deposit_made", {"value": amount})


def withdrawal(amount: int) -> NewEvent:
    return NewEvent("account-1", "money_withdrawn", {"amount": amount})


def revert(bank: Repository, *commits: str) -> None:
    found = bank.merging.compensating(commits)
    bank.append(found.events, expected=found.expected)


def balance(bank: Repository) -> int:
    return int(bank.state()["accounts/1.json"]["balance"])


def test_newest_first_each_on_the_state_by_then(bank: Repository) -> None:
    bank.append([deposit(100)])
    commit = bank.append([withdrawal(30), withdrawal(20), deposit(5)]).head
    found = bank.merging.compensating([commit])
    ids = [event.id for event in bank.events()]
    assert found.taken_back == [ids[3], ids[2], ids[1]]
    told = [(e.stream, e.type, e.data, e.meta["causation"]) for e in found.events]
    assert told == [
        ("account-1", "deposit_reversed", {"amount": 5}, ids[3]),
        ("account-1", "withdrawal_reversed", {"amount": 20, "balance_before": 50}, ids[2]),
        ("audit", "reversal_noted", {}, ids[2]),
        ("account-1", "withdrawal_reversed", {"amount": 30, "balance_before": 70}, ids[1]),
        ("audit", "reversal_noted", {}, ids[1]),
    ]
    assert found.events[1].meta["reason"] == "mistake"
    assert found.expected == {"account-1": 3, "audit": -1}
    revert(bank, commit)
    assert balance(bank) == 100
    assert [event.id for event in bank.events()][:4] == ids


def test_the_rules_hold_for_compensating_events_too(bank: Repository) -> None:
    first = bank.append([deposit(100)]).head
    bank.append([withdrawal(60)])
    with pytest.raises(ModelError, match="never below zero"):
        revert(bank, first)
    assert balance(bank) == 40
    found = bank.merging.compensating([first])
    bank.append([deposit(1)])
    with pytest.raises(WrongExpectedRevision):
        bank.append(found.events, expected=found.expected)


def test_without_an_answer_nothing_is_appended(bank: Repository) -> None:
    commit = bank.append([deposit(1), NewEvent("x", "unheard"), NewEvent("x", "also")]).head
    with pytest.raises(ModelError, match="does not say what compensates for 'also', 'unheard'"):
        bank.merging.compensating([commit])
    for kind, match in (("bad", "returned what is no event"), ("worse", "division by zero")):
        wrong = bank.append([NewEvent("x", kind)]).head
        with pytest.raises(HandlerFailed, match=match):
            bank.merging.compensating([wrong])
    noted = bank.append([NewEvent("x", "noted")]).head
    assert bank.merging.compensating([noted]).events == []
    elsewhere = bank.append([deposit(7)]).head
    bank.branches.undo()
    with pytest.raises(NotFound, match="is not in the history of HEAD"):
        bank.merging.compensating([elsewhere])


def test_from_the_command_line(
    bank: Repository, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(str(bank.layout.worktree))
    monkeypatch.setenv("EVGIT_TRUST_FILE", str(bank.layout.directory.parent.parent / "trusted"))
    bank.append([deposit(100)], message="Pay day")
    monkeypatch.setenv("EVGIT_AUTHOR_NAME", "Ada")

    def run(*words: str) -> tuple[int, str]:
        code = main(words)
        captured = capfdbinary.readouterr()
        return code, (captured.out + captured.err).decode()

    assert run("trust")[0] == 0
    code, said = run("revert", "--dry-run", "HEAD")
    assert (code, said.splitlines()[0]) == (0, 'account-1: deposit_reversed {"amount":100}')
    assert len(list(bank.events())) == 1
    code, said = run("revert", "HEAD", "--json")
    assert code == 0
    answer = json.loads(said.splitlines()[0])
    assert len(answer["taken_back"]) == len(answer["ids"]) == 1
    entry = bank.commit(answer["commit"]).commit
    assert entry.message == "Revert: Pay day"
    assert entry.meta == {"reverts": entry.parents}
    assert entry.guards == {"account-1": 0}
    assert next(bank.operations()).command == "revert"
    code, said = run("revert", "HEAD")
    assert code == 9
    assert "does not say what compensates for 'deposit_reversed'" in said
