"""What every account holds, and the one rule of the bank."""

from evgit.model import KeyedProjection, invariant, on, upcast


class Accounts(KeyedProjection):
    """A document for each account: the events of account-42 make accounts/42.json."""

    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0}

    @on("account_opened")
    def opened(self, account, event):
        account["owner"] = event.data["owner"]

    @on("deposit_made", "transfer_received")
    def paid_in(self, account, event):
        account["balance"] += event.data["amount"]

    @on("money_withdrawn", "transfer_sent")
    def paid_out(self, account, event):
        account["balance"] -= event.data["amount"]


@upcast("deposit_made", from_version=1)
def name_the_amount(data):
    """The bank's old system called the amount `value`."""
    data["amount"] = data.pop("value")
    return data


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0 or f"the balance would be {account['balance']}"
