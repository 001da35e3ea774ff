"""Imports with worker processes: the same history, the same errors, whatever becomes of them."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evgit.bridges import importing, line_preparing
from evgit.bridges.importing import ImportReport, import_lines
from evgit.errors import EvgitError, InvalidInput, UsageError
from evgit.formats.times import parse_instant
from evgit.repository import Repository
from evgit.storage import jobs as jobs_module, worker_process
from evgit.storage.workers import Workers

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = parse_instant("2026-11-23T12:00:00Z")
New = Callable[[str], Repository]


class Prompt(Workers):
    """Workers that are ready when they are made, so that they do all there is to do."""

    made: list[Prompt] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, begin: str, setup: bytes, count: int) -> None:
        super().__init__(begin, setup, count)
        self.wait()
        self.answered = 0
        self.made.append(self)

    def next(self) -> bytes | None:
        answer = super().next()
        self.answered += answer is not None
        return answer


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[New]:
    """Makes repositories with one clock. Workers are used from the second batch on."""
    monkeypatch.setattr(line_preparing, "Workers", Prompt)
    monkeypatch.setattr(line_preparing, "START_LINES", 1)
    Prompt.made.clear()
    opened: list[Repository] = []

    def make(name: str) -> Repository:
        opened.append(
            Repository.init(tmp_path / name, author="Ada <a@example.org>", clock=lambda: NOW)
        )
        return opened[-1]

    yield make
    for repository in opened:
        repository.close()


def lines_of(seed: int, count: int) -> list[bytes]:
    """Lines of many kinds, most of them later than the one before."""
    choose = random.Random(seed)
    made: list[bytes] = []
    second = 0
    for number in range(count):
        second += choose.choice([0, 1, 1, 7])
        event: dict[str, Any] = {
            "stream": f"till-{choose.randrange(9)}",
            "type": choose.choice(["sold", "returned"]),
            "time": f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
            "data": {"n": number, "text": "é" * choose.randrange(40)},
        }
        kind = choose.randrange(30)
        if kind == 0:
            event["key"] = f"k-{number}"
        elif kind == 1:
            event["data"]["price"] = choose.choice([1.5, 2.0, 1e21])
        elif kind == 2:
            event["time"] = "2026-02-01"
        elif kind == 3 and made:
            made.append(choose.choice(made))
            continue
        elif kind == 4:
            made.append(b"  ")
        made.append(json.dumps(event).encode())
    return made


def source(lines: list[bytes]) -> io.BytesIO:
    return io.BytesIO(b"\n".join(lines) + b"\n")


def history(repository: Repository) -> list[tuple[object, ...]]:
    return [
        (entry.commit.message, entry.commit.time, entry.commit.recorded, entry.commit.log)
        for entry in repository.walk([repository.resolve_commit("main")])
    ]


def blocks(repository: Repository) -> list[tuple[object, ...]]:
    """All that is stored and what the indexes say of it, but for what repositories don't share."""
    rows = repository._connection.execute(
        "SELECT number, events, height, size, time, postings, fingerprints, keys FROM commits"
    )
    streams = repository._connection.execute("SELECT number, name FROM streams")
    # Which runs hold them depends on what happened to be stored together.
    families = repository._connection.execute("SELECT DISTINCT family FROM runs ORDER BY family")
    keys = [(family, *repository.history.runs.all_keys(family)) for (family,) in families]
    nodes = repository._connection.execute("SELECT level, place, hash FROM merkle_nodes")
    return [*rows, *streams, *keys, *nodes]


def report_of(report: ImportReport) -> tuple[object, ...]:
    return report.read, report.appended, report.already, report.twins, report.commits


@pytest.mark.parametrize(("seed", "size", "jobs"), [(1, 50, 2), (2, 7, 3), (3, 400, 2)])
def test_the_same_history_with_any_number_of_workers(
    new: New, seed: int, size: int, jobs: int
) -> None:
    lines = lines_of(seed, 1500)
    alone, together = new("alone"), new("together")
    for again in (False, True):
        reports = [
            import_lines(repository, source(lines), batch_size=size, jobs=count)
            for repository, count in ((alone, 1), (together, jobs))
        ]
        assert report_of(reports[0]) == report_of(reports[1])
        assert (reports[0].appended == 0) == again
        assert [event.id for event in alone.events()] == [event.id for event in together.events()]
        assert history(alone) == history(together)
        assert blocks(alone) == blocks(together)
    assert together.fsck().clean
    first, second = Prompt.made
    assert first.answered >= (1500 // size) - 2
    assert second.answered == first.answered


def test_what_is_there_already_is_left_out(new: New) -> None:
    lines = lines_of(4, 600)
    alone, together = new("alone"), new("together")
    for repository in (alone, together):
        import_lines(repository, source(lines[100:300]), batch_size=20, jobs=1)
    for repository, jobs in ((alone, 1), (together, 2)):
        import_lines(repository, source(lines), batch_size=20, jobs=jobs)
    assert history(alone) == history(together)
    assert together.fsck().clean


@pytest.mark.parametrize("options", [{"time": "2026-04-01"}, {"time_field": "data.when"}])
def test_workers_know_how_lines_are_read(new: New, options: dict[str, str]) -> None:
    lines = [
        b'{"stream":"s","type":"t","data":{"n":%d,"when":%d}}' % (n, 1_700_000_000 + n)
        for n in range(300)
    ]
    alone, together = new("alone"), new("together")
    for repository, jobs in ((alone, 1), (together, 2)):
        import_lines(repository, source(lines), batch_size=20, jobs=jobs, **options)
    assert [e.time for e in alone.events()] == [e.time for e in together.events()]
    assert Prompt.made[0].answered == 14


@pytest.mark.parametrize(
    "bad", [b"{", b'{"stream":"s","stream":"s"}', b"\xff", b"[1]", b'{"stream":"a@1"}']
)
@pytest.mark.parametrize("place", [3, 61, 199])
def test_a_bad_line_is_refused_in_the_same_words(new: New, bad: bytes, place: int) -> None:
    lines = lines_of(5, 200)
    lines[place:place] = [b"", bad]
    said = []
    for name, jobs in (("alone", 1), ("together", 2)):
        repository = new(name)
        with pytest.raises(EvgitError) as refused:
            import_lines(repository, source(lines), batch_size=10, jobs=jobs)
        said.append((str(refused.value), refused.value.hint, history(repository)))
    assert said[0] == said[1]
    assert said[0][0].startswith(f"line {place + 2}: ")


def test_what_comes_before_damaged_input_is_stored(new: New) -> None:
    packed = gzip.compress(b"\n".join(lines_of(6, 20_000)), 9)[:-50_000]
    stored = []
    for name, jobs in (("alone", 1), ("together", 2)):
        repository = new(name)
        with pytest.raises(InvalidInput, match="damaged or cut short"):
            import_lines(repository, io.BytesIO(packed), batch_size=1000, jobs=jobs)
        stored.append(history(repository))
    assert stored[0] == stored[1]
    assert len(stored[0]) > 3


def test_nothing_behind_an_error_is_stored(new: New) -> None:
    """Not even what workers had ready: an import ends where it ends with one process."""
    key = b'{"stream":"s","type":"t","time":"2026-03-01","data":%d,"key":"k"}'
    lines = [key % 1, *lines_of(7, 300)]
    lines[150:150] = [key % 2]
    repository = new("r")
    with pytest.raises(EvgitError, match="says something else"):
        import_lines(repository, source(lines), batch_size=10, jobs=3)
    assert repository.resolve("main").size <= 150


@pytest.mark.parametrize("stop", [1, 2, 9])
@pytest.mark.parametrize("group", [1, 8])
def test_an_interrupt_leaves_whole_batches_and_no_process(
    new: New, monkeypatch: pytest.MonkeyPatch, stop: int, group: int
) -> None:
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", group)
    lines = lines_of(8, 300)
    whole, repository = new("whole"), new("r")
    import_lines(whole, source(lines), batch_size=10, jobs=1)

    stored = 0

    def interrupt(report: ImportReport) -> None:
        nonlocal stored
        stored = report.commits
        if stored >= stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_lines(repository, source(lines), batch_size=10, jobs=2, progress=interrupt)
    assert len(history(repository)) == stored + 1
    assert stop <= stored < stop + group
    assert all(made._workers == [] for made in Prompt.made)
    import_lines(repository, source(lines), batch_size=10, jobs=2)
    assert history(repository) == history(whole)


@pytest.mark.parametrize("killed", [1, 2])
def test_the_death_of_a_worker_costs_only_time(
    new: New, monkeypatch: pytest.MonkeyPatch, killed: int
) -> None:
    monkeypatch.setattr(line_preparing, "GROUP_BATCHES", 2)
    lines = lines_of(9, 600)
    whole, repository = new("whole"), new("r")
    import_lines(whole, source(lines), batch_size=10, jobs=1)

    def kill(report: ImportReport) -> None:
        if report.commits == 12:
            for worker in Prompt.made[-1]._workers[:killed]:
                worker.process.kill()

    report = import_lines(repository, source(lines), batch_size=10, jobs=2, progress=kill)
    assert report.read == len([line for line in lines if line.strip()])
    assert len(report.warnings) == 1
    assert "ended unexpectedly" in report.warnings[0]
    assert history(repository) == history(whole)


def test_workers_that_do_not_start_cost_only_time(
    new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "may_fork", lambda: False)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    report = import_lines(new("r"), source(lines_of(1, 100)), batch_size=10, jobs=2)
    assert report.appended > 90
    assert "2 worker processes ended unexpectedly" in report.warnings[0]


def test_a_small_input_starts_nothing(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_preparing, "START_LINES", 4000)
    import_lines(new("r"), source(lines_of(1, 1000)), jobs=2)
    assert Prompt.made == []


def test_jobs_that_make_no_sense(new: New) -> None:
    for jobs in (0, -1, 65):
        with pytest.raises(UsageError, match=f"{jobs} jobs"):
            import_lines(new(f"r{jobs}"), source(lines_of(1, 10)), jobs=jobs)


IMPORTING = """
import sys
from evgit.bridges import line_preparing
from evgit.bridges.importing import import_lines
from evgit.repository import Repository
from evgit.storage.workers import Workers

class Prompt(Workers):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.wait()

line_preparing.Workers = Prompt
line_preparing.START_LINES = 1
with Repository.open(sys.argv[1]) as repository:
    import_lines(
        repository, "-", batch_size=10, jobs=2,
        progress=lambda report: print(report.read, flush=True),
    )
"""


@pytest.mark.parametrize("given", [25, 131])
def test_a_slow_producer_is_not_kept_waiting_and_a_kill_loses_nothing(
    new: New, tmp_path: Path, given: int
) -> None:
    lines = [line for line in lines_of(10, 300) if line.strip()]
    repository, whole = new("r"), new("whole")
    import_lines(whole, source(lines), batch_size=10, jobs=1)
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTING, str(tmp_path / "r")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n".join(lines[:given]) + b"\n")
    process.stdin.flush()
    said = 0
    while said < given // 10 * 10:  # stored, although more may come
        said = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(history(repository)) == given // 10 + 1
    import_lines(repository, source(lines), batch_size=10, jobs=2)
    assert [e.id for e in repository.events()] == [e.id for e in whole.events()]


def test_by_default_as_many_as_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, jobs in ((1, 0), (2, 2), (16, 2)):
        monkeypatch.setattr(jobs_module, "usable_cores", lambda cores=cores: cores)
        assert jobs_module.jobs_to_use(None) == jobs
    assert jobs_module.jobs_to_use(1) == 0
    assert jobs_module.jobs_to_use(3) == 3
    assert importing.import_lines.__kwdefaults__["jobs"] is None
