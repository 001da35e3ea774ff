"""Makes an old repository: python -m tests.old_repositories.make NAME

Run it when the format at rest changes, before that lands in a release, with a NAME such as
`format-2`. It writes NAME.zip, the repository, and NAME.json, what it must be read as ever after:
both are checked in beside this file and never made again. `test_old_repositories.py` reads all that
there are. What the documents say is not computed here but spelled out below.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evgit.formats.tag import Tag
from evgit.repository import Connecting, ModelUse, NewEvent, Repository, clone
from evgit.state.modelling.trust import TrustEverything
from evgit.storage.database import fetch_one

HERE = Path(__file__).resolve().parent

MODEL = """\
from evgit.model import DELETE, KeyedProjection, Projection, invariant, on, upcast


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0, "currency": None}

    @on("deposit_made")
    def deposited(self, account, event):
        account["balance"] += event.data["cents"]
        account["currency"] = event.data["currency"]

    @on("account_closed")
    def closed(self, account, event):
        return DELETE


class Notes(Projection):
    prefix = "notes/"

    @on("note_taken")
    def noted(self, documents, event):
        documents["notes/last.json"] = [event.position, event.version, dict(event.data)]


@upcast("deposit_made", from_version=1)
def amounts_are_cents(data):
    return {"cents": data["amount"] * 100}


@upcast("deposit_made", from_version=2)
def money_has_a_currency(data):
    data["currency"] = "EUR"
    return data


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""
SCHEMA = {
    "type": "object",
    "required": ["cents", "currency"],
    "properties": {"cents": {"type": "integer"}, "currency": {"enum": ["EUR", "CHF"]}},
}
NOTE = {
    "text": "Grüezi \u2028 \U0001f600",
    "number": 1e21,
    "tiny": 5e-324,
    "nested": [[], {}, None],
}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "main": {
        "accounts/1.json": {"balance": 1750, "currency": "CHF"},
        "accounts/2.json": {"balance": 700, "currency": "EUR"},
        "notes/last.json": [43, 1, NOTE],
    },
    "before": {
        "accounts/1.json": {"balance": 1500, "currency": "EUR"},
        "accounts/2.json": {"balance": 700, "currency": "EUR"},
    },
    "other": {"accounts/1.json": {"balance": 501, "currency": "CHF"}},
    "main#1": {"accounts/1.json": {"balance": 1500, "currency": "EUR"}},
}
SMALL, LARGE = b"a small blob", bytes(range(256)) * 1024


def day(number: int) -> str:
    return f"2026-11-{number:02d}T10:00:00Z"


def deposit(account: int, data: dict[str, Any], version: int, when: int) -> NewEvent:
    return NewEvent(f"account-{account}", "deposit_made", data, day(when), version)


def fill(repository: Repository) -> None:
    """Events of all versions, several streams, branches, tags, blobs, a model, a deleted branch."""
    repository.append([deposit(1, {"amount": 5}, 1, 1)], message="The oldest", commit_time=0)
    start = repository.resolve_commit()
    repository.append([deposit(1, {"cents": 1000}, 2, 2), deposit(2, {"cents": 700}, 2, 2)],
                      expected={"account-1": 0, "account-2": "none"})  # fmt: skip
    repository.branches.create_tag("before", repository.resolve_commit())
    repository.commit_model(message="What it means")
    repository.branches.create("other", start)
    repository.append([deposit(1, {"cents": 1, "currency": "CHF"}, 3, 3)], branch="other")
    repository.branches.create("gone", start)
    repository.branches.delete("gone", force=True)
    blobs = dict(repository.write_blob(io.BytesIO(data)) for data in (SMALL, LARGE))
    repository.append(
        [
            deposit(1, {"cents": 250, "currency": "CHF"}, 3, 4),
            NewEvent("slip-1", "slip_scanned", {}, day(4), meta={"actor": "till"}, blobs=blobs),
            NewEvent("account-3", "deposit_made", {"amount": 1}, day(4), key="once"),
            NewEvent("account-3", "account_closed", {}, day(5)),
        ],
        message="Several at once\n\nWith a body.",
        meta={"ticket": 7},
    )
    many = [NewEvent(f"till-{n % 5}", "till_opened", {"n": n}, day(6)) for n in range(34)]
    repository.append(many, recorded_at_event_times=True)
    repository.append([NewEvent("note-1", "note_taken", NOTE, day(7))])
    head = repository.resolve_commit()
    tag = Tag(
        message="The first",
        name="v1",
        tagger="Ada <ada@example.org>",
        target=head,
        time="2026-11-08T00:00:00.000000Z",
    )
    repository.branches.create_tag("v1", repository.branches.write_tag(tag))


def described(repository: Repository) -> dict[str, Any]:
    """What must be read ever after, but for the documents: ids, sizes, roots, bytes."""
    heads = {}
    for ref in repository.refs("refs/heads/"):
        log = repository.log(ref.target)
        heads[ref.name] = {"commit": ref.target, "size": log.size, "log_root": log.root().hex()}
    main = repository.log("main")
    return {
        "repository": repository.id,
        "heads": heads,
        "tags": {ref.name: ref.target for ref in repository.refs("refs/tags/")},
        "events": [event.id for event in repository.events("main")],
        "first_line": main.line(0).decode(),
        "operations": [operation.command for operation in repository.operations()],
        "model": repository.models.at(repository.resolve("main")).id,  # type: ignore[union-attr]
        "builtin_root": repository.builtin_states.at(main).root,
    }


def fill_by_fetching(source: Repository, target: Path) -> Repository:
    """A clone with packs, with rows of one block and with rows of many: it grew in three ways."""
    using = Connecting("Ada <ada@example.org>", source.clock)
    use = ModelUse(trust=TrustEverything())
    repository, _ = clone(str(source.layout.directory.parent), target, using=using, model=use)
    repository.branches.create("other", repository.resolve_commit("origin/other"))
    repository.gc()
    for n in range(150):
        source.append([NewEvent(f"till-{n % 5}", "till_closed", {"n": n}, day(9))])
    sync = repository.sync(using)
    sync.fetch(sync.remote("origin"))
    sync.remotes.set_url("origin", "https://example.org/bank")
    repository.branches.create("main", repository.resolve_commit("origin/main"), force=True)
    repository.append([NewEvent("till-1", "till_opened", {"n": 150}, day(10))])
    rows, lines = fetch_one(
        repository.history.connection,
        "SELECT count(*), (SELECT sum(events + 1) FROM commits) FROM blocks",
    )
    assert list(repository.layout.packs.glob("*.evpack"))
    assert 2 <= rows < 20 < lines
    return repository


def main() -> None:
    name = sys.argv[1]
    target = HERE / f"{name}.zip"
    if target.exists():
        sys.exit(f"{target} is there already, and is never made again")
    with TemporaryDirectory() as place:
        source, root = Path(place) / "source", Path(place) / "clone"
        files = {"model/bank.py": MODEL, "schemas/deposit_made/3.json": json.dumps(SCHEMA)}
        for path, text in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
        use = ModelUse(trust=TrustEverything())
        with Repository.init(source, author="Ada <ada@example.org>", model=use) as made:
            fill(made)
            with fill_by_fetching(made, root) as repository:
                for revision, documents in DOCUMENTS.items():
                    assert dict(repository.state(revision)) == documents, revision
                assert not repository.fsck().problems
                found = described(repository)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((root / ".evgit").rglob("*")):
                if path.is_file() and not path.name.startswith("cache.db"):
                    archive.write(path, path.relative_to(root))
    text = json.dumps(found | {"documents": DOCUMENTS}, indent=1)
    (HERE / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
