"""Models: the code that gives events meaning, from its files to states."""
