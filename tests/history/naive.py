"""Log order in the most naive way: full lists, no index. The oracle that the real thing must meet.

It follows the definition in docs/format.md, "The log": L(c) and X(c).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(eq=False)
class NaiveCommit:
    """A commit with its whole log and everything that it holds back, as lists of event ids."""

    parents: list[NaiveCommit] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    log: list[str] = field(init=False)
    held_back: set[str] = field(init=False)

    def __post_init__(self) -> None:
        held = set(self.left_out)
        for parent in self.parents:
            held |= parent.held_back
        self.log = list(self.parents[0].log) if self.parents else []
        for parent in self.parents[1:]:
            self.log += [e for e in parent.log if e not in self.log and e not in held]
        self.log += [e for e in self.own if e not in self.log]
        self.held_back = held - set(self.log)

    @property
    def root(self) -> str:
        return merkle(self.log).hex()


def merkle(ids: list[str]) -> bytes:
    """RFC 6962, section 2.1, by its own recursion."""
    if not ids:
        return sha256(b"").digest()
    if len(ids) == 1:
        return sha256(b"\0" + bytes.fromhex(ids[0])).digest()
    split = 1
    while split * 2 < len(ids):
        split *= 2
    return sha256(b"\1" + merkle(ids[:split]) + merkle(ids[split:])).digest()
