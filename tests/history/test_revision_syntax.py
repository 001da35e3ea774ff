"""Revision expressions as trees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from evgit.errors import UsageError
from evgit.history.revision_syntax import (
    PEEL_KINDS,
    Ancestor,
    AtPosition,
    AtTime,
    CurrentBranch,
    Document,
    Excluded,
    Expression,
    Name,
    OperationsAgo,
    Parent,
    Peeled,
    PreviousBranch,
    Range,
    Revision,
    SymmetricRange,
    Upstream,
    parse,
    parse_revision,
    render,
)

HEAD = Name("HEAD")
MAIN = Name("main")

READ: dict[str, Expression] = {
    "HEAD": HEAD,
    "@": HEAD,
    "main": MAIN,
    "feature/x.y": Name("feature/x.y"),
    "refs/heads/main": Name("refs/heads/main"),
    "3fa9": Name("3fa9"),
    # suffixes
    "main~": Ancestor(MAIN, 1),
    "main~3": Ancestor(MAIN, 3),
    "@~007": Ancestor(HEAD, 7),
    "main^": Parent(MAIN, 1),
    "main^^": Parent(Parent(MAIN, 1), 1),
    "main^0": Parent(MAIN, 0),
    "main~2^2~": Ancestor(Parent(Ancestor(MAIN, 2), 2), 1),
    "v1^{}": Peeled(Name("v1"), ""),
    "v1^{commit}~": Ancestor(Peeled(Name("v1"), "commit"), 1),
    "main#500": AtPosition(MAIN, 500),
    "@#0": AtPosition(HEAD, 0),
    "main~3#10": AtPosition(Ancestor(MAIN, 3), 10),
    "main#10^{event}": Peeled(AtPosition(MAIN, 10), "event"),
    # braces
    "main@{u}": Upstream(MAIN),
    "@{Upstream}": Upstream(CurrentBranch()),
    "main@{upstream}@{1}": OperationsAgo(Upstream(MAIN), 1),
    "main@{3}": OperationsAgo(MAIN, 3),
    "main@{20150601}": OperationsAgo(MAIN, 20150601),
    "@{3}": OperationsAgo(CurrentBranch(), 3),
    "@@{3}": OperationsAgo(HEAD, 3),
    "@{-1}": PreviousBranch(1),
    "@{-1}~2": Ancestor(PreviousBranch(1), 2),
    "main@{ yesterday }": AtTime(MAIN, "yesterday"),
    "main@{yesterday}~2": Ancestor(AtTime(MAIN, "yesterday"), 2),
    "main@{2026-11-17T15:00Z}": AtTime(MAIN, "2026-11-17T15:00Z"),
    "main@{@1479600000}": AtTime(MAIN, "@1479600000"),
    "main^@{yesterday}": AtTime(Parent(MAIN, 1), "yesterday"),
    "main~3@{last tuesday 15:00}": AtTime(Ancestor(MAIN, 3), "last tuesday 15:00"),
    "main@{a..b}": AtTime(MAIN, "a..b"),
    # streams
    "account-42@7": Name("account-42@7"),
    "account-42@7~1": Ancestor(Name("account-42@7"), 1),
    "account-42@7@{now}": AtTime(Name("account-42@7"), "now"),
    "ada@example.org@7": Name("ada@example.org@7"),
    "main#500@3": Name("main#500@3"),
    "odd ~ name^{@7#3": AtPosition(Name("odd ~ name^{@7"), 3),
    "a@1~2@3": Name("a@1~2@3"),
    "refs/streams/main/account-42@7": Name("refs/streams/main/account-42@7"),
    # documents
    "main:accounts/42.json": Document(MAIN, "accounts/42.json"),
    "main:": Document(MAIN, ""),
    "main:a:b..c@{d}": Document(MAIN, "a:b..c@{d}"),
    "main@{2026-11-17T15:00Z}:accounts/42.json": Document(
        AtTime(MAIN, "2026-11-17T15:00Z"), "accounts/42.json"
    ),
    "account-42@7:streams/account-42.json": Document(
        Name("account-42@7"), "streams/account-42.json"
    ),
    ".evgit@0": Name(".evgit@0"),
    "..a@1": Range(HEAD, Name("a@1")),
    ".a@1~2:b.json": Document(Ancestor(Name(".a@1"), 2), "b.json"),
    # sets
    "^main": Excluded(MAIN),
    "^main~2": Excluded(Ancestor(MAIN, 2)),
    "main..next": Range(MAIN, Name("next")),
    "main...next": SymmetricRange(MAIN, Name("next")),
    "main..": Range(MAIN, HEAD),
    "..main": Range(HEAD, MAIN),
    "main...": SymmetricRange(MAIN, HEAD),
    "@..main": Range(HEAD, MAIN),
    "main@{10:00}..account-42@7": Range(AtTime(MAIN, "10:00"), Name("account-42@7")),
}


@pytest.mark.parametrize(("text", "tree"), READ.items())
def test_read(text: str, tree: Expression) -> None:
    assert parse(text) == tree
    assert parse(render(tree)) == tree


REFUSED = {
    "": "an empty text",
    "main\n": "holds a character",
    "main\x00": "holds a character",
    "main\udc80": "holds a character",
    "x" * 9000: "9000 characters is too long",
    "main" + "~" * 65: "has 65 suffixes",
    "main~" + "9" * 5000: "is too large",
    "main#9999999999999999": "is too large",
    "~2": "does not say of which revision",
    "#5": "does not say of which revision",
    "@{u": "never closed",
    "main@{yesterday": "never closed",
    "main@{10:00": "never closed",
    "main^{commit": "never closed",
    "main~2x": "can't read '~2x'",
    "main#x": "can't read '#x'",
    "main#-1": "can't read '#-1'",
    "main^!": "can't read '^!'",
    "main^-1": "can't read '^-1'",
    "main^@": "can't read '^@'",
    "main@{now}x": "can't read '@{now}x'",
    "main^{tree}": "'^{tree}' is not something that a revision leads to",
    "main^{/fix}": "is not something that a revision leads to",
    "main@{}": "'@{}' means nothing here",
    "main@{push}": "'@{push}' means nothing here",
    "main@{-1}": "stands alone and counts from 1",
    "@{-0}": "stands alone and counts from 1",
    "main~2@{3}": "operations are counted for a ref such as main, not for 'main~2'",
    "main~2@{u}": "only a branch has an upstream, not 'main~2'",
    ":path": "no revision before the colon",
    "..": "is not a revision",
    "...": "is not a revision",
    "^": "is not a revision or range",
    "^^main": "is not a revision or range",
    "^" * 5000: "is not a revision or range",
    "^main..next": "is not a revision or range",
    "^main:path": "is not a revision or range",
    "a..^b": "is not a revision or range",
    "a..b..c": "is not a revision or range",
    "a..b:path": "is not a revision or range",
    "a....b": "begins or ends with a dot",
    ".hidden": "begins or ends with a dot",
    "a....b@0": "begins or ends with a dot",
    "^.b@0": "begins or ends with a dot",
    ".b@0.": "begins or ends with a dot",
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=[text[:20] for text in REFUSED])
def test_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert reason in caught.value.message


def test_hints_say_what_to_write() -> None:
    with pytest.raises(UsageError) as caught:
        parse("main^!")
    assert "'main^..main'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        parse(":a.json")
    assert "'HEAD:a.json'" in caught.value.hint


def test_one_revision_is_no_range() -> None:
    assert parse_revision("main:a.json") == Document(MAIN, "a.json")
    for text in ("a..b", "a...b", "^a"):
        with pytest.raises(UsageError, match="one revision is wanted"):
            parse_revision(text)


def test_the_documentation_writes_what_can_be_read() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "revisions.md").read_text()
    table = text.partition("\n### ")[0]
    written = [
        code
        for row in re.findall(r"^\| (`.+?`) \| ", table, re.MULTILINE)
        for code in re.findall(r"`([^`]+)`", row)
    ]
    assert len(written) == 30
    kinds = {type(parse(code)) for code in written}
    assert {Name, AtTime, OperationsAgo, PreviousBranch, Upstream, AtPosition, Peeled} < kinds
    assert {Ancestor, Parent, Document, Range, SymmetricRange, Excluded} < kinds


numbers = st.integers(0, 10**15 - 1)
plain_names = st.from_regex(
    r"[a-z0-9_/é-]([a-z0-9_/é.-]{0,8}[a-z0-9_/é-])?", fullmatch=True
).filter(lambda name: ".." not in name)
odd_streams = st.builds(
    lambda stream, revision: f"{stream}@{revision}",
    st.from_regex(r"[a-z~^#@{} -][a-z~^#@{}. -]{0,8}", fullmatch=True).filter(
        lambda name: ".." not in name and "{" not in name and not name.startswith("^")
    ),
    numbers,
)
times = st.sampled_from(
    ["yesterday", "2026-11-17T15:00Z", "10:00", "a..b", "@5", "3 days ago", "é"]
)
refs = st.recursive(
    plain_names.map(Name) | st.integers(1, 99).map(PreviousBranch) | st.just(CurrentBranch()),
    lambda inner: inner.map(Upstream),
    max_leaves=2,
)
named_refs = refs.filter(lambda ref: not isinstance(ref, CurrentBranch))


def suffixed(inner: st.SearchStrategy[Revision]) -> st.SearchStrategy[Revision]:
    return (
        st.builds(Ancestor, inner, numbers)
        | st.builds(Parent, inner, numbers)
        | st.builds(AtPosition, inner, numbers)
        | st.builds(AtTime, inner, times)
        | st.builds(Peeled, inner, st.sampled_from(PEEL_KINDS))
    )


revisions: st.SearchStrategy[Revision] = st.recursive(
    named_refs
    | odd_streams.map(Name)
    | st.builds(OperationsAgo, refs, numbers)
    | st.builds(AtTime, refs, times),
    suffixed,
    max_leaves=6,
)
paths = st.from_regex(r"[a-z:.@{}/~é]{0,12}", fullmatch=True)
expressions: st.SearchStrategy[Expression] = (
    revisions
    | st.builds(Document, revisions, paths)
    | st.builds(Excluded, revisions)
    | st.builds(Range, revisions, revisions)
    | st.builds(SymmetricRange, revisions, revisions)
)


@given(expressions)
def test_what_is_rendered_is_read_back(expression: Expression) -> None:
    assert parse(render(expression)) == expression


FRAGMENTS = """
    main HEAD @ @{ { } ^ ^{ ~ # : . .. ... 7 @7 -1 u yesterday commit / ! a@1
"""
fragments = st.sampled_from([*FRAGMENTS.split(), " ", "\n"])


@given(st.lists(fragments, max_size=10).map("".join) | st.text(max_size=20))
@example("@" * 8000)
@example("a@1" * 2000 + "x")
@example("a@1" * 2000 + "~" * 64 + "x")
@example("^{" * 4000)
@example("..." * 2000)
@example(":" * 8000)
def test_any_text_is_read_the_same_again_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except UsageError:
        return
    assert parse(render(expression)) == expression
