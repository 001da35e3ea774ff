"""docs/tutorial.md is run from top to bottom, and must print what it says but for ids.

Its `console` blocks are one session, as in the transcripts; a line `...` stands for any lines.
Blocks of Python and TOML are the files of the examples that evgit brings, and are written where the
person who follows the page writes them.
"""

from __future__ import annotations

import re
from pathlib import Path

from evgit.bridges.demo_examples import BANK, PAYMENTS, example_files

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b")


def steps_of(block: str) -> list[tuple[str, list[str]]]:
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.startswith("> ") and not steps[-1][1]:
            steps[-1] = (f"{steps[-1][0]}\n{line[2:]}", [])
        else:
            steps[-1][1].append(line)
    return steps


def masked(text: str, home: Path) -> str:
    return ID.sub("ID", text.replace(str(home), "/home/ada"))


def pattern_of(lines: list[str], home: Path) -> str:
    return "".join(
        r"(?:.*\n)*" if line == "..." else re.escape(masked(line, home)) + "\n" for line in lines
    )


def written_by(block: str) -> str | None:
    """The path of the bank's file that a block shows; None where it shows a part of some file."""
    for path, data in example_files(BANK).items():
        if data.decode() == block:
            return path.removeprefix("later/")
    files = [data.decode() for data in example_files(PAYMENTS).values()]
    shown = [line for line in block.splitlines() if line]
    assert any(all(line in text for line in shown) for text in files), block
    return None


def test_the_tutorial_prints_what_it_says(session) -> None:  # type: ignore[no-untyped-def]
    home = session.directory
    commands = written = 0
    for language, block in BLOCK.findall(PAGE):
        if language != "console":
            path = written_by(block)
            if path is not None:
                (session.directory / path).parent.mkdir(exist_ok=True)
                (session.directory / path).write_text(block, encoding="utf-8")
                written += 1
            continue
        for command, expected in steps_of(block):
            result = session.shell(command)
            shown = result.text
            if shown and not shown.endswith("\n"):
                shown += "\n"
            if result.code:
                shown += f"[{result.code}]\n"
            assert re.fullmatch(pattern_of(expected, home), masked(shown, home)), (
                f"$ {command}\n--- said\n" + "\n".join(expected) + f"\n--- printed\n{shown}"
            )
            commands += 1
    assert commands > 40
    assert written == 5
