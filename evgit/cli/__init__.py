"""The command line: one command, one module under `commands`; a module's docstring is its help.

This layer turns words into calls of `evgit.repository` and of the bridges, and their answers into
text or JSON. It alone knows the environment, the terminal and the clock's overrides; it must not
know how anything is stored.
"""

import gc

# A run of the command line makes many objects that stay and hardly any cycles: looking for garbage
# at Python's usual pace costs 8% of starting up, and finds nothing.
gc.set_threshold(50_000, 20, 20)
