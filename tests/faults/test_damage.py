"""A flipped bit anywhere: an error that names what is hit, or the right answer, never another one.

What SQLite has no checksum for, and evgit none of its own, `fsck` must at least see.
"""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evgit.errors import Damage, DamagedObject, EvgitError, NotFound
from evgit.formats.merkle import Frontier
from evgit.repository import Repository
from tests.faults.making import ids, numbered, small_history

# Answers that rest on the log itself must never be wrong. Those read from the stream index, the op
# log or the list of refs have less to be checked against: there it is enough that fsck sees it.
CERTAIN = ("log", "walk", "root", "event", "blob", "time")
FLIPS = int(os.environ.get("EVGIT_FLIPS", "120"))


def questions(repository: Repository) -> dict[str, Callable[[], Any]]:
    def of(branch: str) -> dict[str, Callable[[], Any]]:
        return {
            f"log {branch}": lambda: ids(repository, branch),
            f"walk {branch}": lambda: [
                entry.id for entry in repository.walk([repository.resolve_commit(branch)])
            ],
            f"root {branch}": lambda: repository.log(branch).root(),
        }

    first = numbered(7, 1, note="frames are cut at 16 KiB")[0]
    assert first.time is not None
    return {
        **of("main"),
        **of("side"),
        "root inside": lambda: repository.log("main").root(280),
        "event": lambda: repository.event(repository.log("main").event(7).id),
        "blob": lambda: [b"".join(repository.blobs.chunks(i)) for i, _ in repository.blobs.all()],
        "stream": lambda: [e.event.id for e in repository.stream("account-3", "main")],
        "streams": lambda: list(repository.streams("side")),
        "operations": lambda: [o.changes for o in repository.operations()],
        "refs": lambda: repository.refs(""),
    }


def ask(repository: Repository) -> dict[str, Any]:
    """Every answer, or the error in its place."""
    found: dict[str, Any] = {}
    for name, question in questions(repository).items():
        try:
            found[name] = question()
        except EvgitError as error:
            found[name] = error
    return found


@pytest.fixture
def made(quick_path):
    """A repository as bytes, and the answers that it must give."""
    small_history(quick_path / "made")
    with Repository.open(quick_path / "made") as repository:
        repository.write_blob(io.BytesIO(b"a small blob" * 50))
        answers = ask(repository)
    assert not any(isinstance(answer, EvgitError) for answer in answers.values())
    return (quick_path / "made" / ".evgit" / "evgit.db").read_bytes(), answers


def placed(data: bytes, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    (directory / ".evgit").mkdir(parents=True)
    (directory / ".evgit" / "evgit.db").write_bytes(data)
    return directory


def test_a_flipped_bit_anywhere(quick_path, made):
    data, right = made
    chance = random.Random(int(os.environ.get("EVGIT_SEED", "1")))
    appended = 0
    for _ in range(FLIPS):
        place, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
        flipped = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        try:
            repository = Repository.open(placed(flipped, quick_path / "flipped"))
        except EvgitError:
            continue
        with repository:
            given = ask(repository)
            wrong = [
                name
                for name, answer in given.items()
                if answer != right[name] and not isinstance(answer, EvgitError)
            ]
            assert [n for n in wrong if n.split()[0] in CERTAIN] == [], (place, bit)
            if any(answer != right[name] for name, answer in given.items()):
                assert not sound(repository), (place, bit, [(n, given[n], right[n]) for n in wrong])
            appended += append_is_right_or_refused(repository, right)
    assert appended > FLIPS // 2


def sound(repository: Repository) -> bool:
    try:
        return repository.fsck().clean
    except EvgitError:
        return False


def append_is_right_or_refused(repository: Repository, right: dict[str, Any]) -> bool:
    """What is appended to a damaged repository continues the true log, or is not appended."""
    try:
        done = repository.append(numbered(5000, 2, day=2), branch="main")
        commit = repository.commit(done.head).commit
    except EvgitError:
        return False
    frontier = Frontier()
    frontier.extend([bytes.fromhex(event_id) for event_id in right["log main"]], None)
    frontier.extend(done.digests, None)
    assert done.appended == 2
    assert (commit.log.size, commit.log.root) == (frontier.size, frontier.root().hex())
    assert commit.parents == [right["walk main"][0]]
    return True


def flip_in_block(repository: Repository, number: int, place: int) -> None:
    """Flip a bit in the data of a commit's block."""
    ((data,),) = repository.history.connection.execute(
        "SELECT data FROM blocks WHERE first_line=?", (number,)
    ).fetchall()
    flipped = bytearray(data)
    flipped[place] ^= 4
    repository.history.connection.execute(
        "UPDATE blocks SET data=? WHERE first_line=?", (bytes(flipped), number)
    )
    repository.history.forget()


@pytest.fixture
def repository(quick_path):
    small_history(quick_path)
    with Repository.open(quick_path) as opened:
        yield opened


def test_damage_in_one_frame_names_its_events(repository):
    """The block of 300 events has several frames: only the events of one are hit."""
    every = ids(repository)
    row = repository.history.graph.by_number(3)  # after the root and one block of two lines
    assert row.events == 300
    first_frame = repository.history.blocks.entry(3).frames[0]
    flip_in_block(repository, 3, first_frame[1] // 2)
    with pytest.raises(DamagedObject) as told:
        ids(repository)
    hit = every[1 : 1 + first_frame[3]]
    assert told.value.ids == [event_id[:8] for event_id in hit]
    assert "other reads and appends go on" in told.value.hint

    after = 1 + first_frame[3]
    assert [e.id for e in repository.events("main", after)] == every[after:], "other reads go on"
    assert repository.event(every[after]).id == every[after]
    with pytest.raises(DamagedObject):
        repository.event(hit[3])
    done = repository.append(numbered(6000, 3, day=3))
    assert ids_from(repository, after) == [*every[after:], *done.ids]
    report = repository.fsck()
    assert {i for p in report.problems for i in p.ids} >= set(told.value.ids)
    with pytest.raises(Damage, match="left as they are"):
        repository.reindex()
    assert ids_from(repository, after) == [*every[after:], *done.ids], "the index is still there"


def ids_from(repository: Repository, start: int) -> list[str]:
    return [event.id for event in repository.events("main", start)]


def test_damage_to_the_commit_line_names_the_commit(repository):
    row = repository.history.graph.by_number(3)
    last = repository.history.blocks.entry(3).frames[-1]
    flip_in_block(repository, 3, last[0] + last[1] // 2)
    with pytest.raises(DamagedObject) as told:
        repository.commit(row.hex)
    assert row.hex in told.value.ids
    assert row.hex in told.value.message


def test_appending_goes_on_where_the_last_block_is_damaged(repository):
    """Neither its frames nor its directory are needed to append; nothing is doubled either."""
    every = ids(repository)
    number, _ = repository.history.blocks.end()
    head = repository.history.graph.get(repository.resolve_commit("main"))
    flip_in_block(repository, head.number, 30)
    assert repository.append(numbered(6000, 2, day=3)).appended == 2
    connection = repository.history.connection
    connection.execute(
        "UPDATE blocks SET latest=0, frames=zeroblob(8)"
        " WHERE first_line=(SELECT max(first_line) FROM blocks)"
    )
    repository.history.forget()
    done = repository.append(
        [*numbered(6100, 1, day=3), *numbered(3, 1, note="frames are cut at 16 KiB")]
    )
    assert (done.appended, done.already) == (1, 1)
    row = repository.history.graph.get(done.head)
    assert row.number == number + 3
    assert row.size == len(every) + 3
    assert "damage" in {problem.kind for problem in repository.fsck().problems}


def test_a_head_that_is_gone(repository):
    repository.history.connection.execute("UPDATE refs SET name='XEAD' WHERE name='HEAD'")
    for revision in ("HEAD", "HEAD~1", "@{1}", "nothing-like-it"):
        with pytest.raises(NotFound):
            repository.resolve(revision)
    assert len(list(repository.events("main"))) == 306
    assert "there is no HEAD" in [problem.message for problem in repository.fsck().problems]


@pytest.mark.parametrize("place", ["start", "middle", "everywhere"])
def test_a_damaged_cache_does_no_harm(repository, place):
    before = dict(repository.state("main").items())
    repository.cache.close()
    path = repository.layout.cache
    data = bytearray(path.read_bytes())
    chance = random.Random(7)
    places = {
        "start": range(16),
        "middle": range(len(data) // 2, len(data) // 2 + 200),
        "everywhere": chance.sample(range(len(data)), 300),
    }[place]
    for number in places:
        data[number] ^= 0x55
    path.write_bytes(data)
    with Repository.open(repository.layout.directory) as opened:
        assert dict(opened.state("main").items()) == before
        assert opened.fsck().clean
