"""Git for events: append what happened, and see the state that it adds up to, at any point.

`evgit COMMAND --help` explains a command. `evgit demo` shows the main job on a real history.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from evgit import __version__
from evgit.cli.command import SETTINGS, LazyGroup
from evgit.errors import EvgitError

EXIT_USAGE = 2
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits(3)
EXIT_INTERRUPTED = 130  # what a shell makes of SIGINT
EXIT_BROKEN_PIPE = 141  # and of SIGPIPE


class Program(LazyGroup):
    """All of evgit. A reader that goes away (`evgit log | head`) ends it in peace."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            found: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            ctx.exit(EXIT_BROKEN_PIPE)
        return found


@click.group("evgit", cls=Program, help=__doc__, context_settings=SETTINGS)
@click.option("-C", "directory", metavar="DIR", multiple=True, help="Run as if started in DIR.")
@click.option("--no-pager", is_flag=True, help="Print long answers straight to the terminal.")
@click.option(
    "--color",
    "colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour; auto means on a terminal, unless NO_COLOR is set.",
)
@click.version_option(__version__, message="evgit %(version)s")
@click.pass_context
def evgit(context: click.Context, directory: tuple[str, ...], no_pager: bool, colour: str) -> None:
    for step in directory:
        try:
            os.chdir(step)
        except OSError as error:
            raise click.UsageError(f"can't run in {step!r}: {error.strerror}") from error
    # Loaded here, not above, so that --version and --help need not wait for it.
    invocation = import_module("evgit.cli.invocation").Invocation
    context.obj = invocation(colour=colour, pager=not no_pager)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code and leaves the current directory as it was."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    before = _current_directory()
    try:
        code = evgit.main(words, prog_name="evgit", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except EvgitError as error:
        _report(error.message, error.hint, error.exit_code, as_json)
        return error.exit_code
    except click.ClickException as error:
        _report(_sentence(error), _usage_hint(error), EXIT_USAGE, as_json)
        return EXIT_USAGE
    except click.Abort:
        _report("interrupted", "", EXIT_INTERRUPTED, as_json)
        return EXIT_INTERRUPTED
    except OSError as error:
        return _report_system_error(error, as_json)
    except Exception as error:
        return _report_internal_error(error, as_json)
    finally:
        if before is not None:
            os.chdir(before)


def _current_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was deleted: there is nothing to go back to


def _report(message: str, hint: str, exit_code: int, as_json: bool) -> None:
    """Write an error to standard error, as text or as one JSON document."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    if as_json:
        document = {"error": message, "hint": hint, "exit_code": exit_code}
        text = import_module("evgit.cli.output").json_bytes(document).decode("utf-8")
    else:
        text = f"evgit: error: {message}" + (f"\nhint: {hint}" if hint else "")
    try:
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to tell; the exit code still says it


def _sentence(error: click.ClickException) -> str:
    """click's message in this project's manner: no capital, no full stop."""
    message = error.format_message().strip().rstrip(".")
    return message[:1].lower() + message[1:]


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "evgit"
    return f"see: {path} --help"


def _report_system_error(error: OSError, as_json: bool) -> int:
    """An error of the operating system that nothing below has put into words."""
    if os.environ.get("EVGIT_TRACEBACK"):
        sys.excepthook(type(error), error, error.__traceback__)
    where = f"{error.filename}: " if error.filename else ""
    _report(f"{where}{error.strerror or error}", "", EvgitError.exit_code, as_json)
    return EvgitError.exit_code


def _report_internal_error(error: Exception, as_json: bool) -> int:
    """A mistake in evgit itself: one line, and how to see the rest."""
    if os.environ.get("EVGIT_TRACEBACK"):
        sys.excepthook(type(error), error, error.__traceback__)
    detail = str(error).split("\n", 1)[0]
    _report(
        f"internal error: {type(error).__name__}: {detail}",
        "this is a mistake in evgit; run again with EVGIT_TRACEBACK=1 to see where, and report it",
        EXIT_INTERNAL,
        as_json,
    )
    return EXIT_INTERNAL


def _discard_output() -> None:
    """Nobody reads standard output any more: let the interpreter flush into nothing at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # standard output is not a file, so there is nothing to flush at exit
    finally:
        os.close(null)
