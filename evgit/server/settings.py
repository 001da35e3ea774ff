"""The server's configuration, a TOML file. It must not know HTTP."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evgit.errors import InvalidInput, NotFound
from evgit.server.access import AccessList, read_access

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LIMITS = (
    "max_body_bytes",
    "max_header_bytes",
    "request_seconds",
    "silent_seconds",
    "max_requests",
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to serve. Sizes in bytes, times in seconds; `max_requests`: at the same time."""

    root: Path
    access: AccessList = field(default_factory=lambda: AccessList([], ["*"]))
    max_body_bytes: int = 4 << 30
    max_header_bytes: int = 16 << 10
    request_seconds: float = 3600.0
    silent_seconds: float = 30.0
    max_requests: int = 32


def read_settings(path: Path, root: Path) -> ServerSettings:
    """The settings of a file. Raises NotFound, InvalidInput."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", hint="docs/server.md shows what it holds") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path} can't be read: {error}") from None
    unknown = sorted(set(found) - {"token", "public", *_LIMITS})
    if unknown:
        raise InvalidInput(f"{path}: there is no setting {unknown[0]!r}")
    limits: dict[str, Any] = {}
    for name in _LIMITS:
        value = found.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise InvalidInput(f"{path}: {name} must be a number above 0, not {value!r}")
        limits[name] = value
    return ServerSettings(root=root, access=read_access(found, path), **limits)


def repository_directory(root: Path, name: str) -> Path | None:
    """Where the repository of a name is, or None. No name leads out of the root."""
    parts = name.split("/")
    if len(parts) > 8 or not all(_SEGMENT.fullmatch(p) and ".." not in p for p in parts):
        return None
    if parts[-1] == ".evgit" or ".evgit" in parts:
        return None
    directory = root.joinpath(*parts)
    try:
        if not directory.resolve(strict=True).is_relative_to(root.resolve(strict=True)):
            return None  # a symbolic link that leads away
    except OSError:
        return None
    return directory
