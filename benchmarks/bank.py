"""The bank's balances, computed three ways; each action in a process of its own.

evgit with the model of its bank example; the same fold written by hand over a SQLite event table;
aggregates of the `eventsourcing` package. All must come to the same balances. Only evgit computes
states of the past, blames and bisects.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

SEED = 20_251_123
BATCH = 1000


def _checksum(balances: Iterable[tuple[str, int]]) -> str:
    """Equal for equal balances, whatever order they come in."""
    text = "".join(f"{account} {balance}\n" for account, balance in sorted(balances))
    return sha256(text.encode()).hexdigest()[:16]


# ---------------------------------------------------------------------- events
def generate(path: str, events: int, accounts: int) -> dict[str, Any]:
    """A file of events, one of which overdraws an account; where that is."""
    from evgit.bridges.overdraft import overdraft_history

    history = overdraft_history(events, random.Random(SEED), accounts)
    Path(path).write_bytes(history.lines)
    return {"position": history.position, "account": history.account}


def generate_accounts(path: str, events: int) -> dict[str, Any]:
    """A file of events, each at an account of its own."""
    with Path(path).open("w", encoding="utf-8") as file:
        for number in range(events):
            file.write(
                f'{{"stream":"account-{number:07d}","type":"deposit_made","version":2,'
                f'"time":"2025-01-01T00:00:00.{number % 1_000_000:06d}Z",'
                f'"data":{{"amount":{number % 997 + 1}}},"meta":{{"actor":"till-1"}}}}\n'
            )
    return {}


def _batches(path: str) -> Iterator[list[bytes]]:
    with Path(path).open("rb") as file:
        while lines := list(itertools.islice(file, BATCH)):
            yield lines


# ---------------------------------------------------------------------- evgit
def _opened(directory: str) -> Any:
    from evgit.repository import ModelUse, Repository
    from evgit.state.modelling.trust import TrustEverything

    return Repository.open(directory, model=ModelUse(trust=TrustEverything()))


def evgit_store(directory: str, path: str) -> dict[str, Any]:
    """A repository with the events and the bank's balances."""
    import evgit
    from evgit.bridges.demo_examples import BANK

    place = Path(directory)
    place.mkdir(parents=True)
    with evgit.init(place) as repository:
        number = 1
        for lines in _batches(path):
            batch = evgit.batch_from_lines(lines, number)
            repository.append(batch, message="import", recorded_at_event_times=True)
            number += len(lines)
    (place / "model").mkdir()
    (place / "model" / "accounts.py").write_bytes((BANK / "model" / "accounts.py").read_bytes())
    return {}


def evgit_pack(directory: str, source: str) -> dict[str, Any]:
    """A copy of a repository, packed by `gc`."""
    shutil.copytree(source, directory)
    with _opened(directory) as repository:
        repository.upkeep.gc()
    return {}


def _forget_states(repository: Any) -> None:
    cache = repository.layout.cache
    for path in cache.parent.glob(f"{cache.name}*"):
        path.unlink()


def evgit_rebuild(directory: str, jobs: int = 1) -> dict[str, Any]:
    """All documents from events alone, and what is cached of them on the way."""
    (Path(directory) / ".evgit" / "config.toml").write_text(f"[model]\njobs = {jobs}\n")
    with _opened(directory) as repository:
        _forget_states(repository)
        log, states = repository.log("HEAD"), repository.states
        start = perf_counter()
        state = states.at(log)
        count = len(state)
        seconds = perf_counter() - start
        balances = ((path[9:-5], account["balance"]) for path, account in state.items())
        return {"seconds": seconds, "documents": count, "checksum": _checksum(balances)}


def evgit_past(directory: str, positions: list[int], account: str) -> dict[str, Any]:
    """Seconds to the state at each position and one document of it, with warm snapshots; and, for
    some of them, to all of its documents and their root."""
    with _opened(directory) as repository:
        size = repository.log("HEAD").size
        repository.state().get(f"accounts/{account}.json")
        for position in (size - 2, *(size * step // 10 for step in range(9, 0, -1))):
            repository.state(f"HEAD#{position}").get(f"accounts/{account}.json")
    taken = []
    with _opened(directory) as repository:
        repository.states  # noqa: B018 - the model is loaded once, not for each state
        for position in positions:
            start = perf_counter()
            state = repository.state(f"HEAD#{position}")
            state.get(f"accounts/{account}.json")
            taken.append(perf_counter() - start)
    whole = []
    with _opened(directory) as repository:
        for step in range(9, 0, -1):  # a document alone leaves no snapshots, whole states do
            repository.state(f"HEAD#{size * step // 10}").root  # noqa: B018
    with _opened(directory) as repository:
        repository.states  # noqa: B018
        for position in positions[:10]:
            start = perf_counter()
            repository.state(f"HEAD#{position}").root  # noqa: B018
            whole.append(perf_counter() - start)
    return {"seconds": taken, "whole": whole}


def evgit_blame(directory: str, accounts: list[str]) -> dict[str, Any]:
    taken = []
    with _opened(directory) as repository:
        tip = repository.resolve("HEAD")
        repository.states  # noqa: B018
        for account in accounts:
            start = perf_counter()
            found = list(repository.provenance.blame(tip, f"accounts/{account}.json", "/balance"))
            taken.append(perf_counter() - start)
            assert len(found) == 1, found
    return {"seconds": taken}


def evgit_bisect(directory: str, account: str) -> dict[str, Any]:
    """The first overdraft of an account, after a rebuild that nobody has looked back from."""
    from evgit.repository import search

    evgit_rebuild(directory)
    with _opened(directory) as repository:
        asked = 0

        def judge(point: Any) -> Any:
            nonlocal asked
            asked += 1
            document = repository.states.at(repository.log(point)).get(f"accounts/{account}.json")
            return "bad" if document is not None and document["balance"] < 0 else "good"

        repository.states  # noqa: B018
        bisection = repository.provenance.start_bisection("ref: refs/heads/main")
        start = perf_counter()
        bisection.mark("bad", repository.resolve("HEAD"))
        search(bisection, judge)
        seconds = perf_counter() - start
        found = bisection.found
        bisection.end()
    return {"seconds": seconds, "evaluations": asked, "position": found}


def evgit_refresh(directory: str, count: int) -> dict[str, Any]:
    """Seconds to the new state and the document that changed, each time an event was appended."""
    import evgit

    taken = []
    with _opened(directory) as repository:
        repository.state()
        for number in range(count):
            stream = f"account-9{number:06d}"
            repository.append(
                [evgit.NewEvent(stream, "deposit_made", {"amount": 1}, version=2)], verify=False
            )
            start = perf_counter()
            account = repository.state()[f"accounts/9{number:06d}.json"]
            taken.append(perf_counter() - start)
            assert account == {"balance": 1}
    return {"seconds": taken}


# ---------------------------------------------------------------------- by hand
def sqlite_store(directory: str, path: str) -> dict[str, Any]:
    from benchmarks.contenders.sqlite_table import SQLiteTable

    return SQLiteTable(Path(directory)).append(path, BATCH)


def sqlite_rebuild(directory: str) -> dict[str, Any]:
    """What somebody would write who needs the balances and nothing else."""
    from benchmarks.contenders.sqlite_table import SQLiteTable

    database = SQLiteTable(Path(directory)).database
    decode = msgspec.json.Decoder().decode
    accounts: dict[str, dict[str, Any]] = {}
    start = perf_counter()
    found: Any = database.execute("select stream, type, version, data from events order by id")
    for stream, kind, version, text in found:
        data = decode(text)
        account = accounts.get(stream)
        if account is None:
            account = accounts[stream] = {"balance": 0}
        if kind in ("deposit_made", "transfer_received"):
            if version == 1 and kind == "deposit_made":
                data["amount"] = data.pop("value")
            account["balance"] += data["amount"]
        elif kind in ("money_withdrawn", "transfer_sent"):
            account["balance"] -= data["amount"]
        elif kind == "account_opened":
            account["owner"] = data["owner"]
    seconds = perf_counter() - start
    balances = ((stream[8:], account["balance"]) for stream, account in accounts.items())
    return {"seconds": seconds, "documents": len(accounts), "checksum": _checksum(balances)}


# ---------------------------------------------------------------------- aggregates
def _aggregates(directory: str) -> tuple[Any, Any]:
    from eventsourcing.application import Application

    from benchmarks.contenders.aggregates import Account

    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    application = Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(place / "events.db"),
        }
    )
    return application, Account


def eventsourcing_store(directory: str, path: str) -> dict[str, Any]:
    application, account_class = _aggregates(directory)
    accounts: dict[str, Any] = {}
    decode = msgspec.json.Decoder().decode
    for lines in _batches(path):
        touched = {}
        for line in lines:
            event = decode(line)
            name = event["stream"]
            if name not in accounts:
                accounts[name] = account_class(name)
            account = touched[name] = accounts[name]
            amount = event["data"]["amount"]
            deposit = event["type"] == "deposit_made"
            (account.deposit if deposit else account.withdraw)(amount)
        application.save(*touched.values())
    (Path(directory) / "accounts.json").write_text(json.dumps(sorted(accounts)))
    return {}


def eventsourcing_rebuild(directory: str) -> dict[str, Any]:
    """Every aggregate, got from its repository."""
    application, account_class = _aggregates(directory)
    names = json.loads((Path(directory) / "accounts.json").read_text())
    start = perf_counter()
    accounts = [application.repository.get(account_class.create_id(name)) for name in names]
    seconds = perf_counter() - start
    balances = ((account.name[8:], account.balance) for account in accounts)
    return {"seconds": seconds, "documents": len(accounts), "checksum": _checksum(balances)}


ACTIONS = {
    action.__name__: action
    for action in (
        generate,
        generate_accounts,
        evgit_store,
        evgit_pack,
        evgit_rebuild,
        evgit_past,
        evgit_blame,
        evgit_bisect,
        evgit_refresh,
        sqlite_store,
        sqlite_rebuild,
        eventsourcing_store,
        eventsourcing_rebuild,
    )
}

if __name__ == "__main__":
    _request = json.loads(Path(sys.argv[1]).read_bytes())
    print(json.dumps(ACTIONS[_request.pop("action")](**_request)))
