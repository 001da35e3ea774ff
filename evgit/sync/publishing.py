"""Publishing: everything that branches and tags lead to, as files that any web server can give.

    evgit.json          which packs there are, and what the refs are at
    packs/NAME.evpack   blocks, each pack building on those before it in the list
    blobs/xx/…          the blobs that events list

The list takes its place last, so that who reads has the old whole or the new whole; what only the
old one names stays until the next time. This module must not know who reads, nor how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evgit.errors import Conflict, UsageError
from evgit.formats.canonical import object_id
from evgit.formats.pack import FULL_LINES, PackHead
from evgit.formats.pack_writing import PackWriter
from evgit.formats.published_list import (
    FILE_NAME,
    PublishedList,
    PublishedPack,
    decode_list,
    encode_list,
)
from evgit.history.commit_row import CommitRow
from evgit.history.newer import refuse_newer
from evgit.storage import files
from evgit.storage.copy_directory import PARTIAL, CopyDirectory, is_there
from evgit.storage.places import outside
from evgit.storage.refs import SYMBOLIC
from evgit.sync.bundles import blobs_of, blocks_of, ends
from evgit.sync.outgoing import WRITTEN_HINT, Outgoing, outgoing
from evgit.sync.quarantine import Progress
from evgit.sync.store import Store

SMALL_PACKS = 32
MERGE_RATIO = 4
"""Where there are so many packs, one is written anew with what follows it if that is at least a
quarter as long: few files to get, and each line is written a few times at most."""


@dataclass(slots=True)
class Published:
    """What publishing did. `packs`: how many there are now; `bytes`: of all of them."""

    packs: int = 0
    packs_written: int = 0
    packs_removed: int = 0
    commits: int = 0
    events: int = 0
    blobs: int = 0
    bytes: int = 0


def publish(
    store: Store,
    directory: Path,
    *,
    anew: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> Published:
    """Publish all that branches and tags lead to, writing only what was not there before.

    `anew`: write everything; `force`: also where branches are at commits that this repository
    lacks. `step` is called with the name of what was done: for tests that
    interrupt there. `commits`, `events` and `blobs` count what was written. Raises UsageError for a
    directory that holds other things, Conflict for that of another repository, Locked.
    """
    if outside(directory).exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory", hint="name a new or empty directory")
    copy = CopyDirectory(directory, FILE_NAME)
    busy = f"another process is publishing into {directory}"
    with files.translate_errors(directory), copy.locked(busy):
        return _Publishing(store, copy, progress, step).run(anew, force)


class _Publishing:
    def __init__(
        self,
        store: Store,
        copy: CopyDirectory,
        progress: Progress | None,
        step: Callable[[str], None],
    ) -> None:
        self._store = store
        self._copy = copy
        self._progress = progress
        self._step = step
        self._total = 0
        self.done = Published()

    def run(self, anew: bool, force: bool) -> Published:
        store, done = self._store, self.done
        before = self._before(force)
        refs = store.shared_refs()
        wanted, tags = self._targets(refs)
        head = store.head_ref()
        if head in refs:
            refs["HEAD"] = SYMBOLIC + str(head)
        packs = [] if anew or before is None else self._still_good(before.packs)
        packs, sent, tags = self._to_write(packs, wanted, tags)
        self._total = sent.events
        self._copy.packs.mkdir(exist_ok=True)
        for chunk in _chunks(sent):
            last = chunk.ranges[-1:] == sent.ranges[-1:]
            packs.append(self._write(chunk, tags if last else {}))
        if tags and not sent.ranges:
            packs.append(self._write(sent, tags))
        files.sync_directory(self._copy.packs)
        self._step("packs")
        blobs = self._write_blobs(sent)
        self._step("blobs")
        root = store.history.commit_line(store.history.graph.get(store.repository))
        found = PublishedList(packs, refs, store.repository, root.decode(), gone=self._not_needed())
        self._copy.write_list(encode_list(found))
        self._step("list")
        self._clear_away(before, found)
        done.blobs = blobs
        done.packs, done.bytes = len(packs), sum(pack.bytes for pack in packs)
        return done

    # ------------------------------------------------------------------ what to write
    def _before(self, force: bool) -> PublishedList | None:
        if not self._copy.list.exists():
            return None
        found = decode_list(self._copy.list.read_bytes())
        if found.repository != self._store.repository:
            raise Conflict(
                f"{self._copy.path} is of another repository, {found.repository[:12]}",
                hint="name another directory, or remove that one first",
            )
        if not force:
            heads = {n: t for n, t in found.refs.items() if n.startswith("refs/heads/")}
            refuse_newer(self._store.history, heads, f"the published directory {self._copy.path}")
        return found

    def _targets(self, refs: dict[str, str]) -> tuple[list[CommitRow], dict[str, bytes]]:
        wanted: list[CommitRow] = []
        tags: dict[str, bytes] = {}
        for target in refs.values():
            lines, row = self._store.behind(target)
            tags.update({object_id(line): line for line in lines})
            if row is not None:
                wanted.append(row)
        return wanted, tags

    def _still_good(self, packs: Sequence[PublishedPack]) -> list[PublishedPack]:
        """Those at the beginning that are there, and whose commits are all stored here."""
        found: list[PublishedPack] = []
        for pack in packs:
            there = is_there(self._copy.pack(pack.name), pack.bytes)
            if not there or not all(map(self._store.knows, pack.tips)):
                break
            found.append(pack)
        return found

    def _to_write(
        self, packs: list[PublishedPack], wanted: list[CommitRow], tags: dict[str, bytes]
    ) -> tuple[list[PublishedPack], Outgoing, dict[str, bytes]]:
        """(packs that stay, what goes into new ones). Small packs at the end are written anew when
        there are too many."""
        sent, lacking = self._lacking(packs, wanted, tags)
        lines = sent.commits + sent.events
        if len(packs) < SMALL_PACKS or not (lines or lacking):
            return packs, sent, lacking
        packs = list(packs)
        while packs and packs[-1].lines < FULL_LINES and packs[-1].lines <= MERGE_RATIO * lines:
            lines += packs.pop().lines
        return packs, *self._lacking(packs, wanted, tags)

    def _lacking(
        self, packs: list[PublishedPack], wanted: list[CommitRow], tags: dict[str, bytes]
    ) -> tuple[Outgoing, dict[str, bytes]]:
        tips = {tip for pack in packs for tip in pack.tips}
        sent = outgoing(self._store.history, wanted, self._store.rows(sorted(tips)), WRITTEN_HINT)
        return sent, {tag: line for tag, line in tags.items() if tag not in tips}

    # ------------------------------------------------------------------ writing
    def _write(self, sent: Outgoing, tags: dict[str, bytes]) -> PublishedPack:
        store, done = self._store, self.done
        requires, tips = ends(store, sent)

        def fill(writer: PackWriter) -> None:
            for block in blocks_of(store, sent):
                writer.add_block(block.lines, block.commit_line)
                done.commits += 1
                done.events += len(block.lines)
                if self._progress:
                    self._progress(done.events, self._total)
            for line in tags.values():
                writer.add_object(line)

        written = self._copy.write_pack(PackHead(store.repository, requires=requires), fill)
        done.packs_written += 1
        return PublishedPack(
            bytes=written.bytes,
            commits=written.commits,
            events=written.events,
            name=written.name,
            tips=[*tips, *tags],
        )

    def _write_blobs(self, sent: Outgoing) -> int:
        blobs = blobs_of(self._store, sent)
        return sum(self._copy.write_blob(self._store.blobs, *blob) for blob in blobs.items())

    # ------------------------------------------------------------------ clearing away
    def _not_needed(self) -> list[str]:
        """Blobs there that the repository has no more."""
        there = (path.parent.name + path.name for path in self._copy.path.glob("blobs/??/*"))
        named = (
            name for name in there if len(name) == 64 and not set(name) - set("0123456789abcdef")
        )
        return sorted(name for name in named if self._store.blobs.size(name) is None)

    def _clear_away(self, before: PublishedList | None, now: PublishedList) -> None:
        copy = self._copy
        kept = {copy.pack(pack.name) for found in (before, now) if found for pack in found.packs}
        for path in copy.packs.iterdir():
            if path not in kept and (path.suffix == ".evpack" or path.name.startswith(PARTIAL)):
                path.unlink()
                self.done.packs_removed += path.suffix == ".evpack"
        copy.remove_partial_lists()
        for path in copy.path.glob("blobs/??/.*.partial"):
            path.unlink()
        for blob_id in set(before.gone if before else []) & set(now.gone):
            copy.blob(blob_id).unlink(missing_ok=True)


def _chunks(sent: Outgoing) -> Iterator[Outgoing]:
    """What is sent, cut behind the blocks that fill a pack."""
    ranges: list[tuple[int, int]] = []
    lines = 0
    for first, count in sent.ranges:
        ranges.append((first, count))
        lines += count
        if lines >= FULL_LINES:
            yield Outgoing(ranges, sent.special, lines - len(ranges))
            ranges, lines = [], 0
    if ranges:
        yield Outgoing(ranges, sent.special, lines - len(ranges))
