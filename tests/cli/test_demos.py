"""The demos run to their end, find what they hide, and leave repositories that are right."""

from __future__ import annotations

import json
import re

import pytest

from evgit.bridges.demo_examples import BANK, PAYMENTS, model_files
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.loader import load


def shown(text: str, command: str) -> str:
    """What the demo shows below a command, up to the next one."""
    _, _, rest = text.partition(f"\n$ evgit {command}\n")
    return re.split(r"^\n?[#$] ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip("\n")


def test_the_bank(session) -> None:  # type: ignore[no-untyped-def]
    done = session.evgit("demo", "bank", "bank")
    assert done.code == 0, done.text
    assert json.loads(shown(done.out, "show main:accounts/42.json"))["balance"] == 1200
    past = shown(done.out, "show 'main@{2025-11-12T15:00Z}:accounts/42.json'")
    assert json.loads(past)["balance"] == 300
    assert "branch-3  Refund of fees, complaint 4711" in done.out
    assert "never below zero' does not hold for accounts/7.json: the balance would be -370" in (
        done.err
    )
    assert "Position 7 is the first bad event:" in done.out
    session.shell("cd bank")
    assert (
        session.shell("cat accounts/42.json").out == '{\n  "balance": 1420,\n  "owner": "Ada"\n}\n'
    )
    old = session.evgit("show", "--model", "main~1", "main:statements/42.csv")
    new = session.evgit("show", "main:statements/42.csv")
    assert old.out.startswith("date,transaction,amount\n2025-11-03,deposit_made,500\n")
    assert new.out.startswith("date,transaction,amount,balance\n2025-11-03,deposit_made,500,500\n")
    assert session.evgit("model", "check").code == 0
    assert session.evgit("model", "test", "-q").code == 0


def test_an_overdraft_among_many_events(session) -> None:  # type: ignore[no-untyped-def]
    done = session.evgit("demo", "bank", "--into", "bank", "--events", "3000")
    assert done.code == 0, done.text
    found = re.search(r"^Position (\d+) is the first bad event:$", done.out, re.MULTILINE)
    assert found
    assert f"# It was put at position {found[1]}, indeed." in done.out
    session.shell("cd bank")
    checked = session.evgit("model", "check")
    assert checked.code == 9
    assert "never below zero" in checked.text
    assert re.search(rf"\b{found[1]}\b", checked.text), checked.text


def test_payments(session) -> None:  # type: ignore[no-untyped-def]
    done = session.evgit("demo", "payments", "payments")
    assert done.code == 0, done.text
    assert "Nothing new: 10 events already in the history" in done.out
    assert json.loads(shown(done.out, "show main:balance/usd.json")) == {
        "available": 0,
        "disputed": 1099,
        "refunded": {"ch_3Qa1": 2000},
    }
    assert "| 2025-11-21 | dp_1Rb2 | ch_3Qb2 | 10.99 USD | product not received |" in done.out
    assert session.evgit("-C", "payments", "model", "check").code == 0
    assert session.evgit("-C", "payments", "model", "test", "-q").code == 0


def test_what_makes_no_demo(session) -> None:  # type: ignore[no-untyped-def]
    session.shell("echo x > occupied")
    for words, code in (
        (["bank", "--into", "."], 4),
        (["bank", "there", "--into", "here"], 2),
        (["payments", "--events", "1000"], 2),
        (["bank", "--events", "3"], 2),
        (["shop"], 3),
    ):
        assert session.evgit("demo", *words).code == code, words


@pytest.mark.parametrize("example", [BANK, PAYMENTS], ids=lambda path: str(path.name))
def test_the_models_load_and_have_schemas_of_all_their_types(example) -> None:  # type: ignore[no-untyped-def]
    files = model_files(example)
    model = load(ModelFiles(files))
    described = {path.split("/")[1] for path in files if path.startswith("schemas/")}
    assert described == model.types
