"""`python -m evgit`: the same as the `evgit` command."""

import sys

from evgit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
