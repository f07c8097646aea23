"""The HTTP filters of every listener, in chain order.

Those that change with the configuration come by ECDS, so that changing them drains nothing.
"""

from __future__ import annotations

from gateway import names
from xds_server.resources import ext_proc
from xds_server.resources.extension import (
    ADS,
    TYPE_URL_PREFIX,
    Json,
    extension,
    resource,
    typed,
)
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, FILTER, Resource

_AI = "envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager"

_LARGEST_SSE_EVENT = 1 << 20
_LARGEST_JSON_ANSWER = 10 << 20  # the most that Envoy allows
_NO_LIMIT_OF_EVENTS = 0xFFFFFFFF


def _discovered(name: str, message: str) -> Json:
    return {
        "name": name,
        "config_discovery": {"config_source": ADS, "type_urls": [TYPE_URL_PREFIX + message]},
    }


HTTP_FILTERS: tuple[Json, ...] = (
    _discovered(names.EXT_PROC_FILTER, ext_proc.FILTER),
    # after ext_proc: answers pass the chain backwards, and the usage must be known before
    # ext_proc sees the trailers
    _discovered(names.USAGE_FILTER, _AI),
    extension(  # terminal: always last
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        suppress_envoy_headers=True,
    ),
)

DISCOVERED = (names.EXT_PROC_FILTER, names.USAGE_FILTER)


def ext_proc_filter(topology: Topology, headers: frozenset[str], *, settles: bool) -> Resource:
    """Asks Python. `headers`: those that rules read."""
    name = names.EXT_PROC_FILTER
    config = ext_proc.request_filter(topology, headers, settles=settles)
    fields = {"name": name, "typed_config": config}
    return resource(FILTER, name, fields, [(CLUSTER, names.EXTPROC_CLUSTER)])


def usage_filter() -> Resource:
    """Reads the usage out of an answer while it passes, on the routes that ask for it."""
    name = names.USAGE_FILTER
    fields = extension(
        name,
        _AI,
        request_handling={"reserialize_body": "DISABLE"},
        response_handling={
            "token_usage": {
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
    return resource(FILTER, name, fields)


def usage_of_openai_chat() -> Json:
    """Per route: answers are OpenAI's chat completions."""
    return typed(f"{_AI}PerRoute", response={"llm_protocol": "OPENAI_CHAT_COMPLETIONS"})
