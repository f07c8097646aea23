"""An event stream of a server, by Envoy's inner listener: its bytes as they come, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from extproc.hub.asking import Answer, NoAnswer, Question, ask
from extproc.hub.driver import WayOut
from gateway import names

EVENT_STREAM = "text/event-stream"


class NoStream(Exception):
    """There is no stream; `status` is what was answered, 0: nothing."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def question(
    cluster: str, path: str, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> Question:
    """A GET, or with a body a POST, to a server."""
    said = (("host", "services"), (names.SERVICE_HEADER, cluster), *headers)
    return Question("POST" if body else "GET", path, said, body)


async def pieces(way: WayOut, asked: Question) -> AsyncIterator[bytes]:
    """What it is answered, piece by piece; the first is empty, and says that it has begun.

    Raises `NoStream`.
    """
    answer: Answer | None = None
    try:
        answer = await ask(way, asked)
        if (refused := refusal(answer.status, answer.headers.get("content-type", ""))) is not None:
            raise refused
        yield b""
        async for piece in answer.pieces():
            yield piece
    except NoAnswer as error:
        raise NoStream(0, str(error)) from None
    finally:
        if answer is not None:
            answer.close()


async def status_of(way: WayOut, cluster: str, path: str, seconds: float) -> int:
    """What a GET without a session is answered with; 0: nothing, or too late."""
    try:
        async with asyncio.timeout(seconds):
            answer = await ask(way, question(cluster, path, (("accept", EVENT_STREAM),)))
    except (NoAnswer, TimeoutError):
        return 0
    answer.close()
    return answer.status


def refusal(status: int, kind: str) -> NoStream | None:
    """None: what is answered so is a stream; `kind`: the content type."""
    if status == 200 and kind.startswith(EVENT_STREAM):
        return None
    return NoStream(status, f"status {status}")
