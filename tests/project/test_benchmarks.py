"""The benchmarks run: a smoke test, which says nothing about speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import Result
from benchmarks.events import Dataset, generate
from benchmarks.report import figures

DATASET = Dataset("100,000 events", Path("events.jsonl"), 100_000)
CHECKOUT = Path(__file__).resolve().parents[2]


def test_a_quick_run_answers_every_question(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--output", str(tmp_path / "out")]
    command += ["--contenders", "evgit,sqlite,git,file"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "out.json").read_text())
    asked = {result["scenario"] for result in answers["results"]}
    assert asked == {
        "append", "commit", "replay", "stream-10", "past", "diff", "size", "fsck", "memory",
        "depth", "start",
    }  # fmt: skip
    assert all(
        value > 0
        for result in answers["results"]
        for values in result["samples"].values()
        for value in values
    )
    assert "| evgit |" in (tmp_path / "out.md").read_text()


def test_generated_events_are_the_same_everywhere() -> None:
    lines = list(generate(1000))
    assert lines[0] == (
        b'{"stream":"account-0002479","type":"fee_charged","time":"2026-03-01T00:00:00.621078Z",'
        b'"data":{"amount":4935,"currency":"USD","note":"till 10","balance":63777},'
        b'"meta":{"actor":"till-10","correlation":"c-000000000"}}\n'
    )
    assert 205 < sum(map(len, lines)) / len(lines) < 220
    assert lines == list(generate(1000))


def test_the_ratio_is_taken_round_by_round() -> None:
    result = Result("append", "Append", DATASET, "events/s", True)
    result.samples = {"evgit": [200.0, 20.0, 300.0], "sqlite": [100.0, 10.0, 100.0]}
    assert result.advantage("sqlite") == 2.0
    assert result.advantage("evgit") is None
    [figure] = figures([result])
    assert figure.reached
    assert figure.measured == "2.00x"


def test_less_is_better_where_time_is_measured() -> None:
    result = Result("commit", "Commit", DATASET, "us", False)
    result.samples = {"file": [100.0, 100.0], "evgit": [250.0, 250.0]}
    assert result.advantage("file") == 0.4
    [figure] = figures([result])
    assert not figure.reached
    assert figure.measured == "2.50x"


def test_the_benchmark_of_models_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.models", "--quick"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "out.json").read_text())
    assert {"evgit", "sqlite", "past", "blame", "bisect", "refresh"} <= answers["samples"].keys()
    assert len(answers["figures"]) >= 6
    assert "| figure | bound | measured | |" in (tmp_path / "out.md").read_text()


def test_the_benchmark_of_merging_runs(tmp_path: Path) -> None:
    name = tmp_path / "figures"
    command = [sys.executable, "-m", "benchmarks.merging", "--quick", "--output", str(name)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    figures = json.loads(name.with_suffix(".json").read_text())
    assert figures["Large disjoint sides"]["merge / full replay"] > 0


def test_the_benchmark_of_moving_history_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.sync", "--quick", "--output", str(tmp_path / "s")]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    assert "git push" in (tmp_path / "s.md").read_text(encoding="utf-8")


def test_the_benchmark_of_packs_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.packs", "--quick", "--output", str(tmp_path / "p")]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    text = (tmp_path / "p.md").read_text(encoding="utf-8")
    assert text.count("at most") == 3
    assert text.count("at least") == 3
