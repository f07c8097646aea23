"""What servers are asked by the gateway itself, and what they said: requests as they are sent to a
server of either era, and answers read.

https://modelcontextprotocol.io/specification, "Transports": Streamable HTTP.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from extproc.mcp import headers, jsonrpc, messages, rounds
from extproc.mcp.merging import LEGACY_REVISIONS
from extproc.mcp.sessions import ServerSession
from extproc.mcp.views import Served
from extproc.ports import Asked
from extproc.protocols import json_spans
from extproc.protocols.json_spans import Path

ACCEPT: Final = "application/json, text/event-stream"
_OF_REQUESTS: Final = (
    headers.META_VERSION,
    headers.META_CLIENT_INFO,
    headers.META_CAPABILITIES,
)
"""What clients without sessions say of themselves with each request."""
_ERA_META: Final = b"io.modelcontextprotocol/"
_OWN_IDS: Final = "dragoman-"
SERVER_INFO: Final = {"name": "dragoman", "title": "Dragoman", "version": "0.1.0"}


class Client(Struct, frozen=True):
    """What a modern server is told of the client with each request."""

    info: Raw = Raw(b'{"name":"dragoman","version":"0.1.0"}')
    capabilities: Raw = Raw(b"{}")


class Answer(Struct, frozen=True):
    """What a server said; one of result and error, or neither, where it was no answer."""

    status: int
    """Of HTTP; 0: it gave no answer."""
    result: bytes | None = None
    """JSON, as the error."""
    error: bytes | None = None
    session: str = ""
    """What it calls the session that began with it."""
    why: str = ""
    """It gave no answer, for people."""
    is_question: bool = False
    """That is since it wants to ask the client something first."""

    @property
    def code(self) -> int:
        """Of the error; 0: there is none."""
        if self.error is None:
            return 0
        found = _members(self.error).get("code", Raw(b"0"))
        try:
            return msgspec.json.decode(found, type=int)
        except msgspec.ValidationError:
            return 0


class _Said(Struct):
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_said = msgspec.json.Decoder(_Said)


def asked(
    served: Served,
    session: ServerSession,
    method: str,
    params: bytes,
    client: Client,
    name: str = "",
) -> Asked:
    """A request of ours; `params` in JSON, empty: none. `name`: of what is asked for.

    Its id is its own: in one session, other requests may be on their way, and of other workers.
    """
    body = jsonrpc.request(own_id(), method, _of_era(params, session.revision, client))
    said = head(served, session, method)
    if name and headers.is_modern(session.revision):
        said = (*said, (headers.NAME, headers.encoded(name)))
    return Asked("POST", served.path, said, body)


def own_id() -> bytes:
    """An id that no other request of the session has, in JSON."""
    return msgspec.json.encode(_OWN_IDS + secrets.token_hex(8))


def told(
    served: Served, session: ServerSession, method: str, params: bytes, client: Client
) -> Asked:
    """A notification of ours, or one that is passed on."""
    body = jsonrpc.notification(method, _of_era(params, session.revision, client))
    return Asked("POST", served.path, head(served, session, method), body)


def ended(served: Served, session: ServerSession) -> Asked:
    """The session is over."""
    return Asked("DELETE", served.path, head(served, session, ""), b"")


def head(served: Served, session: ServerSession, method: str) -> tuple[tuple[str, str], ...]:
    """The headers of a request to a server."""
    said = [("accept", ACCEPT), ("content-type", "application/json")]
    if session.revision:
        said.append((headers.PROTOCOL_VERSION, session.revision))
        if headers.is_modern(session.revision) and method:
            said.append((headers.METHOD, method))
    if session.id:
        said.append((headers.SESSION_ID, session.id))
    return (*said, *served.headers)


def _of_era(params: bytes, revision: str, client: Client) -> bytes:
    """The parameters as servers of that revision have them."""
    if headers.is_modern(revision):
        return with_meta(params, revision, client)
    return without_meta(params, messages.META[1:])


def with_meta(params: bytes, revision: str, client: Client) -> bytes:
    """What a modern server wants said with each request; what was there of it is replaced."""
    document = _members(params) if params else {}
    meta: dict[str, Raw] = _members(document.get("_meta", Raw(b"{}")))
    meta[headers.META_VERSION] = Raw(msgspec.json.encode(revision))
    meta[headers.META_CLIENT_INFO] = client.info
    meta[headers.META_CAPABILITIES] = client.capabilities
    return msgspec.json.encode({**document, "_meta": meta})


def without_meta(body: bytes, at: Path = messages.META) -> bytes:
    """A message, or with `at` its parameters, for a server of sessions, which knows all that from
    its handshake, and may take who says it for a client without."""
    meta = json_spans.value_at(body, at) if _ERA_META in body else None
    if meta is None or not meta.startswith(b"{"):
        return body
    return messages.rewritten(body, {at: json_spans.remove(meta, _OF_REQUESTS)})


def client_of(initialize: bytes | Raw) -> Client:
    """Of what it said when it initialized."""
    said = _members(initialize)
    known = Client()
    return Client(said.get("clientInfo", known.info), said.get("capabilities", known.capabilities))


def client_of_meta(meta: Mapping[str, object]) -> Client:
    """Of what it says with a request, where there are no sessions."""
    known = Client()
    info, capabilities = meta.get(headers.META_CLIENT_INFO), meta.get(headers.META_CAPABILITIES)
    return Client(
        Raw(msgspec.json.encode(info)) if isinstance(info, dict) else known.info,
        Raw(msgspec.json.encode(capabilities)) if isinstance(capabilities, dict) else Raw(b"{}"),
    )


def initialize_of(client: Client) -> bytes:
    """What such a client would say to a server of sessions: of what it can, that which it can be
    asked; for the hub brings it questions, and nothing else that such a server says unasked."""
    return msgspec.json.encode(
        {
            "protocolVersion": LEGACY_REVISIONS[-1],
            "capabilities": {
                name: value
                for name, value in _members(client.capabilities).items()
                if name in rounds.CAPABILITIES
            },
            "clientInfo": client.info,
        }
    )


def read(status: int, head: Mapping[str, str], body: bytes) -> Answer:
    """What an answer says."""
    session = head.get(headers.SESSION_ID, "")
    try:
        said = _said.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return Answer(status, session=session, why=f"status {status}, and no JSON-RPC answer")
    if not isinstance(said.result, UnsetType):
        return Answer(status, result=bytes(said.result), session=session)
    if not isinstance(said.error, UnsetType):
        return Answer(status, error=bytes(said.error), session=session)
    return Answer(status, session=session, why=f"status {status}, and no JSON-RPC answer")


def _members(value: bytes | Raw) -> dict[str, Raw]:
    """Of an object, as they are written; none of anything else."""
    try:
        return msgspec.json.decode(value, type=dict[str, Raw])
    except (msgspec.ValidationError, msgspec.DecodeError):
        return {}
