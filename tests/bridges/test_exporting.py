"""Exports, and that importing them gives the same events with the same ids."""

from __future__ import annotations

import io
import json

import pytest

from evgit.bridges.exporting import ExportReport, export_events
from evgit.bridges.importing import import_lines
from evgit.errors import NotFound, UnknownRevision, UsageError
from evgit.formats.canonical import object_id
from evgit.repository import NewEvent, Repository


@pytest.fixture
def repository(tmp_path):
    """30 events in 10 commits on main, with all that an event can have; 5 more on a branch that
    leaves main at its fifth commit."""
    with Repository.init(tmp_path / "r", author="Ada <a@example.org>") as made:
        blob, size = made.write_blob(io.BytesIO(b"receipt"))
        for n in range(10):
            if n == 5:
                made.branches.create("fix/till", made.resolve_commit("main"))
            made.append(
                [
                    NewEvent(f"till-{n % 3}", "opened", {"n": n, "rate": n / 7}),
                    NewEvent("till-1", "sold", [n], key=f"k{n}", meta={"source": "/tills", "é": n}),
                    NewEvent("day book", "noted", "\U0001f600", version=2, blobs={blob: size}),
                ]
            )
        for n in range(5):
            made.append([NewEvent("till-9", "fixed", n)], branch="fix/till")
        yield made


@pytest.fixture
def copy(tmp_path):
    with Repository.init(tmp_path / "copy") as made:
        yield made


def exported(repository, revision="HEAD", **options) -> list[bytes]:
    file = io.BytesIO()
    report = export_events(repository, file, revision, **options)
    lines = file.getvalue().split(b"\n")
    assert lines.pop() == b""
    assert report.events == len(lines)
    assert report.total in (None, len(lines))
    return lines


def ids(repository, revision="main", start=0, stop=None) -> list[str]:
    return [event_id.hex() for event_id in repository.log(revision).ids(start, stop)]


def test_lines_are_the_events_canonical_bytes(repository):
    lines = exported(repository)
    assert len(lines) == 30
    assert [object_id(line) for line in lines] == ids(repository)
    assert all(json.loads(line)["kind"] == "event" for line in lines)


@pytest.mark.parametrize("format_", ["evgit", "cloudevents"])
@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events.jsonl.zst"])
def test_what_is_exported_and_imported_is_the_same(repository, copy, tmp_path, format_, name):
    path = tmp_path / name
    seen: list[tuple[int, int | None]] = []

    def progress(report: ExportReport) -> None:
        seen.append((report.events, report.total))

    report = export_events(repository, path, "main", format=format_, progress=progress)
    assert report == ExportReport(events=30, total=30)
    assert seen[-1] == (30, 30)
    for expected in (30, 0):
        assert import_lines(copy, path, batch_size=7).appended == expected
    assert ids(copy) == ids(repository)


def test_twins_survive_an_export(repository, copy):
    line = json.dumps({"stream": "s-1", "type": "sold", "data": 1, "time": "2026-03-01T00:00:00Z"})
    import_lines(repository, io.BytesIO(f"{line}\n{line}\n{line}\n".encode()))
    lines = exported(repository, "main~1..main")
    assert len(lines) == 3
    report = import_lines(copy, io.BytesIO(b"\n".join(lines + lines)))
    assert (report.read, report.appended, report.already) == (6, 3, 3)
    assert ids(copy) == ids(repository)[30:]


def test_ranges(repository):
    every = exported(repository)
    assert exported(repository, "main~3") == every[:21]
    assert exported(repository, "main~3..main") == every[21:]
    assert exported(repository, "main~3..") == every[21:]
    assert exported(repository, "main~3..main~1") == every[21:27]
    assert exported(repository, "main#4..main#9") == every[5:10]
    assert exported(repository, "main#9") == every[:10]
    assert exported(repository, "main..main~3") == []


def test_a_range_between_branches(repository):
    fixed = exported(repository, "main..fix/till")
    assert [json.loads(line)["data"] for line in fixed] == [0, 1, 2, 3, 4]
    assert exported(repository, "fix/till..main") == exported(repository)[15:]


def test_streams(repository):
    every = exported(repository)
    one = [line for line in every if json.loads(line)["stream"] == "till-1"]
    assert exported(repository, streams=["till-1"]) == one
    two = [line for line in every if json.loads(line)["stream"] in ("till-1", "day book")]
    assert exported(repository, streams=["day book", "till-1", "day book"]) == two
    assert exported(repository, "main~3..main", streams=["till-1"]) == [
        line for line in one if line in every[21:]
    ]
    with pytest.raises(NotFound, match="no stream 'till-9' at main"):
        exported(repository, "main", streams=["till-1", "till-9"])
    with pytest.raises(NotFound, match=r"no stream 'till-9' at main~3\.\.main"):
        exported(repository, "main~3..main", streams=["till-9"])


def test_cloudevents_name_the_branch_that_was_asked_for(repository):
    def sources(revision):
        return {
            json.loads(line)["source"].split("/", 1)[1]
            for line in exported(repository, revision, format="cloudevents")
            if b"till-0" in line or b"till-9" in line
        }

    assert sources("main") == {"main"}
    assert sources("HEAD~2") == {"main"}
    assert sources("main..fix/till") == {"fix/till"}


def test_standard_output(repository, capfdbinary):
    export_events(repository, "-", "main~9")
    assert capfdbinary.readouterr().out.splitlines() == exported(repository)[:3]


def test_what_makes_no_sense(repository, tmp_path):
    for revision in ("main...fix/till", "^main"):
        with pytest.raises(UsageError, match="does not say what to export"):
            exported(repository, revision)
    with pytest.raises(UsageError, match="unknown format"):
        exported(repository, format="xml")
    with pytest.raises(UnknownRevision):
        export_events(repository, tmp_path / "x", "nowhere")
    assert not (tmp_path / "x").exists()
