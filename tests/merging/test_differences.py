"""A, B, incoming commits, torn commits, merge bases and failed guards, against plain lists."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from evgit.errors import NotFound
from evgit.formats.canonical import digest
from evgit.history.ancestry import best_base, compare
from evgit.history.commit_row import CommitRow
from evgit.history.line_ranges import LineAt, LineRange, Places
from evgit.merging import guards
from evgit.merging.differences import difference, incoming_commits, lines_of_events
from evgit.merging.guards import failed_guards
from tests.merging import naive
from tests.merging.making import TYPES, Histories, grow, some_commit, some_of

RANDOM = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def ids_of(made: Histories, ranges: Iterable[LineRange]) -> list[str]:
    texts = made.repository.history.blocks.texts(ranges)
    return [digest(line).hex() for text in texts for line in text.splitlines()]


def named(made: Histories, commits: Iterable[naive.Commit]) -> list[str]:
    return [made.ids[id(commit)] for commit in commits]


def hexes(rows: Iterable[CommitRow]) -> list[str]:
    return [row.hex for row in rows]


@RANDOM
@given(st.data())
def test_differences_are_those_of_the_lists(data: st.DataObject) -> None:
    with Histories() as made:
        grow(made, data, data.draw(st.integers(4, 16)))
        history = made.repository.history
        for _ in range(3):
            ours, theirs = (some_commit(made, data) for _ in "ab")
            one, other = made.naive[ours], made.naive[theirs]
            new = [e for e in other.log if e not in one.log]
            left_out = some_of(new, data, 2)
            lines = lines_of_events(history, left_out)
            found = difference(history, made.row(ours), made.row(theirs), lines)
            a, b, commits = naive.differences(one, other, left_out)
            assert ids_of(made, found.a) == a
            assert ids_of(made, found.b) == b
            assert ids_of(made, found.held) == [e for e in other.log if e in set(new) - set(b)]
            assert hexes(found.commits) == named(made, commits)
            assert hexes(found.ours_commits) == named(made, naive.differences(other, one)[2])
            assert one.log[: found.shared] == other.log[: found.shared]

            incoming = incoming_commits(history, found)
            torn = [each.row.hex for each in incoming if each.torn]
            assert torn == named(made, naive.torn(one, other, b))
            for each, commit in zip(incoming, commits, strict=True):
                here = [e for e in commit.own if e in b]
                assert [
                    b[place + n] for place, count in each.surviving for n in range(count)
                ] == here
                assert each.first == (b.index(here[0]) if here else -1)
                assert each.end == (b.index(here[-1]) + 1 if here else -1)

            assert sorted(hexes(found.bases)) == sorted(named(made, naive.bases(one, other)))
            assert found.base is not None
            assert found.base.size == max(len(base.log) for base in naive.bases(one, other))


@RANDOM
@given(st.data(), st.sampled_from([0, 200]), st.sampled_from([0, 64]))
def test_guards_fail_as_in_the_lists(data: st.DataObject, lookup: int, one_by_one: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Histories() as made:
        patch.setattr(guards, "LOOKUP", lookup)
        patch.setattr(guards, "ONE_BY_ONE", one_by_one)
        grow(made, data, data.draw(st.integers(4, 16)))
        history = made.repository.history
        for _ in range(3):
            ours, theirs = (some_commit(made, data) for _ in "ab")
            commuting = frozenset(data.draw(st.sampled_from([(), ("counted",), TYPES])))
            one, other = made.naive[ours], made.naive[theirs]
            found = difference(history, made.row(ours), made.row(theirs))
            _, b, commits = naive.differences(one, other)
            failed = failed_guards(history, found.commits, found.ours, found.b, commuting)
            assert [each.stream for each in failed] == sorted(
                naive.failed_guards(commits, one.log, b, made.stream_of, made.of_types(commuting))
            )
            for each in failed:
                commit = made.naive[each.commit.hex]
                assert commit.guards[each.stream] == each.revision
                assert each.seen != each.found
                seen = naive.of_stream(commit.parents[0].log, each.stream, made.stream_of)
                assert (
                    ids_of(made, [(n, 1) for n in each.seen])
                    == seen[-len(each.seen) :][: len(each.seen)]
                )


@RANDOM
@given(st.data())
def test_several_tips_are_compared_together(data: st.DataObject) -> None:
    with Histories() as made:
        grow(made, data, data.draw(st.integers(4, 12)))
        graph = made.repository.history.graph
        sides = [some_of(made.commits, data, 3) for _ in "ab"]
        reach = [
            {made.ids[id(c)] for tip in side for c in naive.history(made.naive[tip])}
            for side in sides
        ]
        found = compare(graph, *[[graph.get(tip) for tip in side] for side in sides])
        assert set(hexes(found.only_ours)) == reach[0] - reach[1]
        assert set(hexes(found.only_theirs)) == reach[1] - reach[0]
        numbers = [row.number for row in found.only_ours]
        assert numbers == sorted(numbers, reverse=True)


def test_unrelated_commits_have_no_base() -> None:
    assert best_base([]) is None


def test_leaving_out_what_is_not_stored_is_an_error() -> None:
    with Histories() as made, pytest.raises(NotFound, match="ab" * 32):
        lines_of_events(made.repository.history, ["ab" * 32])


@given(st.lists(st.integers(0, 4), max_size=8), st.randoms())
def test_places_and_lines_are_each_others_inverse(counts: list[int], random: object) -> None:
    starts = list(range(0, len(counts) * 10, 10))
    random.shuffle(starts)  # type: ignore[attr-defined]
    ranges = list(zip(starts, counts, strict=True))
    lines = [first + n for first, count in ranges for n in range(count)]
    places, line_at = Places(ranges), LineAt([r for r in ranges if r[1]])
    assert places.total == len(lines)
    for line in range(-1, 90):
        assert places.of(line) == (lines.index(line) if line in lines else None)
    for place in [*range(len(lines)), *reversed(range(len(lines)))]:
        assert line_at(place) == lines[place]
    found = [place + n for place, count in places.within([(3, 20)]) for n in range(count)]
    assert sorted(lines[place] for place in found) == sorted(n for n in lines if 3 <= n < 23)
