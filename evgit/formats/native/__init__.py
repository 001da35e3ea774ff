"""The native part: one call for a whole batch, in C, where this installation has it.

It is built where a C compiler is at hand when evgit is installed, and does nothing that Python does
not do as well: whoever calls it has a twin in Python, which is the truth, and which tests hold it
against. `native` is the compiled module, or None. EVGIT_NATIVE=no (or `off`, `false`, `0`) in the
environment does without.

This package must not know what its callers make of the answers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = ["SWITCHED_OFF", "native"]

SWITCHED_OFF = os.environ.get("EVGIT_NATIVE", "").lower() in ("no", "off", "false", "0")

if TYPE_CHECKING:
    from evgit.formats.native import _native as native
else:
    native = None
    if not SWITCHED_OFF:
        try:
            from evgit.formats.native import _native as native
        except ImportError:
            native = None
