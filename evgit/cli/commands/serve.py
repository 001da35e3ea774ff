"""Answer other repositories that clone, fetch and push.

    evgit serve --stdio PATH             over standard input and output: what ssh runs on this side
    evgit serve /srv/events              over HTTP, on 127.0.0.1:8470; anyone there may read
    evgit serve /srv/events --config FILE --host 0.0.0.0 --cert FILE --key FILE
    evgit serve --new-token              make a token, and the line that goes into the configuration

Over HTTP every repository below the directory is served under its path: /srv/events/shop/ledger is
http://HOST:8470/shop/ledger. Without a configuration nobody may write. `/health`, `/metrics` and
`/openapi.json` say how it is going. Over standard input, whoever may run the command may write;
--read-only refuses that. What may be pushed to which branch, say the repository's settings
`receive.BRANCH.…`: see docs/server.md. There, people are called by the names of their tokens; over
standard input by the user that they log in as, or by --as NAME, to be given in a forced command.
Each push that is refused leaves a line of JSON: on standard error, or over standard input in the
repository's `refused.jsonl`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from evgit import __version__
from evgit.cli.command import documented
from evgit.cli.identity import identity
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import model_use
from evgit.cli.opening import open_repository_at
from evgit.cli.remotes import system_user
from evgit.cli.silence import not_for_ever
from evgit.errors import EvgitError, NotFound, UsageError
from evgit.repository import refuse, serve

PORT = 8470
SILENT_SECONDS = 3600.0


@documented(__doc__, "serve")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output.")
@click.option("--as", "name", metavar="NAME", help="What rules and the op log call who asks.")
@click.option("--read-only", is_flag=True, help="Refuse what would change anything.")
@click.option(
    "--silent-seconds",
    type=click.FloatRange(0, 365 * 86_400, min_open=True),
    default=SILENT_SECONDS,
    metavar="N",
    help="End when the other side of --stdio says nothing for so long [3600].",
)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Who may do what.")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Listen on [127.0.0.1].")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    metavar="PORT",
    help=f"Listen on [{PORT}]; 0: any free one.",
)
@click.option("--cert", metavar="FILE", help="Certificate, for https.")
@click.option("--key", metavar="FILE", help="The certificate's private key.")
@click.option("--new-token", is_flag=True, help="Make a token, and end.")
@click.pass_obj
def command(
    invocation: Invocation,
    path: Path,
    stdio: bool,
    name: str | None,
    read_only: bool,
    silent_seconds: float,
    config: Path | None,
    host: str,
    port: int,
    cert: str | None,
    key: str | None,
    new_token: bool,
) -> None:
    if new_token:
        _new_token(invocation)
    elif stdio:
        try:
            opened = open_repository_at(path)
        except EvgitError as error:  # said once, by who asked
            refuse(error, sys.stdin.buffer, sys.stdout.buffer)
            return
        with opened as repository:
            repository.author = f"{name} <>" if name else identity(repository).author
            service = repository.service(name or system_user(), write=not read_only)
            ends = sys.stdin.buffer.fileno(), sys.stdout.buffer.fileno()
            with not_for_ever(*ends, silent_seconds) as (source, target):
                serve(service, source, target)
    else:
        if not path.is_dir():
            raise NotFound(f"there is no directory {path}", hint="name the one to serve")
        running = _server("running")
        settings = _server("settings")
        found = (
            settings.ServerSettings(root=path)
            if config is None
            else settings.read_settings(config, path)
        )
        running.run(
            found,
            __version__,
            host=host,
            port=port,
            cert=cert,
            key=key,
            say=invocation.note,
            trust=model_use().trust,
        )


def _new_token(invocation: Invocation) -> None:
    token, hashed = _server("access").new_token()
    with invocation.output() as output:
        output.line(token)
    invocation.note("give it to whoever is to use it; it is shown only now. In the configuration:")
    invocation.note(f'[[token]]\nname = "NAME"\nhash = "{hashed}"\nright = "read"  # or "write"')
    invocation.note('repositories = ["*"]')


def _server(module: str) -> Any:
    try:
        return import_module(f"evgit.server.{module}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "evgit":
            raise
        raise UsageError(
            f"serving over HTTP needs the package {error.name}",
            hint="pip install 'evgit[server]'",
        ) from None
