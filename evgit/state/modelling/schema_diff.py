"""What changed between the schemas of two models, said of the data: which members came and went,
what may stand there now that could not before.

Whether all that the old schema allows is allowed by the new one is proved by the library, or not;
the words are only an explanation, and an unknown keyword is reported as changed both ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

from evgit.errors import InvalidModel
from evgit.state.modelling.schema_files import pointer
from evgit.state.modelling.schemas import Schemas

Effect = Literal["narrower", "wider", "either"]

_MAX_DEPTH = 24
_ANNOTATIONS = {
    *("$schema", "$id", "$comment", "$anchor", "$dynamicAnchor", "$defs", "definitions", "title"),
    *("description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format"),
}
_AT_LEAST = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "minLength": "no shorter than",
    "minItems": "elements, at least",
    "minProperties": "members, at least",
}
_AT_MOST = {
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "maxLength": "no longer than",
    "maxItems": "elements, at most",
    "maxProperties": "members, at most",
}
_MISSING: Any = object()


class SchemaChange(NamedTuple):
    """One difference. `pointer`: to the place in the data, where `*` stands for any element;
    `effect`: whether less or more is allowed there than before."""

    pointer: str
    text: str
    effect: Effect


class TypeDiff(NamedTuple):
    """How the schema of a version of a type differs. `old` and `new`: its files, None for none.
    `safe`: all data that the old one allows is allowed by the new one, which is certain."""

    type: str
    version: int
    old: str | None
    new: str | None
    changes: list[SchemaChange]
    safe: bool


def diff_schemas(old: Schemas, new: Schemas) -> Iterator[TypeDiff]:
    """The versions of types whose schemas differ, in order. Raises InvalidModel."""
    kinds = {(name, v) for side in (old, new) for name, of in side.by_type.items() for v in of}
    for name, version in sorted(kinds):
        before, after = old.file(name, version), new.file(name, version)
        if before is None or after is None:
            yield TypeDiff(name, version, before, after, [], after is None)
            continue
        changes = list(_Comparison(old, new).changes(before, after))
        if changes:
            safe = _covers(old, before, new, after)
            yield TypeDiff(name, version, before, after, changes, safe)


def _covers(old: Schemas, before: str, new: Schemas, after: str) -> bool:
    """Is it certain that the new schema allows all that the old one does?"""
    library = import_module("jsonschema_rs")
    containment = import_module("jsonschema_rs.canonical").Containment
    try:
        found = _canonical(library, new, after).covers(_canonical(library, old, before))
    except (ValueError, library.ReferencingError):  # more than it can reason about
        return False
    return bool(found == containment.YES)


def _canonical(library: Any, schemas: Schemas, path: str) -> Any:
    whole = library.dereference(
        schemas.documents[path], registry=schemas.registry, base_uri=schemas.uri(path)
    )
    return library.canonicalize(
        whole,
        draft=library.Draft202012,
        pattern_options=library.RegexOptions(),
        validate_formats=False,
        offline=True,
    )


class _Side(NamedTuple):
    """A place in a schema, and the resolver of what it refers to."""

    node: Any
    resolver: Any


class _Comparison:
    """Two schemas, walked side by side."""

    def __init__(self, old: Schemas, new: Schemas) -> None:
        self._old = old
        self._new = new

    def changes(self, before: str, after: str) -> Iterator[SchemaChange]:
        """What differs between a file of the old model and one of the new."""
        old, new = self._old, self._new
        old.compile()
        new.compile()
        yield from self._nodes(
            _Side(old.documents[before], old.registry.resolver(old.uri(before))),
            _Side(new.documents[after], new.registry.resolver(new.uri(after))),
            (),
            frozenset(),
        )

    def _nodes(
        self, old: _Side, new: _Side, steps: tuple[str, ...], within: frozenset[str]
    ) -> Iterator[SchemaChange]:
        old, new = _followed(old), _followed(new)
        a, b = _as_object(old.node), _as_object(new.node)
        pair = json.dumps([a, b], sort_keys=True)
        if pair in within or len(within) > _MAX_DEPTH:
            return  # schemas that refer to themselves
        within |= {pair}
        yield from _members(a, b, steps)
        for keyword in sorted((a.keys() | b.keys()) - _ANNOTATIONS - {"properties", "required"}):
            was, now = a.get(keyword, _MISSING), b.get(keyword, _MISSING)
            if keyword == "items" and isinstance(was, dict) and isinstance(now, dict):
                yield from self._nodes(
                    _Side(was, old.resolver), _Side(now, new.resolver), (*steps, "*"), within
                )
            elif was != now or _refers(was):
                yield from self._keyword(
                    keyword, _Side(was, old.resolver), _Side(now, new.resolver), steps
                )
        for name in sorted(a.get("properties", {}).keys() & b.get("properties", {}).keys()):
            yield from self._nodes(
                _Side(a["properties"][name], old.resolver),
                _Side(b["properties"][name], new.resolver),
                (*steps, name),
                within,
            )

    def _keyword(
        self, keyword: str, old: _Side, new: _Side, steps: tuple[str, ...]
    ) -> Iterator[SchemaChange]:
        was, now = old.node, new.node
        if was != now:
            text, effect = _explained(keyword, was, now)
            yield SchemaChange(pointer(steps), text, effect)
            return
        # The same words, which refer to definitions that may have changed.
        if _resolved(was, old.resolver, 0) != _resolved(now, new.resolver, 0):
            text = f"what {keyword} refers to has changed"
            yield SchemaChange(pointer(steps), text, "either")


def _as_object(node: Any) -> Mapping[str, Any]:
    if isinstance(node, dict):
        return node
    return {} if node is True else {"not": {}}


def _followed(side: _Side) -> _Side:
    """The place that a schema of nothing but a reference leads to."""
    for _ in range(_MAX_DEPTH):
        node = side.node
        if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
            break
        if node.keys() - _ANNOTATIONS - {"$ref"}:
            break
        found = _lookup(side.resolver, node["$ref"])
        side = _Side(found.contents, found.resolver)
    return side


def _lookup(resolver: Any, reference: str) -> Any:
    try:
        return resolver.lookup(reference)
    except Exception as error:
        raise InvalidModel(f"{reference!r} refers to nothing: {error}") from error


def _refers(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(map(_refers, node.values()))
    return isinstance(node, list) and any(map(_refers, node))


def _resolved(node: Any, resolver: Any, depth: int) -> Any:
    """A schema with what it refers to put in its place, down to a depth."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, list):
        return [_resolved(each, resolver, depth + 1) for each in node]
    if not isinstance(node, dict):
        return node
    found = {n: _resolved(each, resolver, depth + 1) for n, each in node.items() if n != "$ref"}
    if isinstance(node.get("$ref"), str):
        target = _lookup(resolver, node["$ref"])
        found["$ref"] = _resolved(target.contents, target.resolver, depth + 4)
    return found


def _members(
    a: Mapping[str, Any], b: Mapping[str, Any], steps: tuple[str, ...]
) -> Iterator[SchemaChange]:
    before, after = a.get("properties", {}), b.get("properties", {})
    needed, needs = set(a.get("required", ())), set(b.get("required", ()))
    was_closed = a.get("additionalProperties") is False
    is_closed = b.get("additionalProperties") is False
    for name in sorted(before.keys() | after.keys() | needed | needs):
        place = pointer((*steps, name))
        if name in after and name not in before:
            what = _kind_of(after[name])
            if name in needs - needed:
                yield SchemaChange(place, f"new member, required{what}", "narrower")
                continue
            effect: Effect = "wider" if was_closed else "narrower"
            yield SchemaChange(place, f"new member{what}", effect)
        elif name in before and name not in after:
            gone = "is not allowed any more" if is_closed else "is not described any more"
            yield SchemaChange(place, gone, "narrower" if is_closed else "wider")
        if name in needs - needed:
            yield SchemaChange(place, "is required now", "narrower")
        elif name in needed - needs:
            yield SchemaChange(place, "is not required any more", "wider")


def _kind_of(node: Any) -> str:
    kinds = node.get("type") if isinstance(node, dict) else None
    return "" if kinds is None else f" ({_types(kinds)})"


def _explained(keyword: str, was: Any, now: Any) -> tuple[str, Effect]:
    if keyword == "type":
        return _explained_type(was, now)
    if keyword in ("enum", "const"):
        return _explained_values(keyword, was, now)
    if keyword in _AT_LEAST or keyword in _AT_MOST:
        return _explained_bound(keyword, was, now)
    if keyword == "additionalProperties":
        if now is False:
            return "other members are not allowed any more", "narrower"
        if was is False and now in (True, _MISSING):
            return "other members are allowed now", "wider"
    if was is _MISSING:
        return f"{keyword} is {_brief(now)} now", "narrower"
    if now is _MISSING:
        return f"{keyword} is gone (was {_brief(was)})", "wider"
    return f"{keyword} was {_brief(was)}, is {_brief(now)}", "either"


def _explained_type(was: Any, now: Any) -> tuple[str, Effect]:
    if was is _MISSING:
        return f"was of any type, must be {_types(now)}", "narrower"
    if now is _MISSING:
        return f"was {_types(was)}, may be of any type", "wider"
    before, after = _type_set(was), _type_set(now)
    effect: Effect = "narrower" if after < before else "wider" if before < after else "either"
    return f"was {_types(was)}, is {_types(now)}", effect


def _type_set(kinds: Any) -> set[str]:
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    return found | {"integer"} if "number" in found else found


def _types(kinds: Any) -> str:
    return kinds if isinstance(kinds, str) else " or ".join(map(str, kinds))


def _explained_values(keyword: str, was: Any, now: Any) -> tuple[str, Effect]:
    if was is _MISSING:
        return f"must be {_brief(now)}", "narrower"
    if now is _MISSING:
        return f"need not be {_brief(was)} any more", "wider"
    before = [was] if keyword == "const" else list(was)
    after = [now] if keyword == "const" else list(now)
    came = [each for each in after if each not in before]
    went = [each for each in before if each not in after]
    words = [f"may be {_values(came)} now"] if came else []
    words += [f"may not be {_values(went)} any more"] if went else []
    effect: Effect = "wider" if not went else "narrower" if not came else "either"
    return ", ".join(words) or "the same values in another order", effect


def _explained_bound(keyword: str, was: Any, now: Any) -> tuple[str, Effect]:
    words = _AT_LEAST.get(keyword) or _AT_MOST[keyword]
    if was is _MISSING:
        return f"{words} {now} now", "narrower"
    if now is _MISSING:
        return f"{words} {was} no longer holds", "wider"
    grows = now > was
    effect: Effect = "narrower" if grows == (keyword in _AT_LEAST) else "wider"
    return f"{words} {now} now (was {was})", effect


def _values(values: list[Any]) -> str:
    return ", ".join(_brief(each) for each in values)


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
