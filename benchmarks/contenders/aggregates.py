"""A bank account as an aggregate of the `eventsourcing` package, as its users would write it."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.domain import Aggregate, event


class Account(Aggregate):  # type: ignore[misc]
    """Its balance, and what changes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.balance = 0

    @staticmethod
    def create_id(name: str) -> UUID:
        return uuid5(NAMESPACE_URL, name)

    @event("DepositMade")  # type: ignore[untyped-decorator, unused-ignore]
    def deposit(self, amount: int) -> None:
        self.balance += amount

    @event("MoneyWithdrawn")  # type: ignore[untyped-decorator, unused-ignore]
    def withdraw(self, amount: int) -> None:
        self.balance -= amount
