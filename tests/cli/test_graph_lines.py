"""The drawing of `log --graph`: known pictures, and lines that never end in nothing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from evgit.cli.graph_lines import Graph

Dag = list[tuple[str, list[str]]]


def drawn(dag: Dag) -> str:
    graph = Graph()
    rows: list[str] = []
    for commit, parents in dag:
        drawing = graph.add(commit, parents)
        rows += [*drawing.above, f"{drawing.own} {commit}", *drawing.below]
    return "\n".join(rows)


def test_a_merge() -> None:
    assert drawn([("m", ["a", "b"]), ("b", ["r"]), ("a", ["r"]), ("r", [])]) == "\n".join(
        ("* m", "|\\", "| * b", "* | a", "|/", "* r")
    )


def test_a_merge_of_three() -> None:
    dag: Dag = [("o", ["a", "b", "c"]), ("c", ["r"]), ("b", ["r"]), ("a", ["r"]), ("r", [])]
    assert drawn(dag) == "\n".join(
        ("* o", "|\\", "|\\ \\", "| * | c", "| | * b", "* | | a", "| |/", "|/", "* r")
    )


def test_branches_that_were_not_merged() -> None:
    dag: Dag = [("x", ["p"]), ("y", ["p"]), ("z", ["p"]), ("p", ["r"]), ("r", [])]
    assert drawn(dag) == "\n".join(("* x", "| * y", "| | * z", "| |/", "|/", "* p", "* r"))


def test_columns_further_apart_and_roots() -> None:
    assert drawn([("x", ["a"]), ("y", ["b"]), ("z", ["a"]), ("a", []), ("b", [])]) == "\n".join(
        ("* x", "| * y", "| | * z", "|_|/", "* | a", " /", "* b")
    )


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Commits newest first; each parent is further down."""
    count = draw(st.integers(1, 12))
    names = [chr(ord("a") + i) for i in range(count)]
    dag: Dag = []
    for place, name in enumerate(names):
        below = names[place + 1 :]
        parents = draw(st.lists(st.sampled_from(below), max_size=3, unique=True)) if below else []
        dag.append((name, parents))
    return dag


@given(dags())
def test_each_commit_stands_once_and_lines_never_dangle(dag: Dag) -> None:
    picture = drawn(dag).split("\n")
    stars = [row for row in picture if "*" in row]
    assert [row.rsplit(" ", 1)[1] for row in stars] == [name for name, _ in dag]
    assert all(row.count("*") == 1 for row in stars)
    for above, below in pairwise(picture):
        for column, mark in enumerate(above[:-2] if "*" in above else above):
            if mark == "|" and not (set(above) & set("/\\_") or set(below) & set("/\\_")):
                assert below[column : column + 1] in ("|", "*")
