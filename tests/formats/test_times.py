"""The one time format, and reading others' times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from evgit.errors import InvalidTime
from evgit.formats.times import (
    ROOT_TIME,
    instants_valid,
    normalize,
    parse_instant,
    to_instant,
    to_text,
)

LAST = "9999-12-31T23:59:59.999999Z"


def test_golden_instants() -> None:
    assert to_instant(ROOT_TIME) == 0
    assert to_instant("0001-01-01T00:00:00.000001Z") == 1
    assert to_instant("1970-01-01T00:00:00.000000Z") == 62_135_596_800_000_000
    assert to_instant("2026-11-23T03:36:00.123456Z") == 63_931_001_760_123_456
    assert to_instant(LAST) == 315_537_897_599_999_999
    for outside in (-1, 315_537_897_600_000_000):
        with pytest.raises(InvalidTime):
            to_text(outside)


@given(st.integers(0, 315_537_897_599_999_999))
def test_texts_and_instants_are_one_to_one(instant: int) -> None:
    text = to_text(instant)
    assert len(text) == 27
    assert to_instant(text) == parse_instant(text) == instant
    assert instants_valid([text])
    assert normalize([text]) == [text]
    moment = datetime(1, 1, 1) + timedelta(microseconds=instant)
    assert text == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


NOT_CANONICAL = [
    "",
    "2026-11-23T03:36:00.12345Z",
    "2026-11-23T03:36:00.1234567Z",
    "2026-11-23T03:36:00.123456",
    "2026-11-23T03:36:00.123456z",
    "2026-11-23 03:36:00.123456Z",
    "2026-11-23T03:36:00,123456Z",
    "2026-11-23T03:36:00.123456Z ",
    "2026-11-23T03:36:00.123456Z\n",
    "\uff12026-11-23T03:36:00.123456Z",
    "\uff12\uff10\uff12\uff16-11-23T03:36:00.123456Z",
    "2026-W48-1T03:36:00.123456Z",
    "+026-11-23T03:36:00.123456Z",
    "0000-11-23T03:36:00.123456Z",
    "2026-00-23T03:36:00.123456Z",
    "2026-13-23T03:36:00.123456Z",
    "2026-11-00T03:36:00.123456Z",
    "2026-11-31T03:36:00.123456Z",
    "2026-02-29T03:36:00.123456Z",
    "2026-11-23T24:00:00.000000Z",
    "2026-11-23T03:60:00.123456Z",
    "2026-11-23T03:36:60.123456Z",
    "2026-11-23T03:36:00\n123456Z",
]


@pytest.mark.parametrize("text", NOT_CANONICAL)
def test_only_the_one_format_is_canonical(text: str) -> None:
    with pytest.raises(InvalidTime):
        to_instant(text)
    assert not instants_valid([text])
    assert not instants_valid([ROOT_TIME, text, LAST])
    assert not instants_valid([text] * 3)


def test_texts_are_judged_one_by_one_even_when_joined() -> None:
    assert instants_valid([])
    assert instants_valid([ROOT_TIME, LAST] * 100)
    halves = ["2026-11-23T03:36", "00.123456Z\n2026-11-23T03:36:00.123456Z"]
    assert not instants_valid(halves)
    assert not instants_valid([f"{ROOT_TIME}\n{ROOT_TIME}"])
    assert not instants_valid([f"{ROOT_TIME}\n{ROOT_TIME}", ""])


READ = [
    ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
    ("2026-11-23T03:36", "2026-11-23T03:36:00.000000Z"),
    ("2026-11-23 03:36:01", "2026-11-23T03:36:01.000000Z"),
    ("2026-11-23T03:36:01Z", "2026-11-23T03:36:01.000000Z"),
    ("2026-11-23T03:36:01.5Z", "2026-11-23T03:36:01.500000Z"),
    ("2026-11-23t03:36:01.123z", "2026-11-23T03:36:01.123000Z"),
    ("2026-11-23T03:36:01.123456+02:00", "2026-11-23T01:36:01.123456Z"),
    ("2026-11-23T03:36:01-0930", "2026-11-23T13:06:01.000000Z"),
    ("2026-11-23 03:36:01 +02", "2026-11-23T01:36:01.000000Z"),
    ("2026-11-23T03:36+00:00", "2026-11-23T03:36:00.000000Z"),
    ("0001-01-01T05:00:00+05:00", ROOT_TIME),
    ("9999-12-31T23:59:59.999999-00:00", LAST),
]


@pytest.mark.parametrize(("given_text", "expected"), READ)
def test_other_times_are_read(given_text: str, expected: str) -> None:
    assert to_text(parse_instant(given_text)) == expected
    assert normalize([given_text]) == [expected]
    assert normalize([LAST, given_text, "2026-11-23T03:36:01Z"]) == [
        LAST,
        expected,
        "2026-11-23T03:36:01.000000Z",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *((text, "time") for text in ("", "yesterday", "2026", "2026-11", "20261123", "03:36")),
        ("2026-02-30", "day"),
        ("2026-11-23T03:36:60Z", "second"),
        ("2026-11-23T24:00:00Z", "hour"),
        ("2026-11-23T03:36:00.1234567Z", "more than six fractional digits"),
        ("2026-11-23T03:36:00.0000000Z", "more than six fractional digits"),
        ("2026-11-23T03:36:00.Z", "not a time"),
        ("2026-11-23T03:36.5Z", "no seconds"),
        ("2026-11-23T03:36:00+24:00", "impossible offset"),
        ("2026-11-23T03:36:00+01:60", "impossible offset"),
        ("2026-11-23T03:36:00 Europe/Berlin", "not a time"),
        ("2026-11-23Z", "not a time"),
        ("0000-01-01", "not a time"),
        ("0001-01-01T00:00:00+00:01", "outside the years"),
        ("9999-12-31T23:59:59-00:01", "outside the years"),
        ("\uff12\uff10\uff12\uff16-11-23", "not a time"),
    ],
)
def test_times_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(InvalidTime) as error:
        parse_instant(text)
    assert said in error.value.message
    with pytest.raises(InvalidTime):
        normalize([ROOT_TIME, text])


@given(
    st.lists(
        st.one_of(
            st.sampled_from(NOT_CANONICAL + [text for pair in READ for text in pair]),
            st.text("0123456789-:.TZ+ ", max_size=30),
            st.from_regex(r"\A2026-1[0-3]-[0-3][0-9]T[0-2][0-9]:[0-6]0:[0-6]0(\.[0-9]{0,7})?Z\Z"),
        ),
        max_size=3,
    )
)
def test_normalizing_together_is_normalizing_one_by_one(texts: list[str]) -> None:
    def alone(text: str) -> str | None:
        try:
            return to_text(parse_instant(text))
        except InvalidTime:
            return None

    expected = [alone(text) for text in texts]
    if None in expected:
        with pytest.raises(InvalidTime):
            normalize(texts)
    else:
        assert normalize(texts) == expected
    assert instants_valid(texts) == (expected == texts)
