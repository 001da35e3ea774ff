"""Writers that are killed lose nothing that was acknowledged. EVGIT_KILL_SECONDS: for how long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from evgit.repository import NewEvent, Repository
from tests.faults.killing import run
from tests.faults.making import ids, numbered, small_history

SECONDS = float(os.environ.get("EVGIT_KILL_SECONDS", "8"))


def test_writers_killed_while_eight_append(tmp_path):
    outcome = run(tmp_path, seconds=SECONDS, writers=8, readers=1, seed=os.getpid())
    assert outcome.problems == []
    assert outcome.kills >= SECONDS
    assert outcome.acknowledged > 0
    assert outcome.stored >= outcome.acknowledged
    assert outcome.reads > 0
    assert outcome.slowest_read < 5, "readers don't wait for writers"


def test_commands_killed(tmp_path):
    """The command line, killed at ever later moments: one line of output means one commit."""
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        before = len(ids(repository))
    finished = 0
    for number in range(8):
        given = f"-s till-1 -t opened --time 2026-02-01T00:00:{number:02}Z"
        process = subprocess.Popen(
            [sys.executable, "-m", "evgit", "commit", *given.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.1 + 0.06 * number)
        process.send_signal(signal.SIGKILL)
        finished += process.wait() == 0
    with Repository.open(tmp_path) as repository:
        assert repository.fsck().problems == []
        assert before + finished <= len(ids(repository)) <= before + 8
        done = repository.append([NewEvent("till-1", "closed")])
        assert done.appended == 1


def test_killed_init_is_not_in_the_way(quick_path):
    """Whatever moment init is killed at, there is a repository or there is none."""
    for number in range(25):
        directory = quick_path / str(number)
        child = os.fork()
        if not child:
            try:
                Repository.init(directory).close()
            finally:
                os._exit(0)
        time.sleep(0.001 * number)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not (directory / ".evgit" / "evgit.db").exists():
            Repository.init(directory).close()
        with Repository.open(directory) as repository:
            assert repository.append(numbered(0, 1)).appended == 1
            assert repository.fsck().problems == []


def test_leftovers_of_an_old_init_go(quick_path):
    directory = quick_path / ".evgit"
    directory.mkdir()
    old, new = directory / "evgit.db.0a.new-wal", directory / "evgit.db.0b.new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    Repository.init(quick_path).close()
    assert [old.exists(), new.exists()] == [False, True]
