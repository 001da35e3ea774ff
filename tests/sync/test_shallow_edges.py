"""What a shallow repository can't know it says, and what it was told that isn't so it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from evgit.errors import (
    BehindBoundary,
    InvalidInput,
    KeyReused,
    UnknownRevision,
    UsageError,
    WrongExpectedRevision,
)
from evgit.formats.tag import Tag
from evgit.formats.transfer import decode_transfer, encode_transfer
from evgit.history.history import SEEN
from evgit.repository import Fetched, Repository
from evgit.storage import database, schema
from evgit.sync.fetching import Fetch, fetch
from evgit.sync.quarantine import Limits
from evgit.sync.remotes import Remote
from evgit.sync.transport import Carried
from tests.history.making import Clock, event, events, merge, new
from tests.sync.making import Line, cloned, fetched, heads, pushed, tracked
from tests.sync.test_shallow import assert_sound, commits_here, shallow, state_root


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    with new(tmp_path / "source") as repository:
        for start in range(0, 30, 5):
            repository.append(events(start, start + 5, streams=3), message=f"from {start}")
        repository.append([event(30, "s-0", key="k"), event(31, "s-1")])
        repository.append(events(32, 34, streams=3))
        yield repository


@pytest.fixture
def copy(source: Repository, tmp_path: Path) -> Iterator[Repository]:
    with shallow(source, tmp_path / "copy") as repository:
        yield repository


# ---------------------------------------------------------------- what is not here
@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.log().event(3),
        lambda r: list(r.events()),
        lambda r: list(r.log().texts(31)),
        lambda r: list(r.stream("s-0")),
        lambda r: r.state("HEAD#3"),
        lambda r: r.resolve("HEAD#3"),
        lambda r: r.resolve("HEAD~2"),
        lambda r: r.resolve("s-0@1"),
        lambda r: r.resolve("HEAD@{1999-01-01}"),
        lambda r: list(r.commit_ids([r.resolve_commit("HEAD")])),
        lambda r: list(r.walk([r.resolve_commit("HEAD")])),
        lambda r: r.event(next(iter(r.log().ids())).hex()),
        lambda r: list(r.added_events(r.resolve_commit("HEAD~1"))),
        lambda r: list(r.provenance.blame(r.resolve("HEAD"), "streams/s-0.json")),
        lambda r: r.commit_adding(3),
    ],
)
def test_what_is_not_here_is_said(copy: Repository, ask: Callable[[Repository], object]) -> None:
    with pytest.raises(BehindBoundary, match="shallow") as caught:
        ask(copy)
    assert caught.value.exit_code == 7
    assert "--unshallow" in caught.value.hint


def test_what_is_here_is_told(copy: Repository, source: Repository) -> None:
    assert [e.id for e in copy.events("HEAD", 32)] == [e.id for e in source.events("HEAD", 32)]
    assert [s.revision for s in copy.stream("s-0", start=11)] == [11]
    assert copy.resolve("HEAD#32") == source.resolve("HEAD#32")
    assert copy.locate(source.log().event(3).id) == 3
    assert len(copy.state()) == len(source.state())
    with pytest.raises(UnknownRevision):
        copy.resolve("HEAD#99")


def test_expected_revisions_reach_behind_the_boundary(copy: Repository) -> None:
    assert copy.stream_revision("s-1") == 10
    with pytest.raises(WrongExpectedRevision):
        copy.append([event(40, "s-1")], expected={"s-1": 9})
    copy.append([event(40, "s-1")], expected={"s-1": 10, "s-7": "none"})
    assert copy.stream_revision("s-1") == 11


def test_what_is_behind_the_boundary_is_not_appended_again(copy: Repository) -> None:
    assert copy.append([event(3, "s-0"), event(50)]).already == 1
    said = {"key": "k", "data": {"n": 30}}
    assert copy.append([event(51, "s-0", **said)]).already == 1
    with pytest.raises(KeyReused):
        copy.append([event(52, "s-0", key="k")])


def test_merging_across_the_boundary_is_refused(
    source: Repository, copy: Repository, tmp_path: Path
) -> None:
    source.branches.create("old", source.resolve_commit("main~4"))
    source.append([event(60, "s-9")], branch="old")
    fetched(copy, source, wanted=Fetch(branches=["old"]))
    assert len(copy.boundaries) == 2
    with pytest.raises(BehindBoundary, match="shallow"):
        copy.merging.merge.start(tracked(copy)["old"])
    with pytest.raises(BehindBoundary):
        copy.ancestry.merge_bases(heads(copy)["main"], tracked(copy)["old"])
    assert_sound(copy)
    fetched(copy, source, wanted=Fetch(branches=["main", "old"], more=4))
    assert copy.ancestry.merge_bases(heads(copy)["main"], tracked(copy)["old"]) == [
        source.resolve_commit("old~1")
    ]


def test_a_branch_behind_the_boundary_is_said_to_be_there(
    source: Repository, copy: Repository
) -> None:
    source.branches.create("old", source.resolve_commit("main~4"))
    done = fetched(copy, source, wanted=Fetch(branches=["old"]))
    assert [(move.ref, move.kind) for move in done.moves] == [("refs/remotes/origin/old", "behind")]
    assert "old" not in tracked(copy)


def test_others_get_what_is_here_and_no_more(
    source: Repository, copy: Repository, tmp_path: Path
) -> None:
    copy.append([event(70, "s-8")])
    with cloned(copy, tmp_path / "second") as second:
        assert {b.id for b in second.boundaries} == {b.id for b in copy.boundaries}
        with pytest.raises(BehindBoundary, match="can't send"):
            fetched(second, copy, wanted=Fetch(all=True))
        assert_sound(second)
    with shallow(copy, tmp_path / "third", 5) as third:
        assert {b.id for b in third.boundaries} == {b.id for b in copy.boundaries}
        assert state_root(third, "HEAD") == state_root(copy, "HEAD")
        assert_sound(third)
    with new(tmp_path / "unrelated") as other, pytest.raises(Exception, match="no history"):
        pushed(copy, other, "main")
    fetched(source, copy)
    assert tracked(source)["main"] == heads(copy)["main"]


def test_what_is_pushed_may_not_lie_behind_the_boundary(
    source: Repository, copy: Repository
) -> None:
    source.branches.create("old", source.resolve_commit("main~4"))
    source.append([event(60, "s-9")], branch="old")
    with pytest.raises(BehindBoundary, match="builds on"):
        pushed(source, copy, "old")
    assert_sound(copy)


def test_tags_come_with_their_commits(source: Repository, tmp_path: Path) -> None:
    for name, revision in (("new", "main"), ("old", "main~5")):
        commit = source.resolve_commit(revision)
        tag = Tag(
            name=name, message="", tagger="Ada", target=commit, time="2026-01-01T00:00:00.000000Z"
        )
        source.branches.create_tag(name, source.branches.write_tag(tag))
        source.branches.create_tag("light-" + name, commit)
    with shallow(source, tmp_path / "tagged", 2) as copy:
        assert [ref.name for ref in copy.refs("refs/tags/")] == [
            "refs/tags/light-new",
            "refs/tags/new",
        ]
        assert len(commits_here(copy, heads(copy)["main"])) == 2
        assert_sound(copy)
        fetched(copy, source, wanted=Fetch(more=1))
        assert len(copy.refs("refs/tags/")) == 2
        fetched(copy, source, wanted=Fetch(more=10))
        assert len(copy.refs("refs/tags/")) == 4
        assert_sound(copy)
        with pytest.raises(UsageError, match="not shallow"):
            fetched(copy, source, wanted=Fetch(more=1))


def test_an_interrupted_shallow_clone_leaves_nothing(source: Repository, tmp_path: Path) -> None:
    with cloned(source, tmp_path / "whole") as whole:
        whole.branches.create("main", whole.id, force=True)
    for cut in (0, 100, 500, 900):
        with empty(source, tmp_path / f"cut-{cut}") as copy:
            line = Line(source)
            line.cut_after = cut
            with pytest.raises(Exception, match="cut"):
                taken(copy, line)
            assert heads(copy)["main"] == copy.id
            assert not copy.boundaries
            taken(copy, Line(source))
            assert_sound(copy)


# ---------------------------------------------------------------- lies
def empty(source: Repository, path: Path) -> Repository:
    """A clone that has fetched nothing yet."""
    row = source.history.graph.get(source.id)
    line = source.history.commit_line(row)
    return Repository.init(path, bare=True, root_line=line, clock=source.clock)


def taken(copy: Repository, line: Line | Liar, wanted: Fetch | None = None) -> Fetched:
    wanted = wanted or Fetch(branches=["main"], depth=1)
    return fetch(copy.store, line, Remote("origin", "there"), wanted)


Lines = list[bytes]
Lie = Callable[[Lines], Lines]


class Liar:
    """A transport that says something else of boundaries than its repository."""

    def __init__(self, repository: Repository, lie: Lie) -> None:
        self._line = Line(repository)
        self._lie = lie

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        carried = self._line.carry(message, body)
        if b'"do":"fetch"' not in message:
            return carried
        lines = [line for some in decode_transfer(carried.body) for line in some]
        lied = self._lie(lines) if any(b'"kind":"boundary"' in line for line in lines) else lines
        return Carried(carried.message, encode_transfer(line + b"\n" for line in lied))

    def close(self) -> None:
        pass


def changed(pattern: bytes, *changes: tuple[bytes, bytes]) -> Lie:
    """The first line that has `pattern`, with something in it replaced."""

    def lie(lines: Lines) -> Lines:
        place = next(n for n, line in enumerate(lines) if re.search(pattern, line))
        line = lines[place]
        for old, new_ in changes:
            assert re.search(old, line), line
            line = re.sub(old, new_, line, count=1)
        return [*lines[:place], line, *lines[place + 1 :]]

    return lie


def without(pattern: bytes) -> Lie:
    def lie(lines: Lines) -> Lines:
        place = next(n for n, line in enumerate(lines) if re.search(pattern, line))
        return [*lines[:place], *lines[place + 1 :]]

    return lie


def doubled(pattern: bytes) -> Lie:
    def lie(lines: Lines) -> Lines:
        place = next(n for n, line in enumerate(lines) if re.search(pattern, line))
        return [*lines[:place], lines[place], *lines[place:]]

    return lie


ABSENT, BOUNDARY = rb'"kind":"absent"', rb'"kind":"boundary"'
STATE, DOCUMENT, END = rb'"kind":"state"', rb'"kind":"document"', rb'"kind":"end"'
ID = rb"[0-9a-f]{64}"
OTHER = b"ab" * 32

SEEN_AT_ONCE: dict[str, Lie] = {
    "an id that no event has": changed(ABSENT, (ID, OTHER)),
    "an id in capitals": changed(ABSENT, (ID, OTHER.upper())),
    "an id too few": without(ABSENT),
    "an id too many": doubled(ABSENT),
    "ids in another order": lambda lines: [lines[1], lines[0], *lines[2:]],
    "not canonical": changed(ABSENT, (b'","kind"', b'", "kind"')),
    "an unknown member": changed(ABSENT, (b'"stream":', b'"stram":')),
    "a stream with a bad name": changed(ABSENT, (rb'"s-\d"', b'"a//b"')),
    "a key without what it said": changed(rb'"said"', (rb'"said":"[0-9a-f]{64}",', b"")),
    "a key with control characters": changed(rb'"key"', (rb'"key":"k"', rb'"key":"k\\u0001"')),
    "what was said is no hash": changed(rb'"said"', (rb'"said":"[0-9a-f]{64}"', b'"said":"x"')),
    "an again line": changed(ABSENT, (rb',"kind":"absent","stream":"s-\d"', b',"kind":"again"')),
    "no boundary line": without(BOUNDARY),
    "two boundary lines": doubled(BOUNDARY),
    "a height of none": changed(BOUNDARY, (rb'"height":\d+', b'"height":0')),
    "a height below none": changed(BOUNDARY, (rb'"height":\d+', b'"height":-1')),
    "a huge height": changed(BOUNDARY, (rb'"height":\d+', b'"height":99999999999999999999')),
    "other number": changed(BOUNDARY, (rb'"number":\d+', b'"number":7')),
    "negative number": changed(BOUNDARY, (rb'"number":\d+', b'"number":-7')),
    "full lines that are none": changed(BOUNDARY, (rb'"here":\[\]', b'"here":[0]')),
    "places out of order": changed(BOUNDARY, (rb'"here":\[\]', b'"here":[5,5]')),
    "places beyond the end": changed(BOUNDARY, (rb'"here":\[\]', b'"here":[9999]')),
    "a log of another's": changed(BOUNDARY, (rb'\["",0', b'["' + OTHER + b'",0')),
    "a log that begins before": changed(BOUNDARY, (rb'\["",0', b'["",-1')),
    "a log that goes on": changed(BOUNDARY, (rb'\["",0,\d+', b'["",0,10000')),
    "a log of nothing": changed(BOUNDARY, (rb'\["",0,\d+', b'["",0,0')),
    "no log": changed(BOUNDARY, (rb'\["",0,\d+\]', b"")),
    "a time that is none": changed(BOUNDARY, (rb'"latest":"[^"]*"', b'"latest":"today"')),
    "an unknown event held back": changed(BOUNDARY, (rb'"held":\[', b'"held":["' + OTHER + b'"')),
    "no commit": without(rb'^{"author"'),
    "another commit": changed(rb'^{"author"', (rb'"message":"', b'"message":"!')),
    "a commit with another root": changed(
        rb'^{"author"', (rb'"root":"[0-9a-f]{64}', b'"root":"' + OTHER)
    ),
    "a commit of another size": changed(rb'^{"author"', (rb'"size":\d+', b'"size":3')),
    "a state of no boundary": changed(STATE, (ID, OTHER)),
    "a state of no projection": changed(STATE, (rb'"projection":"[0-9a-f]+', b'"projection":"xy')),
    "documents of no state": without(STATE),
    "a document that is not canonical": changed(DOCUMENT, (rb'{"document":{', b'{"document":{ ')),
    "a document that is no JSON": changed(DOCUMENT, (rb'{"document":{', b'{"document":{{')),
    "no end": without(END),
    "an end too early": lambda lines: [b'{"boundaries":0,"kind":"end"}', *lines],
    "an end that counts wrongly": changed(END, (rb"\d+", b"3")),
    "something else": lambda lines: [b'{"kind":"else"}', *lines],
    "an event in place of what stands for it": lambda lines: [event(0).canonical(), *lines[1:]],
}  # fmt: skip

MORE = b'{"document":1,"kind":"document","path":"zzz"}'
SEEN_WHEN_DEEPENED: dict[str, Lie] = {
    "another stream": changed(ABSENT, (rb'"s-\d"', b'"s-7"')),
    "another key": changed(rb'"key"', (rb'"key":"k"', b'"key":"l"')),
    "another meaning of a key": changed(rb'"said"', (rb'"said":"' + ID, b'"said":"' + OTHER)),
    "another height": changed(BOUNDARY, (rb'"height":\d+', b'"height":5')),
    "an earlier latest time": changed(
        BOUNDARY, (rb'"latest":"[^"]*"', b'"latest":"2001-01-01T00:00:00.000000Z"')
    ),
    "a value in a state": changed(DOCUMENT, (rb'"n":\d+', b'"n":77')),
    "a document less": without(DOCUMENT),
    "a document more": lambda lines: [
        made
        for line in lines
        for made in ([MORE, line] if END in line else [line])
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN_AT_ONCE)
def test_a_lie_that_shows_leaves_nothing(source: Repository, tmp_path: Path, name: str) -> None:
    with empty(source, tmp_path / "copy") as copy:
        with pytest.raises(InvalidInput):
            taken(copy, Liar(source, SEEN_AT_ONCE[name]))
        assert heads(copy) == {"main": copy.id}
        assert tracked(copy) == {}
        assert not copy.boundaries
        assert_sound(copy)
        taken(copy, Line(source))
        assert_sound(copy)


@pytest.mark.parametrize("name", SEEN_WHEN_DEEPENED)
@pytest.mark.parametrize("wanted", [Fetch(all=True), Fetch(more=2)])
def test_a_lie_that_can_be_believed_is_found_by_deepening(
    source: Repository, tmp_path: Path, name: str, wanted: Fetch
) -> None:
    with empty(source, tmp_path / "copy") as copy:
        taken(copy, Liar(source, SEEN_WHEN_DEEPENED[name]))
        copy.branches.create("main", tracked(copy)["main"], force=True)
        copy.append([event(90, "s-1")])
        before = (heads(copy), tracked(copy), copy.boundaries, list(copy.streams()))
        with pytest.raises(InvalidInput, match="there had LIED about"):
            fetched(copy, source, wanted=wanted)
        assert (heads(copy), tracked(copy), copy.boundaries, list(copy.streams())) == before
        assert_sound(copy)
        copy.append([event(91, "s-1")])


def test_there_is_a_limit_to_what_is_taken_on_trust(source: Repository, tmp_path: Path) -> None:
    with empty(source, tmp_path / "copy") as copy:
        wanted = Fetch(branches=["main"], depth=1, limits=Limits(boundary_lines=10))
        with pytest.raises(InvalidInput, match="more events than are taken"):
            taken(copy, Line(source), wanted)
        taken(
            copy, Line(source), msgspec.structs.replace(wanted, limits=Limits(boundary_lines=1000))
        )


def test_a_negative_depth_is_refused(source: Repository, tmp_path: Path) -> None:
    with empty(source, tmp_path / "copy") as copy, pytest.raises(InvalidInput, match="depth"):
        taken(copy, Line(source), Fetch(depth=-1))


# ---------------------------------------------------------------- at rest
def test_a_shallow_repository_can_be_packed_and_deepened(
    source: Repository, copy: Repository
) -> None:
    copy.append([event(80, "s-2")])
    copy.gc()
    assert_sound(copy)
    with pytest.raises(BehindBoundary):
        copy.log().event(0)
    copy.reindex()
    assert_sound(copy)
    fetched(copy, source, wanted=Fetch(more=3))
    assert_sound(copy)
    copy.gc()
    fetched(copy, source, wanted=Fetch(all=True))
    copy.gc()
    assert_sound(copy)
    assert copy.history.connection.pragma("user_version") == schema.SCHEMA_VERSION


def test_what_gc_saw_of_lines_is_forgotten_when_they_get_other_numbers(
    source: Repository, copy: Repository, tmp_path: Path
) -> None:
    day, clock = 86_400 * 10**6, Clock()
    copy.branches.create("gone", copy.resolve_commit())
    copy.append([event(80, "s-2")], branch="gone")
    copy.branches.delete("gone", force=True)
    with Repository.open(copy.layout.directory, clock=clock) as other:
        other.upkeep.gc()
        clock.now += 200 * day
        other.append([event(81, "s-2")])  # the operation before it may be forgotten
        fetched(other, source, wanted=Fetch(all=True))
        assert database.setting(other.history.connection, SEEN) == "[]"
        assert other.upkeep.gc().pruned_commits == 0  # it sees these lines for the first time
        clock.now += 15 * day
        assert other.upkeep.gc().pruned_commits == 1
        assert_sound(other)


@pytest.mark.parametrize("wanted", [Fetch(all=True), Fetch(more=2)])
def test_who_has_it_open_can_go_on_after_others_deepened_it(
    source: Repository, copy: Repository, wanted: Fetch
) -> None:
    copy.append([event(80, "s-2"), event(81, "s-20")])
    with Repository.open(copy.layout.directory, clock=copy.clock) as other:
        fetched(other, source, wanted=wanted)
        copy.append([event(82, "s-2"), event(83, "s-20"), event(84, "s-1")])
        assert_sound(other)
        source.append([event(90, "s-2")])
        fetched(copy, source)
        assert_sound(other)
        assert copy.stream_revision("s-20") == 1
    assert_sound(copy)


def test_a_damaged_given_state_is_reported(copy: Repository) -> None:
    copy.history.connection.execute("UPDATE boundary_states SET data=substr(data, 1, 20)")
    assert [problem.kind for problem in copy.fsck(jobs=1).problems] == ["damage"]


def test_left_out_events_stay_out_behind_a_boundary(source: Repository, tmp_path: Path) -> None:
    source.branches.create("side", source.resolve_commit("main~1"))
    source.append([event(60, "s-5"), event(61, "s-6")], branch="side")
    left = event(61, "s-6")
    merge(source, "main", [heads(source)["side"]], left_out=[left.id])
    source.append([event(62, "s-5")])
    source.append([event(63, "s-5")], branch="side")
    with shallow(source, tmp_path / "copy") as copy:
        fetched(copy, source, wanted=Fetch(branches=["main", "side"]))
        merge(copy, "main", [tracked(copy)["side"]])
        merge(source, "main", [heads(source)["side"]])
        assert heads(copy) == {"main": heads(source)["main"]}
        assert state_root(copy, "main") == state_root(source, "main")
        assert_sound(copy)


def test_a_fetch_that_makes_a_boundary_brings_the_state_there(
    source: Repository, copy: Repository
) -> None:
    at_four = source.resolve_commit("main~4")
    source.branches.create("side", at_four)
    source.append([event(99, "s-1")], branch="side")
    fetched(copy, source, wanted=Fetch(branches=["side"]))
    assert {boundary.id for boundary in copy.boundaries} >= {at_four}
    tip = heads(source)["side"]
    assert state_root(copy, tip) == state_root(source, tip)
    assert_sound(copy)
    fetched(copy, source, wanted=Fetch(all=True))
    assert not copy.boundaries
    assert state_root(copy, tip) == state_root(source, tip)


def test_a_shallow_repository_is_cloned_with_all_its_branches_as_far_as_it_goes(
    source: Repository, copy: Repository, tmp_path: Path
) -> None:
    source.branches.create("side", source.resolve_commit("main~4"))
    source.append([event(99, "s-1")], branch="side")
    fetched(copy, source, wanted=Fetch(branches=["side"]))
    copy.branches.create("side", tracked(copy)["side"])
    with cloned(copy, tmp_path / "second") as second:
        assert tracked(second) == heads(copy)
        assert {b.id for b in second.boundaries} == {b.id for b in copy.boundaries}
        for target in heads(copy).values():
            assert commits_here(second, target) == commits_here(copy, target)
            assert state_root(second, target) == state_root(source, target)
        assert_sound(second)
        fetched(second, source, wanted=Fetch(all=True))
        assert not second.boundaries
