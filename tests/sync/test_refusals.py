"""A push that is refused leaves one line of JSON, and nothing else: who, which refs, why."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evgit.errors import AccessDenied, Conflict, InvalidObject, UnknownObject
from evgit.formats.times import parse_instant
from evgit.repository import Connecting, NewEvent, Repository
from evgit.storage.config import Config
from evgit.sync import refusals
from evgit.sync.messages import (
    BlobReply,
    GetBlobRequest,
    PushReply,
    PushRequest,
    PutBlobRequest,
    Update,
    encode,
)
from evgit.sync.refusals import Refusal, RefusalFile, refusal_line
from evgit.sync.transport import ask
from tests.history.making import Clock
from tests.sync.making import Line, cloned, heads, pushed

MORNING = parse_instant("2026-11-23T08:00:00Z")


@pytest.fixture
def there(tmp_path: Path) -> Repository:
    made = Repository.init(tmp_path / "there", bare=True, author="Eve <>", clock=Clock())
    made.append([NewEvent("a-1", "counted", {"n": 1})])
    return made


def noted(repository: Repository) -> list[dict[str, Any]]:
    path = repository.layout.refusals
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def without_time(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "time"}


def test_a_line_says_who_which_refs_and_why() -> None:
    refusal = Refusal("till-7", "push", ["refs/heads/main"], "Conflict", "main moved in between")
    assert refusal_line(refusal, MORNING, "shop/ledger") == (
        '{"time":"2026-11-23T08:00:00.000000Z","refused":"push","who":"till-7",'
        '"repository":"shop/ledger","refs":["refs/heads/main"],"error":"Conflict",'
        '"message":"main moved in between"}'
    )


def test_what_strangers_write_is_one_short_printable_line() -> None:
    refs = [f"refs/heads/{n}\n\x1b[31m" + "x" * 10_000 for n in range(4096)]
    line = refusal_line(Refusal("x", "push", refs, "InvalidName", "y" * 100_000), MORNING)
    assert line.isprintable()
    assert len(line) < 20_000
    assert json.loads(line)["more_refs"] == 4096 - refusals.MAX_REFS


def test_who_may_not_write_there(tmp_path: Path, there: Repository) -> None:
    here = cloned(there, tmp_path / "here")
    here.append([NewEvent("b-1", "counted", {"n": 2})])
    Config(there.layout.config).set("receive.main.writers", "owner")
    with pytest.raises(AccessDenied):
        pushed(here, there, "main", line=Line(there, name="till-7"))
    [line] = noted(there)
    assert without_time(line) == {
        "refused": "push",
        "who": "till-7",
        "refs": ["refs/heads/main"],
        "error": "AccessDenied",
        "message": "main: 'till-7' is not among those who may push to it (receive.main.writers)",
    }


def test_a_branch_that_moved_in_between(tmp_path: Path, there: Repository) -> None:
    old = heads(there)["main"]
    there.append([NewEvent("b-1", "counted", {"n": 2})])
    update = Update("refs/heads/main", "0" * 64, old)
    with pytest.raises(Conflict):
        ask(Line(there, name="ada"), PushRequest([update]), PushReply)
    [line] = noted(there)
    assert line["error"] == "Conflict"
    assert "moved in between" in line["message"]


def test_what_fails_in_quarantine(there: Repository) -> None:
    old = heads(there)["main"]
    update = Update("refs/heads/main", old, "1" * 64)
    service = there.service("mallory")
    service.answer(encode(PushRequest([update])), [b"no transfer"])
    service.answer(b'{"do":"nonsense"}', [])
    service.answer(encode(PutBlobRequest("../../etc", 5)), [b"12345"])
    assert [(line["refused"], line["who"]) for line in noted(there)] == [
        ("push", "mallory"),
        ("request", "mallory"),
        ("blob", "mallory"),
    ]
    assert heads(there) == {"main": old}


def test_questions_and_pushes_that_go_through_leave_nothing(
    tmp_path: Path, there: Repository
) -> None:
    here = cloned(there, tmp_path / "here")
    here.append([NewEvent("b-1", "counted", {"n": 2})])
    with pytest.raises(UnknownObject):
        ask(Line(there), GetBlobRequest("0" * 64), BlobReply)
    pushed(here, there, "main")
    assert noted(there) == []


def test_by_path_the_user_is_named(tmp_path: Path, there: Repository) -> None:
    here = cloned(there, tmp_path / "here")
    here.append([NewEvent("b-1", "counted", {"n": 2})])
    Config(there.layout.config).set("receive.main.writers", "owner")
    sync = here.sync(Connecting("Ada <>", Clock(), user="ada"))
    remote = sync.remotes.get("origin")
    with pytest.raises(AccessDenied):
        sync.push(remote, sync.pushed_refs(remote, [], "main"))
    assert [line["who"] for line in noted(there)] == ["ada"]


# ---------------------------------------------------------------- the file
def test_the_file_is_bounded_and_keeps_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MAX_FILE_BYTES", 2000)
    path = tmp_path / "refused.jsonl"
    file = RefusalFile(path, lambda: MORNING)
    for number in range(100):
        file.note(Refusal(str(number), "push", [], "Conflict", "moved"))
    older = path.with_name("refused.jsonl.1")
    assert sorted(tmp_path.iterdir()) == [path, older]
    assert path.stat().st_size <= 2000
    assert older.stat().st_size < 2200
    kept = [json.loads(line)["who"] for f in (older, path) for line in f.read_text().splitlines()]
    assert kept == [str(number) for number in range(100 - len(kept), 100)]


def test_many_write_to_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is lost or torn, also while the file is moved away."""
    refusal = Refusal("somebody", "push", [], "Conflict", "moved")
    size = len(refusal_line(refusal, MORNING)) + 1
    monkeypatch.setattr(refusals, "MAX_FILE_BYTES", 120 * size)
    path = tmp_path / "refused.jsonl"

    def write(_: int) -> None:
        RefusalFile(path, lambda: MORNING).note(refusal)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    lines = [line for each in sorted(tmp_path.iterdir()) for line in each.read_text().splitlines()]
    assert lines == [refusal_line(refusal, MORNING)] * 200


def test_where_no_line_can_be_written_the_push_is_refused_all_the_same(
    tmp_path: Path, there: Repository
) -> None:
    there.layout.refusals.mkdir()
    with pytest.raises(InvalidObject):
        ask(Line(there), PushRequest([Update("refs/heads/main", "x", None)]), PushReply)
