"""The events that all contenders store: a generator, and files of real events.

Generated events are about 212 bytes of JSON, spread evenly over 10,000 streams: the same seed
gives the same bytes on every machine. It knows no store.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import zstandard

STREAMS = 10_000
SEED = 20_260_301
_TYPES = ("deposit_made", "card_charged", "fee_charged", "cash_withdrawn")
_CURRENCIES = ("EUR", "USD", "GBP")
_START = datetime(2026, 3, 1, tzinfo=UTC)


class Line(msgspec.Struct):
    """An event as it lies in the file. `data` and `meta` are JSON text, not decoded."""

    stream: str
    type: str
    time: str
    data: msgspec.Raw
    meta: msgspec.Raw = msgspec.Raw(b"{}")
    version: int = 1


class Event(Line):
    """An event decoded to the last member, as any reader of the lines would declare it."""

    data: dict[str, Any]  # type: ignore[assignment]
    meta: dict[str, Any] = {}  # type: ignore[assignment]


line_decoder = msgspec.json.Decoder(Line)
event_decoder = msgspec.json.Decoder(Event)


@dataclass(frozen=True)
class Dataset:
    """A file of events as JSON lines: `events` of them. `real`: not made by the generator."""

    name: str
    path: Path
    events: int
    real: bool = False

    def read_streams(self) -> Counter[str]:
        """How many events each stream has."""
        with self.path.open("rb") as file:
            return Counter(line_decoder.decode(line).stream for line in file)


def generate(count: int, *, streams: int = STREAMS, seed: int = SEED) -> Iterator[bytes]:
    """`count` lines, each with its newline, in order of time."""
    choose = random.Random(seed)
    instant = _START
    for number in range(count):
        instant += timedelta(microseconds=choose.randrange(1, 2_000_000))
        till = choose.randrange(1, 40)
        yield (
            f'{{"stream":"account-{choose.randrange(streams):07d}",'
            f'"type":"{choose.choice(_TYPES)}",'
            f'"time":"{instant:%Y-%m-%dT%H:%M:%S.%f}Z",'
            f'"data":{{"amount":{choose.randrange(1, 5_000)},'
            f'"currency":"{choose.choice(_CURRENCIES)}","note":"till {till}",'
            f'"balance":{choose.randrange(100_000)}}},'
            f'"meta":{{"actor":"till-{till}","correlation":"c-{number:09d}"}}}}\n'
        ).encode()


def generated(directory: Path, count: int, *, streams: int = STREAMS) -> Dataset:
    """A dataset of generated events, written to `directory` unless it is there already."""
    path = directory / f"generated-{count}-{streams}.jsonl"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.writelines(generate(count, streams=streams))
        partial.rename(path)
    return Dataset(f"{count:,} events", path, count)


def unpacked(directory: Path, source: Path) -> Dataset:
    """A dataset from a file of JSON lines, `.jsonl` or `.jsonl.zst`."""
    path = directory / source.name.removesuffix(".zst")
    with source.open("rb") as packed, path.open("wb") as file:
        if source.suffix == ".zst":
            zstandard.ZstdDecompressor().copy_stream(packed, file)
        else:
            file.writelines(packed)
    with path.open("rb") as file:
        count = sum(1 for _ in file)
    return Dataset(path.name.removesuffix(".jsonl"), path, count, real=True)
