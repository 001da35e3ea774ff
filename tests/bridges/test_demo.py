"""Every step of the demonstration succeeds, whatever Git history it is given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evgit.bridges.demo import demo_steps, find_demo_history
from evgit.cli.main import main
from evgit.errors import NotFound


class Project:
    """A Git repository made by the git program; `commit` writes files and commits them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "--initial-branch", "trunk", str(path), at=path.parent)

    def git(self, *words: str, at: Path | None = None, date: str = "2024-02-29T12:00:00Z") -> None:
        environment = {
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "HOME": str(self.path.parent),
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "a@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        subprocess.run(["git", *words], check=True, cwd=at or self.path, env=environment)

    def commit(self, date: str = "2024-02-29T12:00:00Z", **files: str) -> None:
        for name, text in files.items():
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change", date=date)


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "project")


def run(history: Path, directory: Path, capfd) -> dict[str, str]:
    """Runs all steps through the command line; what each printed, by its command."""
    directory.mkdir()
    printed: dict[str, str] = {}
    for step in demo_steps(directory, history):
        assert step.about.endswith(".")
        code = main(["--no-pager", "-C", str(directory), *step.words])
        out, err = capfd.readouterr()
        assert code == 0, (step.words, err)
        printed[" ".join(step.words)] = out.replace(" ", "")
    return printed


def test_a_usual_history(project, tmp_path, capfd):
    for n in range(12):
        project.commit(date=f"2024-03-{n + 1:02}T12:00:00Z", busy=f"{n}", quiet=f"{n // 6}")
    printed = run(project.path, tmp_path / "demo", capfd)
    before = "main@{2024-03-06T12:00:00Z}"
    document = "streams/file-busy.json"
    assert '"revision":11' in printed[f"show main:{document}"]
    assert '"revision":5' in printed[f"show {before}:{document}"]
    assert "/types/file_modified" in printed[f"diff {before} main -- {document}"]
    assert [command.split()[0] for command in printed][-4:] == [
        "checkout", "checkout", "status", "fsck",
    ]  # fmt: skip
    assert (tmp_path / "demo" / document).is_file()


@pytest.mark.parametrize("files", [{}, {"README": "Hello"}])
def test_a_single_commit(project, tmp_path, capfd, files):
    project.commit(**files)
    printed = run(project.path, tmp_path / "demo", capfd)
    assert len(printed) >= 8


def test_times_out_of_order_and_in_the_future(project, tmp_path, capfd):
    for n, year in enumerate((2030, 1975, 2040, 1999, 2020)):
        project.commit(date=f"{year}-01-01T00:00:00Z", a=f"{n}")
    run(project.path, tmp_path / "demo", capfd)


def test_a_shallow_clone(project, tmp_path, capfd):
    for n in range(4):
        project.commit(a=f"{n}", b="b")
    project.git(
        "clone", "--quiet", "--depth", "1", project.path.as_uri(), str(tmp_path / "shallow")
    )
    run(tmp_path / "shallow", tmp_path / "demo", capfd)


def test_names_that_need_care(project, tmp_path, capfd):
    project.commit(**{"a b:c{d}@{1}..e~1^2#3": "1", "-n": "1"})
    for n in range(3):
        project.commit(**{"a b:c{d}@{1}..e~1^2#3": f"{n}"})
    run(project.path, tmp_path / "demo", capfd)


def test_where_the_history_comes_from(project, tmp_path):
    with pytest.raises(NotFound, match="no Git repository with commits"):
        find_demo_history([tmp_path, project.path, tmp_path / "absent"])
    project.commit(a="1")
    below = project.path / "below"
    below.mkdir()
    assert find_demo_history([tmp_path, below]) == project.path / ".git"
