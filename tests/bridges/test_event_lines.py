"""Lines become events: the format is found out, missing times are filled in, errors name lines."""

from __future__ import annotations

import json

import pytest

from evgit.bridges.event_lines import EventLines
from evgit.bridges.json_lines import LineBatch
from evgit.errors import InvalidEvent, InvalidTime, UsageError
from evgit.formats.times import parse_instant

TIME = "2026-11-23T03:36:00.000000Z"
INSTANT = parse_instant(TIME)
CLOUD = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "time": TIME}


def line(**members) -> bytes:
    event = {"stream": "s-1", "type": "happened", "data": {}} | members
    return json.dumps(event).encode()


def batch(*lines: bytes, first: int = 1, numbers=None) -> LineBatch:
    return LineBatch([line + b"\n" for line in lines], numbers or range(first, first + len(lines)))


def times(reading: EventLines, *lines: bytes) -> list[str]:
    return [event.time for event in reading.events(batch(*lines)).events]


def test_one_time_for_all_that_have_none():
    reading = EventLines(time=INSTANT)
    own = "2020-01-01T00:00:00.000000Z"
    spaced = b' {\t"data":{"time":1},"stream":"s-1","type":"t"} \r'
    assert times(reading, line(), line(time=own), spaced) == [TIME, own, TIME]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("data.created", 1700000000, "2023-11-14T22:13:20.000000Z"),
        ("/data/created", 1700000000.123456, "2023-11-14T22:13:20.123456Z"),
        ("data.created", -1, "1969-12-31T23:59:59.000000Z"),
        ("data.created", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.000000Z"),
        ("data.created", "2023-11-14", "2023-11-14T00:00:00.000000Z"),
    ],
)
def test_a_time_field(field, value, text):
    assert times(EventLines(time_field=field), line(data={"created": value})) == [text]


def test_a_time_field_in_lists_and_under_odd_names():
    odd = line(data={"a/b": [{"~": 60}]})
    assert times(EventLines(time_field="/data/a~1b/0/~0"), odd) == ["1970-01-01T00:01:00.000000Z"]
    assert times(EventLines(time_field="data.a/b.0.~"), odd) == ["1970-01-01T00:01:00.000000Z"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1700000000000, "milliseconds"),
        (1.1234567, "six digits"),
        (True, "neither a text nor a number"),
        (None, "neither a text nor a number"),
        ("noon", "noon"),
    ],
)
def test_a_time_field_that_holds_no_time(value, said):
    with pytest.raises(InvalidEvent, match=f"line 1: 'data.at' is no time: .*{said}"):
        times(EventLines(time_field="data.at"), line(data={"at": value}))


def test_a_time_field_that_is_not_there():
    with pytest.raises(InvalidEvent, match=r"line 2: no time, and nothing at 'data\.at'"):
        times(EventLines(time_field="data.at"), line(data={"at": 1}), line(data={"at ": 1}))


def test_a_line_without_a_time_is_refused_with_advice():
    with pytest.raises(InvalidEvent, match="line 2: 'time' missing") as refused:
        EventLines().events(batch(line(time=TIME), line()))
    assert "--time TIME" in refused.value.hint
    assert "--time-field PATH" in refused.value.hint
    cloud = json.dumps(CLOUD | {"time": None}).encode()
    with pytest.raises(InvalidEvent, match="line 1: the CloudEvent has no 'time'") as refused:
        EventLines().events(batch(cloud))
    assert "--time TIME" in refused.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"{}",
        b"[]",
        b"7",
        b"\xff",
        b'{"stream":"s","stream":"s","type":"t","data":1}',
        b'{"stream":"s","type":"t","data":1,"data":1}',
        b'{"stream":"s","type":"t","data":1}}',
        b'{"stream":"s","type":"t","data":NaN}',
        b'{"stream":"s","type":"t","data":1,}',
        b'{"stream":"s","type":"t","data":{"a":1,"a":2}}',
    ],
)
@pytest.mark.parametrize(
    "reading",
    [
        EventLines,
        lambda: EventLines(time=INSTANT),
        lambda: EventLines(time_field="data.at"),
        lambda: EventLines("cloudevents"),
    ],
)
def test_a_bad_line_is_named_whatever_is_filled_in(bad, reading):
    lines = batch(bad, numbers=[7])
    with pytest.raises(InvalidEvent, match=r"^line 7: (?!line)") as refused:
        reading().events(lines)
    assert refused.value.line == 7


def test_line_numbers_with_gaps():
    lines = batch(line(time=TIME), line(time="noon"), numbers=[3, 9])
    with pytest.raises(InvalidEvent, match=r"^line 9: (?!line)"):
        EventLines().events(lines)


@pytest.mark.parametrize("first", [b"[", b"{", b'[{"stream":"s"}]'])
def test_json_that_is_not_lines_gets_advice(first):
    with pytest.raises(InvalidEvent) as refused:
        EventLines().events(batch(first))
    assert "jq -c" in refused.value.hint


def test_cloudevents_are_found_out_by_the_first_line():
    reading = EventLines()
    assert reading.events(batch(json.dumps(CLOUD).encode())).events[0].stream == "a"
    with pytest.raises(InvalidEvent, match="line 5: not a CloudEvent") as refused:
        reading.events(batch(line(time=TIME), first=5))
    assert "can't be mixed" in refused.value.hint
    reading = EventLines()
    reading.events(batch(line(time=TIME)))
    with pytest.raises(InvalidEvent, match=r"line 2: .*is not a member"):
        reading.events(batch(json.dumps(CLOUD).encode(), first=2))


def test_cloudevents_without_time():
    cloud = {name: value for name, value in CLOUD.items() if name != "time"}
    text = json.dumps(cloud | {"data": {"at": 0}}).encode()
    assert times(EventLines(time=INSTANT), text) == [TIME]
    assert times(EventLines(time_field="data.at"), text) == ["1970-01-01T00:00:00.000000Z"]


def test_what_makes_no_sense():
    with pytest.raises(UsageError, match="exclude each other"):
        EventLines(time=INSTANT, time_field="data.at")
    with pytest.raises(UsageError, match="is not a path"):
        EventLines(time_field="data..at")
    with pytest.raises(UsageError, match="unknown format"):
        EventLines("xml")  # type: ignore[arg-type]
    with pytest.raises(InvalidTime):
        EventLines(time=-1)


@pytest.mark.parametrize("depth", [200, 1_000, 100_000])
@pytest.mark.parametrize("given", ["evgit", "cloudevents"])
@pytest.mark.parametrize("told", [{}, {"time": INSTANT}, {"time_field": "data.created"}])
def test_a_line_that_is_too_deep_is_named(depth, given, told):
    """However deep it is, and whichever way it is looked at first."""
    nested = b"[" * depth + b"]" * depth
    good = json.dumps(CLOUD).encode() if given == "cloudevents" else line(time=TIME)
    deep = good[:-1].replace(b', "data": {}', b"") + b', "data": ' + nested + b"}"
    with pytest.raises(InvalidEvent, match="line 8: ") as caught:
        EventLines(**told).events(batch(good, deep, first=7))
    assert caught.value.line == 8
    with pytest.raises(InvalidEvent, match="line 1: "):
        EventLines(**told, format=given).events(batch(deep))
