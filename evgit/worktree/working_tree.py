"""The working tree: a state as files, changed only where it differs, never over a person's edits.

What was written is remembered in an index; without it, contents are compared. It must not know
branches or how a state came to be: a point is a label to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from evgit.errors import LocalChanges, NotFound, UsageError
from evgit.formats.hashing import blake3_digest
from evgit.history.points import Point
from evgit.state.forest import Trees
from evgit.state.merkle_node import NodeMissing
from evgit.state.state import State
from evgit.storage.cache import Cache, IndexedFile
from evgit.storage.layout import Layout
from evgit.worktree.comparison import Comparison
from evgit.worktree.directory import Blocked, Directory
from evgit.worktree.index import Index, as_written
from evgit.worktree.naming import Namer, Traits, probe
from evgit.worktree.plan import (
    TEXTS,
    Files,
    Plan,
    Planner,
    content_of,
    differing,
    everything,
)
from evgit.worktree.report import CheckoutResult, Renamed, Skipped, Status
from evgit.worktree.shown import Shown

__all__ = [
    "TEXTS",
    "CheckoutResult",
    "Progress",
    "Renamed",
    "Skipped",
    "Status",
    "WorkingTree",
    "content_of",
]

Progress = Callable[[int, int], None]
"""Called with (files done, files to do)."""

_BATCH_FILES = 2000
_BATCH_BYTES = 8 << 20
_NAMED_IN_ERRORS = 10


class WorkingTree:
    """The working tree of the repository at `layout`. Raises UsageError where that is bare."""

    def __init__(
        self,
        layout: Layout,
        cache: Cache,
        *,
        states: Callable[[Point], State | None] = lambda _: None,
        traits: Traits | None = None,
        before_writing: Callable[[], None] = lambda: None,
    ) -> None:
        """`states` gives the state at a point, None where there is none (any more).
        `before_writing` may raise, and nothing is written then."""
        if layout.worktree is None:
            raise UsageError("this repository is bare: it has no working tree")
        self.root: Path = layout.worktree
        self._layout = layout
        self._index = Index(cache)
        self._record = Shown(layout.shown)
        self._states = states
        self._probed = traits
        self._before_writing = before_writing

    @property
    def shown(self) -> Point | None:
        """The point of the last checkout, None if that is not known."""
        recorded = self._record.points()
        return recorded[0] if len(recorded) == 1 else self._index.shown()

    def checkout(
        self,
        state: State,
        point: Point,
        *,
        force: bool = False,
        keep_edited: bool = False,
        previous: Callable[[], State] | None = None,
        progress: Progress | None = None,
    ) -> CheckoutResult:
        """Make the files show `state`, which is at `point`; only what differs is touched.

        Files edited or removed by hand whose documents stay as they are are left alone. Raises
        LocalChanges, naming the files and with nothing touched, where files edited by hand or not
        evgit's are in the way. `force` overwrites all of those; `keep_edited` leaves them, says
        which, and does the rest. `previous` gives the state that the files are thought to show; it
        is asked for only where the index is lost.
        """
        self._before_writing()
        index, traits = self._index, repr(self._traits())
        tree = state.retrying(state.settle)
        lost = self._lost()
        shown = lost[0] if len(lost) == len(self._record.points()) == 1 else None
        if previous is not None and (lost or index.is_empty()):
            lost.append(previous())
        base = None if force or lost else index.base(traits)
        paths: Iterable[str] = everything(state, index)
        if base is not None and self._traits().exact:
            # Where names fold, any document may change the name of any other.
            with suppress(NodeMissing):
                paths = differing(base, tree)
        elif lost:
            paths = dict.fromkeys(chain(paths, *lost))
        files = self._files(state)
        with Directory(self.root) as directory:
            if index.unfinished():
                for top in {row.file.partition("/")[0] for row in index.files()}:
                    directory.remove_temporaries(top)
            planner = Planner(directory, index, files, force=force, lost=lost, shown=shown)
            plan = planner.plan(paths)
            if keep_edited:
                plan.spare(index)
            else:
                _refuse(plan)
            result = self._perform(directory, plan, state, point, force, progress)
        if keep_edited:
            result.kept = list(dict.fromkeys(plan.conflicts))
        index.note(point, None if result.blocked else _written_tree(base, tree, plan.kept), traits)
        self._record.replace(point)
        return result

    def restore(self, state: State, paths: Sequence[str]) -> CheckoutResult:
        """Overwrite files with what `state` says, whatever was done to them by hand.

        Each of `paths` is a document, a file, a directory of them, or a pattern of the shell (`*`
        also matches slashes); `.` is everything. Files of matching documents that the state does
        not have are removed. Raises NotFound for one that matches nothing.
        """
        self._before_writing()
        index, traits, files = self._index, repr(self._traits()), self._files(state)
        chosen: dict[str, None] = {}
        for wanted in paths:
            found = list(self._matching(wanted, files))
            if not found:
                raise NotFound(
                    f"no document and no file of the working tree matches {wanted!r}",
                    hint="`evgit ls-tree` lists the documents",
                )
            chosen.update(dict.fromkeys(found))
        shown, base = index.shown(), index.base(traits)
        with Directory(self.root) as directory:
            plan = Planner(directory, index, files, force=True).plan(chosen)
            result = self._perform(directory, plan, state, shown, True, None)
        # Files of two states beside each other are no state that a later checkout could start from.
        same = base is not None and base.root == state.retrying(state.settle).root
        index.note(shown, base if same and not result.blocked else None, traits)
        return result

    def status(self, state: State) -> Status:
        """How the files differ from `state`. Looks at every file; changes none."""
        with Directory(self.root) as directory:
            comparison = Comparison(directory, self._index, self._files(state), self._lost())
            status = comparison.status()
        status.shown = self.shown
        self._index.keep(comparison.seen)
        return status

    # ------------------------------------------------------------------ steps

    def _lost(self) -> list[State]:
        """The states that files may show, where the index is lost or older than the files."""
        points = self._record.points()
        if not points or [self._index.shown()] == points:
            return []
        return [state for state in map(self._states, points) if state is not None]

    def _traits(self) -> Traits:
        if self._probed is None:
            self._probed = probe(self._layout.directory)
        return self._probed

    def _files(self, state: State) -> Files:
        def any_below(directory: str) -> bool:
            return next(state.documents(directory), None) is not None

        def exists(path: str) -> bool:
            return state.document(path) is not None

        return Files(state, Namer(self._traits(), exists, any_below, lambda: iter(state)))

    def _matching(self, wanted: str, files: Files) -> Iterator[str]:
        """Documents that the state or the index has and that `wanted` means."""
        place = wanted.removeprefix("./").rstrip("/")
        for path in everything(files.state, self._index):
            names = {path, files.file_of(path) or path}
            if place in ("", ".") or any(
                name == place or name.startswith(place + "/") or fnmatchcase(name, place)
                for name in names
            ):
                yield path

    def _perform(
        self,
        directory: Directory,
        plan: Plan,
        state: State,
        point: Point | None,
        force: bool,
        progress: Progress | None,
    ) -> CheckoutResult:
        """Remove, then write. The index says at every moment what may be there."""
        result = CheckoutResult(renamed=plan.renamed, skipped=plan.skipped)
        self._index.keep(plan.seen)
        if plan.leave or plan.write:
            self._index.begin(point)
            if point is not None:
                self._record.add(point)
        for file in plan.leave:
            with suppress(Blocked):  # not reached, so not there any more
                result.removed += directory.remove(file)
        directory.prune({file.rpartition("/")[0] for file in plan.leave})
        self._index.drop(plan.leave)
        total = len(plan.write)
        for batch in _batches(plan.write, state):
            self._index.plan(batch)
            rows = []
            for file, path, content in batch:
                row = _written(directory, file, path, content, force, result)
                if row is not None:
                    rows.append(row)
            self._index.keep(rows)
            result.written += len(rows)
            if progress is not None:
                progress(result.written, total)
        return result


def _written_tree(base: Trees | None, tree: Trees, kept: Sequence[str]) -> Trees | None:
    """What evgit's files show now: `tree`, but for documents kept as they were at `base`."""
    if not kept:
        return tree
    if base is None:
        return None
    try:
        before = {path: base.get(path) for path in kept}
        written = tree.update(before)
        # Maps of another model may have no place for these documents.
        same = all(written.get(path) == document for path, document in before.items())
    except NodeMissing:
        return None
    return written if same else None


def _written(
    directory: Directory, file: str, path: str, content: bytes, force: bool, result: CheckoutResult
) -> IndexedFile | None:
    for attempt in range(2):
        try:
            info = directory.write(file, content)
        except Blocked as blocked:
            # A link or file in the way of a directory may be removed by force, a directory not.
            if force and not attempt and not directory.is_directory(blocked.place):
                with suppress(Blocked):
                    directory.remove(blocked.place)
                    continue
            result.skipped.append(Skipped(path, str(blocked)))
            result.blocked = True
            return None
        return as_written(file, path, blake3_digest(content), info)
    return None


def _batches(
    write: Iterable[tuple[str, str]], state: State
) -> Iterator[list[tuple[str, str, bytes]]]:
    """(file, path, content) in bounded portions."""
    batch: list[tuple[str, str, bytes]] = []
    size = 0
    for file, path in write:
        document = state.document(path)
        assert document is not None
        batch.append((file, path, content_of(path, document)))
        size += len(document)
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _refuse(plan: Plan) -> None:
    """Raise LocalChanges if a person would lose something."""
    if not plan.conflicts:
        return
    names = list(dict.fromkeys(plan.conflicts))
    named = ", ".join(names[:_NAMED_IN_ERRORS])
    more = f" and {len(names) - _NAMED_IN_ERRORS} more" if len(names) > _NAMED_IN_ERRORS else ""
    raise LocalChanges(
        f"local changes would be overwritten in {named}{more}; nothing was touched",
        paths=names,
        hint="`evgit status` shows them; keep copies elsewhere, or overwrite them with --force",
    )
