"""What is sent to the admin API, up to a length."""

from __future__ import annotations

from starlette.requests import Request


class TooLong(ValueError):
    """More was sent than is read."""


async def body_of(request: Request, limit_bytes: int) -> bytes:
    """All of it; raises TooLong."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            raise TooLong
        parts.append(part)
    return b"".join(parts)
