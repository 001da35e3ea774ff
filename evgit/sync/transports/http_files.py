"""A published directory on a web server: files by GET, a pack in parts where the server can.

Every byte is held against what the list or its name says, so that the server need not be trusted.
Redirects are not followed. It must not know what is in the files.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from evgit.errors import EvgitError, InvalidObject, Locked, NotARepository, TransferInterrupted
from evgit.formats.published_list import PublishedPack
from evgit.storage import files
from evgit.sync.published import PublishedSource, blob_missing, limited, missing
from evgit.sync.transport import Carried
from evgit.sync.transports.http import (
    HttpTransport,
    NotServed,
    http_client,
    httpx_module,
    refused,
    silent,
)
from evgit.sync.transports.packs import Knows, PackTransport, Read

if TYPE_CHECKING:
    import httpx

_SUFFIX = ".evpack"


class HttpPlace:
    """Files below a URL. `incoming`: where packs come in, None where none is going to."""

    def __init__(
        self, url: str, token: str | None, verify: str | None, incoming: Path | None
    ) -> None:
        self._httpx = httpx_module()
        self._url = url
        self._incoming = incoming
        self._client = http_client(url, {"Accept-Encoding": "identity"}, token, verify)
        self.where = f"the published directory {url}"

    def small(self, path: str, limit: int) -> bytes:
        """All of a file, as it is now."""
        parts, size = [], 0
        with self._got(path, {"Cache-Control": "no-cache"}) as response:
            if response.status_code != 200:
                raise refused(f"{self._url}/{path}", response)
            for chunk in self._chunks(response):
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise InvalidObject(f"{self._url}/{path} has more than {limit:,} bytes")
        return b"".join(parts)

    @contextmanager
    def pack(self, path: str, pack: PublishedPack) -> Iterator[Read]:
        """A pack's bytes, which come into a file first; what came of it before is kept."""
        assert self._incoming is not None
        part = self._incoming / f"{pack.name}{_SUFFIX}"
        with files.translate_errors(part):
            self._incoming.mkdir(exist_ok=True)
            file = part.open("a+b")
        with file:
            _lock(file, pack.name)
            called = f"pack {pack.name[:12]} of {self.where}"
            self._bring(path, file, pack.bytes, called)
            file.seek(0)
            try:
                yield limited(file, pack.bytes, called)
            finally:
                part.unlink(missing_ok=True)  # all of it was there: right or wrong, it is done with

    def _bring(self, path: str, file: BinaryIO, size: int, called: str) -> None:
        """Append what is missing of a file of `size` bytes."""
        have = file.seek(0, 2)
        if have > size:
            have = file.truncate(0)
        if have == size:
            return
        with self._got(path, {"Range": f"bytes={have}-"} if have else {}) as response:
            if response.status_code == 404:
                raise missing(path, self.where)
            if response.status_code != 206 or not _begins_at(response, have):
                if response.status_code != 200:
                    raise refused(f"{self._url}/{path}", response)
                have = file.truncate(0)
            for chunk in self._chunks(response):
                have += len(chunk)
                if have > size:
                    file.truncate(0)
                    raise InvalidObject(f"{called} has more than the {size:,} bytes of the list")
                with files.translate_errors(Path(str(file.name))):
                    file.write(chunk)
        file.flush()
        if have < size:
            raise TransferInterrupted(
                f"{called} ended after {have:,} of {size:,} bytes",
                hint="what came is kept: the same command goes on from there",
            )

    def blob(self, path: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """A blob's bytes from an offset on."""
        response = self._send(path, {"Range": f"bytes={offset}-"} if offset else {})
        skip = offset
        try:
            if response.status_code == 404:
                raise blob_missing(path, self.where)
            if response.status_code == 206 and _begins_at(response, offset):
                skip = 0
            elif response.status_code != 200:
                raise refused(f"{self._url}/{path}", response)
            length = response.headers.get("content-length", "")
            if not length.isdecimal() or len(length) > 16:
                raise InvalidObject(f"{self._url}/{path} does not say how long it is")
        except EvgitError:
            response.close()
            raise
        return int(length) + offset - skip, self._behind(response, skip)

    def remove_others(self, packs: Iterable[PublishedPack]) -> None:
        """Remove parts of packs that are not published any more."""
        named = {pack.name + _SUFFIX for pack in packs}
        for part in () if self._incoming is None else self._incoming.glob("*" + _SUFFIX):
            with suppress(OSError, Locked):
                if part.name not in named:
                    with part.open("rb") as file:
                        _lock(file, part.name)
                        part.unlink()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    # ------------------------------------------------------------------ requests
    def _send(self, path: str, headers: dict[str, str]) -> httpx.Response:
        request = self._client.build_request("GET", f"{self._url}/{path}", headers=headers)
        try:
            response = self._client.send(request, stream=True)
        except self._httpx.HTTPError as error:
            raise silent(self._url, error) from None
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise InvalidObject(f"{self._url}/{path} comes in an encoding that nobody asked for")
        return response

    @contextmanager
    def _got(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        response = self._send(path, headers)
        try:
            yield response
        finally:
            response.close()

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_raw()  # as it comes: nothing is held that may be lost
        except self._httpx.HTTPError as error:
            raise silent(self._url, error) from None

    def _behind(self, response: httpx.Response, skip: int) -> Iterator[bytes]:
        try:
            for chunk in self._chunks(response):
                if skip < len(chunk):
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))
        finally:
            response.close()


class EitherTransport:
    """An evgit that answers at a URL, or else a published directory there, found out once."""

    def __init__(
        self,
        url: str,
        token: str | None,
        verify: str | None,
        knows: Knows,
        incoming: Path | None,
    ) -> None:
        self._answering = HttpTransport(url, token, verify)
        self._answered = False
        self._files: Callable[[], PackTransport] = lambda: _published(
            HttpPlace(url, token, verify, incoming), knows
        )
        self._published: PackTransport | None = None
        self.round_trips = 0

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """The answer, of whoever there is."""
        self.round_trips += 1
        if self._published is None:
            try:
                found = self._answering.carry(message, body)
                self._answered = True
                return found
            except NotServed as nobody:
                if self._answered:
                    raise
                try:
                    self._published = self._files()
                except NotARepository:
                    raise nobody from None
        return self._published.carry(message, body)

    def close(self) -> None:
        """Close the connections."""
        self._answering.close()
        if self._published is not None:
            self._published.close()


def _published(place: HttpPlace, knows: Knows) -> PackTransport:
    try:
        source = PublishedSource(place)
    except EvgitError:
        place.close()
        raise
    place.remove_others(source.list.packs)
    return PackTransport(source, knows)


def _begins_at(response: httpx.Response, offset: int) -> bool:
    return str(response.headers.get("content-range", "")).startswith(f"bytes {offset}-")


def _lock(file: BinaryIO, name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Locked(
            f"pack {name[:12]} is being received by another process", hint="try again later"
        ) from None
