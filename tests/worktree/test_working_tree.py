"""Checkout, restore and status: only what differs, nothing of a person's, nothing outside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evgit.errors import LocalChanges, NotFound, UsageError
from evgit.formats import canonical
from evgit.history.points import Point
from evgit.state.merkle_map import MerkleMap
from evgit.state.merkle_node import Reader
from evgit.state.state import State
from evgit.storage.cache import Cache
from evgit.storage.layout import Layout
from evgit.worktree import working_tree as module
from evgit.worktree.directory import Directory
from evgit.worktree.naming import Traits
from evgit.worktree.report import Renamed
from evgit.worktree.working_tree import WorkingTree

POINT = Point("c" * 64, 7)


def state_of(documents: Mapping[str, Any]) -> State:
    tree = MerkleMap(Reader(lambda digest: None)).update(
        {path: canonical.encode(value) for path, value in documents.items()}
    )
    return State(tree, {}, size=7, log_root=b"", last_snapshot=0, rebuild=lambda: tree)


def text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


class Tree:
    """A working tree in a directory of its own."""

    def __init__(
        self,
        root: Path,
        traits: Traits | None = None,
        states: dict[Point, State] | None = None,
        cached: bool = True,
    ) -> None:
        self.root = root
        self.states = {} if states is None else states
        self.layout = Layout(root / ".evgit")
        self.layout.directory.mkdir(parents=True, exist_ok=True)
        self.traits = traits
        self.cache = Cache(self.layout.cache if cached else None)
        self.working_tree = WorkingTree(
            self.layout, self.cache, states=self.states.get, traits=traits
        )

    def lose_the_index(self) -> None:
        self.cache.close()
        self.layout.cache.unlink(missing_ok=True)

    def checkout(self, documents: Mapping[str, Any], **options: Any) -> module.CheckoutResult:
        return self.working_tree.checkout(state_of(documents), POINT, **options)

    def go(self, documents: Mapping[str, Any], **options: Any) -> module.CheckoutResult:
        """Check out at a point of its own, whose state can be asked for later."""
        point = Point("d" * 64, len(self.states))
        self.states[point] = state_of(documents)
        return self.working_tree.checkout(self.states[point], point, **options)

    def status(self, documents: Mapping[str, Any]) -> module.Status:
        return self.working_tree.status(state_of(documents))

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in self.root.rglob("*")
            if path.is_file() and ".evgit" not in path.relative_to(self.root).parts
        }


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


def test_documents_become_readable_files(tree: Tree) -> None:
    documents = {"streams/a.json": {"é": [1, {"b": None}], "a": {}}, "streams/b/c.json": "text"}
    result = tree.checkout(documents)
    assert (result.written, result.removed) == (2, 0)
    assert tree.files() == {path: text(value) for path, value in documents.items()}
    assert tree.working_tree.shown == POINT
    status = tree.status(documents)
    assert status.clean
    assert status.shown == POINT


def test_only_what_differs_is_touched(tree: Tree) -> None:
    documents = {f"streams/{n}.json": {"n": n} for n in range(100)}
    tree.checkout(documents)
    before = {path: (tree.root / path).stat() for path in documents}
    changed = {**documents, "streams/7.json": {"n": "new"}, "streams/new/x.json": 1}
    del changed["streams/50.json"]
    result = tree.checkout(changed)
    assert (result.written, result.removed) == (2, 1)
    assert tree.files() == {path: text(value) for path, value in changed.items()}
    for path in documents.keys() - {"streams/7.json", "streams/50.json"}:
        after = (tree.root / path).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before[path].st_ino, before[path].st_mtime_ns)
    tree.checkout({})
    assert tree.files() == {}
    assert [p.name for p in tree.root.iterdir()] == [".evgit"]


@pytest.mark.parametrize("lost", [False, True])
def test_an_edited_file_is_never_lost(tree: Tree, lost: bool) -> None:
    tree.checkout({"s/a.json": 1, "s/b.json": 1, "s/c.json": 1})
    (tree.root / "s/a.json").write_text("mine")
    (tree.root / "s/b.json").write_text("2\n")
    (tree.root / "s/c.json").unlink()
    if lost:
        tree.lose_the_index()
    wanted = {"s/a.json": 2, "s/b.json": 2, "s/c.json": 2, "s/d.json": 2}
    with pytest.raises(LocalChanges, match=r"s/a\.json") as caught:
        tree.checkout(wanted)
    assert caught.value.paths == ["s/a.json"]
    assert tree.files() == {"s/a.json": "mine", "s/b.json": "2\n"}
    if not lost:
        with pytest.raises(LocalChanges):
            tree.checkout({})
        assert tree.status(wanted).modified == ["s/a.json"]
        # An edit of a document that stays as it is is no obstacle.
        tree.checkout({"s/a.json": 1, "s/b.json": 2})
        assert tree.files() == {"s/a.json": "mine", "s/b.json": "2\n"}
    tree.checkout(wanted, force=True)
    assert tree.files() == {path: text(2) for path in wanted}
    assert tree.status(wanted).clean


def test_a_file_of_the_same_size_changed_at_once(tree: Tree) -> None:
    tree.checkout({"a": 11})
    file = tree.root / "a"
    stat = file.stat()
    with file.open("r+") as stream:
        stream.write("22\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(LocalChanges):
        tree.checkout({"a": 33})
    assert tree.status({"a": 11}).modified == ["a"]


def test_files_that_are_not_ours(tree: Tree) -> None:
    (tree.root / "model").mkdir()
    for name in ("evgit.toml", "model/bank.py", "notes.json"):
        (tree.root / name).write_text("mine")
    with pytest.raises(LocalChanges, match=r"notes\.json"):
        tree.checkout({"notes.json": {}, "a.json": 1})
    assert "a.json" not in tree.files()
    tree.checkout({"s/a.json": 1})
    (tree.root / "s/other").write_text("mine")
    status = tree.status({"s/a.json": 1, "notes.json": {}})
    assert status.in_the_way == ["notes.json"]
    assert status.untracked == ["s/other"]
    tree.checkout({})
    assert tree.files() == dict.fromkeys(
        ["evgit.toml", "model/bank.py", "notes.json", "s/other"], "mine"
    )


def test_hostile_paths_are_skipped_and_said(tree: Tree) -> None:
    hostile = ["../out", "/abs", ".evgit/x", "a/.git/b", "nul\0x", "con"]
    result = tree.checkout({**dict.fromkeys(hostile, 1), "s/a.json": 1})
    assert sorted(skipped.path for skipped in result.skipped) == sorted(hostile)
    assert tree.files() == {"s/a.json": "1\n"}
    assert not (tree.root.parent / "out").exists()
    status = tree.status({**dict.fromkeys(hostile, 1), "s/a.json": 1})
    assert sorted(skipped.path for skipped in status.skipped) == sorted(hostile)
    assert status.clean


def test_no_link_is_followed(tree: Tree) -> None:
    outside = tree.root.parent / "outside"
    outside.mkdir()
    (outside / "a.json").write_text("theirs")
    (tree.root / "s").symlink_to(outside)
    documents = {"s/a.json": 1, "t.json": 1}
    with pytest.raises(LocalChanges, match="s"):
        tree.checkout(documents)
    assert tree.status(documents).in_the_way == ["s"]
    assert (outside / "a.json").read_text() == "theirs"
    tree.checkout(documents, force=True)
    assert (outside / "a.json").read_text() == "theirs"
    assert not (tree.root / "s").is_symlink()
    assert tree.files() == {"s/a.json": "1\n", "t.json": "1\n"}
    # A link that takes the place of a file, and of a directory, after the checkout.
    (tree.root / "t.json").unlink()
    (tree.root / "t.json").symlink_to(outside / "a.json")
    with pytest.raises(LocalChanges):
        tree.checkout({"s/a.json": 1, "t.json": 2})
    with pytest.raises(LocalChanges):
        tree.checkout({"s/a.json": 1})
    (tree.root / "s/a.json").unlink()
    (tree.root / "s").rmdir()
    (tree.root / "s").symlink_to(outside)
    tree.checkout({"t.json": 3}, force=True)
    assert (outside / "a.json").read_text() == "theirs"
    assert (tree.root / "t.json").read_text() == "3\n"
    assert not (tree.root / "t.json").is_symlink()


def test_a_directory_in_the_way(tree: Tree) -> None:
    (tree.root / "a.json").mkdir()
    (tree.root / "a.json/mine").write_text("mine")
    with pytest.raises(LocalChanges):
        tree.checkout({"a.json": 1, "b": 1})
    result = tree.checkout({"a.json": 1, "b": 1}, force=True)
    assert [s.path for s in result.skipped] == ["a.json"]
    assert tree.files() == {"a.json/mine": "mine", "b": "1\n"}
    (tree.root / "a.json/mine").unlink()
    tree.checkout({"a.json": 1, "b": 1})
    assert tree.files() == {"a.json": "1\n", "b": "1\n"}


def test_a_file_that_becomes_a_directory_and_back(tree: Tree) -> None:
    below = {"a/b": 1, "a/c/d": 2}
    for documents in ({"a": 1}, below, {"a": 2}, {"a": 3, **below}, below, {"a": 4}):
        tree.checkout(documents)
        assert tree.status(documents).clean
    assert tree.files() == {"a": "4\n"}
    tree.checkout({"a": 3, **below})
    (renamed,) = {file.split("/")[0] for file in tree.files()} - {"a"}
    assert renamed.startswith("a~")
    assert tree.status({"a": 3, **below}).renamed == [
        Renamed("a/b", f"{renamed}/b"),
        Renamed("a/c/d", f"{renamed}/c/d"),
    ]
    (tree.root / renamed / "b").write_text("mine")
    with pytest.raises(LocalChanges, match="a~"):
        tree.checkout(below)


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    tree = Tree(tmp_path, Traits(ignores_case=True))
    result = tree.checkout({"A.json": 1, "a.json": 2})
    ((path, file),) = result.renamed
    assert (path, tree.files()) == ("a.json", {"A.json": "1\n", file: "2\n"})
    tree.checkout({"a.json": 2})
    assert tree.files() == {"a.json": "2\n"}
    tree.checkout({"A.json": 1, "a.json": 2})
    assert tree.files() == {"A.json": "1\n", file: "2\n"}


def test_restore(tree: Tree) -> None:
    documents = {f"s/{name}.json": 1 for name in ("a", "ab", "b", "c/d")} | {"t": 1}
    tree.checkout(documents)
    for path in documents:
        (tree.root / path).write_text("mine")
    (tree.root / "s/ab.json").unlink()

    def mine() -> set[str]:
        return {path for path, content in tree.files().items() if content == "mine"}

    assert tree.working_tree.restore(state_of(documents), ["s/a*"]).written == 2
    assert mine() == {"s/b.json", "s/c/d.json", "t"}
    tree.working_tree.restore(state_of(documents), ["./s/c/"])
    assert mine() == {"s/b.json", "t"}
    with pytest.raises(NotFound, match="nothing"):
        tree.working_tree.restore(state_of(documents), ["t", "nothing"])
    tree.working_tree.restore(state_of({"t": 5}), ["."])
    assert tree.files() == {"t": "5\n"}
    assert tree.status(documents).outdated == sorted(documents)
    tree.checkout(documents)
    assert tree.files() == dict.fromkeys(documents, "1\n")


@pytest.mark.parametrize("lost", [False, True])
def test_an_interrupted_checkout(tree: Tree, lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {f"s/{n}.json": n for n in range(40)}
    new = {f"s/{n}.json": {"n": n} for n in range(20, 60)}
    tree.checkout(old)
    written = 0
    write = Directory.write

    def failing(self: Directory, file: str, content: bytes) -> os.stat_result:
        nonlocal written
        written += 1
        if written > 15:
            raise KeyboardInterrupt
        return write(self, file, content)

    monkeypatch.setattr(Directory, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        tree.checkout(new)
    monkeypatch.setattr(Directory, "write", write)
    (tree.root / "s/.evgit-0123456789abcdef.tmp").write_text("left")
    (tree.root / "s/mine").write_text("mine")
    if lost:
        tree.lose_the_index()
        tree.checkout(new, previous=lambda: state_of(old))
    else:
        third = {f"s/{n}.json": [n] for n in range(10, 50)}
        tree.checkout(third)
        assert tree.files() == {p: text(v) for p, v in third.items()} | {"s/mine": "mine"}
        tree.checkout(new)
    (tree.root / "s/.evgit-0123456789abcdef.tmp").unlink(missing_ok=not lost)
    assert tree.files() == {p: text(v) for p, v in new.items()} | {"s/mine": "mine"}
    assert tree.status(new).clean


def test_the_index_is_lost(tree: Tree) -> None:
    old = {f"s/{n}.json": n for n in range(10)}
    tree.checkout(old)
    tree.lose_the_index()
    assert tree.status(old).clean
    assert tree.checkout(old).written == 0
    tree.lose_the_index()
    new = {f"s/{n}.json": n * 2 for n in range(5)}
    with pytest.raises(LocalChanges):
        tree.checkout(new)
    (tree.root / "s/7.json").write_text("mine")
    tree.checkout(new, previous=lambda: state_of(old))
    assert tree.files() == {p: text(v) for p, v in new.items()} | {"s/7.json": "mine"}


@pytest.mark.parametrize("cached", [True, False])
def test_the_index_is_lost_and_what_was_shown_is_not(tree: Tree, cached: bool) -> None:
    old = {f"s/{n}.json": n for n in range(10)}
    tree.go(old)
    shown = tree.working_tree.shown
    tree.lose_the_index()
    tree = Tree(tree.root, states=tree.states, cached=cached)
    assert tree.working_tree.shown == shown
    status = tree.status(old)
    assert status.clean
    assert status.shown == shown
    assert status.untracked == []
    (tree.root / "s/7.json").write_text("mine")
    (tree.root / "s/1.json").write_text("mine")
    (tree.root / "s/2.json").unlink()
    new = {f"s/{n}.json": n * 2 for n in range(1, 5)}
    tree = Tree(tree.root, states=tree.states, cached=False)
    status = tree.status(new)
    assert status.modified == ["s/1.json", "s/7.json"]
    assert status.deleted == ["s/2.json"]
    assert status.outdated == [f"s/{n}.json" for n in (0, 3, 4, 5, 6, 8, 9)]
    assert status.in_the_way == status.untracked == []
    with pytest.raises(LocalChanges):
        tree.go(new)
    tree.go(new, keep_edited=True)
    expected = {p: text(v) for p, v in new.items()} | {"s/1.json": "mine", "s/7.json": "mine"}
    assert tree.files() == expected
    assert tree.status(new).modified == ["s/1.json"]
    assert tree.status(new).in_the_way == []


def test_an_index_older_than_the_files(tree: Tree) -> None:
    """It was out of reach during a checkout: nothing that it says is believed."""
    old, new = {"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 2, "d": 1}
    tree.go(old)
    Tree(tree.root, states=tree.states, cached=False).go(new)
    assert tree.status(new).clean
    (tree.root / "b").write_text("mine")
    assert tree.status(new).modified == ["b"]
    assert tree.go(old, keep_edited=True).kept == ["b"]
    assert tree.files() == {"a": "1\n", "b": "mine", "c": "1\n", "d": "1\n"}


def test_edited_files_hold_up_no_others(tree: Tree) -> None:
    old = {f"s/{n}.json": n for n in range(6)}
    tree.go(old)
    for name in ("s/1.json", "s/2.json", "s/3.json"):
        (tree.root / name).write_text("mine")
    (tree.root / "t.json").write_text("mine")
    (tree.root / "u").write_text("mine")
    new = {f"s/{n}.json": n * 2 for n in (0, 1, 4)} | {"s/3.json": 3, "t.json": 5, "u/v.json": 1}
    result = tree.go(new, keep_edited=True)
    assert sorted(result.kept) == ["s/1.json", "s/2.json", "t.json", "u"]
    assert (result.written, result.removed) == (1, 1)  # s/0 is 0 in both
    theirs = dict.fromkeys(["s/1.json", "s/2.json", "s/3.json", "t.json", "u"], "mine")
    assert tree.files() == {"s/0.json": "0\n", "s/4.json": "8\n"} | theirs
    status = tree.status(new)
    assert status.modified == ["s/1.json", "s/2.json", "s/3.json"]
    assert status.in_the_way == ["t.json", "u"]
    # What was kept is not forgotten: once the edits are gone, the next checkout sees to it.
    (tree.root / "s/1.json").write_text("1\n")
    (tree.root / "s/2.json").write_text("2\n")
    (tree.root / "s/3.json").write_text("3\n")
    (tree.root / "t.json").unlink()
    (tree.root / "u").unlink()
    assert tree.go(new).kept == []
    assert tree.files() == {path: text(value) for path, value in new.items()}


def test_a_bare_repository_has_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bare"):
        WorkingTree(Layout(tmp_path / "bare"), Cache(None))


PATHS = st.sampled_from(["a", "a/b", "a/b/c", "b", "d/e", "d/f", "d/g", "..", "A"])
DOCUMENTS = st.dictionaries(PATHS, st.integers(0, 2), max_size=7)


class AnyOrder(RuleBasedStateMachine):
    """Checkouts, edits and losses in any order. `theirs` is what a person last did to a file."""

    @initialize(traits=st.sampled_from([None, Traits(ignores_case=True)]))
    def begin(self, traits: Traits | None) -> None:
        import tempfile

        self.home = tempfile.TemporaryDirectory()
        self.tree = Tree(Path(self.home.name) / "tree", traits)
        self.theirs: dict[str, str | None] = {}
        self.documents: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()

    @rule(documents=DOCUMENTS, force=st.booleans(), keep=st.booleans())
    def checkout(self, documents: dict[str, int], force: bool, keep: bool) -> None:
        before = self.tree.files()
        try:
            result = self.tree.go(documents, force=force, keep_edited=keep)
        except LocalChanges:
            assert not force
            assert not keep
            assert self.theirs
            assert self.tree.files() == before
            return
        after = self.tree.files()
        for file, content in self.theirs.items():
            if not force and content is not None:
                assert after.get(file) == content
        if force:
            self.theirs = {f: c for f, c in self.theirs.items() if after.get(f) == c is not None}
        self.documents = documents
        kept_out = {skipped.path for skipped in result.skipped}
        assert kept_out <= {".."} or force or result.kept
        assert not (force and result.kept)
        assert not result.kept or self.theirs

    @rule(data=st.data(), content=st.sampled_from(["mine", "theirs", None]))
    def edit(self, data: st.DataObject, content: str | None) -> None:
        files = sorted(self.tree.files())
        if files:
            file = data.draw(st.sampled_from(files))
            path = self.tree.root / file
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
            self.theirs[file] = content

    @rule(name=st.sampled_from(["a", "b", "d/e", "d/mine", "other"]))
    def put(self, name: str) -> None:
        path = self.tree.root / name
        if path.parent.is_dir() and not path.exists():
            path.write_text("put")
            self.theirs[name] = "put"

    @rule()
    def restore(self) -> None:
        if self.documents:
            self.tree.working_tree.restore(state_of(self.documents), ["."])
            after = self.tree.files()
            self.theirs = {f: c for f, c in self.theirs.items() if after.get(f) == c is not None}

    @rule()
    def reopen(self) -> None:
        self.tree = Tree(self.tree.root, self.tree.traits, self.tree.states)

    # Without the index nothing says which files have other names.
    @precondition(lambda self: self.tree.traits is None)
    @rule()
    def lose_the_index(self) -> None:
        self.tree.lose_the_index()

    @precondition(lambda self: self.tree.traits is None)
    @rule()
    def go_on_where_no_cache_can_be_written(self) -> None:
        """What it holds is older than the files when it is there again."""
        self.tree = Tree(self.tree.root, self.tree.traits, self.tree.states, cached=False)

    @invariant()
    def status_tells_the_truth(self) -> None:
        if not hasattr(self, "tree"):
            return
        status = self.tree.status(self.documents)
        told = {*status.modified, *status.deleted, *status.in_the_way, *status.untracked}
        assert told <= self.theirs.keys() | {"a", "d"}
        files = self.tree.files()
        names = dict(status.renamed)
        expected = {names.get(p, p): text(v) for p, v in self.documents.items() if p != ".."}
        tops = {file.split("/")[0] for file in expected if "/" in file}
        for file, content in self.theirs.items():
            looked_at = file in expected or file.split("/")[0] in tops
            if content is not None and file in files and looked_at:
                assert file in told
        if not self.theirs:
            assert status.clean
            assert files == expected


PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, phases=PHASES
)
