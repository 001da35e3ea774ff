"""The audit view: who did what, day by day, and how often each of them."""

from evgit.model import Projection, on


class Audit(Projection):
    """A general projection: every event goes into two documents."""

    prefix = "audit/"
    order = "any"

    @on("account_opened", "deposit_made", "money_withdrawn", "transfer_sent", "transfer_received")
    def seen(self, documents, event):
        actor = event.meta.get("actor", "nobody")
        entry = {"actor": actor, "stream": event.stream, "type": event.type}
        if "amount" in event.data:
            entry["amount"] = event.data["amount"]
        documents.setdefault(f"audit/days/{event.time[:10]}.json", []).append(entry)
        counts = documents.setdefault(f"audit/actors/{actor}.json", {})
        counts[event.type] = counts.get(event.type, 0) + 1
