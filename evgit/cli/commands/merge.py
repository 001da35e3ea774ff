"""Merge another history, by what its events mean.

The events that only REVISION has come after ours, in one commit; no position of ours changes. What
was decided is checked again: the guards of their commits, documents that come out differently with
the order of events, the model's invariants after each of their commits. What fits merges by
itself. What does not is a conflict: nothing moves, and the exit code is 1.

    evgit merge trial
    evgit merge --dry-run trial       what would happen; the exit code tells

Then look, decide, and go on:

    evgit conflicts
    evgit resolve --accept accounts/42.json
    evgit resolve --leave-out 1234abcd
    evgit commit -s account-42 -t refunded amount=5     a compensating event
    evgit merge --continue
    evgit merge --abort               nothing has happened

A branch that is only ahead, along first parents, is just gone forward to. -X settles all conflicts
at once: accept takes the order as it is, theirs does so where nothing but the order is in question,
ours leaves out the commits that don't fit. Without a model, a stream that both sides appended to is
a conflict, unless --strategy append is given.
"""

from __future__ import annotations

from typing import Any, Literal

import click

from evgit.cli.command import documented
from evgit.cli.head_moves import refuse_edited, update_model
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.merge_text import branch_of, hint_of, merged_document, merged_lines
from evgit.cli.model_options import state_options
from evgit.cli.parameters import Revision, json_option
from evgit.cli.tree_update import update_after_move
from evgit.errors import UsageError
from evgit.repository import Merged, Repository

EXIT_CONFLICT = 1


@documented(__doc__, "merge")
@click.argument("revision", required=False, type=Revision())
@click.option("-m", "--message", metavar="TEXT", help="The merge commit's message.")
@click.option(
    "-X",
    "prefer",
    type=click.Choice(["ours", "theirs", "accept"]),
    help="Settle all conflicts so.",
)
@click.option("--strategy", type=click.Choice(["append"]), help="Without a model: let it pass.")
@click.option("--ff-only", is_flag=True, help="Only if the branch can simply go forward.")
@click.option("--no-ff", is_flag=True, help="Make a merge commit in any case.")
@click.option("--no-commit", is_flag=True, help="Wait before the merge commit in any case.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--continue", "go_on", is_flag=True, help="Make the merge commit.")
@click.option("--abort", is_flag=True, help="Leave the merge that waits.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@state_options
@json_option("one document")
@click.pass_context
def command(
    context: click.Context,
    /,
    revision: str | None,
    go_on: bool,
    abort: bool,
    message: str | None,
    no_checkout: bool,
    as_json: bool,
    **options: Any,
) -> None:
    _check(revision, go_on=go_on, abort=abort, message=message, options=options)
    invocation: Invocation = context.obj
    with open_to_change() as repository:
        if abort:
            _abort(invocation, repository, as_json=as_json)
            return
        before, tried = repository.head(), bool(options["dry_run"])
        if not tried and not no_checkout:
            refuse_edited(repository)
        merge = repository.merging.merge
        if go_on:
            state = merge.state()
            name = "" if state is None else state.name
            found = merge.go_on(message=message)
        else:
            name = str(revision)
            found = _start(repository, name, message, options)
        if found.head != found.old and not tried:
            invocation.done(f"{found.ref} is at {found.head}")
        with invocation.output() as output:
            if as_json:
                output.json(merged_document(found))
            else:
                for line in merged_lines(repository, found, name, tried=tried):
                    output.line(line)
        for warning in found.warnings:
            invocation.warn(warning)
        if found.kind == "waiting" and not as_json:
            invocation.hint(hint_of(found))
        if found.head != found.old and not tried and not no_checkout:
            update_model(invocation, repository, before.point)
            update_after_move(invocation, repository, before)
        if found.conflicts:
            context.exit(EXIT_CONFLICT)


def _start(
    repository: Repository, name: str, message: str | None, options: dict[str, Any]
) -> Merged:
    never: Literal["never", "auto"] = "never" if options["no_ff"] else "auto"
    return repository.merging.merge.start(
        repository.resolve_commit(name),
        name=name,
        message=message,
        prefer=options["prefer"],
        append=options["strategy"] == "append",
        fast_forward="only" if options["ff_only"] else never,
        commit=not options["no_commit"],
        dry_run=options["dry_run"],
    )


def _abort(invocation: Invocation, repository: Repository, *, as_json: bool) -> None:
    state = repository.merging.merge.state()
    name = repository.merging.merge.abort()
    into = "" if state is None else f" into {branch_of(state.ref)}"
    invocation.done("the merge is aborted; everything is as it was")
    with invocation.output() as output:
        if as_json:
            output.json({"aborted": True})
        else:
            output.line(f"The merge of {name}{into} is aborted; everything is as it was")


def _check(
    revision: str | None,
    *,
    go_on: bool,
    abort: bool,
    message: str | None,
    options: dict[str, Any],
) -> None:
    if go_on and abort:
        raise UsageError("--continue and --abort don't go together", hint="use one of them")
    if go_on or abort:
        if revision or any(options.values()) or (abort and message):
            raise UsageError(
                "what is in progress knows its own REVISION and options",
                hint="evgit merge --continue, or evgit merge --abort",
            )
    elif revision is None:
        raise UsageError("give what to merge", hint="evgit merge REVISION")
    if options["ff_only"] and (options["no_ff"] or options["no_commit"]):
        raise UsageError("--ff-only goes neither with --no-ff nor with --no-commit")
