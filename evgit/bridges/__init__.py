"""evgit: bridges."""
