"""What `evgit demo bank` and `evgit demo payments` show: models at work, on events of their own.

The examples lie beside this module as a user would have them: `evgit.toml`, `model/`, `schemas/`
and the events as JSON lines. They are data here: nothing of them is imported.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from evgit.bridges.demo import DemoStep, FilesStep, Step
from evgit.bridges.overdraft import overdraft_history

EXAMPLES = Path(__file__).parent / "examples"
BANK, PAYMENTS = EXAMPLES / "bank", EXAMPLES / "payments"
_LATER = "later/"  # what becomes of some files as the story goes on
_MODEL = ("evgit.toml", "model/", "schemas/")
_BEFORE = "main@{2025-11-12T15:00Z}"
_REFUSED = 9


def example_files(example: Path) -> dict[str, bytes]:
    """All files of an example: path with slashes -> contents."""
    return {
        path.relative_to(example).as_posix(): path.read_bytes()
        for path in sorted(example.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def model_files(example: Path) -> dict[str, bytes]:
    """The files of an example's model."""
    return {path: data for path, data in example_files(example).items() if path.startswith(_MODEL)}


def bank_steps() -> Iterator[Step]:
    """A bank: balances, transaction lists, an audit view, and a rule."""
    files = example_files(BANK)
    document = "accounts/42.json"
    yield DemoStep(["init"], "Make a repository.")
    yield FilesStep(
        {"ledger.jsonl": files["ledger.jsonl"]},
        ["ledger.jsonl"],
        "What happened at a small bank, as its old system kept it.",
    )
    yield DemoStep(
        ["import", "-m", "From the old system", "ledger.jsonl"],
        "Import it: each event counts as recorded when it happened.",
    )
    yield FilesStep(
        model_files(BANK),
        ["model/accounts.py", "model/statements.py", "model/audit.py"],
        "What that means is said by a model: three projections, an upcaster and an invariant.",
    )
    yield DemoStep(
        ["model", "check"], "Is the model right? It is replayed twice, and its rule is judged."
    )
    yield DemoStep(
        ["model", "commit", "-m", "What the events mean"], "It is recorded beside the events."
    )
    yield DemoStep(["checkout"], "The state as files.")
    yield DemoStep(["show", f"main:{document}"], "500 - 200 - 50 + 950.")
    yield DemoStep(
        ["show", f"{_BEFORE}:{document}"],
        "And on 12 November at 15:00?",
    )
    yield DemoStep(
        ["diff", _BEFORE, "main", "--", "accounts", "statements"], "What has changed since?"
    )
    yield DemoStep(["log", "-p", "--", document], "What did each event do to it?")
    yield DemoStep(
        ["cat-file", "-p", "account-42@1"],
        "An old deposit, of version 1, says `value`: the upcaster reads it, and it stays as it is.",
    )
    yield DemoStep(
        [*_deposit("42", 100), "-m", "Refund of fees, complaint 4711", "--meta", "actor=branch-3"],
        "New ones are of version 2.",
    )
    yield DemoStep(["blame", document], "Who changed it, and why?")
    yield DemoStep(
        ["commit", "-s", "account-7", "-t", "money_withdrawn", "amount=500", "-m", "Rent"],
        "More than there is: refused, and nothing is appended.",
        code=_REFUSED,
    )
    yield DemoStep(
        ["commit", "-m", "Rent, in part"],
        "Several events at once, all or none of them.",
        given='{"stream": "account-7", "type": "transfer_sent", '
        '"data": {"amount": 120, "to": "account-42"}, "meta": {"actor": "grace"}}\n'
        '{"stream": "account-42", "type": "transfer_received", '
        '"data": {"amount": 120, "from": "account-7"}, "meta": {"actor": "grace"}}\n',
    )
    yield DemoStep(["show", "main:statements/42.csv"], "The transaction list is a text.")
    yield DemoStep(["blame", "statements/42.csv"], "So it is blamed line by line.")
    later = {
        path.removeprefix(_LATER): data for path, data in files.items() if path.startswith(_LATER)
    }
    yield FilesStep(later, [], "Change one projection's code: a balance after each transaction.")
    yield DemoStep(["model", "diff"], "What is different?")
    yield DemoStep(
        ["show", "main:statements/42.csv"],
        "Today's code for events of any age; only this projection is computed anew.",
    )
    yield DemoStep(
        ["show", "--model", "head", "main:statements/42.csv"],
        "As long as it is not committed, the old code and its state are there beside it.",
    )
    yield DemoStep(["model", "commit", "-m", "Statements with balances"], "Record it.")
    yield DemoStep(["bisect", "start"], "Search all of history for something.")
    yield DemoStep(
        ["bisect", "run", "--path", document, "--", "grep", "-q", '"balance":[0-9]\\{1,3\\}[,}]'],
        "After which event did account 42 first hold 1000 or more?",
    )
    yield DemoStep(["bisect", "reset"], "Back to the present.")
    yield DemoStep(["fsck"], "Every hash, the order of events and the log root are right.")


def overdraft_steps(events: int, choose: random.Random) -> Iterator[Step]:
    """A bank with many events, one of which overdraws an account: find it."""
    history = overdraft_history(events, choose)
    document = f"accounts/{history.account}.json"
    yield DemoStep(["init"], "Make a repository.")
    yield FilesStep(
        {"history.jsonl": history.lines},
        [],
        f"{events:,} events at 1,000 accounts. One of them, at a random position, is a withdrawal "
        "of more than there was.",
    )
    yield DemoStep(["import", "-q", "history.jsonl"], "Import them: there is no rule yet.")
    yield FilesStep(model_files(BANK), [], "Now the bank's model.")
    yield DemoStep(["model", "commit", "-m", "What the events mean"], "Record it.")
    yield DemoStep(["show", f"main:{document}"], "This account is below zero. Since when?")
    yield DemoStep(["bisect", "start"], "Search all of history.")
    yield DemoStep(
        ["bisect", "run", "--path", document, "--", "grep", "-qv", '"balance":-'],
        "Look at the document, at half of what is left each time.",
    )
    yield DemoStep(["bisect", "reset"], "Back to the present.")
    yield DemoStep(
        ["log", "-p", "-n", "1", "--", document],
        f"It was put at position {history.position}, indeed.",
    )
    yield DemoStep(["blame", document], "Who was it?")


def payments_steps() -> Iterator[Step]:
    """Payments as a payment provider's webhooks tell of them."""
    files = example_files(PAYMENTS)
    hooks = {"webhooks.jsonl": files["webhooks.jsonl"]}
    yield DemoStep(["init"], "Make a repository.")
    yield FilesStep(
        hooks, [], "Webhooks of a payment provider (Stripe's shape), one stream for each payment."
    )
    yield DemoStep(["import", "-m", "Webhooks", "webhooks.jsonl"], "Import them.")
    yield DemoStep(
        ["import", "-m", "Webhooks, again", "webhooks.jsonl"],
        "Providers deliver twice. The webhook's id is the event's key, so nothing happens twice.",
    )
    yield FilesStep(
        model_files(PAYMENTS),
        ["model/transactions.py", "model/disputes.py"],
        "The model: what became of each payment, balances by currency, disputes to answer.",
    )
    yield DemoStep(["model", "commit", "-m", "Payments"], "Record it beside the events.")
    yield DemoStep(["checkout"], "The state as files.")
    yield DemoStep(
        ["show", "main:balance/usd.json"], "20.00 refunded in two parts, 10.99 in dispute."
    )
    yield DemoStep(
        ["show", f"{_BEFORE}:balance/usd.json"], "And on 12 November, before the dispute?"
    )
    yield DemoStep(
        ["log", "-p", "--", "transactions/pi_3Qa1.json"], "The story of one payment, newest first."
    )
    yield DemoStep(["blame", "transactions/pi_3Qb2.json"], "Which webhook set which field?")
    yield DemoStep(["show", "main:disputes/open.md"], "What has to be answered, as a page to read.")
    yield DemoStep(
        ["step", "to", "7"], "Walk through history: each step shows what an event changed."
    )
    yield DemoStep(["step", "forward"], "One more: somebody begins to pay.")
    yield DemoStep(["step", "to", "end"], "And back to the present.")
    yield DemoStep(["fsck"], "Every hash, the order of events and the log root are right.")


def _deposit(account: str, amount: int) -> list[str]:
    stream = f"account-{account}"
    words = ["commit", "-s", stream, "-t", "deposit_made", "--version", "2"]
    return [*words, f"amount={amount}"]
