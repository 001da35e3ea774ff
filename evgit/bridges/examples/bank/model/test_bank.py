"""What the bank's model promises. Run: evgit model test"""

from evgit.model_testing import event, given


def test_deposits_come_in_and_withdrawals_go_out():
    (
        given(
            event("account-42", "account_opened", owner="Ada"),
            event("account-42", "deposit_made", amount=500),
        )
        .when(event("account-42", "money_withdrawn", amount=200))
        .then("accounts/42.json", {"balance": 300, "owner": "Ada"})
    )


def test_a_transfer_is_on_both_statements():
    moved = given(event("account-7", "deposit_made", amount=120)).when(
        event("account-7", "transfer_sent", amount=120, to="account-42"),
        event("account-42", "transfer_received", **{"amount": 120, "from": "account-7"}),
    )
    moved.then("accounts/7.json", {"balance": 0}).then("accounts/42.json", {"balance": 120})
    assert "transfer_sent,-120" in moved.documents["statements/7.csv"]
    assert "transfer_received,120" in moved.documents["statements/42.csv"]


def test_deposits_of_the_old_system_count_as_well():
    given(event("account-42", "deposit_made", {"value": 500}, version=1)).then(
        "accounts/42.json", {"balance": 500}
    )


def test_nobody_takes_what_is_not_there():
    given(event("account-7", "deposit_made", amount=250)).when(
        event("account-7", "money_withdrawn", amount=500)
    ).then_refused("never below zero")
