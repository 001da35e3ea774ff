"""README and docs say what is so: the tour is run, links and modules exist, exit codes agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evgit import errors

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


@dataclass
class Step:
    """One command of the tour and what it is said to print."""

    command: str
    output: list[str] = field(default_factory=list)


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def tour() -> list[Step]:
    steps: list[Step] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif line.startswith("> ") and not steps[-1].output:
            steps[-1].command += "\n" + line[2:]
        else:
            steps[-1].output.append(line)
    return steps


def masked(text: str, directory: Path) -> list[str]:
    """Without what differs from run to run: ids, times, where it was run."""
    text = text.replace(str(directory), "/home/ada")
    text = re.sub(r"\b[0-9a-f]{12}([0-9a-f]{52})?\b|\b[0-9a-f]{16}\b", "ID", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return text.splitlines()


@pytest.fixture
def shell(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory to play in, and an environment in which `evgit` is this checkout's."""
    program = tmp_path / "bin" / "evgit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m evgit "$@"\n')
    program.chmod(0o755)
    directory = tmp_path / "ada"
    directory.mkdir()
    return directory, {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(directory),
        "EVGIT_AUTHOR_NAME": "Ada",
        "EVGIT_AUTHOR_EMAIL": "ada@example.org",
    }


def test_the_tour_prints_what_it_says(shell: tuple[Path, dict[str, str]]) -> None:
    directory, environment = shell
    current = directory
    for step in tour():
        if step.command.startswith("cd "):
            current /= step.command[3:]
            continue
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=current,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        expected = "\n".join(step.output)
        assert masked(done.stdout, directory) == masked(expected, directory), step.command
        refused = any(line.startswith("evgit: error") for line in step.output)
        assert bool(done.returncode) == refused, step.command


def test_the_library_example_runs(shell: tuple[Path, dict[str, str]]) -> None:
    directory, environment = shell
    [example] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "account-42 deposit_made {'balance': 500}" in done.stdout
    assert "streams/account-42.json" in done.stdout


def test_the_first_two_blocks_are_the_ones_that_ci_runs() -> None:
    demo, tests = blocks("sh")[:2]
    for block, ending in (
        (demo, ".venv/bin/evgit demo"),
        (tests, ".venv/bin/python -m pytest -n 2"),
    ):
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert block.rstrip().endswith(ending)
        assert block.count("\n") == 1


def test_exit_codes_are_those_of_the_errors() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    raised = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.EvgitError)
    }
    assert raised <= listed
    assert listed - raised == {0, 8, 70, 130, 141}


DOCUMENTS = sorted([CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_modules_that_the_architecture_names_exist() -> None:
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text))
    assert len(named) > 10
    package = CHECKOUT / "evgit"
    for module in named:
        assert list(package.rglob(module)), module
