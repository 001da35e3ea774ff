"""Settings: two files, known and unknown keys, and edits that change nothing else."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from evgit.errors import InvalidInput, Locked, ReadOnly, StorageFull, Unavailable, UsageError
from evgit.storage import config_file
from evgit.storage.cache import DEFAULT_MAX_BYTES
from evgit.storage.config import Config, Setting, split_key, to_text
from evgit.storage.config_file import Value, join_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_nothing_set(path: Path) -> None:
    config = Config(path)
    assert config.get("user.name") is None
    assert config.get("cache.max_bytes") == DEFAULT_MAX_BYTES
    assert config.get("worktree.update") is True
    assert config.get("some.thing") is None
    assert config.unset("user.name") is False
    assert not path.exists()
    assert not list(path.parent.iterdir())


def test_the_repository_overrides_the_user_overrides_the_default(tmp_path: Path) -> None:
    mine, yours = tmp_path / "user" / "evgit" / "config.toml", tmp_path / "config.toml"
    config = Config(yours, mine)
    config.set("user.name", "Ada", user=True)
    config.set("cache.max_bytes", "2G", user=True)
    config.set("cache.max_bytes", "512M")
    config.set("branch.main.remote", "origin")
    for fresh in (config, Config(yours, mine)):
        assert fresh.get("cache.max_bytes") == 512 * 2**20
        assert fresh.settings() == [
            Setting("branch.main.remote", "origin", "repository", yours),
            Setting("cache.max_bytes", 512 * 2**20, "repository", yours),
            Setting("gc.auto", 50_000, "default", None),
            Setting("gc.prune", "2 weeks", "default", None),
            Setting("operations.expire", "90 days", "default", None),
            Setting("user.name", "Ada", "user", mine),
            Setting("worktree.update", True, "default", None),
        ]
    assert config.unset("cache.max_bytes") is True
    assert config.get("cache.max_bytes") == 2**31
    assert config.unset("cache.max_bytes") is False
    assert mine.read_text() == '[user]\nname = "Ada"\n\n[cache]\nmax_bytes = 2147483648\n'


def test_a_file_that_the_caller_does_not_name_is_not_written(path: Path) -> None:
    with pytest.raises(UsageError, match="no user's file"):
        Config(path).set("user.name", "Ada", user=True)
    with pytest.raises(UsageError, match="no repository's file"):
        Config(None, path).unset("user.name")


BEFORE = """\
# who I am
[user]   # that is me
name = 'Ada'   # of Lovelace
email = "ada@example.org"

[x.y]
list = [1, 2]
day = 2026-11-17
inline = { a = 1, b = "two" }

[branch."a.b"]
remote = "origin"
"""


def test_comments_and_order_survive(path: Path) -> None:
    path.write_text(BEFORE)
    config = Config(path)
    config.set("user.name", "Grace")
    config.set("branch.a.b.merge", "refs/heads/main")
    config.set("x.y.inline.b", "three")
    expected = BEFORE.replace("'Ada'", '"Grace"').replace('"two"', '"three"')
    assert path.read_text() == expected + 'merge = "refs/heads/main"\n'
    config.unset("branch.a.b.merge")
    assert path.read_text() == expected
    assert config.get("x.y.inline.a") == 1
    assert config.get("x.y.day") == "2026-11-17"
    assert config.get("x.y.list") == "[1, 2]"


def test_windows_line_ends_survive(path: Path) -> None:
    path.write_bytes(b"[user]\r\nname = 'Ada'\r\n# end\r\n")
    Config(path).set("user.name", "Grace")
    assert path.read_bytes() == b'[user]\r\nname = "Grace"\r\n# end\r\n'


@pytest.mark.parametrize(
    ("text", "key"),
    {
        "user.name": ("user", "name"),
        'branch."a.b".remote': ("branch", "a.b", "remote"),
        "branch.'a.b'.remote": ("branch", "a.b", "remote"),
        "branch.a.b.remote": ("branch", "a.b", "remote"),
        "branch.feature/x.y.merge": ("branch", "feature/x.y", "merge"),
        "branch.grün.merge": ("branch", "grün", "merge"),
        r'a."say \"hi\" \u00e9"': ("a", 'say "hi" é'),
        'a.""': ("a", ""),
        "some.other.long.key": ("some", "other", "long", "key"),
    }.items(),
)
def test_keys(text: str, key: tuple[str, ...]) -> None:
    assert split_key(text) == key
    assert split_key(join_key(*key)) == key


@pytest.mark.parametrize(
    "text", ["", "user", ".", "user.", ".name", "a..b", 'a."b', 'a."b"c', "a b.c", "a.b=1", "a.[b]"]
)
def test_texts_that_are_no_key(path: Path, text: str) -> None:
    for use in (Config(path).get, Config(path).unset, Config(path).note):
        with pytest.raises(UsageError, match="is not the name of a setting"):
            use(text)


def test_a_name_with_dots_is_found_however_it_is_written(path: Path) -> None:
    path.write_text('branch.a.b.remote = "one"\n[remote."x.y"]\nurl = "two"\n')
    config = Config(path)
    assert config.get('branch."a.b".remote') == "one"
    assert config.get("remote.x.y.url") == "two"
    config.set('branch."a.b".remote', "three")
    assert path.read_text() == 'branch.a.b.remote = "three"\n[remote."x.y"]\nurl = "two"\n'


@pytest.mark.parametrize(
    ("key", "given_", "kept"),
    [
        ("user.name", "42", "42"),
        ("user.name", "", ""),
        ("user.name", 'a "quoted" \\ line\n\x1b\x7f é 🙂', 'a "quoted" \\ line\n\x1b\x7f é 🙂'),
        ("worktree.update", "Off", False),
        ("worktree.update", "yes", True),
        ("worktree.update", False, False),
        ("cache.max_bytes", "0", 0),
        ("cache.max_bytes", "10k", 10240),
        ("cache.max_bytes", "3 GiB", 3 * 2**30),
        ("cache.max_bytes", 7, 7),
        ("x.y", "true", True),
        ("x.y", "-12", -12),
        ("x.y", "007", "007"),
        ("x.y", '"12"', "12"),
        ("x.y", "'true'", "true"),
        ("x.y", "plain", "plain"),
        ("x.y", 1.5, 1.5),
        ("x.y", '"', '"'),
    ],
)
def test_values(path: Path, key: str, given_: Value, kept: Value) -> None:
    assert Config(path).set(key, given_).value == kept
    found = Config(path).get(key)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("user.name", 42, "user.name must be a text, not 42"),
        ("user.name", "\udc80", "lone surrogate"),
        ("x.y", "\udc80", "lone surrogate"),
        ("worktree.update", "maybe", "worktree.update must be true or false, not 'maybe'"),
        ("worktree.update", 1, "must be true or false, not 1"),
        ("cache.max_bytes", "much", "must be a number of bytes, such as 512M or 2G, not 'much'"),
        ("cache.max_bytes", "-1", "must be a number of bytes"),
        ("cache.max_bytes", True, "must be a number of bytes"),
        ("cache.max_bytes", "999999999999999T", "must be a number of bytes"),
    ],
)
def test_values_that_are_refused(path: Path, key: str, value: Value, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Config(path).set(key, value)
    assert not path.exists()


def test_a_wrong_kind_in_the_file_is_named_with_the_file(path: Path) -> None:
    path.write_text("[user]\nname = 42\n[cache]\nmax_bytes = '2G'\n")
    with pytest.raises(InvalidInput) as caught:
        Config(path).get("user.name")
    assert caught.value.message == f"{path}: user.name must be a text, not 42"
    assert Config(path).get("cache.max_bytes") == 2**31
    config = Config(path)
    config.set("user.name", "Ada")
    assert config.get("user.name") == "Ada"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[user]\nname = Ada\n", ", line 2, column 8: "),
        (b"[user]\nname = 'A'\nname = 'B'\n", ", line 3, column 11: "),
        (b"[user", "Expected ']'"),
        (b"[user]\nname = '\xff'\n", "is not UTF-8: byte 15 is wrong"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["value", "twice", "header", "bytes", "depth"],
)
def test_a_file_that_is_not_toml_is_named_with_the_line(
    path: Path, content: bytes, words: str
) -> None:
    path.write_bytes(content)
    for use in (Config(path).get, Config(path).unset, lambda key: Config(path).set(key, "Ada")):
        with pytest.raises(InvalidInput) as caught:
            use("user.name")
        assert str(caught.value).startswith(str(path))
        assert words in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content", ["user = 3\n", "[user.name]\nfirst = 'Ada'\n", "[[user]]\na=1\n"]
)
def test_what_would_change_something_else_is_refused(path: Path, content: str) -> None:
    path.write_text(content)
    config = Config(path)
    with pytest.raises(InvalidInput, match=r"can't change user.name in .*config.toml without"):
        config.set("user.name", "Grace")
    assert path.read_text() == content
    assert config.get("user.name") is None


def test_unknown_keys_are_noted_and_kept(path: Path) -> None:
    config = Config(path)
    assert config.note("user.name") == config.note("branch.x.remote") == ""
    assert config.note("user.nmae") == (
        "evgit has no setting 'user.nmae'; it is kept all the same (did you mean 'user.name'?)"
    )
    assert config.note("zzz.qqq") == "evgit has no setting 'zzz.qqq'; it is kept all the same"
    path.write_text("top = 'level'\n")
    assert [setting.key for setting in config.settings()][4:5] == ["top"]


def test_values_as_text() -> None:
    assert [to_text(value) for value in (True, False, 12, "x", 1.5)] == [
        "true",
        "false",
        "12",
        "x",
        "1.5",
    ]


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "evgit.toml", tmp_path / "config.toml"
    real.parent.mkdir()
    real.write_text("")
    real.chmod(0o600)
    link.symlink_to(real)
    Config(None, link).set("user.name", "Ada", user=True)
    assert link.is_symlink()
    assert real.read_text() == '[user]\nname = "Ada"\n'
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in real.parent.iterdir()) == ["evgit.toml"]


def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(Unavailable, match="can't be read: Is a directory"):
        Config(path).get("user.name")


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EROFS, ReadOnly), (errno.EIO, Unavailable)],
)
def test_failing_to_write_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    path.write_text(BEFORE)
    config = Config(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(error, match=r"config\.toml can't be written"):
            config.set("user.name", "Grace")
    assert path.read_text() == BEFORE
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]
    assert config.get("user.name") == "Ada"


def test_waiting_for_another_process_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "LOCK_TIMEOUT_SECONDS", 0.05)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="another process is changing settings"):
            Config(path).set("user.name", "Ada")
    finally:
        os.close(descriptor)
    Config(path).set("user.name", "Ada")


def _set_twenty(path: Path, writer: int) -> None:
    for number in range(20):
        Config(path).set(f"writer{writer}.key{number}", number)


def test_writers_at_once_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_set_twenty, args=(path, writer)) for writer in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert tomllib.loads(path.read_text()) == {
        f"writer{writer}": {f"key{number}": number for number in range(20)} for writer in range(3)
    }


names = st.sampled_from(["a", "b.c", "d e", 'q"u', "é", "", "remote", "branch", "-1"])
keys = st.lists(names, min_size=2, max_size=4).map(tuple)
values: st.SearchStrategy[Value] = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)


@given(st.lists(st.sampled_from(["a", "b", "remote", "x"]) | st.text(max_size=4), min_size=2))
@example(["branch", "a", "b", "c", "remote"])
def test_a_joined_key_splits_into_its_parts(parts: list[str]) -> None:
    key = tuple(parts)
    if key[0] == "branch" and len(key) > 3:  # there the middle is one name
        key = ("branch", ".".join(key[1:-1]), "remote")
    assert split_key(join_key(*parts)) == key


@given(st.lists(st.tuples(keys, values | st.none()), max_size=8))
def test_settings_are_a_dictionary(changes: list[tuple[tuple[str, ...], Value | None]]) -> None:
    """Whatever is set and unset, the file holds exactly that, and what can't be is refused."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.toml"
        path.write_text("# first\n\n# last\n")
        expected: dict[str, Value] = {}
        for parts, value in changes:
            key = join_key(*split_key(join_key(*parts)))
            if value is None:
                assert Config(path).unset(key) is (expected.pop(key, None) is not None)
                continue
            try:
                stored = Config(path).set(key, value).value
            except InvalidInput:
                continue  # a value where a table is, or the wrong kind for a known key
            expected[key] = stored
        found = {s.key: s.value for s in Config(path).settings() if s.origin == "repository"}
        assert _exactly(found) == _exactly(expected)
        assert "# first\n" in path.read_text()


def _exactly(settings: dict[str, Any]) -> dict[str, str]:
    return {key: repr(value) for key, value in settings.items()}


def test_a_count_is_a_number(path: Path) -> None:
    config = Config(path)
    assert config.set("gc.auto", "20k").value == 20_000
    assert config.set("gc.auto", "0").value == 0
    for wrong in ("many", "-1", "1.5"):
        with pytest.raises(InvalidInput, match="must be a number"):
            config.set("gc.auto", wrong)
