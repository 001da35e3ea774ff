"""`evgit schema`: what it says of types, of stored events, and of two models' schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from evgit.state.modelling.schema_diff import diff_schemas
from evgit.state.modelling.schemas import Schemas
from tests.model.banking import Run


def write(work: Path, path: str, document: Any) -> None:
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    (work / path).write_text(json.dumps(document))


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def stored(run: Run, work: Path) -> Path:
    """A bank with deposits of both versions, recorded before there were schemas."""
    for words in (["value=7"], ["--version", "2", "amount=5"], ["--version", "2", "amount=0"],
                  ["value=0"]):  # fmt: skip
        run("commit", "-q", "-s", "account-1", "-t", "deposit_made", *words)
    run("commit", "-q", "-s", "till-1", "-t", "till_opened", "x=1")
    run("model", "commit")
    rule = {"properties": {"amount": {"minimum": 1}}, "required": ["amount"]}
    write(work, "schemas/deposit_made/2.json", rule)
    return work


def test_list(run: Run, stored: Path) -> None:
    found = {each["type"]: each for each in lines(run("schema", "list", "--json").out)}
    assert [*found] == ["account_closed", "deposit_made", "money_withdrawn", "till_opened"]
    code = (stored / "model/bank.py").read_text().splitlines()
    line = code.index('@upcast("deposit_made", from_version=1)') + 1
    assert found["deposit_made"] == {
        "type": "deposit_made",
        "newest": 2,
        "versions": [
            {"version": 1, "file": None, "upcaster": f"model/bank.py, line {line}", "events": 2},
            {"version": 2, "file": "schemas/deposit_made/2.json", "upcaster": None, "events": 2},
        ],
    }
    assert found["till_opened"]["newest"] is None
    shown = run("schema", "list", "main#0").out
    assert "    1   1 event  no schema" in shown
    assert "    2  0 events  schemas/deposit_made/2.json\n" in shown
    assert "till_opened" not in shown
    assert "till_opened  (the model does not know it)" in run("schema", "list").out


def test_check(run: Run, stored: Path) -> None:
    said = run("schema", "check", "--json")
    assert said.code == 9
    found = lines(said.out)
    assert [(each["position"], each["version"], each["as_version"]) for each in found] == [
        (2, 2, 2),
        (3, 1, 2),
    ]
    assert found[0] | {"event": ""} == {
        "position": 2,
        "event": "",
        "stream": "account-1",
        "type": "deposit_made",
        "version": 2,
        "as_version": 2,
        "pointer": "/amount",
        "reason": "0 is less than the minimum of 1",
        "file": "schemas/deposit_made/2.json",
        "rule": "/properties/amount/minimum",
    }
    shown = run("schema", "check", "-n", "1").out
    assert "deposit_made 2 in account-1" in shown
    assert "deposit_made 1 as 2 in account-1" not in shown
    assert "Checked 6 events: 2 that the schemas don't take" in shown
    assert run("schema", "check", "main#1").code == 0
    assert run("schema", "check", "--model", "head").out.endswith(
        "none that the schemas don't take\n"
    )


def test_check_names_what_can_t_be_upcast_at_all(run: Run, stored: Path) -> None:
    for version in ("3", "1"):
        run("commit", "-q", "--no-verify", "-s", "account-1", "-t", "deposit_made",
            "--version", version, "x=1")  # fmt: skip
    first, second = lines(run("schema", "check", "--json", "main").out)[2:]
    assert "only up to version 2" in first["reason"]
    assert "KeyError: 'value'" in second["reason"]
    assert (first["file"], second["pointer"]) == ("", "")


def test_diff(run: Run, stored: Path) -> None:
    assert run("schema", "diff").out == (
        "deposit_made, version 2\n"
        "    a new schema\n"
        "  stored data could fail: nothing was asked of it before\n"
    )
    run("model", "commit")
    assert run("schema", "diff", "--check").code == 9
    write(stored, "schemas/deposit_made/2.json", {"properties": {"amount": {"minimum": 0}}})
    said = run("schema", "diff", "--check")
    assert said.out == (
        "deposit_made, version 2\n"
        "    + /amount: is not required any more\n"
        "    + /amount: at least 0 now (was 1)\n"
        "  data that was valid still is\n"
        "Checked 7 events: none that the schemas don't take\n"
    )
    assert said.code == 0
    assert "a new schema" in run("schema", "diff", "main~1", "main").out
    assert "the schema is gone" in run("schema", "diff", "main", "main~1").out
    (gone,) = lines(run("schema", "diff", "--json", "main", "main~1").out)
    assert (gone["new"], gone["safe"]) == (None, True)
    assert run("schema", "diff", "main~4").code == 0
    assert run("schema", "diff", "main", "main~4").code == 3


def test_without_a_model_there_is_nothing_to_look_at(run: Run) -> None:
    run("init", "-q")
    for words in (["list"], ["check"], ["diff"]):
        assert run("schema", *words).code == 3


# ---------------------------------------------------------------------------- in words

CLOSED = {"type": "object", "additionalProperties": False}


def schemas(document: Any, **definitions: Any) -> Schemas:
    files = {"schemas/d/1.json": json.dumps(document).encode()}
    for name, each in definitions.items():
        files[f"schemas/definitions/{name}.json"] = json.dumps(each).encode()
    return Schemas(files)


def said(old: Schemas, new: Schemas) -> tuple[list[str], bool]:
    marks = {"narrower": "-", "wider": "+", "either": "~"}
    found = [*diff_schemas(old, new)]
    if not found:
        return [], True
    (diff,) = found
    return [f"{marks[c.effect]} {c.pointer}: {c.text}" for c in diff.changes], diff.safe


@pytest.mark.parametrize(
    ("old", "new", "says", "safe"),
    [
        ({"properties": {}}, {"properties": {"a": {"type": "string"}}},
         ["- /a: new member (string)"], False),
        (CLOSED, CLOSED | {"properties": {"a": {"type": "string"}}},
         ["+ /a: new member (string)"], True),
        ({}, {"properties": {"a": {}}, "required": ["a"]}, ["- /a: new member, required"], False),
        (CLOSED | {"properties": {"a": {}}}, CLOSED, ["- /a: is not allowed any more"], False),
        ({"properties": {"a": {"type": "null"}}}, {}, ["+ /a: is not described any more"], True),
        ({}, {"required": ["a"]}, ["- /a: is required now"], False),
        ({"required": ["a"]}, {}, ["+ /a: is not required any more"], True),
        ({"type": "number"}, {"type": "integer"}, ["- : was number, is integer"], False),
        ({"type": "integer"}, {"type": ["integer", "null"]},
         ["+ : was integer, is integer or null"], True),
        ({"enum": [1, 2]}, {"enum": [2, 3]}, ["~ : may be 3 now, may not be 1 any more"], False),
        ({"maximum": 5}, {"maximum": 4}, ["- : at most 4 now (was 5)"], False),
        ({"maxLength": 5}, {}, ["+ : no longer than 5 no longer holds"], True),
        ({"type": "object"}, CLOSED, ["- : other members are not allowed any more"], False),
        ({"items": {"type": "string"}}, {"items": {"type": "number"}},
         ["~ /*: was string, is number"], False),
        ({"pattern": "^a"}, {"pattern": "^b"}, ['~ : pattern was "^a", is "^b"'], False),
        ({"title": "A"}, {"title": "B", "format": "date"}, [], True),
    ],
)  # fmt: skip
def test_changes_in_words(old: Any, new: Any, says: list[str], safe: bool) -> None:
    assert said(schemas(old), schemas(new)) == (says, safe)


def test_definitions_count_where_they_are_referred_to() -> None:
    document = {"properties": {"a": {"$ref": "../definitions/m.json"}},
                "anyOf": [{"required": ["a"]}, {"$ref": "../definitions/m.json"}]}  # fmt: skip
    old = schemas(document, m={"enum": ["EUR"]})
    assert said(old, schemas(document, m={"enum": ["EUR", "CHF"]})) == (
        ["~ : what anyOf refers to has changed", '+ /a: may be "CHF" now'],
        True,
    )
    assert said(old, old) == ([], True)


def test_schemas_that_refer_to_themselves_can_be_compared() -> None:
    tree: dict[str, Any] = {"properties": {"next": {"$ref": "#"}, "v": {"type": "integer"}}}
    other = json.loads(json.dumps(tree).replace("integer", "number"))
    changes, _ = said(schemas(tree), schemas(other))
    assert changes[0] == "+ /v: was integer, is number"


BOUND = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "number", "string", ["integer", "null"]]),
        "minimum": st.integers(-3, 3),
        "maximum": st.integers(-3, 3),
        "enum": st.lists(st.sampled_from([1, 2, None, "a"]), min_size=1, unique=True),
        "maxLength": st.integers(0, 3),
    },
)
MEMBERS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(st.sampled_from("ab"), BOUND, max_size=2),
        "required": st.lists(st.sampled_from("ab"), unique=True, max_size=2),
        "additionalProperties": st.booleans(),
    },
)
VALUES = st.sampled_from([*range(-4, 5), 0.5, None, "", "a", "abcd"])


@given(MEMBERS, MEMBERS, st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), max_size=20))
def test_what_is_called_safe_is(old: Any, new: Any, data: list[Any]) -> None:
    before, after = schemas(old), schemas(new)
    changes, safe = said(before, after)
    for each in data:
        was = before.accepts("schemas/d/1.json")(each)
        now = after.accepts("schemas/d/1.json")(each)
        if was and not now:
            assert not safe
            assert any(change[0] in "-~" for change in changes)
        if now and not was:
            assert any(change[0] in "+~" for change in changes)


def test_what_does_not_load_is_not_recorded(run: Run, work: Path) -> None:
    for path, text, says in [
        ("schemas/deposit_made/2.json", "{", "schemas/deposit_made/2.json, line 1: not JSON"),
        ("model/other.py", "def", "model/other.py, line 1: SyntaxError"),
        ("evgit.toml", "[model]\nx = 1", "evgit.toml: there is no setting 'x'"),
    ]:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
        refused = run("model", "commit")
        assert refused.code == 9
        assert says in refused.err
        (work / path).unlink()
    assert run("model", "log").out == ""
    (work / "model/other.py").write_text("def")
    recorded = run("model", "commit", "--no-verify")
    assert (recorded.code, "was not updated: model/other.py" in recorded.err) == (0, True)
    assert run("model", "log").out.count("A model/") == 2
