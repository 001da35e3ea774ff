"""A clone and a push that are cut anywhere: refs are old or new, and the next try goes on.

EVGIT_CUT_EVERY=65536 cuts at every so many bytes, of every kind, in place of a few.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from evgit.repository import Repository
from tests.faults.cutting import Cut
from tests.faults.moving import WHOLE, Ground, Web, add_noise, history

EVERY = int(os.environ.get("EVGIT_CUT_EVERY", "0"))
COMMITS = 40
AGAIN = (160 << 10) + (64 << 10)  # a frame, and what was under way
UNREAD = 512 << 10  # what whoever is killed may not have read yet from a socket


@pytest.fixture(scope="module", params=["stdio", "http"])
def ground(request: pytest.FixtureRequest, quick_place: Path) -> Iterator[Ground]:
    root = quick_place / request.param
    root.mkdir()
    history(root / "base", 2)
    shutil.copytree(root / "base", root / "full")
    with Repository.open(root / "full") as full:
        add_noise(full, Random(8), COMMITS)
    if request.param == "stdio":
        yield Ground(root, "stdio")
        return
    web = Web(root)
    try:
        yield Ground(root, "http", web)
    finally:
        web.stop()


@pytest.mark.parametrize("way", ["fetch", "push"])
def test_what_was_cut_goes_on(ground: Ground, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    direction = "down" if way == "fetch" else "up"
    clean = max(ground.run(way, WHOLE).bytes)
    assert clean > 12 * 65_536
    cuts, worst = _cuts(direction, clean), 0
    for cut in cuts:
        trial = ground.run(way, cut)
        assert trial.cut, cut
        worst = max(worst, sum(trial.bytes) - clean)
        allowed = AGAIN + (0 if cut.victim == "line" else UNREAD)
        assert sum(trial.bytes) <= clean + allowed, (cut, trial, clean)
    if EVERY:
        with capsys.disabled():
            sys.stdout.write(
                f"\n{ground.transport} {way}: {len(cuts)} cuts of {clean:,} bytes, {worst:,} sent "
                "again at most\n"
            )


def _cuts(direction: str, clean: int) -> list[Cut]:
    if EVERY:
        return [
            Cut(direction, after, victim)
            for victim in ("line", "server", "client")
            for after in (1, 100, *range(EVERY, clean, EVERY))
        ]
    return [
        Cut(direction, 65_536 if direction == "up" else clean - 10_000, "line"),
        Cut(direction, 7 * 65_536, "server"),
        Cut(direction, 9 * 65_536, "client"),
    ]
