"""Remotes: names for other repositories, and which of their branches a branch here follows.

They are settings (`remote.NAME.url`, `branch.NAME.remote`, `branch.NAME.merge`). This module must
not know how another repository is reached.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from evgit.errors import AlreadyExists, InvalidName, NotFound, UsageError
from evgit.history.heads import HEADS
from evgit.storage.config import Config
from evgit.storage.config_file import join_key

TRACKING = "refs/remotes/"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class Remote(NamedTuple):
    """Another repository. `name` is its URL where it has no name here."""

    name: str
    url: str

    @property
    def tracking(self) -> str:
        """What the names of its remote-tracking refs begin with."""
        return f"{TRACKING}{self.name}/"

    @property
    def named(self) -> bool:
        """Has it a name here? Without one, there is nothing to call remote-tracking refs by."""
        return is_remote_name(self.name)


class Upstream(NamedTuple):
    """What a branch follows: a ref of a remote."""

    remote: str
    ref: str

    @property
    def tracking_ref(self) -> str:
        """The remote-tracking ref that shows it here."""
        return f"{TRACKING}{self.remote}/{self.ref.removeprefix(HEADS)}"


class Remotes:
    """Reads and writes the settings of one repository's remotes."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def all(self) -> list[Remote]:
        """Every remote, by name."""
        found = []
        for setting in self._config.settings():
            parts = setting.parts
            if len(parts) == 3 and parts[0] == "remote" and parts[2] == "url":
                found.append(Remote(parts[1], str(setting.value)))
        return found

    def get(self, name: str) -> Remote:
        """A remote by name. Raises NotFound."""
        url = self._config.get(join_key("remote", name, "url"))
        if url is None:
            known = ", ".join(remote.name for remote in self.all())
            raise NotFound(
                f"there is no remote {name!r}",
                hint=f"there are: {known}" if known else "add one with: evgit remote add NAME URL",
            )
        return Remote(name, str(url))

    def add(self, name: str, url: str) -> Remote:
        """Name another repository. Raises AlreadyExists, InvalidName."""
        check_remote_name(name)
        if any(remote.name == name for remote in self.all()):
            raise AlreadyExists(
                f"there is a remote {name!r} already",
                hint=f"change where it is with: evgit remote set-url {name} URL",
            )
        return self.set_url(name, url)

    def set_url(self, name: str, url: str) -> Remote:
        """Say where a remote is."""
        if not url.strip():
            raise UsageError("a remote needs a URL or a path")
        self._config.set(join_key("remote", name, "url"), url)
        return Remote(name, url)

    def remove(self, name: str) -> None:
        """Forget a remote, and that branches follow it. Remote-tracking refs are not touched."""
        self.get(name)
        self._config.unset(join_key("remote", name, "url"))
        for branch in self._followers(name):
            self._config.unset(join_key("branch", branch, "remote"))
            self._config.unset(join_key("branch", branch, "merge"))

    def rename(self, old: str, new: str) -> None:
        """Give a remote another name. Its remote-tracking refs are not touched."""
        url = self.get(old).url
        self.add(new, url)
        for branch in self._followers(old):
            self._config.set(join_key("branch", branch, "remote"), new)
        self._config.unset(join_key("remote", old, "url"))

    def upstream(self, branch: str) -> Upstream | None:
        """What a branch (short name) follows, or None."""
        remote = self._config.get(join_key("branch", branch, "remote"))
        ref = self._config.get(join_key("branch", branch, "merge"))
        return None if remote is None or ref is None else Upstream(str(remote), str(ref))

    def follow(self, branch: str, upstream: Upstream) -> None:
        """Let a branch (short name) follow a ref of a remote."""
        self._config.set(join_key("branch", branch, "remote"), upstream.remote)
        self._config.set(join_key("branch", branch, "merge"), upstream.ref)

    def unfollow(self, branch: str) -> bool:
        """Let a branch (short name) follow nothing; False if it did not follow anything."""
        followed = [
            self._config.unset(join_key("branch", branch, name))
            for name in ("remote", "merge")
            if self._config.get(join_key("branch", branch, name)) is not None
        ]
        return bool(followed)

    def _followers(self, name: str) -> list[str]:
        return [
            setting.parts[1]
            for setting in self._config.settings()
            if len(setting.parts) == 3
            and setting.parts[0] == "branch"
            and setting.parts[2] == "remote"
            and setting.value == name
        ]


def is_remote_name(name: str) -> bool:
    """May a remote be called so?"""
    plain = _NAME.fullmatch(name) is not None and ".." not in name
    return plain and not name.endswith((".lock", "."))


def check_remote_name(name: str) -> None:
    """Raise InvalidName for what can't be the name of a remote."""
    if not is_remote_name(name):
        raise InvalidName(
            f"{name!r} can't be the name of a remote",
            hint="letters, digits, `_`, `-` and single dots make a name",
        )
