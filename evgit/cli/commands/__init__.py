"""The commands, one module each, each with a click command named `command`."""
