"""evgit: history."""
