"""Events made from schemas: all are valid, and what a schema allows does come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings, strategies as st

from evgit.errors import NotFound
from evgit.model_testing import Scenario, events_of
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.loader import load
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.strategies import data_strategy
from tests.model.banking import BANK

PATH = "schemas/d/1.json"
FAST = settings(database=None, max_examples=2000, phases=[Phase.generate])


def strategy(schema: Any, **definitions: Any) -> st.SearchStrategy[Any]:
    files = {PATH: json.dumps(schema).encode()}
    for name, each in definitions.items():
        files[f"schemas/definitions/{name}.json"] = json.dumps(each).encode()
    return data_strategy(Schemas(files), PATH)


def finds(schema: Any, wanted: Callable[[Any], bool], **definitions: Any) -> Any:
    return find(
        strategy(schema, **definitions),
        wanted,
        settings=FAST,
    )


MONEY: Any = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "maximum": 10**6},
        "note": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (True, lambda v: v == {}),
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, lambda v: v == 4),
        ({"type": "integer", "exclusiveMinimum": 2.5, "maximum": 3.5}, lambda v: v == 3),
        ({"type": "integer", "multipleOf": 7, "minimum": 8}, lambda v: v == 14),
        ({"minimum": 0.5, "maximum": 0.75}, lambda v: 0.5 < v < 0.75),
        ({"type": ["string", "null"]}, lambda v: v is None),
        ({"type": ["string", "null"]}, lambda v: v == "0"),
        ({"enum": ["EUR", 5]}, lambda v: v == 5),
        ({"const": [1]}, lambda v: v == [1]),
        ({"pattern": "^[A-Z]{3}$"}, lambda v: len(v) == 3),
        ({"format": "date", "type": "string"}, lambda v: v[:2] == "20"),
        ({"minLength": 2, "maxLength": 3}, lambda v: len(v) == 3),
        ({"items": {"type": "boolean"}, "minItems": 2}, lambda v: True in v and False in v),
        ({"prefixItems": [{"const": 1}, {"type": "string"}], "minItems": 3},
         lambda v: v[0] == 1 and isinstance(v[1], str)),
        ({"prefixItems": [{"const": 1}], "items": False, "minItems": 1}, lambda v: v == [1]),
        ({"items": {"enum": [1, 2]}, "uniqueItems": True}, lambda v: len(v) == 2),
        (MONEY, lambda v: "note" in v),
        (MONEY, lambda v: "note" not in v and v["amount"] > 1000),
        ({"additionalProperties": {"type": "integer"}, "minProperties": 2}, lambda v: len(v) == 2),
        ({"properties": {"a": {"const": 1}}, "minProperties": 2}, lambda v: len(v) > 2),
        ({"allOf": [MONEY, {"properties": {"amount": {"maximum": 1}}}]},
         lambda v: v["amount"] == 1),
        ({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
         lambda v: "b" in v and "a" not in v),
        ({"oneOf": [{"type": "integer"}, {"const": "x"}]}, lambda v: v == "x"),
        ({"type": "number", "allOf": [{"type": "integer"}]}, lambda v: v % 2),
        ({"type": "integer", "minimum": 0, "not": {"const": 0}}, lambda v: v == 1),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/c"}}, "required": ["a"],
          "$defs": {"c": {"enum": ["x"]}}}, lambda v: v == {"a": "x"}),
    ],
)  # fmt: skip
def test_what_a_schema_allows_comes(schema: Any, wanted: Callable[[Any], bool]) -> None:
    assert wanted(finds(schema, wanted))


def test_references_to_other_files_and_to_itself() -> None:
    schema = {
        "type": "object",
        "required": ["v"],
        "properties": {"v": {"$ref": "../definitions/m.json#/$defs/v"}, "next": {"$ref": "#"}},
    }
    m = {
        "$defs": {"v": {"$ref": "#/$defs/w", "maximum": 9}, "w": {"type": "integer", "minimum": 9}}
    }
    found = finds(schema, lambda v: "next" in v and "next" in v["next"], m=m)
    assert found["next"]["next"]["v"] == 9


LEAVES = st.sampled_from(
    [
        {"type": "integer", "minimum": 0, "maximum": 5},
        {"type": "number", "exclusiveMinimum": -1},
        {"type": "string", "maxLength": 3},
        {"type": ["boolean", "null"]},
        {"enum": [1, "a", None]},
        {"pattern": "^a+$"},
        {},
        True,
    ]
)


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner, "minItems": st.integers(0, 2)}
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
                "required": st.lists(st.sampled_from("ab"), unique=True),
                "additionalProperties": st.sampled_from([True, {"type": "integer"}]),
            }
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
    )


SCHEMAS = st.recursive(LEAVES, larger, max_leaves=5)


@settings(max_examples=60, suppress_health_check=[*HealthCheck])
@given(SCHEMAS, st.data())
def test_whatever_comes_is_valid(schema: Any, data: st.DataObject) -> None:
    schemas = Schemas({PATH: json.dumps(schema).encode()})
    value = data.draw(data_strategy(schemas, PATH))
    assert schemas.accepts(PATH)(value)
    json.dumps(value).encode("utf-8")


def test_events_of_a_type() -> None:
    files = {
        "model/bank.py": BANK.encode(),
        "schemas/deposit_made/2.json": json.dumps(MONEY).encode(),
    }
    model = load(ModelFiles(files))
    one = find(
        events_of("deposit_made", model=model), lambda e: e.stream == "account-2", settings=FAST
    )
    assert (one.type, one.version) == ("deposit_made", 2)
    find(
        events_of("deposit_made", model=model, streams="x-1"),
        lambda e: e.stream == "x-1",
        settings=FAST,
    )
    with pytest.raises(NotFound, match="version 1 of deposit_made has no schema"):
        events_of("deposit_made", version=1, model=model)

    @settings(max_examples=20)
    @given(st.lists(events_of("deposit_made", model=model), max_size=5))
    def balances_add_up(events: Any) -> None:
        documents = Scenario.given(model, events).documents
        total = sum(v["balance"] for p, v in documents.items() if p.startswith("accounts/"))
        assert total == sum(event.data["amount"] for event in events)

    balances_add_up()
