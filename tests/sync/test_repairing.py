"""`fsck --repair-from`: whatever was damaged comes back from a clone, and nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from evgit.errors import BehindBoundary, Damage, InvalidObject, TransferInterrupted, UnknownObject
from evgit.formats.tag import Tag
from evgit.formats.times import to_text
from evgit.repository import Mended, NewEvent, Repository, create_bundle, repair
from tests.history.making import NOW, Clock, event, events, merge, row
from tests.sync.making import USING, cloned


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Repository]:
    """Two branches, a merge, an event that stands elsewhere, a tag object, blobs of both kinds."""
    with Repository.init(tmp_path / "here", bare=True, author="Ada <>", clock=Clock()) as made:
        small, size = made.write_blob(BytesIO(b"small"))
        large, more = made.write_blob(BytesIO(b"x" * 100_000))
        made.append(events(0, 300, 7))
        made.branches.create("side", row(made).hex)
        made.append([event(500, "t", key="k"), event(501, "t", blobs={small: size, large: more})])
        made.append([event(600, "u"), event(500, "t", key="k")], branch="side")
        merge(made, "main", [row(made, "side").hex])
        tag = Tag(message="", name="v1", tagger="Ada", target=row(made).hex, time=to_text(NOW))
        made.branches.create_tag("v1", made.branches.write_tag(tag))
        made.append(events(900, 950, 3))
        yield made


@pytest.fixture
def there(here: Repository, tmp_path: Path) -> Repository:
    """A clone, made while all was well; not every branch is a branch of it."""
    made = cloned(here, tmp_path / "there")
    made.branches.create("side", row(here, "side").hex)
    return made


def mended(repository: Repository, *sources: Repository | Path) -> Mended:
    """Repair from these."""
    places = [str(s if isinstance(s, Path) else s.layout.directory) for s in sources]
    return repair(repository, places, repository.fsck(), using=USING)


def everything(repository: Repository) -> object:
    """Refs, operations, and all events of all branches."""
    refs = [(ref.name, ref.target) for ref in repository.refs("")]
    logs = {
        name: [(found.id, found.data) for found in repository.events(name)]
        for name in ("main", "side")
    }
    return refs, list(repository.operations()), logs


def spoil(repository: Repository, sql: str) -> None:
    with suppress(Damage):
        repository.history.connection.execute(sql)
    repository.history.forget()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line>0",
        "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=1",
        "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=0",
        "UPDATE blocks SET frames=zeroblob(length(frames)) WHERE first_line=1",
        "DELETE FROM blocks WHERE first_line>1",
        "UPDATE commits SET size=size+1, checksum=checksum+1",
        "DELETE FROM commits WHERE number>1",
        "UPDATE objects SET data=zeroblob(length(data))",
        "DELETE FROM objects",
        "UPDATE blobs SET data=zeroblob(length(data)) WHERE data IS NOT NULL",
        "DELETE FROM blobs",
    ],
)
def test_what_is_damaged_comes_back(here: Repository, there: Repository, sql: str) -> None:
    before = everything(here)
    spoil(here, sql)
    assert not here.fsck().clean
    mended(here, there)
    assert here.fsck().problems == []
    assert everything(here) == before
    with Repository.open(here.layout.directory, clock=Clock()) as again:
        assert everything(again) == before
        again.append([NewEvent("a-1", "counted", {"n": 1})])
        assert again.fsck().clean


def test_damaged_and_missing_packs(here: Repository, there: Repository) -> None:
    before = everything(here)
    here.gc()
    [pack] = here.layout.packs.glob("*.evpack")
    pack.write_bytes(pack.read_bytes()[:-5000] + bytes(5000))
    here.history.forget()
    assert not here.fsck().clean
    mended(here, there)
    assert here.fsck().problems == []
    assert everything(here) == before
    here.gc()
    for pack in here.layout.packs.glob("*.evpack"):
        pack.unlink()
    here.history.forget()
    mended(here, there)
    assert everything(here) == before


def test_a_damaged_file_of_a_blob(here: Repository, there: Repository) -> None:
    [file] = [path for path in here.layout.blobs.glob("*/*") if path.is_file()]
    file.write_bytes(b"short")
    done = mended(here, there)
    assert (done.commits, done.blobs) == (0, 1)
    assert here.fsck().clean
    file.unlink()
    mended(here, there)
    assert here.fsck().clean


def test_what_only_this_one_has_stays(here: Repository, there: Repository) -> None:
    """Commits that nobody else has, as long as they themselves can be read."""
    own = here.append([NewEvent("own-1", "counted", {"n": 1})])
    before = everything(here)
    spoil(here, "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=1")
    done = mended(here, there)
    assert done.commits == done.received + 1
    assert everything(here) == before
    assert row(here).hex == own.head


def test_what_nobody_has_is_named_and_nothing_changes(here: Repository, there: Repository) -> None:
    own = here.append([NewEvent("own-1", "counted", {"n": 1})])
    spoil(here, "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line>300")
    blocks = here.history.connection.execute("SELECT * FROM blocks").fetchall()
    with pytest.raises(UnknownObject, match=own.head):
        mended(here, there)
    assert here.history.connection.execute("SELECT * FROM blocks").fetchall() == blocks
    assert row(here).hex == own.head


def test_several_have_together_what_none_has_alone(
    here: Repository, there: Repository, tmp_path: Path
) -> None:
    here.branches.create("other", row(here, "main~1").hex)
    here.append([NewEvent("o-1", "counted", {"n": 1})], branch="other")
    bundle = tmp_path / "other.evpack"
    create_bundle(here.store, bundle, {"refs/heads/other": row(here, "other").hex})
    before = everything(here)
    spoil(here, "UPDATE blocks SET data=zeroblob(length(data))")
    with pytest.raises(UnknownObject, match="other"):
        mended(here, there)
    with pytest.raises(UnknownObject, match="main"):
        mended(here, bundle)
    mended(here, there, bundle)
    assert here.fsck().clean
    assert everything(here) == before


def test_the_others_are_believed_nothing(here: Repository, there: Repository) -> None:
    """A clone that is damaged itself, one of another repository, and none at all."""
    before = everything(here)
    spoil(here, "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=1")
    spoil(there, "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=1")
    with pytest.raises((Damage, InvalidObject, TransferInterrupted)):
        mended(here, there)
    path = here.layout.directory.with_name("stranger")
    with (
        Repository.init(path, bare=True, author="Eve <>") as stranger,
        pytest.raises(InvalidObject),
    ):
        mended(here, stranger)
    assert not here.fsck().clean
    assert [ref.target for ref in here.refs("")] == [target for _, target in before[0]]  # type: ignore[index]


def test_a_shallow_one_can_not_be_repaired(here: Repository, tmp_path: Path) -> None:
    from evgit.repository import clone

    shallow, _ = clone(
        str(here.layout.directory), tmp_path / "shallow", using=USING, bare=True, depth=1
    )
    spoil(shallow, "UPDATE blocks SET frames=zeroblob(length(frames))")
    with pytest.raises((BehindBoundary, Damage)):
        mended(shallow, here)


@pytest.mark.parametrize("seed", range(12))
def test_any_bits_of_the_blocks(here: Repository, there: Repository, seed: int) -> None:
    """Some bytes of some blocks are others: all of it comes back, exactly."""
    chance, before = random.Random(seed), everything(here)
    connection = here.history.connection
    blocks = connection.execute("SELECT first_line, data FROM blocks WHERE first_line>0").fetchall()
    for line, data in chance.sample(blocks, chance.randint(1, len(blocks))):
        assert isinstance(data, bytes)
        spoilt = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        connection.execute("UPDATE blocks SET data=? WHERE first_line=?", (bytes(spoilt), line))
    here.history.forget()
    if not here.fsck().clean:
        mended(here, there)
    assert here.fsck().problems == []
    assert everything(here) == before
