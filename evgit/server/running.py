"""Runs the server with uvicorn until it is told to stop."""

from __future__ import annotations

import logging
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from evgit.errors import Unavailable, UsageError
from evgit.server.app import LOG, make_app
from evgit.server.impatience import impatient
from evgit.server.settings import ServerSettings
from evgit.state.modelling.trust import Trust

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 15
WANTED_FILES = 65_536


def run(
    settings: ServerSettings,
    version: str,
    *,
    host: str,
    port: int,
    cert: str | None = None,
    key: str | None = None,
    say: Callable[[str], None] = print,
    trust: Trust | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `say` is told where; `trust` as for `make_app`.

    Raises Unavailable, UsageError.
    """
    if (cert is None) != (key is None):
        raise UsageError("--cert and --key go together")
    if cert is not None and key is not None:
        _refuse_bad_certificate(cert, key)
    allow_many_files()
    _log_to_standard_error()
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Unavailable(
            f"can't listen on {host}:{port}: {error.strerror}", hint="choose another --port"
        ) from None
    config = uvicorn.Config(
        make_app(settings, version, trust=trust),
        http=impatient(settings.silent_seconds),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=settings.max_header_bytes,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    name = f"[{host}]" if ":" in host else host
    scheme = "http" if cert is None else "https"
    say(f"serving {settings.root} on {scheme}://{name}:{listening.getsockname()[1]}")
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _log_to_standard_error() -> None:
    """Each line as it is: it is JSON, and says when."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers[:] = [handler]
    LOG.propagate = False


def _refuse_bad_certificate(cert: str, key: str) -> None:
    for path in (cert, key):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        raise UsageError(
            f"{cert} and {key} are no certificate with its private key: {error.reason}",
            hint="both are files in PEM form",
        ) from None


def allow_many_files() -> None:
    """Raise this process's own limit of open files, as far as it may: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
