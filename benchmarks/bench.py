"""One run of benchmarks: where the stores are, who takes part, and how measurements are paired.

A ratio is always between measurements of one run. Contenders take turns round by round, so that
what the machine does meanwhile falls on all of them; the ratio of each round is taken first, and
the median of those is reported.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import REGISTRY
from benchmarks.events import Dataset
from benchmarks.processes import Ended, call

EVGIT = "evgit"
BATCH = 1000


@dataclass
class Result:
    """One question's answers: samples by contender, all in `unit`.

    `reference` names the contender (or variant) that the others are compared to; samples with the
    same index were taken one after the other. `notes` says what a reader must know to judge one
    contender's figure.
    """

    scenario: str
    title: str
    dataset: Dataset
    unit: str
    higher_is_better: bool
    samples: dict[str, list[float]] = field(default_factory=dict)
    reference: str = EVGIT
    notes: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> float:
        return median(self.samples[name])

    def advantage(self, name: str) -> float | None:
        """How many times better the reference is than `name`; below 1 it is worse."""
        mine, theirs = self.samples.get(self.reference), self.samples.get(name)
        if not mine or not theirs or name == self.reference:
            return None
        if len(mine) == len(theirs):
            ratio = median(a / b for a, b in zip(mine, theirs, strict=True))
        else:
            ratio = median(mine) / median(theirs)
        return ratio if self.higher_is_better else 1 / ratio


@dataclass
class Bench:
    """What a scenario needs: a dataset, the contenders that take part, and a place for stores."""

    directory: Path
    dataset: Dataset
    smaller: Dataset
    contenders: Sequence[str]
    rounds: int
    quick: bool
    commits: int
    _built: dict[str, Path] = field(default_factory=dict)

    def among(self, *names: str) -> list[str]:
        """Those of `names` that take part in this run, in that order."""
        return [name for name in names if name in self.contenders]

    def dataset_for(self, name: str) -> Dataset:
        most = REGISTRY[name].most_events
        return self.dataset if most is None or self.dataset.events <= most else self.smaller

    def note_for(self, name: str) -> str:
        dataset = self.dataset_for(name)
        return "" if dataset is self.dataset else f"on {dataset.name}"

    def fresh(self, label: str) -> Path:
        """A directory name that nothing has used yet."""
        path = self.directory / "stores" / label
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def append(self, name: str) -> tuple[dict[str, Any], Ended]:
        """Appends a contender's dataset to a new store, which replaces the one it had."""
        dataset = self.dataset_for(name)
        directory = self.fresh(f"{name}-{dataset.events}")
        answer, ended = call(name, "append", directory, path=str(dataset.path), batch=BATCH)
        assert answer["events"] == dataset.events, (name, answer)
        self._built[name] = directory
        return answer, ended

    def store(self, name: str) -> Path:
        """The contender's store with its whole dataset in it."""
        if name not in self._built:
            self.append(name)
        return self._built[name]

    def call(self, name: str, action: str, **arguments: Any) -> Any:
        return call(name, action, self.store(name), **arguments)[0]

    def in_turns(
        self, names: Sequence[str], measure: Callable[[str], float], rounds: int | None = None
    ) -> dict[str, list[float]]:
        """Measures each contender once a round; who starts changes from round to round."""
        samples: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds or self.rounds):
            first = number % len(names) if names else 0
            for name in [*names[first:], *names[:first]]:
                self.tell(f"round {number + 1}: {name}")
                samples[name].append(measure(name))
        return samples

    def tell(self, message: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{message}")
            sys.stderr.flush()
