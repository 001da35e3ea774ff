"""Who is at the keyboard: the author of commits, and who stands in the op log.

From EVGIT_AUTHOR_NAME and EVGIT_AUTHOR_EMAIL, then the settings user.name and user.email, then the
user and host of the operating system. Never a refusal: a fact that happened must be recordable.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import NamedTuple

from evgit.cli.opening import open_repository, user_config
from evgit.repository import Config, Repository

# Angle brackets would make "Ada <ada@example.org>" ambiguous, line ends would break a line of text.
FORBIDDEN = str.maketrans("", "", "<>\r\n\0")


AUTHORED = ("commit", "import", "tag")  # operations that leave an author in the history
LOOKED_BACK = 50


class Identity(NamedTuple):
    """An author as a commit records it, and whether it had to be guessed."""

    author: str
    guessed: bool


def open_to_change() -> Repository:
    """The repository around the current directory, to be changed by the person at the keyboard.

    Raises NotARepository.
    """
    repository = open_repository()
    repository.author = identity(repository).author
    return repository


def identity(repository: Repository) -> Identity:
    """The person that this process speaks for."""
    return _identity(repository.config)


def identity_without_repository() -> Identity:
    """The same where there is no repository yet: by the person's own settings."""
    return _identity(Config(None, user_config()))


def _identity(config: Config) -> Identity:
    name = os.environ.get("EVGIT_AUTHOR_NAME") or setting(config, "user.name")
    email = os.environ.get("EVGIT_AUTHOR_EMAIL") or setting(config, "user.email")
    guessed = not name
    user = system_user() if guessed or not email else ""
    name = (name or user).translate(FORBIDDEN).strip()
    email = (email or f"{user}@{os.uname().nodename}").translate(FORBIDDEN).strip()
    return Identity(f"{name} <{email}>", guessed)


def worth_saying(repository: Repository, who: Identity) -> bool:
    """Should the person be told, before a change is made, that the author was guessed?

    Once is enough: not if the latest operations of this kind were by the same guessed author.
    """
    return who.guessed and not any(
        operation.actor == who.author and operation.command in AUTHORED
        for operation in islice(repository.operations(), LOOKED_BACK)
    )


def setting(config: Config, name: str) -> str:
    """A setting as text; empty where it is not set."""
    value = config.get(name)
    return value if isinstance(value, str) else ""


def system_user() -> str:
    """The operating system's name for the user; its number where it has none."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


GUESS_HINT = (
    'say who you are: evgit config user.name "Your Name", evgit config user.email you@example.org'
)
