"""Which model a command sees states with: `--model`, `--skip`, and where trust is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evgit.cli.invocation import Invocation
from evgit.repository import ModelUse, TrustFile

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
        return TrustFile(Path(named))
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return TrustFile(Path(base) / "evgit" / "trusted.json")


def model_use() -> ModelUse:
    """What the command line at hand says about models."""
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.obj, Invocation):
        return ModelUse(trust=trust_file())
    return ModelUse(
        wanted=context.meta.get(MODEL),
        skip=context.meta.get(SKIPPED, ()),
        trust=trust_file(),
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
