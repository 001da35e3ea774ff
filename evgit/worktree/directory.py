"""Files below one directory, reached without ever following a symbolic link.

Every component is opened by itself, relative to the one before it, and must be a real directory; so
nothing outside can be touched, whatever is put in the way meanwhile. It knows names and bytes, not
documents.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from evgit.errors import ReadOnly, StorageFull, Unavailable
from evgit.worktree.paths import TEMPORARY

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Blocked(Exception):
    """Something that is no directory, or a symbolic link, stands where a directory should be.

    A signal inside this layer, which says so to people in its own way.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} {reason}")
        self.place = place
        self.reason = reason


class Directory:
    """The directory at `root`. File names are relative to it, with slashes. A context manager."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._last: tuple[str, int] | None = None  # the directory used last, kept open
        self._absent: str | None = None  # the one that was last found not to be there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        os.close(self._root_fd)

    def stat(self, file: str) -> os.stat_result | None:
        """What is there, not following a link; None for nothing. Raises Blocked."""
        parent, _, name = file.rpartition("/")
        fd = self._enter(parent)
        if fd is None:
            return None
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Blocked(file, f"can't be looked at: {error.strerror}") from error

    def read(self, file: str) -> bytes | None:
        """The content of a regular file; None if there is none. Raises Blocked."""
        parent, _, name = file.rpartition("/")
        fd = self._enter(parent)
        if fd is None:
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            opened = os.open(name, flags, dir_fd=fd)
        except OSError:
            return None
        with os.fdopen(opened, "rb") as stream:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return None
            try:
                return stream.read()
            except OSError:
                return None

    def write(self, file: str, content: bytes) -> os.stat_result:
        """Put a file in place at once, or not at all; what it is then. Raises Blocked."""
        parent, _, name = file.rpartition("/")
        fd = self._enter(parent, create=True)
        assert fd is not None
        temporary = f".evgit-{os.urandom(8).hex()}.tmp"
        try:
            opened = os.open(temporary, _CREATE, 0o666, dir_fd=fd)
            try:
                try:
                    left = memoryview(content)
                    while left:
                        left = left[os.write(opened, left) :]
                    written = os.fstat(opened)
                finally:
                    os.close(opened)
                try:
                    os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
                except IsADirectoryError:  # an empty one may go
                    with suppress(OSError):
                        os.rmdir(name, dir_fd=fd)
                    os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=fd)
                raise
        except IsADirectoryError:
            raise Blocked(file, "is a directory") from None
        except OSError as error:
            raise self._translated(error, file) from error
        return written

    def remove(self, file: str) -> bool:
        """Remove a file or link. Was there one? Raises Blocked, also where it is a directory."""
        parent, _, name = file.rpartition("/")
        fd = self._enter(parent)
        if fd is None:
            return False
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            if self.is_directory(file):
                raise Blocked(file, "is a directory") from None
            raise self._translated(error, file) from error
        return True

    def prune(self, directories: Iterable[str]) -> None:
        """Remove those of these directories that are empty, and what that leaves empty above."""
        waiting = {parent for directory in directories for parent in _with_parents(directory)}
        for directory in sorted(waiting, reverse=True):  # what is below comes before
            parent, _, name = directory.rpartition("/")
            self._leave()
            with suppress(Blocked, OSError):
                fd = self._enter(parent)
                if fd is not None:
                    os.rmdir(name, dir_fd=fd)
        self._leave()

    def is_directory(self, file: str) -> bool:
        """Is a real directory there?"""
        try:
            found = self.stat(file)
        except Blocked:
            return False
        return found is not None and stat.S_ISDIR(found.st_mode)

    def walk(self, directory: str) -> Iterator[str]:
        """Files, links and the like below a directory, in order. Raises Blocked."""
        fd = self._enter(directory)
        if fd is None:
            return
        with os.scandir(fd) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_directory in found:
            place = f"{directory}/{name}" if directory else name
            if is_directory:
                yield from self.walk(place)
            else:
                yield place

    def remove_temporaries(self, directory: str) -> None:
        """Remove files that an interrupted `write` left below a directory."""
        with suppress(Blocked):
            for file in list(self.walk(directory)):
                if TEMPORARY.fullmatch(file.rpartition("/")[2]):
                    self.remove(file)

    # ------------------------------------------------------------------ directories

    def _enter(self, directory: str, *, create: bool = False) -> int | None:
        """A descriptor of a directory, valid until the next call; None if it is not there."""
        if not directory:
            return self._root_fd
        if self._last is not None and self._last[0] == directory:
            return self._last[1]
        if self._absent == directory and not create:
            return None
        self._leave()
        self._absent = None
        fd = self._root_fd
        done: list[str] = []
        try:
            for name in directory.split("/"):
                done.append(name)
                below = self._step(fd, name, "/".join(done), create)
                if fd != self._root_fd:
                    os.close(fd)
                    fd = self._root_fd
                if below is None:
                    self._absent = directory
                    return None
                fd = below
        except BaseException:
            if fd != self._root_fd:
                os.close(fd)
            raise
        self._last = (directory, fd)
        return fd

    def _step(self, fd: int, name: str, place: str, create: bool) -> int | None:
        for _ in range(2):
            try:
                return os.open(name, _OPEN_DIRECTORY, dir_fd=fd)
            except FileNotFoundError:
                if not create:
                    return None
                with suppress(FileExistsError):
                    try:
                        os.mkdir(name, dir_fd=fd)
                    except FileExistsError:
                        raise
                    except OSError as error:
                        raise self._translated(error, place) from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise Blocked(place, "is a symbolic link") from None
                if error.errno == errno.ENOTDIR:
                    is_link = stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
                    what = "is a symbolic link" if is_link else "is not a directory"
                    raise Blocked(place, what) from None
                raise Blocked(place, f"can't be opened: {error.strerror}") from None
        raise Blocked(place, "can't be made a directory")

    def _leave(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None

    def _translated(self, error: OSError, file: str) -> Exception:
        where = self._root / file
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull(
                f"no space left to write {where}",
                hint="free some space, then run the same command again: it goes on from there",
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return ReadOnly(f"{where} can't be written: {error.strerror}")
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP):
            return Blocked(file, f"can't be written: {error.strerror}")
        return Unavailable(f"{where} can't be written: {error.strerror}")


def _with_parents(directory: str) -> Iterator[str]:
    while directory:
        yield directory
        directory = directory.rpartition("/")[0]
