"""Headers of images, as their specifications say."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.image_size import Size, size_of, size_of_base64

sizes = st.builds(Size, st.integers(1, 16383), st.integers(1, 16383))


def png(size: Size) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", *size) + b"\x08\x02"


def gif(size: Size) -> bytes:
    return b"GIF89a" + struct.pack("<HH", *size) + b"\xf7\0\0"


def jpeg(size: Size, metadata: int = 40) -> bytes:
    frame = struct.pack(">BHHB", 8, size.height, size.width, 3)
    exif = struct.pack(">BBH", 0xFF, 0xE1, metadata + 2) + b"E" * metadata
    return b"\xff\xd8" + exif + b"\xff" + struct.pack(">BBH", 0xFF, 0xC2, 17) + frame + b"\0" * 20


def webp(kind: bytes, rest: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(rest)) + rest + b"\0" * 20
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def webp_lossy(size: Size) -> bytes:
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", *size))


def webp_lossless(size: Size) -> bytes:
    bits = (size.width - 1) | (size.height - 1) << 14
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", bits))


def webp_extended(size: Size) -> bytes:
    width, height = ((side - 1).to_bytes(3, "little") for side in size)
    return webp(b"VP8X", b"\x10\0\0\0" + width + height)


FORMATS = (png, gif, jpeg, webp_lossy, webp_lossless, webp_extended)


@pytest.mark.parametrize("build", FORMATS)
@given(size=sizes)
def test_every_format_says_its_size(build, size: Size) -> None:  # type: ignore[no-untyped-def]
    data = build(size)
    assert size_of(data) == size
    assert size_of_base64(base64.b64encode(data).decode()) == size


@pytest.mark.parametrize("build", FORMATS)
def test_a_header_that_is_cut_off_says_nothing(build) -> None:  # type: ignore[no-untyped-def]
    whole = build(Size(640, 480))
    found = [size_of(whole[:end]) for end in range(len(whole))]
    assert set(found) <= {None, Size(640, 480)}
    assert found[0] is None


def test_the_size_of_a_jpeg_stands_behind_its_metadata() -> None:
    data = base64.b64encode(jpeg(Size(4000, 3000), metadata=60_000)).decode()
    assert size_of_base64(data) == Size(4000, 3000)


@pytest.mark.parametrize(
    "data", [png(Size(0, 5)), gif(Size(5, 0)), b"%PDF-1.7", b"", b"\xff\xd8\xff\xe0\0\0"]
)
def test_what_is_no_image_has_no_size(data: bytes) -> None:
    assert size_of(data) is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"RIFF\0\0\0\0WEBP", b"GIF89a"]))
def test_nonsense_has_some_size_or_none(data: bytes, start: bytes) -> None:
    size = size_of(start + data)
    assert size is None or (size.width > 0 and size.height > 0)


@pytest.mark.parametrize("text", ["é" * 100, "not base64", "====", "A"])
def test_what_is_no_base64_has_no_size(text: str) -> None:
    assert size_of_base64(text) is None
