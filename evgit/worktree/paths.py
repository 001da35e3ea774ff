"""Which document paths may become files: rules on names alone, the same on every system.

They are Git's (see "git help update-index", core.protectHFS and core.protectNTFS in "git help
config"), with `.evgit` beside `.git`: what would be dangerous on another system is refused on this
one too, so that a working tree can be moved. It must not look at a file system.
"""

from __future__ import annotations

import os
import re

from evgit.errors import InvalidPath

MAX_COMPONENT_BYTES = 255
MAX_PATH_BYTES = 1024
TEMPORARY = re.compile(r"\.evgit-[0-9a-f]{16}\.tmp", re.ASCII | re.IGNORECASE)
"""Names of files that are being written."""

# Code points that HFS+ leaves out when it compares names (Apple, Technical Note TN1150).
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
# `.git` and `.evgit`, the short names that NTFS and FAT may give them, and what NTFS takes for
# them: dots and spaces at the end, and a stream's name after a colon.
_OURS = re.compile(r"(?:\.git|\.evgit|git~[0-9]+|evgit~[0-9]+)[. ]*(?::.*)?", re.DOTALL)
# "Naming Files, Paths, and Namespaces" in Microsoft's documentation of Win32.
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:[.:].*)?",
    re.DOTALL,
)
_ON_WINDOWS = os.name == "nt"


def check_document_path(path: str) -> None:
    """Raise InvalidPath, with the reason, if a document at `path` must not become a file."""
    reason = reason_against(path)
    if reason:
        raise InvalidPath(
            f"document {path!r} is not written as a file: {reason}",
            hint="read it with `evgit show REV:PATH`",
        )


def reason_against(path: str) -> str:
    """Why a document at `path` must not become a file; empty if it may."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "its path holds a lone surrogate"
    if size > MAX_PATH_BYTES:
        return f"its path is {size} bytes long, {MAX_PATH_BYTES} are allowed"
    if not path:
        return "its path is empty"
    if path[0] == "/":
        return "its path is absolute"
    if _CONTROL.search(path):
        return "its path holds a control character"
    if "\\" in path:
        return "its path holds a backslash, which separates directories on some systems"
    for component in path.split("/"):
        reason = _reason_against_component(component)
        if reason:
            return reason
    return ""


def _reason_against_component(component: str) -> str:
    if component.isalnum() and component.isascii() and 4 < len(component) <= MAX_COMPONENT_BYTES:
        return ""  # plain, and too long for any name below
    if component in ("", ".", ".."):
        return f"its path has the component {component!r}"
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"a component of its path is longer than {MAX_COMPONENT_BYTES} bytes"
    seen = _IGNORED_BY_HFS.sub("", component).casefold()
    if _OURS.fullmatch(seen):
        return f"{component!r} could be taken for the directory .evgit or .git"
    if _DEVICE.fullmatch(seen):
        return f"{component!r} is the name of a device on Windows"
    if TEMPORARY.fullmatch(component):
        return f"{component!r} is a name that evgit uses while it writes"
    if _ON_WINDOWS and (component[-1] in ". " or re.search('[:*?"<>|]', component)):
        return f"{component!r} is not a file name on Windows"
    return ""
