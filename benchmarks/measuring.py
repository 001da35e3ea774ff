"""The command line and the table that several benchmarks share; not what they measure."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

Row = tuple[str, str, str]
"""A figure's name, the bound that it is to reach, and what was measured."""


def run(
    description: str | None,
    measure: Callable[[int, int, Path], Iterable[Row]],
    *,
    rounds: int,
    few_events: int,
) -> int:
    """Read the command line, measure, and print the table; the exit code.

    `measure` is given the number of events, that of rounds and an empty directory. `rounds`: unless
    told otherwise. `few_events`: with --quick.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="few events, one round")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    events, rounds = (few_events, 1) if options.quick else (options.events, options.rounds)
    with tempfile.TemporaryDirectory() as directory:
        rows = list(measure(events, rounds, Path(directory)))
    text = "| figure | bound | measured |\n|---|---|---|\n"
    text += "".join(f"| {' | '.join(row)} |\n" for row in rows)
    print(text)
    if options.output:
        options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    return 0
