"""Which document paths may become files, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from evgit.errors import InvalidPath
from evgit.worktree.naming import Namer, Traits, probe
from evgit.worktree.paths import check_document_path, reason_against

HOSTILE = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    ".evgit/config.toml",
    ".EvGit/x",
    "a/.evgit",
    ".git/hooks/post-checkout",
    "a/.GIT/config",
    ".git./x",
    ".git /x",
    ".evgit. . ./x",
    ".git::$INDEX_ALLOCATION/x",
    ".evgit:stream",
    "git~1/x",
    "EVGIT~2",
    ".g\u200cit/x",
    ".ev\ufeffgit/x",
    "\u200d.git",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\\b",
    "..\\x",
    "con",
    "CON.json",
    "a/nul",
    "aux .txt",
    "COM1",
    "lpt\u00b9.json",
    "x" * 256,
    "y/" * 600 + "z",
    "\ud800",
    ".evgit-0123456789abcdef.tmp",
]
HARMLESS = [
    "streams/account-42.json",
    "streams/a b.json",
    "...",
    "..a/b..",
    ".gitignore",
    ".evgitx/a",
    "git/evgit",
    "console.json",
    "com/x",
    "streams/\u00e9\u4e2d\U0001f600.json",
    "urn:uuid:1.json",
    "x" * 255,
]


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths(path: str) -> None:
    with pytest.raises(InvalidPath, match="not written as a file"):
        check_document_path(path)


@pytest.mark.parametrize("path", HARMLESS)
def test_harmless_paths(path: str) -> None:
    check_document_path(path)


@given(st.text(max_size=12))
def test_no_path_leads_out(path: str) -> None:
    if not reason_against(path):
        parts = path.split("/")
        assert "" not in parts
        assert ".." not in parts
        assert not any(part.casefold() in (".git", ".evgit") for part in parts)
        assert not Path(path).is_absolute()


def namer(paths: list[str], traits: Traits = Traits()) -> Namer:  # noqa: B008
    def any_below(directory: str) -> bool:
        return any(p.startswith(directory) for p in paths)

    return Namer(traits, paths.__contains__, any_below, lambda: sorted(paths))


def digits(path: str) -> str:
    return blake3(path.encode()).hexdigest()[:8]


def test_a_file_that_is_also_a_directory() -> None:
    names = namer(["s/a.json", "s/a.json/b.json", "s/a.json/c/d.json", "s/b.json"])
    assert names.file("s/a.json") == "s/a.json"
    assert names.file("s/a.json/b.json") == f"s/a.json~{digits('s/a.json')}/b.json"
    assert names.file("s/a.json/c/d.json") == f"s/a.json~{digits('s/a.json')}/c/d.json"
    assert names.file("s/b.json") == "s/b.json"


def test_names_that_are_taken_on_purpose() -> None:
    taken = f"a~{digits('a')}"
    for squatter in (taken, f"{taken}/b"):
        names = namer(["a", "a/b", squatter])
        assert names.file(squatter) == squatter
        assert names.file("a/b") == f"a~{blake3(b'a' + bytes(1) + b'1').hexdigest()[:8]}/b"


def test_case_and_normalization() -> None:
    composed, decomposed = "\u00e9.json", "e\u0301.json"
    paths = ["A.json", "a.json", composed, decomposed, "D/x", "d/y", "f", "F/x", "B"]
    plain = namer(paths)
    assert [plain.file(p) for p in paths if p != "f"] == [p for p in paths if p != "f"]
    folding = namer(paths, Traits(ignores_case=True, normalizes=True))
    assert folding.file("A.json") == "A.json"
    assert folding.file("a.json") == f"a~{digits('a.json')}.json"
    assert folding.file(decomposed) == decomposed
    assert folding.file(composed) == f"\u00e9~{digits(composed)}.json"
    assert folding.file("D/x") == "D/x"
    assert folding.file("d/y") == "d/y"
    assert folding.file("F/x") == "F/x"
    assert folding.file("f") == f"f~{digits('f')}"


SHORT = st.lists(st.sampled_from("aAbB"), min_size=1, max_size=4).map("/".join)


@given(st.lists(SHORT, unique=True, max_size=12), st.booleans(), st.booleans())
def test_no_two_documents_have_one_file(paths: list[str], case: bool, squat: bool) -> None:
    if squat and paths:
        paths = sorted({*paths, *(f"{p}~{digits(p)}" for p in paths[:3])})
    traits = Traits(ignores_case=case)
    names = namer(paths, traits)
    files = [names.file(path) for path in paths]
    folded = [traits.fold(file) for file in files]
    assert len(set(folded)) == len(files)
    directories = {
        traits.fold(file[:at]) for file in files for at, c in enumerate(file) if c == "/"
    }
    assert not directories & set(folded)
    assert [namer(paths[::-1], traits).file(path) for path in paths] == files


def test_probing(tmp_path: Path) -> None:
    found = probe(tmp_path)
    (tmp_path / "name").write_bytes(b"")
    assert found.ignores_case == (tmp_path / "NAME").exists()
    assert probe(tmp_path / "nowhere") == Traits()
    assert [p.name for p in tmp_path.iterdir()] == ["name"]
