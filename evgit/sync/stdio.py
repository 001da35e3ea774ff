"""Messages over a pair of byte streams, as `evgit serve --stdio` speaks through ssh.

A message is a line of JSON. Its body follows as chunks: four bytes that say how long the next is
(big-endian), and the chunk; a length of 0 ends the body. Every message has a body, if an empty
one. A length of 2^32-1 says that the sender failed in the middle. It must not know messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from evgit.errors import EvgitError, InvalidObject, TransferInterrupted
from evgit.sync.messages import MAX_MESSAGE_BYTES, encode, error_reply
from evgit.sync.service import Service
from evgit.sync.spool import REQUEST, Spool

MAX_CHUNK_BYTES = 1 << 20
_FAILED = 0xFFFF_FFFF
_LENGTH_BYTES = 4


def framed(message: bytes, body: Iterable[bytes] = ()) -> Iterator[bytes]:
    """A message with its body, as bytes to be sent. Raises what the body raises, having said so."""
    yield message + b"\n"
    try:
        for whole in body:
            for start in range(0, len(whole), MAX_CHUNK_BYTES):
                chunk = whole[start : start + MAX_CHUNK_BYTES]
                yield len(chunk).to_bytes(_LENGTH_BYTES, "big") + chunk
    except GeneratorExit:
        raise
    except BaseException:
        yield _FAILED.to_bytes(_LENGTH_BYTES, "big")
        raise
    yield bytes(_LENGTH_BYTES)


def write_message(target: BinaryIO, message: bytes, body: Iterable[bytes] = ()) -> None:
    """Write a message with its body. Raises OSError, and what the body raises."""
    try:
        for part in framed(message, body):
            target.write(part)
    finally:
        target.flush()


def read_message(source: BinaryIO) -> bytes | None:
    """The next message's line; None at the end. Raises InvalidObject, TransferInterrupted."""
    line = source.readline(MAX_MESSAGE_BYTES * 16 + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        if len(line) > MAX_MESSAGE_BYTES * 16:
            raise InvalidObject(
                "a message that is too long", hint="is this the address of an evgit repository?"
            )
        raise TransferInterrupted("the other side stopped in the middle of a message")
    return line[:-1]


def read_body(source: BinaryIO) -> Iterator[bytes]:
    """A body's chunks. Raises TransferInterrupted where it stops short, InvalidObject."""
    while True:
        head = _exactly(source, _LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        if length == 0:
            return
        if length == _FAILED:
            raise TransferInterrupted(
                "the other side failed in the middle of a transfer", hint="try again"
            )
        if length > MAX_CHUNK_BYTES:
            raise InvalidObject(f"a chunk of {length:,} bytes in a transfer")
        yield _exactly(source, length)


def _exactly(source: BinaryIO, count: int) -> bytes:
    data = source.read(count)
    while data is not None and 0 < len(data) < count:
        more = source.read(count - len(data))
        if not more:
            break
        data += more
    if data is None or len(data) < count:
        raise TransferInterrupted(
            "the other side fell silent in the middle of a transfer",
            hint="what came whole is kept: the same command goes on from there",
        )
    return data


def serve(service: Service, source: BinaryIO, target: BinaryIO) -> None:
    """Answer messages until there are no more. Raises EvgitError where that makes no sense."""
    while (message := read_message(source)) is not None:
        body = read_body(source)
        answer, chunks = service.answer(message, body)
        for _ in body:
            pass  # what was refused is read all the same, or the next message would not be found
        try:
            write_message(target, answer, chunks)
        except EvgitError:
            continue  # said so already


def refuse(error: EvgitError, source: BinaryIO, target: BinaryIO) -> None:
    """Tell whoever asks why there is no answer. Raises the error itself where nobody asks."""
    if read_message(source) is None:
        raise error
    for _ in read_body(source):
        pass
    write_message(target, encode(error_reply(error)))


def keep_abandoned(service: Service, directory: Path) -> None:
    """Keep what came whole of requests whose receivers were killed, out of a directory of spools.

    Raises StorageFull and its like.
    """
    for spool in Spool.abandoned(directory, REQUEST):
        try:
            keep(service, spool.rewound())
        finally:
            spool.discard()


def keep(service: Service, source: BinaryIO) -> None:
    """Keep what came whole of a request that was cut short. No ref moves."""
    with suppress(InvalidObject, TransferInterrupted):
        message = read_message(source)
        if message is not None:
            service.keep(message, read_body(source))
