"""How re-appending looks: what went where, what stopped it, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.output import shown_in_line
from evgit.cli.titles import commit_title
from evgit.repository import Problem, Reappended, Repository

LISTED = 10


def place_of(repository: Repository, commit_id: str) -> str:
    """`1234abcd (message)`."""
    return f"{short(commit_id)} {commit_title(repository, repository.commit(commit_id))}"


def problem_lines(repository: Repository, problems: Sequence[Problem]) -> list[str]:
    """What speaks against a commit, a line each, with the events that made a guard fail."""
    lines = []
    for problem in problems:
        lines.append(f"    {shown_in_line(str(problem))}")
        for mark, events in (("+", problem.events), ("-", problem.missing)):
            for event_id in events[:LISTED]:
                event = repository.event(event_id)
                name = f"{shown_in_line(event.stream)}: {shown_in_line(event.type)}"
                lines.append(f"        {mark} {short(event_id)} {name}")
            if len(events) > LISTED:
                lines.append(f"        {mark} … and {len(events) - LISTED:,} more")
    return lines


def stopped_lines(repository: Repository, commit: str, problems: Sequence[Problem]) -> list[str]:
    """Where a rebase stopped, and why."""
    return [f"Stopped at {place_of(repository, commit)}:", *problem_lines(repository, problems)]


def rebased_document(found: Reappended) -> dict[str, Any]:
    """What a rebase did, for `--json`."""
    return {
        "ref": found.ref,
        "old": found.old,
        "head": found.head,
        "written": [{"old": old, "new": new} for old, new in found.written],
        "gone": found.gone,
        "left_out": found.skipped,
        "accepted": [problem.document() for problem in found.accepted],
        "stopped": found.stopped,
        "problems": [problem.document() for problem in found.problems],
        "left": found.left,
    }


def waiting_lines(repository: Repository) -> list[str]:
    """The rebase that waits, for `evgit status`."""
    state = repository.merging.rebase.state()
    if state is None:
        return []
    name = state.ref.removeprefix("refs/heads/")
    where = place_of(repository, state.onto)
    how_far = f"{state.done} done, {len(state.todo)} left"
    return [
        f"Rebase of {name} behind {where} in progress: {how_far}.",
        *stopped_lines(repository, state.todo[0], state.problems),
        "Go on with evgit rebase --continue (after compensating events, say), --continue --accept,",
        "--skip to leave that commit out, or --abort.",
    ]


def waiting_document(repository: Repository) -> dict[str, Any]:
    """The rebase that waits, for `evgit status --json`."""
    state = repository.merging.rebase.state()
    if state is None:
        return {}
    return {
        "ref": state.ref,
        "onto": state.onto,
        "done": state.done,
        "left": len(state.todo),
        "stopped": state.todo[0],
        "problems": [problem.document() for problem in state.problems],
    }


def accepted_lines(repository: Repository, problems: Sequence[Problem]) -> list[str]:
    """What spoke against commits that went through."""
    if not problems:
        return []
    return [f"{plural(len(problems), 'problem')} accepted:", *problem_lines(repository, problems)]


def rebased_lines(repository: Repository, found: Reappended, *, dry_run: bool) -> Iterator[str]:
    """What a rebase did, or would do, in words."""
    name = found.ref.removeprefix("refs/heads/")
    if found.skipped:
        yield f"Left out {place_of(repository, found.skipped)}"
    for commit in found.gone:
        yield f"Already there: {place_of(repository, commit)}"
    went = plural(len(found.written), "commit")
    for line in accepted_lines(repository, found.accepted):
        yield line
    if found.stopped is not None:
        for line in stopped_lines(repository, found.stopped, found.problems):
            yield line
        if not dry_run:
            yield f"{went} went through, {found.left} left"
    elif dry_run:
        yield f"{name} could be re-appended: nothing speaks against it"
    elif found.head == found.old:
        yield f"Nothing to do: {name} is there already"
    else:
        yield f"{name} is at {short(found.head)}: {went} re-appended"
