"""Whatever a peer sends: a typed error, bounded memory, no ref moved, no trace, no file outside."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import msgspec
import pytest

from evgit.errors import EvgitError
from evgit.formats.transfer import decode_transfer
from evgit.repository import Repository
from evgit.sync.messages import ErrorReply, PushRequest, Update, encode
from evgit.sync.quarantine import Limits
from tests.sync import hostile
from tests.sync.making import Line

ROOT = "00" * 32
TRANSFERS = [name for name, _ in hostile.transfers(ROOT)]
MESSAGES = [name for name, _ in hostile.messages(ROOT)]
MOST_BYTES = 256 << 20


def files(directory: Path) -> list[str]:
    """What lies around the repository, but for what SQLite keeps beside a database."""
    found = (p for p in directory.rglob("*") if not p.name.startswith("evgit.db-"))
    return sorted(str(p.relative_to(directory)) for p in found if p.name != "incoming")


@pytest.fixture
def repository(tmp_path: Path):  # type: ignore[no-untyped-def]
    with hostile.honest(tmp_path / "r") as repository:
        yield repository


def before(repository: Repository) -> object:
    return repository.refs(""), repository.history.end(), list(repository.operations())


def test_there_are_many_of_them() -> None:
    assert len(set(TRANSFERS)) == len(TRANSFERS)
    assert len(TRANSFERS) + len(MESSAGES) >= 90


@pytest.mark.parametrize("count", [hostile.FEW, hostile.MANY])
def test_what_is_honest_is_taken(count: int, repository: Repository) -> None:
    """Otherwise the rest of this module would show nothing."""
    made = hostile.Workshop(repository.id, count).honest()
    with repository.store.arriving([made], Limits()) as received:
        assert (received.commits, received.events) == (1, count)
    assert repository.fsck().clean


@pytest.mark.parametrize("count", [hostile.FEW, hostile.MANY])
@pytest.mark.parametrize("name", TRANSFERS)
def test_a_hostile_transfer_is_refused(
    name: str, count: int, repository: Repository, tmp_path: Path
) -> None:
    made = dict(hostile.transfers(repository.id, count))[name]()
    known, around = before(repository), files(tmp_path)
    chunks = [made[start : start + 65_536] for start in range(0, len(made), 65_536)]
    tracemalloc.start()
    try:
        with pytest.raises(EvgitError) as refused, repository.store.arriving(chunks, Limits()):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.exit_code in (5, 7), refused.value
    assert refused.value.message.isprintable()
    assert peak < MOST_BYTES
    assert before(repository) == known
    assert files(tmp_path) == around
    assert repository.fsck().clean


@pytest.mark.parametrize("name", TRANSFERS)
def test_pushing_it_moves_nothing(name: str, repository: Repository) -> None:
    made = dict(hostile.transfers(repository.id))[name]()
    update = Update("refs/heads/main", repository.resolve_commit("main"), "12" * 32)
    known = before(repository)
    answer = Line(repository).carry(encode(PushRequest([update])), [made])
    assert msgspec.json.decode(answer.message, type=ErrorReply).message
    assert before(repository) == known


@pytest.mark.parametrize("name", MESSAGES)
def test_a_hostile_message_is_refused(name: str, repository: Repository, tmp_path: Path) -> None:
    message = dict(hostile.messages(repository.resolve_commit("main")))[name]
    known, around = before(repository), files(tmp_path)
    answer = Line(repository).carry(message, [])
    reply = msgspec.json.decode(answer.message, type=ErrorReply)
    assert reply.message
    assert before(repository) == known
    log = repository.layout.refusals
    if log.exists():  # of those that were to change something: one line that a terminal can show
        [line] = log.read_text().splitlines()
        assert line.isprintable()
        assert len(line) < 20_000
        log.unlink()
    assert files(tmp_path) == around


def test_limits_of_a_transfer_hold(repository: Repository) -> None:
    made = hostile.Workshop(repository.id).honest()
    known = before(repository)
    for limits in (Limits(text_bytes=100), Limits(commits=0)):
        refused = pytest.raises(EvgitError, match="more than")
        with refused, repository.store.arriving([made], limits):
            pass
    assert before(repository) == known


def test_a_cut_transfer_is_whole_up_to_the_cut(repository: Repository) -> None:
    made = hostile.Workshop(repository.id).honest()
    lines = [
        line for frame in decode_transfer([made + made[:20]], cut_short=True) for line in frame
    ]
    assert len(lines) == 6
