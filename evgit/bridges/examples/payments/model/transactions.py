"""What became of each payment: the transaction list, and the balance by currency."""

from evgit.model import KeyedProjection, invariant, on


class Transactions(KeyedProjection):
    """A document for each payment: payment-pi_3Qa1 makes transactions/pi_3Qa1.json."""

    prefix = "transactions/"
    categories = "payment"

    @on("payment_intent.created")
    def created(self, payment, event):
        intent = event.data
        payment.update(
            amount=intent["amount"],
            currency=intent["currency"],
            order=intent["metadata"].get("order_id"),
            status=intent["status"],
        )

    @on("charge.succeeded")
    def charged(self, payment, event):
        charge = event.data
        card = charge["payment_method_details"]["card"]
        payment["status"] = charge["status"]
        payment["charge"] = charge["id"]
        payment["charged"] = charge["amount"]
        payment["refunded"] = charge["amount_refunded"]
        payment["card"] = f"{card['brand']} {card['last4']}"

    @on("charge.refunded")
    def refunded(self, payment, event):
        charge = event.data
        payment["refunded"] = charge["amount_refunded"]
        payment["status"] = "refunded" if charge["refunded"] else "partly refunded"

    @on("dispute.created")
    def disputed(self, payment, event):
        payment["status"] = "disputed"
        payment["dispute"] = event.data["id"]


class Balance(KeyedProjection):
    """A document for each currency: its key comes from the event, not from the stream."""

    prefix = "balance/"
    categories = "payment"

    def key(self, event):
        return event.data["currency"]

    def initial(self, key):
        return {"available": 0, "disputed": 0, "refunded": {}}

    @on("charge.succeeded")
    def charged(self, balance, event):
        balance["available"] += event.data["amount"]

    @on("charge.refunded")
    def refunded(self, balance, event):
        # The provider tells the sum of all refunds of a charge, so what is new is the difference.
        charge = event.data
        before = balance["refunded"].get(charge["id"], 0)
        balance["refunded"][charge["id"]] = charge["amount_refunded"]
        balance["available"] -= charge["amount_refunded"] - before

    @on("dispute.created")
    def disputed(self, balance, event):
        # The card network takes the money back until somebody has decided.
        balance["available"] -= event.data["amount"]
        balance["disputed"] += event.data["amount"]


@invariant("no more refunded than charged", Transactions)
def covered(path, payment):
    return payment.get("refunded", 0) <= payment.get("charged", 0)
