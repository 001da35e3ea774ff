"""Git for events: append what happened, and see the state that it adds up to, at any point.

`evgit COMMAND --help` explains a command. `evgit demo` shows the main job on a real history.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from evgit import __version__
from evgit.cli.command import SETTINGS, LazyGroup
from evgit.cli.standard_streams import discard_output, usable_streams
from evgit.errors import EvgitError, NotFound, Unavailable

EXIT_USAGE = 2
EXIT_DONE_BUT = 8  # what was asked for is done and durable; what came after it failed
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits(3)
EXIT_INTERRUPTED = 130  # what a shell makes of SIGINT
EXIT_BROKEN_PIPE = 141  # and of SIGPIPE
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Program(LazyGroup):
    """All of evgit. A reader that goes away (`evgit log | head`) ends it in peace."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`-C` is written out: click looks for a long option `-C` first, and then for what may have
        been meant, for which it loads more than evgit is."""
        place = 0
        while args[place : place + 1] == ["-C"]:
            args[place] = "--directory"
            place += 2
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        done: list[str] = ctx.obj
        _load_msgspec()  # before the command's module asks for it
        try:
            found: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_output()
            _say("".join(f"evgit: {text}\n" for text in done))
            ctx.exit(EXIT_BROKEN_PIPE)
        return found


@click.group("evgit", cls=Program, help=__doc__, context_settings=SETTINGS)
@click.option("-C", "--directory", metavar="DIR", multiple=True, help="Run as if started in DIR.")
@click.option("--no-pager", is_flag=True, help="Print long answers straight to the terminal.")
@click.option(
    "--color",
    "colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour; auto means on a terminal, unless NO_COLOR is set.",
)
@click.option(
    "--at-op",
    type=click.IntRange(min=1),
    metavar="N",
    help="Look at all refs as operation N left them (`evgit op log`).",
)
@click.version_option(__version__, message="evgit %(version)s")
@click.pass_context
def evgit(
    context: click.Context,
    directory: tuple[str, ...],
    no_pager: bool,
    colour: str,
    at_op: int | None,
) -> None:
    for step in directory:
        try:
            os.chdir(step)
        except FileNotFoundError as error:
            raise NotFound(f"can't run in {step!r}: {error.strerror}") from error
        except OSError as error:
            raise click.UsageError(f"can't run in {step!r}: {error.strerror}") from error
    # Loaded here, not above, so that --version and --help need not wait for it.
    invocation = import_module("evgit.cli.invocation").Invocation
    context.obj = invocation(
        colour=colour, pager=not no_pager, done=context.obj, at_operation=at_op
    )


def _load_msgspec() -> None:
    """Load msgspec as it is where `typing_extensions` is not installed.

    It takes names from there that `typing` has as well; loading `typing_extensions` only for those
    takes a twentieth of `evgit log`. Whoever imports it later gets it.
    """
    name = "typing_extensions"
    found = sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    try:
        import_module("msgspec")
    finally:
        if found is None:
            del sys.modules[name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code and leaves the current directory as it was."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    before = _current_directory()
    done: list[str] = []  # what is durable by now, in words: see Invocation.done
    with usable_streams():
        try:
            code = evgit.main(words, prog_name="evgit", standalone_mode=False, obj=done)
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except click.Abort:
            return _report("interrupted", "", EXIT_INTERRUPTED, as_json, done)
        except Exception as error:
            message, hint, exit_code = _judged(error)
            return _report(message, hint, EXIT_DONE_BUT if done else exit_code, as_json, done)
        finally:
            if before is not None:
                os.chdir(before)


def _current_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was deleted: there is nothing to go back to


def _report(message: str, hint: str, exit_code: int, as_json: bool, done: Sequence[str]) -> int:
    """Write an error to standard error, as text or as one JSON document; returns the exit code.

    What was done before it is said first, so that nobody takes it for refused and does it again.
    """
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
    if as_json:
        document: dict[str, object] = {"error": message, "hint": hint, "exit_code": exit_code}
        if done:
            document["done"] = list(done)
        text = import_module("evgit.cli.output").json_bytes(document).decode("utf-8")
    else:
        text = "".join(f"evgit: {each}\n" for each in done)
        text += f"evgit: error: {message}" + (f"\nhint: {hint}" if hint else "")
    _say(text + "\n")
    return exit_code


def _say(text: str) -> None:
    try:
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to tell; the exit code still says it


def _judged(error: Exception) -> tuple[str, str, int]:
    """What an error means: its message, a hint, and the exit code."""
    if isinstance(error, EvgitError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, click.ClickException):
        return _sentence(error), _usage_hint(error), EXIT_USAGE
    if os.environ.get("EVGIT_TRACEBACK"):
        sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, OSError):
        return _judged_by_system(error)
    detail = str(error).split("\n", 1)[0]
    return (
        f"internal error: {type(error).__name__}: {detail}",
        "this is a mistake in evgit; run again with EVGIT_TRACEBACK=1 to see where, and report it",
        EXIT_INTERNAL,
    )


def _sentence(error: click.ClickException) -> str:
    """click's message in this project's manner: no capital, no full stop."""
    message = error.format_message().strip().rstrip(".")
    return message[:1].lower() + message[1:]


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "evgit"
    return f"see: {path} --help"


def _judged_by_system(error: OSError) -> tuple[str, str, int]:
    """An error of the operating system that nothing below has put into words."""
    where = f"{error.filename}: " if error.filename else ""
    hint = "make room there" if error.errno in FULL else ""
    exit_code = Unavailable.exit_code if error.errno in FULL else EvgitError.exit_code
    return f"{where}{error.strerror or error}", hint, exit_code
