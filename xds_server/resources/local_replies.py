"""What Envoy itself says on the LLM route, in the shape of OpenAI's errors.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from dataclasses import dataclass

from xds_server.resources import llm_route
from xds_server.resources.extension import Json, extension

_OURS = 'response.code_details.startsWith("dragoman_")'


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An error that Envoy answers with."""

    when: str
    """CEL over the response; the first that holds is taken."""
    code: str
    message: str
    is_clients_fault: bool = False
    status: int | None = None
    """Answered instead of Envoy's own status."""


POLICY_UNAVAILABLE = LocalReply(
    'response.code_details.startsWith("ext_proc")',
    "policy_unavailable",
    "the policy service did not answer, and nothing passes unchecked",
    status=503,
)
"""On every route that asks."""

LOCAL_REPLIES = (
    LocalReply(
        "response.code == 413",
        "request_too_large",
        "the request is larger than this gateway accepts",
        is_clients_fault=True,
    ),
    LocalReply(
        "response.code == 408",
        "request_timeout",
        "the request did not arrive in time",
        is_clients_fault=True,
    ),
    LocalReply("response.code == 504", "provider_timeout", "no provider answered in time"),
    LocalReply("response.code >= 500", "provider_unavailable", "no provider could be reached"),
    LocalReply(
        "response.code >= 400",
        "bad_request",
        "the request was refused: %RESPONSE_CODE_DETAILS%",
        is_clients_fault=True,
    ),
)


def local_reply_config() -> Json:
    """Leaves extproc's own answers as they are, and other routes but for a missing policy."""
    on_route = f'xds.route_name == "{llm_route.NAME}"'
    return {
        "mappers": [
            {"filter": _cel(_OURS)},
            _mapper(POLICY_UNAVAILABLE, POLICY_UNAVAILABLE.when),
            *(_mapper(reply, f"{on_route} && {reply.when}") for reply in LOCAL_REPLIES),
        ]
    }


def _mapper(reply: LocalReply, expression: str) -> Json:
    error = {
        "message": reply.message,
        "type": "invalid_request_error" if reply.is_clients_fault else "server_error",
        "param": None,
        "code": reply.code,
    }
    mapper: Json = {
        "filter": _cel(expression),
        "body_format_override": {
            "json_format": {"error": error},
            "content_type": "application/json",
        },
    }
    if reply.status is not None:
        mapper["status_code"] = reply.status
    return mapper


def _cel(expression: str) -> Json:
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            expression=expression,
        )
    }
