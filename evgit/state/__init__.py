"""evgit: state."""
