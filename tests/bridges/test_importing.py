"""Imports into real repositories: batches, twins, reruns, interruptions, bad lines."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard

import evgit
from evgit.bridges import line_preparing
from evgit.bridges.git_history import GitHistory
from evgit.bridges.importing import ImportReport, import_git_history, import_lines
from evgit.errors import InvalidEvent, InvalidTime, KeyReused, NotFound, StorageFull, UsageError
from evgit.formats.event import Event
from evgit.formats.times import parse_instant
from evgit.repository import RefChange, Repository
from evgit.storage.operations import OperationLog

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = parse_instant("2026-11-23T12:00:00Z")


@pytest.fixture
def new(tmp_path):
    """Makes repositories, all with the same clock and author."""
    made: list[Repository] = []

    def make(name: str = "r") -> Repository:
        repository = Repository.init(
            tmp_path / name, author="Ada <a@example.org>", clock=lambda: NOW
        )
        made.append(repository)
        return repository

    yield make
    for repository in made:
        repository.close()


def sale(n: int, **members) -> dict[str, object]:
    event = {"stream": f"till-{n % 7}", "type": "sold", "data": {"n": n}}
    return event | {"time": f"2026-03-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z"} | members


def source(*events: dict[str, object], name: str = "sales.jsonl") -> io.BytesIO:
    file = io.BytesIO(b"".join(json.dumps(event).encode() + b"\n" for event in events))
    file.name = name
    return file


def ids(repository: Repository) -> list[str]:
    return [event.id for event in repository.events("main")]


def history(repository: Repository) -> list[tuple[object, ...]]:
    """What two imports of one input must agree on, commit by commit."""
    return [
        (entry.commit.message, entry.commit.time, entry.commit.recorded, entry.commit.log)
        for entry in repository.walk([repository.resolve_commit("main")])
    ]


@pytest.fixture(scope="session")
def click_lines(shared_data) -> list[bytes]:
    packed = (shared_data / "click-history.jsonl.zst").read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()


@pytest.mark.parametrize("size", [100, 5000])
def test_a_real_history_and_the_same_again(new, shared_data, click_lines, size):
    repository = new()
    path = shared_data / "click-history.jsonl.zst"
    report = import_lines(repository, path, batch_size=size)
    assert (report.read, report.appended, report.already) == (8719, 8719, 0)
    assert report.commits == -(-8719 // size)
    assert report.head == repository.resolve_commit("main")
    given = [json.loads(line) for line in click_lines]
    stored = list(repository.events("main"))
    assert [(e.stream, e.type, e.data, e.time, e.meta) for e in stored] == [
        (g["stream"], g["type"], g["data"], g["time"], g["meta"]) for g in given
    ]
    for time in ("2014-04-24T09:51:55Z", "2015-06-01T00:00:00Z", "2020-02-03T10:00:00Z"):
        # In the order of the file, up to the first event after that time.
        before = next(n for n, g in enumerate(given) if g["time"] > f"{time[:-1]}.000000Z")
        assert repository.resolve(f"main@{{{time}}}").size == before
    again = import_lines(repository, path, batch_size=size)
    assert (again.read, again.appended, again.already, again.commits) == (8719, 0, 8719, 0)
    assert repository.resolve("main").size == 8719


def test_real_lines_without_times_every_one_once_per_occurrence(new, shared_data):
    repository = new()
    path = shared_data / "github-webhooks.jsonl.zst"
    packed = path.read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()

    def what(event):
        return json.dumps(event["data"], sort_keys=True), event["stream"], event["type"]

    given = Counter(what(json.loads(line)) for line in lines)
    assert max(given.values()) > 1
    for expected in (len(lines), 0):
        report = import_lines(repository, path, time="2026-11-01", batch_size=77)
        assert (report.read, report.appended) == (len(lines), expected)
    stored = Counter(
        what({"data": e.data, "stream": e.stream, "type": e.type}) for e in repository.events()
    )
    assert stored == given
    with pytest.raises(InvalidEvent, match="line 1: 'time' missing"):
        import_lines(repository, path)


def test_the_same_input_makes_the_same_commits(new):
    events = [sale(n // 2) for n in range(50)]
    one, other = new("one"), new("other")
    for repository in (one, other):
        import_lines(repository, source(*events), batch_size=8)
    assert history(one) == history(other)
    messages = [message for message, *_ in history(one)]
    assert messages[0] == "import sales.jsonl: lines 49-50"
    assert messages[-2] == "import sales.jsonl: lines 1-8"
    assert len(set(ids(one))) == 50


def test_commits_are_recorded_when_their_events_happened(new):
    repository = new()
    late = sale(5, time="2027-01-01T00:00:00Z")  # after now
    import_lines(repository, source(sale(9), sale(3), sale(4), late, late), batch_size=2)
    times = [time for _, time, recorded, _ in history(repository)[:-1] if recorded == "events"]
    assert times == [
        "2026-11-23T12:00:00.000000Z",  # nothing but an event after now: recorded now
        "2026-03-01T00:00:09.000000Z",  # never before its parent
        "2026-03-01T00:00:09.000000Z",
    ]


def test_recorded_now(new):
    repository = new()
    import_lines(repository, source(sale(1)), now=True)
    _, time, recorded, _ = history(repository)[0]
    assert (time, recorded) == ("2026-11-23T12:00:00.000000Z", None)


def test_twins_in_a_batch_and_across_batches(new):
    repository = new()
    events = [sale(1), sale(1), sale(2), sale(1), sale(2)]
    report = import_lines(repository, source(*events), batch_size=2)
    assert (report.appended, report.twins) == (5, 3)
    first, second, third, fourth, fifth = repository.events()
    assert [e.key for e in (first, third)] == [None, None]
    assert second.key == f"twin-2-{first.id}"
    assert fourth.key == f"twin-3-{first.id}"
    assert fifth.key == f"twin-2-{third.id}"
    # Another batch size, or more of the same at the end: nothing is doubled.
    report = import_lines(repository, source(*events, sale(3), sale(1)), batch_size=3)
    assert (report.appended, report.already) == (2, 5)


def test_lines_with_a_key_or_an_origin_are_retries(new):
    repository = new()
    keyed, stamped = sale(1, key="k"), sale(2, origin="o")
    later = sale(1, key="k", time="2026-03-02T00:00:00Z")
    report = import_lines(repository, source(keyed, stamped, keyed, stamped, later), batch_size=2)
    assert (report.read, report.appended, report.already, report.twins) == (5, 2, 3, 0)


def test_another_branch_message_and_author(new):
    repository = new()
    import_lines(
        repository, source(sale(1)), branch="main", message="Old tills", author="Bo <b@example.org>"
    )
    entry = next(iter(repository.walk([repository.resolve_commit("main")])))
    assert (entry.commit.message, entry.commit.author) == ("Old tills", "Bo <b@example.org>")
    with pytest.raises(NotFound):
        import_lines(repository, source(sale(2)), branch="absent")


@pytest.mark.parametrize("bad", [b"{", b'{"stream":"s","stream":"s"}', b"\xff", b"[1]"])
def test_a_bad_line_stops_the_import_after_whole_batches(new, bad):
    repository = new()
    lines = [json.dumps(sale(n)).encode() for n in range(10)]
    lines[3:3] = [b"", b"   "]  # blank lines count in line numbers, not in batches
    lines[9] = bad
    with pytest.raises(InvalidEvent, match=r"^line 10: (?!line)") as refused:
        import_lines(repository, io.BytesIO(b"\n".join(lines)), batch_size=3)
    assert "6 events before it are stored" in refused.value.hint
    assert repository.resolve("main").size == 6
    lines[9] = json.dumps(sale(7)).encode()
    report = import_lines(repository, io.BytesIO(b"\n".join(lines)), batch_size=3)
    assert (report.appended, report.already) == (4, 6)
    assert [e.data["n"] for e in repository.events()] == list(range(10))


def test_a_bad_line_in_the_first_batch_changes_nothing(new):
    repository = new()
    with pytest.raises(InvalidEvent, match="line 2") as refused:
        import_lines(repository, source(sale(1), {"stream": ""}))
    assert "nothing was imported" in refused.value.hint
    assert repository.resolve("main").size == 0


def test_a_key_that_says_something_else(new):
    repository = new()
    with pytest.raises(KeyReused) as refused:
        import_lines(repository, source(sale(1), sale(2, key="k"), sale(9, key="k")), batch_size=1)
    assert "2 events before it are stored" in refused.value.hint


@pytest.mark.parametrize("group", [1, 2, 3])
def test_interrupted_after_any_batch_and_run_again(new, monkeypatch, group):
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", group)
    events = [sale(n // 3) for n in range(20)]
    whole = new("whole")
    import_lines(whole, source(*events), batch_size=3)
    for stop in range(1, 7):
        repository = new(f"r{stop}")
        last: list[ImportReport] = []

        def interrupt(report: ImportReport, stop: int = stop, last=last) -> None:
            last[:] = [report]
            if report.commits >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            import_lines(repository, source(*events), batch_size=3, progress=interrupt)
        stored = min(-(-stop // group) * group * 3, 20)
        assert last[0].appended == stored == repository.resolve("main").size
        report = import_lines(repository, source(*events), batch_size=3)
        assert (report.appended, report.already) == (20 - stored, stored)
        assert history(repository) == history(whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, StorageFull("no space left")])
@pytest.mark.parametrize("stop", range(7))
def test_stopped_inside_any_batch_and_run_again(new, monkeypatch, stop, error):
    """An interrupt takes the whole group back; after an error, the batches before are stored."""
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", 3)
    events = [sale(n // 3) for n in range(20)]
    whole, repository = new("whole"), new("r")
    import_lines(whole, source(*events), batch_size=3)
    record = OperationLog.record

    def stopped(self: OperationLog, changes: list[RefChange], **rest: Any) -> int:
        if repository.resolve("main").size == 3 * stop + min(3, 20 - 3 * stop):
            raise error
        return record(self, changes, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(OperationLog, "record", stopped)
        with pytest.raises((KeyboardInterrupt, StorageFull)) as raised:
            import_lines(repository, source(*events), batch_size=3)
    stored = stop // 3 * 9 if error is KeyboardInterrupt else 3 * stop
    assert repository.resolve("main").size == stored
    if error is not KeyboardInterrupt:
        said = f"{stored} events before it" if stored else "nothing was imported"
        assert said in raised.value.hint
    import_lines(repository, source(*events), batch_size=3)
    assert history(repository) == history(whole)
    assert repository.fsck().clean


def test_a_group_ends_where_the_branch_was_moved_meanwhile(new, tmp_path, monkeypatch):
    """Another process appends between two groups of one import."""
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", 2)
    repository = new("r")

    def other(report: ImportReport) -> None:
        with Repository.open(tmp_path / "r", author="Bo <b@example.org>") as second:
            second.append([evgit.NewEvent("other", "happened", {"n": report.read})])

    report = import_lines(repository, source(*map(sale, range(10))), batch_size=2, progress=other)
    assert report.appended == 10
    streams = [event.stream for event in repository.events()]
    assert [place for place, stream in enumerate(streams) if stream == "other"] == [4, 9, 12]
    assert repository.fsck().clean


KILLED = """
import sys
from evgit.bridges.importing import import_lines
from evgit.repository import Repository
with Repository.open(sys.argv[1]) as repository:
    import_lines(
        repository, "-", batch_size=10, progress=lambda report: print(report.read, flush=True)
    )
"""


@pytest.mark.parametrize("lines_before", [5, 25, 99])
def test_killed_at_any_line_and_run_again(new, tmp_path, lines_before):
    events = [sale(n // 2) for n in range(100)]
    repository, whole = new(), new("whole")
    import_lines(whole, source(*events), batch_size=10)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "r")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(source(*events[:lines_before]).getvalue())
    process.stdin.flush()
    acknowledged = lines_before // 10 * 10
    said = 0
    while said < acknowledged:
        said = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert repository.resolve("main").size == acknowledged
    report = import_lines(repository, source(*events), batch_size=10)
    assert (report.appended, report.already) == (100 - acknowledged, acknowledged)
    assert ids(repository) == ids(whole)


def test_a_foreign_cloudevent_stays_one_event(new):
    repository = new()
    cloud = {
        "specversion": "1.0", "id": "7", "source": "/tills", "subject": "till-7", "type": "sold",
        "time": "2026-03-01T00:00:00+01:00", "data": {"n": 1},
    }  # fmt: skip
    other = cloud | {"source": "/shops"}
    for expected in (2, 0):
        report = import_lines(repository, source(cloud, other, cloud, cloud))
        assert (report.read, report.appended, report.twins) == (4, expected, 0)
    one, two = repository.events()
    assert (one.stream, one.key, one.meta) == ("till-7", "/tills#7", {"source": "/tills"})
    assert two.key == "/shops#7"


def test_progress_tells_bytes(new, tmp_path, monkeypatch):
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", 2)
    repository = new()
    path = tmp_path / "sales.jsonl"
    path.write_bytes(source(*map(sale, range(10))).getvalue())
    seen: list[tuple[int, int | None, int]] = []
    import_lines(
        repository, path, batch_size=4, progress=lambda r: seen.append((r.done, r.total, r.read))
    )
    size = path.stat().st_size
    assert seen == [(size, size, 8), (size, size, 10)]


def test_an_empty_input(new):
    repository = new()
    assert import_lines(repository, io.BytesIO(b"\n\n")) == ImportReport()


def test_what_makes_no_sense(new):
    repository = new()
    for size in (0, 65_537):
        with pytest.raises(UsageError, match=f"a batch of {size} events"):
            import_lines(repository, source(sale(1)), batch_size=size)
    with pytest.raises(InvalidTime):
        import_lines(repository, source(sale(1)), time="noon or so")
    assert repository.resolve("main").size == 0


def test_a_git_history_and_the_same_again(new, tmp_path):
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet", "project"], check=True)
    git[-1] = str(tmp_path / "project")
    for n in range(6):
        for name in ("a", "b"):
            (tmp_path / "project" / name).write_text(str(n))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", f"change {n}"], check=True)
    repository = new()
    report = import_git_history(repository, tmp_path / "project", batch_size=4)
    assert (report.read, report.appended, report.commits) == (18, 18, 5)
    assert (report.done, report.total) == (6, 6)
    with GitHistory(tmp_path / "project") as wanted:
        events: list[Event] = [event for commit in wanted.events() for event in commit]
    assert list(repository.events()) == events
    assert history(repository)[0][0] == "import project: events 17-18"
    again = import_git_history(repository, tmp_path / "project", batch_size=7)
    assert (again.appended, again.already, again.commits) == (0, 18, 0)
