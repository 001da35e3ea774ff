"""Reads the times that people type: `main@{last tuesday 15:00}`, `--since "3 days ago"`.

Four rules decide what a text means:

- **UTC**, unless it ends in `Z`, an offset or a zone's name (`Europe/Berlin`); a zone given also
  decides where days begin.
- **A day without a time of day is its first instant, 00:00.** So `yesterday` is yesterday 00:00.
  (To Git it is 24 hours ago: here that is `1 day ago`.)
- **An amount of time is counted back from now**: `3 days ago` is 72 hours ago, `1 month ago` the
  same day and time of the month before, or that month's last day. Days and longer may be followed
  by a time of day. `ago` may be left out, as Git's users do.
- **Where a day, month or year is missing, the latest that is not in the future is meant**:
  `tuesday`, `tuesday 15:00`, `9am`, `17 nov`. But `last tuesday` is always before today.

This module must not know what the time is for, and has no clock: the caller passes `now`. It
reads the zone database through zoneinfo where a text names a zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

import msgspec

from evgit.errors import InvalidTime

HINT = (
    "understood are 2026-11-17, 2026-11-17T15:00:00Z, '2026-11-17 15:00 +01:00', "
    "'17 nov 2026 3pm Europe/Berlin', now, today, yesterday, '3 days ago', 'last tuesday 15:00', "
    "noon, midnight, and @1479600000 (seconds since 1970)"
)
MAX_LENGTH = 200

_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_INSTANT = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

# Patterns are compiled when they are first used: most programs never read a time.
_ZONE = r"(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
_DATE = (  # calendar, week and ordinal dates of ISO 8601, with and without hyphens
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|(?P<month>[0-9]{4}-[0-9]{2})"
    r"|[0-9]{4}-[Ww][0-9]{2}(?:-[0-9])?|[0-9]{4}[Ww][0-9]{2,3}"
    r"|(?P<year>[0-9]{4})-?(?P<ordinal>[0-9]{3}))"
)
_DATE_AND_CLOCK = rf"({_DATE})([Tt].+)"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    rf"(?P<half>[AaPp][Mm])?{_ZONE}"
)
_BASIC_CLOCK = (
    r"(?P<hour>[0-9]{2})(?:(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    rf"(?P<half>(?!))?{_ZONE}"
)
_HALF_DAY = r"([0-9]{1,2})([ap]m)"
_OFFSET = r"[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?"
_ZONE_NAME = r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+"
_UNIX = r"@(-?[0-9]{1,12})(?:\.([0-9]+))?"

_NOISE = frozenset(("at", "on", "and", "of"))
_NUMBER_WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
_COUNTS = {"a": 1, "an": 1} | {word: count for count, word in enumerate(_NUMBER_WORDS, start=1)}
_UNITS = {
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "seconds"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "minutes"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), "hours"),
    **dict.fromkeys(("day", "days"), "days"),
    **dict.fromkeys(("week", "weeks"), "weeks"),
    **dict.fromkeys(("month", "months"), "months"),
    **dict.fromkeys(("year", "years"), "years"),
}
_SHORT_UNITS = frozenset(("seconds", "minutes", "hours"))
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_CLOCK_WORDS = {"noon": time(12), "midnight": time(0)}
_WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = (
    {name: number for number, name in enumerate(_WEEKDAY_NAMES)}
    | {name[:3]: number for number, name in enumerate(_WEEKDAY_NAMES)}
    | {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
)
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTHS = (
    {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
    | {name[:3]: number for number, name in enumerate(_MONTH_NAMES, start=1)}
    | {"sept": 9}
)


def parse_time(text: str, *, now: datetime) -> int:
    """The instant (microseconds since 0001-01-01T00:00:00Z) that a text means at `now`.

    `now` must be aware. Raises InvalidTime, whose hint lists what is understood.
    """
    try:
        moment = _read_unix(text.strip()) or _combine(_read(_words(text)), now)
        instant = (moment - _EPOCH) // _MICROSECOND
        if 0 <= instant <= _MAX_INSTANT:
            return instant
        raise OverflowError
    except OverflowError:
        reason = "it lies outside the years 0001 to 9999"
    except ValueError as error:
        reason = str(error)
    shown = text if len(text) <= 60 else text[:60] + "…"
    raise InvalidTime(f"can't read the time {shown!r}: {reason}", hint=HINT)


class _Parts(msgspec.Struct):
    """What the words of a text say, each at most once."""

    is_now: bool = False
    clock: time | None = None
    zone: tzinfo | None = None
    date: date | None = None
    shift: int | None = None  # days from today
    weekday: int | None = None
    before_today: bool = False  # `last tuesday`
    year: int | None = None
    month: int | None = None
    day: int | None = None
    amounts: dict[str, int] | None = None  # unit -> how many, back from now

    def put(self, name: str, value: object) -> None:
        """Set one part. Raises ValueError if it was said before."""
        if getattr(self, name) is not None:
            raise ValueError("it says the same thing twice")
        setattr(self, name, value)

    def add_amount(self, unit: str, count: int) -> None:
        """Count so many more back from now."""
        self.amounts = self.amounts or {}
        if unit in self.amounts:
            raise ValueError(f"it counts {unit} twice")
        self.amounts[unit] = count


def _words(text: str) -> list[str]:
    """Split at white space, commas after words, and the dots of `1.day.ago`."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH} characters")
    words: list[str] = []
    for word in re.sub(r"(?<![0-9])[.,]|[.,](?![0-9])", " ", text).split():
        if match := re.fullmatch(_DATE_AND_CLOCK, word):
            words += match[1], match[match.re.groups]
        elif word.lower() not in _NOISE:
            words.append(word)
    if not words:
        raise ValueError("it is empty")
    return words


def _read(words: Sequence[str]) -> _Parts:
    parts = _Parts()
    at = 0
    while at < len(words):
        following = words[at + 1].lower() if at + 1 < len(words) else ""
        at += _read_word(words[at], following, parts)
    return parts


def _read_word(original: str, following: str, parts: _Parts) -> int:
    """Note what a word says, together with the one after it where need be; how many it took."""
    word = original.lower()
    if word == "now":
        parts.is_now = True
    elif word in _DAYS:
        parts.put("shift", _DAYS[word])
    elif word in _CLOCK_WORDS:
        parts.put("clock", _CLOCK_WORDS[word])
    elif word in _WEEKDAYS:
        parts.put("weekday", _WEEKDAYS[word])
    elif word in _MONTHS:
        parts.put("month", _MONTHS[word])
    elif word == "last" and following in _WEEKDAYS:
        parts.put("weekday", _WEEKDAYS[following])
        parts.before_today = True
        return 2
    elif word == "last" and following in ("week", "month", "year"):
        parts.add_amount(_UNITS[following], 1)
        return 2
    elif following in _UNITS and (count := _count(word)) is not None:
        parts.add_amount(_UNITS[following], count)
        return 2
    elif word == "ago" and parts.amounts is not None:
        return 1
    elif following in ("am", "pm") and re.fullmatch(r"[0-9]{1,2}(?::[0-9]{2})?", word):
        _read_clock(word + following, parts)
        return 2
    elif not _read_number(word, parts) and not _read_clock(word, parts):
        _read_zone(original, parts)
    return 1


def _count(word: str) -> int | None:
    if re.fullmatch(r"[0-9]+", word):
        if len(word) > 15:
            raise OverflowError
        return int(word)
    return _COUNTS.get(word)


def _read_number(word: str, parts: _Parts) -> bool:
    """Take a date of digits, a year, or a day of the month."""
    if match := re.fullmatch(_DATE, word):
        parts.put("date", _date(match))
    elif re.fullmatch(r"[0-9]{4}", word):
        parts.put("year", int(word))
    elif match := re.fullmatch(r"([0-9]{1,2})(?:st|nd|rd|th)?", word):
        parts.put("day", int(match[1]))
    else:
        return False
    return True


def _date(match: re.Match[str]) -> date:
    if not match["ordinal"]:
        try:
            return date.fromisoformat(
                match["month"] + "-01" if match["month"] else match[0].upper()
            )
        except ValueError:
            raise ValueError("the calendar has no such day") from None
    year, number = int(match["year"]), int(match["ordinal"])
    if not 1 <= number <= _days_in_year(year):
        raise ValueError(f"the year {year} has no day {number}")
    return date(year, 1, 1) + timedelta(days=number - 1)


def _days_in_year(year: int) -> int:
    return 366 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 365


def _days_in_month(year: int, month: int) -> int:
    if month == 2:
        return _days_in_year(year) - 337
    return 30 if month in (4, 6, 9, 11) else 31


def _read_clock(word: str, parts: _Parts) -> bool:
    """Take a time of day, with the zone that may be written against it."""
    if match := re.fullmatch(_HALF_DAY, word):
        parts.put("clock", time(_hour(int(match[1]), match[2])))
        return True
    after_t = word.startswith("t")
    match = re.fullmatch(_CLOCK, word[after_t:])
    if match is None and after_t:
        match = re.fullmatch(_BASIC_CLOCK, word[1:])
    if match is None:
        return False
    hour = _hour(int(match["hour"]), match["half"])
    minute, second = int(match["minute"] or 0), int(match["second"] or 0)
    parts.put("clock", time(hour, minute, second, _microseconds(match["fraction"])))
    if match["zone"]:
        parts.put("zone", _offset(match["zone"]))
    return True


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"there is no {hour} {half}")
    return hour % 12 + (12 if half == "pm" else 0)


def _microseconds(fraction: str | None) -> int:
    if len(fraction or "") > 6:
        raise ValueError("it has more than six fractional digits, and nothing is rounded")
    return int((fraction or "").ljust(6, "0"))


def _offset(text: str) -> tzinfo:
    """The zone of `Z`, `+01:00`, `+0100` or `+01`."""
    hours, minutes = int(text[1:3] or 0), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"there is no offset {text}")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _read_zone(word: str, parts: _Parts) -> None:
    """Take a zone as a word of its own. Raises ValueError: it is the last thing tried."""
    if re.fullmatch(_OFFSET, word):
        parts.put("zone", _offset(word))
    elif word.upper() in ("UTC", "GMT"):
        parts.put("zone", UTC)
    elif re.fullmatch(_ZONE_NAME, word):
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - 3 ms, for what few texts name

        try:
            zone = ZoneInfo(word)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no time zone is called {word!r}") from None
        parts.put("zone", zone)
    elif re.fullmatch(r"[0-9]{1,4}([/.-])[0-9]{1,2}\1[0-9]{1,4}", word):
        raise ValueError(f"{word!r} could be several dates; write it as year-month-day")
    elif re.fullmatch(r"[A-Z]{3,4}", word):
        raise ValueError(f"{word!r} is not understood; a zone is written +01:00 or Europe/Berlin")
    else:
        raise ValueError(f"{word!r} is not understood")


def _read_unix(text: str) -> datetime | None:
    if not (match := re.fullmatch(_UNIX, text)):
        return None
    part = _microseconds(match[2]) * (-1 if match[1].startswith("-") else 1)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(match[1]), microseconds=part)


def _combine(parts: _Parts, now: datetime) -> datetime:
    local = now.astimezone(parts.zone or UTC)
    in_words = parts.year is not None or parts.month is not None or parts.day is not None
    given = [parts.date is not None, parts.shift is not None, parts.amounts is not None, in_words]
    if sum(given) + parts.is_now > 1 or (parts.amounts is not None and parts.weekday is not None):
        raise ValueError("it names more than one day")
    if parts.is_now:
        if parts.clock is not None or parts.weekday is not None:
            raise ValueError("'now' leaves no room for another day or time")
        return now
    if parts.amounts is not None:
        return _ago(parts.amounts, local, parts.clock)
    clock = parts.clock or time(0)
    if any(given):
        day = _given_day(parts, local, clock)
    elif parts.weekday is not None:
        day = _latest_weekday(parts, local, clock)
    elif parts.clock is not None:
        day = local.date()
        if _at(day, clock, local) > local:
            day -= timedelta(days=1)
    else:
        raise ValueError("it names no day")
    return _at(day, clock, local)


def _given_day(parts: _Parts, local: datetime, clock: time) -> date:
    if parts.date is not None:
        day = parts.date
    elif parts.shift is not None:
        day = local.date() + timedelta(days=parts.shift)
    else:
        day = _named_date(parts, local, clock)
    if parts.weekday is not None and (day.weekday() != parts.weekday or parts.before_today):
        raise ValueError(f"{day} is a {_WEEKDAY_NAMES[day.weekday()]}")
    return day


def _at(day: date, clock: time, local: datetime) -> datetime:
    return datetime.combine(day, clock, tzinfo=local.tzinfo)


def _latest_weekday(parts: _Parts, local: datetime, clock: time) -> date:
    today = local.date()
    back = (today.weekday() - (parts.weekday or 0)) % 7
    if back == 0 and (parts.before_today or _at(today, clock, local) > local):
        back = 7
    return today - timedelta(days=back)


def _named_date(parts: _Parts, local: datetime, clock: time) -> date:
    """A date in words: `17 nov 2026`, `nov 2026`, `2026`, `17 nov`."""
    if parts.month is None and parts.day is not None:
        raise ValueError(f"{parts.day} is a day of no month")
    if parts.year is not None:
        return date(parts.year, parts.month or 1, parts.day or 1)
    month, day_number = parts.month or 1, parts.day
    if day_number is None:
        raise ValueError("a month needs a year or a day")
    if not 1 <= day_number <= _days_in_month(2000, month):
        raise ValueError(f"{_MONTH_NAMES[month - 1]} has no day {day_number}")
    for year in range(local.year, max(local.year - 9, 0), -1):  # 29 February may be 8 years back
        if day_number <= _days_in_month(year, month):
            day = date(year, month, day_number)
            if _at(day, clock, local) <= local:
                return day
    raise OverflowError


def _ago(amounts: dict[str, int], local: datetime, clock: time | None) -> datetime:
    """Back from now: months first, then days on the calendar of the zone, then hours."""
    months = amounts.get("months", 0) + 12 * amounts.get("years", 0)
    year, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    if year < 1:
        raise OverflowError
    day = min(local.day, _days_in_month(year, month + 1))
    back = local.replace(year=year, month=month + 1, day=day)
    back -= timedelta(days=amounts.get("days", 0), weeks=amounts.get("weeks", 0))
    if clock is not None:
        if _SHORT_UNITS & amounts.keys():
            raise ValueError("hours, minutes and seconds ago leave no room for a time of day")
        return _at(back.date(), clock, back)
    short = timedelta(**{unit: amounts[unit] for unit in _SHORT_UNITS & amounts.keys()})
    return back.astimezone(UTC) - short
