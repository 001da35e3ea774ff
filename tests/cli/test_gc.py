"""The command `gc`: what it says, and that history is the same afterwards."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evgit.maintenance import due
from evgit.repository import NewEvent, Repository
from evgit.storage.pack_directory import PackDirectory
from tests.test_independent_reader import NOW


def test_gc(session) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    for stream in ("a", "b"):
        session.evgit("commit", "-q", "-s", stream, "-t", "happened")
    before = session.evgit("log").out
    result = session.evgit("gc")
    assert (result.code, result.out) == (0, "Packed 5 objects into 1 pack\n")
    assert session.evgit("log").out == before
    assert session.evgit("gc").out == "Nothing to pack\n"
    report = json.loads(session.evgit("gc", "--aggressive", "--json").out)
    assert (report["packed_lines"], report["packs_written"], report["packs_replaced"]) == (5, 1, 1)
    assert session.evgit("fsck", "-q").out == ""
    assert session.evgit("gc", "-q").out == ""
    for words in (["--force"], ["--auto", "--publish", "there"]):
        refused = session.evgit("gc", *words)
        assert refused.code == 2, words
        assert words[0] in refused.err


def test_what_nothing_leads_to_is_dropped(session) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a", "-t", "happened")
    session.evgit("branch", "side")
    session.evgit("commit", "-q", "-s", "a", "-t", "happened", "-b", "side")
    session.evgit("branch", "-D", "side")
    session.evgit("commit", "-q", "-s", "b", "-t", "happened")
    assert "Dropped" not in session.evgit("gc", "--prune", "now").out
    session.evgit("op", "expire", "--before", "2999-01-01")
    assert "Dropped" not in session.evgit("gc", "--prune", "never").out
    last = session.evgit("gc", "--prune", "now").out
    assert last.endswith("Dropped 1 commit that nothing led to\n")
    assert session.evgit("fsck", "-q").code == 0
    assert session.evgit("gc", "--prune", "soon").code != 0


def test_a_gc_starts_by_itself(session, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    started: list[tuple[list[str], dict[str, str]]] = []

    def start(words: list[str], **how: Any) -> None:
        assert how["start_new_session"]
        started.append((words, how["env"]))

    session.evgit("init", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", start)
        session.evgit("commit", "-q", "-s", "a", "-t", "happened")
        assert not started
        session.evgit("config", "gc.auto", "4")
        session.evgit("commit", "-q", "-s", "b", "-t", "happened")
        (begun,) = started
        session.evgit("config", "gc.auto", "0")
        session.evgit("commit", "-q", "-s", "c", "-t", "happened")
        session.evgit("config", "gc.auto", "1k")
        session.evgit("commit", "-q", "-s", "d", "-t", "happened")
        assert started == [begun]
    words, environment = begun
    done = subprocess.run(words, env=environment, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert session.evgit("gc").out.startswith("Packed")  # 1,000 are not there yet
    session.evgit("commit", "-q", "-s", "e", "-t", "happened")
    session.evgit("config", "gc.auto", "1")
    subprocess.run(words, env=environment, capture_output=True, check=True)
    assert session.evgit("gc").out == "Nothing to pack\n"
    assert session.evgit("fsck", "-q").code == 0


def test_one_that_failed_is_not_begun_again_at_once(tmp_path: Path) -> None:
    with Repository.init(tmp_path, clock=lambda: NOW) as repository:
        repository.config.set("gc.auto", "1")
        for number in range(3):
            repository.append([NewEvent("s", "noted", {"n": number})])
        assert repository.gc_is_due()
        with PackDirectory(repository.layout).locked():
            assert not repository.gc_is_due()
            assert repository.upkeep.gc_by_itself() is None
        execute = repository.history.connection.execute
        execute("UPDATE blocks SET checksum=checksum+1 WHERE first_line=1")
        assert repository.upkeep.gc_by_itself() is None
        assert "can't be read" in due.last_failure(repository.layout)
        assert not repository.gc_is_due()
        repository.clock = lambda: NOW + 2 * 86_400_000_000
        assert repository.gc_is_due()
        execute("UPDATE blocks SET checksum=checksum-1 WHERE first_line=1")
        assert repository.gc().packs_written == 1
        assert due.last_failure(repository.layout) == ""
