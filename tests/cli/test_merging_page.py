"""docs/merging.md is run from top to bottom, and must print what it says but for ids."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "merging.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b")


def steps_of(block: str) -> list[tuple[str, list[str]]]:
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line[:1] == ">" and not steps[-1][1]:
            steps[-1] = (f"{steps[-1][0]}\n{line[2:]}", [])
        else:
            steps[-1][1].append(line)
    return steps


def test_the_page_prints_what_it_says(session) -> None:  # type: ignore[no-untyped-def]
    home = str(session.directory)
    commands = 0
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for command, expected in steps_of(block):
            result = session.shell(command)
            shown = result.text.rstrip("\n").split("\n") if result.text else []
            if result.code:
                shown.append(f"[{result.code}]")
            printed = "\n".join(shown).replace(home, "/home/ada")
            assert ID.sub("ID", printed) == ID.sub("ID", "\n".join(expected)), command
            commands += 1
    assert commands > 60
