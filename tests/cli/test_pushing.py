"""Pushing off the chain with a lease; addresses with secrets; programs that keep tokens."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from evgit.cli.credentials import token_for
from evgit.errors import InvalidName, Unavailable, UsageError
from evgit.repository import Repository, masked
from evgit.sync.messages import PushReply, PushRequest, Update, decode_reply, encode


@pytest.fixture
def pair(session: Any) -> Any:
    """A bare repository `there`, and the session in a clone of it with a commit that is not."""
    session.evgit("init", "-q", "--bare", "there")
    session.evgit("clone", "-q", "there", "here")
    session.directory = session.directory / "here"
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made", "-m", "First")
    session.evgit("push", "-q")
    session.evgit("commit", "-q", "-s", "b-1", "-t", "made", "-m", "Second")
    session.evgit("push", "-q")
    return session


def test_a_lease_names_what_is_to_be_replaced(pair: Any) -> None:
    second = pair.evgit("rev-parse", "main").out.strip()
    pair.evgit("branch", "-f", "main", "main~1")
    pair.evgit("commit", "-q", "-s", "c-1", "-t", "made", "-m", "Other")
    refused = pair.evgit("push")
    assert refused.code == 4
    assert "evgit pull" in refused.err
    refused = pair.evgit("push", "--force-with-lease")
    assert "receive.main.allow_rewind" in refused.err
    assert "Second" in refused.err
    pair.evgit("-C", "../there", "config", "receive.main.allow_rewind", "true")
    refused = pair.evgit("push", f"--force-with-lease=main:{second}~1", "origin", "main")
    assert refused.code == 4
    assert f"main is at {second[:12]} there, not at" in refused.err
    refused = pair.evgit("push", "--force-with-lease=main:", "origin", "main")
    assert "not at nothing" in refused.err
    refused = pair.evgit("push", "--force-with-lease=mian", "origin", "main")
    assert refused.code == 2
    done = pair.evgit("push", f"--force-with-lease=main:{second[:12]}", "origin", "main")
    assert done.code == 0, done.err
    there = pair.evgit("-C", "../there", "rev-parse", "main").out
    assert there == pair.evgit("rev-parse", "main").out


def test_a_lease_without_words_is_for_what_was_last_seen(pair: Any) -> None:
    pair.evgit("-C", "../there", "config", "receive.main.allow_rewind", "true")
    pair.evgit("clone", "-q", "../there", "../other")
    pair.evgit("-C", "../other", "commit", "-q", "-s", "d-1", "-t", "made", "-m", "Came first")
    pair.evgit("-C", "../other", "push", "-q")
    pair.evgit("branch", "-f", "main", "main~1")
    assert "where it was last seen" in pair.evgit("push", "--force-with-lease").err
    pair.evgit("fetch", "-q")
    assert pair.evgit("push", "--force-with-lease=main").code == 0


def test_what_a_new_setting_says_of_itself(pair: Any) -> None:
    assert pair.evgit("config", "receive.main.allow_rewind", "perhaps").code == 5
    assert "trusted, always, never" in pair.evgit("config", "receive.main.verify", "now").err
    assert "did you mean" in pair.evgit("config", "receive.main.writer", "ada").err


# ---------------------------------------------------------------- secrets
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/x", "https://host/x"),
        ("https://ada:secret@host/x", "https://***@host/x"),
        ("https://secret@host:1/x", "https://***@host:1/x"),
        ("ssh://ada@host/x", "ssh://ada@host/x"),
        ("ssh://ada:secret@host/x", "ssh://***@host/x"),
        ("https://host/x?token=secret", "https://host/x?***"),
        ("ada@host:x", "ada@host:x"),
        ("/a/path", "/a/path"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_a_token_in_an_address_is_neither_kept_nor_said(pair: Any) -> None:
    for address in (
        "https://ada:s3cret@example.org/x",
        "https://s3cret@example.org/x",
        "https://example.org/x?token=s3cret",
        "ftp://ada:s3cret@example.org/x",
        "http://[ada:s3cret@example.org/x",
    ):
        for words in (("remote", "add", "bad", address), ("fetch", address), ("push", address)):
            done = pair.evgit(*words)
            assert done.code in (2, 5), words
            assert "s3cret" not in done.out + done.err, words
    config = pair.directory / ".evgit" / "config.toml"
    config.write_text(config.read_text() + '[remote.hand]\nurl = "https://a:s3cret@example.org"\n')
    done = pair.evgit("remote", "-v")
    assert "hand\thttps://***@example.org" in done.out
    for words in (("remote", "--json"), ("fetch", "hand"), ("op", "log"), ("reflog",)):
        done = pair.evgit(*words)
        assert "s3cret" not in done.out + done.err, words


def test_a_helper_gives_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "keeper"
    helper.write_text(
        f'#!/bin/sh\ncat >{tmp_path}/asked\necho "$1" >>{tmp_path}/asked\n'
        "echo username=ada\necho password=t0ken\n"
    )
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    config = tmp_path / "config.toml"
    config.write_text(f'[http]\ncredential_helper = "{helper}"\n')
    monkeypatch.setenv("EVGIT_CONFIG_GLOBAL", str(config))
    monkeypatch.delenv("EVGIT_TOKEN", raising=False)
    assert token_for("https://example.org:8470/shop/ledger") == "t0ken"
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["protocol=https", "host=example.org:8470", "", "get"]
    monkeypatch.setenv("EVGIT_TOKEN", "of the environment")
    assert token_for("https://example.org/x") == "of the environment"
    monkeypatch.setenv("EVGIT_TOKEN", " t0ken\r\n")
    assert token_for("https://example.org/x") == "t0ken"
    for odd in ("s3cr\u00e9t", "s3cr\nt"):
        monkeypatch.setenv("EVGIT_TOKEN", odd)
        with pytest.raises(UsageError) as refused:
            token_for("https://example.org/x")
        assert "s3cr" not in str(refused.value) + refused.value.hint
    monkeypatch.delenv("EVGIT_TOKEN")
    config.write_text('[http]\ncredential_helper = "no-such-program"\n')
    with pytest.raises(Unavailable, match=r"http\.credential_helper"):
        token_for("https://example.org/x")


# ---------------------------------------------------------------- what was killed
def test_a_push_that_was_not_answered_is_noticed_by_the_next(pair: Any) -> None:
    """The other side had accepted it; only the remote-tracking ref did not move."""
    pair.evgit("commit", "-q", "-s", "c-1", "-t", "made", "-m", "Third")
    pair.evgit("push", "-q", str(pair.directory.parent / "there"), "main")
    assert "1 commit that origin/main lacks" in pair.evgit("status").out
    assert "up to date" in pair.evgit("push").out
    assert "has what origin/main has" in pair.evgit("status").out


@pytest.mark.parametrize("left", [(), ("unfinished",), ("evgit.db.0f.new", "evgit.db.0f.new-wal")])
def test_a_clone_killed_at_once_goes_on(pair: Any, left: tuple[str, ...]) -> None:
    place = pair.directory.parent / "late" / ".evgit"
    place.mkdir(parents=True)
    for name in left:
        (place / name).touch()
    done = pair.evgit("clone", "../there", "../late")
    assert done.code == 0, done.err
    assert not list(place.glob("*.new*"))
    (place / "unfinished").touch()
    assert "the rest, 0 commits, 0 events" in pair.evgit("clone", "../there", "../late").out
    (place.parent / "mine").touch()
    assert pair.evgit("clone", "../there", "../late").code == 4


def test_a_clone_killed_over_its_files_says_what_is_left_to_do(pair: Any) -> None:
    pair.evgit("clone", "-q", "--no-checkout", "../there", "../again")
    refused = pair.evgit("clone", "-q", "../there", "../again")
    assert refused.code == 4
    assert "no files were written: go there and `evgit checkout`" in refused.err
    assert pair.evgit("-C", "../again", "checkout").code == 0
    assert "go there and `evgit fetch`" in pair.evgit("clone", "../there", "../again").err


def test_a_repository_made_where_a_clone_was_killed_is_none_of_it(pair: Any) -> None:
    place = pair.directory.parent / "own" / ".evgit"
    place.mkdir(parents=True)
    (place / "unfinished").touch()
    pair.evgit("init", "-q", "../own")
    assert pair.evgit("clone", "../there", "../own").code == 4
    assert (place / "evgit.db").exists()


# ---------------------------------------------------------------- a remote that was rewritten
def test_a_remote_that_was_rewound(pair: Any) -> None:
    """It is said, what came from it before stays here, and so do one's own commits."""
    old = pair.evgit("rev-parse", "main").out.strip()
    pair.evgit("commit", "-q", "-s", "own-1", "-t", "made", "-m", "Own")
    own = pair.evgit("rev-parse", "main").out.strip()
    pair.evgit("-C", "../there", "branch", "-f", "main", "main~1")
    pair.evgit("-C", "../there", "commit", "-q", "-s", "e-1", "-t", "made", "-m", "Instead")
    fetched = pair.evgit("fetch")
    assert fetched.code == 0
    assert "rewound there" in fetched.out
    assert pair.evgit("rev-parse", "main").out.strip() == own
    assert "Second" in pair.evgit("log", "--oneline", old).out
    refused = pair.evgit("push")
    assert refused.code == 4
    assert "evgit pull" in refused.err
    assert pair.evgit("pull").code == 0
    log = pair.evgit("log", "--oneline").out
    assert all(title in log for title in ("Own", "Second", "Instead"))
    assert pair.evgit("push").code == 0
    assert "All is well" in pair.evgit("fsck").out


def test_a_remote_that_was_replaced_by_another_history(pair: Any) -> None:
    before = pair.evgit("for-each-ref").out
    shutil.rmtree(pair.directory.parent / "there")
    pair.evgit("init", "-q", "--bare", "../there")
    pair.evgit("-C", "../there", "commit", "-q", "-s", "z-1", "-t", "made", "-m", "Elsewhere")
    for words in (("fetch",), ("pull",), ("push",), ("push", "--force")):
        done = pair.evgit(*words)
        assert done.code in (2, 5), words
        assert "no history in common" in done.err, words
    assert pair.evgit("for-each-ref").out == before
    assert "All is well" in pair.evgit("fsck").out


# ---------------------------------------------------------------- what is said
@pytest.mark.parametrize("name", ["-x", "HEAD", "refs/heads/HEAD", "refs/tags/-x"])
def test_names_elsewhere_follow_the_same_rules(pair: Any, name: str) -> None:
    refused = pair.evgit("push", "origin", f"main:{name}")
    assert refused.code == 5, refused.err
    kind = "tag" if "tags" in name else "branch"
    assert kind in refused.err
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    with Repository.open(pair.directory.parent / "there") as there:
        request = PushRequest([Update(full, None, there.head().point.commit)])
        answer, _ = there.service("eve", write=True).answer(encode(request))
        with pytest.raises(InvalidName, match=kind):
            decode_reply(answer, PushReply)


def test_a_branch_that_nothing_here_may_be_called_is_left_out(pair: Any) -> None:
    """Made there by another program, or another version. All others come, and it is said."""
    with Repository.open(pair.directory.parent / "there") as there:
        connection, commit = there.history.connection, there.head().point.commit
        for name in ("-x", "a#b", "fine"):
            connection.execute("INSERT INTO refs VALUES(?,?)", (f"refs/heads/{name}", commit))
    done = pair.evgit("fetch")
    assert done.code == 0
    assert "! [left out]             refs/heads/-x  (nothing may be called so here)" in done.out
    assert "fine -> origin/fine" in done.out
    kinds = {r["there"]: r["kind"] for r in json.loads(pair.evgit("fetch", "--json").out)["refs"]}
    assert kinds == {"refs/heads/-x": "unnameable", "refs/heads/a#b": "unnameable"}
    refused = pair.evgit("fetch", "origin", "a#b")
    assert refused.code == 5
    assert "a#b" in refused.err
    cloned = pair.evgit("clone", "../there", "../again")
    assert cloned.code == 0
    assert "warning: refs/heads/-x is left out" in cloned.err
    assert pair.evgit("-C", "../again", "fsck", "-q").code == 0


def test_what_is_not_there_can_not_be_deleted(pair: Any) -> None:
    refused = pair.evgit("push", "-d", "origin", "nope")
    assert refused.code == 3
    assert "no nope there" in refused.err


def test_upstream_as_second_parent_can_not_be_pushed(pair: Any) -> None:
    pair.evgit("clone", "-q", "../there", "../other")
    pair.evgit("-C", "../other", "commit", "-q", "-s", "d-1", "-t", "made", "-m", "Theirs")
    pair.evgit("-C", "../other", "push", "-q")
    pair.evgit("commit", "-q", "-s", "c-1", "-t", "made", "-m", "Ours")
    pair.evgit("fetch", "-q")
    pair.evgit("merge", "origin/main")
    said = pair.evgit("status").out
    assert "second parent" in said
    assert "evgit push" not in said
    pair.evgit("undo")
    assert pair.evgit("pull", "-q").out == ""
    assert "lacks: evgit push" in pair.evgit("status").out


def test_a_forced_push_and_its_undo_say_what_they_are(pair: Any) -> None:
    pair.evgit("-C", "../there", "config", "receive.main.allow_rewind", "true")
    pair.evgit("branch", "-f", "main", "main~1")
    dry = pair.evgit("push", "--force", "--dry-run", "--json")
    assert [ref["kind"] for ref in json.loads(dry.out)["refs"]] == ["rewound"]
    said = pair.evgit("push", "--force").out
    assert " + " in said
    assert "(forced update)" in said
    assert "stays where it went" in pair.evgit("undo").err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("EVGIT_SSH_COMMAND", '"', ("ls-remote", "tester:/x")),
        ("X", "", ("serve", "--port", "99999")),
    ],
)
def test_mistakes_are_no_internal_errors(
    pair: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv(variable, value)
    assert pair.evgit(*words).code == 2


def test_a_bad_certificate_or_date_is_named(pair: Any) -> None:
    (pair.directory / "bad.pem").write_text("nothing")
    bad = pair.evgit("serve", ".", "--port", "0", "--cert", "bad.pem", "--key", "bad.pem")
    assert bad.code == 2
    assert "bad.pem" in bad.err
    token = f'[[token]]\nname = "till-2"\nhash = "{"0" * 64}"\nexpires = "tomorrow"\n'
    (pair.directory / "server.toml").write_text(token)
    bad = pair.evgit("serve", ".", "--port", "0", "--config", "server.toml")
    assert "server.toml" in bad.err
    assert "till-2" in bad.err


def test_what_does_not_speak_evgit_is_said(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVGIT_SSH_COMMAND", "echo welcome")
    said = pair.evgit("ls-remote", "tester:/x")
    assert "is this the address of an evgit repository?" in said.err
