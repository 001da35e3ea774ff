"""The events of small Git repositories, made commit by commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pygit2
import pytest

from evgit.bridges.git_history import GitHistory, find_git_repository
from evgit.errors import InvalidInput, NotFound, UnknownRevision
from evgit.formats.event import batch_from_events

FILE = pygit2.enums.FileMode.BLOB
EXECUTABLE = pygit2.enums.FileMode.BLOB_EXECUTABLE


class GitMaker:
    """Writes commits into a Git repository, without a work tree or an index."""

    def __init__(self, path: Path) -> None:
        self.repository = pygit2.init_repository(str(path), bare=True, initial_head="main")
        self.minutes = 0

    def tree(self, files: dict[str, bytes | tuple[bytes, int]]) -> pygit2.Oid:
        index = pygit2.Index()
        for path, content in files.items():
            data, mode = content if isinstance(content, tuple) else (content, FILE)
            index.add(pygit2.IndexEntry(path, self.repository.create_blob(data), mode))
        return index.write_tree(self.repository)

    def commit(self, message, files, *parents, name="Ada", time=None, ref="refs/heads/main"):
        self.minutes += 1
        author = pygit2.Signature(name, "a@example.org", time or 1_700_000_000 + 60 * self.minutes)
        committer = pygit2.Signature("Bot", "b@example.org", 1_800_000_000)
        tree = self.tree(files)
        made = self.repository.create_commit(None, author, committer, message, tree, list(parents))
        if ref:
            self.repository.references.create(ref, made, force=True)
        return made


@pytest.fixture
def git(tmp_path) -> GitMaker:
    return GitMaker(tmp_path / "project.git")


def read(path, revision="HEAD"):
    with GitHistory(path, revision) as history:
        commits = list(history.events())
        assert len(commits) == history.total
        return [event for events in commits for event in events]


def brief(events):
    return [(e.type, e.stream) for e in events]


def test_one_commit_in_full(git):
    made = git.commit("Begin\nhere\n\nMore.", {"b/c.txt": b"1", "a.txt": b"2"})
    recorded, first, second = read(git.repository.path)
    assert recorded.stream == f"commit-{str(made)[:12]}"
    assert recorded.type == "revision_recorded"
    assert recorded.time == "2023-11-14T22:14:20.000000Z"
    assert recorded.meta == {"actor": "Ada", "correlation": str(made)}
    assert recorded.data == {"changes": 2, "parents": [], "subject": "Begin here"}
    assert (first.stream, first.type) == ("file-a.txt", "file_added")
    assert first.data == {"path": "a.txt", "revision": str(made)}
    assert (first.time, first.meta) == (recorded.time, recorded.meta)
    assert second.stream == "file-b/c.txt"


def test_added_modified_deleted_and_renamed(git):
    one = git.commit("1", {"a": b"a", "b": b"b" * 500, "tool": b"t"})
    two = git.commit("2", {"a": b"A", "c": b"b" * 500, "tool": (b"t", EXECUTABLE)}, one)
    git.commit("3", {"a": b"A", "c": b"b" * 500, "tool": (b"t", EXECUTABLE)}, two)
    events = read(git.repository.path)
    assert brief(events[4:]) == [
        ("revision_recorded", f"commit-{str(two)[:12]}"),
        ("file_modified", "file-a"),
        ("file_deleted", "file-b"),
        ("file_added", "file-c"),
        ("file_modified", "file-tool"),
        ("revision_recorded", events[-1].stream),
    ]
    assert events[-1].data == {"changes": 0, "parents": [str(two)], "subject": "3"}


def test_a_merge_records_no_changes_and_comes_after_its_parents(git):
    base = git.commit("base", {"a": b"1"})
    left = git.commit("left", {"a": b"1", "l": b"1"}, base)
    right = git.commit("right", {"a": b"1", "r": b"1"}, base, ref=None, time=1_600_000_000)
    merge = git.commit("merge", {"a": b"1", "l": b"1", "r": b"1"}, left, right)
    events = read(git.repository.path)
    order = [e.meta["correlation"] for e in events if e.type == "revision_recorded"]
    assert order[0] == str(base)
    assert set(order[1:3]) == {str(left), str(right)}
    assert order[3] == str(merge)
    assert events[-1].data["changes"] == 0
    assert sorted(e.stream for e in events if e.type == "file_added") == [
        "file-a", "file-l", "file-r",
    ]  # fmt: skip
    assert batch_from_events(read(git.repository.path)).lines == batch_from_events(events).lines


def test_names_that_are_not_utf8_or_no_stream_names(git):
    path = "é" * 150
    made = git.commit("\n\n", {path: b"1", "$x@1": b"2"})
    raw = git.repository.read(made)[1].replace(b"Ada", b"Ad\xff")
    raw = raw.replace(b"1700000060", b"999999999999")
    odd = git.repository.write(pygit2.enums.ObjectType.COMMIT, raw)
    recorded, dollar, long = read(git.repository.path, str(odd))
    assert recorded.meta["actor"] == "Ad\\xff"
    assert recorded.data["subject"] == ""
    assert recorded.time == "9999-12-31T23:59:59.000000Z"
    assert dollar.data["path"] == "$x@1"
    assert long.data["path"] == path
    assert dollar.stream.startswith("file-$x@1~")
    assert len(long.stream.encode()) <= 240
    batch_from_events([recorded, dollar, long])


def test_a_shallow_clone_begins_with_its_whole_tree(git, tmp_path):
    one = git.commit("1", {"a": b"1", "b": b"1"})
    two = git.commit("2", {"a": b"2", "b": b"1"}, one)
    git.commit("3", {"a": b"3", "b": b"1"}, two)
    clone = tmp_path / "shallow"
    url = Path(git.repository.path).as_uri()
    command = ["git", "clone", "--quiet", "--depth", "2", url, str(clone)]
    subprocess.run(command, check=True, capture_output=True)
    events = read(clone)
    assert [e.type for e in events] == [
        "revision_recorded", "file_added", "file_added", "revision_recorded", "file_modified",
    ]  # fmt: skip
    assert events[0].meta["correlation"] == str(two)
    assert events[0].data["parents"] == []


def test_a_file_of_many_batches_stays_in_order(git):
    files = {f"f{n:03}": b"x" for n in range(300)}
    git.commit("many", files)
    assert [e.data["path"] for e in read(git.repository.path)[1:]] == sorted(files)


def test_where_the_repository_is(git, tmp_path):
    git.commit("1", {"a": b"1"})
    clone = tmp_path / "work"
    pygit2.clone_repository(git.repository.path, str(clone))
    inside = clone / "below"
    inside.mkdir()
    with GitHistory(inside) as history:
        assert (history.total, history.name) == (1, "work")
    assert find_git_repository(inside) == clone / ".git"
    assert find_git_repository(tmp_path) is None


def test_what_cannot_be_read(git, tmp_path):
    with pytest.raises(NotFound, match="no Git repository at"):
        GitHistory(tmp_path)
    with pytest.raises(NotFound, match="no Git repository at"):
        GitHistory(tmp_path / "absent")
    with pytest.raises(NotFound, match="has no commits"):
        GitHistory(git.repository.path)
    made = git.commit("1", {"a": b"1"})
    with pytest.raises(UnknownRevision, match="no commit 'nowhere'"):
        GitHistory(git.repository.path, "nowhere")
    tree = str(git.repository[made].tree.id)
    (Path(git.repository.path) / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(InvalidInput, match=f"commit {made}"):
        read(git.repository.path)


def test_importing_the_module_does_not_load_libgit2():
    code = "import sys, evgit.bridges.git_history; sys.exit('pygit2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
