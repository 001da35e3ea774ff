"""A long replay leaves out what no handler can notice: the same documents, the same errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import HandlerFailed
from evgit.repository import NewEvent
from evgit.state.modelling.event_use import ANYTHING, EventUse, use_of_event
from evgit.state.modelling.model_states import ModelStates
from evgit.storage.cache import Cache
from tests.model.banking import BANK, deposit, loaded
from tests.model.test_states import TextLog, facts

HANDLER = """\
import json
from evgit.model import KeyedProjection, on

len = len if True else None
keep = []


class Things(KeyedProjection):
    prefix = "things/"

    @on("thing")
    def seen(self, thing, event):
{body}
"""
READS = EventUse(only_reads=True, asks_more=False)
READS_ALL = EventUse(only_reads=True, asks_more=True)
SHIELDED = EventUse(only_reads=False, asks_more=False)


@pytest.mark.parametrize(
    ("body", "use"),
    [
        ("thing['n'] = event.data['n'] + event.version", READS),
        ("thing[event.type] = thing.get(event.stream)", READS),
        ("thing['n'] = event.data.get('n', 0) if 'n' in event.data else 0", READS),
        ("thing.update(dict(event.data))", READS),
        ("return {**thing, **event.data}", READS),
        ("thing.update(**event.data)", READS),
        ("for name in event.data: thing[name] = event.data[name]", READS),
        ("return {k: v for k, v in event.data.items()}", READS),
        ("data = event.data; thing['n'] = data['n']; thing['m'] = data.get('m')", READS),
        ("thing['n'] = (lambda: event.data['n'])()", READS),
        ("thing['at'] = event.time", READS_ALL),
        ("thing['at'] = event.position, event.data['n']", READS_ALL),
        ("thing['by'] = event.meta['actor']", READS_ALL),
        ("event.data['n'] = 1", SHIELDED),
        ("event.data['n'] += 1", SHIELDED),
        ("del event.data['n']", SHIELDED),
        ("event.data.update(n=1)", SHIELDED),
        ("event.data.pop('n')", SHIELDED),
        ("f = event.data.get", SHIELDED),
        ("data = event.data; data['n'] = 1", SHIELDED),
        ("data = event.data; data = data; thing['n'] = data['n']", SHIELDED),
        ("data = event.data; keep.append(data)", SHIELDED),
        ("thing['n'] = len(event.data)", SHIELDED),  # the module has a `len` of its own
        ("thing['n'] = event.data == {}", SHIELDED),
        ("return event.data", SHIELDED),
        ("return {event.data['n']: event.data}", SHIELDED),
        ("keep.append(event)", ANYTHING),
        ("thing['n'] = json.dumps(event.data)", SHIELDED),
        ("event = thing; thing['n'] = event.data['n']", ANYTHING),
        ("thing['n'] = (lambda event: event.data['n'])(event)", ANYTHING),
        ("thing['n'] = getattr(event, 'data')['n']", ANYTHING),
        ("locals()['event'].data.clear(); event.data['n']", ANYTHING),
        ("event.type = 'other'", ANYTHING),
        ("match event:\n            case other: keep.append(other)", ANYTHING),
    ],
)
def test_what_a_handler_does_with_its_event(body: str, use: EventUse) -> None:
    lines = body if body.startswith(("for", "match")) else body.replace("; ", "\n        ")
    model = loaded(HANDLER.format(body=f"        {lines}"))
    (projection,) = model.projections
    assert use_of_event(projection.handlers["thing"].method) == use


@pytest.mark.parametrize(
    "handler",
    [
        "@on('thing')\n    @functools.cache\n    def seen(self, thing, event): return {}",
        "@on('thing')\n    def seen(self, *both): return {}",
        "@on('thing')\n    @staticmethod\n    def seen(thing, event): return {}",
        "seen = on('thing')(lambda self, thing, event: {})",
        "@on('thing')\n    @handed_on\n    def seen(self, thing, event): return {}",
    ],
)
def test_of_what_is_not_understood_everything_is_expected(handler: str) -> None:
    code = (
        "import functools\nfrom evgit.model import KeyedProjection, on\n\n"
        "def handed_on(f):\n    def inner(self, thing, event): return f(self, thing, event)\n"
        "    return inner\n\n"
        f"class Things(KeyedProjection):\n    prefix = 'things/'\n    {handler}\n"
    )
    (projection,) = loaded(code).projections
    assert use_of_event(projection.handlers["thing"].method) == ANYTHING


OTHER_STYLES = """

from typing import TypedDict
import msgspec


class Amount(msgspec.Struct):
    amount: int


class ByAmount(KeyedProjection):
    prefix = "amounts/"
    categories = ("account", "till")

    def key(self, event):
        return str(event.data["amount"] % 7) if "amount" in event.data else None

    @on("deposit_made")
    def added(self, found, event):
        return {**found, "n": found.get("n", 0) + 1, "last": event.data["amount"]}

    @on("money_withdrawn")
    def gone(self, found, event):
        return DELETE


class Both(KeyedProjection):
    prefix = "both/"
    categories = ("account", "till")

    @on("deposit_made", "money_withdrawn")
    def seen(self, found, event):
        found.setdefault(event.stream, []).append(event.data.get("amount"))

    @on("account_closed")
    def closed(self, found, event):
        return DELETE


class Typed(KeyedProjection):
    prefix = "typed/"
    streams = "account-[12]"

    @on("deposit_made", "money_withdrawn", data=Amount)
    def added(self, found, event):
        found[event.type] = found.get(event.type, 0) + event.data.amount


class Whole(KeyedProjection):
    prefix = "whole/"

    @on("deposit_made", "money_withdrawn", "account_closed")
    def kept(self, found, event):
        found.setdefault("all", []).append(dict(event.data))
        found["last"] = [event.position, event.time, event.id, event.stream]
"""


@settings(max_examples=40, deadline=None)
@given(facts(), st.lists(st.integers(0, 60), max_size=3), st.integers(1, 4), st.booleans())
def test_all_styles_give_the_same_documents(
    events: list[NewEvent], sizes: list[int], held: int, watched: bool
) -> None:
    log, model = TextLog(events), loaded(BANK + OTHER_STYLES)
    lazily = ModelStates(Cache(None), model, remembered=1)
    live = ModelStates(Cache(None), model, interval=5, remembered=1)
    for part in live.parts:
        part.adapter.watched = watched
    for size in sorted({min(size, log.size) for size in [*sizes, log.size]}):
        expected = dict(lazily.at(log, size))
        with (
            patch("evgit.state.states.LIVE_EVENTS", 0),
            patch("evgit.state.folding.LIVE_DOCUMENTS", held),
        ):
            assert dict(live.at(log, size)) == expected


@pytest.mark.parametrize(
    ("prefix", "line", "amount"),
    [
        ("accounts/", 'account["balance"] += event', "event.data['amount']"),
        ("amounts/", "return str(", "event.data.get('amount')"),
        ("typed/", "found[event.type] =", "event.data.amount"),
        ("whole/", "found.setdefault(", "event.data['amount']"),
    ],
)
def test_errors_name_the_event_however_much_of_it_was_left_out(
    prefix: str, line: str, amount: str
) -> None:
    code = (BANK + OTHER_STYLES).replace(line, f"1 / ({amount} != 77); {line}")
    log = TextLog([NewEvent("account-1", "deposit_made", {"value": n}) for n in range(60, 90)])
    states = ModelStates(Cache(None), loaded(code))
    with patch("evgit.state.states.LIVE_EVENTS", 0), pytest.raises(HandlerFailed) as error:
        states.at(log).part(prefix)
    assert error.value.position == 17
    assert error.value.event_id == log.events[17].id


def test_what_is_not_storable_is_found_again_event_by_event() -> None:
    code = BANK.replace(
        'account["balance"] += event.data["amount"]',
        'account["balance"] = {1} if event.data["amount"] == 3 else 0',
    )
    deposits = [deposit("1", n) for n in range(4)]
    with patch("evgit.state.states.LIVE_EVENTS", 0), pytest.raises(HandlerFailed) as error:
        ModelStates(Cache(None), loaded(code)).at(TextLog(deposits)).part("accounts/").settle()
    assert error.value.position == 3


class FindingLog(TextLog):
    """A log that knows its streams."""

    def stream_names(self, prefix: str) -> list[str]:
        return sorted({e.stream for e in self.events if e.stream.startswith(prefix)})

    def stream_positions(self, name: str, start: int, stop: int) -> list[int]:
        return [n for n in range(start, stop) if self.events[n].stream == name]

    def line(self, position: int) -> bytes:
        return self.lines[position]

    def decoded(
        self, decode: Callable[[bytes], list[Any]], start: int, stop: int | None
    ) -> Iterator[tuple[bytes, list[Any]]]:
        return ((text, decode(text)) for text in self.texts(start, stop))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=4), st.sampled_from([1, 1000]))
def test_whole_states_of_the_past_go_on_from_snapshots(sizes: list[int], per_event: int) -> None:
    events = [deposit(str(n * n % 37), n % 90) for n in range(395)]
    events[200:200] = [NewEvent(f"account-{n}", "account_closed", {}) for n in range(5)]
    log, cache, model = FindingLog(events), Cache(None), loaded(BANK)
    with (
        patch("evgit.state.states.LIVE_EVENTS", 100),
        patch("evgit.state.states.WHOLE_EVENTS", 3),
        patch("evgit.state.states.WORTH_LOOKING", 1),
        patch("evgit.state.folding.ALL_PER_EVENT", per_event),
    ):
        assert len(ModelStates(cache, model, interval=20).at(log).part("accounts/"))
        for size in sizes:
            state = ModelStates(cache, model, interval=20).at(log, size)
            expected = ModelStates(Cache(None), model).at(log, size)
            assert state.part("accounts/").root == expected.part("accounts/").root
            assert dict(state.part("accounts/")) == dict(expected.part("accounts/"))
