"""The shape of a command: its module's docstring is its help, printed as it was written.

It knows click, and nothing of evgit below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from evgit.cli.command_table import COMMANDS, SECTIONS
from evgit.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COUNT_OPTIONS = ("-n", "--max-count", "--skip")
Decorator = Callable[[Callable[..., Any]], "Command"]

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def write_docstring(help_text: str | None, formatter: click.HelpFormatter) -> None:
    """The docstring below the usage line, indented by two, its own line breaks kept."""
    formatter.write("\n")
    for line in (help_text or "").strip().splitlines():
        formatter.write(f"  {line}".rstrip() + "\n")


class Command(click.Command):
    """A command whose help is a docstring, not re-wrapped.

    With `paths` true, the words after `--` go to the parameter `paths`, apart from the others.
    With `count_option` true, `-3` is read as `-n 3`. `with_value`: {flag: option} of flags that
    may be given a value all the same, as `--flag=VALUE`, which is then that of the option.
    """

    def __init__(
        self,
        *args: Any,
        paths: bool = False,
        count_option: bool = False,
        with_value: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._with_value = with_value or {}
        self._paths = paths
        self._count_option = count_option

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words, those after `--` apart where the command takes paths."""
        split = args.index("--") if "--" in args else len(args)
        words, paths = args[:split], args[split + 1 :]
        if self._count_option:
            words = _with_counts(words)
        for flag, option in self._with_value.items():
            words = [
                f"{option}={word.removeprefix(flag + '=')}" if word.startswith(flag + "=") else word
                for word in words
            ]
        if not self._paths:
            words, negative = _negative_numbers(words)
            if negative:
                return super().parse_args(ctx, [*words, "--", *negative, *paths])
            return super().parse_args(ctx, words + args[split:])
        rest = super().parse_args(ctx, words)
        ctx.params["paths"] = tuple(paths)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The usage line, with the paths."""
        pieces = super().collect_usage_pieces(ctx)
        return [*pieces, "[-- PATH...]"] if self._paths else pieces

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring as it stands."""
        write_docstring(self.help, formatter)


def _is_number(word: str) -> bool:
    return word[:1] == "-" and word[1:].isdecimal()


def _with_counts(words: list[str]) -> list[str]:
    """`-3` as Git's people write it; the value of an option and anything else as it is.

    `-n` is written out: click looks for a long option `-n` first, and for what may have been meant.
    """
    found: list[str] = []
    for word in words:
        value = bool(found) and found[-1] in COUNT_OPTIONS
        if not value and _is_number(word):
            found += ["--max-count", word[1:]]
        else:
            found.append("--max-count" if word == "-n" and not value else word)
    return found


def _negative_numbers(words: list[str]) -> tuple[list[str], list[str]]:
    """Words, and apart from them negative numbers that are no option's value.

    No option is called `-1`, so that such a word is a value out of range, and better refused as
    that by the command.
    """
    rest: list[str] = []
    numbers: list[str] = []
    for word in words:
        value = bool(rest) and rest[-1].startswith("-")
        (numbers if _is_number(word) and not value else rest).append(word)
    return rest, numbers


class CommandGroup(click.Group):
    """A command with commands of its own, all in one module (`op log`)."""

    command_class = Command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring as it stands."""
        write_docstring(self.help, formatter)


class LazyGroup(CommandGroup):
    """The commands of `command_table`, each imported when it is used and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported; None if there is none."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"evgit.cli.commands.{entry.module}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` start with, or say which one may have been meant."""
        if args[0] == "help":  # as `git help`
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
            args = [args[1], "--help"]
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            in_place = import_module("evgit.cli.git_words").IN_PLACE_OF.get(name)
            if in_place is not None:
                raise UsageError(f"there is no command {name!r}", hint=in_place)
            near = import_module("difflib").get_close_matches(name, COMMANDS, n=3, cutoff=0.6)
            meant = " or ".join(f"`evgit {candidate}`" for candidate in near)
            error = click.UsageError(
                f"there is no command {name!r}" + (f"; did you mean {meant}?" if meant else ""), ctx
            )
            raise error
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All commands by purpose, from the table alone."""
        for section, entries in SECTIONS.items():
            with formatter.section(section[0].upper() + section[1:]):
                formatter.write_dl(
                    [(name, entry.summary) for name, entry in entries.items()], col_max=14
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Command names from the table, without importing the commands."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        item = import_module("click.shell_completion").CompletionItem
        return [
            item(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]


def documented(docstring: str | None, name: str, **settings: Any) -> Decorator:
    """Decorate a function as the command `name` whose help is its module's docstring.

    `settings` are those of `Command`.
    """
    return click.command(name, cls=Command, help=docstring, context_settings=SETTINGS, **settings)


def documented_group(
    docstring: str | None, name: str
) -> Callable[[Callable[..., Any]], CommandGroup]:
    """Decorate a function as a command `name` that has commands of its own."""
    return click.group(
        name, cls=CommandGroup, help=docstring, no_args_is_help=False, context_settings=SETTINGS
    )
