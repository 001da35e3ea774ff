"""One transfer that is cut, and the next that goes on: what each left, and what it cost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from evgit.errors import TransferInterrupted
from evgit.history.stamps import now
from evgit.repository import Connecting, NewEvent, Repository, clone
from evgit.server.access import hash_of
from tests.faults import cutting
from tests.faults.cutting import DIRECTIONS, Cut, Proxy
from tests.sync.servers import free_port

TOKEN = "a-writer's-token"
BOB = "Bob <bob@example.org>"
WHOLE = Cut()

CONFIG = f"""
public = ["full"]

[[token]]
name = "writer"
hash = "{hash_of(TOKEN)}"
right = "write"
"""


@dataclass
class Trial:
    """What a transfer cost that was cut, and the one after it. `bytes`: of both, in its way."""

    bytes: list[int] = field(default_factory=list)
    cut: bool = False


class Web:
    """`evgit serve` on a port that stays the same when it is killed and started again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.port = free_port()
        (root / "server.toml").write_text(CONFIG)
        self.start()

    def start(self) -> None:
        config = str(self._root / "server.toml")
        options = ["--port", str(self.port), "--config", config]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evgit", "serve", str(self._root), *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        assert self._process.stderr.readline().startswith("serving ")

    def stop(self, by: signal.Signals = signal.SIGKILL) -> None:
        self._process.send_signal(by)
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


def history(directory: Path, commits: int) -> None:
    """A bare repository whose history does not compress, so that bytes can be counted."""
    noise = Random(7)
    with Repository.init(directory, bare=True, author=BOB) as repository:
        add_noise(repository, noise, commits)


def add_noise(repository: Repository, noise: Random, commits: int) -> None:
    """Commits of about 20 KiB on the wire each, and a blob that is a file."""
    blob, size = repository.write_blob(_Noise(noise, 100_000))  # type: ignore[arg-type]
    for number in range(commits):
        blobs = {blob: size} if number == commits // 2 else {}
        events = [
            NewEvent(f"s-{n}", "noise_heard", {"n": noise.randbytes(2000).hex()}, blobs=blobs)
            for n in range(10)
        ]
        repository.append(events, message=f"Noise {number}")


class _Noise:
    def __init__(self, noise: Random, size: int) -> None:
        self._noise, self._left = noise, size

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return self._noise.randbytes(size)


@dataclass
class Ground:
    """Where transfers are cut: `root` is served, and holds `full`, `base` and what trials make."""

    root: Path
    transport: str
    web: Web | None = None
    number: int = 0
    port: int = field(default_factory=free_port)

    def run(self, way: str, cut: Cut) -> Trial:
        """Clone `full`, or push all of it onto `base`, cut once; then look at everything."""
        self.number += 1
        return (self._fetch if way == "fetch" else self._push)(cut)

    # ------------------------------------------------------------------ the two ways
    def _fetch(self, cut: Cut) -> Trial:
        place, trial = self.root.parent / f"clone-{self.number}", Trial()
        for each in dict.fromkeys((cut, WHOLE)):
            with self._reaching("full", each, trial, "down") as (address, ssh):
                words = ["clone", "--bare", address, str(place)]
                self._client(each, ssh, words, lambda: self._cloned(address, place, ssh))
            if each is cut and place.exists():
                with Repository.open(place) as left:
                    found = {ref.target for ref in left.refs("refs/remotes/")}
                    assert found in (set(), {tip(self.root / "full")})
        same(self.root / "full", place)
        shutil.rmtree(place)
        return trial

    def _cloned(self, address: str, place: Path, ssh: tuple[str, ...]) -> None:
        clone(address, place, using=self._using(ssh), bare=True)[0].close()

    def _push(self, cut: Cut) -> Trial:
        name, trial = f"pushed-{self.number}", Trial()
        target, old = self.root / name, tip(self.root / "base")
        shutil.copytree(self.root / "base", target)
        source = self.root / "full"
        for each in dict.fromkeys((cut, WHOLE)):
            with self._reaching(name, each, trial, "up") as (address, ssh):
                words = ["-C", str(source), "push", address, "main"]
                self._client(each, ssh, words, lambda: self._pushed(address, source, ssh))
            if each is cut:
                assert tip(target) in (old, tip(source))
        same(source, target)
        shutil.rmtree(target)
        return trial

    def _pushed(self, address: str, source: Path, ssh: tuple[str, ...]) -> None:
        with Repository.open(source) as repository:
            sync = repository.sync(self._using(ssh))
            remote = sync.remote(address)
            sync.push(remote, sync.pushed_refs(remote, ["main"], None))

    # ------------------------------------------------------------------ how
    def _using(self, ssh: tuple[str, ...]) -> Connecting:
        return Connecting(BOB, now, ssh, token=lambda url: TOKEN)

    def _client(self, cut: Cut, ssh: tuple[str, ...], words: list[str], work) -> None:  # type: ignore[no-untyped-def]
        """A process of its own where it is to be killed, for which all of it is too much."""
        if cut.victim != "client":
            with suppress(TransferInterrupted) if cut is not WHOLE else _nothing():
                work()
            return
        environment = {
            "EVGIT_TOKEN": TOKEN,
            "EVGIT_SSH_COMMAND": " ".join(ssh),
            "PYTHONPATH": os.getcwd(),
        }
        self._victim = subprocess.Popen(
            [sys.executable, "-m", "evgit", *words],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        code = self._victim.wait()
        assert code in (0, -signal.SIGKILL), code

    @contextmanager
    def _reaching(
        self, name: str, cut: Cut, trial: Trial, way: str
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(an address that leads to a repository of the root, the command that stands for ssh)."""
        if self.web is None:
            counts = self.root.parent / f"counts-{self.number}-{len(trial.bytes)}"
            words = (sys.executable, cutting.__file__, cut.direction, str(cut.after), cut.victim)
            yield f"there:{self.root / name}", (*words, str(counts))
            found = (
                [int(word) for word in counts.read_text().split()] if counts.exists() else [0, 0]
            )
            trial.bytes.append(found[DIRECTIONS.index(way)])
            trial.cut = trial.cut or found[DIRECTIONS.index(cut.direction)] >= cut.after
            return
        kill = {"client": self._kill_client, "server": self.web.stop}.get(cut.victim)
        proxy = Proxy((self.port, self.web.port), cut, kill)
        try:
            yield f"http://127.0.0.1:{self.port}/{name}", ()
        finally:
            proxy.close()
            if proxy.counter.was_cut and cut.victim == "server":
                self.web.start()
        trial.bytes.append(proxy.counter.bytes[way])
        trial.cut = trial.cut or proxy.counter.was_cut

    def _kill_client(self) -> None:
        self._victim.kill()
        self._victim.wait()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def tip(directory: Path) -> str:
    with Repository.open(directory) as repository:
        return repository.resolve_commit("main")


def same(one: Path, other: Path) -> None:
    """Equal branches, logs and blobs, and nothing wrong."""
    with Repository.open(one) as first, Repository.open(other) as second:
        assert first.resolve_commit("main") == second.resolve_commit("main")
        assert first.log("main").root() == second.log("main").root()
        assert [problem.message for problem in second.fsck().problems] == []
        assert not list(second.layout.incoming.glob("*"))
