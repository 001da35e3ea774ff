"""Blame and log through a real model: keyed documents, rendered texts, general ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evgit.repository import ModelUse, NewEvent, Repository, TrustFile
from evgit.state.provenance.parts import own_positions, part_of, parts_of
from evgit.storage.blocks import BlockStore

MODEL = """
from evgit.model import DELETE, KeyedProjection, Projection, on


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = ("account", "savings")

    @on("deposit_made", "withdrawal_made")
    def moved(self, document, event):
        sign = 1 if event.type == "deposit_made" else -1
        document["balance"] = document.get("balance", 0) + sign * event.data["amount"]
        document.setdefault("owner", event.meta["actor"])

    @on("account_closed")
    def closed(self, document, event):
        return DELETE


class ByActor(KeyedProjection):
    prefix = "actors/"

    def key(self, event):
        return event.meta.get("actor")

    @on("deposit_made")
    def deposit(self, document, event):
        document[event.stream] = event.position


class Notes(KeyedProjection):
    prefix = "notes/"
    categories = "savings"

    def key(self, event):
        return event.meta.get("actor")

    @on("deposit_made")
    def deposit(self, document, event):
        document["last"] = event.stream


class Statements(KeyedProjection):
    prefix = "statements/"
    suffix = ".txt"
    streams = "account-*"

    def initial(self, key):
        return []

    @on("deposit_made", "withdrawal_made")
    def line(self, document, event):
        document.append(f"{event.type} {event.data['amount']}")

    def render(self, key, document):
        return "\\n".join([f"Account {key}", *document, f"{len(document)} lines", ""])


class Totals(Projection):
    prefix = "totals/"

    @on("deposit_made")
    def add(self, documents, event):
        total = documents.setdefault("totals/bank.json", {"sum": 0, "largest": 0})
        total["sum"] += event.data["amount"]
        total["largest"] = max(total["largest"], event.data["amount"])
"""

HISTORY = [  # stream, type, amount, actor
    ("account-42", "deposit_made", 500, "ann"),
    ("account-7", "deposit_made", 10, "ben"),
    ("account-42", "withdrawal_made", 200, "ben"),
    ("savings-42", "deposit_made", 5, "ann"),
    ("account-8", "deposit_made", 1, "ann"),
    ("account-8", "account_closed", 0, "ben"),
    ("other-42", "deposit_made", 3, "ben"),
]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.init(tmp_path / "bank", author="Ada <ada@example.org>") as made:
        repository_id = made.id
    (tmp_path / "bank" / "evgit.toml").write_text("[model]\n")
    (tmp_path / "bank" / "model").mkdir()
    (tmp_path / "bank" / "model" / "bank.py").write_text(MODEL)
    trust = TrustFile(tmp_path / "trusted.json")
    trust.own(made.layout.directory, repository_id)
    use = ModelUse(trust=trust)
    with Repository.open(tmp_path / "bank", author="Ada <ada@example.org>", model=use) as opened:
        for stream, kind, amount, actor in HISTORY:
            opened.append(
                [NewEvent(stream, kind, {"amount": amount}, meta={"actor": actor})],
                message=f"{kind} by {actor}",
            )
        yield opened


def positions(repository: Repository, path: str, field: str | None = None) -> dict[object, int]:
    found = repository.provenance.blame(repository.resolve("HEAD"), path, field)
    return {getattr(e, "pointer", None) or getattr(e, "text", ""): e.by.position for e in found}


def test_every_kind_of_projection_is_blamed(repository: Repository) -> None:
    assert positions(repository, "accounts/42.json") == {"/balance": 3, "/owner": 0}
    assert positions(repository, "actors/ann.json") == {
        "/account-42": 0,
        "/savings-42": 3,
        "/account-8": 4,
    }
    assert positions(repository, "statements/42.txt") == {
        "Account 42": 0,
        "deposit_made 500": 0,
        "withdrawal_made 200": 2,
        "2 lines": 2,
    }
    assert positions(repository, "notes/ann.json") == {"/last": 3}
    assert positions(repository, "totals/bank.json", "/sum") == {"/sum": 6}
    assert positions(repository, "totals/bank.json", "/largest") == {"/largest": 0}


def test_the_log_of_a_document_that_is_gone(repository: Repository) -> None:
    tip = repository.resolve("HEAD")
    found = list(repository.provenance.changes(tip, 0, "accounts/8.json"))
    assert [(position, c.new_bytes is None) for position, (c,) in found] == [(5, True), (4, False)]


def test_what_one_event_changed_in_every_projection(repository: Repository) -> None:
    changes = repository.provenance.changes_at(repository.resolve("HEAD"), 3)
    assert [change.path for change in changes] == [
        "accounts/42.json",
        "actors/ann.json",
        "notes/ann.json",
        "totals/bank.json",
    ]


def test_only_a_documents_own_streams_are_read(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = repository.log("HEAD")
    parts = parts_of(repository.states)

    def own(path: str) -> list[int] | None:
        found = own_positions(repository.history, log, part_of(parts, path), path)
        return None if found is None else list(found)

    assert own("accounts/42.json") == [0, 2, 3]
    assert own("statements/42.txt") == [0, 2]
    assert own("statements/42.json") == []
    assert own("actors/ann.json") is None
    assert own("notes/ann.json") == own("notes/nobody.json") == [3]

    def refuse(self: object, ranges: object) -> None:
        raise AssertionError("the log was read")

    monkeypatch.setattr(BlockStore, "texts", refuse)
    assert positions(repository, "accounts/42.json", "/owner") == {"/owner": 0}
