"""A generated history of a bank in which one event overdraws an account: something to search for.

Its events are those of the bank example. It knows no repository.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_START = datetime(2025, 1, 1, tzinfo=UTC)
_SECONDS = 300 * 24 * 3600


class OverdraftHistory(NamedTuple):
    """JSON lines in order of time; where the overdraft is, and at whose account."""

    lines: bytes
    position: int
    account: str


def overdraft_history(events: int, choose: random.Random, accounts: int = 1000) -> OverdraftHistory:
    """Events at so many accounts.

    No account goes below zero but by the event at that position, which is in the last nine
    tenths; the account is frozen after it. `events` is at least 10.
    """
    position = choose.randrange(events // 10, events)
    balances: dict[int, int] = {}
    frozen = -1
    lines = []
    for number in range(events):
        account = choose.randrange(accounts)
        if number == position:
            account = frozen = choose.choice(list(balances))
            kind, amount = "money_withdrawn", balances[account] + choose.randrange(1, 500)
        else:
            while account == frozen:
                account = choose.randrange(accounts)
            balance = balances.get(account, 0)
            if balance and choose.random() < 0.5:
                kind, amount = "money_withdrawn", choose.randrange(1, balance + 1)
            else:
                kind, amount = "deposit_made", choose.randrange(1, 1000)
        balances[account] = balances.get(account, 0) + (
            amount if kind == "deposit_made" else -amount
        )
        moment = _START + timedelta(seconds=_SECONDS * number // events, microseconds=number)
        version = ',"version":2' if kind == "deposit_made" else ""
        lines.append(
            f'{{"stream":"account-{account:04d}","type":"{kind}"{version},'
            f'"time":"{moment:%Y-%m-%dT%H:%M:%S.%f}Z","data":{{"amount":{amount}}},'
            f'"meta":{{"actor":"till-{choose.randrange(1, 40)}"}}}}\n'
        )
    return OverdraftHistory("".join(lines).encode(), position, f"{frozen:04d}")
