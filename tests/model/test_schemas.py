"""Schemas: what is one, what they refuse at append, what they say of stored events."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from evgit.errors import HandlerFailed, InvalidModel, SchemaViolated
from evgit.repository import NewEvent, Repository
from evgit.state.modelling.schema_files import at, line_at, pointer
from evgit.state.modelling.schemas import Schemas
from tests.model.banking import Run, deposit

Write = Callable[..., None]
PATH = "schemas/deposit_made/2.json"
AMOUNT = {
    "type": "object",
    "required": ["amount"],
    "properties": {"amount": {"type": "integer", "minimum": 1}},
}


@pytest.fixture
def write(bank: Repository) -> Write:
    def schema(path: str, document: Any) -> None:
        file = bank.working_tree.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))

    return schema


# ---------------------------------------------------------------------------- at append


def test_data_that_breaks_its_schema_is_refused(bank: Repository, write: Write) -> None:
    write(PATH, AMOUNT)
    with pytest.raises(SchemaViolated) as error:
        bank.append([deposit("1", 5), deposit("1", 0)])
    assert error.value.message == (
        "event 2 (deposit_made, version 2) breaks its schema: /amount: 0 is less than the minimum "
        f"of 1 ({PATH}: /properties/amount/minimum is 1); nothing was appended"
    )
    found = error.value
    assert (found.type, found.version, found.file) == ("deposit_made", 2, PATH)
    assert (found.pointer, found.rule) == ("/amount", "/properties/amount/minimum")
    assert found.exit_code == 9
    assert bank.head().point.size == 0
    bank.append([deposit("1", 0)], verify=False)
    bank.append([deposit("1", 1)])
    assert bank.state()["accounts/1.json"] == {"balance": 1}


def test_old_versions_are_held_to_their_own_schema_and_to_the_newest(
    bank: Repository, write: Write
) -> None:
    write(PATH, AMOUNT)
    with pytest.raises(SchemaViolated, match=r"\(deposit_made, version 1\), upcast to 2, breaks"):
        bank.append([NewEvent("account-1", "deposit_made", {"value": 0})])
    write("schemas/deposit_made/1.json", {"required": ["value"]})
    with pytest.raises(
        SchemaViolated, match=r"event 1 \(deposit_made, version 1\) breaks"
    ) as error:
        bank.append([NewEvent("account-1", "deposit_made", {"amount": 5})])
    assert (error.value.version, error.value.pointer) == (1, "")
    bank.append([NewEvent("account-1", "deposit_made", {"value": 5})])
    assert bank.event(next(bank.events()).id).data == {"value": 5}


def test_an_upcaster_that_fails_refuses_too(bank: Repository, write: Write) -> None:
    write(PATH, AMOUNT)
    with pytest.raises(HandlerFailed, match=r"bank\.py, line \d+: KeyError.*nothing was appended"):
        bank.append([NewEvent("account-1", "deposit_made", {})])


def test_what_is_there_already_may_be_as_it_is(bank: Repository, write: Write) -> None:
    old = NewEvent(
        "account-1", "deposit_made", {"amount": 0}, version=2, time="2026-01-01T00:00:00Z"
    )
    bank.append([old])
    write(PATH, AMOUNT)
    again = bank.append([old, deposit("1", 1)])
    assert (again.appended, again.already) == (1, 1)


def test_schemas_alone_are_a_model_too(tmp_path: Path, run: Run) -> None:
    assert run("init", "-q").code == 0
    file = Path.cwd() / "schemas" / "order_placed" / "1.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"required": ["total"]}')
    refused = run("commit", "-s", "order-1", "-t", "order_placed", "x=1")
    assert refused.code == 9
    assert '"total" is a required property' in refused.err
    assert run("commit", "-q", "-s", "order-1", "-t", "order_placed", "total=1").code == 0
    assert run("ls-tree", "--name-only", "HEAD").out == "streams/order-1.json\n"
    assert run("model", "commit").code == 0
    file.unlink()
    # Without files in the working tree it is the recorded one that counts.
    assert run("commit", "-s", "order-1", "-t", "order_placed", "x=1").code == 9
    assert run("ls-tree", "--name-only", "HEAD").out == "streams/order-1.json\n"


def test_a_rule_in_a_shared_definition_is_named_there(bank: Repository, write: Write) -> None:
    write("schemas/definitions/money.json", {"$defs": {"cents": AMOUNT["properties"]["amount"]}})  # type: ignore[index]
    reference = {"$ref": "../definitions/money.json#/$defs/cents"}
    write(PATH, {"properties": {"amount": reference}})
    with pytest.raises(SchemaViolated) as error:
        bank.append([deposit("1", -1)])
    assert error.value.file == "schemas/definitions/money.json"
    assert error.value.rule == "/$defs/cents/minimum"
    assert error.value.pointer == "/amount"


def test_formats_are_notes_and_patterns_take_linear_time(bank: Repository, write: Write) -> None:
    write(PATH, {"properties": {"amount": True, "at": {"format": "date", "pattern": "^(a+)+$"}}})
    with pytest.raises(SchemaViolated, match="does not match"):
        bank.append([NewEvent("account-1", "deposit_made", {"amount": 1, "at": "a" * 5000 + "b"},
                              version=2)])  # fmt: skip
    bank.append([NewEvent("account-1", "deposit_made", {"amount": 1, "at": "aaa"}, version=2)])


# ---------------------------------------------------------------------------- what is a schema

NONE = [
    ('{"type": "object",\n}', r"2\.json, line 2: not JSON"),
    ('{"type":\n"foo"}', r"2\.json, line 1: not a JSON Schema .*: /type: "),
    ('{"properties": {"amount":\n{"minimum": "x"}}}', r'line 2: .*minimum: "x" is not of type'),
    ("[]", "a JSON Schema is an object"),
    ('{"a": 1, "a": 2}', "'a' stands there twice"),
    ('{"minimum": NaN}', "NaN"),
    ('{"pattern": "("}', 'is not a "regex"'),
    ('{"pattern": "(?=x)y"}', 'is not a "regex"'),
    ('{"pattern": "(x)\\\\1"}', 'is not a "regex"'),
    ('{"$schema": "http://json-schema.org/draft-07/schema#"}', "evgit reads draft 2020-12"),
    ('{"properties": {"a": {"$schema": "https://example.org/own"}}}', "evgit reads draft"),
    ('{"$ref": "https://example.org/a.json"}', "leads out of the model's schemas"),
    ('{"$id": "https://example.org/a.json", "$ref": "b.json"}', "leads out of the model"),
    ('{"$ref": "file:///etc/passwd"}', "leads out of the model's schemas"),
    ('{"$ref": "../../../../etc/passwd"}', "leads out of the model's schemas"),
    ('{"$ref": "1.json"}', "leads out of the model's schemas"),
    ('{"$ref": "#/$defs/none"}', "does not exist"),
    ('{"allOf": [' * 500 + "true" + "]}" * 500, "deeper|recursion"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), NONE)
def test_what_is_no_schema_is_named_with_its_file(
    bank: Repository, write: Write, text: str, says: str
) -> None:
    write(PATH, text)
    with pytest.raises(InvalidModel, match=says) as error:
        bank.append([deposit("1", 1)])
    assert error.value.file == PATH
    assert error.value.exit_code == 9
    assert bank.head().point.size == 0
    with pytest.raises(InvalidModel, match=says):
        bank.check_model()


@pytest.mark.parametrize(
    "path",
    ["schemas/deposit_made.json", "schemas/deposit_made/v2.json", "schemas/deposit_made/02.json",
     "schemas/deposit_made/0.json", "schemas/deposit made/1.json"],
)  # fmt: skip
def test_a_schema_in_no_place_for_one_is_not_passed_over(
    bank: Repository, write: Write, path: str
) -> None:
    write(path, "{}")
    with pytest.raises(InvalidModel, match="no place for a schema") as error:
        bank.state()
    assert error.value.file == path


def test_versions_with_schemas_must_lead_to_the_newest(bank: Repository, write: Write) -> None:
    write("schemas/money_withdrawn/1.json", "{}")
    write("schemas/money_withdrawn/3.json", "{}")
    with pytest.raises(
        InvalidModel, match="nothing brings version 1 of 'money_withdrawn' to"
    ) as error:
        bank.state()
    assert error.value.file == "schemas/money_withdrawn/1.json"


def test_nothing_is_fetched(bank: Repository, write: Write) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)

        def listen() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(100))
            except TimeoutError:
                pass

        listener = threading.Thread(target=listen)
        listener.start()
        place = f"http://127.0.0.1:{server.getsockname()[1]}/a.json"
        for keyword in ("$ref", "$schema", "$dynamicRef"):
            write(PATH, {"properties": {"a": {keyword: place}}})
            with pytest.raises(InvalidModel, match=r"2\.json, line \d"):
                bank.append([deposit("1", 1)])
        # As data it is no reference, and an own name is none either.
        write(PATH, {"$id": place, "const": {"$ref": place}})
        with pytest.raises(SchemaViolated):
            bank.append([deposit("1", 1)])
        listener.join()
    assert asked == []


NAMES = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.data())
def test_a_place_in_a_file_has_a_line(document: Any, data: st.DataObject) -> None:
    """Marked with a member that stands there once, any place is found on the line that has it."""
    steps: list[str] = []
    document = [document]
    inner = document
    while isinstance(inner, dict | list) and inner:
        keys = [*inner] if isinstance(inner, dict) else [str(n) for n in range(len(inner))]
        step = data.draw(st.sampled_from(keys))
        steps.append(step)
        inner = inner[step] if isinstance(inner, dict) else inner[int(step)]
    holder = at(document, steps[:-1])
    if isinstance(holder, dict):
        holder[steps[-1]] = "here, once"
    else:
        holder[int(steps[-1])] = "here, once"
    text = json.dumps(document, indent=1)
    expected = text[: text.index('"here, once"')].count("\n") + 1
    assert line_at(text.encode(), steps) == expected


def test_pointers_are_escaped() -> None:
    assert pointer(["a/b", "~", 0]) == "/a~1b/~0/0"
    assert pointer([]) == ""


def test_only_what_is_asked_for_is_compiled(write: Write) -> None:
    schemas = Schemas({"schemas/a/1.json": b"{}", "schemas/b/1.json": b'{"type": "x"}'})
    assert schemas.accepts("schemas/a/1.json")({"any": 1})
    with pytest.raises(InvalidModel, match="schemas/b/1"):
        schemas.compile()
