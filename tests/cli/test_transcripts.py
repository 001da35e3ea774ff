"""The transcripts beside this file are run, and must print what they say.

A transcript is a Markdown page whose `console` blocks are one session of one person: `$ ` begins a
command, `> ` goes on with it, the rest is what it prints, both outputs together. `[..]` stands for
anything within a line (ids are random, since every repository is), a line `...` for any lines, and
a last line `[4]` for the exit code, where that is not 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.md"))


@dataclass
class Step:
    """One command and what it is said to print."""

    line: int
    command: str
    expected: list[str] = field(default_factory=list)


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif inside and line.startswith("> ") and not steps[-1].expected:
            steps[-1].command += "\n" + line[2:]
        elif inside:
            steps[-1].expected.append(line)
    return steps


def pattern_of(lines: list[str]) -> str:
    pattern = ""
    for line in lines:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("[..]")) + "\n"
    return pattern


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 5
    assert all(len(steps_of(path.read_text(encoding="utf-8"))) > 3 for path in TRANSCRIPTS)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: str(path.stem))
def test_transcript(path: Path, session) -> None:  # type: ignore[no-untyped-def]
    for step in steps_of(path.read_text(encoding="utf-8")):
        result = session.shell(step.command)
        shown = result.text
        if shown and not shown.endswith("\n"):
            shown += "\n"
        if result.code:
            shown += f"[{result.code}]\n"
        expected = "\n".join(step.expected)
        assert re.fullmatch(pattern_of(step.expected), shown), (
            f"{path.name}:{step.line}: $ {step.command}\n--- said\n{expected}\n--- printed\n{shown}"
        )


def test_the_patterns_tell_right_from_wrong() -> None:
    pattern = pattern_of(["made [..] at [..]", "...", "end"])
    assert re.fullmatch(pattern, "made x at 12\nmore\nend\n")
    assert re.fullmatch(pattern, "made x at 12\nend\n")
    assert not re.fullmatch(pattern, "made x\nend\n")
    assert not re.fullmatch(pattern, "made x at 12\nend\nmore\n")
