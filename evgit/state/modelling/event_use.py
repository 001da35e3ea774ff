"""What code of a model can do with an event that it is given, as far as its text shows.

A long replay leaves out what no handler could notice: that the data of an event is read-only, where
it is only read, and members that nobody asks for. Whatever is not understood here counts as able to
do anything. It reads code and runs none.
"""

from __future__ import annotations

import ast
import builtins
import linecache
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from evgit.state.modelling.failures import file_of

_CHEAP = frozenset({"stream", "type", "version"})
_READING_METHODS = frozenset({"copy", "get", "items", "keys", "values"})
_READING_FUNCTIONS = frozenset({"bool", "dict", "len", "list", "set", "sorted", "tuple"})
_SEEING_LOCALS = frozenset({"dir", "eval", "exec", "locals", "vars"})
_NAMES_THAT_BIND_NOTHING = (ast.Name, ast.Attribute, ast.Constant, ast.keyword)


class EventUse(NamedTuple):
    """`only_reads`: the data is never changed and never handed on as a whole. `asks_more`: other
    members may be asked for than data, stream, type and version."""

    only_reads: bool
    asks_more: bool


ANYTHING = EventUse(only_reads=False, asks_more=True)


def use_of_event(method: Callable[..., Any]) -> EventUse:
    """What a method of a projection may do with its last positional argument, the event."""
    function = method.__func__ if isinstance(method, MethodType) else None
    if not isinstance(function, FunctionType):
        return ANYTHING
    definition = _definition(function)
    if definition is None or definition.args.vararg or definition.args.posonlyargs:
        return ANYTHING
    names = [each.arg for each in definition.args.args]
    if len(names) != function.__code__.co_argcount or len(names) < 2:
        return ANYTHING
    return _Reading(definition, names[-1], function).use()


def _definition(function: FunctionType) -> ast.FunctionDef | None:
    """Where a function of a model is written."""
    code = function.__code__
    found = [
        node
        for node in _functions(code.co_filename)
        if node.name == code.co_name
        and min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno
    ]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=16)
def _functions(file: str) -> list[ast.FunctionDef]:
    """All functions in a file of a model, whose name says what is in it."""
    if file_of(file) is None:
        return []
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


class _Reading:
    """One function, read."""

    def __init__(self, definition: ast.FunctionDef, event: str, function: FunctionType) -> None:
        self._event = event
        self._function = function
        self._nodes = [node for each in definition.body for node in ast.walk(each)]
        self._parents = {
            child: node for node in self._nodes for child in ast.iter_child_nodes(node)
        }
        self._bound = Counter(name for node in self._nodes for name in _bound_in(node))
        self._bound.update(
            each.arg for each in ast.walk(definition.args) if isinstance(each, ast.arg)
        )

    def use(self) -> EventUse:
        loaded = [node for node in self._nodes if isinstance(node, ast.Name)]
        if self._bound[self._event] != 1 or any(node.id in _SEEING_LOCALS for node in loaded):
            return ANYTHING
        only_reads, asks_more = True, False
        for node in loaded:
            if node.id != self._event:
                continue
            member = self._parents.get(node)
            if not isinstance(member, ast.Attribute) or not isinstance(member.ctx, ast.Load):
                return ANYTHING
            if member.attr == "data":
                only_reads = only_reads and self._is_read(member)
            elif member.attr not in _CHEAP:
                asks_more = True
        return EventUse(only_reads, asks_more)

    def _is_read(self, data: ast.expr) -> bool:
        """Is the data here only looked into, or copied?"""
        parent = self._parents.get(data)
        match parent:
            case ast.Subscript(value=value):
                return value is data and isinstance(parent.ctx, ast.Load)
            case ast.Attribute():
                call = self._parents.get(parent)
                called = isinstance(call, ast.Call) and call.func is parent
                return called and parent.attr in _READING_METHODS
            case ast.Call(func=ast.Name(id=name)):
                return name in _READING_FUNCTIONS and self._is_builtin(name)
            case ast.Compare(left=left):
                membership = all(isinstance(op, ast.In | ast.NotIn) for op in parent.ops)
                return membership and left is not data
            case ast.Dict() | ast.keyword(arg=None):  # {**data}, f(**data)
                return data not in getattr(parent, "keys", []) and _is_spread(parent, data)
            case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
                return iterated is data
            case ast.Assign(targets=[ast.Name(id=name)]):
                return self._bound[name] == 1 and all(
                    self._is_read(node)
                    for node in self._nodes
                    if isinstance(node, ast.Name) and node.id == name and _is_loaded(node)
                )
        return False

    def _is_builtin(self, name: str) -> bool:
        return (
            not self._bound[name]
            and name not in self._function.__code__.co_freevars
            and self._function.__globals__.get(name, None) is None
            and hasattr(builtins, name)
        )


def _is_loaded(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _is_spread(parent: ast.AST, data: ast.expr) -> bool:
    if isinstance(parent, ast.Dict):
        pairs = zip(parent.keys, parent.values, strict=True)
        return all(key is None for key, value in pairs if value is data)
    return True


def _bound_in(node: ast.AST) -> Iterator[str]:
    """The names that a node gives a meaning to."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
        return
    if isinstance(node, _NAMES_THAT_BIND_NOTHING):
        return
    for _, value in ast.iter_fields(node):
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield each.partition(".")[0]
