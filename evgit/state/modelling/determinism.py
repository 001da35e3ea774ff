"""Is a model deterministic? The same log is replayed in two processes that differ in what a pure
function can't see: hash seeds, time zone, clock; and one of them makes projections forget now and
then what they keep on themselves. Equal roots at many points, or an error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from evgit.errors import HandlerFailed, NotDeterministic
from evgit.history.log import Log
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.replay import Answer, Request, error_of

POINTS = 16
"""How many points of the log are compared at once; more than that only where two differ."""
_SHIFT_SECONDS = 400 * 86_400 + 3_661


def compare_replays(directory: Path, log: Log, files: ModelFiles, names: Mapping[str, str]) -> None:
    """Replay a log twice by a model. Raises NotDeterministic, naming projection, document and
    position, and whatever replaying raises. Runs the model's code. `names`: prefix -> how the
    projection is to be called."""
    low, high = 0, log.size
    prefix = _differing(_both(directory, log, files, _points(low, high), watch=True))
    if prefix is None:
        return
    where, found = prefix
    sizes = _points(low, high)
    while True:
        low, high = (sizes[found - 1] if found else low), sizes[found]
        if high - low <= 1:
            break
        sizes = _points(low, high)
        again = _differing(_both(directory, log, files, sizes))
        if again is None:
            break  # it differs now and then; the interval is as close as can be told
        where, found = again
    ends = [low, high] if low < high else [high]
    one, other = _both(directory, log, files, ends, documents=True)
    paths = sorted(
        path
        for path in one.documents.keys() | other.documents.keys()
        if one.documents.get(path) != other.documents.get(path)
    )
    which = f"document {paths[0]}" if paths else "it"
    event = f"the event at position {high - 1}" if high else "no event"
    exactly = event if high - low <= 1 else f"the events at positions {low} to {high - 1}"
    raise NotDeterministic(
        f"{names[where]} is not deterministic: {which} differs between two replays "
        f"from {exactly} on",
        hint="a projection may depend on nothing but its documents and events: no clock, no "
        "randomness, no order of sets, no files, nothing kept on itself between events",
    )


def _points(low: int, high: int) -> list[int]:
    """Sizes from `low` (left out unless it is the end) to `high`, evenly spread."""
    steps = min(POINTS, high - low)
    if steps == 0:
        return [high]
    return [low + (high - low) * step // steps for step in range(1, steps + 1)]


def _differing(answers: tuple[Answer, Answer]) -> tuple[str, int] | None:
    """(prefix, index of the first size) where two replays differ; the earliest of all."""
    one, other = answers
    found = [
        (index, prefix)
        for prefix, roots in one.roots.items()
        for index, root in enumerate(roots)
        if other.roots[prefix][index] != root
    ]
    if not found:
        return None
    index, prefix = min(found)
    return prefix, index


def _both(
    directory: Path,
    log: Log,
    files: ModelFiles,
    sizes: Sequence[int],
    *,
    documents: bool = False,
    watch: bool = False,
) -> tuple[Answer, Answer]:
    texts = {path: b64encode(data).decode() for path, data in files.items()}
    requests = [
        Request(texts, list(sizes), documents, watch=watch and number == 0, forgetful=number == 1)
        for number in range(2)
    ]
    workers = [_start(directory, log.commit, "1"), _start(directory, log.commit, "2")]
    try:
        for worker, request in zip(workers, requests, strict=True):
            assert worker.stdin is not None
            with suppress(BrokenPipeError):  # why it is gone, its exit code says
                worker.stdin.write(msgspec.json.encode(request))
                worker.stdin.close()
        answers = [_answer(worker) for worker in workers]
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
    return answers[0], answers[1]


def _start(directory: Path, commit: str, seed: str) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    environment["PYTHONHASHSEED"] = seed
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    shift = "0"
    if seed == "2":
        shift = str(_SHIFT_SECONDS)
        environment["TZ"] = "Pacific/Kiritimati"
    # -P: the directory that somebody happens to be in is no place to import from.
    module = "evgit.state.modelling.replay"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(directory), commit, shift],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _answer(worker: subprocess.Popen[bytes]) -> Answer:
    assert worker.stdout is not None
    data = worker.stdout.read()
    if worker.wait() or not data:
        raise HandlerFailed(
            f"the model ended the process that replayed it (exit code {worker.returncode})",
            hint="a model must not end or kill its process",
        )
    answer = msgspec.json.decode(data, type=Answer)
    error = error_of(answer)
    if error is not None:
        raise error
    return answer
