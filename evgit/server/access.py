"""Who may read and write what: bearer tokens, as the server's configuration lists them.

The file keeps hashes of tokens, never tokens. It must not know HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from evgit.errors import InvalidInput
from evgit.formats.times import parse_instant


class Token(NamedTuple):
    """One token. `hash`: hex SHA-256 of it. `repositories`: patterns of names. `write`: may push.

    `expires`: instant (microseconds), or None. `name` stands in op logs.
    """

    name: str
    hash: str
    repositories: tuple[str, ...]
    write: bool
    expires: int | None


class Access(NamedTuple):
    """What a request may do with one repository. `expired`: it could, if its token were not old."""

    name: str
    read: bool
    write: bool
    expired: bool = False


class AccessList:
    """Decides by tokens; `public`: patterns of repositories that anyone may read."""

    def __init__(self, tokens: Sequence[Token], public: Sequence[str] = ()) -> None:
        self._tokens = list(tokens)
        self._public = tuple(public)

    def access(self, token: str | None, repository: str, now: int) -> Access:
        """What whoever shows this token may do with a repository, at an instant."""
        public = _matches(repository, self._public)
        if token is None:
            return Access("anybody", public, write=False)
        shown = hash_of(token)
        found = None
        for known in self._tokens:  # all of them, so that time tells nothing
            if hmac.compare_digest(known.hash, shown):
                found = known
        if found is None:
            return Access("anybody", public, write=False)
        if found.expires is not None and now >= found.expires:
            return Access(found.name, public, write=False, expired=True)
        mine = _matches(repository, found.repositories)
        return Access(found.name, public or mine, write=mine and found.write)


def read_access(settings: Mapping[str, Any], path: Path) -> AccessList:
    """The tokens of a configuration: `[[token]]` tables, and `public`. Raises InvalidInput."""
    tokens = []
    for number, table in enumerate(settings.get("token", []), 1):
        where = f"{path}: token {number}" + (f" ({table['name']!r})" if "name" in table else "")
        hashed = str(table.get("hash", ""))
        if len(hashed) != 64 or not all(c in "0123456789abcdef" for c in hashed):
            raise InvalidInput(
                f"{where}: `hash` is not the SHA-256 of a token", hint="evgit serve --new-token"
            )
        right = table.get("right", "read")
        if right not in ("read", "write"):
            raise InvalidInput(f"{where}: `right` is {right!r}, neither read nor write")
        expires = table.get("expires")
        tokens.append(
            Token(
                str(table.get("name", f"token {number}")),
                hashed,
                _patterns(table.get("repositories", ["*"]), where),
                right == "write",
                None if expires is None else _instant(expires, where),
            )
        )
    return AccessList(tokens, _patterns(settings.get("public", []), str(path)))


def _instant(expires: object, where: str) -> int:
    try:
        return parse_instant(str(expires))
    except InvalidInput as error:
        raise InvalidInput(f"{where}: `expires`: {error.message}", hint=error.hint) from None


def new_token() -> tuple[str, str]:
    """(a new token, its hash for the configuration)."""
    token = "evgit_" + secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> str:
    """What the configuration keeps of a token. Tokens are random, so that one hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidInput(f"{where}: a list of patterns of repository names is needed")
    return tuple(value)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
