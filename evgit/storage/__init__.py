"""evgit: storage."""
