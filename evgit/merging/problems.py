"""What speaks against writing a commit anew behind another: data, for people and for `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from evgit.merging.guards import FailedGuard
from evgit.state.modelling.invariants import Violation


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind`: "guard", "invariant", "key", or "model" where the model itself fails (`reason`).

    `commit`: id of the commit that it is about, as it was written first. `stream`: of a guard or a
    key; `revision`: what the guard says, -1 for no such stream; `events`: ids of those that the
    commit's author did not know of (a guard), or of the two with one key. `name`, `path`,
    `reason`: of an invariant, and the document that breaks it.
    """

    kind: str
    commit: str
    stream: str | None = None
    revision: int | None = None
    events: list[str] = []
    missing: list[str] = []
    """Of a guard: ids of events that its author knew, and that are not there."""
    name: str | None = None
    path: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        if self.kind == "invariant":
            where = "" if self.path is None else f" for {self.path}"
            reason = f": {self.reason}" if self.reason else ""
            return f"invariant {self.name!r} does not hold{where}{reason}"
        if self.kind == "model":
            return f"the model fails: {self.reason}"
        if self.kind == "key":
            return f"stream {self.stream!r} has two different events with one key"
        believed = "none" if self.revision == -1 else f"at revision {self.revision}"
        parts = []
        if self.events:
            parts.append(f"{_count(self.events)} came before")
        if self.missing:
            parts.append(f"{_count(self.missing)} not there any more")
        what = ", ".join(parts) or "its events stand in another order"
        return f"stream {self.stream!r} was decided on {believed}: {what}"

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def of_guard(failed: FailedGuard, seen: Sequence[str], found: Sequence[str]) -> Problem:
    """A guard that fails. `seen`, `found`: ids of the events on the lines of both."""
    return Problem(
        "guard",
        failed.commit.hex,
        stream=failed.stream,
        revision=failed.revision,
        events=[each for each in found if each not in seen],
        missing=[each for each in seen if each not in found],
    )


def of_violation(violation: Violation, commit: str) -> Problem:
    """An invariant that does not hold after a commit."""
    return Problem(
        "invariant",
        commit,
        name=violation.name,
        path=violation.path,
        reason=violation.reason or None,
    )


def _count(events: Sequence[str]) -> str:
    return f"{len(events)} event{'' if len(events) == 1 else 's'}"
