"""Record, compare and check the model: what events mean.

    evgit model check              does it load, is it deterministic, do its rules hold?
    evgit model test               run its tests, by pytest
    evgit model commit -m TEXT     record the model of the working tree in the history
    evgit model log                what was recorded, newest first
    evgit model diff [REV [REV]]   what differs from the one at HEAD, or at REV
    evgit model checkout [REV]     write the files of the one at HEAD, or at REV

A model is code that folds events into documents: evgit.toml, model/*.py and schemas/*/*.json in
the working tree. docs/models.md tells how
to write one. `evgit trust` lets one that came with data run.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import click

from evgit.cli.clock import now
from evgit.cli.command import SETTINGS, documented_group
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short, time_text
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.merge_commits import add_model_to_merge, adds_to_merge, refuse_with_merge
from evgit.cli.model_options import MODEL, model_option, trust_file
from evgit.cli.model_tests import laid_out, run_tests
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import Revision, json_option, limit_option
from evgit.cli.progress import ProgressBar
from evgit.cli.titles import commit_title
from evgit.cli.tree_update import update_after_move
from evgit.errors import InvariantViolated, LocalChanges, NotFound, UsageError
from evgit.formats.times import to_text
from evgit.repository import Point, Repository

STREAM = "$model"
REMOVED = "model_file_removed"
WORKTREE = "worktree"


@documented_group(__doc__, "model")
def command() -> None:
    pass


@command.command("check", context_settings=SETTINGS)
@click.argument("revision", type=Revision(), default="HEAD", metavar="[REVISION]")
@model_option
@json_option("one document")
@click.pass_obj
def check(invocation: Invocation, revision: str, as_json: bool) -> None:
    """Hold the model to its promises on all of history.

    It is replayed twice, in processes that differ in clock, time zone and hash seed; and its
    invariants are judged after every commit. Exit code 9 if anything is wrong.
    """
    with open_repository() as repository:
        with ProgressBar("checking", "events") as bar:
            report = repository.check_model(revision, bar.update)
        broken = report.broken
        if broken is not None:
            log = repository.log(revision)
            event = log.event(broken.position)
            raise InvariantViolated(
                f"{broken.violation}, first after commit {short(broken.commit)}, by the event at "
                f"position {broken.position}: {event.type} in {event.stream}, {short(event.id)}",
                name=broken.violation.name,
                path=broken.violation.path,
                position=broken.position,
                hint=f"evgit show {short(event.id)}",
            )
        with invocation.output() as output:
            if as_json:
                document = report._asdict() | {
                    "projections": [each._asdict() for each in report.projections]
                }
                output.json(document)
                return
            output.line(
                f"Model {short(report.model)} is right on {plural(report.size, 'event')}: "
                "two replays agree, and every invariant holds"
            )
            for each in report.projections:
                output.line(f"    {each.prefix}  {each.name}, {plural(each.documents, 'document')}")


@command.command(
    "test", context_settings=SETTINGS | {"ignore_unknown_options": True}, add_help_option=True
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]")
@model_option
@click.pass_obj
@click.pass_context
def test(context: click.Context, invocation: Invocation, words: tuple[str, ...]) -> None:
    """Run the model's tests: model/test_*.py, model/tests/test_*.py.

    Those of the model in the working tree, or of the one that --model names. Arguments go to
    pytest; a path runs only the tests in it. The model must be trusted. Exit code 1: tests failed,
    or none was found.
    """
    if "--json" in words:
        raise UsageError(
            "model test prints what pytest prints, which is no JSON",
            hint="--junit-xml FILE writes what programs can read",
        )
    with open_repository() as repository:
        files, worktree = repository.models.to_be_tested(), repository.layout.worktree
    if worktree is not None and context.meta.get(MODEL) in (None, WORKTREE):
        run_tests(worktree, files, words)
        return
    with laid_out(files) as directory:
        run_tests(directory, files, words)


@command.command("commit", context_settings=SETTINGS)
@click.option("-m", "--message", metavar="TEXT", default="", help="The commit's message.")
@click.option("--no-verify", is_flag=True, help="Record it even if it does not load.")
@json_option("one document")
@click.pass_obj
def commit(invocation: Invocation, message: str, no_verify: bool, as_json: bool) -> None:
    """Record the model of the working tree in the history of the current branch.

    Clones bring it along. The model is then trusted here, unless what it is made from came with
    data and was not. One that does not load is not recorded: exit code 9.

    While a merge waits, what was edited becomes part of the merge commit, and files in conflict
    are settled as the working tree has them.
    """
    with open_to_change() as repository:
        models, directory = repository.models, repository.layout.directory
        files = models.in_worktree()
        if files is None:
            raise NotFound(
                "there is no model in the working tree", hint="write one below model/, in Python"
            )
        before = models.at(repository.head().point)
        trust = trust_file()
        trusted = (
            before is None
            or trust.owns(directory, repository.id)
            or trust.trusts(directory, before.id)
            or trust.trusts(directory, files.id)
        )
        if adds_to_merge(repository, None):
            refuse_with_merge(message=message)
            paths = add_model_to_merge(
                invocation, repository, verify=not no_verify, as_json=as_json
            )
            if paths and trusted:
                trust.add(directory, files.id, to_text(now()))
            return
        head = repository.head()
        appended = repository.commit_model(
            message=message or "Change the model", verify=not no_verify
        )
        if appended is not None and trusted:
            trust.add(directory, files.id, to_text(now()))
        with invocation.output() as output:
            if as_json:
                commit_id = None if appended is None else appended.commit
                output.json({"commit": commit_id, "model": files.id})
            elif appended is None or appended.commit is None:
                output.line(f"Nothing new: model {short(files.id)} is recorded already")
            else:
                count = plural(appended.appended, "file")
                output.line(f"[{short(appended.commit)}] {count} changed, model {short(files.id)}")
        update_after_move(invocation, repository, head)
        if not trusted:
            invocation.hint("it is made from a model that is not trusted; read it, `evgit trust`")


@command.command("log", context_settings=SETTINGS)
@click.argument("revision", type=Revision(), default="HEAD", metavar="[REVISION]")
@limit_option
@json_option("a line for each commit")
@click.pass_obj
def log(invocation: Invocation, revision: str, limit: int | None, as_json: bool) -> None:
    """List the commits that changed the model, newest first."""
    with open_repository() as repository, invocation.paged() as output:
        if repository.stream_revision(STREAM, revision) < 0:
            return
        point = repository.resolve(revision)
        added = _added(repository, point)
        changes: dict[str, list[tuple[str, str]]] = {}
        for entry in repository.stream(STREAM, point, backwards=True):
            commit_id = repository.commit_adding(entry.position, point)
            if commit_id not in changes and limit is not None and len(changes) == limit:
                break
            mark = "A" if entry.position in added else "M"
            mark = "D" if entry.event.type == REMOVED else mark
            path = str(entry.event.data.get("path"))
            changes.setdefault(commit_id, []).insert(0, (mark, path))
        for commit_id, files in changes.items():
            _write_change(repository, output, commit_id, files, as_json)


def _added(repository: Repository, point: Point) -> set[int]:
    """The positions of the events that brought a file that was not there."""
    there: set[str] = set()
    found: set[int] = set()
    for entry in repository.stream(STREAM, point):
        path = str(entry.event.data.get("path"))
        if entry.event.type == REMOVED:
            there.discard(path)
        elif path not in there:
            there.add(path)
            found.add(entry.position)
    return found


def _write_change(
    repository: Repository,
    output: Output,
    commit_id: str,
    files: list[tuple[str, str]],
    as_json: bool,
) -> None:
    made = repository.commit(commit_id).commit
    if as_json:
        changed = [
            {"path": path, "added": mark == "A", "removed": mark == "D"} for mark, path in files
        ]
        output.json({"commit": commit_id, "time": made.time, "files": changed})
        return
    title = commit_title(repository, repository.commit(commit_id))
    output.line(f"{output.style(short(commit_id), 'yellow')} {time_text(made.time)} {title}")
    for mark, path in files:
        output.line(f"    {mark} {shown_in_line(path)}")


@command.command("diff", context_settings=SETTINGS)
@click.argument("revisions", nargs=-1, type=Revision(), metavar="[REV [REV]]")
@click.pass_obj
def diff(invocation: Invocation, revisions: tuple[str, ...]) -> None:
    """Show what differs between two models.

    From HEAD to the working tree; from REV to the working tree; or from one REV to the other.
    """
    if len(revisions) > 2:
        raise click.UsageError("at most two revisions")
    with open_repository() as repository, invocation.paged() as output:
        models = repository.models
        old = models.at(repository.resolve(revisions[0] if revisions else "HEAD"))
        if len(revisions) == 2:
            new = models.at(repository.resolve(revisions[1]))
        else:
            new = models.in_worktree()
        _write_diff(output, old or {}, new or {})


def _write_diff(output: Output, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        lines = difflib.unified_diff(
            _lines(before),
            _lines(after),
            "/dev/null" if before is None else f"a/{path}",
            "/dev/null" if after is None else f"b/{path}",
            lineterm="",
        )
        for number, line in enumerate(lines):
            colour = {"-": "red", "+": "green", "@": "cyan"}.get(line[:1])
            colour = "bold" if number < 2 else colour
            text = shown_in_line(line)
            output.line(text if colour is None else output.style(text, colour))


def _lines(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8", "replace").splitlines()


@command.command("checkout", context_settings=SETTINGS)
@click.argument("revision", type=Revision(), default="HEAD", metavar="[REVISION]")
@click.option("-f", "--force", is_flag=True, help="Overwrite a model that is not committed.")
@click.pass_obj
def checkout(invocation: Invocation, revision: str, force: bool) -> None:
    """Write the files of the model at HEAD, or at REVISION, into the working tree.

    Nothing of it is run. A model in the working tree that is recorded nowhere is not overwritten
    without --force.
    """
    with open_to_change() as repository:
        models, directory = repository.models, repository.layout.directory
        files = models.at(repository.resolve(revision))
        if files is None:
            raise NotFound(
                f"no model is recorded at {revision}", hint="`evgit model log` lists what is"
            )
        there, head = models.in_worktree(), repository.head().point
        lost = there is not None and there.id != files.id and not models.is_recorded(there.id, head)
        if there is not None and lost and not force:
            raise LocalChanges(
                "the model in the working tree is not committed; nothing was touched",
                paths=list(there),
                hint="`evgit model diff` shows it; `evgit model commit`, or overwrite with --force",
            )
        changed = repository.checkout_model(files)
        trust = trust_file()
        if trust.owns(directory, repository.id) and not trust.trusts(directory, files.id):
            trust.disown(directory)
            invocation.hint("this model came with data and is not trusted; read it, `evgit trust`")
        with invocation.output() as output:
            output.line(f"Wrote model {short(files.id)}: {plural(len(changed), 'file')} changed")
