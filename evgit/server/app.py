"""The ASGI application: one POST a message, to one of the repositories under a root.

A body is taken in full before it is looked at, at whatever pace it comes, and never held in memory;
the answer streams out of a thread of its own. It must not know how messages are answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from evgit.errors import EvgitError, InvalidObject, TransferInterrupted
from evgit.formats.times import to_text
from evgit.history.stamps import now
from evgit.repository import ModelUse, Repository
from evgit.server.access import Access
from evgit.server.arriving import ArrivingBody
from evgit.server.description import openapi
from evgit.server.making import LargeAnswers
from evgit.server.metrics import Metrics
from evgit.server.settings import ServerSettings, repository_directory
from evgit.state.modelling.trust import Trust
from evgit.storage.acknowledged import Loss
from evgit.storage.layout import Layout
from evgit.sync.messages import MAX_MESSAGE_BYTES, encode, error_reply
from evgit.sync.refusals import Refusal, refusal_line
from evgit.sync.stdio import framed, keep, keep_abandoned, read_body, read_message

MEDIA_TYPE = "application/x-evgit"
MAX_READING_BYTES = MAX_MESSAGE_BYTES + (1 << 16)  # whoever may only read has no more to say
LOG = logging.getLogger("evgit.server")  # refused pushes and lost history, a line of JSON each
ARRIVING = 16  # times as many requests may come in as are answered at the same time


class _Refused(Exception):
    """A request that gets no further, with the status that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Server:
    """Answers requests to the repositories under a root."""

    def __init__(
        self,
        settings: ServerSettings,
        version: str,
        now: Callable[[], int],
        trust: Trust | None,
    ) -> None:
        self._settings = settings
        self._trust = trust
        self._now = now
        self._version = version
        self._large = LargeAnswers()
        self._losses_told: set[tuple[str, Loss]] = set()
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
            response = await self._answered(request)
        except _Refused as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
            response = PlainTextResponse(refused.text + "\n", refused.status, headers)
        except ClientDisconnect:
            response = PlainTextResponse("the client went away\n", 400)
        except EvgitError as error:  # a full disk, say: the other side is told as in any reply
            told = b"".join(framed(encode(error_reply(error))))
            response = Response(told, media_type=MEDIA_TYPE)
        self.metrics.add("evgit_requests_total", f'status="{response.status_code}"')
        return response

    async def _answered(self, request: Request) -> Response:
        name = request.path_params["name"]
        access = self._access(request, name)
        directory = repository_directory(self._settings.root, name)
        layout = None if directory is None else Layout.exactly(directory)
        if layout is None:
            raise _Refused(404, "there is no such repository")
        try:
            with self._slot("arriving", ARRIVING * self._settings.max_requests):
                body = await self._body(request, access, layout)
        except _Refused as refused:  # strangers can't fill the log
            if access.write:
                why = f"HTTP {refused.status}"
                self._log(Refusal(access.name, "request", [], why, refused.text), name)
            raise
        ending = ExitStack()  # what the answer holds until it is sent
        try:
            ending.callback(body.close)
            ending.enter_context(self._slot("active", self._settings.max_requests))
            head, chunks = await run_in_threadpool(self._answer, name, layout, access, body, ending)
        except BaseException:
            ending.close()
            raise
        return _Answer(self._sent(head, chunks), ending.close, self._settings.silent_seconds)

    @contextmanager
    def _slot(self, what: str, most: int) -> Iterator[None]:
        """One of so many that may be at the same thing. Refuses those who come too many."""
        if not self.metrics.enter(what, most):
            raise _Refused(503, "too many requests at once: try again later")
        try:
            yield
        finally:
            self.metrics.leave(what)

    def _answer(
        self, name: str, layout: Layout, access: Access, body: ArrivingBody, ending: ExitStack
    ) -> tuple[bytes, Iterator[bytes]]:
        repository = self._open(layout, access)
        ending.callback(repository.close)
        self._tell_losses(repository, name)
        service = repository.service(
            access.name,
            write=access.write,
            aside=self._large.aside,
            refused=lambda refusal: self._log(refusal, name),
        )
        if access.write:
            keep_abandoned(service, layout.incoming)
        try:
            source = body.rewound()
            message = read_message(source)
            if message is None:
                raise _Refused(400, "an empty request")
            return service.answer(message, read_body(source))
        except (InvalidObject, TransferInterrupted) as error:
            raise _Refused(400, error.message) from None

    def _log(self, refusal: Refusal, repository: str) -> None:
        LOG.warning("%s", refusal_line(refusal, self._now(), repository))

    def _tell_losses(self, repository: Repository, name: str) -> None:
        """Log each loss once, however many requests find it."""
        for loss in repository.lost:
            if (name, loss) not in self._losses_told:
                self._losses_told.add((name, loss))
                line = {"time": to_text(self._now()), "repository": name, "lost": loss}
                LOG.warning("%s", msgspec.json.encode(line).decode())

    def _open(self, layout: Layout, access: Access) -> Repository:
        use = ModelUse(trust=self._trust, jobs=1)  # many may push at once
        repository = Repository(layout, author=f"{access.name} <>", clock=self._now, model=use)
        repository.store.jobs = 1
        return repository

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

    async def _body(self, request: Request, access: Access, layout: Layout) -> ArrivingBody:
        """All of a request's body. Of one that stops short, what came whole is kept."""
        limit = self._settings.max_body_bytes
        if not access.write:
            limit = min(limit, MAX_READING_BYTES)
        with suppress(ValueError):
            if int(request.headers.get("content-length", "0")) > limit:
                raise _Refused(413, f"a request of more than {limit:,} bytes")
        body = ArrivingBody(layout.incoming if access.write else None)
        try:
            await self._take_in(request, body, limit)
        except BaseException as error:
            try:
                if access.write and isinstance(error, ClientDisconnect | TimeoutError):
                    await run_in_threadpool(self._keep, layout, access, body)
            finally:
                body.close()
            if isinstance(error, TimeoutError):
                raise _Refused(408, "the request came too slowly") from None
            raise
        self.metrics.add("evgit_received_bytes_total", amount=body.size)
        return body

    async def _take_in(self, request: Request, body: ArrivingBody, limit: int) -> None:
        stream = request.stream()
        async with asyncio.timeout(self._settings.request_seconds):
            while True:
                async with asyncio.timeout(self._settings.silent_seconds):
                    chunk = await anext(stream, None)
                if chunk is None:
                    return
                if body.size + len(chunk) > limit:
                    raise _Refused(413, f"a request of more than {limit:,} bytes")
                if body.on_disk:
                    await run_in_threadpool(body.write, chunk)
                else:
                    body.write(chunk)

    def _keep(self, layout: Layout, access: Access, body: ArrivingBody) -> None:
        """Keep what came of a push that was cut short."""
        if body.on_disk:
            with self._open(layout, access) as repository:
                keep(repository.service(access.name, write=access.write), body.rewound())

    async def _sent(self, head: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        async for part in iterate_in_threadpool(framed(head, chunks)):
            self.metrics.add("evgit_sent_bytes_total", amount=len(part))
            yield part


class _Answer(StreamingResponse):
    """A streaming answer that is ended whatever becomes of it, sent or not.

    Who takes nothing of it for `silent` seconds gets no more, and holds nobody else up.
    """

    def __init__(self, parts: AsyncIterator[bytes], end: Callable[[], None], silent: float) -> None:
        super().__init__(parts, media_type=MEDIA_TYPE)
        self._end = end
        self._silent = silent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._silent):
                await send(message)

        try:
            with suppress(TimeoutError, ClientDisconnect):
                await super().__call__(scope, receive, send_in_time)
        finally:
            await run_in_threadpool(self._end)


def make_app(
    settings: ServerSettings,
    version: str,
    clock: Callable[[], int] = now,
    trust: Trust | None = None,
) -> Starlette:
    """The ASGI application for a root of repositories. `clock`: gives the present instant.
    `trust`: says which models may run, to judge what is pushed; without it, none."""
    return Server(settings, version, clock, trust).app()
