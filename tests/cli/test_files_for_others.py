"""Bundles, backups and published directories never take the place of something else, and say what
is wrong with a name."""

from __future__ import annotations

import pytest


@pytest.fixture
def one(session):  # type: ignore[no-untyped-def]
    """A repository with one event."""
    session.evgit("init", "-q")
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=1")
    return session


@pytest.mark.parametrize("words", [("bundle", "create"), ("backup",), ("gc", "--publish")])
@pytest.mark.parametrize("name", ["", "-", ".evgit", ".evgit/evgit.db", ".evgit/new.tar"])
def test_a_name_that_is_none_is_refused(one, words: tuple[str, ...], name: str) -> None:  # type: ignore[no-untyped-def]
    refused = one.evgit(*words, name)
    assert (refused.code, refused.out.count("Wrote")) == (2, 0)
    assert "hint:" in refused.text
    assert one.evgit("fsck").code == 0


@pytest.mark.parametrize("words", [("bundle", "create"), ("backup",)])
def test_a_file_of_something_else_is_left_alone(one, words: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    for name in ("letter.tar", "streams/a-1.json"):
        path = one.directory / name
        if name == "letter.tar":
            path.write_text("dear")
        before = path.read_bytes()
        refused = one.evgit(*words, name)
        assert refused.code == 4, refused.text
        assert "another name" in refused.text
        assert path.read_bytes() == before


def test_a_directory_is_no_bundle(one) -> None:  # type: ignore[no-untyped-def]
    for words in (("create",), ("verify",), ("list-heads",)):
        refused = one.evgit("bundle", *words, "streams")
        assert (refused.code, "is a directory" in refused.text) == (2, True)


@pytest.mark.parametrize("name", ["b.tar.gz", "b.tgz", "b.zip"])
def test_a_backup_is_a_directory_or_a_tar_file(one, name: str) -> None:  # type: ignore[no-untyped-def]
    refused = one.evgit("backup", "../" + name)
    assert (refused.code, ".tar" in refused.text) == (2, True)
