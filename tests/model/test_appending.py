"""What a model refuses at append, and that nothing has changed then."""

from __future__ import annotations

import pytest

from evgit.errors import HandlerFailed, InvariantViolated, UnknownVersion
from evgit.repository import NewEvent, Repository
from tests.model.banking import BANK, deposit, withdrawal


def test_an_invariant_refuses_by_name_and_document(bank: Repository) -> None:
    bank.append([deposit("1", 5)])
    before = bank.head()
    with pytest.raises(InvariantViolated, match="'never below zero' does not hold for") as error:
        bank.append([deposit("2", 1), withdrawal("1", 6)])
    assert (error.value.name, error.value.path) == ("never below zero", "accounts/1.json")
    assert bank.head() == before
    bank.append([withdrawal("1", 6)], verify=False)
    assert bank.state()["accounts/1.json"] == {"balance": -1}


def test_only_new_events_are_judged(bank: Repository) -> None:
    old = withdrawal("1", 5)
    fixed = NewEvent(old.stream, old.type, old.data, time="2026-01-01T00:00:00Z")
    bank.append([fixed], verify=False)
    again = bank.append([fixed])
    assert (again.appended, again.already) == (0, 1)


def test_the_branch_that_is_appended_to_is_judged(bank: Repository) -> None:
    bank.branches.create("poor", bank.head().point.commit)
    bank.append([deposit("1", 5)])
    with pytest.raises(InvariantViolated):
        bank.append([withdrawal("1", 5)], branch="poor")
    bank.append([withdrawal("1", 5)])


@pytest.mark.parametrize("meanwhile", [True, False])
def test_a_model_that_another_process_records_counts_at_once(
    bank: Repository, meanwhile: bool
) -> None:
    """Also where this one has appended without being judged since."""
    directory, root = bank.layout.directory, bank.working_tree.root
    (root / "model").rename(root / "elsewhere")
    with Repository.open(directory, model=bank.model_use) as other:
        other.append([withdrawal("1", 1)])
        (root / "elsewhere").rename(root / "model")
        bank.commit_model()
        (root / "model").rename(root / "elsewhere")
        if meanwhile:
            other.append([withdrawal("2", 1)], verify=False)
        with pytest.raises(InvariantViolated):
            other.append([withdrawal("3", 1)])
        assert other.append([deposit("3", 1)]).appended == 1
    (root / "elsewhere").rename(root / "model")


@pytest.mark.parametrize(
    ("body", "refused", "path"),
    [
        ("return sum(d['balance'] for p, d in documents.items() if p < 'ad') <= 10", True, None),
        ("return [p for p, d in documents.items() if p[:2] == 'ac' and d['balance'] > 10]", True,
         "accounts/1.json"),
        ("return 'too rich' if documents['accounts/1.json']['balance'] > 10 else ''", True, None),
        ("return None", False, None),
        ("return []", False, None),
    ],
)  # fmt: skip
def test_a_rule_across_documents(
    bank: Repository, body: str, refused: bool, path: str | None
) -> None:
    rule = f'\n\n@invariant("not too rich")\ndef modest(documents):\n    {body}\n'
    (bank.working_tree.root / "model" / "bank.py").write_text(BANK + rule)
    bank.append([deposit("1", 10)])
    if not refused:
        assert bank.append([deposit("1", 1)]).appended == 1
        return
    with pytest.raises(InvariantViolated, match="not too rich") as error:
        bank.append([deposit("1", 1)])
    assert error.value.path == path


def test_a_rule_that_fails_is_said_with_its_line(bank: Repository) -> None:
    (bank.working_tree.root / "model" / "bank.py").write_text(
        BANK.replace('return account["balance"] >= 0', 'return account["none"] >= 0')
    )
    with pytest.raises(HandlerFailed, match=r"model/bank\.py, line \d+: KeyError: 'none'"):
        bank.append([deposit("1", 1)])
    assert bank.head().point.size == 0


def test_versions_beyond_the_model_are_refused(bank: Repository) -> None:
    with pytest.raises(UnknownVersion, match=r"event 2 is of version 3 of deposit_made"):
        bank.append([deposit("1", 1), NewEvent("account-1", "deposit_made", {}, version=3)])
    with pytest.raises(UnknownVersion, match="only up to version 1"):
        bank.append([NewEvent("account-1", "money_withdrawn", {}, version=2)])
    assert bank.head().point.size == 0
    assert bank.append([NewEvent("till-1", "till_opened", {}, version=9)]).appended == 1


def test_an_event_that_a_handler_fails_on_is_refused_where_rules_look_at_it(
    bank: Repository,
) -> None:
    with pytest.raises(HandlerFailed, match=r"KeyError: 'amount'; nothing was appended"):
        bank.append([NewEvent("account-1", "deposit_made", {}, version=2)])
    assert bank.head().point.size == 0


def test_projections_that_no_rule_looks_at_don_t_run_at_append(bank: Repository) -> None:
    (bank.working_tree.root / "model" / "bank.py").write_text(
        BANK.replace("documents.setdefault", "1 / 0; documents.setdefault")
    )
    assert bank.append([deposit("1", 1)]).appended == 1
    with pytest.raises(HandlerFailed, match=r"bank\.Audit failed"):
        len(bank.state())
