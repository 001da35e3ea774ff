"""evgit: formats."""
