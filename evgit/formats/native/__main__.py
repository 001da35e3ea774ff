"""`python -m evgit.formats.native` says whether this installation has the native part."""

from __future__ import annotations

import sys

from evgit.formats.native import SWITCHED_OFF, native


def described() -> str:
    """A sentence for people."""
    if SWITCHED_OFF:
        return "EVGIT_NATIVE in the environment does without the native part"
    if native is None:
        return (
            f"no native part: Python does everything ({__file__})\n"
            "hint: install evgit again where there are a C compiler and Python's headers"
        )
    blake3, sha256 = native.choose_hashes(False)
    return f"the native part is there: BLAKE3 {blake3}, SHA-256 {sha256}"


if __name__ == "__main__":
    sys.stdout.write(described() + "\n")
