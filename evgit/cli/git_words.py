"""Commands of Git that evgit has not, and what one uses here in their place."""

from __future__ import annotations

IN_PLACE_OF = {
    "add": "there is nothing to stage: `evgit commit` takes events",
    "apply": "`evgit import` appends events from a file, `evgit cherry-pick` takes commits over",
    "describe": "`evgit tag` lists tags, `evgit log --oneline` shows them beside their commits",
    "format-patch": "`evgit bundle create FILE A..B` puts commits into a file",
    "grep": "`evgit log --events --grep REGEX` looks for events",
    "ls-files": "`evgit ls-tree HEAD` lists the documents, `evgit streams` the streams",
    "mv": "documents follow from events: append one that says what happened",
    "reset": "`evgit undo` takes back the last command, `evgit restore FILE` an edit by hand; "
    "`evgit branch --force NAME REVISION` moves a branch",
    "rm": "documents follow from events: append one that says what happened",
    "shortlog": "`evgit log --author REGEX` lists somebody's commits",
    "stash": "the working tree is only looked at: `evgit restore FILE` writes a file anew",
    "version": "evgit --version",
    "worktree": "`evgit clone` makes another working tree, `evgit show REV:PATH` prints a document",
}
