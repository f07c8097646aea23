"""What Envoys can do, level by level: the only place that knows a version.

Builders ask for a feature by name. docs/envoy-versions.md tells what stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds_server.audience import Level


@dataclass(frozen=True, slots=True)
class Features:
    """What an Envoy has beyond what the oldest has."""

    reads_plans: bool
    """It goes through the plan of a request, cluster by cluster: the `priority_group` specifier
    and `refresh_cluster_on_retry`. Without: a composite cluster for each plan, chosen by header.
    """
    reads_usage: bool
    """It reads the usage of an answer as it passes: `ai_protocol_manager` with trailers at the end.
    Without: answers whose usage a budget waits for are shown to extproc.
    """
    matches_content_types: bool
    """Its compressor takes matchers of content types. Without: a list, which is deprecated now."""
    answers_for_services: bool
    """When a service that is asked by HTTP gives no answer, clients are told the status that is
    configured; of a refusal, they see the headers that are for them. Without: 403, and those that
    are for the backend."""
    splits_cookies: bool
    """Tokens that are larger than a cookie may be are in several."""
    renews_logins: bool
    """What it signs when it renews a login is for the host that the browser asked for. Without: for
    the backend's, so that each request would renew it again."""


FEATURES: Mapping[Level, Features] = {
    Level.V1_37: Features(
        reads_plans=False,
        reads_usage=False,
        matches_content_types=False,
        answers_for_services=False,
        splits_cookies=False,
        renews_logins=False,
    ),
    Level.V1_40: Features(
        reads_plans=True,
        reads_usage=True,
        matches_content_types=True,
        answers_for_services=True,
        splits_cookies=True,
        renews_logins=True,
    ),
}
