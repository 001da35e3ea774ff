"""CloudEvents 1.0: our events come back with their ids, and everybody else's are kept whole."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime

import pytest
from hypothesis import example, given, strategies as st

from evgit.bridges.cloudevents import from_cloudevent, repository_source, to_cloudevent
from evgit.errors import InvalidEvent
from evgit.formats import canonical
from evgit.formats.event import Event, batch_from_events, batch_from_lines

SOURCE = repository_source("ab" * 32, "main")
TIME = "2026-11-23T03:36:00.123456Z"

KEYS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
) | st.sampled_from(["order-1", "https://example.org/x#7"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
META = st.dictionaries(
    st.sampled_from(["actor", "source", "dataschema", "datacontenttype", "data_base64", "x\x7f"]),
    JSON
    | st.sampled_from(["https://example.org/x", "till 7", "/a?b#c", "a:b", "7:b", "image/png", ""]),
)
EVENTS = st.builds(
    Event,
    stream=st.sampled_from(["account-42", "é/ü %", "a?b#c"]),
    type=st.sampled_from(["deposit_made", "de.größe/x"]),
    data=JSON | st.sampled_from(["aGVsbG8=", "no base64"]),
    time=st.just(TIME),
    version=st.integers(1, 3),
    meta=META,
    key=st.none() | KEYS,
    origin=st.none() | st.just("o-1"),
    blobs=st.just({}) | st.just({"ab" * 32: 7}),
)

# The rules of the specification and of its JSON Schema, by hand.
NAME = re.compile(r"[a-z0-9]+")
URI_REFERENCE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
STRING = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]+")


def check_valid(event: dict[str, object]) -> None:
    assert event["specversion"] == "1.0"
    for name in ("id", "source", "type", "subject", "time", "dataschema"):
        value = event[name]
        assert isinstance(value, str)
        assert STRING.fullmatch(value), name
    assert URI_REFERENCE.fullmatch(event["source"])
    assert URI_REFERENCE.fullmatch(event["dataschema"])
    assert re.match(r"[A-Za-z][A-Za-z0-9+.-]*:.", event["dataschema"])
    datetime.fromisoformat(event["time"])
    assert ("data" in event) != ("data_base64" in event)
    if "data_base64" in event:
        base64.b64decode(event["data_base64"], validate=True)
    assert re.fullmatch(r"[!-~]+/[ -~]+", event.get("datacontenttype", "a/b"))
    for name in event.keys() - {"data_base64"}:
        assert NAME.fullmatch(name)
        assert len(name) <= 20
    assert STRING.fullmatch(event["evgit"])


def read_back(line: bytes) -> Event:
    members = canonical.parse(line)
    assert isinstance(members, dict)
    return batch_from_lines([canonical.encode(from_cloudevent(members))]).events[0]


@given(EVENTS)
@example(Event(stream="s", type="t", data="aGVsbG8=", time=TIME, meta={"data_base64": True}))
@example(Event(stream="s", type="t", data=1e21, time=TIME, meta={"n": 0.1}))
def test_an_exported_event_is_valid_and_comes_back_the_same(event):
    event = batch_from_events([event]).events[0]
    line = to_cloudevent(event, event.id, SOURCE)
    assert b"\n" not in line
    check_valid(json.loads(line))
    assert read_back(line).canonical() == event.canonical()


def test_golden():
    event = Event(
        stream="account-42",
        type="deposit_made",
        data={"amount": 500},
        time=TIME,
        version=2,
        meta={"actor": "Ada ✓"},
        key="order-1",
    )
    assert to_cloudevent(event, event.id, SOURCE).decode() == (
        '{"data":{"amount":500},"datacontenttype":"application/json",'
        '"dataschema":"evgit:type/deposit_made/2",'
        '"evgit":"{\\"key\\":\\"order-1\\",\\"meta\\":{\\"actor\\":\\"Ada \\\\u2713\\"},'
        '\\"version\\":2}",'
        '"id":"order-1","source":"evgit:' + "ab" * 32 + '/main/account-42","specversion":"1.0",'
        '"subject":"account-42","time":"2026-11-23T03:36:00.123456Z","type":"deposit_made"}'
    )


def exported(**members) -> dict[str, object]:
    event = Event(**{"stream": "s-1", "type": "t", "data": 1, "time": TIME} | members)
    return json.loads(to_cloudevent(event, event.id, SOURCE)) | {"event_id": event.id}


def test_id_and_source_together_are_unique_where_the_key_is_only_in_its_stream():
    plain = exported()
    assert (plain["id"], plain["source"]) == (plain["event_id"], SOURCE)
    keyed = {(e["id"], e["source"]) for e in (exported(key="k"), exported(key="k", stream="s-2"))}
    assert keyed == {("k", f"{SOURCE}/s-1"), ("k", f"{SOURCE}/s-2")}
    vouched = exported(key="k", meta={"source": "https://example.org/till"})
    assert (vouched["id"], vouched["source"]) == ("k", "https://example.org/till")
    # Not a URI reference, so it can't be a source; it still travels in meta.
    assert exported(meta={"source": "till 7"})["source"] == SOURCE


def test_source_of_a_branch():
    assert repository_source("ff", "fix/ä") == "evgit:ff/fix/%C3%A4"
    assert repository_source("ff", None) == "evgit:ff"


FOREIGN = {
    "specversion": "1.0",
    "type": "com.github.pull_request.opened",
    "source": "https://github.com/cloudevents/spec/pull",
    "subject": "123",
    "id": "A234-1234-1234",
    "time": "2018-04-05T19:31:00+02:00",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "datacontenttype": "text/xml",
    "data": '<much wow="xml"/>',
}


def test_a_foreign_event():
    event = from_cloudevent(FOREIGN)
    assert event == {
        "stream": "123",
        "type": "com.github.pull_request.opened",
        "key": "https://github.com/cloudevents/spec/pull#A234-1234-1234",
        "time": "2018-04-05T19:31:00+02:00",
        "version": 1,
        "meta": {
            "source": "https://github.com/cloudevents/spec/pull",
            "datacontenttype": "text/xml",
            "comexampleextension1": "value",
            "comexampleothervalue": 5,
        },
        "data": '<much wow="xml"/>',
    }
    stored = batch_from_lines([canonical.encode(event)]).events[0]
    out = json.loads(to_cloudevent(stored, stored.id, SOURCE))
    assert {name: out[name] for name in ("id", "source", "subject", "type")} == {
        name: FOREIGN[name] for name in ("id", "source", "subject", "type")
    }
    assert out["time"] == "2018-04-05T17:31:00.000000Z"


def changed(**members) -> dict[str, object]:
    event = {name: value for name, value in (FOREIGN | members).items() if value is not ...}
    return from_cloudevent(event)


def test_without_subject_the_source_is_the_stream():
    assert changed(subject=...)["stream"] == "github.com/cloudevents/spec/pull"
    assert changed(subject=None, source="/sensors/tn-1234567//alerts/")["stream"] == (
        "sensors/tn-1234567/alerts"
    )
    assert changed(subject=..., source="urn:uuid:6e8bc430")["stream"] == "urn:uuid:6e8bc430"
    assert changed(subject=..., source="/")["stream"].startswith("_/_~")


def test_a_subject_that_is_no_stream_name_is_mended_and_kept():
    event = changed(subject="/orders/7")
    assert re.fullmatch(r"_/orders/7~[0-9a-f]{16}", event["stream"])
    assert event["meta"]["subject"] == "/orders/7"


def test_one_subject_with_two_sources_that_count_alike():
    one, other = changed(source="/a", id="1"), changed(source="/b", id="1")
    assert one["stream"] == other["stream"]
    assert one["key"] != other["key"]


def test_a_long_id_becomes_a_hash():
    event = changed(id="x" * 1100)
    assert re.fullmatch(r"[0-9a-f]{64}", event["key"])


def test_nanoseconds_are_cut_and_kept():
    event = changed(time="2026-01-02T03:04:05.123456789Z")
    assert event["time"] == "2026-01-02T03:04:05.123456Z"
    assert event["meta"]["time"] == "2026-01-02T03:04:05.123456789Z"
    event = changed(time="2026-01-02T03:04:05.123456000+01:00")
    assert event["time"] == "2026-01-02T03:04:05.123456+01:00"
    assert "time" not in event["meta"]
    assert "time" not in changed(time=...)


def test_data_of_all_kinds():
    assert changed(data=...)["data"] == {}
    assert changed(data=None)["data"] is None
    encoded = base64.b64encode(b'{"n": 1.50}').decode()
    as_json = changed(data=..., data_base64=encoded, datacontenttype="application/x+json; v=1")
    assert as_json["data"] == {"n": 1.5}
    binary = changed(data=..., data_base64=encoded)
    assert binary["data"] == encoded
    assert binary["meta"]["data_base64"] is True
    stored = batch_from_lines([canonical.encode(binary)]).events[0]
    out = json.loads(to_cloudevent(stored, stored.id, SOURCE))
    assert (out["data_base64"], out["datacontenttype"]) == (encoded, "text/xml")
    no_json = base64.b64encode(b"\xff").decode()
    assert changed(data=..., data_base64=no_json, datacontenttype=...)["data"] == no_json


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"specversion": ...}, "no 'specversion'"),
        ({"specversion": "0.3"}, "version '0.3' is not known"),
        ({"id": ...}, "must have 'id'"),
        ({"id": ""}, "must have 'id'"),
        ({"source": 7}, "must have 'source'"),
        ({"type": None}, "must have 'type'"),
        ({"subject": 5}, "'subject' of a CloudEvent must be a text"),
        ({"time": 1700000000}, "'time' of a CloudEvent must be a text"),
        ({"data_base64": "aGk="}, "not both"),
        ({"data": ..., "data_base64": "a!"}, "not base64"),
        ({"evgit": "no JSON"}, "the extension 'evgit' does not hold"),
        ({"evgit": 5}, "the extension 'evgit' does not hold"),
        ({"evgit": '{"stream":"x"}'}, "the extension 'evgit' does not hold"),
    ],
)
def test_what_is_refused(members, said):
    with pytest.raises(InvalidEvent, match=re.escape(said)):
        changed(**members)
