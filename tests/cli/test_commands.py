"""Every command: its help, its examples, its place in the table, its speed to start."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evgit import __version__
from evgit.cli.command import CommandGroup
from evgit.cli.command_table import COMMANDS, SECTIONS
from evgit.cli.main import evgit
from evgit.errors import EvgitError

WITHOUT_JSON = {
    "cat-file": "prints an object's bytes",
    "checkout": "prints no data",
    "completion": "prints a script",
    "demo": "shows other commands",
    "serve": "speaks to other programs",
    "export": "prints JSON lines anyway",
    "hash-object": "prints ids, one a line",
    "restore": "prints no data",
    "rev-list": "prints ids, one a line",
    "rev-parse": "prints ids, one a line",
    "switch": "prints no data",
    "bisect": "its commands have it",
    "bundle": "its commands have it",
    "model": "its commands have it",
    "op": "its commands have it",
    "schema": "its commands have it",
}
EXAMPLE = re.compile(r"^ {4}(?:.*[|] )?evgit (.*?)(?: {2,}.*|<<.*| [>|] .*|\)\".*)?$", re.MULTILINE)


def module_of(name: str) -> object:
    return importlib.import_module(f"evgit.cli.commands.{COMMANDS[name].module}")


def command_of(name: str) -> click.Command:
    command = evgit.get_command(click.Context(evgit), name)
    assert command is not None
    return command


def examples() -> list[tuple[str, str]]:
    return [
        (name, match[1])
        for name in COMMANDS
        for match in EXAMPLE.finditer(module_of(name).__doc__ or "")
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_the_docstring(name: str, session) -> None:  # type: ignore[no-untyped-def]
    docstring = (module_of(name).__doc__ or "").strip()
    assert docstring.split("\n")[0] == COMMANDS[name].summary
    shown = session.evgit(name, "--help")
    assert shown.code == 0
    for line in docstring.splitlines():
        assert line.strip() in shown.out
    for parameter in command_of(name).params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_prints_data_prints_json(name: str) -> None:
    has = any("--json" in parameter.opts for parameter in command_of(name).params)
    assert has is (name not in WITHOUT_JSON)


PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def table_below(heading: str) -> set[str]:
    """What the first column of the table in a section names, in backticks."""
    section = PAGE.read_text(encoding="utf-8").split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def with_inner() -> dict[str, click.Command]:
    """Every command, those within others by both words."""
    found = {}
    for name in COMMANDS:
        command = command_of(name)
        if isinstance(command, CommandGroup):
            context = click.Context(command)
            for inner in command.list_commands(context):
                each = command.get_command(context, inner)
                assert each is not None
                found[f"{name} {inner}"] = each
        else:
            found[name] = command
    return found


def test_the_page_names_every_command_in_its_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for section, entries in SECTIONS.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"| {section} |")]
        assert re.findall(r"`([^`]+)`", line) == list(entries)


def test_the_page_says_what_force_overrides() -> None:
    forced = {
        name
        for name, command in with_inner().items()
        if any("--force" in parameter.opts for parameter in command.params)
    }
    assert table_below("## What `--force` overrides") == forced


def test_the_page_says_which_exit_codes_are_answers() -> None:
    """Those that a command ends with by itself, and not by raising an error."""
    ending = {
        name
        for name, entry in COMMANDS.items()
        if "context.exit(" in Path(str(module_of(name).__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    }
    assert table_below("### Answers in the exit code") == ending - {"demo", "import"}


def test_the_page_has_every_exit_code() -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Exit codes", 1)[1].split("\n##", 1)[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)}
    raised = {kind.exit_code for kind in _subclasses(EvgitError)}
    assert told == raised | {0, 8, 70, 130, 141}


def _subclasses(kind: type[EvgitError]) -> set[type[EvgitError]]:
    return {kind}.union(*(_subclasses(each) for each in kind.__subclasses__()))


def test_examples_are_many() -> None:
    assert len(examples()) > 80


@pytest.mark.parametrize(("name", "line"), examples())
def test_examples_in_help_are_right(name: str, line: str) -> None:
    """They are parsed, not run: no option in them is unknown, and no word too many."""
    words = shlex.split(line)
    if words[0] != name:  # help of one command may speak of another
        assert words[0] in COMMANDS or words[0].startswith("-") or words[0] == "COMMAND"
        name = words[0]
    command = command_of(name)
    rest = words[1:]
    if isinstance(command, CommandGroup):
        inner = command.get_command(click.Context(command), rest[0])
        assert inner is not None
        command, rest = inner, rest[1:]
    rest = ["." if "/" in word and name == "demo" else word for word in rest]
    command.make_context(name, rest)


def test_help_lists_every_command(session) -> None:  # type: ignore[no-untyped-def]
    for words in ([], ["--help"]):
        shown = session.evgit(*words)
        assert shown.code == 0
        for name, entry in COMMANDS.items():
            assert re.search(rf"^  {re.escape(name)} +{re.escape(entry.summary)}$", shown.out, re.M)


LOADED = """
import os, sys
os._exit = lambda code: sys.stderr.write("loaded: " + " ".join(sys.modules))
sys.argv = ["evgit", *sys.argv[1:]]
from evgit.__main__ import run
run()
"""


def loaded_by(*words: str, where: Path | None = None) -> set[str]:
    """The modules that a run of evgit imports, beside those that Python always does."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=where,
    )
    return set(done.stderr.rpartition("loaded: ")[2].split()) - {"evgit.__main__"}


def test_version_loads_nothing() -> None:
    loaded = loaded_by("--version")
    assert {name for name in loaded if name.startswith("evgit")} == {"evgit", "evgit.errors"}
    assert not {"click", "re", "typing", "pathlib"} & loaded


def test_help_loads_no_library() -> None:
    loaded = loaded_by("--help")
    assert "evgit.cli.main" in loaded
    assert not {"msgspec", "apsw", "zstandard", "blake3", "evgit.repository"} & loaded


ENDING = """
import sys
from evgit.__main__ import run
sys.argv = ["evgit", "--version"]
{first}
print("then", run())
"""


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("", ""),
        ("sys.setprofile(lambda *about: None)", "then 0\n"),
        ("import multiprocessing", "then 0\n"),
        ("from threading import Timer; Timer(0.2, print, ['late']).start()", "then 0\nlate\n"),
    ],
)
def test_the_process_ends_at_once_unless_somebody_waits_for_its_end(first: str, rest: str) -> None:
    program = [sys.executable, "-c", ENDING.format(first=first)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == f"evgit {__version__}\n{rest}"


LOADED_BY_LOG = """
evgit evgit.errors
evgit.formats evgit.formats.again evgit.formats.block evgit.formats.canonical evgit.formats.commit
evgit.formats.event evgit.formats.event_batch evgit.formats.event_facts evgit.formats.event_rules
evgit.formats.event_objects evgit.formats.fast_json
evgit.formats.hashing evgit.formats.json_value evgit.formats.merkle evgit.formats.names
evgit.formats.native evgit.formats.native._native evgit.formats.times
evgit.storage evgit.storage.acknowledged evgit.storage.ahead evgit.storage.block_reading
evgit.storage.blocks
evgit.storage.database evgit.storage.database_errors evgit.storage.files
evgit.storage.frame_cache evgit.storage.layout
evgit.storage.operations evgit.storage.schema
evgit.storage.refs
evgit.history evgit.history.boundaries evgit.history.commit_row evgit.history.commit_table
evgit.history.graph evgit.history.heads evgit.history.history evgit.history.history_source
evgit.history.line_ranges evgit.history.log evgit.history.points
evgit.history.reading evgit.history.ref_names evgit.history.resolve evgit.history.revision_source
evgit.history.revision_syntax evgit.history.stamps evgit.history.suggestions
evgit.history.time_expression
evgit.repository evgit.repository.facade evgit.repository.model_use
evgit.cli evgit.cli.clock evgit.cli.command evgit.cli.command_table evgit.cli.commands
evgit.cli.commands.log evgit.cli.commit_text evgit.cli.decorations evgit.cli.documents
evgit.cli.event_text evgit.cli.history_end evgit.cli.invocation evgit.cli.main
evgit.cli.model_options evgit.cli.opening
evgit.cli.output evgit.cli.parameters evgit.cli.patience evgit.cli.selection
evgit.cli.standard_streams evgit.cli.titles
"""
SLOW_TO_LOAD = """
_hashlib asyncio click.shell_completion dataclasses difflib fcntl hashlib importlib.metadata json
logging multiprocessing pygit2 shutil socket subprocess tempfile tomlkit tomllib
typing_extensions zoneinfo
"""


def test_log_loads_only_what_it_needs(session) -> None:  # type: ignore[no-untyped-def]
    """A module takes up to a millisecond to load. What another command needs is loaded by that."""
    session.evgit("init")
    session.evgit("commit", "-s", "account-42", "-t", "deposit_made", "amount=500")
    loaded = loaded_by("log", "-n", "1", where=session.directory)
    own = {name for name in loaded if name.split(".")[0] == "evgit"}
    assert own - set(LOADED_BY_LOG.split()) == set()
    assert loaded & set(SLOW_TO_LOAD.split()) == set()


NOT_FOR_SENDING = """
evgit.maintenance evgit.merging evgit.state evgit.worktree evgit.server
evgit.sync.boundary_receiving evgit.sync.boundary_sending evgit.sync.bundles evgit.sync.deepening
evgit.sync.packed evgit.sync.published evgit.formats.pack evgit.storage.packs
evgit.storage.workers evgit.cli.tree_update
"""
SLOW_TO_SEND_WITH = """
asyncio dataclasses httpx importlib.metadata logging multiprocessing shutil socket ssl subprocess
tempfile typing_extensions zoneinfo
"""


@pytest.mark.parametrize("words", ["push {there}", "ls-remote {there}", "clone --bare {there} new"])
def test_going_to_a_repository_beside_this_one_loads_only_what_that_needs(  # type: ignore[no-untyped-def]
    session, words: str
) -> None:
    """What shallow clones, models, files and large transfers need is loaded where there are any."""
    session.evgit("init")
    session.evgit("clone", "--bare", ".", "there")
    session.evgit("commit", "-s", "account-42", "-t", "deposit_made", "amount=500")
    there = session.directory / "there"
    loaded = loaded_by(*words.format(there=there).split(), where=session.directory)
    own = set(NOT_FOR_SENDING.split())
    assert {name for name in loaded if any(f"{name}.".startswith(f"{no}.") for no in own)} == set()
    others = {"dataclasses"} if "tomlkit" in loaded else set()  # which writes a clone's settings
    assert loaded & set(SLOW_TO_SEND_WITH.split()) - others == set()
