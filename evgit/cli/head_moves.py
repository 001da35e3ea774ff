"""Going to a branch or a point: the files first, then HEAD, so that a refusal changes nothing."""

from __future__ import annotations

from importlib import import_module

from evgit.cli.clock import now
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import trust_file
from evgit.cli.output import shown_in_line
from evgit.cli.titles import commit_title
from evgit.cli.tree_update import follows_head, write_files
from evgit.errors import EvgitError, LocalChanges, ModelError, NotFound, UnknownRevision
from evgit.formats.times import to_text
from evgit.repository import Head, ModelFiles, Point, Repository

HEADS = "refs/heads/"


def branch_named(repository: Repository, word: str) -> str | None:
    """The short name of the branch that a word names (`@{-1}` too); None if it names none."""
    try:
        name = repository.resolver().ref_name(word)
    except UnknownRevision:
        return None
    if name is None or not name.startswith(HEADS) or word in ("HEAD", "@"):
        return None
    return name.removeprefix(HEADS)


def check_branch_exists(repository: Repository, name: str | None) -> None:
    """Raises NotFound, with what may have been meant, for a branch that is none."""
    if name is None:
        return
    names = [ref.name.removeprefix(HEADS) for ref in repository.refs(HEADS)]
    if name in names:
        return
    near = import_module("difflib").get_close_matches(name, names, n=2)
    meant = "; did you mean " + " or ".join(map(repr, near)) + "?" if near else ""
    raise NotFound(
        f"there is no branch {name!r}{meant}",
        hint="`evgit branch` lists the branches; `evgit branch NAME` makes one",
    )


def go_to_branch(
    invocation: Invocation,
    repository: Repository,
    name: str,
    *,
    command: str,
    force: bool = False,
    always: bool = False,
    make_at: str | None = None,
) -> None:
    """Make a branch the current one, and the files show its state.

    `make_at`: the commit at which to make it first. Both are then one operation, and neither is
    done if files are in the way.
    """
    if make_at is not None:
        repository.branches.check_new(name, make_at)
    left = _left_behind(repository, make_at)
    point = repository.resolve(make_at or HEADS + name)
    repository.branches.check_may_go(f"ref: {HEADS}{name}", command)
    changed = _write(invocation, repository, point, force=force, always=always)
    if make_at is not None:
        repository.branches.create_and_go(name, make_at, command)
    else:
        repository.branches.set_head(f"ref: {HEADS}{name}", command, {"branch": name})
    invocation.done(f"HEAD is on branch {name}")
    invocation.answer(f"{'Made and switched to' if make_at else 'On'} branch {name}{changed}")
    if left is not None:
        invocation.warn(f"commit {short(left)}, where HEAD was, is on no branch")
        invocation.hint(
            f"to keep it: evgit branch NAME {short(left)}; `evgit undo` goes back there"
        )


def _left_behind(repository: Repository, target: str | None) -> str | None:
    """The commit that a detached HEAD is at, if no branch, tag or `target` would have it then."""
    head = repository.head()
    if head.branch is not None:
        return None
    commit = head.point.commit
    kept = [ref.target for ref in repository.refs("refs/")] + ([target] if target else [])
    reaches = repository.ancestry.is_ancestor
    if commit in kept:
        return None
    try:
        commits = {repository.resolve(each).commit for each in kept}
        return None if any(reaches(commit, each) for each in commits) else commit
    except EvgitError:  # behind a boundary, say: nothing to be sure of, and only a hint
        return None


def go_to_point(
    invocation: Invocation,
    repository: Repository,
    point: Point,
    *,
    command: str,
    force: bool = False,
    always: bool = False,
) -> None:
    """Put HEAD on a point without a branch, and make the files show its state."""
    entry = repository.commit(point.commit)
    whole = point.size == entry.commit.log.size
    target = point.commit if whole else f"{point.commit}#{point.size}"
    repository.branches.check_may_go(target, command)
    changed = _write(invocation, repository, point, force=force, always=always)
    repository.branches.set_head(target, command, {"target": target})
    invocation.done(f"HEAD is at {target}")
    invocation.answer(f"HEAD is at {place(repository, point)}{changed}")
    if whole:
        invocation.hint("to append from here, make a branch: evgit switch -c NAME")
    else:
        invocation.hint("this is a point inside a commit, to look at; nothing can be appended here")


def place(repository: Repository, point: Point) -> str:
    """A point in words: `1234abcd (message)`, or position and commit."""
    entry = repository.commit(point.commit)
    if point.size == entry.commit.log.size:
        return f"{short(point.commit)} {commit_title(repository, entry)}"
    inside = point.size - entry.size_before
    return f"{short(point.commit)}#{point.size - 1}, {plural(inside, 'event')} into that commit"


def where(repository: Repository, head: Head) -> str:
    """HEAD in words."""
    if head.branch is not None:
        return f"On branch {head.branch}"
    return f"HEAD is at {place(repository, head.point)} (no branch)"


def _write(
    invocation: Invocation, repository: Repository, point: Point, *, force: bool, always: bool
) -> str:
    """Write the files where there are any; what that changed, in words."""
    if repository.layout.worktree is None or not (always or follows_head(repository)):
        return ""
    before = repository.head().point
    result = write_files(invocation, repository, point, before=before, force=force)
    changes = []
    if result.written:
        changes.append(f"{plural(result.written, 'file')} written")
    if result.removed:
        changes.append(f"{plural(result.removed, 'file')} removed")
    return f" ({', '.join(changes)})" if changes else ""


def refuse_edited(repository: Repository) -> None:
    """Raise LocalChanges where files that follow HEAD were edited by hand.

    Where the model fails nobody knows, and what comes may mend it: edited files are kept anyway.
    """
    if not follows_head(repository) or repository.working_tree.shown is None:
        return
    try:
        state = repository.state(repository.head().point)
        status = repository.working_tree.status(state)
    except ModelError:
        return
    edited = sorted([*status.modified, *status.deleted, *status.in_the_way])
    if edited:
        names = ", ".join(map(shown_in_line, edited[:3])) + (", …" if len(edited) > 3 else "")
        raise LocalChanges(
            f"{plural(len(edited), 'file')} edited by hand: {names}",
            paths=edited,
            hint="`evgit restore FILE` writes one anew; --no-checkout leaves all files alone",
        )


def update_model(invocation: Invocation, repository: Repository, before: Point) -> None:
    """Bring the model's files along where a move changed the recorded model, and the files were
    those recorded before."""
    if repository.layout.worktree is None:
        return
    models, directory = repository.models, repository.layout.directory
    old, new = models.at(before), models.at(repository.head().point)
    there = models.in_worktree()
    if new is None or (old is not None and old.id == new.id):
        return
    if there is not None and (old is None or there.id != old.id):
        if there.id != new.id:
            invocation.hint("the recorded model has changed: evgit model checkout")
        _is_trusted(repository, new)
        return
    changed = repository.checkout_model(new)
    invocation.note(f"{plural(len(changed), 'file')} of the model updated")
    if _is_trusted(repository, new):
        return
    trust = trust_file()
    if trust.owns(directory, repository.id):
        trust.disown(directory)
    invocation.hint("the model has changed and is not trusted; read it, then `evgit trust`")


def _is_trusted(repository: Repository, new: ModelFiles) -> bool:
    """Is a model trusted, itself or as made of those at the parents of HEAD, that all are? From
    then on it is itself."""
    trust, directory = trust_file(), repository.layout.directory
    if trust.trusts(directory, new.id):
        return True
    head = repository.head().point.commit
    parents = repository.commit(head).commit.parents
    sides = [repository.models.at(repository.resolve(parent)) for parent in parents]
    if len(sides) < 2 or not all(s is not None and trust.trusts(directory, s.id) for s in sides):
        return False
    trust.add(directory, new.id, to_text(now()))
    return True
