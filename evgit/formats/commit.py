"""Commits: their members, their limits, and what a reader that does not know all of them must do.

A commit appends the events of its block to several streams at once, and vouches for the whole log
with one Merkle root. A member that this build does not know is tolerated when reading, since a
commit's id is over its bytes, unless `crit` names it: then it must be understood, and is refused.

This module knows one commit at a time. Whether its parents exist and its root is right is known
above.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from evgit.errors import (
    EvgitError,
    InvalidJSON,
    InvalidName,
    InvalidObject,
    InvalidTime,
    UnsupportedFormat,
)
from evgit.formats import canonical
from evgit.formats.names import check_stream_name
from evgit.formats.times import ROOT_TIME, instants_valid, to_instant

FORMAT = 1
MAX_PARENTS = 64
MAX_EVENTS = 65_536
MAX_GUARDS = 65_536
MAX_LEFT_OUT = 65_536
_MAX_SIZE = canonical.MAX_SAFE_INTEGER
EMPTY_LOG_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ROOT_AUTHOR = "evgit"
ROOT_MESSAGE = "root"

_ID = re.compile(r"[0-9a-f]{64}")
_HEX_DIGITS = re.compile(r"[0-9a-f]*")
_OPTIONAL = ("crit", "guards", "merge", "meta", "recorded")
_UPGRADE = "it was made by a newer evgit; use that"


def _this_format() -> int:  # a factory, so that the member is always written
    return FORMAT


class LogHead(msgspec.Struct, frozen=True, gc=False):
    """What a commit says of its whole log: RFC 6962 root (64 hex digits) and number of events."""

    root: str
    size: int


class MergeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a merge decided: the events it leaves out, the id of the model that judged, how."""

    left_out: list[str] = []
    model: str | None = None
    resolved: list[Any] = []


class Commit(
    msgspec.Struct,
    frozen=True,
    gc=False,  # as events are: JSON has no cycles
    kw_only=True,
    omit_defaults=True,
    tag_field="kind",
    tag="commit",
):
    """One commit. Its events stand before it in its block; `events` counts them.

    guards: stream -> revision before the first event, -1 for a stream that must not exist.
    recorded: "events" where each event counts as recorded at its own time. crit: names of members
    that a reader must understand.
    """

    author: str
    events: int
    format: int = msgspec.field(default_factory=_this_format)
    guards: dict[str, int] = {}
    log: LogHead
    merge: MergeRecord | None = None
    message: str
    meta: dict[str, Any] = {}
    parents: list[str]
    recorded: Literal["events"] | None = None
    time: str
    crit: list[str] = []

    def canonical(self) -> bytes:
        """The canonical bytes. Raises InvalidObject where the commit breaks a rule or a limit."""
        line = self._plain_line()
        if line is not None:
            _check(self)
            return line
        try:
            line = canonical.encode(_members(self))
        except InvalidJSON as error:
            raise InvalidObject(f"not a commit: {error.message}", hint=error.hint) from None
        decode_commit(line)
        return line

    def _plain_line(self) -> bytes | None:
        """The canonical bytes of most commits: those whose members are not of anybody's making,
        and of the types that they would be read with."""
        if self.meta or self.guards or self.merge is not None or self.crit:
            return None
        log = self.log
        if not (  # msgspec writes other types, too
            type(self.author) is type(self.message) is type(self.time) is type(log.root) is str
            and type(self.events) is type(log.size) is type(self.format) is int
            and (self.recorded is None or self.recorded == "events")
            and self.format == FORMAT
        ):
            return None
        for parent in self.parents:
            if type(parent) is not str:
                return None
        try:
            return canonical.SORTED_ENCODER.encode(self)
        except (msgspec.MsgspecError, TypeError, UnicodeEncodeError):
            return None  # the slow way says what is wrong

    @property
    def id(self) -> str:
        """BLAKE3-256 of the canonical bytes, 64 hex digits."""
        return canonical.object_id(self.canonical())


class _AnotherKind(msgspec.Struct, tag_field="kind", tag=""):
    """Makes msgspec insist on `kind`, which it does only where there are two to choose from."""


KNOWN_MEMBERS = frozenset(Commit.__struct_fields__) | {"kind"}


def root_commit(nonce: str) -> Commit:
    """The commit that begins a repository, whose id is the repository's id.

    nonce: random text that tells repositories apart, kept in `meta`.
    """
    return Commit(
        author=ROOT_AUTHOR,
        events=0,
        log=LogHead(root=EMPTY_LOG_ROOT, size=0),
        message=ROOT_MESSAGE,
        meta={"nonce": nonce},
        parents=[],
        time=ROOT_TIME,
    )


def _members(commit: Commit) -> dict[str, Any]:
    """What the canonical form writes."""
    members = {name: getattr(commit, name) for name in commit.__struct_fields__}
    members["kind"] = "commit"
    members["log"] = {"root": commit.log.root, "size": commit.log.size}
    if commit.merge is not None:
        merge = {name: getattr(commit.merge, name) for name in commit.merge.__struct_fields__}
        members["merge"] = {name: value for name, value in merge.items() if value not in (None, [])}
    return {
        name: value
        for name, value in members.items()
        if name not in _OPTIONAL or value not in (None, {}, [])
    }


@cache
def _decoder() -> msgspec.json.Decoder[Commit | _AnotherKind]:
    return msgspec.json.Decoder(Commit | _AnotherKind)


def decode_commit(line: bytes) -> Commit:
    """The commit of a stored line.

    Raises UnsupportedFormat for a format, `crit` member, form of guard or of `recorded` that this
    build does not know, InvalidObject for anything malformed or over a limit. That the line is
    canonical is `verify_commit_line`'s business.
    """
    try:
        commit = _decoder().decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse_unknown(line)
        raise InvalidObject(f"not a commit: {error}") from None
    if not isinstance(commit, Commit):
        raise InvalidObject("not a commit")
    if commit.format != FORMAT or commit.crit:
        _refuse_unknown(line)
    _check(commit)
    return commit


def verify_commit_line(line: bytes) -> str | None:
    """What is wrong with a stored commit, or None. It must be exactly canonical.

    Raises UnsupportedFormat as `decode_commit` does.
    """
    try:
        verified_commit(line)
    except InvalidObject as error:
        return error.message
    return None


def verified_commit(line: bytes) -> Commit:
    """The commit of a line that must be exactly canonical.

    Raises as `decode_commit` does, and InvalidObject where the line is not canonical.
    """
    commit = decode_commit(line)
    try:
        members = canonical.parse(line)
        if canonical.encode(members) != line:
            raise InvalidObject("not in canonical form")
    except InvalidJSON as error:
        raise InvalidObject(error.message, hint=error.hint) from None
    if isinstance(members, dict) and (problem := _absent_not_empty(members)):
        raise InvalidObject(problem)
    return commit


def verified_commits(lines: Sequence[bytes]) -> list[Commit]:
    """The commits of many lines, each as `verified_commit` has it.

    Raises what that raises for the first line that is not as it must be.
    """
    return _plain_commits(lines) or [verified_commit(line) for line in lines]


@cache
def _plain_decoder() -> msgspec.json.Decoder[Commit]:
    return msgspec.json.Decoder(Commit)


def _plain_commits(lines: Sequence[bytes]) -> list[Commit] | None:
    """The same for commits that hold nothing of anybody's making, in a few steps for all of them.

    Such a commit is what msgspec writes of it, member for member, if it is canonical. None where
    there is any doubt.
    """
    text = b"\n".join(lines) + b"\n"
    try:
        commits = _plain_decoder().decode_lines(text)
        if canonical.SORTED_ENCODER.encode_lines(commits) != text or canonical.has_astral(text):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    ids: list[str] = []
    for commit in commits:
        log, parents = commit.log, commit.parents
        if commit.meta or commit.crit or commit.merge is not None or commit.format != FORMAT:
            return None
        ids.append(log.root)
        ids += parents
        if len(parents) != 1 or commit.guards:
            _check(commit)
        elif not (0 <= commit.events <= MAX_EVENTS and 0 <= log.size <= _MAX_SIZE):
            return None
    if set(map(len, ids)) - {64} or not _HEX_DIGITS.fullmatch("".join(ids)):
        return None
    if not instants_valid([commit.time for commit in commits]):
        return None
    return commits if len(commits) == len(lines) else None


def _absent_not_empty(members: dict[str, Any]) -> str | None:
    merge = members.get("merge") or {}
    for where, names in ((members, _OPTIONAL), (merge, ("left_out", "model", "resolved"))):
        for name in names:
            if name in where and where[name] in (None, [], {}):
                return f"{name!r} is empty, where it should be absent"
    return None


def _refuse_unknown(line: bytes) -> None:
    """Raises UnsupportedFormat if what is wrong is that the commit is newer than this build."""
    try:
        members = canonical.parse(line)
    except EvgitError as error:
        raise InvalidObject(f"not a commit: {error.message}") from None
    if not isinstance(members, dict) or members.get("kind") != "commit":
        raise InvalidObject("not a commit")
    form = members.get("format")
    if isinstance(form, int) and not isinstance(form, bool) and form != FORMAT:
        raise UnsupportedFormat(
            f"commit of format {form}, which this build can't read", hint=_UPGRADE
        )
    crit = members.get("crit", [])
    if not isinstance(crit, list) or not all(isinstance(name, str) for name in crit):
        raise InvalidObject("a commit's 'crit' must be a list of names")
    for name in crit:
        if name not in KNOWN_MEMBERS:
            raise UnsupportedFormat(
                f"commit with {name!r}, which must be understood and is not", hint=_UPGRADE
            )
    guards = members.get("guards")
    if isinstance(guards, dict) and not all(
        isinstance(guard, int) and not isinstance(guard, bool) for guard in guards.values()
    ):
        raise UnsupportedFormat("commit with a form of guard that is not known", hint=_UPGRADE)
    recorded = members.get("recorded")
    if isinstance(recorded, str) and recorded != "events":
        raise UnsupportedFormat(
            f"commit recorded as {recorded!r}, which is not known", hint=_UPGRADE
        )


def _limit(what: str, number: int, limit: int) -> None:
    if not 0 <= number <= limit:
        raise InvalidObject(f"a commit of {number:,} {what}: at most {limit:,} are allowed")


def _check(commit: Commit) -> None:
    log, parents = commit.log, commit.parents
    _limit("events", commit.events, MAX_EVENTS)
    _limit("parents", len(parents), MAX_PARENTS)
    _limit("events in its log", log.size, canonical.MAX_SAFE_INTEGER)
    _check_ids("parents", parents)
    if not _ID.fullmatch(log.root):
        _check_ids("log.root", [log.root])
    _check_time(commit.time)
    if commit.guards:
        _limit("guards", len(commit.guards), MAX_GUARDS)
        for stream, revision in commit.guards.items():
            _check_guard(stream, revision)
    if len(commit.crit) > 1 and len(set(commit.crit)) < len(commit.crit):
        raise InvalidObject("a commit's 'crit' names a member twice")
    if commit.merge is not None:
        _limit("left-out events", len(commit.merge.left_out), MAX_LEFT_OUT)
        _check_ids("merge.left_out", commit.merge.left_out)
        _check_ids("merge.model", [] if commit.merge.model is None else [commit.merge.model])
    if not parents:
        _check_root(commit)


def _check_ids(member: str, ids: list[str]) -> None:
    for value in ids:
        if not _ID.fullmatch(value):
            raise InvalidObject(f"a commit's {member!r} holds {value[:80]!r}, not 64 hex digits")
    if len(ids) > 1 and len(set(ids)) < len(ids):
        raise InvalidObject(f"a commit's {member!r} names one thing twice")


def _check_time(time: str) -> None:
    try:
        to_instant(time)
    except InvalidTime as error:
        raise InvalidObject(f"a commit's time: {error.message}") from None


def _check_guard(stream: str, revision: int) -> None:
    try:
        check_stream_name(stream, appending=False, reserved=True)
    except InvalidName as error:
        raise InvalidObject(f"a commit's guard: {error.message}") from None
    if not -1 <= revision <= canonical.MAX_SAFE_INTEGER:
        raise InvalidObject(f"a commit's guard of {stream!r} is {revision}, not a revision")


def _check_root(commit: Commit) -> None:
    """A commit without parents is a root commit, and nothing but one."""
    nonce = commit.meta.get("nonce")
    if (
        commit.events
        or commit.guards
        or commit.merge is not None
        or commit.recorded is not None
        or commit.log != LogHead(root=EMPTY_LOG_ROOT, size=0)
        or commit.time != ROOT_TIME
        or not isinstance(nonce, str)
        or not nonce
    ):
        raise InvalidObject("a commit without parents that is not a root commit")
