"""Routes that go through a plan."""

from __future__ import annotations

from gateway import names
from xds_server.resources.plans import PLANNED


def test_the_plan_is_extprocs_and_without_one_nobody_is_asked() -> None:
    found = PLANNED["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    assert found["override_metadata_namespace"] == names.PLAN_NAMESPACE
    (group,) = found["priority_groups"]
    assert [each["cluster_name"] for each in group["clusters"]] == [names.UNPLANNED_CLUSTER]
