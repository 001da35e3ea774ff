"""Running the command line in tests: in this process, as a person would type it.

A `Session` is a person at a shell, of which it knows just enough for the transcripts: `cd`, `cat`,
`echo`, `ls`, `mkdir`, `rm`, pipes, `<<` documents, `>` and `>>`. It must not know what evgit does.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evgit.cli.main import main
from evgit.history import stamps

FIRST_MINUTE = datetime(2026, 11, 23, 12, 0)


@dataclass
class Result:
    """What a command left behind. `text`: both outputs, in the order in which they were written."""

    code: int
    out: str
    err: str
    text: str


class _Both(io.BytesIO):
    """One output stream, which also writes to what both have in common."""

    def __init__(self, common: io.BytesIO) -> None:
        super().__init__()
        self._common = common

    def write(self, data: object) -> int:
        self._common.write(data)  # type: ignore[arg-type]
        return super().write(data)  # type: ignore[arg-type]


@contextmanager
def _streams(stdin: bytes, directory: Path) -> Iterator[tuple[_Both, _Both, io.BytesIO]]:
    before = sys.stdin, sys.stdout, sys.stderr
    here = Path.cwd()
    common = io.BytesIO()
    out, err = _Both(common), _Both(common)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    os.chdir(directory)
    try:
        yield out, err, common
    finally:
        sys.stdout.flush()
        sys.stdout.detach()
        sys.stderr.detach()
        sys.stdin, sys.stdout, sys.stderr = before
        os.chdir(here)


class Session:
    """A person at a shell, in `directory`. The clock goes on by a minute with each command."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._minutes = 0

    def evgit(self, *words: str, stdin: bytes | str = b"") -> Result:
        """Run evgit with these words."""
        os.environ["EVGIT_NOW"] = self.now()
        data = stdin.encode() if isinstance(stdin, str) else stdin
        with _streams(data, self.directory) as (out, err, common):
            code = main(words)
            sys.stdout.flush()
        parts = (out.getvalue(), err.getvalue(), common.getvalue())
        return Result(code, *(part.decode() for part in parts))

    def now(self) -> str:
        """The next command's time."""
        moment = FIRST_MINUTE + timedelta(minutes=self._minutes)
        self._minutes += 1
        return f"{moment.isoformat()}Z"

    def shell(self, line: str) -> Result:
        """Run a line of shell, of the few kinds that the transcripts use."""
        line, _, document = line.partition("\n")
        stdin = ""
        if "<<" in line:
            line, _, mark = line.partition("<<")
            stdin = document.rsplit(mark.strip().strip("'\""), 1)[0]
        result = Result(0, "", "", "")
        for command in _split(line, "|"):
            target = ""
            words = _split(command, ">")
            if len(words) > 1:
                command, target = words[0], words[-1].strip()
            result = self._command(shlex.split(command), stdin)
            if target:
                mode = "a" if len(words) == 3 else "w"
                with (self.directory / target).open(mode, encoding="utf-8") as file:
                    file.write(result.out)
                result = Result(result.code, "", result.err, result.err)
            stdin = result.out
        return result

    def _command(self, words: list[str], stdin: str) -> Result:
        name, rest = words[0], words[1:]
        if name == "evgit":
            return self.evgit(*rest, stdin=stdin)
        text = ""
        if name == "cd":
            self.directory = (self.directory / rest[0]).resolve()
        elif name == "cat":
            text = "".join((self.directory / file).read_text() for file in rest) or stdin
        elif name == "echo":
            text = " ".join(rest) + "\n"
        elif name == "ls":
            place = self.directory / (rest[0] if rest else ".")
            names = sorted(p.name for p in place.iterdir() if not p.name.startswith("."))
            text = "".join(f"{each}\n" for each in names)
        elif name == "mkdir":
            for each in rest:
                (self.directory / each).mkdir()
        elif name == "rm":
            for file in rest:
                (self.directory / file).unlink()
        else:
            raise ValueError(f"a transcript's shell has no command {name!r}")
        return Result(0, text, "", text)


def _split(line: str, mark: str) -> list[str]:
    """`line` at each `mark` outside quotes."""
    parts, quote = [""], ""
    for letter in line:
        if letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        if letter == mark and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Ada at a shell in an empty directory, at noon."""
    home = tmp_path / "ada"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("EVGIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.setenv("EVGIT_NOW", "")
    monkeypatch.setenv("EVGIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("EVGIT_AUTHOR_EMAIL", "ada@example.org")
    # A process's stamps only go up, and other tests may have been here at a later time.
    monkeypatch.setattr(stamps, "_process", stamps._Process())
    return Session(home)
