"""What has to be done so that the files show a state: decided for all before anything is touched.

It looks at files and changes none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from evgit.formats.hashing import blake3_digest
from evgit.state.forest import Trees, differences
from evgit.state.state import State
from evgit.storage.cache import IndexedFile
from evgit.worktree.directory import Blocked, Directory
from evgit.worktree.index import Found, Index
from evgit.worktree.naming import Namer
from evgit.worktree.paths import reason_against
from evgit.worktree.report import Renamed, Skipped


def content_of(path: str, document: bytes) -> bytes:
    """The file for a document: its JSON indented by 2, keys in canonical order, and a newline; of a
    text whose path says that it is one, the text itself."""
    if path.endswith(TEXTS) and document[:1] == b'"':
        return msgspec.json.decode(document, type=str).encode()
    return msgspec.json.format(document, indent=2) + b"\n"


TEXTS = (".md", ".csv", ".txt")
"""Suffixes of documents that are texts, and whose files hold just that."""


@dataclass(slots=True)
class Plan:
    """leave: files to remove. write: (file, path of its document). seen: what proved to be there
    already. conflicts: files that a person would lose. kept: documents whose files stay as they
    are because of those (see `spare`)."""

    leave: list[str] = field(default_factory=list)
    write: list[tuple[str, str]] = field(default_factory=list)
    seen: list[IndexedFile] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def spare(self, index: Index) -> None:
        """Leave the files in `conflicts` as they are, and do the rest."""
        spared = set(self.conflicts)

        def in_the_way(file: str) -> bool:
            parts = file.split("/")
            return any("/".join(parts[:end]) in spared for end in range(1, len(parts) + 1))

        self.kept = [path for file, path in self.write if in_the_way(file)]
        self.write = [pair for pair in self.write if not in_the_way(pair[0])]
        for file in self.leave:
            if file in spared:
                row = index.file(file)
                self.kept += [row.document] if row else []
        self.leave = [file for file in self.leave if file not in spared]


class Files:
    """Which file each document of a state belongs into."""

    def __init__(self, state: State, namer: Namer) -> None:
        self.state = state
        self._namer = namer

    def place(self, path: str) -> str | Skipped:
        """The file of the document at `path`, or why there must be none."""
        reason = reason_against(path)
        if reason:
            return Skipped(path, reason)
        file = self._namer.file(path)
        if file != path:
            reason = reason_against(file)
            if reason:
                return Skipped(path, f"written as {file!r}, {reason}")
        return file

    def file_of(self, path: str) -> str | None:
        """The file of the document at `path`; None where the state gives it none."""
        if self.state.document(path) is None:
            return None
        place = self.place(path)
        return None if isinstance(place, Skipped) else place


class Planner:
    """Plans for one state. `force` overwrites whatever is there. `lost` are the states that the
    files are thought to show, where the index does not know or is not to be believed; `shown` is
    the one that they are known to show but for what a person did."""

    def __init__(
        self,
        directory: Directory,
        index: Index,
        files: Files,
        *,
        force: bool,
        lost: Sequence[State] = (),
        shown: State | None = None,
    ) -> None:
        self._directory = directory
        self._index = index
        self._files = files
        self._force = force
        self._lost = lost
        self._shown = shown

    def plan(self, paths: Iterable[str]) -> Plan:
        """What to do about these documents, which need not exist."""
        plan = Plan()
        for path in paths:
            self._consider(path, plan)
        return plan

    def _consider(self, path: str, plan: Plan) -> None:
        document = self._files.state.document(path)
        file: str | None = None
        if document is not None:
            place = self._files.place(path)
            if isinstance(place, Skipped):
                plan.skipped.append(place)
            else:
                file = place
                if file != path:
                    plan.renamed.append(Renamed(path, file))
        rows, ours = self._index.files_of(path), contents_in(self._lost, path)
        for row in rows:
            if row.file != file:
                self._leave(row, ours, plan)
        if file is not None and document is not None:
            self._write(path, file, content_of(path, document), ours, plan)
        elif ours and not rows and not reason_against(path):
            found, _ = examine(self._index, self._directory, path, None, ours=ours)
            if found is Found.OURS:
                plan.leave.append(path)

    def _leave(self, row: IndexedFile, ours: Collection[bytes], plan: Plan) -> None:
        found, _ = examine(self._index, self._directory, row.file, row, ours=ours)
        if found is Found.EDITED and not self._force:
            plan.conflicts.append(row.file)
        plan.leave.append(row.file)

    def _write(
        self, path: str, file: str, content: bytes, ours: Sequence[bytes], plan: Plan
    ) -> None:
        known = next((row for row in self._index.files_of(path) if row.file == file), None)
        try:
            found, seen = self._index.examine(
                self._directory, file, path, known, wanted=content, ours=ours
            )
        except Blocked as blocked:
            if not (self._force or self._will_leave(blocked.place)):
                plan.conflicts.append(blocked.place)
            plan.write.append((file, path))
            return
        if found is Found.WANTED:
            if seen is not None:
                plan.seen.append(seen)
            return
        if not self._force:
            if known is None and found is Found.FOREIGN and ours:
                # Evgit's file after all, edited: remember what evgit wrote.
                plan.seen.append(IndexedFile(file, path, blake3_digest(ours[0])))
                found = Found.EDITED
            if self._was_written(path, content, known, found):
                return  # just what evgit wrote; since then a person edited or removed it
            if found in (Found.EDITED, Found.FOREIGN) and not self._will_leave(file):
                plan.conflicts.append(file)
            if found is Found.DIRECTORY and not all(
                self._will_leave(inside) for inside in self._directory.walk(file)
            ):
                plan.conflicts.append(file)
        plan.write.append((file, path))

    def _was_written(
        self, path: str, content: bytes, known: IndexedFile | None, found: Found
    ) -> bool:
        if not self._lost:
            return known is not None and self._index.holds(known, content)
        return (
            found is Found.EDITED
            and self._shown is not None
            and contents_in([self._shown], path) == [content]
        )

    def _will_leave(self, file: str) -> bool:
        """Is this the file of a document that will be elsewhere, or nowhere?"""
        row = self._index.file(file)
        return row is not None and self._files.file_of(row.document) != file


def examine(
    index: Index,
    directory: Directory,
    file: str,
    row: IndexedFile | None,
    *,
    wanted: bytes | None = None,
    ours: Collection[bytes] = (),
) -> tuple[Found, IndexedFile | None]:
    """`Index.examine`, where what can't be reached is not there."""
    try:
        return index.examine(directory, file, row.document if row else "", row, wanted, ours)
    except Blocked:
        return Found.NOTHING, None


def contents_in(states: Iterable[State], path: str) -> list[bytes]:
    """What the file of the document at `path` holds in these states."""
    documents = {state.document(path) for state in states} - {None}
    return [content_of(path, document) for document in documents if document is not None]


def everything(state: State, index: Index) -> Iterator[str]:
    """All documents of a state, then those that only the index has."""
    for path, _ in state.documents():
        yield path
    for row in index.files():
        if state.document(row.document) is None:
            yield row.document


def differing(base: Trees, tree: Trees) -> list[str]:
    """Documents whose files may differ between two states. Raises NodeMissing.

    A document that comes or goes may also change the names of those below a directory of its name.
    """
    found: dict[str, None] = {}
    for path, old, new in differences(base, tree):
        found[path] = None
        if old is None or new is None:
            for side in (base, tree):
                for below, _ in side.items(path + "/"):
                    found[below] = None
    return list(found)
