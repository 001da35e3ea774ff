"""Show what evgit does, on a history or an example.

Makes a repository in a new directory, fills it and looks at it: log, past states, blame, a diff, a
checkout. Each command is shown before its output. The repository stays there to play with.

    evgit demo                    the history of evgit's own clone, or of the current directory
    evgit demo ../some-project    another Git repository's
    evgit demo --into /tmp/try    in this directory, which must be empty
    evgit demo bank               balances, statements and an audit view, made by a model
    evgit demo payments try       a payment provider's webhooks, in the directory `try`
    evgit demo bank --events 100000   an overdraft hidden in many events, and found by bisecting
"""

from __future__ import annotations

import io
import random
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from evgit.bridges.demo import DemoStep, FilesStep, Step, demo_steps, find_demo_history
from evgit.bridges.demo_examples import bank_steps, overdraft_steps, payments_steps
from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.main import main
from evgit.errors import AlreadyExists, NotFound, UsageError

_FEWEST = 100


@documented(__doc__, "demo")
@click.argument("what", required=False, metavar="[GIT-REPOSITORY|bank|payments]")
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@click.option(
    "--into", metavar="DIR", type=click.Path(path_type=Path), help="An empty or new directory."
)
@click.option(
    "--events",
    type=click.IntRange(_FEWEST),
    metavar="N",
    help="With `bank`: hide an overdraft in N events.",
)
@click.pass_context
def command(
    context: click.Context,
    what: str | None,
    directory: Path | None,
    into: Path | None,
    events: int | None,
) -> None:
    invocation: Invocation = context.obj
    if directory is not None and into is not None:
        raise UsageError("two directories are given", hint="give one: DIR, or --into DIR")
    if events is not None and what != "bank":
        raise UsageError("--events is for the bank", hint="evgit demo bank --events 100000")
    title, place, steps = _prepared(what, directory or into, events)
    options = ["--no-pager", "--color", invocation.colour, "-C", str(place)]
    with invocation.output() as output:
        output.line(f"{title}, in {place}:")
    for step in steps:
        code = _take(step, invocation, place, options)
        if code:
            context.exit(code)
    with invocation.output() as output:
        output.line()
        output.line(f"Look around in {place}; remove it when you have seen enough.")


def _prepared(
    what: str | None, directory: Path | None, events: int | None
) -> tuple[str, Path, Iterator[Step]]:
    """What is shown, where, and its steps."""
    if what == "bank" and events is not None:
        steps = overdraft_steps(events, random.Random())
        return f"A bank with {events:,} events", _empty_directory(directory), steps
    if what == "bank":
        return "A small bank", _empty_directory(directory), bank_steps()
    if what == "payments":
        return "Payments", _empty_directory(directory), payments_steps()
    if what and not Path(what).exists():
        raise NotFound(
            f"there is no {what!r}",
            hint="evgit demo bank, evgit demo payments, or evgit demo DIR, DIR being any Git clone",
        )
    history = find_demo_history([what] if what else [str(Path(__file__).parent), "."])
    project = history.parent if history.name == ".git" else history
    place = _empty_directory(directory)
    return f"The history of {project}, as events", place, demo_steps(place, history)


def _take(step: Step, invocation: Invocation, directory: Path, options: list[str]) -> int:
    """Show one step and do it; the exit code of the demo if it went wrong, else 0."""
    with invocation.output() as output:
        output.line()
        output.line(output.style(f"# {step.about}", "dim"))
        if isinstance(step, FilesStep):
            for path, data in step.files.items():
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (directory / path).write_bytes(data)
            for path in step.shown:
                output.line(output.style(f"$ cat {path}", "bold"))
                output.raw(step.files[path])
            if not step.shown:
                names = list(step.files)
                several = f" and {len(names) - 1} more" if len(names) > 1 else ""
                output.line(f"(wrote {names[0]}{several})")
            return 0
        line = f"$ evgit {shlex.join(step.words)}"
        output.line(output.style(line + (" <<'END'" if step.given else ""), "bold"))
        if step.given:
            output.line(f"{step.given}END")
    with _standard_input(step):
        code = main([*options, *step.words])
    return 0 if code == step.code else code or 1


@contextmanager
def _standard_input(step: DemoStep) -> Iterator[None]:
    """The step's own standard input in place of the demo's."""
    before = sys.stdin
    if step.given:
        sys.stdin = io.TextIOWrapper(io.BytesIO(step.given.encode()), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


def _empty_directory(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="evgit-demo-"))
    wanted.mkdir(parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        raise AlreadyExists(f"{wanted} is not empty", hint="name a new directory, or none")
    return wanted.absolute()
