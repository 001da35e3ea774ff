"""How the files differ from a state. It looks at every file, and changes none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from evgit.state.state import State
from evgit.storage.cache import IndexedFile
from evgit.worktree.directory import Blocked, Directory
from evgit.worktree.index import Found, Index
from evgit.worktree.paths import TEMPORARY, reason_against
from evgit.worktree.plan import Files, content_of, contents_in, examine
from evgit.worktree.report import Renamed, Skipped, Status


class Comparison:
    """One comparison. `lost` are the states that files may show, where the index does not know.

    Afterwards `seen` holds the rows of files that had to be read and proved to be evgit's.
    """

    def __init__(
        self, directory: Directory, index: Index, files: Files, lost: Sequence[State]
    ) -> None:
        self._directory = directory
        self._index = index
        self._files = files
        self._lost = lost
        self._status = Status()
        self._tops: set[str] = set()
        self._known: set[str] = set()  # files spoken of already that the index does not have
        self.seen: list[IndexedFile] = []

    def status(self) -> Status:
        """The differences, in order."""
        status = self._status
        self._documents()
        self._gone()
        for top in sorted(self._tops):
            self._find_untracked(top)
        for names in (status.modified, status.deleted, status.outdated, status.in_the_way):
            names.sort()
        return status

    def _documents(self) -> None:
        """Compare the files of all documents that there are."""
        status = self._status
        for path, document in self._files.state.documents():
            place = self._files.place(path)
            if isinstance(place, Skipped):
                status.skipped.append(place)
                continue
            if place != path:
                status.renamed.append(Renamed(path, place))
            if "/" in place:
                self._tops.add(place.partition("/")[0])
            self._compare(place, path, content_of(path, document))

    def _compare(self, file: str, path: str, content: bytes) -> None:
        status, row, ours = self._status, self._index.file(file), contents_in(self._lost, path)
        if row is None:
            self._known.add(file)
        try:
            found, now = self._index.examine(self._directory, file, path, row, content, ours)
        except Blocked as blocked:
            if blocked.place not in status.in_the_way:
                status.in_the_way.append(blocked.place)
                self._known.add(blocked.place)
            return
        if found is Found.NOTHING:
            (status.deleted if row is not None or ours else status.outdated).append(file)
        elif found is Found.OURS:
            status.outdated.append(file)
        elif found is Found.EDITED or (found is Found.FOREIGN and ours):
            status.modified.append(file)
        elif found in (Found.FOREIGN, Found.DIRECTORY):
            status.in_the_way.append(file)
        if now is not None and found in (Found.WANTED, Found.OURS):
            self.seen.append(now)

    def _gone(self) -> None:
        """Compare the files of documents that the state does not have, or has elsewhere."""
        for row in self._index.files():
            self._tops.add(row.file.partition("/")[0])
            if self._files.file_of(row.document) != row.file:
                self._compare_gone(row.file, row.document, row)
        for path in dict.fromkeys(chain.from_iterable(self._lost)):
            if path in self._known or reason_against(path) or self._index.files_of(path):
                continue
            if self._files.file_of(path) is None:
                self._known.add(path)
                self._tops.add(path.partition("/")[0])
                self._compare_gone(path, path, None)

    def _compare_gone(self, file: str, path: str, row: IndexedFile | None) -> None:
        ours = contents_in(self._lost, path)
        found, _ = examine(self._index, self._directory, file, row, ours=ours)
        if found in (Found.EDITED, Found.FOREIGN):
            self._status.modified.append(file)
        elif found is Found.OURS:
            self._status.outdated.append(file)

    def _find_untracked(self, top: str) -> None:
        if not self._directory.is_directory(top):
            return
        with suppress(Blocked):
            for file in self._directory.walk(top):
                if TEMPORARY.fullmatch(file.rpartition("/")[2]) or file in self._known:
                    continue
                if self._index.file(file) is None:
                    self._status.untracked.append(file)
