"""A disk that is full during a fetch or a push: it is said, no ref moves, and it goes on later."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from evgit.errors import StorageFull, Unavailable
from evgit.history.stamps import now
from evgit.repository import Connecting, Repository, clone
from tests.faults.making import numbered
from tests.faults.moving import BOB, Web, add_noise, same, tip
from tests.faults.test_full_disk import small_disk

USING = Connecting(BOB, now, token=lambda url: "a-writer's-token")


@pytest.fixture
def full(quick_path: Path) -> Path:
    """A bare repository of about 700 KiB in `root`."""
    root = quick_path / "root"
    root.mkdir()
    with Repository.init(root / "full", bare=True, author=BOB) as repository:
        repository.append(numbered(0, 5))
        shutil.copytree(root / "full", root / "base")
        add_noise(repository, Random(3), 24)
    return root / "full"


def ballast(directory: Path, size: int) -> Path:
    path = directory / "ballast"
    path.write_bytes(bytes(size))
    return path


def test_a_fetch_onto_a_full_disk(full: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path) as error:
        clone(str(full.parent / "base"), tmp_path / "copy", using=USING, bare=True)[0].close()
        filling = ballast(tmp_path, 300_000)
        with Repository.open(tmp_path / "copy") as copy:
            sync = copy.sync(USING)
            sync.set_url("origin", str(full))
            before = copy.refs()
            with pytest.raises(error) as told:
                sync.fetch(sync.remote("origin"))
            assert told.value.hint
            assert copy.refs() == before
            assert copy.fsck().problems == []
            copy.append(numbered(900, 1))  # who is here goes on working
            assert not list(copy.layout.incoming.glob("*"))
            filling.unlink()
            if error is StorageFull:
                _room(tmp_path)
                sync.fetch(sync.remote("origin"))
                assert copy.resolve_commit("origin/main") == tip(full)
                assert copy.fsck().problems == []


@pytest.mark.parametrize("transport", ["path", "http"])
def test_a_push_onto_a_full_disk(full: Path, tmp_path: Path, transport: str) -> None:
    root = tmp_path / "srv"
    root.mkdir()
    with small_disk(root) as error:
        shutil.copytree(full.parent / "base", root / "base")
        filling = ballast(root, 200_000)
        web = Web(root) if transport == "http" else None
        address = f"http://127.0.0.1:{web.port}/base" if web else str(root / "base")
        try:
            with Repository.open(full) as source:
                sync = source.sync(USING)
                remote = sync.remote(address)
                refs = sync.pushed_refs(remote, ["main"], None)
                old = tip(root / "base")
                with pytest.raises(error) as told:
                    sync.push(remote, refs)
                assert "no space" in told.value.message.lower() or error is Unavailable
                assert tip(root / "base") == old
                with Repository.open(root / "base") as target:
                    assert target.fsck().problems == []
                while web and list((root / "base" / "incoming").glob("*")):
                    time.sleep(0.05)  # it is removed after the answer has been sent
                assert not list((root / "base" / "incoming").glob("*"))
                filling.unlink()
                if error is StorageFull:
                    _room(root)
                    sync.push(remote, refs)
                    same(full, root / "base")
        finally:
            if web:
                web.stop()


def _room(directory: Path) -> None:
    """Make the small disk large enough."""
    subprocess.run(["mount", "-o", "remount,size=16m", str(directory)], check=True)
