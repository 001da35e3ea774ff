"""Lines of some streams among many: the native part passes over none that Python finds."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from evgit.formats.event import Event, batch_from_events
from evgit.formats.native import native
from evgit.formats.wanted_lines import Finder, wanted_lines, wanted_lines_in_python

ORDINARY = [f"account-{n}" for n in range(30)] + ["a", "till/7", "Zürich", "a-long-name-" * 9]
ODD = ['a"', '"stream":"a', "\\", 'a","time":"', "a\\", '\\"a', "😀"]
TYPES = ["made", 'made"', '","type":"', "\\", 'Z","type":"made', '"']
WAYS = [wanted_lines, wanted_lines_in_python]


def text_of(streams: list[str], kind: str = "made") -> bytes:
    events = [
        Event(
            stream=stream,
            type=kind,
            data={"stream": "account-1", "n": n, "s": f'"stream":"{stream}","time":"'},
            time="2026-11-23T08:00:00.000000Z",
        )
        for n, stream in enumerate(streams)
    ]
    return batch_from_events(events).text


def found(find: Finder, text: bytes) -> list[int]:
    lines = text.splitlines(keepends=True)
    answer = find(text)
    assert len(answer) == len(lines)
    assert all(line in (None, whole) for line, whole in zip(answer, lines, strict=True))
    return [place for place, line in enumerate(answer) if line is not None]


@pytest.mark.parametrize("way", WAYS)
@given(st.lists(st.sampled_from(ORDINARY), min_size=1), st.sets(st.sampled_from(ORDINARY)))
def test_lines_of_some_streams(way, streams, wanted) -> None:  # type: ignore[no-untyped-def]
    expected = [place for place, stream in enumerate(streams) if stream in wanted]
    assert found(way(wanted), text_of(streams)) == expected
    assert found(way(wanted), memoryview(text_of(streams)).tobytes()) == expected


@given(
    st.lists(st.sampled_from(ORDINARY + ODD), min_size=1),
    st.sets(st.sampled_from(ORDINARY + ODD)),
    st.sampled_from(TYPES),
)
def test_none_is_passed_over(streams: list[str], wanted: set[str], kind: str) -> None:
    text = text_of(streams, kind)
    assert set(found(wanted_lines_in_python(wanted), text)) <= set(
        found(wanted_lines(wanted), text)
    )


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 300))
def test_any_bytes_are_some_lines(odd: bytes, start: int, stop: int) -> None:
    """What is no event may be wanted: whoever decodes it says what is wrong."""
    if native is not None:
        text = text_of(["a", "till/7"])
        for mixed in (odd, text[:start] + odd + text[stop:], text[:start], text[start:]):
            answer = wanted_lines(["a"])(mixed)
            assert len(answer) == len(mixed.split(b"\n")) - (mixed[-1:] in (b"", b"\n"))
