"""Opening the repository that a command works on: the one around the current directory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from evgit.cli.clock import now
from evgit.cli.invocation import Invocation, say
from evgit.cli.model_options import model_use, trust_file
from evgit.cli.patience import be_patient
from evgit.errors import NotARepository, ReadOnly
from evgit.repository import Layout, Repository

LOST_HINT = (
    "evgit.db-wal was deleted or damaged, or evgit.db is an older copy: fetch what is missing from "
    "a clone, or `evgit restore` a backup, and delete {file} when you have taken note"
)


def open_repository() -> Repository:
    """The repository of the current directory or one above it. Raises NotARepository."""
    repository = Repository.open(
        ".",
        clock=now,
        user_config=user_config(),
        model=model_use(),
        at_operation=_at_operation(),
    )
    be_patient(repository)
    for loss in repository.lost:
        say(f"warning: {loss.message}")
        say(f"hint: {LOST_HINT.format(file=repository.layout.losses)}")
    return repository


def _at_operation() -> int | None:
    """The operation that `--at-op` names, None without it."""
    context = click.get_current_context(silent=True)
    invocation = None if context is None else context.obj
    return invocation.at_operation if isinstance(invocation, Invocation) else None


def open_repository_at(path: Path) -> Repository:
    """The repository of this very directory, and none above it. Raises NotARepository."""
    layout = Layout.exactly(path)
    if layout is None:
        raise NotARepository(f"there is no evgit repository at {path}")
    where = layout.directory
    repository = Repository.open(where, clock=now, user_config=user_config(), model=model_use())
    be_patient(repository)
    return repository


def user_config() -> Path:
    """The file of settings for all of a person's repositories.

    EVGIT_CONFIG_GLOBAL if it is set, else evgit/config.toml in the directory that the XDG base
    directory specification gives for settings.
    """
    named = os.environ.get("EVGIT_CONFIG_GLOBAL")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "evgit" / "config.toml"


def init_repository(directory: Path, *, bare: bool = False, branch: str = "main") -> Repository:
    """A new repository, open. Raises AlreadyExists."""
    use = model_use()
    repository = Repository.init(
        directory, bare=bare, branch=branch, clock=now, user_config=user_config(), model=use
    )
    # Made here: what its working tree will hold is the person's own writing.
    with suppress(ReadOnly):
        trust_file().own(repository.layout.directory, repository.id)
    return repository
