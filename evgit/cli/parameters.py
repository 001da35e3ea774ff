"""Options and arguments that several commands share, with completion of names.

Completion never fails and never speaks: where there is no repository there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evgit.cli.opening import open_repository
from evgit.errors import EvgitError, UsageError

MOST_OFFERED = 200

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    TextType = click.ParamType[str]
else:
    TextType = click.ParamType  # not generic before click 8.4

F = TypeVar("F", bound=Callable[..., Any])


class Revision(TextType):
    """A revision expression; completes to branches, tags and remote branches."""

    name = "revision"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """HEAD and the short names of refs that start with `incomplete`."""
        return _items(lambda: ref_names("refs/"), incomplete)


class PlaceName(click.Path):
    """The name of a file or directory: not empty, and not `-`, for nothing goes to the terminal."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if str(value) in ("", "-"):
            raise UsageError(f"{str(value)!r} is no name of a file", hint="name one")
        return super().convert(value, param, ctx)


class Branch(TextType):
    """The name of a branch."""

    name = "branch"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Branches that start with `incomplete`."""
        return _items(lambda: ref_names("refs/heads/"), incomplete)


class Stream(TextType):
    """The name of a stream."""

    name = "stream"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Streams of HEAD that start with `incomplete`."""
        return _items(lambda: stream_names(incomplete), incomplete)


def ref_names(prefix: str) -> list[str]:
    """Short names of the refs under `prefix`, HEAD first where all are asked for."""
    with open_repository() as repository:
        names = [ref.name.split("/", 2)[2] for ref in repository.refs(prefix) if "/" in ref.name]
    return names if prefix == "refs/heads/" else ["HEAD", *names]


def stream_names(prefix: str) -> list[str]:
    """The first streams of HEAD under `prefix`."""
    names: list[str] = []
    with open_repository() as repository:
        for summary in repository.streams("HEAD", prefix):
            names.append(summary.name)
            if len(names) >= MOST_OFFERED:
                break
    return names


def _items(names: Callable[[], list[str]], incomplete: str) -> list[CompletionItem]:
    item = import_module("click.shell_completion").CompletionItem
    try:
        return [item(name) for name in names() if name.startswith(incomplete)]
    except (EvgitError, OSError):
        return []


def json_option(what: str) -> Callable[[F], F]:
    """`--json`; `what` says what is printed: one document, or a line for each thing."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print JSON: {what}.")


class Count(click.IntRange):
    """A number from `min` on."""

    name = "number"


def limit_option(decorated: F) -> F:
    """`-n N`: at most so many."""
    return click.option(
        "-n", "--max-count", "limit", type=Count(min=0), metavar="N", help="At most so many."
    )(decorated)


def skip_option(decorated: F) -> F:
    """`--skip N`: leave out the first so many."""
    return click.option(
        "--skip", type=Count(min=0), default=0, metavar="N", help="Leave out the first so many."
    )(decorated)
