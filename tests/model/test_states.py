"""States by a model: against a fold written by hand, at any size, cached apart, rebuilt apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from evgit.formats.event import Event, batch_from_events
from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.trust import TrustEverything
from evgit.storage.cache import Cache
from tests.model.banking import BANK, deposit, loaded, withdrawal


class TextLog:
    """A log in memory: canonical lines, and roots that only tell contents apart."""

    def __init__(self, events: list[NewEvent]) -> None:
        self.events = [
            Event(
                stream=e.stream,
                type=e.type,
                data=e.data,
                time=f"2026-01-01T00:00:{i // 1000 % 60:02d}.{i % 1000:03d}000Z",
                version=e.version,
                meta=dict(e.meta),
            )
            for i, e in enumerate(events)
        ]
        self.lines = batch_from_events(self.events).lines
        self.size = len(self.lines)

    def texts(self, start: int = 0, stop: int | None = None) -> Any:
        lines = self.lines[start:stop]
        for place in range(0, len(lines), 7):
            yield b"".join(line + b"\n" for line in lines[place : place + 7])

    def root(self, size: int | None = None) -> bytes:
        return blake3(b"".join(self.lines[:size])).digest()


@st.composite
def facts(draw: st.DrawFn) -> list[NewEvent]:
    def fact(account: str, kind: int, amount: int) -> NewEvent:
        if kind == 0:
            return NewEvent(f"account-{account}", "deposit_made", {"value": amount})
        if kind == 1:
            return deposit(account, amount, meta={"actor": "till"})
        if kind == 2:
            return withdrawal(account, amount)
        if kind == 3:
            return NewEvent(f"account-{account}", "account_closed", {})
        return NewEvent(f"till-{account}", "deposit_made", {"unread": True}, version=2)

    one = st.builds(fact, st.sampled_from("123"), st.integers(0, 4), st.integers(0, 99))
    return draw(st.lists(one, max_size=60))


def by_hand(events: list[NewEvent], ids: list[str]) -> dict[str, Any]:
    documents: dict[str, Any] = {}
    lines: dict[str, list[str]] = {}
    for position, event in enumerate(events):
        category, _, account = event.stream.partition("-")
        amount = event.data.get("amount", event.data.get("value"))
        if category == "account":
            path = f"accounts/{account}.json"
            if event.type == "account_closed":
                documents.pop(path, None)
            else:
                sign = 1 if event.type == "deposit_made" else -1
                balance = documents.setdefault(path, {"balance": 0})
                balance["balance"] += sign * amount
                lines.setdefault(account, []).append(f"- {position} {event.type} {amount}\n")
        documents.setdefault("audit/ids.json", []).append(ids[position])
        who = f"audit/by/{event.meta.get('actor', 'nobody')}.json"
        documents[who] = documents.get(who, 0) + 1
    for account, own in lines.items():
        documents[f"statements/{account}.md"] = f"# {account}\n" + "".join(own)
    return documents


@settings(max_examples=40, deadline=None)
@given(facts(), st.lists(st.integers(0, 60), max_size=4), st.sampled_from([1, 5, 1 << 40]))
def test_any_state_is_the_fold_of_its_events(
    events: list[NewEvent], sizes: list[int], interval: int
) -> None:
    log = TextLog(events)
    ids = [event.id for event in log.events]
    states = ModelStates(Cache(None), loaded(BANK), interval=interval, remembered=2)
    for size in [*sizes, len(events)]:
        size = min(size, len(events))
        state = states.at(log, size)
        expected = by_hand(events[:size], ids)
        assert dict(state) == expected
        assert len(state) == len(expected)
        assert {path: state[path] for path in expected} == expected
        assert state.root == states.rebuild(log, size).root


def test_many_events_at_once_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [deposit(str(n % 7), n) if n % 3 else withdrawal(str(n % 5), n) for n in range(500)]
    events += [NewEvent("account-3", "account_closed")]
    log = TextLog(events)
    model = loaded(BANK)
    lazily = ModelStates(Cache(None), model).at(log)
    monkeypatch.setattr("evgit.state.states.LIVE_EVENTS", 10)
    monkeypatch.setattr("evgit.state.folding.LIVE_DOCUMENTS", 3)
    live = ModelStates(Cache(None), model, interval=50).at(log)
    assert dict(live) == dict(lazily)
    assert live.root == lazily.root


def test_one_document_asks_only_its_own_projection() -> None:
    code = BANK.replace('account["balance"] -=', '1 / 0; account["balance"] -=')
    log = TextLog([deposit("1", 5), withdrawal("1", 2)])
    state = ModelStates(Cache(None), loaded(code)).at(log)
    assert state["statements/1.md"] == "# 1\n- 0 deposit_made 5\n- 1 money_withdrawn 2\n"


CALLS = "CALLS = []\n"


def counted(code: str) -> str:
    for kind in ("deposited", "line", "seen"):
        head = f"    def {kind}(self, "
        before, after = code.split(head, 1)
        signature, body = after.split("\n", 1)
        code = f"{before}{head}{signature}\n        CALLS.append('{kind}')\n{body}"
    return code.replace("\n\n\nclass", f"\n\n{CALLS}\n\nclass", 1)


def calls(model: Any) -> list[str]:
    found: list[str] = sys.modules[type(model.projections[0].declared).__module__].CALLS
    return found


def test_changed_code_rebuilds_only_its_own_projection() -> None:
    log = TextLog([deposit("1", n) for n in range(40)])
    cache = Cache(None)
    old = loaded(counted(BANK))
    before = ModelStates(cache, old, interval=10).at(log)
    assert before["accounts/1.json"] == {"balance": 780}
    assert len(dict(before)) == 4
    changed = loaded(counted(BANK).replace("+= event.data", "+= 2 * event.data"))
    after = ModelStates(cache, changed, interval=10).at(log)
    assert after["accounts/1.json"] == {"balance": 1560}
    assert len(dict(after)) == 4
    assert calls(changed).count("deposited") == 40
    assert calls(changed).count("line") == calls(changed).count("seen") == 0
    # The old state is still served to the old code.
    again = loaded(counted(BANK))
    served = ModelStates(cache, again, interval=10).at(log)
    calls(again).clear()
    assert served["accounts/1.json"] == {"balance": 780}
    assert calls(again) == []


def test_texts_are_files_that_hold_just_them(bank: Repository) -> None:
    bank.append([deposit("1", 5), withdrawal("1", 2)])
    bank.checkout()
    root = bank.working_tree.root
    assert (root / "statements/1.md").read_text() == (
        "# 1\n- 0 deposit_made 5\n- 1 money_withdrawn 2\n"
    )
    assert bank.working_tree.status(bank.state()).clean
    bank.append([deposit("1", 1)])
    result = bank.checkout()
    assert (result.written, result.removed) == (4, 0)
    (root / "statements/1.md").write_text("mine\n")
    assert bank.working_tree.status(bank.state()).modified == ["statements/1.md"]


def test_a_diff_is_of_documents_as_people_see_them(bank: Repository) -> None:
    bank.append([deposit("1", 5)])
    bank.append([deposit("2", 5)])
    changes = {c.path: (c.old, c.new) for c in bank.diff("main~1", "main", "statements")}
    assert [*changes] == ["statements/2.md"]
    assert changes["statements/2.md"][1] == "# 2\n- 1 deposit_made 5\n"


def test_todays_code_gives_old_events_todays_meaning(bank: Repository) -> None:
    bank.append([NewEvent("account-1", "deposit_made", {"value": 5})])
    assert bank.state("main#0")["accounts/1.json"] == {"balance": 5}
    assert bank.event(next(bank.events()).id).data == {"value": 5}


def test_events_can_be_left_out(bank: Repository) -> None:
    bank.append([deposit("1", 5), deposit("1", 7)])
    first = next(bank.events()).id
    use = ModelUse(trust=TrustEverything(), skip=[first])
    with Repository.open(bank.layout.directory, model=use) as without:
        assert without.state()["accounts/1.json"] == {"balance": 7}
        assert without.state()["audit/ids.json"] == [list(without.events())[1].id]
    assert bank.state()["accounts/1.json"] == {"balance": 12}


def test_no_model_no_import(tmp_path: Path) -> None:
    code = (
        "import sys; from evgit.repository import Repository, NewEvent\n"
        f"r = Repository.init({str(tmp_path / 'r')!r})\n"
        "r.append([NewEvent('account-1', 'deposit_made', {'amount': 1})]); dict(r.state())\n"
        "print([m for m in sys.modules if m.startswith('evgit.state.modelling.l')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
