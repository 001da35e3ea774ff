"""What stands where a repository should be, and files that are cut off or gone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from evgit.errors import (
    AlreadyExists,
    Damage,
    EvgitError,
    NotADatabase,
    NotARepository,
    Unavailable,
    UnsupportedFormat,
)
from evgit.repository import Repository
from evgit.storage import schema
from tests.faults.making import ids, numbered, small_history

NOBODY = 65534


@pytest.fixture
def path(quick_path):
    small_history(quick_path)
    return quick_path / ".evgit" / "evgit.db"


def test_nothing_there(quick_path):
    with pytest.raises(NotARepository, match="no evgit repository") as told:
        Repository.open(quick_path)
    assert "evgit init" in told.value.hint


def test_a_repository_without_its_database(path):
    """It is not mistaken for none, nor for the one around it."""
    inner = path.parent.parent / "inner"
    Repository.init(inner).close()
    inside = Repository.open(inner)
    inside.checkout()
    inside.close()
    (inner / ".evgit" / "evgit.db").unlink()
    with pytest.raises(NotARepository, match=r"evgit\.db is missing") as told:
        Repository.open(inner / "x")
    assert str(inner / ".evgit") in told.value.message
    assert "backup" in told.value.hint
    # What holds nothing of a repository is passed by.
    (path.parent.parent / "other" / ".evgit").mkdir(parents=True)
    with Repository.open(path.parent.parent / "other") as around:
        assert around.layout.database == path


def test_a_bare_repository_is_not_made_around_another(path):
    with pytest.raises(AlreadyExists, match="already"):
        Repository.init(path.parent.parent, bare=True)
    assert not (path.parent.parent / "evgit.db").exists()


@pytest.mark.parametrize("content", [b"not a database " * 100, b"x", b"\0" * 4096])
def test_not_a_database(path, content):
    path.write_bytes(content)
    with pytest.raises((NotADatabase, Damage)) as told:
        Repository.open(path.parent)
    assert str(path) in told.value.message
    assert told.value.hint
    assert path.read_bytes() == content, "nothing is changed"
    with pytest.raises(AlreadyExists):
        Repository.init(path.parent.parent)


def test_an_empty_file(path):
    path.write_bytes(b"")
    with pytest.raises(NotADatabase):
        Repository.open(path.parent)


def test_a_database_of_something_else(path):
    path.unlink()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    other.close()
    with pytest.raises(NotADatabase, match="not an evgit one"):
        Repository.open(path.parent)


def test_a_newer_format(path):
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA user_version={schema.SHALLOW_VERSION + 1}")
    connection.close()
    with pytest.raises(
        UnsupportedFormat, match=f"storage format {schema.SHALLOW_VERSION + 1}"
    ) as told:
        Repository.open(path.parent)
    assert "newer evgit" in told.value.hint


def test_a_file_that_is_cut_off(path):
    whole = path.read_bytes()
    with Repository.open(path.parent) as repository:
        every = ids(repository)
    for kept in range(0, len(whole), 5000):
        path.write_bytes(whole[:kept])
        assert answer_or_error(path, every), f"{kept} bytes of {len(whole)} passed for whole"


def answer_or_error(path: Path, every: list[str]) -> str:
    """What is said of a file that is cut off; "" if it passes for whole. Reading is never wrong."""
    try:
        with Repository.open(path.parent) as repository:
            report = repository.fsck()
            assert ids(repository) == every
            return " ".join(problem.message for problem in report.problems)
    except EvgitError as error:
        return error.message


def unclosed(directory: Path, count: int) -> None:
    """Append and end without closing, so that the write-ahead log stays."""
    child = os.fork()
    if not child:
        repository = Repository.open(directory)
        for number in range(count):
            repository.append(numbered(700 + number, 1))
        os._exit(0)
    os.waitpid(child, 0)


def test_a_log_that_is_cut_off(path):
    """SQLite drops what is incomplete: what remains is a history that was true at some time."""
    with Repository.open(path.parent) as repository:
        before = ids(repository)
    unclosed(path.parent, 6)
    log = path.with_name("evgit.db-wal")
    whole, file = log.read_bytes(), path.read_bytes()
    marked = path.with_name("acknowledged").read_bytes()
    lengths = set()
    for kept in range(0, len(whole) + 1, 3000):
        path.write_bytes(file)
        path.with_name("evgit.db-shm").unlink(missing_ok=True)
        log.write_bytes(whole[:kept])
        with Repository.open(path.parent) as repository:
            found = ids(repository)
            lengths.add(len(found) - len(before))
            assert found[: len(before)] == before
            kinds = {problem.kind for problem in repository.fsck().problems}
            assert kinds == (set() if len(found) == len(before) + 6 else {"lost"})
            repository.layout.losses.unlink(missing_ok=True)
        path.with_name("acknowledged").write_bytes(marked)
    assert {0, 5} <= lengths


def test_a_log_that_is_deleted_is_noticed(path):
    """On opening, until somebody has taken note; also where others have appended since."""
    with Repository.open(path.parent) as repository:
        before = ids(repository)
        assert repository.lost == []
    unclosed(path.parent, 3)
    path.with_name("evgit.db-wal").unlink()
    with Repository.open(path.parent) as repository:
        assert ids(repository) == before
        [loss] = repository.lost
        assert loss.operation == 1 + loss.found
        for number in range(9):
            repository.append(numbered(900 + number, 1))
    with Repository.open(path.parent) as repository:
        assert repository.lost == [loss]
        assert [problem.kind for problem in repository.fsck().problems] == ["lost"]
        repository.layout.losses.unlink()
    with Repository.open(path.parent) as repository:
        assert repository.lost == []
        assert repository.fsck().clean


def test_an_older_copy_of_the_database_is_noticed(path):
    older = path.read_bytes()
    with Repository.open(path.parent) as repository:
        repository.append(numbered(900, 1))
    path.write_bytes(older)
    with Repository.open(path.parent) as repository:
        assert len(repository.lost) == 1


def test_a_part_of_an_operation_that_is_gone_is_noticed(path):
    """One process's appends are one operation, which grows: its end counts, too."""
    with Repository.open(path.parent) as repository:
        repository.append(numbered(900, 1))
        repository.history.connection.wal_checkpoint()
        older = path.read_bytes()
        repository.append(numbered(901, 1))
        operation = next(repository.operations()).number
    path.write_bytes(older)
    with Repository.open(path.parent) as repository:
        [loss] = repository.lost
        assert loss.operation == loss.found == operation
        assert "a shorter part of it" in loss.message


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 51, b"garbage", b"9" * 20 + b" " + b"9" * 20 + b" 00000000\n"]
)
def test_a_marker_that_is_not_whole_says_nothing(path, body):
    """It is never synced: a power cut may leave an old one, an empty one, or any."""
    path.with_name("acknowledged").write_bytes(body)
    with Repository.open(path.parent) as repository:
        assert repository.lost == []


def test_a_marker_may_say_less_than_there_is(path):
    marker = path.with_name("acknowledged")
    unclosed(path.parent, 1)
    older = marker.read_bytes()
    unclosed(path.parent, 3)
    marker.write_bytes(older)
    with Repository.open(path.parent) as repository:
        assert repository.lost == []
        repository.branches.undo()
        repository.append(numbered(950, 1))
        repository.branches.expire_operations(repository.clock() + 10**12)
    with Repository.open(path.parent) as repository:
        assert repository.lost == []


def test_shared_memory_that_is_gone(path):
    with Repository.open(path.parent) as repository:
        before = len(ids(repository))
    unclosed(path.parent, 3)
    path.with_name("evgit.db-shm").unlink()
    with Repository.open(path.parent) as repository:
        assert len(ids(repository)) == before + 3
        assert repository.fsck().clean


def use(opened: Callable[[], Repository]) -> str:
    """Read and write; what came of it in few words."""
    said = ""
    try:
        with opened() as repository:
            said += f"read {len(list(repository.events()))} "
            repository.append(numbered(900, 1))
            said += "wrote"
    except EvgitError as error:
        said += f"{type(error).__name__} {error.exit_code} {bool(error.hint)}"
    return said


def as_another(opened: Callable[[], Repository]) -> str:
    """The same as a user who owns nothing here (root may always write, so it becomes nobody)."""
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            os.write(sending, use(opened).encode())
        finally:
            os._exit(0)
    os.close(sending)
    os.waitpid(child, 0)
    with os.fdopen(receiving) as answer:
        return answer.read()


@pytest.fixture
def public():
    """A repository that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="evgit-tests-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        small_history(place)
        (place / ".evgit").chmod(0o755)
        yield place
        for found in (place / ".evgit", place / ".evgit" / "evgit.db"):
            found.chmod(0o755)


def test_what_may_only_be_read(public):
    (public / ".evgit" / "evgit.db").chmod(0o444)
    (public / ".evgit").chmod(0o555)
    assert as_another(partial(Repository.open, public)) == "read 306 ReadOnly 7 True"


def test_what_may_not_be_read(public):
    (public / ".evgit" / "evgit.db").chmod(0o000)
    assert as_another(partial(Repository.open, public)) == "ReadOnly 7 True"


def test_init_where_nothing_may_be_written(public):
    other = public / "other"
    other.mkdir()
    other.chmod(0o555)
    assert as_another(partial(Repository.init, other)) == "ReadOnly 7 True"
    assert list(other.iterdir()) == []
    other.chmod(0o755)


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    (tmp_path / "share").mkdir()
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\n"
        f"server:/export {tmp_path}/share nfs4 rw 0 0\n"
        f"//server/x {tmp_path}/with\\040space cifs rw 0 0\n"
        "broken line\n"
    )
    read = Path.read_text

    def read_text(self: Path, *arguments: object, **named: object) -> str:
        if str(self) == "/proc/mounts":
            return mounts
        return read(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(Unavailable, match=r"network file system \(nfs4 at .*share\)") as told:
        Repository.init(tmp_path / "share")
    assert "local disk" in told.value.hint
    with pytest.raises(Unavailable, match="cifs"):
        Repository.init(tmp_path / "with space" / "deeper")
    Repository.init(tmp_path / "shared").close()
