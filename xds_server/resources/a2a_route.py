"""The routes of the A2A gateway: extproc says which agent each request goes to."""

from __future__ import annotations

import re

from gateway import names
from gateway.model import Gateway, Listener
from xds_server.resources import ext_proc
from xds_server.resources.direct_route import direct_route
from xds_server.resources.extension import Json
from xds_server.resources.features import Features
from xds_server.resources.plans import PLANNED
from xds_server.resources.webhooks import webhook_routes

NAME = "dragoman/a2a"
"""No plain route can have this name, since theirs have no slash."""
REGISTRY = "dragoman/a2a/registry"
"""The list of agents, and what happened to them, away from the agents."""
GRPC = "dragoman/a2a/grpc"
"""Requests of gRPC, whose path names no agent."""
FOUND = "dragoman/a2a/found"
"""The same requests, once extproc has said their agent, and the path that they have there."""

FOUND_SEVERAL = f"{FOUND}/several"
"""Those of them that others may get, too, where there is no connection to the first."""


def a2a_routes(gateway: Gateway, listener: Listener, features: Features) -> tuple[Json, ...]:
    """Where clients find the agents; nothing where there are none."""
    if not gateway.a2a.agents:
        return ()
    per_filter = {names.EXT_PROC_FILTER: ext_proc.a2a_bodies(listener.max_request_bytes)}
    has_agent: Json = {"name": names.A2A_HEADER, "present_match": True}  # clients' own is removed
    registry = re.escape(gateway.a2a.registry)
    services = "|".join(map(re.escape, names.A2A_GRPC_SERVICES))
    matches: tuple[tuple[str, Json], ...] = (
        (FOUND, {"prefix": "/", "headers": [has_agent]}),
        (NAME, {"path_separated_prefix": gateway.a2a.path}),
        (REGISTRY, {"safe_regex": {"regex": f"{registry}(/events)?"}}),
        (GRPC, {"safe_regex": {"regex": f"/({services})/[A-Za-z]+"}}),
    )
    several = gateway.a2a.has_instances and features.reads_plans
    turns = _turns(gateway, per_filter) if several else ()
    called = () if gateway.a2a.push is None else webhook_routes(gateway, per_filter)
    return (
        *called,
        *turns,
        *(
            direct_route(name, match, names.A2A_HEADER, gateway, per_filter)
            for name, match in matches
        ),
    )


def _turns(gateway: Gateway, per_filter: Json) -> tuple[Json, ...]:
    """To one after the other, of those that extproc has named."""
    has_others: Json = {"name": names.A2A_OTHERS_HEADER, "present_match": True}
    match: Json = {"prefix": "/", "headers": [has_others]}
    route = direct_route(FOUND_SEVERAL, match, names.A2A_HEADER, gateway, per_filter)
    action = {key: value for key, value in route["route"].items() if key != "cluster_header"}
    retried = {
        **action["retry_policy"],
        "num_retries": 0,  # extproc raises it to how many others there are
        "refresh_cluster_on_retry": True,
    }
    return ({**route, "route": {**action, **PLANNED, "retry_policy": retried}},)
