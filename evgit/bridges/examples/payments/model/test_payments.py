"""What the model of the payments promises. Run: evgit model test"""

from evgit.model_testing import event, given

CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "amount": 2000,
    "amount_refunded": 0,
    "created": 1762164007,
    "currency": "usd",
    "paid": True,
    "payment_intent": "pi_1",
    "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
    "refunded": False,
    "status": "succeeded",
}


def charged():
    return event("payment-pi_1", "charge.succeeded", CHARGE)


def refund(amount):
    """All that has been refunded up to now, as the provider tells it."""
    changed = {"amount_refunded": amount, "refunded": amount == CHARGE["amount"]}
    return event("payment-pi_1", "charge.refunded", CHARGE | changed)


def test_refunds_in_parts_are_told_as_sums():
    paid = given(charged()).when(refund(500), refund(1500))
    assert paid.documents["transactions/pi_1.json"]["status"] == "partly refunded"
    paid.then("balance/usd.json", {"available": 500, "disputed": 0, "refunded": {"ch_1": 1500}})


def test_a_dispute_takes_the_money_and_asks_for_an_answer():
    dispute = {
        "id": "dp_1",
        "object": "dispute",
        "charge": "ch_1",
        "amount": 2000,
        "created": 1763200000,
        "currency": "usd",
        "payment_intent": "pi_1",
        "status": "needs_response",
        "reason": "product_not_received",
        "evidence_details": {"due_by": 1764000000},
    }
    asked = given(charged()).when(event("payment-pi_1", "dispute.created", dispute))
    asked.then("balance/usd.json", {"available": 0, "disputed": 2000, "refunded": {}})
    page = asked.documents["disputes/open.md"]
    assert "| 2025-11-24 | dp_1 | ch_1 | 20.00 USD | product not received |" in page


def test_no_more_is_refunded_than_was_charged():
    given(charged()).when(refund(2500)).then_refused("no more refunded than charged")
