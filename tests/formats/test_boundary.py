"""Lines of boundaries: pinned, and refused where they are not as they should be."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from evgit.errors import InvalidInput
from evgit.formats.boundary import (
    OWN,
    Boundary,
    absent_for,
    absent_line,
    decode_absent,
    decode_absents,
    decode_boundary,
    is_absent,
    is_boundary,
    line_id,
    said_by,
)
from evgit.formats.canonical import canonicalize, digest
from evgit.formats.event import Event

ID = "2d7aa5e1ba86e8f7fbbc73a63a8c1639cec72d21e64d0fcf1a0ba260b88bea50"
DEPOSIT = Event(
    stream="account-42",
    time="2026-11-23T03:36:00.123456Z",
    type="deposit_made",
    data={"amount": 500},
    version=1,
)


def test_an_absent_line_is_pinned() -> None:
    line = absent_for(DEPOSIT.canonical(), DEPOSIT)
    assert line == b'{"id":"%s","kind":"absent","stream":"account-42"}' % ID.encode()
    assert line_id(line).hex() == ID
    assert line_id(DEPOSIT.canonical()).hex() == ID
    assert is_absent(line)
    assert not is_absent(DEPOSIT.canonical())


def test_one_with_a_key_is_pinned() -> None:
    said = "2a8fc3a4cf0eb7c0d14b1fe5b0e37ac6a2b0e5b1b0e7a8d52a0b5b3a0a8d2b11"
    assert absent_line(ID, "a", "k-1", said) == (
        b'{"id":"%s","key":"k-1","kind":"absent","said":"%s","stream":"a"}'
        % (ID.encode(), said.encode())
    )
    assert said_by(DEPOSIT) == digest(b'["deposit_made",1,{"amount":500},{}]').hex()


def test_a_boundary_line_is_pinned() -> None:
    boundary = Boundary(
        height=3,
        held=[],
        here=[1],
        latest="2026-01-01T00:00:00.000000Z",
        log=[(OWN, 0, 2)],
        number=2,
    )
    line = boundary.canonical()
    assert line == (
        b'{"height":3,"held":[],"here":[1],"kind":"boundary",'
        b'"latest":"2026-01-01T00:00:00.000000Z","log":[["",0,2]],"number":2}'
    )
    assert is_boundary(line)
    assert decode_boundary(line) == boundary


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20))
def test_absent_lines_are_canonical(name: str) -> None:
    line = absent_line(ID, f"s-{name.replace('/', '')}x", name, ID)
    assert canonicalize(line) == line
    assert decode_absents([line, line])[1].key == name


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"id":"%s","kind":"again"}' % ID.encode(),
        b'{"id":"%s","kind":"absent"}' % ID.encode(),
        b'{"id":"%s","kind":"absent","stream":"a","x":1}' % ID.encode(),
        b'{"id":"%s","key":"k","kind":"absent","stream":"a"}' % ID.encode(),
        b'{"id":"%s","kind":"absent","said":"%s","stream":"a"}' % (ID.encode(), ID.encode()),
        b'{"id":"%s","kind":"absent","stream":"a//b"}' % ID.encode(),
        b'{"id":"%s","kind":"absent","stream":"\xff"}' % ID.encode(),
        b'{"id":"xy","kind":"absent","stream":"a"}',
    ],
)
def test_others_are_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_absent(line)
