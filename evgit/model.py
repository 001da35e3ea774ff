"""What a model's author imports: projections, upcasters, invariants.

    from evgit.model import KeyedProjection, on

    class Accounts(KeyedProjection):
        prefix = "accounts/"
        categories = "account"

        def initial(self, key):
            return {"balance": 0}

        @on("deposit_made")
        def deposited(self, account, event):
            account["balance"] += event.data["amount"]

docs/models.md tells the rest. A thin face over `evgit.state.modelling`: it must not know
repositories, so that importing a model does not open or read anything.
"""

from evgit.state.modelling.declarations import (
    DELETE,
    Documents,
    KeyedProjection,
    Paths,
    Projection,
    compensate,
    invariant,
    on,
    upcast,
)
from evgit.state.modelling.events import Event

__all__ = [
    "DELETE",
    "Documents",
    "Event",
    "KeyedProjection",
    "Paths",
    "Projection",
    "compensate",
    "invariant",
    "on",
    "upcast",
]
