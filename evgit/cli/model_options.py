"""Which model a command sees states with: `--model`, `--skip`, and where trust is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evgit import repository
from evgit.cli.invocation import Invocation
from evgit.repository import ModelUse

if TYPE_CHECKING:  # loaded where there is a model
    from evgit.repository import TrustFile

MODEL = "evgit.model"
SKIPPED = "evgit.skipped"
"""Where a command line's options are kept for whoever opens the repository."""

F = TypeVar("F", bound=Callable[..., Any])


def trust_file() -> TrustFile:
    """A person's decisions on which models may run.

    EVGIT_TRUST_FILE if it is set, else evgit/trusted.json in the directory that the XDG base
    directory specification gives for data.
    """
    named = os.environ.get("EVGIT_TRUST_FILE")
    if named:
        return repository.TrustFile(Path(named))
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return repository.TrustFile(Path(base) / "evgit" / "trusted.json")


class _Trust:
    """The same as `Trust`, read when there is a model that somebody must trust."""

    def trusts(self, directory: Path, model: str) -> bool:
        """Was it decided that this model may run?"""
        return trust_file().trusts(directory, model)

    def owns(self, directory: Path, repository: str) -> bool:
        """Was the repository made here?"""
        return trust_file().owns(directory, repository)


def model_use() -> ModelUse:
    """What the command line at hand says about models."""
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.obj, Invocation):
        return ModelUse(trust=_Trust())
    return ModelUse(
        wanted=context.meta.get(MODEL),
        skip=context.meta.get(SKIPPED, ()),
        trust=_Trust(),
        notify=context.obj.note,
    )


def model_option(decorated: F) -> F:
    """`--model REV|head|worktree`."""
    return click.option(
        "--model",
        metavar="REV",
        expose_value=False,
        callback=_remember_model,
        help="See the state with the model at REV, `head` or `worktree`.",
    )(decorated)


def skip_events_option(decorated: F) -> F:
    """`--skip EVENT`, as often as need be."""
    return click.option(
        "--skip",
        multiple=True,
        metavar="EVENT",
        expose_value=False,
        callback=_remember_skipped,
        help="See the state without this event.",
    )(decorated)


def state_options(decorated: F) -> F:
    """Both."""
    return model_option(skip_events_option(decorated))


def _remember_model(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None:
        context.meta[MODEL] = value
    return value


def _remember_skipped(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    if value:
        context.meta[SKIPPED] = value
    return value
