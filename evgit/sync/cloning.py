"""The beginning of a clone: whether it may go where it is to go, and the root commit.

It must not know how the rest of history is fetched.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from evgit.errors import AlreadyExists, InvalidObject
from evgit.storage.config import Config
from evgit.storage.layout import Layout
from evgit.sync.messages import RefsReply, RefsRequest, check_protocol
from evgit.sync.transport import ask
from evgit.sync.transports.address import parse_address
from evgit.sync.transports.connecting import Connecting, connect


def begin_clone(address: str, using: Connecting) -> RefsReply:
    """What the repository at an address has. Raises InvalidObject where only a part of a history
    is there, without the root commit."""
    found = refs_at(address, using)
    if not found.root:
        raise InvalidObject(
            f"{address} holds only a part of a history, which builds on commits that it lacks",
            hint="clone the repository that it was made from, and fetch from it there",
        )
    return found


def refs_at(address: str, using: Connecting) -> RefsReply:
    """What refs the repository at an address has now."""
    transport = connect(address, using)
    try:
        reply, _ = ask(transport, RefsRequest(), RefsReply)
        check_protocol(reply.protocol)
        return reply
    finally:
        transport.close()


def refuse_taken(layout: Layout, address: str) -> bool:
    """Has a clone of this address been begun here, and not finished?

    Raises AlreadyExists where something else is.
    """
    if layout.database.exists():
        url = Config(layout.config).get("remote.origin.url")
        if url in (None, address) and layout.unfinished.exists():
            return True
        unwritten = url == address and layout.worktree and not layout.shown.exists()
        raise AlreadyExists(
            f"{layout.directory} is an evgit repository already",
            hint="all of its history has come, and no files were written: go there and "
            "`evgit checkout`"
            if unwritten
            else "go there and `evgit fetch`, or name another directory",
        )
    place = layout.worktree or layout.directory
    if place.exists() and not _is_as_good_as_empty(place, layout):
        raise AlreadyExists(
            f"{place} exists already, and is not empty", hint="name a new or empty directory"
        )
    return False


def _is_as_good_as_empty(place: Path, layout: Layout) -> bool:
    """Is nothing in a directory but what a clone leaves that was killed in its first moments?"""
    if not place.is_dir():
        return False
    if place == layout.directory:
        return layout.holds_only_a_beginning()
    inside = list(place.iterdir())
    return not inside or (inside == [layout.directory] and layout.holds_only_a_beginning())


def remove_unfinished(layout: Layout) -> None:
    """Remove a clone that came to nothing, with the directory it was to stand in if empty."""
    if layout.unfinished.exists():
        from shutil import rmtree

        rmtree(layout.directory, ignore_errors=True)
        if layout.worktree is not None:
            with suppress(OSError):
                layout.worktree.rmdir()


def whole_address(address: str) -> str:
    """An address that means the same wherever it is read: a path is made absolute. Raises
    UsageError for what is no address."""
    found = parse_address(address)
    if found.kind != "local" or "://" in address:
        return address
    return str(Path(found.path).expanduser().absolute())


def directory_of(address: str) -> str:
    """The name of the directory that a clone of this address goes into, if none is given."""
    found = parse_address(address)
    words = (found.path or found.url).rstrip("/").split("/")
    if words[-1] == ".evgit":
        words.pop()
    name = words[-1]
    for suffix in (".evgit", ".evpack", ".bundle"):
        name = name.removesuffix(suffix)
    return name or "clone"
