"""Every command's name, module and one-line summary, so that help and completion import nothing.

A test holds each summary to the first line of its module's docstring.
"""

from __future__ import annotations


class Entry:
    """Where a command lives (`evgit.cli.commands.<module>`), and what it does in one line."""

    def __init__(self, module: str, summary: str) -> None:
        self.module = module
        self.summary = summary


SECTIONS: dict[str, dict[str, Entry]] = {
    "start": {
        "init": Entry("init", "Make a new, empty repository."),
        "demo": Entry("demo", "Show what evgit does, on a history or an example."),
        "config": Entry("config", "Read and write settings."),
    },
    "append": {
        "commit": Entry("commit", "Append events as one commit."),
        "import": Entry("import_events", "Append events from a file of JSON lines, in batches."),
        "export": Entry("export", "Write events as JSON lines."),
    },
    "look": {
        "log": Entry("log", "Show the history: commits, or events."),
        "show": Entry("show", "Show a commit, an event, a tag, or a document at some point."),
        "diff": Entry("diff", "Show what differs between two states, field by field."),
        "blame": Entry(
            "blame", "Show for every field of a document which event gave it its value."
        ),
        "bisect": Entry("bisect", "Find the first event after which something is wrong."),
        "step": Entry("step", "Walk through history event by event, and see what each changed."),
        "streams": Entry("streams", "List the streams with their last revision."),
        "status": Entry("status", "Show the branch, and how the working tree differs from it."),
    },
    "give events meaning": {
        "model": Entry("model", "Record, compare and check the model: what events mean."),
        "schema": Entry(
            "schema", "Look at the schemas of events, and at stored events through them."
        ),
        "trust": Entry("trust", "Let the code of this repository's model run, or take that back."),
    },
    "work with branches and the working tree": {
        "branch": Entry("branch", "List, make, rename or delete branches."),
        "switch": Entry("switch", "Switch to a branch, and the working tree with it."),
        "checkout": Entry("checkout", "Write the state at a branch or any past point as files."),
        "restore": Entry(
            "restore", "Write documents anew over edited or deleted files; or a backup."
        ),
        "tag": Entry("tag", "List, make or delete tags."),
        "reflog": Entry("reflog", "Show where a branch has pointed."),
        "op": Entry("op", "List, show and restore operations: what each command did to refs."),
        "undo": Entry("undo", "Take back the last operation."),
        "redo": Entry("redo", "Take back the last undo."),
    },
    "bring histories together": {
        "merge": Entry("merge", "Merge another history, by what its events mean."),
        "conflicts": Entry("conflicts", "Show what does not fit in the merge that waits."),
        "resolve": Entry("resolve", "Decide on conflicts of the merge that waits."),
        "rebase": Entry("rebase", "Re-append a branch's commits behind another point."),
        "cherry-pick": Entry("cherry_pick", "Re-append single commits to the current branch."),
        "what-if": Entry(
            "what_if", "See what would be if an event had not happened, or another had."
        ),
        "range-diff": Entry("range_diff", "Compare a range of commits before and after a rebase."),
        "revert": Entry("revert", "Take commits back, by events that compensate for theirs."),
    },
    "work with other repositories": {
        "clone": Entry("clone", "Copy a repository, with all its history, and follow it."),
        "remote": Entry("remote", "Name other repositories, and say where they are."),
        "fetch": Entry("fetch", "Bring what a remote has and this repository lacks."),
        "pull": Entry("pull", "Fetch, and bring what came together with what is here."),
        "push": Entry("push", "Send branches and tags to a remote, all of them or none."),
        "ls-remote": Entry("ls_remote", "List what refs another repository has."),
        "bundle": Entry("bundle", "Put history into one file, to be carried and fetched from."),
        "serve": Entry("serve", "Answer other repositories that clone, fetch and push."),
    },
    "keep healthy": {
        "fsck": Entry("fsck", "Check every hash, every order and every log root."),
        "gc": Entry("gc", "Move what was appended into packs, smaller and quicker to read."),
        "backup": Entry("backup", "Copy all of a repository to another disk, while work goes on."),
        "reindex": Entry("reindex", "Build the indexes anew from the stored blocks."),
    },
    "use in scripts": {
        "cat-file": Entry("cat_file", "Print an object, its kind or its size."),
        "merge-base": Entry("merge_base", "Find the best common ancestor of two commits."),
        "hash-object": Entry("hash_object", "Compute the id of a blob or an event; store a blob."),
        "rev-parse": Entry("rev_parse", "Print the id that a revision names."),
        "rev-list": Entry("rev_list", "List commit ids or event ids."),
        "ls-tree": Entry("ls_tree", "List the documents of a state."),
        "for-each-ref": Entry("for_each_ref", "List refs: branches, tags, streams."),
        "completion": Entry("completion", "Print the completion script of a shell."),
    },
}

COMMANDS: dict[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}
