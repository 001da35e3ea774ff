"""python -m benchmarks: evgit beside its rivals on the same events.

    python -m benchmarks --quick                               half a minute: does it work?
    python -m benchmarks --events 100000 --events 1000000      everything; takes an hour
    python -m benchmarks --events 100000 --only append,replay
    python -m benchmarks --file history.jsonl.zst              on real events

Rivals that are not installed are left out and named (`pip install '.[bench]'`). Writes a table as
Markdown to standard output, and with --output NAME to NAME.md and NAME.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import Bench, Result
from benchmarks.contenders import REGISTRY
from benchmarks.events import Dataset, generated, unpacked
from benchmarks.report import as_json, as_markdown
from benchmarks.scenarios import NAMES, scenario

_SMALLER = 100_000
_QUICK = 2_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, action="append", default=[], metavar="N")
    parser.add_argument("--file", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--only", default=",".join(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--contenders", default=",".join(REGISTRY), help="some of the default")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured [3]")
    parser.add_argument("--commits", type=int, default=1_000_000, help="for `depth` [1000000]")
    parser.add_argument("--quick", action="store_true", help="few events, one round")
    parser.add_argument("--directory", type=Path, help="where stores go [a temporary directory]")
    parser.add_argument("--output", type=Path, help="write NAME.md and NAME.json")
    return parser


def main() -> int:
    options = _parser().parse_args()
    names = options.only.split(",")
    asked = options.contenders.split(",")
    for kind, given, known in (("scenario", names, NAMES), ("contender", asked, REGISTRY)):
        for name in given:
            if name not in known:
                print(f"there is no {kind} {name!r}; there are {', '.join(known)}", file=sys.stderr)
                return 2
    taking_part = [name for name in asked if REGISTRY[name].installed()]
    for name in asked:
        if name not in taking_part:
            print(f"left out, because it is not installed: {name}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="evgit-benchmarks-") as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        results: list[Result] = []
        for dataset in _datasets(options, directory):
            bench = Bench(
                directory=directory,
                dataset=dataset,
                smaller=(dataset if dataset.events <= _SMALLER else generated(directory, _SMALLER)),
                contenders=taking_part,
                rounds=1 if options.quick else options.rounds,
                quick=options.quick,
                commits=options.commits,
            )
            for name in names:
                if name == "depth" and any(result.scenario == "depth" for result in results):
                    continue  # it has events of its own
                bench.tell(f"{dataset.name}: {name}\n")
                results += scenario(name)(bench)
    text = as_markdown(results)
    print(text)
    if options.output:
        options.output.with_suffix(".md").write_text(text)
        options.output.with_suffix(".json").write_text(json.dumps(as_json(results), indent=1))
    return 0


def _datasets(options: argparse.Namespace, directory: Path) -> list[Dataset]:
    if options.quick:
        return [generated(directory, _QUICK, streams=50)]
    datasets = [generated(directory, count) for count in options.events]
    datasets += [unpacked(directory, file) for file in options.file]
    return datasets or [generated(directory, _SMALLER)]


if __name__ == "__main__":
    sys.exit(main())
