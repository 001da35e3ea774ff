"""Clients that push to one branch while they and the server are killed: then look what is there.

    python -m tests.faults.pushing DIRECTORY [--seconds 180] [--clients 16] [--seed 1]

Each client has a clone of its own, appends, pushes, and re-appends after what came in between. It
notes the ids of the events of every push that was acknowledged, in a file of its own, synced.
Afterwards each of them must be in the server's log exactly once, and `fsck` must find nothing,
there and in every clone.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx  # noqa: F401 - once for all that are forked, and not in each

from evgit.errors import Conflict, NotAFastForward, TransferInterrupted
from evgit.history.stamps import now
from evgit.repository import Connecting, NewEvent, Repository, clone
from evgit.server import running as server
from evgit.server.settings import read_settings
from tests.faults.killing import forked
from tests.faults.moving import CONFIG, TOKEN
from tests.sync.servers import free_port

ENOUGH = 12  # pushes
PATIENCE = 120.0


@dataclass
class Outcome:
    """What a run did and what is wrong afterwards. `lost_races`: pushes refused as too late."""

    kills: int = 0
    server_kills: int = 0
    pushes: int = 0
    lost_races: int = 0
    interrupted: int = 0
    acknowledged: int = 0
    stored: int = 0
    problems: list[str] = field(default_factory=list)


def using(number: int) -> Connecting:
    return Connecting(f"Till {number} <>", now, token=lambda url: TOKEN)


def push_until_killed(directory: Path, number: int, seed: int, url: str) -> None:
    """Append and push for ever, into and from the clone that an earlier life may have left."""
    chance = random.Random(seed)
    notes = (directory / "notes" / f"{number}-{seed}").open("ab", buffering=0)
    with Repository.open(directory / f"clone-{number}") as repository:
        repository.author = f"Till {number} <>"
        sync = repository.sync(using(number))
        remote = sync.remote(None)
        published = repository.resolve_commit("refs/remotes/origin/main")
        for turn in range(1_000_000):
            repository.append(
                [
                    NewEvent(f"till-{number}", "sale_made", {"turn": turn, "part": part})
                    for part in range(chance.choice((1, 1, 2, 20)))
                ]
            )
            while True:
                try:
                    own = new_ids(repository, published)
                    sync.push(remote, sync.pushed_refs(remote, [], "main"))
                    break
                except (NotAFastForward, Conflict):
                    notes.write(b"late\n")
                    catch_up(repository, notes)
                except TransferInterrupted:
                    notes.write(b"interrupted\n")
                    time.sleep(0.05)
            text = "".join(f"{event_id}\n" for event_id in own)
            notes.write(f"pushed\n{text}".encode())
            os.fsync(notes.fileno())
            published = repository.resolve_commit("main")


def new_ids(repository: Repository, published: str) -> list[str]:
    """Ids of the events that a push brings, in case it is acknowledged."""
    here = set(repository.log(published).ids())
    return [event_id.hex() for event_id in repository.log("main").ids() if event_id not in here]


def catch_up(repository: Repository, notes) -> None:  # type: ignore[no-untyped-def]
    """Fetch, and put what is not published after what is."""
    sync = repository.sync(repository_using(repository))
    try:
        sync.fetch(sync.remote(None))
    except TransferInterrupted:
        notes.write(b"interrupted\n")
        time.sleep(0.05)
        return
    upstream = repository.resolve_commit("refs/remotes/origin/main")
    stopped = repository.merging.rebase.start(upstream).stopped
    assert stopped is None, stopped


def repository_using(repository: Repository) -> Connecting:
    return Connecting(repository.author, now, token=lambda url: TOKEN)


def run(directory: Path, *, seconds: float, clients: int, seed: int) -> Outcome:
    """Prepare a server and clones in `directory`, let them be killed, and look at them."""
    chance, outcome = random.Random(seed), Outcome()
    root = directory / "srv"
    (directory / "notes").mkdir()
    with Repository.init(root / "till", bare=True, author="Eve <>") as repository:
        repository.append([NewEvent("shop", "shop_opened")])
    (root / "server.toml").write_text(CONFIG)
    port = free_port()
    serving = started(directory, root, port)
    url = f"http://127.0.0.1:{port}/till"
    # Loads what the clients need, too.
    clone(url, directory / "clone-0", using=using(0), bare=True)[0].close()
    for number in range(1, clients):
        shutil.copytree(directory / "clone-0", directory / f"clone-{number}")
    running: dict[int, int] = {}
    lives = 0
    begun = time.monotonic()
    try:
        while not over(directory, outcome, time.monotonic() - begun, seconds):
            for number in range(clients):
                if number not in running:
                    lives += 1
                    arguments = (directory, number, lives + seed * 100_000, url)
                    running[number] = forked(push_until_killed, *arguments)
            time.sleep(chance.expovariate(1 / 0.25))
            if outcome.kills > 2 * acknowledged(directory):
                continue  # on a busy machine somebody has to get somewhere first
            if chance.random() < 0.2:
                kill(serving)
                serving = started(directory, root, port)
                outcome.server_kills += 1
            else:
                kill(running.pop(chance.choice(list(running))))
                outcome.kills += 1
    finally:
        for child in running.values():
            kill(child)
        kill(serving)
    look(directory, outcome, clients)
    return outcome


def over(directory: Path, outcome: Outcome, taken: float, seconds: float) -> bool:
    """After so many seconds, but not before something was killed and much was pushed, unless
    nothing goes on at all."""
    if taken < seconds or taken > seconds + PATIENCE:
        return taken > seconds
    enough = acknowledged(directory) >= ENOUGH
    return bool(outcome.kills and outcome.server_kills and enough)


def acknowledged(directory: Path) -> int:
    """How many pushes were, so far."""
    return sum(p.read_text().count("pushed\n") for p in (directory / "notes").glob("*-*"))


def started(directory: Path, root: Path, port: int) -> int:
    """A server in a process of its own, once it listens."""
    child = forked(serve, directory, root, port)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return child
        except OSError:
            time.sleep(0.01)


def serve(directory: Path, root: Path, port: int) -> None:
    settings = read_settings(root / "server.toml", root)
    server.run(settings, "0", host="127.0.0.1", port=port, say=lambda text: None)


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def look(directory: Path, outcome: Outcome, clients: int) -> None:
    """Every acknowledged event exactly once, and nothing wrong anywhere."""
    for path in (directory / "notes").glob("*.error"):
        outcome.problems.append(path.read_text())
    noted: list[str] = []
    for path in sorted((directory / "notes").glob("*-*")):
        if path.suffix != ".error":
            noted += path.read_text().split("\n")[:-1]
    outcome.pushes = noted.count("pushed")
    outcome.lost_races = noted.count("late")
    outcome.interrupted = noted.count("interrupted")
    ids = {line for line in noted if len(line) == 64}
    outcome.acknowledged = len(ids)
    with Repository.open(directory / "srv" / "till") as repository:
        stored = Counter(event_id.hex() for event_id in repository.log("main").ids())
        outcome.stored = len(stored)
        outcome.problems += [f"{i} is there more than once" for i, n in stored.items() if n > 1]
        outcome.problems += [f"acknowledged {i} is lost" for i in ids if i not in stored]
    for name in ("srv/till", *(f"clone-{number}" for number in range(clients))):
        with Repository.open(directory / name) as repository:
            outcome.problems += [f"{name}: {p.message}" for p in repository.fsck().problems]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcome = run(given.directory, seconds=given.seconds, clients=given.clients, seed=given.seed)
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
