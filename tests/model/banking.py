"""The bank's model, and what goes into it: shared by the tests of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from evgit.repository import NewEvent
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.loader import load

BANK = """\
from evgit.model import DELETE, KeyedProjection, Projection, invariant, on, upcast


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0}

    @on("deposit_made")
    def deposited(self, account, event):
        account["balance"] += event.data["amount"]

    @on("money_withdrawn")
    def withdrawn(self, account, event):
        account["balance"] -= event.data["amount"]

    @on("account_closed")
    def closed(self, account, event):
        return DELETE


class Statements(KeyedProjection):
    prefix = "statements/"
    suffix = ".md"
    categories = ("account",)

    def initial(self, key):
        return []

    @on("deposit_made", "money_withdrawn")
    def line(self, lines, event):
        lines.append(f"{event.position} {event.type} {event.data['amount']}")

    def render(self, key, lines):
        return f"# {key}\\n" + "".join(f"- {line}\\n" for line in lines)


class Audit(Projection):
    prefix = "audit/"

    @on("deposit_made", "money_withdrawn", "account_closed")
    def seen(self, documents, event):
        documents.setdefault("audit/ids.json", []).append(event.id)
        who = event.meta.get("actor", "nobody")
        path = f"audit/by/{who}.json"
        documents[path] = documents.get(path, 0) + 1


@upcast("deposit_made", from_version=1)
def deposit_2(data):
    data["amount"] = data.pop("value")
    return data


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""


def loaded(code: str) -> LoadedModel:
    """A model of one module, bank.py."""
    return load(ModelFiles({"model/bank.py": code.encode()}))


def deposit(account: str, amount: int, **more: object) -> NewEvent:
    """A deposit of version 2."""
    return NewEvent(f"account-{account}", "deposit_made", {"amount": amount}, version=2, **more)  # type: ignore[arg-type]


def withdrawal(account: str, amount: int) -> NewEvent:
    """Money taken out."""
    return NewEvent(f"account-{account}", "money_withdrawn", {"amount": amount})


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]
