"""The transport over HTTP: one POST a message, framed as over ssh.

It must not know what is carried. Redirects are not followed: a token must not reach a host that
nobody named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from io import RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from evgit.errors import (
    AccessDenied,
    EvgitError,
    InvalidObject,
    NotARepository,
    TransferInterrupted,
    UsageError,
)
from evgit.sync.messages import printable
from evgit.sync.stdio import framed, read_body, read_message
from evgit.sync.transport import Carried

if TYPE_CHECKING:
    import ssl

    import httpx

MEDIA_TYPE = "application/x-evgit"
CONNECT_SECONDS = 15.0
SILENT_SECONDS = 120.0
_NOT_SERVED = (404, 405, 501)


class HttpTransport:
    """A client for one repository of an `evgit serve`. `verify`: a file of certificates to trust
    in place of the system's."""

    def __init__(self, url: str, token: str | None, verify: str | None = None) -> None:
        self._httpx = httpx_module()
        self._url = url + "/evgit"
        types = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
        self._client = http_client(url, types, token, verify)
        self._open: httpx.Response | None = None
        self.round_trips = 0

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """POST a message; the answer is read as it comes. Raises AccessDenied and others."""
        self.round_trips += 1
        self._finish()
        request = self._client.build_request("POST", self._url, content=framed(message, body))
        try:
            response = self._client.send(request, stream=True)
        except self._httpx.HTTPError as error:
            raise silent(self._url, error) from None
        self._open = response
        if response.status_code in _NOT_SERVED:
            raise NotServed(f"{self._url}: {beginning(response) or 'there is no such repository'}")
        if response.status_code != 200:
            raise refused(self._url, response)
        if "html" in response.headers.get("content-type", ""):
            raise InvalidObject(
                f"{self._url} answered with a page for browsers",
                hint="is this the address of an evgit repository?",
            )
        source = cast(BinaryIO, _Stream(response.iter_raw(), self._httpx.HTTPError, self._url))
        answer = read_message(source)
        if answer is None:
            raise TransferInterrupted(f"{self._url} answered with nothing")
        return Carried(answer, self._body(source))

    def _body(self, source: BinaryIO) -> Iterator[bytes]:
        yield from read_body(source)
        self._finish()

    def close(self) -> None:
        """Close the connection."""
        self._finish()
        self._client.close()

    def _finish(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class NotServed(NotARepository):
    """No evgit answers there. It may be a web server with files all the same."""


class _Stream(RawIOBase):
    """A response's body as a file to read from."""

    def __init__(self, chunks: Iterator[bytes], broken: Any, url: str) -> None:
        self._chunks = chunks
        self._broken = broken
        self._url = url
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._held) < size or size < 0:
            more = self._more()
            if not more:
                break
            self._held += more
        end = len(self._held) if size < 0 else size
        taken, self._held = self._held[:end], self._held[end:]
        return taken

    def readline(self, size: int | None = -1) -> bytes:
        limit = -1 if size is None else size
        while b"\n" not in self._held and (limit < 0 or len(self._held) < limit):
            more = self._more()
            if not more:
                break
            self._held += more
        end = self._held.find(b"\n") + 1 or len(self._held)
        end = end if limit < 0 else min(end, limit)
        taken, self._held = self._held[:end], self._held[end:]
        return taken

    def _more(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except self._broken as error:
            raise silent(self._url, error) from None


def http_client(
    url: str, headers: dict[str, str], token: str | None, verify: str | None
) -> httpx.Client:
    """A client for addresses below a URL, that follows no redirects. `verify`: a file of
    certificates to trust."""
    module = httpx_module()
    if token is not None:
        headers = {**headers, "Authorization": f"Bearer {token}"}
    context = _without_certificates() if _in_clear(url) else _with_certificates(verify)
    found: httpx.Client = module.Client(
        headers=headers,
        timeout=module.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        verify=context,
    )
    return found


def _in_clear(url: str) -> bool:
    """Is nobody asked for a certificate on the way there?"""
    return url.startswith("http://") and not import_module("urllib.request").getproxies()


@cache
def _without_certificates() -> ssl.SSLContext:
    """What trusts nobody, and is made at once."""
    module = import_module("ssl")  # not loaded for other addresses
    found: ssl.SSLContext = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
    return found


def _with_certificates(verify: str | None) -> ssl.SSLContext:
    """What trusts those of a file, or the usual ones."""
    if verify is None:
        return _with_usual_certificates()
    found: ssl.SSLContext = import_module("ssl").create_default_context(cafile=verify)
    return found


@cache
def _with_usual_certificates() -> ssl.SSLContext:
    """Reading all of them takes 50 ms."""
    found: ssl.SSLContext = httpx_module().create_ssl_context()
    return found


def silent(url: str, error: Exception) -> TransferInterrupted:
    """The error for a server that can't be reached, or has stopped talking."""
    if "WRONG_VERSION_NUMBER" in str(error):
        return TransferInterrupted(
            f"{url} can't be reached: what answers there does not speak https",
            hint="is it http://…? Then all that is sent, tokens too, can be read on the way",
        )
    return TransferInterrupted(
        f"{url} can't be reached, or fell silent: {printable(str(error)) or type(error).__name__}",
        hint="what came whole is kept: the same command goes on from there",
    )


def refused(url: str, response: httpx.Response) -> EvgitError:
    """The error for an answer that is none."""
    code = response.status_code
    text = beginning(response)
    if code in (401, 403):
        return AccessDenied(
            f"{url}: {text or 'access is denied'}",
            hint="give a token that may do that in EVGIT_TOKEN",
        )
    if code == 404:
        return NotARepository(f"{url}: {text or 'there is nothing'}")
    if 300 <= code < 400:
        where = printable(response.headers.get("location", ""))
        return UsageError(f"{url} says to go to {where}", hint="name that address, if you trust it")
    if code in (408, 429, 502, 503, 504):
        return TransferInterrupted(f"{url}: {text or code}", hint="try again later")
    return InvalidObject(f"{url} answered with status {code}: {text}")


def beginning(response: httpx.Response) -> str:
    """The first words of an answer, to be shown; nothing of a page for browsers."""
    if "html" in response.headers.get("content-type", ""):
        return ""
    text = b""
    for chunk in response.iter_raw():
        text += chunk
        if len(text) > 500:
            break
    return printable(text[:500].decode("utf-8", "replace").strip())


def httpx_module() -> Any:
    """httpx, which is loaded when it is needed. Raises UsageError where it is not installed."""
    try:
        return import_module("httpx")
    except ImportError:
        raise UsageError(
            "http addresses need the package httpx", hint="pip install 'evgit[http]'"
        ) from None
