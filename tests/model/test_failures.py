"""Models that do what they must not: each is reported by name, event, file and line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evgit.errors import HandlerFailed, ModelError, NotDeterministic, UnknownVersion
from evgit.repository import NewEvent, Repository
from tests.model.banking import BANK, deposit

LINE = BANK.splitlines().index('        account["balance"] += event.data["amount"]') + 1


def write(bank: Repository, code: str, settings: str = "") -> None:
    root = bank.working_tree.root
    (root / "model" / "bank.py").write_text(code)
    if settings:
        (root / "evgit.toml").write_text(settings)


def poisoned(bank: Repository, statement: str, *, live: bool = False) -> HandlerFailed:
    """The error where the third deposit runs a statement."""
    write(bank, BANK.replace(
        'account["balance"] += event.data["amount"]',
        f'account["balance"] += event.data["amount"]; {statement}',
    ))  # fmt: skip
    bank.append([deposit("1", 1), deposit("2", 2), deposit("1", 1000)], verify=False)
    before = bank.head()
    with pytest.raises(HandlerFailed) as error:
        bank.state()["accounts/1.json"]
    assert bank.head() == before
    return error.value


POISON = "1 / 0 if event.data['amount'] == 1000 else None"


def test_names_event_position_type_file_and_line(bank: Repository) -> None:
    error = poisoned(bank, POISON)
    event = [*bank.events()][2]
    assert (error.event_id, error.position) == (event.id, 2)
    assert (error.file, error.line) == ("model/bank.py", LINE)
    assert error.path == "accounts/1.json"
    for part in (event.id[:12], "position 2", "deposit_made", "account-1", f"line {LINE}"):
        assert part in error.message
    assert "ZeroDivisionError: division by zero" in error.message
    assert f"--skip {event.id[:12]}" in error.hint


def test_the_same_where_many_events_are_folded_at_once(
    bank: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evgit.state.states.LIVE_EVENTS", 1)
    assert poisoned(bank, POISON).position == 2


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("float('nan')", "NaN"),
        ("{1, 2}", "set"),
        ("event", "Event"),
        ("event.data", "mappingproxy"),
        ("{1: 2}", "key"),
        ("2**60", "2^53"),
    ],
)
def test_a_document_must_be_json(
    bank: Repository, monkeypatch: pytest.MonkeyPatch, value: str, says: str, many: bool
) -> None:
    if many:
        monkeypatch.setattr("evgit.state.states.LIVE_EVENTS", 1)
    statement = f"event.data['amount'] == 1000 and account.update(x={value})"
    error = poisoned(bank, statement)
    assert error.position == 2
    assert says.lower() in error.message.lower()


def test_an_event_is_read_only(bank: Repository) -> None:
    error = poisoned(bank, "event.data['amount'] = 0")
    assert "does not support item assignment" in error.message
    assert "events are read-only, and dict(event.data) is a copy" in error.hint
    assert error.line == LINE


def test_an_event_has_no_attributes_to_set(bank: Repository) -> None:
    assert "immutable" in poisoned(bank, "event.type = 'x'").message


def test_ending_the_process_is_a_failure_like_any(bank: Repository) -> None:
    assert "SystemExit" in poisoned(bank, "exit(0)").message


def check(bank: Repository, code: str) -> ModelError:
    write(bank, code)
    bank.append(
        [NewEvent("account-1", "deposit_made", {"amount": n, "tags": ["a", "b"]}, version=2)
         for n in range(40)],
        verify=False,
    )  # fmt: skip
    with pytest.raises(ModelError) as error:
        bank.check_model()
    return error.value


@pytest.mark.parametrize(
    "value",
    [
        "__import__('time').time()",
        "str(__import__('datetime').datetime.now())",
        "str(__import__('datetime').date.today())",
        "__import__('random').random()",
        "__import__('os').getpid()",
        "list({'a', 'b', 'c', 'd', 'e', 'f'})",
        "hash('a') % 1000",
    ],
)
def test_check_finds_what_is_not_deterministic(bank: Repository, value: str) -> None:
    later = f"if event.position == 23: account['x'] = {value}"
    error = check(bank, BANK.replace(
        'account["balance"] += event.data["amount"]',
        f'account["balance"] += event.data["amount"]\n        {later}',
    ))  # fmt: skip
    assert isinstance(error, NotDeterministic)
    assert "bank.Accounts (model/bank.py, line 4) is not deterministic" in error.message
    assert "accounts/1.json" in error.message
    assert "position 23 " in error.message


@pytest.mark.parametrize(
    ("begins", "then"),
    [
        ("", "self.seen = getattr(self, 'seen', 0) + 1; account['x'] = self.seen"),
        ("seen = []", "self.seen.append(1); account['x'] = len(self.seen)"),
        ("seen = [1]", "account['x'] = self.seen; self.seen = self.seen + [1]"),
    ],
    ids=["own", "shared", "replaced"],
)
def test_check_finds_what_a_projection_keeps_on_itself(
    bank: Repository, begins: str, then: str
) -> None:
    bank.append([deposit("1", 5), deposit("2", 5)])
    code = BANK.replace(
        'account["balance"] += event.data["amount"]',
        f'account["balance"] += event.data["amount"]\n        {then}',
    )
    prefix = '    prefix = "accounts/"\n'
    assert prefix in code
    error = check(bank, code.replace(prefix, f"{prefix}    {begins}\n", 1))
    assert isinstance(error, NotDeterministic)
    assert "bank.Accounts (model/bank.py, line 4) is not deterministic: document accounts/" in (
        error.message
    )
    assert "nothing kept on itself" in error.hint


@pytest.mark.parametrize(
    ("begins", "then"),
    [
        ("SEEN = []", "SEEN.append(1); account['x'] = len(SEEN)"),
        ("SEEN = {'n': 0}", "SEEN['n'] += 1; account['x'] = SEEN['n']"),
        ("SEEN = 0", "global SEEN; SEEN += 1; account['x'] = SEEN"),
    ],
)
def test_check_finds_what_a_module_keeps(bank: Repository, begins: str, then: str) -> None:
    bank.append([deposit("1", 5), deposit("2", 5)])
    add = 'account["balance"] += event.data["amount"]'
    code = BANK.replace(add, f"{then.replace('; ', chr(10) + ' ' * 8)}\n        {add}")
    error = check(bank, code.replace("\n\nclass", f"\n{begins}\n\n\nclass", 1))
    assert isinstance(error, NotDeterministic)
    assert "bank.Accounts (model/bank.py, line 6) is not deterministic" in error.message


def test_a_table_of_a_module_and_a_cache_are_no_harm(bank: Repository) -> None:
    bank.append([deposit("1", 5), deposit("2", 5)])
    add = 'account["balance"] += event.data["amount"]'
    kept = "account['x'] = RATES.setdefault('a', 1) + LATER.get('b', 2)"
    code = BANK.replace(add, f"{kept}\n        {add}")
    write(bank, "RATES = {'a': 1}\nLATER = {}\n" + code)
    assert bank.check_model().broken is None


def test_what_a_projection_only_remembers_is_no_harm(bank: Repository) -> None:
    """A cache of a pure function, and what can't be copied."""
    known = "self.known = getattr(self, 'known', None) or {'one': 1}"
    code = BANK.replace(
        'account["balance"] += event.data["amount"]',
        f"{known}\n        account['balance'] += event.data['amount'] * self.known['one']",
    )
    tools = "    tools = {'lock': __import__('threading').Lock()}\n"
    write(bank, code.replace("    def initial", f"{tools}\n    def initial", 1))
    bank.append([deposit("1", 5), deposit("2", 5), deposit("1", 5)], verify=False)
    assert bank.check_model().size == 3


def test_check_finds_a_handler_that_changes_what_is_in_its_event(bank: Repository) -> None:
    error = check(bank, BANK.replace(
        'account["balance"] += event.data["amount"]',
        'account["balance"] += event.data["amount"]; event.data["tags"].sort(reverse=True)',
    ))  # fmt: skip
    assert isinstance(error, HandlerFailed)
    assert "changes the data of event" in error.message
    assert "position 0" in error.message


def test_check_finds_the_first_place_where_a_rule_is_broken(bank: Repository) -> None:
    bank.append([deposit("1", 5), deposit("2", 5)])
    bad = [
        deposit("2", 1),
        NewEvent("account-1", "money_withdrawn", {"amount": 9}),
        deposit("2", 1),
    ]
    commit = bank.append(bad, verify=False).commit
    bank.append([deposit("1", 50)])
    broken = bank.check_model().broken
    assert broken is not None
    assert (broken.violation.name, broken.violation.path) == ("never below zero", "accounts/1.json")
    assert (broken.position, broken.commit) == (3, commit)


def test_a_rule_holds_between_commits_not_within(bank: Repository) -> None:
    bank.append([NewEvent("account-1", "money_withdrawn", {"amount": 9}), deposit("1", 9)])
    assert bank.check_model().broken is None


def test_an_upcaster_must_return(bank: Repository) -> None:
    write(bank, BANK.replace("    return data\n", ""))
    bank.append([NewEvent("account-1", "deposit_made", {"value": 5})], verify=False)
    with pytest.raises(HandlerFailed, match=r"returned nothing on event .* position 0"):
        bank.state()["accounts/1.json"]


def test_events_of_versions_beyond_the_model_are_not_misread(bank: Repository) -> None:
    bank.append([NewEvent("account-1", "deposit_made", {"amount": 5}, version=3)], verify=False)
    with pytest.raises(UnknownVersion, match=r"only up to version 2.*is of version 3"):
        bank.state()["accounts/1.json"]


def test_strict_models_know_every_type(bank: Repository) -> None:
    write(bank, BANK, '[model]\nstrict = true\nignore = ["till_opened"]\n')
    bank.append([deposit("1", 1), NewEvent("till-1", "till_opened")])
    assert bank.state()["accounts/1.json"] == {"balance": 1}
    with pytest.raises(UnknownVersion, match="does not know: till_closed"):
        bank.append([NewEvent("till-1", "till_closed")])
    bank.append([NewEvent("till-1", "till_closed")], verify=False)
    with pytest.raises(UnknownVersion, match=r"till_closed in till-1\) at position 2"):
        len(bank.state())


def test_a_projection_may_refuse_what_it_does_not_handle(bank: Repository) -> None:
    strict = 'categories = "account"\n    unknown = "error"\n'
    write(bank, BANK.replace('categories = "account"\n', strict))
    bank.append([NewEvent("till-1", "till_opened"), deposit("1", 1)])
    assert bank.state()["accounts/1.json"] == {"balance": 1}
    bank.append([NewEvent("account-1", "account_frozen")], verify=False)
    with pytest.raises(UnknownVersion, match=r"bank\.Accounts does not handle .*account_frozen"):
        bank.state()["accounts/1.json"]


def test_a_general_projection_keeps_to_its_prefix(bank: Repository) -> None:
    write(bank, BANK.replace('path = f"audit/by/{who}.json"', 'path = "accounts/1.json"'))
    bank.append([deposit("1", 1)], verify=False)
    with pytest.raises(HandlerFailed, match=r"not below the projection's prefix 'audit/'"):
        len(bank.state())


def test_an_endless_loop_can_be_interrupted(bank: Repository, tmp_path: Path) -> None:
    bank.append([deposit("1", 1)], verify=False)
    started = tmp_path / "started"
    loop = f"open({str(started)!r}, 'w').close()\n        while True: pass"
    write(bank, BANK.replace('account["balance"] += event.data["amount"]', loop))
    trust = tmp_path / "trust.json"
    environment = os.environ | {
        "EVGIT_TRUST_FILE": str(trust),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    root = bank.working_tree.root

    command = [sys.executable, "-m", "evgit"]
    subprocess.run([*command, "trust"], cwd=root, env=environment, check=True, capture_output=True)
    with subprocess.Popen(
        [*command, "show", "HEAD:accounts/1.json"],
        cwd=root,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        deadline = time.monotonic() + 20
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "interrupted" in said
