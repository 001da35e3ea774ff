"""Objects of stored lines of events, many at a time.

They are what msgspec makes of the lines. Where the native part is there, it makes them: it knows in
which order the members of an event stand, and keeps strings that come again and again. Lines that
it does not know what to make of are msgspec's all the same, and so are all classes but structs
whose members are typed as those of events are.

This module knows lines and the classes that objects are to be of, not what events mean.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import NoneType
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from evgit.formats.native import native

Form = TypeVar("Form")
Decode = Callable[[bytes | memoryview], list[Form]]

__all__ = ["NOT_DECODED", "Slot", "lines_decoder", "slots_of"]

NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What is raised for lines that no objects can be made of."""

Slot = tuple[str, int, Any]
"""A member of a class; the number of the member of an event that it is filled with, or `ABSENT`;
and what it is without: that object, a new one of it if it is `dict`, or `...` where it can't be
without."""

# The members of an event that are filled in, by the numbers that the native part gives them. It
# makes nothing of lines with `blobs`, which are few, so those are always absent.
DATA, KEY, META, ORIGIN, STREAM, TIME, TYPE, VERSION = range(8)
ABSENT = -1
_NUMBERS = {
    "blobs": ABSENT,
    "data": DATA,
    "key": KEY,
    "meta": META,
    "origin": ORIGIN,
    "stream": STREAM,
    "time": TIME,
    "type": TYPE,
    "version": VERSION,
}
_KEPT_DECODERS = 32
_MAX_VERSION = 10**6
"""Larger versions are msgspec's."""

_STRING, _ANY, _NONE = inspect.StrType(), inspect.AnyType(), inspect.NoneType()
_OBJECT = inspect.DictType(_STRING, _ANY)
_STRINGS = (_STRING, _ANY, inspect.UnionType((_STRING, _NONE)), inspect.UnionType((_NONE, _STRING)))
_TYPES: dict[int, tuple[inspect.Type, ...]] = {
    DATA: (_ANY, _OBJECT),
    META: (_ANY, _OBJECT),
    KEY: _STRINGS,
    ORIGIN: _STRINGS,
    STREAM: _STRINGS,
    TIME: _STRINGS,
    TYPE: _STRINGS,
}


def lines_decoder(form: Any) -> Decode[Any]:
    """What `msgspec.json.Decoder(form).decode_lines` is, for canonical lines of events.

    Raises TypeError for a type that msgspec makes no objects of; the function raises one of
    `NOT_DECODED` for lines that none can be made of.
    """
    if native is None or not isinstance(form, type) or not issubclass(form, msgspec.Struct):
        return msgspec.json.Decoder(form).decode_lines
    return _kept_decoder(form)


@lru_cache(_KEPT_DECODERS)
def _kept_decoder(form: type[msgspec.Struct]) -> Decode[Any]:
    decoder = msgspec.json.Decoder(form)
    one, every = decoder.decode, decoder.decode_lines
    slots = slots_of(form)
    if native is None or slots is None:
        return every
    plan = native.event_objects_plan(form, slots, _wants_object(form))
    if plan is None:
        return every
    make = native.event_objects

    def decoded(text: bytes | memoryview) -> list[Any]:
        try:
            return make(plan, text, one)
        except NOT_DECODED:
            return every(text)  # which says what is wrong in its own words

    return decoded


def slots_of(form: type[msgspec.Struct]) -> tuple[Slot, ...] | None:
    """What the members of a struct are to be filled with; None where only msgspec knows."""
    config = form.__struct_config__
    if config.array_like or config.dict or config.weakref or config.cache_hash:
        return None
    if hasattr(form, "__post_init__"):
        return None
    found = inspect.type_info(form)
    assert isinstance(found, inspect.StructType)
    # All that a line may have has to be known where nothing else may be there; and if msgspec asks
    # for a kind, it has to be that of events.
    names = {field.encode_name for field in found.fields}
    if found.forbid_unknown_fields and not names >= _NUMBERS.keys() - {"kind"}:
        return None
    if (found.tag_field, found.tag) not in ((None, None), ("kind", "event")) or "kind" in names:
        return None
    if found.forbid_unknown_fields and found.tag is None:
        return None
    slots: list[Slot] = []
    for field in found.fields:
        number = _NUMBERS.get(field.encode_name, ABSENT)
        otherwise = _otherwise(field)
        if otherwise is None or not (number == ABSENT or _is_typed(field.type, number)):
            return None
        slots.append((field.name, number, otherwise[0]))
    return tuple(slots)


def _otherwise(field: inspect.Field) -> tuple[Any] | None:
    """What a member is where a line has none for it; None where only msgspec knows."""
    if field.required:
        return (...,)
    if field.default_factory is dict:
        return (dict,)
    if field.encode_name == "version" and field.default is msgspec.NODEFAULT:
        return (...,)  # stored lines always have it
    if type(field.default) in (NoneType, bool, int, float, str, bytes):
        return (field.default,)
    return None


def _is_typed(kind: inspect.Type, number: int) -> bool:
    """Does whatever the native part fills a member with fit this type?"""
    if number != VERSION:
        return kind in _TYPES[number]
    if not isinstance(kind, inspect.IntType):
        return kind == _ANY
    most = _MAX_VERSION if kind.le is None else kind.le
    least = 1 if kind.ge is None else kind.ge
    return (kind.gt, kind.lt, kind.multiple_of) == (None, None, None) and (
        least <= 1 and most >= _MAX_VERSION
    )


def _wants_object(form: type[msgspec.Struct]) -> bool:
    """Is data that is no JSON object none for this class?"""
    found = inspect.type_info(form)
    assert isinstance(found, inspect.StructType)
    return any(field.encode_name == "data" and field.type == _OBJECT for field in found.fields)
