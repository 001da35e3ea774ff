"""Branches, tags, HEAD, undo and going back: every move is one operation, and can be taken back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evgit.errors import (
    AlreadyExists,
    Conflict,
    EvgitError,
    InvalidName,
    NotAFastForward,
    NotFound,
    UnknownObject,
)
from evgit.formats.tag import Tag
from evgit.formats.times import to_text
from evgit.history.points import Point
from evgit.repository import Repository
from tests.history.making import NOW, Clock, event, events, ids, merge, new


def commands(repository: Repository) -> list[str]:
    return [operation.command for operation in repository.operations()][::-1]


def refs(repository: Repository) -> dict[str, str]:
    return {ref.name: ref.target for ref in repository.refs("")}


def tag_object(repository: Repository, name: str, target: str) -> str:
    tag = Tag(message="m", name=name, tagger="Ada <a@b>", target=target, time=to_text(NOW))
    return repository.branches.write_tag(tag)


# ---------------------------------------------------------------------------- branches


def test_making_and_deleting_a_branch(repository: Repository) -> None:
    head = repository.append([event(1)]).head
    repository.branches.create("side", head)
    assert refs(repository)["refs/heads/side"] == head
    assert ids(repository, "side") == ids(repository, "main")
    assert repository.branches.delete("side") == head
    assert "refs/heads/side" not in refs(repository)
    assert commands(repository) == ["init", "commit", "branch", "branch -d"]
    with pytest.raises(NotFound, match="no branch 'side'"):
        repository.branches.delete("side")


def test_a_branch_that_exists_is_moved_only_by_force(repository: Repository) -> None:
    root = repository.head().point.commit
    head = repository.append([event(1)]).head
    repository.branches.create("side", root)
    with pytest.raises(AlreadyExists, match="'side' exists already"):
        repository.branches.create("side", head)
    repository.branches.create("side", head, force=True)
    assert refs(repository)["refs/heads/side"] == head
    repository.branches.undo()
    assert refs(repository)["refs/heads/side"] == root


@pytest.mark.parametrize(
    "name", ["", "a..b", "a b", "-a", "a/", "a//b", "a#b", "a@b", ".a", "a.lock"]
)
def test_names_that_no_branch_can_have(repository: Repository, name: str) -> None:
    root = repository.head().point.commit
    before = refs(repository)
    for attempt in (
        lambda: repository.branches.create(name, root),
        lambda: repository.branches.create_tag(name, root),
        lambda: repository.branches.rename("main", name),
    ):
        with pytest.raises(InvalidName):
            attempt()
    assert refs(repository) == before


def test_no_branch_at_what_is_not_there(repository: Repository) -> None:
    with pytest.raises(UnknownObject):
        repository.branches.create("side", "f" * 64)
    assert "refs/heads/side" not in refs(repository)


@pytest.mark.parametrize(
    ("there", "wanted"), [("a", "a/b"), ("a/b", "a"), ("a/b", "a/b/c/d"), ("a/b/c", "a")]
)
def test_no_name_is_a_path_prefix_of_another(
    repository: Repository, there: str, wanted: str
) -> None:
    root = repository.head().point.commit
    branches = repository.branches
    branches.create(there, root)
    branches.create_tag(there, root)
    for attempt in (
        lambda: branches.create(wanted, root),
        lambda: branches.create(wanted, root, force=True),
        lambda: branches.create_tag(wanted, root),
        lambda: branches.rename("main", wanted),
    ):
        with pytest.raises(AlreadyExists, match="path prefix"):
            attempt()
    branches.rename(there, wanted)  # out of its own way
    assert f"refs/heads/{wanted}" in refs(repository)
    for beside in (f"{wanted}-x", f"{wanted}x", f"{wanted}.x"):
        branches.create(beside, root)


def test_renaming_takes_head_along(repository: Repository) -> None:
    head = repository.append([event(1)]).head
    repository.branches.create("side", head)
    with pytest.raises(AlreadyExists):
        repository.branches.rename("main", "side")
    with pytest.raises(NotFound):
        repository.branches.rename("none", "other")
    repository.branches.rename("main", "trunk")
    assert repository.head().branch == "trunk"
    assert refs(repository) == {
        "HEAD": "ref: refs/heads/trunk",
        "refs/heads/side": head,
        "refs/heads/trunk": head,
    }
    assert repository.append([event(2)]).size == 2
    repository.branches.rename("side", "other")
    assert repository.head().branch == "trunk"
    repository.branches.undo()
    repository.branches.undo()
    repository.branches.undo()
    assert repository.head().branch == "main"


def test_the_current_branch_is_not_deleted(repository: Repository) -> None:
    with pytest.raises(Conflict, match="current"):
        repository.branches.delete("main", force=True)


def test_commits_are_not_lost_by_deleting(repository: Repository) -> None:
    """Refused while nothing else reaches the branch; each way of reaching it is enough."""
    branches, root = repository.branches, repository.head().point.commit

    def side(number: int) -> str:
        branches.create("side", root, force=True)
        return repository.append([event(number)], branch="side").head

    tip = side(1)
    with pytest.raises(Conflict, match="no other branch or tag has") as caught:
        branches.delete("side")
    assert "-D" in caught.value.hint
    assert branches.delete("side", force=True) == tip

    tip = side(2)
    branches.create("copy", repository.append([event(3)], branch="side").head)
    branches.create("side", tip, force=True)
    assert branches.delete("side") == tip, "an ancestor of another branch"

    tip = side(4)
    branches.create_tag("v1", tip)
    assert branches.delete("side") == tip

    tip = side(5)
    inner = tag_object(repository, "v2", tip)
    branches.create_tag("v2", tag_object(repository, "v2", inner))
    assert branches.delete("side") == tip, "a tag of a tag"

    tip = side(6)
    merge(repository, "main", [tip])
    assert branches.delete("side") == tip, "merged"


# ---------------------------------------------------------------------------- moving forward


def test_forward_along_first_parents_only(repository: Repository) -> None:
    branches = repository.branches
    first = repository.append([event(1)]).head
    branches.create("old", first)
    branches.create("side", first)
    side = repository.append([event(2)], branch="side").head
    repository.append([event(3)])
    merged = merge(repository, "main", [side]).head
    branches.fast_forward("refs/heads/old", merged, "pull")
    assert ids(repository, "old") == ids(repository, "main")
    with pytest.raises(NotAFastForward, match="positions"):
        branches.fast_forward("refs/heads/side", merged, "pull")  # reachable, by second parent
    with pytest.raises(NotAFastForward):
        branches.fast_forward("refs/heads/old", first, "pull")
    with pytest.raises(NotFound):
        branches.fast_forward("refs/heads/none", first, "pull")
    with pytest.raises(UnknownObject):
        branches.fast_forward("refs/heads/old", "0" * 64, "pull")
    assert commands(repository)[-1] == "pull"


# ---------------------------------------------------------------------------- tags


def test_tags(repository: Repository) -> None:
    branches, head = repository.branches, repository.append([event(1)]).head
    branches.create_tag("v1", head)
    annotated = tag_object(repository, "v2", head)
    branches.create_tag("v2", annotated)
    assert tag_object(repository, "v2", head) == annotated, "written twice, stored once"
    assert refs(repository)["refs/tags/v2"] == annotated
    tag = repository.tag(annotated)
    assert tag is not None
    assert (tag.name, tag.target) == ("v2", head)
    assert repository.tag(head) is None
    assert repository.resolve("v1") == repository.resolve("v2") == repository.resolve("main")
    with pytest.raises(AlreadyExists):
        branches.create_tag("v1", head)
    branches.create_tag("v1", annotated, force=True)
    assert branches.delete_tag("v1") == annotated
    with pytest.raises(NotFound):
        branches.delete_tag("v1")
    assert repository.read_object(annotated) == ("tag", tag.canonical())


# ---------------------------------------------------------------------------- HEAD


def test_head(repository: Repository) -> None:
    first = repository.append(events(0, 3)).head
    assert repository.head().branch == "main"
    assert repository.head().point == Point(first, 3)
    repository.branches.set_head(f"{first}#2", "checkout", {})
    assert repository.head().branch is None
    assert repository.head().point == Point(first, 2)
    count = len(commands(repository))
    repository.branches.set_head(f"{first}#2", "checkout", {})
    assert len(commands(repository)) == count, "nothing moved, nothing recorded"
    repository.branches.set_head("ref: refs/heads/gone", "switch", {})
    with pytest.raises(NotFound, match="refs/heads/gone"):
        repository.head()
    with pytest.raises(NotFound):
        repository.append([event(9)])
    repository.branches.undo()
    assert repository.head().point == Point(first, 2)


# ---------------------------------------------------------------------------- undo


def test_undo_and_redo(repository: Repository, clock: Clock) -> None:
    root = repository.head().point.commit
    first = repository.append([event(1)]).head
    repository.branches.create("side", first)
    undone = repository.branches.undo()
    assert (undone.command, undone.number) == ("branch", 3)
    assert repository.branches.undo().command == "commit"
    assert repository.head().point.commit == root
    with pytest.raises(EvgitError, match="nothing to undo"):
        repository.branches.undo()
    assert repository.branches.redo().arguments == {"operation": 2}
    assert repository.head().point.commit == first
    assert repository.branches.redo().arguments == {"operation": 3}
    assert refs(repository)["refs/heads/side"] == first
    with pytest.raises(EvgitError, match="nothing to redo"):
        repository.branches.redo()
    repository.branches.undo()
    clock.now += 1
    repository.append([event(2)])
    with pytest.raises(EvgitError, match="nothing to redo"):
        repository.branches.redo()


def test_undo_takes_back_what_one_process_appended_to_one_branch(repository: Repository) -> None:
    for number in range(5):
        repository.append([event(number)])
    with Repository.open(repository.layout.directory, clock=repository.clock) as other:
        other.append([event(10)])
        other.append([event(11)])
        assert commands(other) == ["init", "commit", "commit"]
        other.branches.undo()
        assert len(ids(repository)) == 5
        repository.branches.undo()
        assert ids(other) == []


def test_undo_does_not_move_what_others_have_moved_since(repository: Repository) -> None:
    repository.append([event(1)])
    head = repository.append([event(2)], message="x").head
    repository._connection.execute(
        "UPDATE refs SET target=? WHERE name='refs/heads/main'", (repository.id,)
    )
    with pytest.raises(Conflict, match="another process moved it"):
        repository.branches.undo()
    assert refs(repository)["refs/heads/main"] == repository.id != head


def test_refs_as_they_were(repository: Repository) -> None:
    history = [refs(repository)]
    root = repository.head().point.commit
    steps: list[Any] = [
        lambda: repository.append([event(1)]),
        lambda: repository.branches.create("a", root),
        lambda: repository.branches.create_tag("t", root),
        lambda: repository.branches.rename("main", "trunk"),
        lambda: repository.append([event(2)], branch="a"),
        lambda: repository.branches.delete("a", force=True),
        lambda: repository.branches.set_head(root, "checkout", {}),
        repository.branches.undo,
    ]
    for step in steps:
        step()
        history.append(refs(repository))
    for number, expected in enumerate(history, 1):
        assert repository.branches.refs_at(number) == expected
    with pytest.raises(NotFound, match="no operation 99"):
        repository.branches.refs_at(99)
    for number in (3, 1, 7, len(history), 5):
        changes = repository.branches.restore(number)
        assert refs(repository) == history[number - 1]
        assert all(change.old != change.new for change in changes)
    assert repository.branches.restore(5) == []
    repository.branches.undo()
    assert refs(repository) == history[-1]
    assert repository.fsck().clean


class Moves(RuleBasedStateMachine):
    """Any sequence of moves, undone and redone, against a list of what refs were."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="evgit-test-")
        self.clock = Clock()
        self.repository = new(Path(self.directory.name) / "r", self.clock)
        self.done: list[tuple[dict[str, str], dict[str, str]]] = []  # (before, after)
        self.undone: list[tuple[dict[str, str], dict[str, str]]] = []
        self.was: list[dict[str, str]] = [refs(self.repository)]
        self.count = 0

    def teardown(self) -> None:
        for number, expected in enumerate(self.was, 1):
            assert self.repository.branches.refs_at(number) == expected
        assert self.repository.fsck().clean
        self.repository.close()
        self.directory.cleanup()

    @initialize()
    def start(self) -> None:
        self.moved(lambda: self.repository.branches.create("b0", self.repository.id))

    def moved(self, move: Any) -> None:
        before = refs(self.repository)
        operations = len(commands(self.repository))
        try:
            move()
        except EvgitError:
            assert refs(self.repository) == before
            return
        after = refs(self.repository)
        if len(commands(self.repository)) > operations:
            self.done.append((before, after))
            self.was.append(after)
        elif after != before:  # an append that went on where the last one stopped
            self.done[-1] = (self.done[-1][0], after)
            self.was[-1] = after
        else:
            return
        self.undone.clear()

    @rule(branch=st.sampled_from(["b0", "b1", "main"]))
    def append(self, branch: str) -> None:
        self.count += 1
        self.clock.now += 1
        self.moved(lambda: self.repository.append([event(self.count)], branch=branch))

    @rule(name=st.sampled_from(["b1", "b2", "b1/x"]), force=st.booleans())
    def create(self, name: str, force: bool) -> None:
        target = self.repository.head().point.commit
        self.moved(lambda: self.repository.branches.create(name, target, force=force))

    @rule(name=st.sampled_from(["b0", "b1", "main"]), force=st.booleans())
    def delete(self, name: str, force: bool) -> None:
        self.moved(lambda: self.repository.branches.delete(name, force=force))

    @rule(old=st.sampled_from(["b0", "b1", "main"]), name=st.sampled_from(["b2", "main", "b0/y"]))
    def rename(self, old: str, name: str) -> None:
        self.moved(lambda: self.repository.branches.rename(old, name))

    @precondition(lambda self: self.done)
    @rule()
    def undo(self) -> None:
        self.repository.branches.undo()
        before, after = self.done.pop()
        self.undone.append((before, after))
        self.was.append(before)

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self) -> None:
        self.repository.branches.redo()
        before, after = self.undone.pop()
        self.done.append((before, after))
        self.was.append(after)

    @invariant()
    def as_expected(self) -> None:
        assert refs(self.repository) == self.was[-1]
        names = list(refs(self.repository))
        assert not [a for a in names for b in names if b.startswith(a + "/")]


TestMoves = Moves.TestCase
TestMoves.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_a_writer_follows_head_that_another_process_moved(tmp_path: Path) -> None:
    with new(tmp_path / "r", Clock()) as one:
        one.append([event(1)])
        with Repository.open(one.layout.directory, clock=Clock()) as other:
            other.branches.create("side", one.resolve_commit())
            other.branches.set_head("ref: refs/heads/side", "switch", {})
        one.append([event(2)])
        assert ids(one, "main") == [event(1).id]
        assert ids(one, "side") == [event(1).id, event(2).id]
