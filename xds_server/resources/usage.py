"""The usage of an answer, read by Envoy while the answer passes, and published at its end.

It runs in the provider's cluster and not in the listener's chain. There, the trailers that it adds
with the last byte would pass by ext_proc whenever that still waits for its answer about the
headers, since a filter that holds the data is not asked about trailers added before it. From here
they come as any upstream's trailers, one event after the data.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway import names
from gateway.model import Dialect
from xds_server.resources.extension import Json, extension, typed

_LARGEST_SSE_EVENT = 1 << 20
_LARGEST_JSON_ANSWER = 10 << 20  # the most that Envoy allows
_NO_LIMIT_OF_EVENTS = 0xFFFFFFFF


_PROTOCOLS: Mapping[Dialect, str] = {
    Dialect.OPENAI_CHAT: "OPENAI_CHAT_COMPLETIONS",
    Dialect.OPENAI_RESPONSES: "OPENAI_RESPONSES",
    Dialect.ANTHROPIC: "ANTHROPIC_MESSAGES",
    Dialect.GEMINI: "GEMINI_GENERATE_CONTENT",
}
"""Those that Envoy can read."""


def usage_filter(dialect: Dialect) -> Json | None:
    """Reads answers of this dialect, if Envoy can; leaves them, and requests, as they are."""
    protocol = _PROTOCOLS.get(dialect)
    if protocol is None:
        return None
    return extension(
        names.USAGE_FILTER,
        "envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager",
        response_handling={
            "token_usage": {
                "include_unconfigured_routes": True,
                "default_llm_protocol": protocol,
                "usage_signal": "SYNTHESIZE_TRAILERS",
                "metadata_namespace": names.USAGE_NAMESPACE,
                "limits": {
                    "max_sse_event_size": _LARGEST_SSE_EVENT,
                    "max_json_body_size": _LARGEST_JSON_ANSWER,
                    "max_parsed_sse_events": _NO_LIMIT_OF_EVENTS,
                },
            }
        },
    )


def on_route(dialect: Dialect) -> Json:
    """Per-route configuration: answers that are not translated are in the client's dialect, of
    whichever dialects the provider has."""
    protocol = _PROTOCOLS.get(dialect)
    if protocol is None:
        return {}
    config = typed(
        "envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManagerPerRoute",
        response={"llm_protocol": protocol},
    )
    return {names.USAGE_FILTER: config}
