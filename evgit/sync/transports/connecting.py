"""From an address to a transport, which alone is loaded. It must not know what will be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from evgit.errors import NotARepository
from evgit.storage.layout import Layout
from evgit.sync.service import Policy, Service
from evgit.sync.store import Store
from evgit.sync.transport import Transport
from evgit.sync.transports.address import parse_address
from evgit.sync.transports.local import LocalTransport


class Connecting(msgspec.Struct, frozen=True):
    """How to go to other repositories. `author`: who is named in their op logs.

    `ssh`: the command that stands for `ssh`, in words. `token`: gives the bearer token for a URL,
    or None. `certificates`: a file of those to trust for https, in place of the system's.
    `user`: what the rules of a repository on this machine call whoever pushes; `opened`: opens one,
    and gives what answers for it and what closes it. Without that, it can only be read.
    """

    author: str
    now: Callable[[], int]
    ssh: tuple[str, ...] = ("ssh",)
    token: Callable[[str], str | None] = lambda url: None
    certificates: str | None = None
    user: str = ""
    opened: Callable[[Layout], tuple[Service, Callable[[], None]]] | None = None


def connect(address: str, using: Connecting, into: Store | None = None) -> Transport:
    """A transport to the repository at an address, or to what was made of one to be fetched from.

    `into`: the repository that is going to receive. Raises NotARepository, UsageError,
    InvalidInput, TransferInterrupted.
    """
    knows = _nothing if into is None else into.knows
    found = parse_address(address)
    if found.kind == "ssh":
        from evgit.sync.transports.ssh import SshTransport

        return SshTransport(found, using.ssh)
    if found.kind == "http":
        from evgit.sync.transports.http_files import EitherTransport

        incoming = None if into is None else into.layout.incoming
        token = using.token(found.url)
        return EitherTransport(found.url, token, using.certificates, knows, incoming)
    path = Path(found.path).expanduser()
    layout = Layout.exactly(path)
    if layout is not None and using.opened is not None:
        return LocalTransport(*using.opened(layout))
    if layout is not None:
        store = Store.open(layout, using.author, using.now)
        return LocalTransport(Service(store, Policy(write=False)), store.close)
    from evgit.formats.backup_list import FILE_NAME as BACKUP_LIST
    from evgit.formats.published_list import FILE_NAME

    if (path / BACKUP_LIST).exists() or (path.suffix == ".tar" and path.is_file()):
        raise NotARepository(
            f"{path} is a backup, no repository",
            hint=f"make a repository of it first: evgit restore {path} DIR",
        )
    if path.is_file():
        from evgit.sync.bundle_file import BundleFile
        from evgit.sync.transports.packs import PackTransport

        return PackTransport(BundleFile(path), knows)
    if (path / FILE_NAME).exists():
        from evgit.sync.published import DirectoryPlace, PublishedSource
        from evgit.sync.transports.packs import PackTransport

        return PackTransport(PublishedSource(DirectoryPlace(path)), knows)
    raise NotARepository(
        f"there is no evgit repository at {path}",
        hint="give the directory that holds `.evgit`, a bare repository, a bundle, or a published "
        "directory",
    )


def _nothing(_: str) -> bool:
    return False
