"""The built-in projection: RFC 7396 to the letter, and one canonical document a stream."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, strategies as st

from evgit.formats import canonical
from evgit.formats.event import Event, batch_from_events
from evgit.state.builtin import BUILTIN, merge_patch
from evgit.state.projection import Groups, KeyedProjection
from tests.state.oracle import naive_merge

# RFC 7396, appendix A.
APPENDIX = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.sampled_from(["1e5", "0.5", "\U0001f600", "\ufb33"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "\U0001f600", "\ufb33", "1e1"]), inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX)
def test_examples_of_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(JSON, st.lists(JSON, max_size=4))
def test_merging_leaves_patches_alone(target: Any, patches: list[Any]) -> None:
    expected = copy.deepcopy(target)
    for patch in patches:
        expected = naive_merge(expected, patch)
    before = copy.deepcopy(patches)
    result = copy.deepcopy(target)
    for patch in patches:
        result = merge_patch(result, patch)
    assert result == expected
    assert patches == before


def event(stream: str, data: Any, time: int = 0, kind: str = "seen") -> Event:
    return Event(stream=stream, type=kind, data=data, time=f"2026-01-01T00:00:{time:02d}.000000Z")


def documents(events: list[Event]) -> dict[str, bytes]:
    groups: Groups = defaultdict(list)
    text = b"".join(line + b"\n" for line in batch_from_events(events).lines)
    BUILTIN.group(BUILTIN.decode(text, 0), groups)
    found = {}
    for path, facts in groups.items():
        # In two steps, so that a document that was stored is gone on from as well.
        first = BUILTIN.fold_document(path, None, facts[:1])
        found[path] = BUILTIN.fold_document(path, first, facts[1:]) if facts[1:] else first
    return found


def test_the_document_of_a_stream() -> None:
    found = documents(
        [
            event("a/b", {"x": 1, "gone": 2}, 5, "made"),
            event("a/b", {"y": [1], "gone": None}, 3),
            event("other", 7, 4),
            event("a/b", {"x": 1.5}, 4),
        ]
    )
    assert found == {
        "streams/a/b.json": b'{"data":{"x":1.5,"y":[1]},"first":"2026-01-01T00:00:05.000000Z",'
        b'"last":"2026-01-01T00:00:04.000000Z","revision":2,"stream":"a/b",'
        b'"types":{"made":1,"seen":2}}',
        "streams/other.json": b'{"data":7,"first":"2026-01-01T00:00:04.000000Z",'
        b'"last":"2026-01-01T00:00:04.000000Z","revision":0,"stream":"other","types":{"seen":1}}',
    }


def test_reserved_streams_have_no_document() -> None:
    text = b'{"data":1,"kind":"event","stream":"$model","time":"t","type":"x","version":1}\n'
    groups: Groups = defaultdict(list)
    BUILTIN.group(BUILTIN.decode(text, 0), groups)
    assert groups == {}
    assert isinstance(BUILTIN, KeyedProjection)


@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from(["s", "\U0001f600", "\ufb33"]))
def test_documents_are_canonical(data: list[Any], kind: str) -> None:
    events = [event("s", d, kind=kind) for d in data] + [event("s", {}, kind="\ufb33")]
    merged: Any = None
    for d in [*data, {}]:
        merged = naive_merge(merged, d)
    types: dict[str, int] = {}
    for e in events:
        types[e.type] = types.get(e.type, 0) + 1
    assert documents(events)["streams/s.json"] == canonical.encode(
        {
            "data": canonical.parse(canonical.encode(merged)),
            "first": events[0].time,
            "last": events[0].time,
            "revision": len(events) - 1,
            "stream": "s",
            "types": types,
        }
    )


def test_data_longer_than_any_event() -> None:
    half = "\U0001f600" + "x" * (9 << 20)
    (document,) = documents([event("s", {"a": half}), event("s", {"b": half, "c": 1e300})]).values()
    quoted = canonical.encode(half)
    assert document.startswith(b'{"data":{"a":%b,"b":%b,"c":1e+300},"first":"' % (quoted, quoted))
