"""Routes whose requests go through a plan that extproc wrote, try by try: each goes to the next
cluster of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway import names
from xds_server.resources.extension import Json, extension

_UNPLANNED: Json = {"cluster_name": names.UNPLANNED_CLUSTER, "weight": 1}
PLANNED: Mapping[str, Json] = MappingProxyType(
    {
        "inline_cluster_specifier_plugin": {
            "extension": extension(
                "envoy.router.cluster_specifier_plugin.priority_group",
                "envoy.extensions.router.cluster_specifiers.priority_group.v3"
                ".PriorityGroupClusterSpecifier",
                priority_groups=[{"name": "unplanned", "clusters": [_UNPLANNED]}],
                override_metadata_namespace=names.PLAN_NAMESPACE,
            )
        }
    }
)
"""Of a route's action; without a plan, the answer is 503."""
