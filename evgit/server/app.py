"""The ASGI application: one POST a message, to one of the repositories under a root.

A body is taken in full before it is looked at, at whatever pace it comes, and never held in memory;
the answer streams out of a thread of its own. It must not know how messages are answered.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from evgit.errors import EvgitError, TransferInterrupted
from evgit.history.stamps import now
from evgit.repository import Policy, Repository, Service
from evgit.server.access import Access
from evgit.server.description import openapi
from evgit.server.metrics import Metrics
from evgit.server.settings import ServerSettings, repository_directory
from evgit.storage.layout import Layout
from evgit.sync.stdio import framed, read_body, read_message

MEDIA_TYPE = "application/x-evgit"
IN_MEMORY_BYTES = 1 << 18


class _Refused(Exception):
    """A request that gets no further, with the status that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Server:
    """Answers requests to the repositories under a root."""

    def __init__(self, settings: ServerSettings, version: str, now: Callable[[], int]) -> None:
        self._settings = settings
        self._now = now
        self._version = version
        self.metrics = Metrics()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                Route("/openapi.json", self._describe),
                Route("/{name:path}/evgit", self._converse, methods=["POST"]),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self.metrics.text())

    async def _describe(self, request: Request) -> Response:
        return JSONResponse(openapi(self._version))

    async def _converse(self, request: Request) -> Response:
        response: Response
        try:
            if self.metrics.active >= self._settings.max_requests:
                raise _Refused(503, "too many requests at once: try again later")
            self.metrics.active += 1
            try:
                response = await self._answered(request)
            except BaseException:
                self.metrics.active -= 1
                raise
        except _Refused as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
            response = PlainTextResponse(refused.text + "\n", refused.status, headers)
        except ClientDisconnect:
            response = PlainTextResponse("the client went away\n", 400)
        self.metrics.add("evgit_requests_total", f'status="{response.status_code}"')
        return response

    async def _answered(self, request: Request) -> Response:
        name = request.path_params["name"]
        access = self._access(request, name)
        directory = repository_directory(self._settings.root, name)
        if directory is None:
            raise _Refused(404, "there is no such repository")
        body = await self._body(request)
        try:
            repository = await run_in_threadpool(self._open, directory, access)
            try:
                service = Service(repository.store, self._policy(access))
                head, chunks = await run_in_threadpool(_answer, service, body)
            except BaseException:
                repository.close()
                raise
        except BaseException:
            body.close()
            raise

        def end() -> None:
            self.metrics.active -= 1
            repository.close()
            body.close()

        return _Answer(self._sent(head, chunks), end)

    def _open(self, directory: Path, access: Access) -> Repository:
        layout = Layout.exactly(directory)
        if layout is None:
            raise _Refused(404, "there is no such repository")
        return Repository(layout, author=f"{access.name} <>", clock=self._now)

    def _access(self, request: Request, name: str) -> Access:
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        shown = token.strip() if scheme.lower() == "bearer" and token.strip() else None
        access = self._settings.access.access(shown, name, self._now())
        if not access.read:
            if access.expired:
                raise _Refused(401, "the token has expired")
            if shown is None or access.name == "anybody":
                raise _Refused(401, "a valid token is needed")
            raise _Refused(403, "the token is not for this repository")
        return access

    def _policy(self, access: Access) -> Policy:
        return Policy(write=access.write)

    async def _body(self, request: Request) -> BinaryIO:
        """All of a request's body, in a file."""
        limit = self._settings.max_body_bytes
        with suppress(ValueError):
            if int(request.headers.get("content-length", "0")) > limit:
                raise _Refused(413, f"a request of more than {limit:,} bytes")
        spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed later
        file = cast(BinaryIO, spool)
        size = 0
        stream = request.stream()
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                while True:
                    async with asyncio.timeout(self._settings.silent_seconds):
                        chunk = await anext(stream, None)
                    if chunk is None:
                        break
                    size += len(chunk)
                    if size > limit:
                        raise _Refused(413, f"a request of more than {limit:,} bytes")
                    if size > IN_MEMORY_BYTES:
                        await run_in_threadpool(file.write, chunk)
                    else:
                        file.write(chunk)
        except TimeoutError:
            file.close()
            raise _Refused(408, "the request came too slowly") from None
        except BaseException:
            file.close()
            raise
        self.metrics.add("evgit_received_bytes_total", amount=size)
        file.seek(0)
        return file

    async def _sent(self, head: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        async for part in iterate_in_threadpool(framed(head, chunks)):
            self.metrics.add("evgit_sent_bytes_total", amount=len(part))
            yield part


class _Answer(StreamingResponse):
    """A streaming answer that is ended whatever becomes of it, sent or not."""

    def __init__(self, parts: AsyncIterator[bytes], end: Callable[[], None]) -> None:
        super().__init__(parts, media_type=MEDIA_TYPE)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._end)


def _answer(service: Service, body: BinaryIO) -> tuple[bytes, Iterator[bytes]]:
    try:
        message = read_message(body)
    except EvgitError as error:
        raise _Refused(400, error.message) from None
    if message is None:
        raise _Refused(400, "an empty request")
    try:
        return service.answer(message, read_body(body))
    except TransferInterrupted as error:
        raise _Refused(400, error.message) from None


def make_app(settings: ServerSettings, version: str, clock: Callable[[], int] = now) -> Starlette:
    """The ASGI application for a root of repositories. `clock`: gives the present instant."""
    return Server(settings, version, clock).app()
