"""Repositories made by earlier builds are read by this one, to the last byte.

`make.py` beside this file makes another when the format at rest changes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.trust import TrustEverything
from tests.old_repositories.make import LARGE, SMALL, described

OLD = sorted(Path(__file__).resolve().parent.glob("*.zip"))
Opened = tuple[Repository, dict[str, Any]]


def test_there_are_some() -> None:
    assert len(OLD) >= 1


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    known = json.loads(request.param.with_suffix(".json").read_text())
    use = ModelUse(trust=TrustEverything())
    with Repository.open(tmp_path, model=use) as repository:
        yield repository, known


def test_ids_roots_and_refs_are_what_they_were(old: Opened) -> None:
    repository, known = old
    assert described(repository) | {"documents": known["documents"]} == known


def test_documents_are_what_was_meant(old: Opened) -> None:
    """By today's code, through the upcasters of the model that travelled with them."""
    repository, known = old
    for revision, documents in known["documents"].items():
        assert dict(repository.state(revision)) == documents, revision
    assert repository.check_model().broken is None


def test_nothing_is_damaged(old: Opened) -> None:
    repository, _ = old
    assert repository.fsck().clean
    (scanned,) = repository.stream("slip-1")
    blobs = [repository.open_blob(blob).read() for blob in scanned.event.blobs]
    assert sorted(blobs, key=len) == [SMALL, LARGE]
    repository.reindex()
    assert repository.fsck().clean


def test_it_can_be_gone_on_with(old: Opened) -> None:
    repository, known = old
    repository.append([NewEvent("account-1", "deposit_made", {"amount": 1})])
    balance = known["documents"]["main"]["accounts/1.json"]["balance"]
    assert repository.state()["accounts/1.json"]["balance"] == balance + 100
    again = [event for event in repository.events("before") if event.stream[:1] != "$"]
    assert repository.append(again).already == len(again)
    assert repository.fsck().clean
