"""evgit: cli."""
