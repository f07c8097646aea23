"""What Envoy itself says on the LLM routes, in the shape of the errors that their clients expect,
and on those of MCP.

https://platform.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors,
https://cloud.google.com/apis/design/errors, Bedrock's common errors, and JSON-RPC 2.0, "Error
object".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from gateway import names
from xds_server.resources import (
    a2a_route,
    asked_limit,
    llm_route,
    local_limit,
    login,
    mcp_route,
    rbac,
)
from xds_server.resources.extension import Json, log_filter

_OURS = 'response.code_details.startsWith("dragoman_")'


class Fault(Enum):
    """Who could have done otherwise."""

    SERVER = auto()
    CLIENT = auto()
    KEY = auto()
    """The client: its key is missing."""
    LIMIT = auto()
    """The client: it was too fast."""
    RULE = auto()
    """The client: it may not."""


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An error that Envoy answers with."""

    when: str
    """CEL over the response; the first that holds is taken."""
    code: str
    message: str
    fault: Fault = Fault.SERVER
    status: int | None = None
    """Answered instead of Envoy's own status."""
    challenge: str = ""
    """Of a 401 (RFC 6750 §3)."""


POLICY_UNAVAILABLE = LocalReply(
    f'response.code_details.startsWith("{names.UNDECIDED}")',
    "policy_unavailable",
    "the policy service did not answer, and nothing passes unchecked",
    status=503,
)
"""On every route that asks."""

LIMITED = LocalReply(
    local_limit.REFUSED,
    "rate_limit_exceeded",
    f"%RESP({names.LIMIT_HEADER})%",
    Fault.LIMIT,
)
"""On plain routes."""

OF_SERVICES = (
    LocalReply(
        asked_limit.REFUSED,
        "rate_limit_exceeded",
        "a limit of this route is reached, as its rate limit service says",
        Fault.LIMIT,
    ),
    LocalReply(
        asked_limit.UNANSWERED,
        "limits_unavailable",
        "the rate limit service of this route did not answer",
    ),
)
"""The same, where a rate limit service is asked."""
EXTERNAL_UNAVAILABLE = LocalReply(
    f'response.code_details == "{names.EXTERNAL_FAILED}"',
    "external_unavailable",
    "the service that must allow it did not answer, and nothing passes unchecked",
)
"""On every route that asks a service, with the status that its configuration says."""

EXTERNALLY_DENIED = LocalReply(
    f'response.code_details == "{names.EXTERNAL_DENIED}"',
    "external_denied",
    "%LOCAL_REPLY_BODY%",  # the service's own words
    Fault.CLIENT,
)
"""On the LLM routes; on others the service's answer is the client's as it is."""

OF_LOGINS = (
    LocalReply(
        f'response.code == 401 && xds.route_name.startsWith("{names.LOGIN_ROUTE_PREFIX}")',
        names.LOGIN_FAILED,
        "the login did not succeed: begin again at the page that you want",
        Fault.KEY,
        challenge="Bearer",
    ),
    LocalReply(
        f"response.code == 401 && ({login.IS_NOT_SENT})",
        names.LOGIN_REQUIRED,
        "nobody is logged in, and only a browser that opens a page is sent to log in",
        Fault.KEY,
        challenge="Bearer",
    ),
)
"""Where people log in; in this order."""

UNASKED = LocalReply(
    f'response.code_details == "{names.NOT_ASKED}"',
    "permission_denied",
    "a service that must allow it is not asked on this connection, which is older: connect again",
    Fault.RULE,
)
"""The same."""

EXTERNAL_REPLIES = (EXTERNAL_UNAVAILABLE, EXTERNALLY_DENIED, UNASKED)

LOCAL_REPLIES = (
    LocalReply(
        f'response.code == 401 && response.code_details == "{names.WITHOUT_KEY}"',
        "missing_api_key",
        "%LOCAL_REPLY_BODY%",  # names the header
        Fault.KEY,
    ),
    LocalReply(
        "response.code == 413",
        "request_too_large",
        "the request is larger than this gateway accepts",
        Fault.CLIENT,
    ),
    LocalReply(
        "response.code == 408",
        "request_timeout",
        "the request did not arrive in time",
        Fault.CLIENT,
    ),
    LocalReply("response.code == 504", "provider_timeout", "no provider answered in time"),
    LocalReply("response.code >= 500", "provider_unavailable", "no provider could be reached"),
    LocalReply(
        "response.code >= 400",
        "bad_request",
        "the request was refused: %RESPONSE_CODE_DETAILS%",
        Fault.CLIENT,
    ),
)

OF_MCP = (
    *LOCAL_REPLIES[1:3],
    LocalReply("response.code == 504", "server_timeout", "the MCP server did not answer in time"),
    LocalReply("response.code >= 500", "server_unavailable", "the MCP server could not be reached"),
)
"""On the routes of MCP. Other answers with 4xx are left alone: clients tell eras by them."""
OF_A2A = (
    *LOCAL_REPLIES[1:3],
    LocalReply("response.code == 504", "agent_timeout", "the agent did not answer in time"),
    LocalReply("response.code >= 500", "agent_unreachable", "the agent could not be reached"),
)
"""On the routes of agents."""
_IS_OF_AGENTS = (
    f'xds.route_name.startsWith("{a2a_route.NAME}") && !("content-type" in request.headers'
    ' && request.headers["content-type"].startsWith("application/grpc"))'
)
"""To clients of gRPC, Envoy says a status of gRPC."""

_WHY = f"%CEL({rbac.REASON})%"
DENIALS = (
    LocalReply(
        f'response.code_details == "{rbac.details(names.INVALID_TOKEN_POLICY)}"',
        "invalid_token",
        _WHY,
        Fault.KEY,
        401,
        'Bearer error="invalid_token"',
    ),
    LocalReply(
        f'response.code_details == "{rbac.details(names.MISSING_CREDENTIAL_POLICY)}"',
        "missing_credential",
        _WHY,
        Fault.KEY,
        401,
        "Bearer",
    ),
    LocalReply(rbac.IS_REFUSED, "permission_denied", _WHY, Fault.RULE),
)
"""On plain routes on which Envoy decides; as Python says it."""


_OPENAI: Mapping[Fault, str] = {
    Fault.SERVER: "server_error",
    Fault.CLIENT: "invalid_request_error",
    Fault.KEY: "authentication_error",
    Fault.LIMIT: "rate_limit_error",
    Fault.RULE: "permission_error",
}
_ANTHROPIC: Mapping[Fault, str] = {**_OPENAI, Fault.SERVER: "api_error"}
_GEMINI: Mapping[Fault, str] = {
    Fault.SERVER: "UNAVAILABLE",
    Fault.CLIENT: "INVALID_ARGUMENT",
    Fault.KEY: "UNAUTHENTICATED",
    Fault.LIMIT: "RESOURCE_EXHAUSTED",
    Fault.RULE: "PERMISSION_DENIED",
}
_BEDROCK: Mapping[Fault, str] = {
    Fault.SERVER: "ServiceUnavailableException",
    Fault.CLIENT: "ValidationException",
    Fault.KEY: "UnrecognizedClientException",
    Fault.LIMIT: "ThrottlingException",
    Fault.RULE: "AccessDeniedException",
}


_INVALID_REQUEST, _INTERNAL_ERROR = -32600, -32603
"""Of JSON-RPC."""


def local_reply_config(
    *,
    counts_requests: bool = False,
    asks_services: bool = False,
    external: LocalReply | None = None,
    logs_in: bool = False,
    serves_mcp: bool = False,
    serves_a2a: bool = False,
) -> Json:
    """Leaves extproc's own answers as they are, and other routes but for a missing policy, and for
    a limit where Envoy counts. `external`: where services are asked, when one gives no answer.
    `logs_in`: where people do. `serves_mcp`: there are MCP servers, `serves_a2a`: agents."""
    return {
        "mappers": [
            {"filter": log_filter(_OURS)},
            *(
                _mapper(reply, f'xds.route_name.startsWith("{route}") && {reply.when}', said)
                for route, said in _DIALECTS
                for reply in (
                    POLICY_UNAVAILABLE,
                    *((external, EXTERNALLY_DENIED, UNASKED) if external is not None else ()),
                    *LOCAL_REPLIES,
                )
            ),
            *(
                _mapper(
                    reply, f'xds.route_name.startsWith("{mcp_route.NAME}") && {reply.when}', _mcp
                )
                for reply in (
                    POLICY_UNAVAILABLE,
                    *((external,) if external is not None else ()),
                    *OF_MCP,
                )
                if serves_mcp
            ),
            *(
                _mapper(reply, f"{_IS_OF_AGENTS} && {reply.when}", _a2a)
                for reply in (
                    POLICY_UNAVAILABLE,
                    *((external,) if external is not None else ()),
                    *OF_A2A,
                )
                if serves_a2a
            ),
            *(
                _mapper(reply, f"{asked}{reply.when}", said)
                for asked, said in _SHAPES
                for reply in (
                    *DENIALS,
                    *(OF_LOGINS if logs_in else ()),
                    POLICY_UNAVAILABLE,
                    *((external,) if external is not None else ()),
                    *((LIMITED,) if counts_requests else ()),
                    *(OF_SERVICES if asks_services else ()),
                )
            ),
        ]
    }


def _mapper(reply: LocalReply, expression: str, said: Callable[[LocalReply], Json]) -> Json:
    mapper: Json = {
        "filter": log_filter(expression),
        "body_format_override": {
            "json_format": said(reply),
            "content_type": "application/json",
        },
    }
    if reply.status is not None:
        mapper["status_code"] = reply.status
    if reply.challenge:
        challenge = {"key": "www-authenticate", "value": reply.challenge}
        mapper["headers_to_add"] = [{"header": challenge}]
    return mapper


def _openai(reply: LocalReply) -> Json:
    error = {
        "message": reply.message,
        "type": _OPENAI[reply.fault],
        "param": None,
        "code": reply.code,
    }
    return {"error": error}


def _anthropic(reply: LocalReply) -> Json:
    error = {"type": _ANTHROPIC[reply.fault], "message": reply.message, "code": reply.code}
    return {"type": "error", "error": error}


def _gemini(reply: LocalReply) -> Json:
    status = _GEMINI[reply.fault]
    error = {"code": "%RESPONSE_CODE%", "message": reply.message, "status": status}
    return {"error": error}


def _bedrock(reply: LocalReply) -> Json:
    return {"__type": _BEDROCK[reply.fault], "message": reply.message}


def _mcp(reply: LocalReply) -> Json:
    code = _INVALID_REQUEST if reply.fault is Fault.CLIENT else _INTERNAL_ERROR
    error = {"code": code, "message": reply.message, "data": {"code": reply.code}}
    return {"jsonrpc": "2.0", "id": None, "error": error}  # Envoy knows no id


def _a2a(reply: LocalReply) -> Json:
    """For JSON-RPC and HTTP+JSON alike: Envoy does not know which it is."""
    is_clients = reply.fault is Fault.CLIENT
    error = {
        "code": _INVALID_REQUEST if is_clients else _INTERNAL_ERROR,
        "status": _GEMINI[reply.fault],
        "message": reply.message,
        "data": {"code": reply.code},
    }
    return {"jsonrpc": "2.0", "id": None, "error": error}


_DIALECTS: tuple[tuple[str, Callable[[LocalReply], Json]], ...] = (
    (llm_route.ANTHROPIC_NAME, _anthropic),
    (llm_route.GEMINI_NAME, _gemini),
    (llm_route.BEDROCK_NAME, _bedrock),
    (llm_route.NAME, _openai),
)
"""What names of routes begin with, the longest first, and how their clients are told."""


_SHAPES: tuple[tuple[str, Callable[[LocalReply], Json]], ...] = (
    ('"anthropic-version" in request.headers && ', _anthropic),
    ("", _openai),
)
"""On plain routes, by what their clients send."""
