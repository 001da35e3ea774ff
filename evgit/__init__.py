"""evgit: Git for events."""
