"""Names from elsewhere become stream names: unchanged where they may be, else mended."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from evgit.bridges.stream_names import stream_name
from evgit.errors import InvalidName
from evgit.formats.names import check_stream_name

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@given(ANY_TEXT)
@example("")
@example("\ud800")
@example("a/" * 200)
@example("é" * 239)
@example("e\u0301" * 120)
@example("$model")
@example("account@7")
def test_every_text_gives_a_name_that_may_be_appended_to(wanted):
    name = stream_name(wanted)
    check_stream_name(name)
    assert stream_name(wanted) == name
    try:
        check_stream_name(wanted)
    except InvalidName:
        assert name != wanted
    else:
        assert name == wanted


@given(ANY_TEXT, ANY_TEXT)
@example("a//b", "a/_/b")
@example("e\u0301", "\u00e9")
def test_different_texts_stay_different(one, other):
    assert (stream_name(one) == stream_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("account-42", "account-42"),
        ("file-src/../x", "file-src/_/x~5bfa4c6f79e3537d"),
        ("/a//b", "_/a/_/b~61eb113cd8b86729"),
        ("user@7", "user@7~817d5d3b2aa9bbdb"),
    ],
)
def test_golden(wanted, name):
    assert stream_name(wanted) == name
