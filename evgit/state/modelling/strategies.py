"""Events for property tests, made from the schemas of their types: a strategy of hypothesis.

The common part of draft 2020-12 is made straight away: types, enum and const, limits, lengths,
patterns, items, members, $ref, allOf, anyOf and oneOf. What a strategy does not aim for (not, if,
contains, dependencies, …) is sorted out afterwards, by the schema itself: so all that comes out is
valid, and only a schema that is mostly made of such rules makes hypothesis complain that it has to
throw too much away.

hypothesis is imported when the first strategy is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from evgit.errors import NotFound
from evgit.history.new_event import NewEvent
from evgit.state.modelling.declarations import KeyedProjection
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.schemas import Schemas

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_INTEGER = (1 << 53) - 1
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_SIGNS = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_UNIONS = ("required",)
_TIGHTER = {
    "minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max,
    "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min,
    "minProperties": max, "maxProperties": min,
}  # fmt: skip
_FORMATS = {
    "date": r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
    "date-time": r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])"
    r":[0-5][0-9]:[0-5][0-9]Z",
    "time": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "email": r"[a-z]{1,8}@example\.(com|net|org)",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "uri": r"https://example\.(com|net|org)/[a-z0-9]{0,8}",
}


def events_strategy(
    model: LoadedModel,
    event_type: str,
    *,
    version: int | None = None,
    streams: str | Sequence[str] | None = None,
) -> SearchStrategy[NewEvent]:
    """Events of a type whose data keep its schema. `version`: the newest by default. `streams`: of
    which streams; by default a few of the category that a projection declares for the type.

    Raises NotFound where the version has no schema, InvalidModel where that is none.
    """
    version = version or model.upcasting.newest.get(event_type, 1)
    path = model.schemas.file(event_type, version)
    if path is None:
        raise NotFound(
            f"version {version} of {event_type} has no schema to make events from",
            hint=f"write schemas/{event_type}/{version}.json",
        )
    names = [streams] if isinstance(streams, str) else list(streams or _streams(model, event_type))
    strategies = import_module("hypothesis.strategies")
    found: SearchStrategy[NewEvent] = strategies.builds(
        NewEvent,
        stream=strategies.sampled_from(names),
        type=strategies.just(event_type),
        data=data_strategy(model.schemas, path),
        version=strategies.just(version),
    )
    return found


def data_strategy(schemas: Schemas, path: str) -> SearchStrategy[Any]:
    """JSON values that the schema in a file takes."""
    accepts = schemas.accepts(path)
    uri = schemas.uri(path)
    maker = _Maker(schemas.registry.resolver(uri))
    made: SearchStrategy[Any] = maker.of(_absolute(schemas.documents[path], uri))
    return made.filter(accepts)


def _streams(model: LoadedModel, event_type: str) -> Iterable[str]:
    for projection in model.projections:
        if event_type in projection.handlers and isinstance(projection.declared, KeyedProjection):
            categories = projection.declared.categories
            named = [categories] if isinstance(categories, str) else list(categories)
            if named:
                return [f"{named[0]}-{number}" for number in (1, 2, 3)]
    return ["stream-1", "stream-2", "stream-3"]


class _Maker:
    """Turns schemas into strategies. One that refers to itself is made once."""

    def __init__(self, resolver: Any) -> None:
        self._st: Any = import_module("hypothesis.strategies")
        self._resolver = resolver
        self._made: dict[str, Any] = {}

    def _target(self, reference: str) -> Any:
        found = self._resolver.lookup(reference)
        return _absolute(found.contents, found.resolver.base_uri)

    def of(self, schema: Any) -> Any:
        """The strategy of a schema; it may give values that other parts of the schema refuse."""
        if schema is True or schema == {}:
            return self._anything()
        if schema is False:
            return self._st.nothing()
        if "$ref" in schema:
            return self._referred(schema)
        if "const" in schema:
            return self._st.just(schema["const"])
        if "enum" in schema:
            return self._st.sampled_from(schema["enum"])
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in schema:
                rest = {name: value for name, value in schema.items() if name != keyword}
                return self._combined(keyword, rest, schema[keyword])
        return self._st.one_of([self._typed(kind, schema) for kind in _kinds(schema)])

    def _referred(self, schema: Mapping[str, Any]) -> Any:
        reference = schema["$ref"]
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        target = self._target(reference)
        if isinstance(target, dict) and rest.keys() - {"title", "description", "$defs"}:
            return self.of(_merged(rest, target))
        if reference not in self._made:
            # Taken down before it is made, for what it refers to may lead back to it.
            self._made[reference] = self._st.deferred(lambda: self._made["made " + reference])
            self._made["made " + reference] = self.of(target)
        return self._made[reference]

    def _combined(self, keyword: str, rest: Mapping[str, Any], parts: Sequence[Any]) -> Any:
        if keyword == "allOf":
            whole: Any = dict(rest)
            for part in parts:
                while isinstance(part, dict) and part.keys() == {"$ref"}:
                    part = self._target(part["$ref"])
                whole = _merged(whole, part) if isinstance(part, dict) else whole
            return self.of(whole)
        choices = [_merged(rest, part) if isinstance(part, dict) else rest for part in parts]
        return self._st.one_of([self.of(choice) for choice in choices])

    def _typed(self, kind: str, schema: Mapping[str, Any]) -> Any:
        if kind == "null":
            return self._st.none()
        if kind == "boolean":
            return self._st.booleans()
        if kind == "integer":
            return self._integers(schema)
        if kind == "number":
            return self._st.one_of(self._integers(schema), self._floats(schema))
        if kind == "string":
            return self._texts(schema)
        if kind == "array":
            return self._arrays(schema)
        return self._objects(schema)

    def _anything(self) -> Any:
        st = self._st
        plain = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text()
        return st.recursive(
            plain,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=5,
        )

    def _integers(self, schema: Mapping[str, Any]) -> Any:
        low, high = -MAX_INTEGER, MAX_INTEGER
        if "minimum" in schema:
            low = max(low, -int(-schema["minimum"] // 1))
        if "exclusiveMinimum" in schema:
            low = max(low, int(schema["exclusiveMinimum"] // 1) + 1)
        if "maximum" in schema:
            high = min(high, int(schema["maximum"] // 1))
        if "exclusiveMaximum" in schema:
            high = min(high, -int(-schema["exclusiveMaximum"] // 1) - 1)
        step = schema.get("multipleOf")
        if isinstance(step, int) and step > 0:
            low, high = -(-low // step), high // step
            return self._st.nothing() if low > high else self._st.integers(low, high).map(
                lambda number: number * step
            )  # fmt: skip
        return self._st.nothing() if low > high else self._st.integers(low, high)

    def _floats(self, schema: Mapping[str, Any]) -> Any:
        bounds = {
            "min_value": schema.get("exclusiveMinimum", schema.get("minimum")),
            "max_value": schema.get("exclusiveMaximum", schema.get("maximum")),
        }
        if (
            all(bound is not None for bound in bounds.values())
            and bounds["min_value"] > bounds["max_value"]
        ):
            return self._st.nothing()
        return self._st.floats(
            **{name: None if bound is None else float(bound) for name, bound in bounds.items()},
            allow_nan=False,
            allow_infinity=False,
            width=64,
        )

    def _texts(self, schema: Mapping[str, Any]) -> Any:
        pattern = schema.get("pattern") or None
        if pattern is not None:
            return self._st.from_regex(pattern).filter(_has_no_surrogate)
        if schema.get("format") in _FORMATS:
            return self._st.from_regex(_FORMATS[schema["format"]], fullmatch=True)
        low, high = schema.get("minLength", 0), schema.get("maxLength")
        return self._st.text(min_size=low, max_size=high)

    def _arrays(self, schema: Mapping[str, Any]) -> Any:
        first = [self.of(each) for each in schema.get("prefixItems", ())]
        rest = self.of(schema.get("items", True))
        low = max(0, schema.get("minItems", 0) - len(first))
        high = schema.get("maxItems")
        sizes: dict[str, Any] = {
            "min_size": low,
            "max_size": max(low, 5) if high is None else max(low, high - len(first)),
        }
        if schema.get("uniqueItems"):
            sizes["unique_by"] = lambda value: json.dumps(value, sort_keys=True)
        if schema.get("items") is False:
            sizes["max_size"] = low
        tail = self._st.lists(rest, **sizes) if sizes["max_size"] else self._st.just([])
        if not first:
            return tail
        return self._st.tuples(*first, tail).map(lambda parts: [*parts[:-1], *parts[-1]])

    def _objects(self, schema: Mapping[str, Any]) -> Any:
        members = schema.get("properties", {})
        needed = set(schema.get("required", ()))
        others = schema.get("additionalProperties", True)
        always = {name: self.of(members.get(name, others)) for name in sorted(needed)}
        sometimes = {
            name: self.of(member)
            for name, member in members.items()
            if name not in needed and member is not False
        }
        made = self._st.fixed_dictionaries(always, optional=sometimes)
        few = schema.get("minProperties", 0) > len(always)
        if others is False or (others is True and members and not few):
            return made  # members that nobody described are not made up
        more = self._st.dictionaries(
            self._st.text(min_size=1, max_size=8).filter(lambda name: name not in members),
            self.of(others),
            min_size=max(0, schema.get("minProperties", 0) - len(always)),
            max_size=max(3, schema.get("minProperties", 0)),
        )
        return self._st.tuples(more, made).map(lambda both: both[0] | both[1])


def _absolute(node: Any, base: str) -> Any:
    """A schema whose references are whole URIs, so that it can stand anywhere."""
    if isinstance(node, list):
        return [_absolute(each, base) for each in node]
    if not isinstance(node, dict):
        return node
    own = node.get("$id")
    base = urljoin(base, own) if isinstance(own, str) else base
    return {
        name: urljoin(base, each)
        if name == "$ref" and isinstance(each, str)
        else _absolute(each, base)
        for name, each in node.items()
    }


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types that a value may be of: as declared, or as the other keywords suggest."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return [declared]
    if declared is not None:
        return list(declared)
    suggested = [kind for kind, signs in _SIGNS.items() if any(sign in schema for sign in signs)]
    return suggested or list(_TYPES)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What both ask for, as far as it can be said in one schema; the rest is sorted out later."""
    found = dict(one)
    for name, value in other.items():
        if name not in found:
            found[name] = value
        elif name in _UNIONS:
            found[name] = [*found[name], *(each for each in value if each not in found[name])]
        elif name in _TIGHTER:
            found[name] = _TIGHTER[name](found[name], value)
        elif name == "properties":
            members = dict(found[name])
            for member, schema in value.items():
                both = isinstance(members.get(member), dict) and isinstance(schema, dict)
                members[member] = _merged(members[member], schema) if both else schema
            found[name] = members
        elif name == "type":
            mine, theirs = _kinds(found), _kinds(other)
            common = [kind for kind in mine if kind in theirs]
            if "integer" in theirs and "number" in mine and "integer" not in common:
                common.append("integer")
            if "integer" in mine and "number" in theirs and "integer" not in common:
                common.append("integer")
            found[name] = common
        elif name in ("allOf", "anyOf", "oneOf"):
            found["allOf"] = [*found.get("allOf", ()), {name: value}]
        elif name == "enum":
            found[name] = [each for each in found[name] if each in value]
    return found


def _has_no_surrogate(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
