"""Show the main job on a real history, command by command.

Makes a repository in a new directory, imports the file changes of a Git history as events, and
looks at them: log, a past state, a diff, a checkout. Each command is shown before its output.

    evgit demo                    with the history of evgit's own clone, or of the current directory
    evgit demo ../some-project    with another Git repository's
    evgit demo --into /tmp/try    in this directory, which must be empty
"""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import click

from evgit.bridges.demo import demo_steps, find_demo_history
from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.main import main
from evgit.errors import AlreadyExists, NotFound


@documented(__doc__, "demo")
@click.argument("git", required=False, metavar="[GIT-REPOSITORY]")
@click.option(
    "--into", metavar="DIR", type=click.Path(path_type=Path), help="An empty or new directory."
)
@click.pass_context
def command(context: click.Context, git: str | None, into: Path | None) -> None:
    invocation: Invocation = context.obj
    if git and not Path(git).exists():
        raise NotFound(f"there is no {git!r}", hint="evgit demo DIR, DIR being any Git clone")
    places = [git] if git else [str(Path(__file__).parent), "."]
    history = find_demo_history(places)
    directory = _empty_directory(into)
    options = ["--no-pager", "--color", invocation.colour, "-C", str(directory)]
    with invocation.output() as output:
        project = history.parent if history.name == ".git" else history
        output.line(f"The history of {project}, as events, in {directory}:")
    for step in demo_steps(directory, history):
        with invocation.output() as output:
            output.line()
            output.line(output.style(f"# {step.about}", "dim"))
            output.line(output.style(f"$ evgit {shlex.join(step.words)}", "bold"))
        code = main([*options, *step.words])
        if code:
            context.exit(code)
    with invocation.output() as output:
        output.line()
        output.line(f"Look around in {directory}; remove it when you have seen enough.")


def _empty_directory(into: Path | None) -> Path:
    if into is None:
        return Path(tempfile.mkdtemp(prefix="evgit-demo-"))
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise AlreadyExists(f"{into} is not empty", hint="name a new directory, or none")
    return into.absolute()
