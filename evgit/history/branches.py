"""Moving refs on purpose: branches, tags, HEAD, undo. Each call is one operation, one transaction.

Appending moves refs too, but does so itself (see `append`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from evgit.errors import AlreadyExists, Conflict, EvgitError, NotAFastForward, NotFound
from evgit.formats.canonical import id_bytes
from evgit.formats.names import check_branch_name
from evgit.formats.tag import Tag, decode_tag
from evgit.history.heads import HEADS, TAGS, Heads
from evgit.history.history import History
from evgit.history.kept import Kept, kept
from evgit.history.past import refs_after
from evgit.history.ref_names import REMOTES
from evgit.storage import database
from evgit.storage.in_progress import InProgress
from evgit.storage.operations import Operation, OperationLog, RefChange
from evgit.storage.refs import SYMBOLIC, Ref, RefStore


class Actor(msgspec.Struct, frozen=True):
    """Who moves refs, with what command, when (instant)."""

    name: str
    writer: str
    now: Callable[[], int]


class Branches(Heads):
    """Reads and moves the refs of one repository."""

    def __init__(
        self, history: History, refs: RefStore, operations: OperationLog, actor: Actor
    ) -> None:
        super().__init__(history, refs)
        self._operations = operations
        self._actor = actor
        self._in_progress = InProgress(history.connection)

    # ------------------------------------------------------------------ branches
    def create(self, name: str, commit: str, *, force: bool = False) -> None:
        """Make a branch at a commit, in time that does not depend on history or streams.

        With `force` one that is there is moved. Where that is not forward along first parents, the
        operation notes as `rewound` how many events its readers still have in common with it.
        Raises UnknownObject, AlreadyExists, and InvalidName.
        """
        with self._transaction():
            change = self._new_branch(name, commit, force=force)
            arguments: dict[str, Any] = {"name": name}
            graph = self._history.graph
            if change.old is not None:
                old, new = graph.get(change.old), graph.get(commit)
                if not graph.on_first_parents(old, new):
                    arguments["rewound"] = graph.fork_size(old, new)
            self._move([change], "branch", arguments)

    def check_new(self, name: str, commit: str) -> None:
        """Raises what `create_and_go` would raise now, and changes nothing."""
        self._new_branch(name, commit, force=False)

    def create_and_go(self, name: str, commit: str, command: str) -> None:
        """Make a branch at a commit and put HEAD on it, as one operation. Raises as `create`."""
        with self._transaction():
            self._in_progress.refuse_any(command)
            change = self._new_branch(name, commit, force=False)
            head = RefChange("HEAD", self._refs.get("HEAD"), SYMBOLIC + HEADS + name)
            self._move([change, head], command, {"branch": name})

    def _new_branch(self, name: str, commit: str, *, force: bool) -> RefChange:
        check_branch_name(name)
        ref = HEADS + name
        self._history.graph.get(commit)
        self.refuse_path_prefix(ref)
        old = self._refs.get(ref)
        if old is not None and not force:
            raise AlreadyExists(
                f"branch {name!r} exists already",
                hint=f"choose another name, or move it: evgit branch --force {name} REVISION",
            )
        return RefChange(ref, old, commit)

    def delete(self, name: str, *, force: bool = False) -> str:
        """Delete a branch; returns where it was. Refused while events would become unreachable."""
        ref = HEADS + name
        with self._transaction():
            target = self._existing(ref, f"branch {name!r}")
            if self.current_ref() == ref:
                raise Conflict(
                    f"branch {name!r} is the current one", hint="switch to another branch first"
                )
            if not force and not self._reachable_elsewhere(target, ref):
                raise Conflict(
                    f"branch {name!r} has commits that no other branch or tag has",
                    hint="delete it with -D (`evgit undo` brings it back), or tag it first",
                )
            self._move([RefChange(ref, target, None)], "branch -d", {"name": name})
        return target

    def delete_tracking(self, name: str) -> str:
        """Forget where a branch of a remote (`origin/main`) was last seen; returns that."""
        ref = REMOTES + name
        with self._transaction():
            target = self._existing(ref, f"remote-tracking branch {name!r}")
            self._move([RefChange(ref, target, None)], "branch -d -r", {"name": name})
        return target

    def rename(self, old: str, new: str) -> None:
        """Rename a branch; HEAD follows."""
        check_branch_name(new)
        with self._transaction():
            target = self._existing(HEADS + old, f"branch {old!r}")
            if self._refs.get(HEADS + new) is not None:
                raise AlreadyExists(f"branch {new!r} exists already")
            self.refuse_path_prefix(HEADS + new, apart_from=HEADS + old)
            changes = [
                RefChange(HEADS + old, target, None),
                RefChange(HEADS + new, None, target),
            ]
            if self.current_ref() == HEADS + old:
                head = SYMBOLIC + HEADS
                changes.append(RefChange("HEAD", head + old, head + new))
            self._move(changes, "branch -m", {"old": old, "new": new})

    def check_may_go(self, target: str, command: str) -> None:
        """Raise Conflict if something in progress keeps HEAD where it is, and that is not here."""
        if self._refs.get("HEAD") != target:
            self._in_progress.refuse_any(command)

    def set_head(self, target: str, command: str, arguments: Mapping[str, Any]) -> None:
        """Put HEAD on a branch (`ref: refs/heads/…`), a commit id, or `<id>#<size>`."""
        with self._transaction():
            old = self._refs.get("HEAD")
            if old != target:
                self._in_progress.refuse_any(command)
                self._move([RefChange("HEAD", old, target)], command, arguments)

    def fast_forward(self, ref: str, commit: str, command: str) -> None:
        """Move a ref forward along first parents. Raises NotAFastForward."""
        with self._transaction():
            old = self._existing(ref, ref)
            graph = self._history.graph
            if not graph.on_first_parents(graph.get(old), graph.get(commit)):
                raise NotAFastForward(
                    f"{ref} is not on the first-parent chain of {commit[:12]}: "
                    "positions that were already delivered would change",
                    hint="merge instead, so that published positions stay",
                )
            self._move([RefChange(ref, old, commit)], command, {})

    # ------------------------------------------------------------------ tags
    def create_tag(self, name: str, target: str, *, force: bool = False) -> None:
        """Make a lightweight tag, or one that points at a tag object."""
        check_branch_name(name, "tag")
        ref = TAGS + name
        with self._transaction():
            self.refuse_path_prefix(ref)
            old = self._refs.get(ref)
            if old is not None and not force:
                raise AlreadyExists(f"tag {name!r} exists already", hint="move it with --force")
            self._move([RefChange(ref, old, target)], "tag", {"name": name})

    def write_tag(self, tag: Tag) -> str:
        """Store a tag object; returns its id."""
        line = tag.canonical()
        with database.writing(self._history.connection):
            self._history.connection.execute(
                "INSERT OR IGNORE INTO objects(id, data) VALUES(?,?)", (bytes.fromhex(tag.id), line)
            )
        return tag.id

    def delete_tag(self, name: str) -> str:
        """Delete a tag; returns what it pointed at."""
        with self._transaction():
            target = self._existing(TAGS + name, f"tag {name!r}")
            self._move([RefChange(TAGS + name, target, None)], "tag -d", {"name": name})
        return target

    # ------------------------------------------------------------------ operations
    def undo(self) -> Operation:
        """Take back the newest operation that was not undone; undoing is an operation too.

        One that took several steps (a re-append that stopped on the way) is taken back as a whole.
        """
        with self._transaction():
            self._in_progress.refuse_any("undo")
            operation = self._operations.to_undo()
            if operation is None or operation.command == "init":
                raise EvgitError("nothing to undo", hint="`evgit op log` lists the operations")
            self._reverse(operation, "undo", {"operation": operation.number})
            return operation

    def redo(self) -> Operation:
        """Take back the last undo, unless something else happened since."""
        with self._transaction():
            self._in_progress.refuse_any("redo")
            operation = self._operations.to_redo()
            if operation is None:
                raise EvgitError("nothing to redo", hint="only an undo can be redone, at once")
            self._reverse(operation, "redo", {"undo": operation.number})
            return operation

    def net_changes(self, operation: Operation) -> list[RefChange]:
        """What an operation, with all the steps that it brought to an end, did to refs."""
        return self._operations.net_changes(operation)

    def refs_at(self, number: int) -> dict[str, str]:
        """{ref: target} as they were when an operation had finished."""
        return refs_after(self._refs, self._operations, number)

    def restore(self, number: int) -> list[RefChange]:
        """Put every ref back to where it was when an operation had finished."""
        with self._transaction():
            self._in_progress.refuse_any("op restore")
            wanted = self.refs_at(number)
            actual = {ref.name: ref.target for ref in self._refs.under("")}
            changes = [
                RefChange(name, actual.get(name), wanted.get(name))
                for name in sorted(wanted.keys() | actual.keys())
                if actual.get(name) != wanted.get(name)
            ]
            if changes:
                self._move(changes, "op restore", {"operation": number})
            return changes

    def expire_operations(self, before: int | None, *, dry_run: bool = False) -> int:
        """Forget the operations that ended before an instant, but never the newest; how many.

        They can't be undone or looked at any more, and keep nothing alive. None: forget none.
        """
        with self._transaction():
            last = None if before is None else self._operations.expired(before)
            if last is None:
                return 0
            if dry_run:
                return sum(
                    operation.number <= last for operation in self._operations.newest_first()
                )
            return self._operations.forget_up_to(last)

    def kept(self, before: int | None) -> Kept:
        """What refs, what is in progress, and operations that ended at or after an instant lead to
        (and operations before those are as good as forgotten). None: all operations."""
        last = None if before is None else self._operations.expired(before)
        return kept(self._history, self._refs, self._operations, 0 if last is None else last)

    def _reverse(self, operation: Operation, command: str, arguments: Mapping[str, Any]) -> None:
        done = self._operations.net_changes(operation)
        changes = [RefChange(c.ref, c.new, c.old) for c in reversed(done)]
        self._move(changes, command, arguments)

    # ------------------------------------------------------------------ shared
    def _transaction(self) -> Any:
        return database.writing(self._history.connection)

    def _move(self, changes: list[RefChange], command: str, arguments: Mapping[str, Any]) -> None:
        self._refs.move(changes)
        self._operations.record(
            changes,
            now=self._actor.now(),
            actor=self._actor.name,
            writer=self._actor.writer,
            command=command,
            arguments=arguments,
        )

    def _existing(self, ref: str, called: str) -> str:
        target = self._refs.get(ref)
        if target is None:
            raise NotFound(f"there is no {called}", hint="`evgit branch -a`, `evgit tag` list them")
        return target

    def refuse_path_prefix(self, ref: str, apart_from: str = "") -> None:
        """Raise AlreadyExists where a ref would be a path prefix of another, or another of it."""
        below: list[Ref] = [r for r in self._refs.under(ref + "/") if r.name != apart_from]
        above = [
            part
            for part in (ref[:place] for place, letter in enumerate(ref) if letter == "/")
            if part != apart_from and self._refs.get(part) is not None
        ]
        for other in [r.name for r in below] + above:
            raise AlreadyExists(
                f"{other} exists, so {ref} can't: one would be a path prefix of the other",
                hint="choose another name",
            )

    def _commit_behind(self, target: str) -> str:
        """What an annotated tag, or a tag of a tag, stands for; anything else is itself."""
        while (line := self.tag_line(target)) is not None:
            target = decode_tag(line).target
        return target

    def _reachable_elsewhere(self, target: str, ref: str) -> bool:
        graph = self._history.graph
        wanted = graph.get(target)
        others = {
            r.target
            for prefix in (HEADS, TAGS, REMOTES)
            for r in self._refs.under(prefix)
            if r.name != ref
        }
        commits = map(self._commit_behind, others)
        rows = [row for c in commits if (row := graph.find(id_bytes(c))) is not None]
        if any(graph.on_first_parents(wanted, row) for row in rows):
            return True
        for row in graph.ancestors(rows):
            if row.number == wanted.number:
                return True
            if row.number < wanted.number:
                return False
        return False
