"""Compute the id of a blob or an event; store a blob.

    evgit hash-object report.pdf          the id that the file has as a blob
    evgit hash-object -w report.pdf       store it, and print its id
    evgit hash-object -t event event.json the id of an event, in canonical form
    zcat report.gz | evgit hash-object -w -

An id is the BLAKE3-256 of the blob's bytes, or of the event's canonical JSON. To store an event,
commit it.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from evgit.bridges.named_files import open_to_read
from evgit.cli.command import documented
from evgit.cli.event_arguments import read_argument
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.errors import UsageError
from evgit.formats.event import batch_from_lines
from evgit.formats.hashing import new_hasher

CHUNK_BYTES = 1 << 20


@documented(__doc__, "hash-object")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-w", "--write", is_flag=True, help="Store the blob.")
@click.option(
    "-t", "--type", "kind", type=click.Choice(["blob", "event"]), default="blob", help="[blob]"
)
@click.pass_obj
def command(invocation: Invocation, files: tuple[str, ...], write: bool, kind: str) -> None:
    if write and kind == "event":
        raise UsageError(
            "events are not stored on their own",
            hint="append the event to a stream: evgit commit, or evgit import",
        )
    with invocation.output() as output:
        for name in files:
            if kind == "event":
                (event_id,) = batch_from_lines([read_argument(f"@{name}").strip()]).ids
                output.line(event_id.hex())
            elif name == "-":
                _blob(output, sys.stdin.buffer, write)
            else:
                with open_to_read(name, hint="give a file, or - for standard input") as file:
                    _blob(output, file, write)


def _blob(output: Output, source: BinaryIO, write: bool) -> None:
    if write:
        with open_repository() as repository:
            blob_id, _ = repository.write_blob(source)
    else:
        hasher = new_hasher()
        while chunk := source.read(CHUNK_BYTES):
            hasher.update(chunk)
        blob_id = hasher.hexdigest()
    output.line(blob_id)
