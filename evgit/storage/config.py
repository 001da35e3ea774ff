"""Settings: `config.toml` of a repository, over one that all of a user's repositories share.

Settings that are not known here are kept and given back as they are: a later version, or a program
beside this one, may know them. This module must not know what a setting brings about, and never
looks at the environment: where the user's file is, is for the caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from evgit.errors import InvalidInput, UsageError
from evgit.storage.config_file import Key, SettingsFile, Value, join_key

Origin: TypeAlias = Literal["default", "user", "repository"]

ANY = "*"  # stands for a name in the key of a known setting


class Known(NamedTuple):
    """A setting with a meaning. `bytes` is a number from 0 that may be written `512M` or `2G`,
    and `count` one that may be written `20000` or `20k`; `span` is a length of time: `90 days`,
    `12 hours`, `never`."""

    kind: Literal["text", "boolean", "bytes", "count", "span"]
    default: Value | None
    meaning: str
    choices: tuple[str, ...] = ()  # of a text; none: any


RECEIVE = "receive"
VERIFY = ("trusted", "always", "never")

KNOWN: Mapping[Key, Known] = {
    ("user", "name"): Known("text", None, "name of the author of commits"),
    ("user", "email"): Known("text", None, "mail address of the author of commits"),
    ("cache", "max_bytes"): Known("bytes", 2**30, "how large cache.db may grow"),
    ("worktree", "update"): Known("boolean", True, "whether commands write the working tree"),
    ("model", "jobs"): Known("count", None, "how many processes may share a long replay; 1: none"),
    ("operations", "expire"): Known("span", "90 days", "after how long operations are forgotten"),
    ("gc", "auto"): Known(
        "count", 50_000, "so many unpacked objects start a gc in the background; 0: never"
    ),
    ("gc", "prune"): Known("span", "2 weeks", "how long a gc keeps what nothing leads to"),
    ("branch", ANY, "remote"): Known("text", None, "the remote that a branch follows"),
    ("branch", ANY, "merge"): Known("text", None, "the ref there that a branch follows"),
    ("remote", ANY, "url"): Known("text", None, "where a remote is"),
    ("http", "credential_helper"): Known("text", None, "the program that knows tokens"),
    (RECEIVE, ANY, "allow_rewind"): Known(
        "boolean", None, "whether pushes may move refs off their first-parent chains"
    ),
    (RECEIVE, ANY, "allow_deletion"): Known("boolean", None, "whether pushes may delete refs"),
    (RECEIVE, ANY, "writers"): Known("text", None, "names of those who may push to refs"),
    (RECEIVE, ANY, "model_writers"): Known("text", None, "of those who may change the model there"),
    (RECEIVE, ANY, "verify"): Known(
        "text", None, "when pushed events are held to the model there", VERIFY
    ),
}

_SEGMENT = re.compile(r"""([^\s."'=\[\]#\ud800-\udfff]+)|"((?:[^"\\]|\\.)*)"|'([^']*)'""")
_SIZE = r"([0-9]{1,15})\s*([kKmMgGtT]?)(?:i?[bB])?"
_SPAN = re.compile(r"([0-9]{1,6}) ?(second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class Setting(NamedTuple):
    """A setting with its value and where that comes from. `path` is None for a default."""

    key: str
    value: Value
    origin: Origin
    path: Path | None

    @property
    def parts(self) -> Key:
        """The key's parts, without quotes."""
        return split_key(self.key)


def split_key(text: str) -> Key:
    """The parts of a dotted key. Raises UsageError.

    Parts are quoted as in TOML where they hold dots. In `branch.NAME.remote` and its like NAME may
    do without: everything between the first and the last part is the name.
    """
    parts: list[str] = []
    at = 0
    while match := _SEGMENT.match(text, at):
        bare, basic, literal = match.groups()
        try:
            parts.append(bare or literal or msgspec.json.decode(f'"{basic or ""}"', type=str))
        except (msgspec.DecodeError, UnicodeEncodeError):
            break
        at = match.end()
        if at == len(text) and len(parts) > 1:
            return _with_whole_name(tuple(parts))
        if text[at : at + 1] != ".":
            break
        at += 1
    raise UsageError(
        f"{text!r} is not the name of a setting",
        hint='it is written like user.name, or branch."odd.name".remote',
    )


def to_text(value: Value) -> str:
    """A value as a person would type it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def span(value: object) -> int | None:
    """The length of a span in microseconds; None for `never`. Raises InvalidInput."""
    if value == "never":
        return None
    match = _SPAN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(
            f"a length of time must be like `90 days`, `12 hours` or `never`, not {value!r}"
        )
    return int(match[1]) * _SECONDS[match[2]] * 1_000_000


class Config:
    """The settings of one repository, each file read when it is first needed, and then kept.

    Raises InvalidInput for a file that is not TOML (with its line) or a known setting of the wrong
    kind, UsageError for a key that can't be one, Unavailable for a file that can't be read.
    """

    def __init__(self, repository: Path | None, user: Path | None = None) -> None:
        self._files: dict[Origin, SettingsFile] = {}  # in the order in which they count
        if repository is not None:
            self._files["repository"] = SettingsFile(repository, _with_whole_name)
        if user is not None:
            self._files["user"] = SettingsFile(user, _with_whole_name)

    def get(self, key: str) -> Value | None:
        """The value that counts: the repository's, else the user's, else the default, else None."""
        setting = self.find(key)
        return None if setting is None else setting.value

    def find(self, key: str) -> Setting | None:
        """As `get`, with where the value comes from."""
        return self._find(split_key(key))

    def _find(self, parts: Key) -> Setting | None:
        name = join_key(*parts)
        known = _known(parts)
        for origin, file in self._files.items():
            if parts in file.values:
                value = file.values[parts].value
                if known is not None:
                    value = _checked(value, known, f"{file.path}: {name}")
                return Setting(name, value, origin, file.path)
        if known is None or known.default is None:
            return None
        return Setting(name, known.default, "default", None)

    def settings(self) -> list[Setting]:
        """All settings that have a value, in order of key; each once, as it counts."""
        keys = {parts for parts, known in KNOWN.items() if known.default is not None}
        for file in self._files.values():
            keys.update(file.values)
        found = (self._find(parts) for parts in sorted(keys))
        return [setting for setting in found if setting is not None]

    def set(self, key: str, value: Value, *, user: bool = False) -> Setting:
        """Write a setting, into the user's file if `user`. A text is read as its kind demands.

        For a setting that is not known, `true`, `false` and numbers are kept as such, and quotes
        keep them text. Raises Locked, ReadOnly or StorageFull where it can't be written.
        """
        parts = split_key(key)
        known = _known(parts)
        if known is not None:
            value = _checked(value, known, join_key(*parts))
        elif isinstance(value, str):
            value = _guessed(value)
        origin, file = self._writable(user)
        file.change(parts, value)
        return Setting(join_key(*parts), value, origin, file.path)

    def unset(self, key: str, *, user: bool = False) -> bool:
        """Take a setting out of one file; was it there?"""
        parts = split_key(key)
        _, file = self._writable(user)
        return file.change(parts, None)

    def is_known(self, key: str) -> bool:
        """Has a setting a meaning here?"""
        return _known(split_key(key)) is not None

    def without_path(self, message: str) -> str:
        """An error's message without the path of a file, for those whom that is no business of."""
        for file in self._files.values():
            message = message.removeprefix(str(file.path)).lstrip(":, ")
        return message

    def note(self, key: str) -> str:
        """What to tell a person who sets a key that is not known here; "" for known ones."""
        parts = split_key(key)
        if _known(parts) is not None:
            return ""
        names = [".".join(known) for known in KNOWN]
        from difflib import get_close_matches  # slow to load, and only mistakes need it

        near = get_close_matches(".".join(parts), names, n=1)
        return f"evgit has no setting {join_key(*parts)!r}; it is kept all the same" + (
            f" (did you mean {near[0]!r}?)" if near else ""
        )

    def _writable(self, user: bool) -> tuple[Origin, SettingsFile]:
        origin: Origin = "user" if user else "repository"
        if origin not in self._files:
            raise UsageError(f"there is no {origin}'s file of settings to write to")
        return origin, self._files[origin]


def _with_whole_name(parts: Key) -> Key:
    if len(parts) > 3:
        whole = (parts[0], ".".join(parts[1:-1]), parts[-1])
        if _known(whole) is not None:
            return whole
    return parts


def _known(parts: Key) -> Known | None:
    if len(parts) == 3:
        parts = (parts[0], ANY, parts[2])
    return KNOWN.get(parts)


def _checked(value: Any, known: Known, what: str) -> Value:
    """A value of the right kind, read from text where need be. Raises InvalidInput."""
    if known.kind == "text":
        if isinstance(value, str) and known.choices and value not in known.choices:
            raise InvalidInput(f"{what} must be {', '.join(known.choices)}, not {value!r}")
        if isinstance(value, str):
            return _storable(value)
        raise InvalidInput(f"{what} must be a text, not {to_text(value)}", hint="put it in quotes")
    if known.kind == "boolean":
        if isinstance(value, str):
            value = _BOOLEANS.get(value.strip().lower(), value)
        if isinstance(value, bool):
            return value
        raise InvalidInput(f"{what} must be true or false, not {value!r}")
    if known.kind == "span":
        try:
            span(value)
        except InvalidInput as error:
            raise InvalidInput(f"{what}: {error.message}") from None
        return str(value)
    counted = known.kind == "count"
    if isinstance(value, str) and (match := re.fullmatch(_SIZE, value.strip())):
        power = " kmgt".index(match[2].lower() or " ")
        value = int(match[1]) * (1000 if counted else 1024) ** power
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if counted:
        raise InvalidInput(f"{what} must be a number, such as 20000 or 20k, not {value!r}")
    raise InvalidInput(f"{what} must be a number of bytes, such as 512M or 2G, not {value!r}")


def _guessed(text: str) -> Value:
    """What a text means for a setting that is not known."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return _storable(text)


def _storable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"the text {text!r} holds a lone surrogate") from None
    return text
