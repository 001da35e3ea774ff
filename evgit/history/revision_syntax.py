"""What a revision expression says, as a small tree: `main@{yesterday}~2`, `A..B`, `REV:PATH`.

Git's syntax, with evgit's additions: `REV#N` (position in the log), `STREAM@N` (event by stream
revision), `REV@{TIME}` for every revision. Whether a name is a ref, an id or a stream can't be
seen from its spelling, so a `Name` is all three until it is resolved. This module must not know
refs, objects or the clock; `resolve` does.

The rules, in the order in which they are applied:

1. `^REV` excludes. Otherwise the first `:`, `..` or `...` outside braces divides the text:
   `REV:PATH` (everything after the colon is the path), `A..B`, `A...B` (a missing side is HEAD).
2. A revision is a name and then suffixes, which apply from left to right: `~N`, `^N`, `^{KIND}`,
   `#N`, `@{…}`. A name ends where the first suffix begins; `@` alone is HEAD; no name is needed
   before `@{…}`, which then means the current branch.
3. Where that fails and the text is anything + `@` + digits + suffixes, everything up to the
   digits is the name: streams may be called what refs may not.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

import msgspec

from evgit.errors import UsageError

HEAD = "HEAD"
MAX_LENGTH = 8192
MAX_SUFFIXES = 64  # keeps every tree shallow, so that walking one never exhausts the stack

PeelKind: TypeAlias = Literal["", "commit", "tag", "event", "object"]
PEEL_KINDS: tuple[PeelKind, ...] = ("", "commit", "tag", "event", "object")

# Structs, because making a dozen dataclasses takes milliseconds of every start of a program.


class Name(msgspec.Struct, frozen=True):
    """A ref, an id, an id's first digits, or STREAM@N."""

    text: str


class CurrentBranch(msgspec.Struct, frozen=True):
    """What `@{…}` without a name before it speaks of."""


class PreviousBranch(msgspec.Struct, frozen=True):
    """`@{-N}`: what was checked out N switches ago. N is at least 1."""

    number: int


class Upstream(msgspec.Struct, frozen=True):
    """`X@{u}`, `X@{upstream}`: the ref that branch X follows."""

    of: Revision


class AtTime(msgspec.Struct, frozen=True):
    """`X@{TIME}`: X as it was recorded at that time. `when` is not read yet."""

    of: Revision
    when: str


class OperationsAgo(msgspec.Struct, frozen=True):
    """`X@{N}`: what ref X was N operations ago."""

    of: Revision
    count: int


class Ancestor(msgspec.Struct, frozen=True):
    """`X~N`: N commits back along first parents."""

    of: Revision
    generations: int


class Parent(msgspec.Struct, frozen=True):
    """`X^N`: the N-th parent, from 1; `X^0` is the commit itself."""

    of: Revision
    number: int


class Peeled(msgspec.Struct, frozen=True):
    """`X^{KIND}`: what X leads to of that kind; `X^{}` is what a tag leads to."""

    of: Revision
    kind: PeelKind


class AtPosition(msgspec.Struct, frozen=True):
    """`X#N`: the first N + 1 events of X's log."""

    of: Revision
    position: int


Revision: TypeAlias = (
    Name
    | CurrentBranch
    | PreviousBranch
    | Upstream
    | AtTime
    | OperationsAgo
    | Ancestor
    | Parent
    | Peeled
    | AtPosition
)


class Document(msgspec.Struct, frozen=True):
    """`X:PATH`: a document of X's state. The empty path is the state as a whole."""

    of: Revision
    path: str


class Excluded(msgspec.Struct, frozen=True):
    """`^X`: without what X reaches."""

    of: Revision


class Range(msgspec.Struct, frozen=True):
    """`A..B`: what B reaches and A does not."""

    left: Revision
    right: Revision


class SymmetricRange(msgspec.Struct, frozen=True):
    """`A...B`: what one of them reaches and the other does not."""

    left: Revision
    right: Revision


Expression: TypeAlias = Revision | Document | Excluded | Range | SymmetricRange

# Patterns are compiled when they are used first: most revisions are just a name.
_DIVIDER = r"[@^]\{[^}]*\}|(?P<divider>:|\.\.\.?)"
_NAME = r"(?:[^~^#@]|@(?!\{))*"
_SUFFIX = (
    r"~(?P<generations>[0-9]*)|\^\{(?P<kind>[^}]*)\}|\^(?P<parent>[0-9]*)"
    r"|#(?P<position>[0-9]+)|@\{(?P<braces>[^}]*)\}"
)
_ENDS_IN_A_NUMBER = r"@[0-9]+\Z"
_BAD_CHARACTER = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"  # none of which is printable


def parse(text: str) -> Expression:
    """Read any expression. Raises UsageError, which says what can't be read, and nothing else."""
    _check_characters(text)
    if text.startswith("^"):
        return Excluded(_parse_plain_revision(text[1:], text))
    divided = _divide(text)
    if divided is None:
        return _parse_revision(text)
    left, divider, right = divided
    if divider == ":":
        if not left:
            raise UsageError(
                f"{text!r} names no revision before the colon",
                hint=f"for the current state say {HEAD + text!r}",
            )
        return Document(_parse_revision(left), right)
    if not left and not right:
        raise UsageError(f"{text!r} is not a revision", hint="a range is A..B or A...B")
    sides = _parse_plain_revision(left or HEAD, text), _parse_plain_revision(right or HEAD, text)
    return Range(*sides) if divider == ".." else SymmetricRange(*sides)


def parse_revision(text: str) -> Revision | Document:
    """Read an expression that is no range. Raises UsageError."""
    expression = parse(text)
    if isinstance(expression, Range | SymmetricRange | Excluded):
        raise UsageError(f"{text!r} is a range, and one revision is wanted here")
    return expression


def render(expression: Expression) -> str:
    """The shortest common spelling: parse(render(e)) == e for everything that parse returns."""
    match expression:
        case Document(of, path):
            return f"{render(of)}:{path}"
        case Excluded(of):
            return f"^{render(of)}"
        case Range(left, right):
            return f"{render(left)}..{render(right)}"
        case SymmetricRange(left, right):
            return f"{render(left)}...{render(right)}"
    suffixes: list[str] = []
    node: Revision = expression
    while not isinstance(node, Name | CurrentBranch | PreviousBranch):
        suffixes.append(_render_suffix(node))
        node = node.of
    match node:
        case Name(text):
            suffixes.append(text)
        case PreviousBranch(number):
            suffixes.append(f"@{{-{number}}}")
    return "".join(reversed(suffixes))


def _render_suffix(
    node: Upstream | AtTime | OperationsAgo | Ancestor | Parent | Peeled | AtPosition,
) -> str:
    match node:
        case Upstream():
            return "@{upstream}"
        case AtTime(_, when):
            return f"@{{{when}}}"
        case OperationsAgo(_, count):
            return f"@{{{count}}}"
        case Ancestor(_, generations):
            return "~" if generations == 1 else f"~{generations}"
        case Parent(_, number):
            return "^" if number == 1 else f"^{number}"
        case Peeled(_, kind):
            return f"^{{{kind}}}"
        case AtPosition(_, position):
            return f"#{position}"


def _check_characters(text: str) -> None:
    if not text:
        raise UsageError("an empty text is not a revision", hint="HEAD is the current one")
    if len(text) > MAX_LENGTH:
        raise UsageError(
            f"a revision of {len(text)} characters is too long; the limit is {MAX_LENGTH}"
        )
    if not text.isprintable() and (bad := re.search(_BAD_CHARACTER, text)):
        raise UsageError(
            f"the revision {text!r} holds a character that no revision can hold: {bad[0]!r}"
        )


def _divide(text: str) -> tuple[str, str, str] | None:
    """What stands before the first divider outside braces, the divider, and what follows."""
    if ":" not in text and ".." not in text:
        return None
    for match in re.finditer(_DIVIDER, text):
        if match["divider"]:
            return text[: match.start()], match["divider"], text[match.end() :]
    return None


def _parse_plain_revision(text: str, whole: str) -> Revision:
    """A revision as part of a range, where paths and further ranges make no sense."""
    if not text or text.startswith("^") or _divide(text) is not None:
        raise UsageError(
            f"{whole!r} is not a revision or range",
            hint="a range is A..B, A...B or ^A, and A and B are single revisions without a path",
        )
    if text.startswith("."):  # A.. followed by .B@0 would read as A...B@0
        raise UsageError(f"{whole!r}: nothing in a range begins or ends with a dot")
    return _parse_revision(text)


def _parse_revision(text: str) -> Revision:
    name = cast(re.Match[str], re.match(_NAME, text))[0]  # it matches the empty text, so always
    suffixes = _split_suffixes(text[len(name) :])
    if suffixes is None and (match := re.fullmatch(_stream_revision(), text)):
        name = match[1]
        suffixes = _split_suffixes(match[2])
    if suffixes is None:
        raise _unreadable(text, name)
    if len(suffixes) > MAX_SUFFIXES:
        raise UsageError(
            f"the revision {text[:40]!r}… has {len(suffixes)} suffixes; the limit is {MAX_SUFFIXES}"
        )
    if not name and (not suffixes or suffixes[0]["braces"] is None):
        raise UsageError(
            f"{text!r} does not say of which revision",
            hint=f"for the current one say {HEAD + text!r}",
        )
    hidden = name.startswith(".") and not re.search(_ENDS_IN_A_NUMBER, name)
    if hidden or name.endswith("."):
        # No ref is called that, but streams are: `.config@0`.
        raise UsageError(f"{text!r}: no name begins or ends with a dot")
    node: Revision = Name(HEAD if name == "@" else name) if name else CurrentBranch()
    for suffix in suffixes:
        node = _apply_suffix(node, suffix, text)
    return node


def _stream_revision() -> str:
    """`account-42@7` and its suffixes."""
    suffix = re.sub("[?]P<[a-z]+>", "?:", _SUFFIX)
    return rf"(.+@[0-9]+)((?:{suffix})*)"


def _split_suffixes(text: str) -> list[re.Match[str]] | None:
    """All suffixes in `text`, or None if there is anything else in it."""
    found = []
    at = 0
    while at < len(text):
        match = re.compile(_SUFFIX).match(text, at)
        if match is None:
            return None
        found.append(match)
        at = match.end()
    return found


def _apply_suffix(node: Revision, suffix: re.Match[str], text: str) -> Revision:
    if (generations := suffix["generations"]) is not None:
        return Ancestor(node, _number(generations or "1", text))
    if (parent := suffix["parent"]) is not None:
        return Parent(node, _number(parent or "1", text))
    if (position := suffix["position"]) is not None:
        return AtPosition(node, _number(position, text))
    if (kind := suffix["kind"]) is not None:
        if kind not in PEEL_KINDS:
            raise UsageError(
                f"{text!r}: {suffix[0]!r} is not something that a revision leads to",
                hint="the kinds are ^{}, ^{commit}, ^{tag}, ^{event} and ^{object}; "
                "to search messages use `evgit log --grep`",
            )
        return Peeled(node, cast(PeelKind, kind))
    return _apply_braces(node, suffix["braces"].strip(), text)


def _apply_braces(node: Revision, inside: str, text: str) -> Revision:
    is_ref = isinstance(node, Name | CurrentBranch | PreviousBranch | Upstream)
    if inside.lower() in ("u", "upstream"):
        if not is_ref:
            raise UsageError(f"{text!r}: only a branch has an upstream, not {render(node)!r}")
        return Upstream(node)
    if re.fullmatch(r"-[0-9]+", inside):
        number = _number(inside[1:], text)
        if not isinstance(node, CurrentBranch) or number < 1:
            raise UsageError(
                f"{text!r}: @{{{inside}}} stands alone and counts from 1",
                hint="@{-1} is the branch that was checked out before this one",
            )
        return PreviousBranch(number)
    if re.fullmatch(r"[0-9]+", inside):
        if not is_ref:
            raise UsageError(
                f"{text!r}: operations are counted for a ref such as main, not for {render(node)!r}"
            )
        return OperationsAgo(node, _number(inside, text))
    if not inside or inside.lower() == "push":
        raise UsageError(
            f"{text!r}: '@{{{inside}}}' means nothing here",
            hint="a time, a number of operations, -N or 'upstream' goes between the braces",
        )
    return AtTime(node, inside)


def _number(digits: str, text: str) -> int:
    if len(digits.lstrip("0")) > 15:  # beyond any position, and within every integer type
        raise UsageError(f"{text[:80]!r}: the number {digits[:20]}… is too large")
    return int(digits)


def _unreadable(text: str, name: str) -> UsageError:
    rest = text[len(name) :]
    hint = "suffixes are ~N, ^N, ^{commit}, #POSITION, @{TIME}, @{N} and @{upstream}"
    if re.search(r"[@^]\{[^}]*$", rest):
        return UsageError(f"the revision {text!r} has a brace that is never closed", hint=hint)
    if re.search(r"\^[0-9]*[-!@]", rest):
        hint = f"evgit has no ^!, ^- and ^@; for what a commit brought say '{name}^..{name}'"
    return UsageError(f"can't read {rest!r} in the revision {text!r}", hint=hint)
