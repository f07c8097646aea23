"""Copies of requests: the routes that send them, each as another beside it, and to one mirror.

Envoy makes the copy of the headers as they are before any filter of a try runs, but reads the name
of its cluster from a header after they have run, when the wipe has taken it. So names stand in
routes, which are chosen by that header: extproc sets it, and has the route chosen anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway import names
from gateway.model import Model
from xds_server.resources.extension import Json


def mirrored(models: Sequence[Model]) -> tuple[str, ...]:
    """The providers that get copies."""
    return tuple(sorted({each.mirror.provider for each in models if each.mirror is not None}))


def with_copies(route: Json, providers: Sequence[str]) -> Iterator[Json]:
    """The route, and before it the ones that send a copy."""
    for provider in providers:
        cluster = names.mirror_cluster(provider)
        told = {"name": names.MIRROR_HEADER, "string_match": {"exact": cluster}}
        yield {
            **route,
            "name": f"{route['name']}@{provider}",
            "match": {**route["match"], "headers": [told]},
            "route": {**route["route"], "request_mirror_policies": [{"cluster": cluster}]},
        }
    yield route
