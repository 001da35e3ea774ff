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


def test_a_bundle_without_a_new_commit_is_refused(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("tag", "-m", "one", "v1")
    for words in (["^main"], ["main..main"], ["main", "v1", "^main"]):
        refused = one.evgit("bundle", "create", "../x.evpack", *words)
        assert (refused.code, "nothing to put" in refused.text) == (2, True)
    assert one.evgit("bundle", "create", "../x.evpack", "v1", "^main").code == 0


def test_cloning_a_backup_hints_at_restore(one) -> None:  # type: ignore[no-untyped-def]
    for name in ("../disk", "../disk.tar"):
        assert one.evgit("backup", name).code == 0
        refused = one.evgit("clone", name, "../copy")
        assert (refused.code, "evgit restore" in refused.text) == (3, True)


def test_what_is_published_over_a_file_is_named(one) -> None:  # type: ignore[no-untyped-def]
    (one.directory / "web").write_text("dear")
    refused = one.evgit("gc", "--publish", "web")
    assert (refused.code, "web is no directory" in refused.text) == (2, True)


def test_shallow_repositories_hint_at_getting_the_rest(one) -> None:  # type: ignore[no-untyped-def]
    one.evgit("commit", "-q", "-s", "a-1", "-t", "made", "n=2")
    assert one.evgit("clone", "-q", "--depth", "1", ".", "../shallow").code == 0
    for words in (("bundle", "create", "../x.evpack"), ("gc", "--publish", "../web")):
        refused = one.evgit("-C", "../shallow", *words)
        assert refused.code == 7
        assert "--unshallow" in refused.text
        assert "--depth" not in refused.text
