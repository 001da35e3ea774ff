"""The dispute view: what has to be answered, and by when, as a page to read."""

from datetime import UTC, datetime

from evgit.model import KeyedProjection, on

from .money import written


class Disputes(KeyedProjection):
    """One page for all: every dispute has the same key."""

    prefix = "disputes/"
    suffix = ".md"
    categories = "payment"

    def key(self, event):
        return "open"

    def initial(self, key):
        return []

    @on("dispute.created")
    def created(self, disputes, event):
        dispute = event.data
        disputes.append(
            {
                "id": dispute["id"],
                "charge": dispute["charge"],
                "amount": written(dispute["amount"], dispute["currency"]),
                "reason": dispute["reason"],
                "due": dispute["evidence_details"]["due_by"],
            }
        )
        disputes.sort(key=lambda each: (each["due"], each["id"]))

    def render(self, key, disputes):
        lines = ["# Disputes to answer", "", "| due | dispute | charge | amount | reason |"]
        lines.append("|---|---|---|---|---|")
        for each in disputes:
            due = datetime.fromtimestamp(each["due"], UTC).date()
            reason = each["reason"].replace("_", " ")
            lines.append(
                f"| {due} | {each['id']} | {each['charge']} | {each['amount']} | {reason} |"
            )
        return "\n".join(lines) + "\n"
