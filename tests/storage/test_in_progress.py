"""What waits for a decision: one at a time, durable, and only in transactions."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.errors import Conflict, Damage
from evgit.storage import database
from evgit.storage.in_progress import Begun, InProgress


def test_one_at_a_time_and_across_connections(tmp_path: Path) -> None:
    connection = database.create(tmp_path / "evgit.db")
    store = InProgress(connection)
    assert store.get() is None
    store.refuse_any("a merge")
    with database.writing(connection):
        store.begin("merge", {"theirs": "ab", "resolved": [1]})
    other = InProgress(database.open_existing(tmp_path / "evgit.db"))
    assert other.get() == Begun("merge", {"theirs": "ab", "resolved": [1]})
    with pytest.raises(Conflict, match="a merge is in progress, so undo has to wait") as refused:
        other.refuse_any("undo")
    assert "evgit merge --abort" in refused.value.hint
    with pytest.raises(Conflict, match="so a rebase has to wait"), database.writing(connection):
        store.begin("rebase", {})
    with pytest.raises(Conflict, match="another merge has to wait"), database.writing(connection):
        store.begin("merge", {})
    with database.writing(connection):
        store.update({"resolved": []})
    assert other.get() == Begun("merge", {"resolved": []})
    with database.writing(connection):
        store.end()
    assert other.get() is None
    with pytest.raises(Conflict, match="nothing is in progress"), database.writing(connection):
        store.update({})


def test_a_rolled_back_beginning_is_none(tmp_path: Path) -> None:
    connection = database.create(tmp_path / "evgit.db")
    store = InProgress(connection)

    def begin_and_fail() -> None:
        with database.writing(connection):
            store.begin("merge", {})
            store.begin("rebase", {})

    with pytest.raises(Conflict):
        begin_and_fail()
    assert store.get() is None


@pytest.mark.parametrize("text", ["", "{}", '["merge"]', b"x", 7])
def test_damage_is_reported(tmp_path: Path, text: object) -> None:
    connection = database.create(tmp_path / "evgit.db")
    with database.writing(connection):
        database.set_setting(connection, "in progress", text)
    with pytest.raises(Damage, match="what is in progress can't be read"):
        InProgress(connection).get()
