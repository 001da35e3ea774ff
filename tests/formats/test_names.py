"""Names of streams, event types, branches and refs; hints for names that read as commands."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, strategies as st

from evgit.errors import InvalidName
from evgit.formats.names import (
    category,
    check_branch_name,
    check_event_type,
    check_ref_name,
    check_stream_name,
    looks_like_command,
    parse_stream_ref,
    stream_ref,
)

STREAMS = [
    "account-42", "a", "a/b", "...", ".hidden", "a.b", "a@b", "a@7x", "Grüße/straße", "日本", "😀",
    "a b", "a%2Fb", "x" * 240, "é" * 120, "-", "@", "a@", "7", "a#b", "a:b", "a\\b", "a$",
]  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_stream_names(name: str) -> None:
    check_stream_name(name)
    check_stream_name(name, appending=False, reserved=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty"),
        ("x" * 241, "241 bytes long, at most 240"),
        ("é" * 121, "242 bytes long"),
        ("a\nb", "control character"),
        ("a\x00", "control character"),
        ("a\x7f", "control character"),
        ("a\x85", "control character"),
        ("/a", "component"),
        ("a/", "component"),
        ("a//b", "component"),
        (".", "component"),
        ("a/../b", "component"),
        ("./a", "component"),
        ("$model", "reserved"),
        ("a@7", "'@' and digits"),
        ("@0", "'@' and digits"),
        ("e\u0301", "normal form C"),
        ("a\ud800", "lone surrogate"),
    ],
)
def test_refused_stream_names(name: str, said: str) -> None:
    with pytest.raises(InvalidName) as error:
        check_stream_name(name)
    assert said in error.value.message
    if "reserved" in said:
        check_stream_name(name, reserved=True)
    elif "normal" in said:
        check_stream_name(name, appending=False)
    else:
        with pytest.raises(InvalidName):
            check_stream_name(name, appending=False, reserved=True)


def test_non_ascii_digits_are_no_revision() -> None:
    check_stream_name("a@٣")


def test_event_types() -> None:
    for name in ("deposit_made", "payment.succeeded", "$x", "ö", "a@1", "x" * 240):
        check_event_type(name)
    for name in ("", "x" * 241, "deposit made", "a\tb", "a\u00a0b", "a\u2028b", "a\x1b", "\udc00"):
        with pytest.raises(InvalidName):
            check_event_type(name)


def test_categories() -> None:
    assert category("account-42") == "account"
    assert category("account-42-7") == "account"
    assert category("account") == "account"


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("account-42", "account-42"),
        ("a/b", "a%2Fb"),
        ("a%b", "a%25b"),
        ("a.b", "a.b"),
        ("a..b", "a%2E%2Eb"),
        (".a", "%2Ea"),
        ("a.", "a%2E"),
        ("a.lock", "a%2Elock"),
        ("a.lock.b", "a.lock.b"),
        ("é", "%C3%A9"),
        ("$model", "%24model"),
    ],
)
def test_stream_refs(name: str, ref: str) -> None:
    assert stream_ref("feature/x", name) == f"refs/streams/feature/x/{ref}"
    assert parse_stream_ref(f"refs/streams/feature/x/{ref}") == ("feature/x", name)


@given(st.text(min_size=1, max_size=30).filter(lambda name: not _refused(name)))
def test_every_stream_has_a_ref_of_its_own(name: str) -> None:
    ref = stream_ref("main", name)
    check_ref_name(ref)
    assert parse_stream_ref(ref) == ("main", name)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/streams/main",
        "refs/streams/main/",
        "refs/streams//a",
        "refs/streams/main/a%2fb",
        "refs/streams/main/%61",
        "refs/streams/main/a b",
        "refs/streams/main/%FF",
        "refs/streams/main/%",
    ],
)
def test_refs_that_name_no_stream(ref: str) -> None:
    with pytest.raises(InvalidName):
        parse_stream_ref(ref)


BRANCHES = ["main", "feature/x", "v1.0", "a-b_c", "über", "a.b/c.d", "a{b", "a+b=c", "日本"]
NOT_BRANCHES = [
    "", "/", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a/b.", "a..b", "a.lock", "a.lock/b", "a b",
    "a\tb", "a\x7fb", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "@", "a@b", "a@{b", "a#b",
    "-a", "HEAD", "x" * 241, "a\ud800",
]  # fmt: skip


def test_branch_names() -> None:
    for name in BRANCHES:
        check_branch_name(name)
        check_ref_name(f"refs/heads/{name}")
    for name in NOT_BRANCHES:
        with pytest.raises(InvalidName):
            check_branch_name(name)


def test_ref_names() -> None:
    for name in ("HEAD", "ORIG_HEAD", "refs/heads/main", "refs/signatures/0a", "a/b"):
        check_ref_name(name)
    for name in ("main", "Head", "refs/heads/a@b", "refs//heads", "refs/heads/" + "x" * 1024):
        with pytest.raises(InvalidName):
            check_ref_name(name)


def _refused(name: str) -> bool:
    try:
        check_stream_name(name, appending=False, reserved=True)
    except InvalidName:
        return True
    return False


def test_git_refuses_no_branch_name_that_is_allowed_here() -> None:
    """And allows those refused here only for reasons of ours."""
    ours = {"a@b", "a#b", "x" * 241, "HEAD", "@"}
    for name in BRANCHES + NOT_BRANCHES:
        if "\ud800" in name or "\x00" in name:
            continue
        git = subprocess.run(
            ["git", "check-ref-format", "--branch", name], capture_output=True, check=False
        )
        expected = name in BRANCHES
        assert (git.returncode == 0) == expected or name in ours, name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("place_order", "order_placed"),
        ("PlaceOrder", "OrderPlaced"),
        ("placeOrder", "orderPlaced"),
        ("open-account", "account-opened"),
        ("create", "created"),
        ("Create", "Created"),
        ("order.create", "order.created"),
        ("shop.place_order", "shop.order_placed"),
        ("set_price", "price_set"),
        ("pay_invoice_now", "invoice_now_paid"),
        ("deposit_made", None),
        ("payment.succeeded", None),
        ("order_placed", None),
        ("OrderPlaced", None),
        ("update_failed", None),
        ("set", None),
        ("order", None),
        ("file_changed", None),
        ("", None),
        ("注文", None),
        ("...", None),
    ],
)
def test_hints_for_commands(name: str, hint: str | None) -> None:
    assert looks_like_command(name) == hint
