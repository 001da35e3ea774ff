"""The second reader, which knows only docs/format.md, agrees with evgit; and notices when not."""

from __future__ import annotations

import random
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from evgit.formats.block import encode_block
from evgit.formats.commit import Commit, LogHead, MergeRecord, decode_commit
from evgit.formats.event import Event, batch_from_events, batch_from_lines
from evgit.history.append import Append
from evgit.repository import Connecting, NewEvent, Repository, clone
from evgit.sync.fetching import Fetch
from tests import independent_reader

NOW = 63_900_000_000_000_000
MICROSECONDS = 1_000_000


def agrees(repository: Repository, directory: Path) -> independent_reader.Report:
    """The reader's report, after every commit in it has been compared with what evgit says."""
    report = independent_reader.read(directory)
    assert report.problems == []
    assert set(report.commits) == {entry.id for entry in repository.walk(tips_of(repository))}
    for commit_id, commit in report.commits.items():
        stored = repository.commit(commit_id).commit
        assert (stored.log.root, stored.log.size) == (commit.tree.root(), commit.size)
        log = repository.log(commit_id)
        assert (log.size, log.root().hex()) == (commit.size, commit.tree.root())
    for ref in repository.refs():
        assert report.refs[ref.name] == ref.target
    return report


def tips_of(repository: Repository) -> list[str]:
    return [ref.target for ref in repository.refs("refs/heads/")]


@pytest.fixture(scope="module")
def history_of_click(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8,719 real events in batches of 500, recorded at their own times."""
    directory = tmp_path_factory.mktemp("click")
    packed = (shared_data / "click-history.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as source:
        lines = source.read().splitlines()
    assert len(lines) == 8_719
    with Repository.init(directory, bare=True) as repository:
        for start in range(0, len(lines), 500):
            batch = batch_from_lines(lines[start : start + 500], start + 1)
            repository.append(batch, recorded_at_event_times=True)
    return directory


def test_a_real_history(history_of_click: Path) -> None:
    with Repository.open(history_of_click) as repository:
        report = agrees(repository, history_of_click)
        assert len(report.streams) == 8_719
        assert len(report.commits) == 19
        head = report.commits[repository.resolve_commit("HEAD")]
        assert [event_id.hex() for event_id in repository.log("HEAD").ids()] == head.log()


def test_it_runs_alone_and_without_evgit(history_of_click: Path, tmp_path: Path) -> None:
    script = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    borrowed = {name.partition('.')[0] for name in sys.modules}\n"
        "    assert not borrowed & {'evgit', 'apsw', 'msgspec'}, borrowed\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, independent_reader.__file__, str(history_of_click)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"events": 8719' in done.stdout
    assert '"problems": []' in done.stdout


# ---------------------------------------------------------------------------- shallow


def test_a_shallow_repository(tmp_path: Path) -> None:
    """Two boundaries, one part of the other's log; a key; and history that goes on."""
    with Repository.init(tmp_path / "whole", bare=True, clock=lambda: NOW) as whole:
        for number in range(9):
            whole.append([NewEvent(f"s-{number % 2}", "counted", {"n": number}, key=f"k-{number}")])
            if number == 5:
                whole.branches.create("side", whole.resolve_commit("HEAD"))
        whole.append([NewEvent("s-1", "noted", {})], branch="side")
        address = str(whole.layout.directory)
        using = Connecting("Ada <a@example.org>", lambda: NOW)
        made, _ = clone(address, tmp_path / "end", using=using, bare=True, depth=2)
        with made as copy:
            copy.sync(using).fetch(copy.sync(using).remote(None), Fetch(branches=["side"], depth=1))
            copy.append([NewEvent("s-0", "counted", {"n": 10})], expected={"s-0": 4})
            report = independent_reader.read(tmp_path / "end")
            assert report.problems == []
            assert set(report.boundaries) == {found.id for found in copy.boundaries}
            assert report.boundaries
            for ref in copy.refs("refs/"):
                log, found = copy.log(ref.target), report.commits[ref.target]
                assert [event_id.hex() for event_id in log.ids()] == found.log()
                assert log.root().hex() == found.tree.root()
    with closing(sqlite3.connect(tmp_path / "end" / "evgit.db")) as database, database:
        database.execute("UPDATE boundaries SET size=size-1")
    assert "boundaries" in independent_reader.read(tmp_path / "end").problems[0]


# ---------------------------------------------------------------------------- random DAGs


class Weaver:
    """Makes commits anywhere on a DAG: forks, merges, events left out and appended again."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = NOW
        self.repository = Repository.init(directory, bare=True, clock=lambda: self.clock)
        self.commits = [self.repository.head().point.commit]
        self.events: list[Event] = []

    def fresh(self) -> Event:
        number = len(self.events)
        event: Event = Event(
            stream=f"s-{self.random.randrange(5)}",
            type="counted",
            data={"n": number, "share": number / 7, "text": "é😀\n"[: number % 4]},
            time=f"2026-01-{1 + number * 7 % 28:02d}T00:00:00.{number:06d}Z",
            key=f"k{number}" if number % 3 == 0 else None,
        )
        self.events.append(event)
        return event

    def step(self) -> None:
        parents = self.random.sample(
            self.commits[-8:], min(len(self.commits), self.random.choice([1, 1, 1, 2, 2, 3]))
        )
        logs = [[i.hex() for i in self.repository.log(parent).ids()] for parent in parents]
        incoming = sorted({e for log in logs[1:] for e in log} - set(logs[0]))
        left_out = self.random.sample(
            incoming, min(len(incoming), self.random.choice([0, 0, 1, 3]))
        )
        own = [self.fresh() for _ in range(self.random.choice([0, 1, 1, 4]))]
        again = self.random.sample(
            self.events, min(len(self.events), self.random.choice([0, 1, 2]))
        )
        own += [event for event in again if event not in own]
        self.clock += self.random.choice([0, MICROSECONDS])
        branch = f"b{len(self.commits)}"
        self.repository.branches.create(branch, parents[0])
        stream = f"s-{self.random.randrange(5)}"
        done = self.repository._appender.append(
            Append(
                batch=batch_from_events(own),
                ref=f"refs/heads/{branch}",
                author="Ada <ada@example.org>",
                now=self.clock,
                actor="Ada",
                writer="w",
                allow_empty=True,
                expected={stream: self.repository.stream_revision(stream, parents[0])},
                further_parents=parents[1:],
                left_out=left_out,
            )
        )
        if done.head not in self.commits:
            self.commits.append(done.head)


@pytest.mark.parametrize("seed", range(4))
def test_random_dags_with_merges(tmp_path: Path, seed: int) -> None:
    weaver = Weaver(tmp_path, seed)
    with weaver.repository as repository:
        for _ in range(40):
            weaver.step()
        report = agrees(repository, tmp_path)
        commits = report.commits.values()
        assert any(len(commit.parents) == 3 for commit in commits)
        assert any(commit.held_back for commit in commits)
        assert any(len(commit.own) < len(commit.added) for commit in commits)
        for commit in commits:
            ids = [event_id.hex() for event_id in repository.log(commit.id).ids()]
            assert ids == commit.log()


# ---------------------------------------------------------------------------- it can say no


def rewrite(directory: Path, change: Callable[[list[bytes]], list[bytes]]) -> list[str]:
    """The problems found once the last block has other lines."""
    database = sqlite3.connect(directory / "evgit.db")
    first_line, data = database.execute(
        "SELECT first_line, data FROM blocks ORDER BY first_line DESC LIMIT 1"
    ).fetchone()
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        lines = change(reader.read().split(b"\n")[:-1])
    block = encode_block(lines[:-1], lines[-1])
    directory_of_frames = b"".join(struct.pack("<II", *frame) for frame in block.frames)
    with database:
        database.execute(
            "UPDATE blocks SET data=?, frames=? WHERE first_line=?",
            (block.data, directory_of_frames, first_line),
        )
    database.close()
    return [
        problem
        for problem in independent_reader.read(directory).problems
        if not problem.startswith("ref ")  # a changed commit is not where the branch leads
    ]


def recommitted(line: bytes, **changes: object) -> bytes:
    commit = decode_commit(line)
    members = {name: getattr(commit, name) for name in commit.__struct_fields__}
    return Commit(**{**members, **changes}).canonical()


ROOT = LogHead("0" * 64, 2)
WRONG: list[tuple[Callable[[list[bytes]], list[bytes]], str]] = [
    (lambda lines: [lines[1], lines[0], lines[2]], "its log has root"),
    (lambda lines: [lines[0].replace(b"100", b"900"), *lines[1:]], "its log has root"),
    (lambda lines: [lines[0], lines[2]], "own events"),
    (lambda lines: [lines[0], lines[0], lines[2]], "is stored twice"),
    (lambda lines: [lines[0].replace(b"{", b"{ ", 1), *lines[1:]], "not canonical JSON"),
    (lambda lines: [lines[0].replace(b"100", b"1e2"), *lines[1:]], "not canonical JSON"),
    (lambda lines: [lines[0].replace(b"opened", b"op ened"), *lines[1:]], "is not an event type"),
    (lambda lines: [b'{"id":"%064d","kind":"again"}' % 7, *lines[1:]], "was not stored before"),
    (lambda lines: [*lines[:2], recommitted(lines[2], log=ROOT)], "its log has root"),
    (lambda lines: [*lines[:2], recommitted(lines[2], guards={"a-1": 0})], "guard of a-1"),
    (
        lambda lines: [*lines[:2], recommitted(lines[2], time="0001-01-01T00:00:00.000001Z")],
        "earlier than its first parent",
    ),
    (
        lambda lines: [*lines[:2], recommitted(lines[2], parents=["7" * 64])],
        "was not stored before",
    ),
    (lambda lines: [*lines[:2], lines[2].replace(b'"format":1', b'"format":2')], "another format"),
    (lambda lines: [*lines[:2], lines[2].replace(b"{", b'{"a":1,', 1)], ""),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_it_notices(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    with Repository.init(tmp_path, bare=True, clock=lambda: NOW) as repository:
        first: Event = Event(
            stream="a-0", type="begun", data={}, time="2026-01-01T00:00:00.000000Z"
        )
        repository.append([first])
        repository.append(
            [
                Event(stream="a-1", type="opened", data={"n": 100}, time=f"2026-01-0{day}T00:00Z")
                for day in (1, 2)
            ],
            expected={"a-1": "none"},
        )
    assert independent_reader.read(tmp_path).problems == []
    assert rewrite(tmp_path, lambda lines: lines) == []
    problems = rewrite(tmp_path, change)
    if said:
        assert len(problems) == 1
        assert said in problems[0]
    else:  # an unknown member of a commit is tolerated
        assert problems == []


def test_it_notices_a_missing_block_and_damage(tmp_path: Path) -> None:
    with Repository.init(tmp_path, bare=True, clock=lambda: NOW) as repository:
        for number in range(3):
            repository.append(
                [Event(stream="a", type="t", data=number, time="2026-01-01T00:00:00.000000Z")]
            )
    database = sqlite3.connect(tmp_path / "evgit.db")
    with database:
        database.execute("UPDATE blocks SET data=substr(data, 2) WHERE first_line=3")
    problems = independent_reader.read(tmp_path).problems
    assert problems[0].startswith("block at line 3: ")
    with database:
        database.execute("DELETE FROM blocks WHERE first_line=3")
    database.close()
    problems = independent_reader.read(tmp_path).problems
    assert problems[0] == "lines 3 to 4 are missing"
    assert problems[-1].startswith("ref refs/heads/main: ")


def test_merges_that_leave_out_stay_within_the_document() -> None:
    """The members that only merges have, as both sides write them."""
    record = MergeRecord(left_out=["1" * 64], model="2" * 64, resolved=[{"n": 1.5}])
    commit = Commit(
        author="",
        events=0,
        log=LogHead("3" * 64, 0),
        merge=record,
        message="",
        parents=["4" * 64, "5" * 64],
        time="2026-01-01T00:00:00.000000Z",
    )
    independent_reader.check_commit(independent_reader.parse(commit.canonical()))
