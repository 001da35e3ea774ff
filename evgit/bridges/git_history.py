"""The file changes of a Git repository's history, as events.

For every commit reachable from a revision, parents first:

    commit-<12 hex>  revision_recorded  {"changes": N, "parents": [hex], "subject": first line}
    file-<path>      file_added | file_modified | file_deleted  {"path": …, "revision": hex}

`time` is the author's time, `meta` holds `actor` (the author's name) and `correlation` (the
commit, in full). A rename is a deletion and an addition. A merge records itself and no changes:
those are the ones of the commits that it brings together. Everything comes from the history alone,
so the same history gives the same events, and importing it again adds nothing.

Reads through pygit2 (libgit2): no program is run, no hook, and nothing of the work tree is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evgit.bridges.stream_names import stream_name
from evgit.errors import InvalidInput, NotFound, UnknownRevision
from evgit.formats.event import Event
from evgit.formats.times import to_instant, to_text

if TYPE_CHECKING:
    import pygit2

_ABBREVIATED = 12
_SECOND = 1_000_000
_UNIX_EPOCH = to_instant("1970-01-01T00:00:00.000000Z")
_LATEST = to_instant("9999-12-31T23:59:59.000000Z")
_CHANGES = {"A": "file_added", "D": "file_deleted"}  # anything else (content, mode): modified


def find_git_repository(start: str | os.PathLike[str]) -> Path | None:
    """The Git directory of the repository that `start` lies in; None where it lies in none."""
    import pygit2  # noqa: PLC0415

    found = pygit2.discover_repository(os.fspath(start))
    return None if found is None else Path(found)


class GitHistory:
    """The history of one revision of a Git repository.

    total: its number of commits. name: of the repository's directory.

    path: a work tree, a directory in one, or a bare repository. A context manager.
    Raises NotFound where there is no repository or no commit, UnknownRevision, InvalidInput.
    """

    def __init__(self, path: str | os.PathLike[str], revision: str = "HEAD") -> None:
        import pygit2  # noqa: PLC0415

        directory = find_git_repository(path) if Path(path).exists() else None
        if directory is None:
            raise NotFound(
                f"no Git repository at {os.fspath(path)!r}",
                hint="give a directory that `git clone` or `git init` made",
            )
        with _any_owner():
            try:
                self._repository = pygit2.Repository(os.fspath(directory))
            except pygit2.GitError as error:
                raise InvalidInput(f"{os.fspath(directory)!r} can't be read: {error}") from error
        self.directory = directory
        self.name = Path(self._repository.workdir or directory).name
        self._tip = self._resolve(revision)
        self.total = sum(1 for _ in self._walk())

    def _resolve(self, revision: str) -> pygit2.Oid:
        import pygit2  # noqa: PLC0415

        repository = self._repository
        if revision == "HEAD" and repository.head_is_unborn:
            raise NotFound(
                f"the Git repository {os.fspath(self.directory)!r} has no commits",
                hint="commit something there first, or give another repository",
            )
        try:
            return repository.revparse_single(revision).peel(pygit2.Commit).id
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise UnknownRevision(
                f"the Git repository {os.fspath(self.directory)!r} has no commit {revision!r}",
                hint="see git log --all, and give a branch, a tag or a commit there",
            ) from error

    def _walk(self) -> Iterator[pygit2.Commit]:
        import pygit2  # noqa: PLC0415

        order = pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE
        return iter(self._repository.walk(self._tip, order))

    def events(self) -> Iterator[list[Event]]:
        """The events of one commit after the other, parents first."""
        for commit in self._walk():
            yield self._events_of(commit)

    def _events_of(self, commit: pygit2.Commit) -> list[Event]:
        revision = str(commit.id)
        time = _time(commit)
        meta: dict[str, Any] = {"actor": _text(commit.author.raw_name), "correlation": revision}
        parents = [str(parent) for parent in commit.parent_ids]
        changes = self._changes(commit)
        recorded = Event(
            stream=f"commit-{revision[:_ABBREVIATED]}",
            type="revision_recorded",
            time=time,
            meta=meta,
            data={
                "subject": _subject(commit),
                "parents": parents,
                "changes": len(changes),
            },
        )
        return [recorded] + [
            Event(
                stream=stream_name(f"file-{path}"),
                type=kind,
                time=time,
                meta=meta,
                data={"path": path, "revision": revision},
            )
            for kind, path in changes
        ]

    def _changes(self, commit: pygit2.Commit) -> list[tuple[str, str]]:
        """(event type, path) of each file that differs from the parent's, in Git's order."""
        import pygit2  # noqa: PLC0415

        parents = commit.parent_ids
        if len(parents) > 1:
            return []
        # A shallow clone ends at commits whose parents it does not have: all is new there.
        parent = self._repository.get(parents[0]) if parents else None
        try:
            if parent is None:
                diff = commit.tree.diff_to_tree(swap=True)
            else:
                diff = commit.tree.diff_to_tree(parent.peel(pygit2.Tree), swap=True)
            return [
                (_CHANGES.get(delta.status_char(), "file_modified"), _text(delta.new_file.raw_path))
                for delta in diff.deltas
            ]
        except (KeyError, pygit2.GitError) as error:
            raise InvalidInput(
                f"commit {commit.id} of {os.fspath(self.directory)!r} can't be read: {error}",
                hint="in a clone made with a filter, run `git fetch --refetch --no-filter` first",
            ) from error

    def __enter__(self) -> GitHistory:
        return self

    def __exit__(self, *_: object) -> None:
        self._repository.free()


@contextmanager
def _any_owner() -> Iterator[None]:
    """Reading runs nothing that the repository configures, so it may belong to another user."""
    import pygit2  # noqa: PLC0415

    before = pygit2.settings.owner_validation
    pygit2.settings.owner_validation = False
    try:
        yield
    finally:
        pygit2.settings.owner_validation = before


def _time(commit: pygit2.Commit) -> str:
    instant = _UNIX_EPOCH + commit.author.time * _SECOND
    return to_text(min(max(instant, 0), _LATEST))


def _subject(commit: pygit2.Commit) -> str:
    """The first paragraph of the message in one line, as `git log --format=%s` has it."""
    paragraph = _text(commit.raw_message).strip().partition("\n\n")[0]
    return " ".join(line.strip() for line in paragraph.splitlines())


def _text(raw: bytes | None) -> str:
    """Git's names are bytes. What is not UTF-8 is shown as \\xNN."""
    return (raw or b"").decode("utf-8", "backslashreplace")
