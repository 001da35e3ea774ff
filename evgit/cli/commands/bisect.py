"""Find the first event after which something is wrong.

    evgit bisect start main main#1200       it is wrong now, and was right at position 1200
    evgit bisect run -- ./check.sh          let a program look, at about 20 points of a million
    evgit bisect run --path accounts/42.json -- jq -e '.balance >= 0'
    evgit bisect good                       or look yourself, and say what you find
    evgit bisect bad main#5000
    evgit bisect skip                       this point can't be judged
    evgit bisect log                        what is known so far
    evgit bisect reset                      go back to where you were

It goes along the log of the bad point, event by event, however many events a commit has. The files
show the state at each point that is to be judged, and HEAD is there. Without a good point, `run`
takes the beginning, where nothing has happened yet.

CHECK says by its exit code what it finds: 0 good, 125 can't tell, 1 to 127 bad; anything else ends
the run. Its environment has EVGIT_POINT, a revision, and EVGIT_POSITION, the position of the last
event. With --path it gets that document as JSON on its standard input, and neither files nor HEAD
move; where there is no such document the point counts as good.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import click

from evgit.cli.attribution_text import attribution_document, write_attribution
from evgit.cli.change_text import change_document, write_changes
from evgit.cli.command import SETTINGS, documented_group
from evgit.cli.commit_text import plural
from evgit.cli.documents import document_path
from evgit.cli.event_text import event_line, short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.cli.parameters import Revision, json_option
from evgit.cli.point_moves import go_to, head_target, point_target
from evgit.errors import EvgitError, UsageError
from evgit.repository import Bisection, Point, Repository, Verdict, search

SKIP = 125
LAST_BAD = 127
STDERR = 2


@documented_group(__doc__, "bisect")
def command() -> None:
    pass


@command.command("start", context_settings=SETTINGS)
@click.argument("bad", required=False, type=Revision())
@click.argument("good", required=False, type=Revision())
@state_options
@click.pass_obj
def start(invocation: Invocation, bad: str | None, good: str | None) -> None:
    """Begin: BAD is where it is wrong, GOOD where it was right."""
    with open_to_change() as repository:
        points = [None if word is None else repository.resolve(word) for word in (bad, good)]
        target = head_target(repository.head(), repository)
        bisection = repository.provenance.start_bisection(target)
        try:
            for verdict, point in zip(("bad", "good"), points, strict=True):
                if point is not None:
                    bisection.mark("bad" if verdict == "bad" else "good", point)
        except EvgitError:
            bisection.end()
            raise
        _go_on(invocation, repository, bisection)


def _marking(verdict: Verdict, revision: str | None, invocation: Invocation) -> None:
    with open_to_change() as repository:
        bisection = repository.provenance.bisection()
        if revision is not None:
            point = repository.resolve(revision)
        else:
            point = repository.head().point
            if repository.layout.worktree is None:  # no files to look at, so HEAD does not matter
                point = bisection.next_point() or point
        bisection.mark(verdict, point)
        _go_on(invocation, repository, bisection)


@command.command("good", context_settings=SETTINGS)
@click.argument("revision", required=False, type=Revision())
@state_options
@click.pass_obj
def good(invocation: Invocation, revision: str | None) -> None:
    """Say that all is well at REVISION, or at HEAD."""
    _marking("good", revision, invocation)


@command.command("bad", context_settings=SETTINGS)
@click.argument("revision", required=False, type=Revision())
@state_options
@click.pass_obj
def bad(invocation: Invocation, revision: str | None) -> None:
    """Say that it is wrong at REVISION, or at HEAD."""
    _marking("bad", revision, invocation)


@command.command("skip", context_settings=SETTINGS)
@click.argument("revision", required=False, type=Revision())
@state_options
@click.pass_obj
def skip(invocation: Invocation, revision: str | None) -> None:
    """Say that REVISION, or HEAD, can't be judged."""
    _marking("skip", revision, invocation)


@command.command("run", context_settings=SETTINGS | {"ignore_unknown_options": True})
@click.option("--path", metavar="PATH", help="Give CHECK this document on standard input.")
@state_options
@json_option("one document, the outcome")
@click.argument("check", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CHECK...")
@click.pass_obj
def run(invocation: Invocation, path: str | None, as_json: bool, check: tuple[str, ...]) -> None:
    """Let a program judge every point, until the event is found."""
    with open_to_change() as repository:
        bisection = repository.provenance.bisection()
        if bisection.bad is None:
            bisection.mark("bad", repository.head().point)
            invocation.hint("no point was marked bad: HEAD is taken to be")
        if bisection.good is None:
            invocation.hint("no point was marked good: the beginning is taken to be")
        if path is not None:
            path = document_path(repository, path)
        elif repository.layout.worktree is None:
            raise UsageError(
                "this repository is bare: there are no files for the check to look at",
                hint="evgit bisect run --path PATH -- CHECK gives it a document",
            )
        judge = _Judge(invocation, repository, check, path, quiet=as_json)
        search(bisection, judge, judge.tell)
        if path is None and bisection.found is not None:
            target = point_target(repository, bisection.point(bisection.found + 1))
            go_to(invocation, repository, target, command="bisect")
        _report(invocation, repository, bisection, as_json=as_json)


@command.command("log", context_settings=SETTINGS)
@json_option("one document")
@state_options
@click.pass_obj
def log(invocation: Invocation, as_json: bool) -> None:
    """Show what is known so far."""
    with open_repository() as repository:
        bisection = repository.provenance.bisection()
        if as_json:
            with invocation.output() as output:
                output.json(_outcome(repository, bisection))
            return
        with invocation.output() as output:
            for mark in bisection.record.marks:
                where = repository.resolver().spell(Point(mark.commit, mark.size))
                commit, _, position = where.partition("#")
                note = {"hand": "", "check": "  (the check)", "assumed": "  (assumed)"}[mark.by]
                place = short(commit) + (f"#{position}" if position else "")
                output.line(f"{mark.verdict:<5} {place}{note}")
        _report(invocation, repository, bisection)


@command.command("reset", context_settings=SETTINGS)
@click.option("-f", "--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.pass_obj
def reset(invocation: Invocation, force: bool) -> None:
    """End it, and go back to where you were."""
    with open_to_change() as repository:
        bisection = repository.provenance.bisection()
        target = bisection.record.head
        go_to(invocation, repository, target, command="bisect", force=force)
        bisection.end()
        place = target.removeprefix("ref: refs/heads/")
        with invocation.output() as output:
            output.line(f"Back on {place if place != target else short(target)}")


# ---------------------------------------------------------------------- judging
class _Judge:
    """Asks a program about points."""

    def __init__(
        self,
        invocation: Invocation,
        repository: Repository,
        check: Sequence[str],
        path: str | None,
        *,
        quiet: bool,
    ) -> None:
        self._invocation = invocation
        self._repository = repository
        self._check = list(check[1:] if check[0] == "--" else check)
        self._path = path
        self._quiet = quiet
        if not self._check:
            raise UsageError("there is no check", hint="evgit bisect run -- ./check.sh")

    def __call__(self, point: Point) -> Verdict:
        """What the program finds. Raises EvgitError where it does not say."""
        document: bytes | None = None
        if self._path is not None:
            document = self._repository.state(point).document(self._path)
            if document is None:
                return "good"
            document += b"\n"
        else:
            target = point_target(self._repository, point)
            go_to(self._invocation, self._repository, target, command="bisect")
        return self._verdict(self._run(point, document))

    def tell(self, point: Point, verdict: Verdict) -> None:
        """Say what was found."""
        place = f"position {point.size - 1}" if point.size else "the beginning"
        self._invocation.note(f"{verdict:<4} {place}")

    def _run(self, point: Point, document: bytes | None) -> int:
        environment = os.environ | {
            "EVGIT_POINT": self._repository.resolver().spell(point),
            "EVGIT_POSITION": str(point.size - 1),
        }
        sys.stdout.flush()
        try:
            done = subprocess.run(
                self._check,
                input=document,
                env=environment,
                stdout=STDERR if self._quiet else None,
                check=False,
            )
        except OSError as error:
            raise UsageError(
                f"the check {self._check[0]!r} can't be run: {error.strerror}",
                hint="name a program, with its directory if it is not on the PATH",
            ) from error
        return done.returncode

    def _verdict(self, code: int) -> Verdict:
        if code == 0:
            return "good"
        if code == SKIP:
            return "skip"
        if 0 < code <= LAST_BAD:
            return "bad"
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise EvgitError(
            f"the check {how}, so nothing is known of this point",
            hint="0 is good, 125 can't tell, 1 to 127 bad; evgit bisect run goes on from here",
        )


# ---------------------------------------------------------------------- telling
def _go_on(invocation: Invocation, repository: Repository, bisection: Bisection) -> None:
    """Go to the next point to be judged, or tell the outcome."""
    if bisection.bad is None or bisection.good is None:
        missing = "bad" if bisection.bad is None else "good"
        with invocation.output() as output:
            output.line(f"Waiting for a {missing} point: evgit bisect {missing} [REVISION]")
        return
    point = bisection.next_point()
    if point is not None and repository.layout.worktree is not None:
        target = point_target(repository, point)
        go_to(invocation, repository, target, command="bisect")
    _report(invocation, repository, bisection)


def _report(
    invocation: Invocation, repository: Repository, bisection: Bisection, *, as_json: bool = False
) -> None:
    with invocation.output() as output:
        if as_json:
            output.json(_outcome(repository, bisection))
        elif bisection.found is not None:
            _write_found(output, repository, bisection.point(bisection.found + 1))
        elif (point := bisection.next_point()) is not None:
            left = len(bisection.suspects)
            output.line(
                f"{plural(left, 'event')} left, {plural(bisection.steps_left, 'step')}; "
                f"now at position {point.size - 1}:"
            )
            by = repository.provenance.attribution(point, point.size - 1)
            output.line(event_line(output, by.event, position=by.position, revision=None))
        elif bisection.suspects:
            suspects = bisection.suspects
            output.line(
                f"Only skipped points are left. The first bad event is one of {len(suspects):,}, "
                f"at positions {suspects[0]} to {suspects[-1]}:"
            )
            for position in suspects[:20]:
                point = bisection.point(position + 1)
                by = repository.provenance.attribution(point, position)
                output.line(event_line(output, by.event, position=position, revision=None))
    if not as_json and bisection.found is not None:
        invocation.hint("evgit bisect reset goes back to where you were")


def _write_found(output: Output, repository: Repository, point: Point) -> None:
    position = point.size - 1
    output.line(f"Position {position} is the first bad event:")
    output.line()
    write_attribution(output, repository.provenance.attribution(point, position))
    changes = repository.provenance.changes_at(point, position)
    if changes:
        output.line()
        for line in write_changes(output, changes):
            output.line(line)


def _outcome(repository: Repository, bisection: Bisection) -> dict[str, Any]:
    """What is known, for `--json`."""
    spell = repository.resolver().spell
    document: dict[str, Any] = {
        "marks": [
            {"verdict": mark.verdict, "point": spell(Point(mark.commit, mark.size)), "by": mark.by}
            for mark in bisection.record.marks
        ]
    }
    if bisection.suspects:
        document["suspects"] = {
            "first": bisection.suspects[0],
            "last": bisection.suspects[-1],
            "steps": bisection.steps_left,
        }
    if bisection.found is not None:
        point = bisection.point(bisection.found + 1)
        document["first_bad"] = attribution_document(
            repository.provenance.attribution(point, bisection.found)
        ) | {
            "changes": [
                change_document(change)
                for change in repository.provenance.changes_at(point, bisection.found)
            ]
        }
    return document
