"""Where lines are, in C and in Python: the same of any bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from evgit.formats import block
from evgit.formats.native import native

IMPLEMENTATIONS = (None, native)
TEXTS = st.lists(st.sampled_from([b"\n", b"a", b"\r", b"\x00", b"line of some length"]))


@given(TEXTS.map(b"".join))
@example(b"")
@example(b"\n" * 5000)
@example(b"x" * 5000)
def test_lines_begin_behind_newlines(text: bytes) -> None:
    expected = [0]
    while expected[-1] < len(text):
        expected.append(text.find(b"\n", expected[-1]) + 1 or len(text))
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block, "native", implementation)
            assert block.line_starts(text).tolist() == expected
