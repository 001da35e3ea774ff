"""A bundle as a place to fetch from: one pack, with refs, and blobs behind its blocks.

It must not know what is done with what it gives; form is checked here, contents in quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from evgit.errors import DamagedObject, InvalidObject, UnknownObject, UnsupportedFormat
from evgit.formats import pack_blobs
from evgit.formats.hashing import blake3_digest
from evgit.formats.pack import HEAD, MAX_HEAD_BYTES, PREFIX_BYTES, decode_head, decode_prefix
from evgit.storage.files import open_regular, translate_errors
from evgit.storage.pack_file import PackFile
from evgit.sync.packed import pack_texts
from evgit.sync.transports.packs import Part, Read


class BundleFile:
    """An open bundle. Raises InvalidObject for a file that is none, or not a sound one."""

    def __init__(self, path: Path) -> None:
        with translate_errors(path):
            open_regular(path.resolve()).close()
            self._path = path
            self.where = f"the bundle {path.name}"
            with self._sound():
                self._file = PackFile(path.resolve())
                prefix = self._file.read(0, PREFIX_BYTES)
                name, size = decode_prefix(prefix)
                if name != HEAD or size > MAX_HEAD_BYTES:
                    raise DamagedObject("it does not begin as a pack does")
                self.head = decode_head(self._file.read(PREFIX_BYTES, size))
        self.repository = self.head.repository
        self.refs = self.head.refs
        self.requires = self.head.requires

    def root(self) -> str:
        """The root commit's line; empty where the bundle holds what follows other commits."""
        if self.requires:
            return ""
        with self._sound():
            line = self._file.line(0) if self._file.lines else b""
        if blake3_digest(line).hex() != self.repository:
            raise InvalidObject(
                f"{self.where} needs nothing, says its head, but does not begin with the root"
            )
        return line.decode()

    def parts(self) -> list[Part]:
        """The one pack that it is."""
        tips = tuple(target for name, target in self.refs.items() if name != "HEAD")
        return [
            Part("", self.where, self._file.commits, self._file.events, tips, self._opened),
        ]

    def texts(self) -> Iterator[bytes]:
        """All that is in it, as a transfer has it."""
        return pack_texts(self._read_from(0), self.where, self.repository)

    def blob(self, blob_id: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """(size, bytes from an offset on). Raises UnknownObject."""
        size = self.head.blobs.get(blob_id)
        if size is None:
            raise UnknownObject(
                f"blob {blob_id}, which an event lists, is not in {self.where}",
                hint="fetch from the repository that it was made from",
            )
        return size, self._pieces(blob_id, size, offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _pieces(self, blob_id: str, size: int, offset: int) -> Iterator[bytes]:
        at = pack_blobs.offsets(self.head.blobs, self._file.index_offset)[blob_id]
        for piece in pack_blobs.piece_sizes(size):
            length = pack_blobs.frames_bytes(piece)
            if offset < piece:
                with self._sound():
                    data = pack_blobs.decode_piece(self._file.read(at, length), piece)
                yield data[max(offset, 0) :]
            offset -= piece
            at += length

    def _opened(self) -> AbstractContextManager[Read]:
        return _given(self._read_from(0))

    def _read_from(self, offset: int) -> Read:
        place = offset

        def read(size: int) -> bytes:
            nonlocal place
            data = self._file.read(place, max(0, min(size, self._file.size - place)))
            place += len(data)
            return data

        return read

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except UnsupportedFormat:
            raise
        except DamagedObject as error:
            raise InvalidObject(
                f"{self._path.name} is no sound bundle: "
                f"{error.message.removeprefix('a pack is not sound: ')}",
                hint="it was damaged or changed on its way, or is none: get it anew",
            ) from error


@contextmanager
def _given(read: Read) -> Iterator[Read]:
    yield read
