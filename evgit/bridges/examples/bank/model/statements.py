"""The transaction list: what an account's owner gets to see, as a text."""

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
        lines = ["date,transaction,amount"]
        lines += [f"{day},{what},{amount}" for day, what, amount in entries]
        return "\n".join(lines) + "\n"
