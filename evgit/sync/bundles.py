"""Bundles: a part of a repository in one file, which is a pack with refs.

What is written is what a server would send to somebody who has the prerequisites, with the blobs
that its events list. This module must not know terminals, nor how a bundle is fetched from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from evgit.errors import (
    AlreadyExists,
    DamagedObject,
    InvalidInput,
    InvalidObject,
    UnsupportedFormat,
    UsageError,
)
from evgit.formats.again import again_id, is_again
from evgit.formats.canonical import object_id
from evgit.formats.names import check_ref_name
from evgit.formats.pack import PackHead
from evgit.formats.pack_writing import PackWriter
from evgit.formats.transfer import ReceivedBlock, encode_transfer, received_blocks
from evgit.history.commit_row import CommitRow
from evgit.history.first_commit import write_first_commit
from evgit.storage.files import replacing
from evgit.storage.layout import Layout
from evgit.storage.places import file_place
from evgit.storage.refs import SYMBOLIC
from evgit.sync.bundle_file import BundleFile
from evgit.sync.messages import check_commit_id
from evgit.sync.outgoing import WRITTEN_HINT, Outgoing, blobs_in, outgoing, texts
from evgit.sync.quarantine import Limits, Progress
from evgit.sync.store import SHARED, Store

_AT_ONCE = 4096
BRANCHES = "refs/heads/"


@dataclass(slots=True)
class Bundle:
    """What a bundle holds. `refs`: {full name: target}, HEAD among them; `requires`: ids of commits
    that it builds on, `missing`: those of them that are not here; sizes in bytes."""

    repository: str
    refs: dict[str, str]
    requires: list[str]
    blobs: dict[str, int]
    commits: int = 0
    events: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)


def create_bundle(
    store: Store,
    path: Path,
    refs: dict[str, str],
    without: Sequence[str] = (),
    progress: Progress | None = None,
) -> Bundle:
    """Write refs, and all that they lead to and the commits `without` don't, into a file.

    `refs`: {full name: target}; HEAD may be among them. The file takes its place when it is whole,
    also that of a bundle. Raises UsageError where there is nothing to write, and for what can be no
    file; AlreadyExists for a file that is no bundle.
    """
    place = file_place(path)
    if place.exists() and not _is_bundle(place):
        raise AlreadyExists(
            f"{path} exists already, and is no bundle",
            hint="choose another name, or remove it first",
        )
    lines: dict[bytes, None] = {}
    wanted: list[CommitRow] = []
    for name, target in refs.items():
        if target.startswith(SYMBOLIC):
            continue
        tags, row = store.behind(target)
        lines.update(dict.fromkeys(tags))
        if row is None:
            raise UsageError(f"{name} leads to no commit, so it can't be put into a bundle")
        wanted.append(row)
    sent = outgoing(
        store.history, wanted, [store.history.graph.get(i) for i in without], WRITTEN_HINT
    )
    branches = any(name.startswith(BRANCHES) for name in refs)
    if not sent.commits and (branches or not lines):
        raise UsageError(
            "there is nothing to put into a bundle: whoever has what is left out has all of it",
            hint="leave out less: what stands before `..` or behind `^`",
        )
    head = PackHead(store.repository, refs, ends(store, sent, wanted)[0], blobs_of(store, sent))
    done = Bundle(head.repository, head.refs, head.requires, head.blobs)
    with replacing(place) as file:
        writer = PackWriter(file.write, head)
        for block in blocks_of(store, sent):
            writer.add_block(block.lines, block.commit_line)
            done.commits += 1
            done.events += len(block.lines)
            if progress:
                progress(done.events, sent.events)
        for line in lines:
            writer.add_object(line)
        for blob_id in sorted(head.blobs):
            writer.add_blob(store.blobs.chunks(blob_id))
        done.bytes = writer.finish().bytes
    return done


def _is_bundle(path: Path) -> bool:
    """Is it what `create_bundle` makes? The packs of a repository have the same form, no refs."""
    try:
        return bool(read_bundle(path).refs)
    except (InvalidInput, UnsupportedFormat):
        return False


def blocks_of(store: Store, sent: Outgoing) -> Iterator[ReceivedBlock]:
    """The blocks to send, line by line."""
    split = (text.split(b"\n")[:-1] for text in texts(store.history, sent))
    for found in received_blocks(split):
        assert not isinstance(found, bytes)
        yield found


def ends(
    store: Store, sent: Outgoing, wanted: Sequence[CommitRow] = ()
) -> tuple[list[str], list[str]]:
    """(ids of commits that are not sent and that those sent, or `wanted`, need at once; ids of
    those sent that none of them builds on)."""
    numbers = {first for first, _ in sent.ranges}
    parents = {row.number for row in wanted}
    built_on: set[int] = set()
    lowest, below = min(numbers, default=0), max(numbers, default=-1) + 1
    while below > lowest:
        rows = store.history.graph.up_to(below - 1, _AT_ONCE)
        if not rows:
            break
        for row in rows:
            below = row.number
            if row.number in numbers:
                built_on.update(row.parents)
    id_of = store.history.graph.by_number
    return (
        sorted(id_of(number).hex for number in (parents | built_on) - numbers),
        [id_of(number).hex for number in sorted(numbers - built_on)],
    )


def blobs_of(store: Store, sent: Outgoing) -> dict[str, int]:
    """{id: size} of all blobs that the events to be sent list."""
    found: dict[str, int] = {}
    for blob_id, size in blobs_in(texts(store.history, sent)):
        if blob_id not in found and store.blobs.size(blob_id) is None:
            raise DamagedObject(
                f"blob {blob_id}, which an event lists, is not here",
                ids=[blob_id],
                hint="`evgit fetch` from where it is, or store it again: evgit hash-object",
            )
        found[blob_id] = size
    return found


# ---------------------------------------------------------------------------- looking at one


def read_bundle(path: Path) -> Bundle:
    """What a bundle says of itself. Raises InvalidObject for a file that is none."""
    file = BundleFile(path)
    try:
        (part,) = file.parts()
        head = file.head
        size = path.stat().st_size
        return Bundle(
            head.repository, head.refs, head.requires, head.blobs, part.commits, part.events, size
        )
    finally:
        file.close()


def verify_bundle(
    path: Path, here: Store | None, now: Callable[[], int], progress: Progress | None = None
) -> Bundle:
    """Check a bundle as if it were fetched from, and keep nothing.

    `here`: the repository that has what it builds on, if there is one. Where something is missing,
    only form is checked, and `missing` says so. Raises InvalidObject and other InvalidInput.
    """
    done = read_bundle(path)
    if here is not None and here.repository != done.repository:
        here = None
    if here is not None:
        done.missing = [commit for commit in done.requires if not here.knows(commit)]
    else:
        done.missing = done.requires
    _check_refs(done)
    file = BundleFile(path)
    try:
        read = file.texts()
        if done.missing:
            for _ in received_blocks(text.split(b"\n")[:-1] for text in read):
                pass
        elif done.requires and here is not None:
            _receive(here, _agreeing(here, read), done, progress)
        else:
            root = file.root().encode()
            with TemporaryDirectory(prefix="evgit-verify-") as directory:
                layout = Layout.at(Path(directory), bare=True)
                write_first_commit(
                    layout.database, "main", actor="evgit", now=now(), root_line=root
                )
                store = Store.open(layout, "evgit", now)
                try:
                    _receive(store, read, done, progress)
                finally:
                    store.close()
    finally:
        file.close()
    return done


def _check_refs(found: Bundle) -> None:
    for name, target in found.refs.items():
        check_ref_name(name)
        if name != "HEAD":
            check_commit_id(target)


class _KeepNothing(Exception):
    """All is well, and nothing is to stay."""


def _receive(store: Store, read: Iterable[bytes], found: Bundle, progress: Progress | None) -> None:
    def report(_: int, events: int) -> None:
        if progress:
            progress(events, found.events)

    try:
        with store.arriving(encode_transfer(read), Limits(), report) as received:
            for blob_id in received.blobs:
                if blob_id not in found.blobs:
                    raise InvalidObject(f"blob {blob_id}, which an event lists, is not in it")
            for name, target in found.refs.items():
                if name.startswith(SHARED) and store.behind(target)[1] is None:
                    raise InvalidObject(f"{name} leads to {target}, which is not in it")
            raise _KeepNothing
    except _KeepNothing:
        pass


def _agreeing(store: Store, read: Iterable[bytes]) -> Iterator[bytes]:
    """The same text. Raises InvalidObject where it has other events for a commit that is here."""
    for found in received_blocks(text.split(b"\n")[:-1] for text in read):
        if isinstance(found, bytes):
            yield found + b"\n"
            continue
        row = store.row(object_id(found.commit_line))
        if row is not None:
            stored = store.history.blocks.lines(row.number, row.events + 1)[:-1]
            if _ids(stored) != _ids(found.lines):
                raise InvalidObject(f"commit {row.hex} has other events there than here")
        yield b"\n".join([*found.lines, found.commit_line, b""])


def _ids(lines: list[bytes]) -> list[str]:
    return [again_id(line) if is_again(line) else object_id(line) for line in lines]
