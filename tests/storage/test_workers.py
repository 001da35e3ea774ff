"""Worker processes: answers in order, whatever becomes of the workers; and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evgit.storage import worker_process
from evgit.storage.jobs import usable_cores
from evgit.storage.workers import AHEAD, Workers

CHECKOUT = Path(__file__).resolve().parents[2]
BEGIN = "tests.storage.answering:begin"
REPEAT = "tests.storage.answering:repeat"


def ask_all(workers: Workers, requests: list[bytes]) -> list[bytes | None]:
    """Every answer in order, a few requests ahead; None for what nobody took."""
    answers: list[bytes | None] = []
    waiting = 0
    for request in requests:
        while not workers.submit(request):
            if not waiting:
                answers.append(None)
                break
            answers.append(workers.next())
            waiting -= 1
        else:
            waiting += 1
    return answers + [workers.next() for _ in range(waiting)]


@pytest.fixture(params=[True, False], ids=["forked", "spawned"], autouse=True)
def forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """How workers are started."""
    monkeypatch.setattr(worker_process, "may_fork", lambda: request.param)
    return bool(request.param)


def is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("count", [1, 3])
def test_answers_come_in_the_order_of_requests(count: int) -> None:
    requests = [b"%d" % n * (n % 7 + 1) for n in range(50)] + [b"print", b""]
    with Workers(BEGIN, b"so", count) as workers:
        workers.wait()
        assert ask_all(workers, requests) == [b"so %d %b" % (len(r), r[-8:]) for r in requests]
        assert workers.lost == 0


def test_requests_and_answers_larger_than_any_pipe() -> None:
    requests = [os.urandom(1 << 20) * 5 for _ in range(8)]
    with Workers(REPEAT, b"", 2) as workers:
        workers.wait()
        assert ask_all(workers, requests) == requests


def test_a_worker_has_only_so_much_to_do() -> None:
    with Workers(REPEAT, b"", 2) as workers:
        workers.wait()
        taken = [workers.submit(b"%d" % n * 2_000_000) for n in range(2 * AHEAD + 1)]
        assert taken == [True] * 2 * AHEAD + [False]


def test_what_a_worker_fails_at_is_given_back() -> None:
    with Workers(BEGIN, b"", 1) as workers:
        workers.wait()
        assert ask_all(workers, [b"1", b"fail", b"2"]) == [b" 1 1", None, b" 1 2"]
        assert workers.lost == 0


def test_what_a_worker_has_not_answered_when_it_ends_is_given_back() -> None:
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        later = [b"%d" % n for n in range(3, 4 * AHEAD)]
        answers = ask_all(workers, [b"1", b"2", b"die", *later])
        assert answers[:2] == [b" 1 1", b" 1 2"]
        assert answers[2] is None
        wanted = [b" %d %b" % (len(each), each) for each in later]
        assert all(got in (None, want) for got, want in zip(answers[3:], wanted, strict=True))
        assert answers[-1] == wanted[-1]  # the other one goes on
        assert workers.lost == 1


def test_when_all_have_ended_nobody_takes_anything() -> None:
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        assert ask_all(workers, [b"die", b"die"]) == [None, None]
        assert workers.lost == 2
        assert not workers.submit(b"1")


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false"])
def test_an_interpreter_that_does_not_start(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(worker_process, "may_fork", lambda: False)
    monkeypatch.setattr(sys, "executable", program)
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        assert workers.lost == 2
        assert not workers.submit(b"1")


def test_a_system_that_has_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(worker_process, "may_fork", lambda: True)
    monkeypatch.setattr(os, "fork", refuse)
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        assert workers.lost == 2
        assert not workers.submit(b"1")
    assert set(os.listdir("/proc/self/fd")) == before


WITH_ANOTHER_THREAD = """
import threading
from evgit.storage import worker_process
alone = worker_process.may_fork()
done = threading.Event()
threading.Thread(target=done.wait).start()
print(alone, worker_process.may_fork())
done.set()
"""


def test_a_process_with_another_thread_does_not_fork() -> None:
    # Asked in a process of its own: what ran here before may have left a thread.
    asked = subprocess.run(
        [sys.executable, "-c", WITH_ANOTHER_THREAD],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout == "True False\n"


def test_a_worker_holds_nothing_that_its_parent_has_open() -> None:
    reading, writing = os.pipe()
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        os.close(writing)
        assert os.read(reading, 1) == b""  # would wait if somebody could still write
        assert ask_all(workers, [b"1"]) == [b" 1 1"]
    os.close(reading)


def test_handlers_of_signals_are_the_parents(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    before = signal.signal(signal.SIGTERM, lambda *_: noted.write_text("called"))
    try:
        with Workers(BEGIN, b"", 1) as workers:
            workers.wait()
            (pid,) = ask_all(workers, [b"pid"])
            os.kill(int(pid or 0), signal.SIGTERM)
            assert ask_all(workers, [b"1"]) == [None]
            assert workers.lost == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not noted.exists()


def test_what_is_to_be_done_is_not_there() -> None:
    with Workers("tests.storage.answering:absent", b"", 1) as workers:
        workers.wait()
        assert workers.lost == 1


def test_nothing_is_left_running() -> None:
    with Workers(BEGIN, b"", 2) as workers:
        workers.wait()
        pids = [int(answer or 0) for answer in ask_all(workers, [b"pid", b"pid"])]
        for _ in range(4):
            workers.submit(b"1" * 3_000_000)  # in the midst of something
    assert len(set(pids)) == 2
    assert all(map(is_gone, pids))


PARENT = f"""
import sys
from evgit.storage import worker_process
from evgit.storage.workers import Workers
worker_process.may_fork = lambda: sys.argv[1] == "True"
workers = Workers({BEGIN!r}, b"", 2)
workers.wait()
assert workers.submit(b"pid") and workers.submit(b"pid")
print(*[int(workers.next()) for _ in range(2)], flush=True)
while True:
    workers.submit(b"1" * 1_000_000)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_go_when_whoever_started_them_is_gone(how: signal.Signals, forked: bool) -> None:
    # The program is no module with `if __name__ == "__main__"`, nor even a file.
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(forked)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    assert all(map(is_gone, pids))


def test_an_interrupt_from_the_keyboard_is_not_for_workers() -> None:
    with Workers(BEGIN, b"", 1) as workers:
        workers.wait()
        (pid,) = ask_all(workers, [b"pid"])
        assert os.getpgid(int(pid or 0)) != os.getpgid(0)
        os.kill(int(pid or 0), signal.SIGINT)
        assert ask_all(workers, [b"1"]) == [b" 1 1"]


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
