"""BLAKE3 and SHA-256 in C: the official vectors, and what other implementations say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from evgit.formats.native import native

LENGTHS = [
    *range(301), 1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073, 4096, 5120, 7168, 7169, 8191,
    8192, 8193, 16384, 16385, 17408, 31744, 100_000,
]  # fmt: skip

Hash = Callable[[bytes], bytes]


def python_blake3(data: bytes) -> bytes:
    return blake3(data).digest()


def python_sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.fixture(scope="module", params=["plain", "quickest"])
def hashes(request: pytest.FixtureRequest) -> Iterator[tuple[Hash, Hash]]:
    """BLAKE3 and SHA-256: of the native part, by code for any processor and by the best for this
    one; of other libraries where there is no native part."""
    if native is None:
        yield python_blake3, python_sha256
        return
    native.choose_hashes(request.param == "plain")
    yield native.blake3, native.sha256
    native.choose_hashes(False)


def pattern(size: int) -> bytes:
    """The input of BLAKE3's official vectors: bytes that count from 0 to 250 and begin anew."""
    return bytes(i % 251 for i in range(size))


# BLAKE3's test_vectors.json (github.com/BLAKE3-team/BLAKE3), the first 32 bytes of "hash".
BLAKE3_VECTORS = {
    0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    1025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
    31744: "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
    102400: "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
}


@pytest.mark.parametrize("size", BLAKE3_VECTORS)
def test_blake3_gives_its_official_vectors(hashes: tuple[Hash, Hash], size: int) -> None:
    assert hashes[0](pattern(size)).hex() == BLAKE3_VECTORS[size]


# FIPS 180-2, appendix B; that of the empty message is well known.
SHA256_VECTORS = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


@pytest.mark.parametrize("data", SHA256_VECTORS, ids=len)
def test_sha256_gives_its_official_vectors(hashes: tuple[Hash, Hash], data: bytes) -> None:
    assert hashes[1](data).hex() == SHA256_VECTORS[data]


def test_both_say_what_other_libraries_say_at_every_length(hashes: tuple[Hash, Hash]) -> None:
    for size in LENGTHS:
        data = pattern(size)[::-1]
        assert hashes[0](data) == python_blake3(data), size
        assert hashes[1](data) == python_sha256(data), size


@given(start=st.binary(max_size=70), size=st.integers(0, 40_000))
def test_both_say_what_other_libraries_say_of_anything(
    hashes: tuple[Hash, Hash], start: bytes, size: int
) -> None:
    data = start + pattern(size)
    assert hashes[0](data) == python_blake3(data)
    assert hashes[1](data) == python_sha256(data)
    assert hashes[0](memoryview(data)[1:]) == python_blake3(data[1:])


def native_ids(lines: list[bytes]) -> bytes:
    """As the native part makes them, or as Python does."""
    if native is None:
        return python_ids(lines)
    ids = native.hashed(lines, 0)
    assert ids is not None
    return ids


def python_ids(lines: list[bytes]) -> bytes:
    return b"".join([python_blake3(line) for line in lines])


def native_text_ids(text: bytes) -> bytes | None:
    """As the native part makes them, or as Python does."""
    if native is not None:
        return native.hashed_text(text)
    if text and not text.endswith(b"\n"):
        return None
    return python_ids(text.split(b"\n")[:-1])


ANY_LINES = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.builds(pattern, st.integers(900, 1100)),
        st.builds(pattern, st.integers(0, 20_000)),
    ),
    max_size=40,
)


@given(lines=ANY_LINES, again=st.integers(1, 8))
def test_many_lines_at_once_get_the_ids_that_they_have_alone(
    hashes: tuple[Hash, Hash], lines: list[bytes], again: int
) -> None:
    lines *= again
    assert native_ids(lines) == python_ids(lines)


def test_a_batch_of_every_length(hashes: tuple[Hash, Hash]) -> None:
    lines = [pattern(size) for size in LENGTHS]
    assert native_ids(lines) == python_ids(lines)


@given(lines=ANY_LINES)
def test_a_text_is_hashed_line_by_line(hashes: tuple[Hash, Hash], lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]
    text = b"".join([line + b"\n" for line in lines])
    assert native_text_ids(text) == python_ids(lines)
    assert native_text_ids(text + b"no newline") is None


def test_what_is_no_line_is_left_to_python() -> None:
    if native is None:
        return
    assert native.hashed([b"a line", "no bytes"], 0) is None  # type: ignore[list-item]
    assert native.hashed([b"long enough", b""], 1) is None
    assert native.hashed([b"a line"], -1) is None
    assert native.hashed([], 1) == b""
    assert native.hashed_text(bytearray(b"a line\n")) is None  # type: ignore[arg-type]
