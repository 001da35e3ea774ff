"""Names: which streams, event types, branches and refs may be called what.

Rules only. Whether a name exists, or two names get in each other's way, is known above.
"""

from __future__ import annotations

import re
import unicodedata

from evgit.errors import InvalidName

MAX_NAME_BYTES = 240
"""Longest stream name, event type or branch name, in bytes of UTF-8."""
MAX_REF_BYTES = 1024
"""Longest full ref name: a stream ref percent-encodes its stream."""
STREAM_REFS = "refs/streams/"

_ORDINARY = re.compile(r"[A-Za-z0-9_-]{1,240}")
# The others are compiled when they are used first: it takes longer than many a command.
_CONTROL = r"[\x00-\x1f\x7f-\x9f]"  # Unicode category Cc, none of it printable
_REVISION_SUFFIX = r"@[0-9]+\Z"
_PSEUDO_REF = r"[A-Z][A-Z_]*"
_REF_FORBIDDEN = r"[\x00-\x20\x7f-\x9f~^:?*\[\\#@]"
# A dot stays as it is where it is single and neither begins nor ends the component, nor turns it
# into a lock file's name: so what results is always a valid component of a ref.
_STREAM_ESCAPED = r"[^A-Za-z0-9_.-]|^\.|\.(?=\.)|(?<=\.)\.|\.$|\.(?=lock$)"
_ESCAPED = rb"%([0-9A-F]{2})"


def _check_text(what: str, name: str) -> None:
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidName(f"{what} {name!r} holds a lone surrogate") from None
    if not 1 <= size <= MAX_NAME_BYTES:
        raise InvalidName(
            f"{what} {name!r} is empty"
            if not size
            else f"{what} {name[:40]!r}… is {size} bytes long, at most {MAX_NAME_BYTES} are allowed"
        )
    if not name.isprintable() and re.search(_CONTROL, name):
        raise InvalidName(f"{what} {name!r} holds a control character")


def check_stream_name(name: str, *, appending: bool = True, reserved: bool = False) -> None:
    """Raises InvalidName unless `name` may name a stream.

    appending: also require NFC, which reading never does. reserved: allow a leading `$`.
    """
    if _ORDINARY.fullmatch(name):
        return
    _check_text("stream name", name)
    if any(component in ("", ".", "..") for component in name.split("/")):
        raise InvalidName(f"stream name {name!r} has an empty, '.' or '..' component")
    if name.startswith("$") and not reserved:
        raise InvalidName(f"stream name {name!r} is reserved: it begins with '$'")
    if re.search(_REVISION_SUFFIX, name):
        raise InvalidName(
            f"stream name {name!r} ends in '@' and digits",
            hint="that is how a revision of a stream is written",
        )
    if appending and not unicodedata.is_normalized("NFC", name):
        raise InvalidName(
            f"stream name {name!r} is not in Unicode normal form C",
            hint=f"use {unicodedata.normalize('NFC', name)!r}, which looks the same",
        )


def check_event_type(name: str) -> None:
    """Raises InvalidName unless `name` may be an event type: no control characters, no space."""
    _check_text("event type", name)
    if any(character.isspace() for character in name):
        raise InvalidName(f"event type {name!r} holds white space")


def category(stream: str) -> str:
    """What stands before the first `-` of a stream's name; the whole name if there is none."""
    return stream.partition("-")[0]


def _check_ref(what: str, name: str, limit: int) -> None:
    """The rules of git-check-ref-format(1), and no `#` nor `@`."""

    def refuse(reason: str) -> InvalidName:
        return InvalidName(f"{what} {name!r} {reason}")

    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise refuse("holds a lone surrogate") from None
    if not name:
        raise refuse("is empty")
    if size > limit:
        raise InvalidName(f"{what} {name[:40]!r}… is longer than {limit} bytes")
    forbidden = re.search(_REF_FORBIDDEN, name)
    if forbidden:
        raise refuse(f"holds {forbidden[0]!r}")
    if ".." in name:
        raise refuse("holds '..'")
    if name.endswith("."):
        raise refuse("ends in '.'")
    for component in name.split("/"):
        if not component:
            raise refuse("begins or ends with '/', or holds '//'")
        if component.startswith("."):
            raise refuse("has a component that begins with '.'")
        if component.endswith(".lock"):
            raise refuse("has a component that ends in '.lock'")


def check_ref_name(name: str) -> None:
    """Raises InvalidName unless `name` is a full ref name, such as refs/heads/main or HEAD."""
    _check_ref("ref name", name, MAX_REF_BYTES)
    if "/" not in name and not re.fullmatch(_PSEUDO_REF, name):
        raise InvalidName(f"ref name {name!r} has no '/'", hint=f"refs/heads/{name}?")


def check_branch_name(name: str, kind: str = "branch") -> None:
    """Raises InvalidName unless `name` may name a branch or a tag (without refs/heads/).

    `kind`: what it is to name, for the error's words.
    """
    _check_ref(f"{kind} name", name, MAX_NAME_BYTES)
    if name.startswith("-"):
        raise InvalidName(f"{kind} name {name!r} begins with '-'")
    if name == "HEAD":
        raise InvalidName(f"a {kind} can't be called HEAD")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8"))


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode("ascii"))


def stream_ref(branch: str, stream: str) -> str:
    """`refs/streams/<branch>/<stream>`, the stream percent-encoded into one component."""
    return f"{STREAM_REFS}{branch}/{re.sub(_STREAM_ESCAPED, _escape, stream)}"


def parse_stream_ref(ref: str) -> tuple[str, str]:
    """(branch, stream) of a stream ref. Raises InvalidName unless `stream_ref` would give it."""
    branch, slash, encoded = ref.removeprefix(STREAM_REFS).rpartition("/")
    if ref.startswith(STREAM_REFS) and branch and slash and encoded:
        try:
            stream = re.sub(_ESCAPED, _unescape, encoded.encode("utf-8")).decode("utf-8")
        except UnicodeError:
            stream = ""
        if stream and stream_ref(branch, stream) == ref:
            return branch, stream
    raise InvalidName(
        f"{ref!r} is not the ref of a stream",
        hint=f"it is written {STREAM_REFS}<branch>/<stream>, the stream percent-encoded but for "
        "letters, digits, '_', '-' and single dots",
    )


# Verbs that begin the names of commands, with their past participles. Words that are as often
# nouns (order, transfer, charge, report) are left out: a missed hint is better than a wrong one.
# fmt: off
_PARTICIPLES = {
    "accept": "accepted", "activate": "activated", "add": "added", "adjust": "adjusted",
    "apply": "applied", "approve": "approved", "archive": "archived", "assign": "assigned",
    "authorize": "authorized", "begin": "begun", "buy": "bought", "cancel": "canceled",
    "capture": "captured", "change": "changed", "close": "closed", "complete": "completed",
    "confirm": "confirmed", "create": "created", "deactivate": "deactivated", "debit": "debited",
    "decline": "declined", "delete": "deleted", "deliver": "delivered", "deposit": "deposited",
    "disable": "disabled", "dispatch": "dispatched", "do": "done", "enable": "enabled",
    "execute": "executed", "finish": "finished", "give": "given", "grant": "granted",
    "import": "imported", "issue": "issued", "join": "joined", "leave": "left", "make": "made",
    "mark": "marked", "merge": "merged", "modify": "modified", "move": "moved", "open": "opened",
    "pay": "paid", "place": "placed", "process": "processed", "publish": "published", "put": "put",
    "receive": "received", "refund": "refunded", "register": "registered", "reject": "rejected",
    "release": "released", "remove": "removed", "rename": "renamed", "request": "requested",
    "reserve": "reserved", "resolve": "resolved", "revoke": "revoked", "sell": "sold",
    "send": "sent", "set": "set", "ship": "shipped", "start": "started", "stop": "stopped",
    "submit": "submitted", "suspend": "suspended", "take": "taken", "update": "updated",
    "upload": "uploaded", "verify": "verified", "withdraw": "withdrawn", "write": "written",
}
# fmt: on
_PAST_WORDS = frozenset(_PARTICIPLES.values()) - {"put", "set", "left"}
_WORDS = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+"


def looks_like_command(event_type: str) -> str | None:
    """A past-tense name for a type that reads as a command (`place_order`: `order_placed`).

    None where it does not, or where that can't be told: a list of verbs, no grammar.
    """
    prefix, dot, last = event_type.rpartition(".")
    words = re.findall(_WORDS, last)
    lowered = [word.lower() for word in words]
    if not lowered or lowered[0] not in _PARTICIPLES:
        return None
    if any(word in _PAST_WORDS or word.endswith("ed") for word in lowered):
        return None
    participle = _PARTICIPLES[lowered[0]]
    if words[0][0].isupper():
        participle = participle.capitalize()
        words[1:] = [word[0].upper() + word[1:] for word in words[1:]]
    separator = next((mark for mark in "_-" if mark in last), "")
    if separator == "" and words[0][0].islower() and len(words) > 1:  # placeOrder: orderPlaced
        words[1] = words[1][0].lower() + words[1][1:]
        participle = participle.capitalize()
    suggestion = separator.join([*words[1:], participle])
    return None if suggestion == last else f"{prefix}{dot}{suggestion}"
