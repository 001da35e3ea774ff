"""What a URL or path of another repository says, taken apart and checked.

Nothing in an address may become an option of a program, and it must not know how to go there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from evgit.errors import InvalidInput, UsageError

_SCP = re.compile(r"(?P<host>[^/:]+):(?P<path>.+)", re.S)
_HOST = re.compile(
    r"([A-Za-z0-9_][A-Za-z0-9_.+-]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)"
)


class Address(NamedTuple):
    """`kind` says what the rest means: `path` there; `host` (with `user@`) and `port` for ssh;
    `url` whole for http."""

    kind: Literal["local", "ssh", "http"]
    path: str = ""
    host: str = ""
    port: int | None = None
    url: str = ""


def parse_address(text: str) -> Address:
    """An address. Raises UsageError for what is none, InvalidInput for what would be dangerous.

    A path that exists is a path, whatever it looks like; `host:path` is ssh, as with scp.
    """
    if not text.strip() or "\0" in text or "\n" in text:
        raise UsageError(f"{text!r} is not the address of a repository")
    if "://" not in text:
        match = _SCP.fullmatch(text)
        if match is None or Path(text).exists():
            return Address("local", path=text)
        return _ssh(match["host"], None, match["path"])
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise UsageError(f"{masked(text)} is not the address of a repository: {error}") from None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise UsageError(
                f"{masked(text)}: a file: URL names no host", hint="file:///path/to/repository"
            )
        return Address("local", path=unquote(parts.path))
    if parts.scheme == "ssh":
        user = f"{unquote(parts.username)}@" if parts.username else ""
        if parts.password is not None:
            raise InvalidInput("a password doesn't belong into a URL", hint="let ssh use a key")
        return _ssh(user + (parts.hostname or ""), _port(text), unquote(parts.path))
    if parts.scheme in ("http", "https"):
        if parts.username is not None or parts.password is not None:
            raise InvalidInput(
                "a token or password doesn't belong into a URL, where it would be kept in clear",
                hint="give it in EVGIT_TOKEN, or by the setting http.credential_helper",
            )
        if not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"{masked(text)} is not the address of a repository")
        _port(text)
        return Address("http", url=text.rstrip("/"))
    raise UsageError(
        f"{masked(text)}: evgit knows no {parts.scheme}:// addresses",
        hint="a path, file://, ssh://, host:path, http:// and https:// are known",
    )


def masked(text: str) -> str:
    """An address as it may be shown: without what could be a password or a token."""
    start, slashes, rest = text.partition("://")
    if not slashes:
        return text
    host, query, _ = rest.partition("?")
    user, at, place = host.rpartition("@")
    if at and (":" in user or start.lower().startswith("http")):
        host = f"***@{place}"
    return f"{start}://{host}{query and '?***'}"


def _port(text: str) -> int | None:
    try:
        return urlsplit(text).port
    except ValueError:
        raise UsageError(f"{masked(text)}: that is no port") from None


def _ssh(host: str, port: int | None, path: str) -> Address:
    if not _HOST.fullmatch(host):
        raise InvalidInput(f"{host!r} is not the name of a host", hint="user@host:path")
    if path.startswith("/~"):
        path = path[1:]
    if not path or path.startswith("-"):
        raise InvalidInput(f"{path!r} is not a path on another host", hint="write it as ./-…")
    return Address("ssh", path=path, host=host, port=port)
