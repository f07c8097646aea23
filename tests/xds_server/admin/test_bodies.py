"""Bodies are read up to a length."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from xds_server.admin.bodies import TooLong, body_of


def read(parts: list[bytes], limit_bytes: int) -> bytes:
    waiting = list(parts)

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    return asyncio.run(body_of(Request({"type": "http", "headers": []}, receive), limit_bytes))


def test_a_body_comes_in_pieces() -> None:
    assert read([b"ab", b"", b"c"], 3) == b"abc"


def test_one_byte_too_many_is_too_long() -> None:
    with pytest.raises(TooLong):
        read([b"ab", b"cd"], 3)
