"""What two repositories say to each other, as JSON: one request, one reply, each maybe with a body.

The same messages go over every transport. A body is a transfer (`formats.transfer`), or a blob's
bytes. This module must not know how either side answers, or how messages are carried.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from evgit import errors
from evgit.errors import EvgitError, InvalidObject, UnsupportedFormat

PROTOCOL = 1
MAX_MESSAGE_BYTES = 4 << 20
MAX_IDS = 4096  # in one message


class Request(msgspec.Struct, tag_field="do"):
    """Base of all requests."""


class RefsRequest(Request, tag="refs"):
    """Ask for refs, and which of some commits are stored there."""

    ids: list[str] = []


class FetchRequest(Request, tag="fetch"):
    """Ask for what is new under some refs.

    `refs`: full names, or prefixes that end with `/`. `have`: commits that are stored here.
    `settled`: send now, whatever is known of them; else the other side may ask for more first.
    `boundaries`: commits behind which a shallow repository has nothing. `depth`: send only so many
    commits of each branch, along first parents; `more`: so many before the boundaries; `all`:
    everything behind them.
    """

    refs: list[str]
    have: list[str] = []
    settled: bool = False
    boundaries: list[str] = []
    depth: int = 0
    more: int = 0
    all: bool = False


class Update(msgspec.Struct):
    """One ref's move. `old` None: it is not there; `new` None: delete it."""

    ref: str
    old: str | None
    new: str | None
    force: bool = False


class PushRequest(Request, tag="push"):
    """Move refs, all or none; the body brings what they need."""

    updates: list[Update]


class BlobsRequest(Request, tag="blobs"):
    """Ask which of some blobs are missing there."""

    ids: list[str]


class GetBlobRequest(Request, tag="get-blob"):
    """Ask for a blob's bytes from an offset on."""

    id: str
    offset: int = 0


class PutBlobRequest(Request, tag="put-blob"):
    """Send a blob of `size` bytes: the body is its bytes from `offset` on."""

    id: str
    size: int
    offset: int = 0


class Reply(msgspec.Struct):
    """Base of all replies."""


class RefsReply(Reply):
    """`repository`: id of the root commit, `root`: its line. `head`: the ref that HEAD names.

    `refs`: {full name: target}. `known`: those of the ids asked for that are stored. `boundaries`:
    commits behind which a shallow repository has nothing.
    """

    repository: str
    root: str
    head: str | None
    refs: dict[str, str]
    known: list[str] = []
    boundaries: list[str] = []
    protocol: int = PROTOCOL


class FetchReply(Reply):
    """As RefsReply, for the refs asked for. `more`: nothing is sent yet, say more of what is known.

    `commits` and `events`: how many the body brings. `boundaries`: how many boundaries it brings
    before them.
    """

    repository: str
    head: str | None
    refs: dict[str, str]
    known: list[str] = []
    more: bool = False
    commits: int = 0
    events: int = 0
    boundaries: int = 0
    protocol: int = PROTOCOL


class PushReply(Reply):
    """`refs`: where the refs asked for are now; None: deleted."""

    refs: dict[str, str | None]
    commits: int = 0
    events: int = 0


class BlobsReply(Reply):
    """`missing`: the blobs asked for that are not stored, with how many bytes of each are."""

    missing: dict[str, int]


class BlobReply(Reply):
    """`size`: of the whole blob, in bytes."""

    size: int


class ErrorReply(Reply):
    """Why not. `error`: name of the exception's class."""

    error: str
    message: str
    hint: str = ""


AnyRequest = (
    RefsRequest | FetchRequest | PushRequest | BlobsRequest | GetBlobRequest | PutBlobRequest
)
R = TypeVar("R", bound=Reply)

_LISTS = ("ids", "have", "refs", "updates", "boundaries")
_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(AnyRequest).decode


def encode(message: Request | Reply) -> bytes:
    """A message as one line, without the newline."""
    return _encode(message)


def decode_request(line: bytes) -> AnyRequest:
    """A request. Raises InvalidObject for what is none, or is too long."""
    if len(line) > MAX_MESSAGE_BYTES:
        raise InvalidObject(f"a request of more than {MAX_MESSAGE_BYTES:,} bytes")
    try:
        request: AnyRequest = _decode_request(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidObject(f"not a request that this evgit knows: {error}") from None
    for ids in (getattr(request, name, []) for name in _LISTS):
        if len(ids) > MAX_IDS:
            raise InvalidObject(f"a request with more than {MAX_IDS:,} ids")
    return request


def decode_reply(line: bytes, kind: type[R]) -> R:
    """A reply of the expected kind. Raises what an error reply says."""
    if len(line) > MAX_MESSAGE_BYTES * 16:
        raise InvalidObject("a reply that is too long")
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _told(line) or InvalidObject(
            f"the other side's reply makes no sense: {error}",
            hint="is this the address of an evgit repository?",
        ) from None


def error_reply(error: EvgitError) -> ErrorReply:
    """An error, to be raised again on the other side."""
    return ErrorReply(type(error).__name__, error.message, error.hint)


def _told(line: bytes) -> EvgitError | None:
    try:
        reply = msgspec.json.decode(line, type=ErrorReply)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return remote_error(reply)


def remote_error(reply: ErrorReply) -> EvgitError:
    """The exception that an error reply stands for."""
    found = getattr(errors, reply.error, None)
    kind = found if isinstance(found, type) and issubclass(found, EvgitError) else EvgitError
    try:
        return kind(printable(reply.message), hint=printable(reply.hint))
    except TypeError:  # one with a form of its own
        return EvgitError(printable(reply.message), hint=printable(reply.hint))


def printable(text: str) -> str:
    """What another side says, without what would play with a terminal, and not for ever."""
    return "".join(c if c.isprintable() else "?" for c in text[:2000])


def check_protocol(protocol: int) -> None:
    """Raises UnsupportedFormat where the other side speaks a protocol that is not known here."""
    if protocol != PROTOCOL:
        raise UnsupportedFormat(
            f"the other side speaks protocol {protocol}, this evgit {PROTOCOL}",
            hint="use the same version of evgit on both sides",
        )


def check_commit_id(text: str) -> str:
    """A full id. Raises InvalidObject."""
    if len(text) != 64 or not all(c in "0123456789abcdef" for c in text):
        raise InvalidObject(f"{text[:80]!r} is not the id of an object")
    return text
