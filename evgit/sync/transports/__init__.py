"""How messages are carried: in this process, through ssh, over HTTP. Each kind has a module."""
