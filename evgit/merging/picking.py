"""Single commits re-appended to the current branch: all of them, or none.

Their events keep their ids, so that a merge that brings the same commits later does not apply them
twice. What a log has already is left alone, and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evgit.merging.ground import Ground
from evgit.merging.reappend import Judge, Reappended, plan, write
from evgit.storage.operations import RefChange

COMMAND = "cherry-pick"


def pick(
    ground: Ground,
    commits: Sequence[str],
    *,
    message: str | None = None,
    verify: bool = True,
    accept: bool = False,
    dry_run: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> Reappended:
    """Re-append commits (ids, in this order) to the current branch, or to a detached HEAD.

    If something speaks against one of them, `stopped` names it, and nothing was written; `accept`
    writes it all the same and notes that in the commit; without `verify` nothing is asked. What
    was left out of the branch once is appended on purpose now. Of a merge, its own events are
    picked. Raises Conflict while something is in progress or if another process was faster,
    UsageError where HEAD is inside a commit, ModelError where the model fails.
    """
    history = ground.history
    ground.in_progress.refuse_any(f"a {COMMAND}")
    ref = ground.branches.current_ref()
    head = ground.tip(ref)
    rows = list({row.number: row for row in map(ground.row, commits)}.values())
    judge = Judge(history, ground.model_states()) if verify else None
    planned = plan(history, head, rows, judge, accept=None if accept else ())
    if message is not None:
        planned.steps = [step._replace(message=message, reused=False) for step in planned.steps]
    found = Reappended.of(ref, head, planned, rows)
    if planned.stopped is not None or dry_run or not planned.steps:
        return found
    try:
        with ground.transaction():
            ground.in_progress.refuse_any(f"a {COMMAND}")
            written = write(history, head, planned.steps, ground.actor.now())
            ground.move([RefChange(ref, head.hex, written[-1].hex)], COMMAND, arguments or {})
    except BaseException:
        history.forget()
        raise
    found.note_written(planned, written)
    return found
