"""What people type for a time, and which instant it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from evgit.errors import InvalidTime
from evgit.formats.times import parse_instant, to_text
from evgit.history.time_expression import parse_time

NOW = datetime(2026, 11, 23, 3, 36, 0, 123456, tzinfo=UTC)  # a Monday

UNDERSTOOD = {
    # ISO 8601, RFC 3339 and the like
    "2026-11-17": "2026-11-17T00:00:00.000000Z",
    "2026-11-17T15:00Z": "2026-11-17T15:00:00.000000Z",
    "2026-11-17t15:00:01z": "2026-11-17T15:00:01.000000Z",
    "2026-11-17T15": "2026-11-17T15:00:00.000000Z",
    "2026-11-17 15:00": "2026-11-17T15:00:00.000000Z",
    "2026-11-17 9:05": "2026-11-17T09:05:00.000000Z",
    "2026-11-17T15:00:00.5": "2026-11-17T15:00:00.500000Z",
    "2026-11-17T15:00:00,25Z": "2026-11-17T15:00:00.250000Z",
    "2026-11-17T15:00:00.123456+01:00": "2026-11-17T14:00:00.123456Z",
    "2026-11-17T15:00-0230": "2026-11-17T17:30:00.000000Z",
    "2026-11-17 15:00 +01": "2026-11-17T14:00:00.000000Z",
    "2026-11-17 +01:00": "2026-11-16T23:00:00.000000Z",
    "20261117T1500Z": "2026-11-17T15:00:00.000000Z",
    "20261117T150001.5": "2026-11-17T15:00:01.500000Z",
    "20261117": "2026-11-17T00:00:00.000000Z",
    "2026-W47-2": "2026-11-17T00:00:00.000000Z",
    "2026W472T15": "2026-11-17T15:00:00.000000Z",
    "2026-W47": "2026-11-16T00:00:00.000000Z",
    "2026-321": "2026-11-17T00:00:00.000000Z",
    "2024-366": "2024-12-31T00:00:00.000000Z",
    "2026321T15:00": "2026-11-17T15:00:00.000000Z",
    "2026-11": "2026-11-01T00:00:00.000000Z",
    "2015": "2015-01-01T00:00:00.000000Z",
    "0001-01-01": "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999Z",
    # dates in words
    "17 nov 2026": "2026-11-17T00:00:00.000000Z",
    "17th of November 2026": "2026-11-17T00:00:00.000000Z",
    "Nov 17, 2026 3 pm": "2026-11-17T15:00:00.000000Z",
    "nov 2026": "2026-11-01T00:00:00.000000Z",
    "17 nov": "2026-11-17T00:00:00.000000Z",
    "24 nov": "2025-11-24T00:00:00.000000Z",
    "23 nov 9am": "2025-11-23T09:00:00.000000Z",
    "29 feb": "2024-02-29T00:00:00.000000Z",
    "Tue Nov 17 15:00:00 2026 +0100": "2026-11-17T14:00:00.000000Z",  # as `git log` prints it
    "Tue, 17 Nov 2026 15:00:00 +0000": "2026-11-17T15:00:00.000000Z",  # as mail has it
    # zones
    "2026-11-17 15:00 Europe/Berlin": "2026-11-17T14:00:00.000000Z",
    "2026-07-17 15:00 Europe/Berlin": "2026-07-17T13:00:00.000000Z",
    "2026-07-17 15:00 America/Argentina/Buenos_Aires": "2026-07-17T18:00:00.000000Z",
    "2026-11-17 15:00 UTC": "2026-11-17T15:00:00.000000Z",
    "2026-11-17 15:00 gmt": "2026-11-17T15:00:00.000000Z",
    "yesterday 15:00 Europe/Berlin": "2026-11-22T14:00:00.000000Z",
    "today Europe/Berlin": "2026-11-22T23:00:00.000000Z",
    "today America/New_York": "2026-11-22T05:00:00.000000Z",  # there it is still Sunday
    # days
    "now": "2026-11-23T03:36:00.123456Z",
    " NOW ": "2026-11-23T03:36:00.123456Z",
    "today": "2026-11-23T00:00:00.000000Z",
    "today 15:00": "2026-11-23T15:00:00.000000Z",
    "yesterday": "2026-11-22T00:00:00.000000Z",
    "Yesterday at noon": "2026-11-22T12:00:00.000000Z",
    "noon yesterday": "2026-11-22T12:00:00.000000Z",
    "tomorrow": "2026-11-24T00:00:00.000000Z",
    # the latest one that is not in the future
    "noon": "2026-11-22T12:00:00.000000Z",
    "midnight": "2026-11-23T00:00:00.000000Z",
    "9am": "2026-11-22T09:00:00.000000Z",
    "2:00": "2026-11-23T02:00:00.000000Z",
    "12am": "2026-11-23T00:00:00.000000Z",
    "12pm": "2026-11-22T12:00:00.000000Z",
    "3:30pm": "2026-11-22T15:30:00.000000Z",
    "monday": "2026-11-23T00:00:00.000000Z",
    "last monday": "2026-11-16T00:00:00.000000Z",
    "monday 9am": "2026-11-16T09:00:00.000000Z",
    "monday 1am": "2026-11-23T01:00:00.000000Z",
    "tuesday": "2026-11-17T00:00:00.000000Z",
    "last tuesday": "2026-11-17T00:00:00.000000Z",
    "last tuesday 15:00": "2026-11-17T15:00:00.000000Z",
    "last.tue.at.15:00": "2026-11-17T15:00:00.000000Z",
    "sunday": "2026-11-22T00:00:00.000000Z",
    # back from now
    "3 days ago": "2026-11-20T03:36:00.123456Z",
    "3 days ago 15:00": "2026-11-20T15:00:00.000000Z",
    "1.day.ago": "2026-11-22T03:36:00.123456Z",
    "2.weeks": "2026-11-09T03:36:00.123456Z",
    "two weeks and 3 days ago": "2026-11-06T03:36:00.123456Z",
    "an hour ago": "2026-11-23T02:36:00.123456Z",
    "1 hour 30 minutes ago": "2026-11-23T02:06:00.123456Z",
    "90 secs ago": "2026-11-23T03:34:30.123456Z",
    "1 month ago": "2026-10-23T03:36:00.123456Z",
    "9 months ago": "2026-02-23T03:36:00.123456Z",
    "1 year 2 months ago": "2025-09-23T03:36:00.123456Z",
    "last week": "2026-11-16T03:36:00.123456Z",
    "last month": "2026-10-23T03:36:00.123456Z",
    "0 days ago": "2026-11-23T03:36:00.123456Z",
    # seconds since 1970
    "@0": "1970-01-01T00:00:00.000000Z",
    "@1479600000": "2016-11-20T00:00:00.000000Z",
    "@1479600000.5": "2016-11-20T00:00:00.500000Z",
    "@-0.5": "1969-12-31T23:59:59.500000Z",
}


@pytest.mark.parametrize(("text", "meaning"), UNDERSTOOD.items())
def test_understood(text: str, meaning: str) -> None:
    assert to_text(parse_time(text, now=NOW)) == meaning


REFUSED = {
    "": "it is empty",
    "...": "it is empty",
    "fooday": "'fooday' is not understood",
    "2 fortnights ago": "'fortnights' is not understood",
    "ago": "'ago' is not understood",
    "next tuesday": "'next' is not understood",
    "5": "a day of no month",
    "nov": "a month needs a year or a day",
    "31 feb": "february has no day 31",
    "0 nov": "november has no day 0",
    "2026-02-30": "the calendar has no such day",
    "2026-13-01": "the calendar has no such day",
    "2025-366": "the year 2025 has no day 366",
    "2026-000": "the year 2026 has no day 0",
    "2026-W54": "the calendar has no such day",
    "2026-11-17T25:00": "hour",
    "2026-11-17T15:00:60Z": "second",
    "2026-11-17T15:00:00.1234567": "more than six fractional digits",
    "@1.1234567": "more than six fractional digits",
    "2026-11-17T15:00+24:00": "there is no offset",
    "13pm": "there is no 13 pm",
    "0am": "there is no 0 am",
    "17/11/2026": "could be several dates",
    "17.11.2026": "could be several dates",
    "15:00 CET": "a zone is written",
    "15:00 Europe/Nowhere": "no time zone is called 'Europe/Nowhere'",
    "15:00 Europe/../../etc/passwd": "not understood",
    "yesterday today": "says the same thing twice",
    "monday tuesday": "says the same thing twice",
    "15:00 16:00": "says the same thing twice",
    "15:00Z +01:00": "says the same thing twice",
    "3 days ago tuesday": "more than one day",
    "now yesterday": "more than one day",
    "2026-11-17 yesterday": "more than one day",
    "now monday": "leaves no room",
    "now midnight": "leaves no room",
    "5 hours ago 15:00": "leave no room for a time of day",
    "1 day 2 days ago": "counts days twice",
    "Wed, 17 Nov 2026": "2026-11-17 is a tuesday",
    "+01:00": "names no day",
    "0001-01-01T00:00+01:00": "outside the years 0001 to 9999",
    "9999-12-31T23:59-01:00": "outside the years 0001 to 9999",
    "3000 years ago": "outside the years 0001 to 9999",
    "1000000 days ago": "outside the years 0001 to 9999",
    "99999999999999999999 days ago": "outside the years 0001 to 9999",
    "@999999999999": "outside the years 0001 to 9999",
    "0000-01-01": "the calendar has no such day",
    "today " * 100: "longer than 200 characters",
    "٣ days ago": "not understood",  # digits are ASCII
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidTime) as caught:
        parse_time(text, now=NOW)
    assert reason in str(caught.value)
    assert "'3 days ago'" in caught.value.hint


def test_the_documentation_says_so_too() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "revisions.md").read_text()
    now = datetime.fromisoformat(re.findall(r"If now is (\S+),", text)[0])
    rows = re.findall(r"^\| `([^`]+)` \| (\d{4}-\S+) \|$", text, re.MULTILINE)
    assert len(rows) == 30
    for text, meaning in rows:
        assert (text, parse_time(text, now=now)) == (text, parse_instant(meaning))


def test_months_end_where_the_month_does() -> None:
    now = datetime(2024, 3, 31, 12, tzinfo=UTC)
    assert to_text(parse_time("1 month ago", now=now)) == "2024-02-29T12:00:00.000000Z"
    assert to_text(parse_time("13 months ago", now=now)) == "2023-02-28T12:00:00.000000Z"


def test_days_in_a_zone_follow_its_clocks_and_hours_do_not() -> None:
    # Berlin's clocks went forward at 02:00 on 29 March 2026.
    now = datetime(2026, 3, 29, 10, tzinfo=UTC)  # 12:00 there
    assert to_text(parse_time("1 day ago Europe/Berlin", now=now)) == "2026-03-28T11:00:00.000000Z"
    assert to_text(parse_time("24 hours ago Europe/Berlin", now=now)) == (
        "2026-03-28T10:00:00.000000Z"
    )


def test_the_zone_of_now_does_not_matter() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-11)))
    for text, meaning in UNDERSTOOD.items():
        assert to_text(parse_time(text, now=elsewhere)) == meaning


moments = st.datetimes(timezones=st.just(UTC))


@given(
    moments,
    moments,
    st.sampled_from(["T", "t", " "]),
    st.sampled_from(["", "Z", "z", "+00:00", "-0330", "+14"]),
    st.integers(0, 6),
)
def test_whatever_the_formats_read_means_the_same_here(
    moment: datetime, now: datetime, separator: str, zone: str, digits: int
) -> None:
    text = moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S").rjust(19, "0")
    text += "." + f"{moment.microsecond:06}"[:digits] if digits else ""
    text += zone
    try:
        expected = parse_instant(text)
    except InvalidTime:
        with pytest.raises(InvalidTime):
            parse_time(text, now=now)
    else:
        assert parse_time(text, now=now) == expected


@given(
    st.datetimes(min_value=datetime(10, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["monday", "tue", "friday", "17 nov", "29 feb", ""]),
    st.sampled_from([" 15:00", " midnight", " 9am", " 23:59:59.999999"]),
    st.sampled_from(["", " +05:30", " Europe/Berlin", " America/Los_Angeles"]),
)
def test_what_leaves_the_day_open_is_past_and_recent(
    now: datetime, day: str, clock: str, zone: str
) -> None:
    passed = parse_time("now", now=now) - parse_time(day + clock + zone, now=now)
    limit = timedelta(days=8 * 366 if "feb" in day else 366 if "nov" in day else 7 if day else 1)
    an_hour = timedelta(hours=1)  # a day may be that much longer where clocks change
    assert 0 <= passed <= (limit + an_hour) // timedelta(microseconds=1)


@given(moments, st.integers(0, 10**6), st.sampled_from(["second", "minute", "hour", "day", "week"]))
def test_amounts_are_subtracted(now: datetime, count: int, unit: str) -> None:
    expected = parse_time("now", now=now) - timedelta(**{unit + "s": count}) // timedelta(
        microseconds=1
    )
    for text in (f"{count} {unit}s ago", f"{count}.{unit}.ago", f"{count} {unit}"):
        if expected < 0:
            with pytest.raises(InvalidTime):
                parse_time(text, now=now)
        else:
            assert parse_time(text, now=now) == expected


WORDS = """
    now today yesterday last tuesday tue 3 12 2026 nov ago days a hours noon 9am pm at 15:00 Z
    +01:00 Europe/Berlin Europe 2026-11-17 20261117T15 2026-W47 @5 . , -
"""
words = st.sampled_from(WORDS.split())


@given(moments, st.lists(words, max_size=6).map(" ".join) | st.text(max_size=30))
@example(datetime.max.replace(tzinfo=UTC), "tomorrow")
@example(datetime.max.replace(tzinfo=UTC), "now Asia/Tokyo")
@example(datetime.min.replace(tzinfo=UTC), "yesterday")
@example(datetime.min.replace(tzinfo=UTC), "noon")
@example(datetime.min.replace(tzinfo=UTC), "2 nov")
@example(datetime.min.replace(tzinfo=UTC), "today America/New_York")
@example(NOW, "\ud800")
@example(NOW, "15:00 Europe/")
def test_any_text_is_an_instant_or_invalid_time(now: datetime, text: str) -> None:
    try:
        instant = parse_time(text, now=now)
    except InvalidTime:
        return
    assert instant >= 0
    assert len(to_text(instant)) == 27
