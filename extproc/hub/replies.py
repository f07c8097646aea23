"""The reply to a request that has a stream: one answer in JSON when it comes soon, else events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from extproc.hub import envelope, reading, web
from extproc.hub.reading import Form, Reader
from extproc.hub.session import Refused, Session
from extproc.hub.streams import Stream
from extproc.hub.web import Reply, Request
from extproc.mcp import jsonrpc


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told, and how."""

    session: Session
    form: Form
    takes_events: bool
    takes_json: bool
    closed: Callable[[], None]
    """Called once, when the client has all, or has gone."""
    relieved: Callable[[], None] = lambda: None
    """Called when the client has read."""
    status_of: Mapping[int, int] = field(default_factory=dict)
    """HTTP's status for errors by their code, of an answer in JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


def takes_events(request: Request) -> bool:
    """Whether its client reads event streams."""
    return _takes(request, web.EVENT_STREAM)


def takes_json(request: Request) -> bool:
    """Whether its client reads JSON."""
    return _takes(request, web.JSON)


def _takes(request: Request, kind: str) -> bool:
    accept = request.headers.get("accept", "*/*").lower()
    return kind in accept or "*/*" in accept or f"{kind.partition('/')[0]}/*" in accept


async def told(stream: Stream, telling: Telling) -> Reply:
    """Waits a little for the answer, and if it is slow begins to stream."""
    reader = Reader(stream, telling.relieved)
    try:
        await _first(reader, telling)
        taken = reader.take()
    except BaseException:  # the client has gone
        reader.close()
        telling.closed()
        raise
    is_whole = stream.is_ended and len(taken) <= 1
    if is_whole and (telling.takes_json or not telling.takes_events):
        reader.close()
        telling.session.forget(stream)
        telling.closed()
        return _whole(taken, telling)
    body = reading.events(reader, telling.form, telling.closed, taken)
    return web.events(body, telling.headers)


async def _first(reader: Reader, telling: Telling) -> None:
    """Until there is something to say, or it takes too long."""
    stream = reader.stream
    while not stream.is_ended:
        if not telling.takes_events:
            await reader.wait_for_end()
        elif stream.end or not await reader.wait(reading.JSON_SECONDS):
            return


def _whole(taken: list[tuple[int, bytes]], telling: Telling) -> Reply:
    if not taken:  # it was called off
        return Reply(202, headers=telling.headers)
    body = taken[0][1]
    code = envelope.error_code(envelope.read(body))
    status = 200 if code is None else telling.status_of.get(code, 200)
    return web.json(body, status, telling.headers)


def refusal(refused: Refused, id: bytes | None = None) -> Reply:
    """What a client is told of what is not taken."""
    body = jsonrpc.error(id or jsonrpc.NO_ID, refused.code, refused.text)
    return web.json(body, refused.status)
