"""Where the token for an HTTP address comes from: EVGIT_TOKEN, or a program that keeps it.

Such a helper speaks as those of Git do (gitcredentials(7), git-credential(1)): it is run with the
word `get`, reads `protocol=` and `host=` lines, and writes `password=` with the token.
Only the user's own settings name it, never a repository's: nothing that lies in a directory may
decide what runs.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from evgit.cli.opening import user_config
from evgit.errors import Unavailable, UsageError
from evgit.repository import Config

HELPER = "http.credential_helper"


def token_for(url: str) -> str | None:
    """The bearer token for an http address, or None. Raises Unavailable."""
    token = os.environ.get("EVGIT_TOKEN", "").strip()
    if not all(" " <= letter <= "~" for letter in token):
        raise UsageError(  # without the token: errors end up in logs
            "what EVGIT_TOKEN holds is no token: it has line ends or letters beyond ASCII",
            hint="give the one line that `evgit serve --new-token` wrote",
        )
    if token:
        return token
    helper = Config(None, user_config()).get(HELPER)
    return _from_helper(str(helper), url) if helper else None


def _from_helper(helper: str, url: str) -> str | None:
    import shlex
    import subprocess

    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    # No path, as git does without credential.useHttpPath: a token is for a host.
    asked = f"protocol={parts.scheme}\nhost={host}\n\n"
    try:
        done = subprocess.run(
            [*shlex.split(helper), "get"],
            input=asked,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"{HELPER} can't be run: {error}", hint="it is a command, such as git credential-store"
        ) from None
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        value = value.strip()
        if name == "password" and all(" " <= letter <= "~" for letter in value):
            return value or None
    return None
