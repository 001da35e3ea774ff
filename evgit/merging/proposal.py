"""What is to be merged: what a judgement depends on, besides the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evgit.history.commit_row import CommitRow


@dataclass(frozen=True, slots=True)
class Proposal:
    """`ours` becomes the first parent. `left_out`: ids of events of theirs that stay out. `own`:
    events that the merge commit adds, as canonical JSON lines. `append`: let streams that both
    sides appended to pass, where there is no model."""

    ours: CommitRow
    theirs: CommitRow
    left_out: Sequence[str] = ()
    own: Sequence[bytes] = ()
    append: bool = False
