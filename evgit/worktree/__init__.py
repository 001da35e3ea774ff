"""evgit: worktree."""
