"""Refs move by compare-and-swap; the op log remembers, coalesces and can be gone back in."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import Conflict, NotFound
from evgit.storage import schema
from evgit.storage.operations import OperationLog, RefChange
from evgit.storage.refs import Ref, RefStore


class Stores:
    """A database with refs and operations, in memory."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.execute(schema.TRUTH)
        self.refs = RefStore(self.connection)
        self.operations = OperationLog(self.connection)
        self.clock = 0

    def record(
        self,
        *changes: tuple[str, str | None, str | None],
        command: str = "commit",
        writer: str = "w",
        continues: bool = False,
        within: int | None = None,
        **arguments: object,
    ) -> None:
        self.clock += 1
        self.operations.record(
            [RefChange(*change) for change in changes],
            now=self.clock,
            actor="Ada",
            writer=writer,
            command=command,
            arguments=arguments,
            continues=continues,
            within=within,
        )

    def changes(self) -> list[list[tuple[str, str | None, str | None]]]:
        return [[tuple(c) for c in o.changes] for o in self.operations.newest_first()][::-1]


@pytest.fixture
def stores() -> Stores:
    return Stores()


def test_a_ref_moves_only_from_where_it_is(stores: Stores) -> None:
    refs = stores.refs
    refs.move([RefChange("refs/heads/main", None, "a")])
    assert refs.get("refs/heads/main") == "a"
    refs.move([RefChange("refs/heads/main", "a", "b")])
    for old in (None, "a"):
        with pytest.raises(Conflict, match="refs/heads/main is at b"):
            refs.move([RefChange("refs/heads/main", old, "c")])
    with pytest.raises(Conflict, match="is at nothing, not at a"):
        refs.move([RefChange("refs/heads/other", "a", "b")])
    refs.move([RefChange("refs/heads/main", "b", None)])
    assert refs.get("refs/heads/main") is None
    assert refs.under("") == []


def test_several_refs_move_together_or_not_at_all(stores: Stores) -> None:
    refs = stores.refs
    refs.move([RefChange("x", None, "1"), RefChange("y", None, "1")])
    with pytest.raises(Conflict, match="y is at 1, not at 2"):
        refs.move([RefChange("x", "1", "9"), RefChange("y", "2", "9")])
    assert refs.under("") == [Ref("x", "1"), Ref("y", "1")]
    refs.move([RefChange("x", "1", None), RefChange("y", "1", "2"), RefChange("z", None, "1")])
    assert refs.under("") == [Ref("y", "2"), Ref("z", "1")]


def test_refs_are_listed_by_prefix_and_in_order(stores: Stores) -> None:
    names = [
        "refs/heads/a",
        "refs/heads/a-b",
        "refs/heads/a/b",
        "refs/heads/ä",
        "refs/headsx",
        "HEAD",
    ]
    stores.refs.move([RefChange(name, None, "1") for name in names])
    assert [ref.name for ref in stores.refs.under("refs/heads/a")] == names[:3]
    assert [ref.name for ref in stores.refs.under("refs/heads/")] == names[:4]
    assert [ref.name for ref in stores.refs.under("")] == sorted(names)


ref_names = st.sampled_from(["a", "b", "c"])
targets = st.sampled_from([None, "1", "2", "3"])


@settings(max_examples=100)
@given(
    attempts=st.lists(
        st.lists(st.tuples(ref_names, targets, targets), max_size=3, unique_by=lambda c: c[0]),
        max_size=15,
    )
)
def test_moving_refs_is_compare_and_swap(
    attempts: list[list[tuple[str, str | None, str | None]]],
) -> None:
    stores = Stores()
    model: dict[str, str] = {}
    for attempt in attempts:
        changes = [RefChange(*change) for change in attempt]
        if all(model.get(change.ref) == change.old for change in changes):
            stores.refs.move(changes)
            for change in changes:
                model.pop(change.ref, None)
                if change.new is not None:
                    model[change.ref] = change.new
        else:
            with pytest.raises(Conflict):
                stores.refs.move(changes)
        assert {ref.name: ref.target for ref in stores.refs.under("")} == model


# ---------------------------------------------------------------------------- operations


def test_appends_of_one_process_to_one_branch_are_one_operation(stores: Stores) -> None:
    for old, new in [("a", "b"), ("b", "c"), ("c", "d")]:
        stores.record(("main", old, new), continues=True)
    (operation,) = stores.operations.newest_first()
    assert operation.changes == [RefChange("main", "a", "d")]
    assert (operation.started, operation.finished) == (1, 3)


@pytest.mark.parametrize(
    ("what", "between"),
    [
        ("another writer", {"change": ("main", "b", "b2"), "writer": "v"}),
        ("another branch", {"change": ("side", "x", "y")}),
        ("another command", {"change": ("main", "b", "b2"), "command": "import"}),
        ("what can't be continued", {"change": ("main", "b", "b2"), "continues": False}),
    ],
)
def test_what_ends_an_operation(stores: Stores, what: str, between: dict[str, object]) -> None:
    stores.record(("main", "a", "b"), continues=True)
    arguments = {"continues": True, **between}
    change = arguments.pop("change")
    stores.record(change, **arguments)  # type: ignore[arg-type]
    if what == "what can't be continued":
        # It stands alone itself, but the same writer's next append goes on there.
        assert len(stores.changes()) == 2, what
        return
    stores.record(("main", "b", "c"), continues=True)
    assert len(stores.changes()) == 3, what


def test_a_pause_ends_an_operation(stores: Stores) -> None:
    """So that a service's appends of months are not undone at once; of an import they are."""
    stores.record(("main", "a", "b"), continues=True, within=10)
    stores.clock += 9
    stores.record(("main", "b", "c"), continues=True, within=10)
    stores.clock += 10
    stores.record(("main", "c", "d"), continues=True, within=10)
    stores.clock += 10**12
    stores.record(("main", "d", "e"), continues=True)
    assert stores.changes() == [[("main", "a", "c")], [("main", "c", "e")]]


def test_its_end_is_later_each_time_an_operation_grows(stores: Stores) -> None:
    """Also where the clock stands still, or goes back: of two states the later one is known."""
    ends = []
    for old, new in [("a", "b"), ("b", "c"), ("c", "d")]:
        stores.clock = 5
        stores.record(("main", old, new), continues=True)
        ends.append(next(stores.operations.newest_first()).finished)
    assert ends == [6, 7, 8]


def test_an_append_from_elsewhere_starts_anew(stores: Stores) -> None:
    """The branch was moved without this log's last entry having done it."""
    stores.record(("main", "a", "b"), continues=True)
    stores.record(("main", "x", "y"), continues=True)
    assert stores.changes() == [[("main", "a", "b")], [("main", "x", "y")]]


def test_operations_keep_what_was_done(stores: Stores) -> None:
    stores.record(
        ("a", None, "1"), ("HEAD", "x", None), command="branch -m", old="ä", new=[1, None]
    )
    operation = stores.operations.get(1)
    assert operation.command == "branch -m"
    assert operation.arguments == {"old": "ä", "new": [1, None]}
    assert operation.changes == [RefChange("a", None, "1"), RefChange("HEAD", "x", None)]
    assert (operation.number, operation.actor, operation.writer) == (1, "Ada", "w")
    with pytest.raises(NotFound, match="no operation 2"):
        stores.operations.get(2)


def test_many_operations_are_read_in_pages(stores: Stores) -> None:
    for number in range(250):
        stores.record((f"r{number % 3}", str(number), str(number + 1)))
    numbers = [operation.number for operation in stores.operations.newest_first()]
    assert numbers == list(range(250, 0, -1))
    moved = [change.new for _, change in stores.operations.changes_of("r1")]
    assert moved == [str(n + 1) for n in range(249, -1, -1) if n % 3 == 1]


class UndoModel:
    """What undo and redo mean: a list of what counts, and a list of what was undone."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.undone: list[tuple[int, int]] = []  # (operation, the undo that took it back)


@settings(max_examples=150)
@given(steps=st.lists(st.sampled_from(["do", "undo", "redo"]), max_size=25))
def test_undo_and_redo_as_a_stack(steps: list[str]) -> None:
    stores, model = Stores(), UndoModel()
    number = 0
    for step in steps:
        to_undo, to_redo = stores.operations.to_undo(), stores.operations.to_redo()
        assert (to_undo and to_undo.number) == (model.done[-1] if model.done else None)
        assert (to_redo and to_redo.number) == (model.undone[-1][1] if model.undone else None)
        if step == "do":
            stores.record(("main", str(number), str(number + 1)), command="commit")
            number += 1
            model.done.append(number)
            model.undone.clear()
        elif step == "undo" and to_undo is not None:
            stores.record(("main", "x", "y"), command="undo", operation=to_undo.number)
            number += 1
            model.undone.append((model.done.pop(), number))
        elif step == "redo" and to_redo is not None:
            stores.record(("main", "y", "x"), command="redo", undo=to_redo.number)
            number += 1
            model.done.append(model.undone.pop()[0])
