"""The transaction list, with the balance after each of them."""

from evgit.model import KeyedProjection, on


class Statements(KeyedProjection):
    prefix = "statements/"
    suffix = ".csv"
    categories = "account"
    order = "any"

    def initial(self, key):
        return []

    @on("deposit_made", "transfer_received")
    def paid_in(self, entries, event):
        entries.append([event.time[:10], event.type, event.data["amount"]])

    @on("money_withdrawn", "transfer_sent")
    def paid_out(self, entries, event):
        entries.append([event.time[:10], event.type, -event.data["amount"]])

    def render(self, key, entries):
        balance = 0
        lines = ["date,transaction,amount,balance"]
        for day, what, amount in entries:
            balance += amount
            lines.append(f"{day},{what},{amount},{balance}")
        return "\n".join(lines) + "\n"
