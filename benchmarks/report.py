"""The answers as tables: Markdown for people, JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.bench import Result
from benchmarks.contenders import REGISTRY


@dataclass(frozen=True)
class Figure:
    """One figure that evgit is to reach, and what this run measured for it."""

    what: str
    bound: str
    measured: str
    reached: bool


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "machine": machine(),
        "results": [
            asdict(result)
            | {
                "dataset": result.dataset.name,
                "events": result.dataset.events,
                "medians": {name: result.value(name) for name in result.samples},
                "advantage": {name: result.advantage(name) for name in result.samples},
            }
            for result in results
        ],
        "figures": [asdict(figure) for figure in figures(results)],
    }


def as_markdown(results: Sequence[Result]) -> str:
    lines = [f"Measured on {machine()}.", ""]
    reached = figures(results)
    if reached:
        lines += ["| figure | bound | measured | |", "|---|---|---|---|"]
        lines += [
            f"| {figure.what} | {figure.bound} | {figure.measured} | "
            f"{'reached' if figure.reached else '**missed**'} |"
            for figure in reached
        ]
        lines.append("")
    for result in results:
        lines += [f"### {result.title}, {result.dataset.name}", "", *_table(result), ""]
    return "\n".join(lines)


def machine() -> str:
    """What the figures were measured on, as far as it matters to ratios."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )


def _table(result: Result) -> Iterator[str]:
    compared = result.reference in result.samples
    reference = _label(result.reference)
    yield f"| | {result.unit} | lowest to highest |" + (f" {reference} is |" if compared else "")
    yield "|---|---|---|" + ("---|" if compared else "")
    for name, samples in result.samples.items():
        note = result.notes.get(name, "")
        row = (
            f"| {_label(name)}{f' ({note})' if note else ''} | {_number(result.value(name))} "
            f"| {_number(min(samples))} to {_number(max(samples))} |"
        )
        if compared:
            advantage = result.advantage(name)
            row += f" {_times(advantage)} |" if advantage is not None else " |"
        yield row


def _label(name: str) -> str:
    return REGISTRY[name].label if name in REGISTRY else name


def _number(value: float) -> str:
    if value >= 10_000:
        return f"{round(value, -2):,.0f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(advantage: float) -> str:
    return f"{advantage:.2f}x as good" if advantage < 10 else f"{advantage:.0f}x as good"


def figures(results: Sequence[Result]) -> list[Figure]:
    """The bounds that this run can judge: most hold from 100,000 events on, some for a million.

    Notes in the results say where a rival was measured on fewer events.
    """
    large = [r for r in results if r.dataset.events >= _JUDGED and not r.dataset.real]
    return [*_against_rivals(large), *_within_evgit(large)]


_JUDGED = 100_000
_MILLION = 1_000_000
_AT_LEAST = (  # scenario, rival, times as good, only from so many events on, only up to
    ("append", "sqlite", 1.5, 0, 999_999),
    ("append", "sqlite", 3.0, _MILLION, None),
    ("append", "git", 4.0, 0, None),
    ("append", "eventsourcing", 5.0, 0, None),
    ("replay", "sqlite", 2.0, 0, None),
    ("replay", "eventsourcing", 8.0, 0, None),
    ("fsck", "git", 2.5, 0, None),
)
_AT_MOST = (("size", "sqlite", 0.3), ("size", "git", 0.2), ("commit", "file", 2.0))


def _against_rivals(results: Sequence[Result]) -> Iterator[Figure]:
    for result in results:
        events = result.dataset.events
        for scenario, rival, bound, low, high in _AT_LEAST:
            advantage = result.advantage(rival)
            judged = low <= events and (high is None or events <= high)
            if judged and result.scenario == scenario and advantage is not None:
                yield Figure(
                    f"{result.title}, {result.dataset.name}: {_label(rival)}",
                    f"at least {bound:g}x",
                    f"{advantage:.2f}x",
                    advantage >= bound,
                )
        for scenario, rival, bound in _AT_MOST:
            advantage = result.advantage(rival)
            if result.scenario == scenario and advantage is not None:
                yield Figure(
                    f"{result.title}, {result.dataset.name}: {_label(rival)}",
                    f"at most {bound:g}x",
                    f"{1 / advantage:.2f}x",
                    1 / advantage <= bound,
                )


def _within_evgit(results: Sequence[Result]) -> Iterator[Figure]:
    diffs: dict[int, float] = {}
    for result in results:
        if not result.samples:
            continue
        where = f"{result.title}, {result.dataset.name}"
        million = result.dataset.events >= _MILLION
        if result.scenario == "past" and "evgit, cold" in result.samples:
            part = result.value("evgit, full replay") / result.value("evgit, snapshots warm")
            if million:
                yield Figure(where, "under 1/40 of a full replay", f"1/{part:.0f}", part > 40)
        elif result.scenario == "diff" and "evgit" in result.samples:
            part = result.value("evgit, full replay") / result.value("evgit")
            if million:
                yield Figure(where, "under 1/100 of a full replay", f"1/{part:.0f}", part > 100)
            diffs[result.dataset.events] = result.value("evgit")
        elif result.scenario == "depth" and million:
            short, long = (result.value(name) for name in result.samples)
            yield Figure(where, "at most 1.5x", f"{long / short:.2f}x", long / short <= 1.5)
        elif result.scenario == "memory":
            for name, (peak,) in result.samples.items():
                yield Figure(f"{where}: {name}", "under 300 MiB", f"{peak:.0f} MiB", peak < 300)
        elif result.scenario == "start":
            over = median(
                log - nothing
                for log, nothing in zip(
                    result.samples["evgit log -n 1"], result.samples["python -c pass"], strict=True
                )
            )
            yield Figure(f"{where}: evgit log", "within 80 ms", f"{over:.0f} ms", over <= 80)
    if {_JUDGED, _MILLION} <= diffs.keys():
        growth = diffs[_MILLION] / diffs[_JUDGED]
        yield Figure(
            "The same at 1,000,000 and 100,000", "at most 3x", f"{growth:.2f}x", growth <= 3
        )
