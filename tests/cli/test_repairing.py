"""`evgit fsck --repair-from`, as somebody types it whose disk has spoilt a pack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Session


@pytest.fixture
def spoilt(session: Session) -> Session:
    """`shop` with a damaged pack, its clone `copy`, and a commit that only `shop` has."""
    session.evgit("init", "-q", "shop")
    for number in range(3):
        session.evgit("-C", "shop", "commit", "-q", "-s", "a-1", "-t", "made", f"n={number}")
    session.evgit("clone", "shop", "copy")
    session.evgit("-C", "shop", "gc")
    session.evgit("-C", "shop", "commit", "-q", "-s", "own-1", "-t", "made")
    [pack] = (session.directory / "shop" / ".evgit" / "packs").glob("*.evpack")
    _spoil(pack)
    return session


def _spoil(pack: Path) -> None:
    data = pack.read_bytes()
    pack.write_bytes(data[:200] + bytes(100) + data[300:])


def test_repair(spoilt: Session) -> None:
    before = spoilt.evgit("-C", "shop", "rev-parse", "main").out
    found = spoilt.evgit("-C", "shop", "fsck")
    assert found.code == 6
    assert "fsck --repair-from REMOTE|DIR|BUNDLE" in found.err
    done = spoilt.evgit("-C", "shop", "fsck", "--repair-from", "../copy")
    assert done.code == 0
    assert done.out == "All is well: 5 commits, 4 events, 0 blobs\n"
    assert "stored anew: 4 commits, 3 of them from ../copy, and 0 blobs" in done.err
    assert spoilt.evgit("-C", "shop", "rev-parse", "main").out == before
    assert spoilt.evgit("-C", "shop", "fsck", "-q").code == 0


def test_for_scripts(spoilt: Session) -> None:
    words = ["-C", "shop", "fsck", "--json", "--repair-from", "../copy"]
    document = json.loads(spoilt.evgit(*words).out)
    assert document["clean"] is True
    assert document["repaired"] == {
        "commits": 4,
        "events": 4,
        "received": 3,
        "blobs": 0,
        "blobs_missing": [],
    }
    assert json.loads(spoilt.evgit(*words).out)["repaired"] is None


def test_what_is_no_clone_of_it(spoilt: Session) -> None:
    spoilt.evgit("init", "-q", "other")
    refused = spoilt.evgit("-C", "shop", "fsck", "--repair-from", "../other")
    assert refused.code == 5
    assert "no history in common" in refused.err
    assert spoilt.evgit("-C", "shop", "fsck", "--repair-from", "nowhere").code == 3
    assert spoilt.evgit("-C", "copy", "fsck", "--repair-from", "nowhere").code == 3
    assert spoilt.evgit("-C", "shop", "fsck").code == 6
