"""evgit: maintenance."""
