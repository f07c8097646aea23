"""The chain of a listener."""

from __future__ import annotations

from gateway import names
from xds_server.audience import Level
from xds_server.render import to_json
from xds_server.resources import filters
from xds_server.resources.ext_proc import RulesRead
from xds_server.resources.features import FEATURES
from xds_server.resources.filters import DISCOVERED, http_filters
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER

NEW = FEATURES[Level.V1_40]


def test_the_router_is_last_and_what_is_compressed_was_seen_before() -> None:
    assert [each["name"] for each in http_filters(NEW)] == [
        "dragoman.br",
        "dragoman.gzip",
        "dragoman.zstd",
        names.EXT_PROC_FILTER,
        "envoy.filters.http.router",
    ]


def test_what_changes_is_discovered() -> None:
    assert (
        tuple(each["name"] for each in http_filters(NEW) if "config_discovery" in each)
        == DISCOVERED
    )


def test_what_is_discovered_needs_the_workers() -> None:
    topology = Topology(workers=("unix:/a",))
    found = filters.ext_proc_filter(topology, RulesRead(frozenset(), False), FEATURES[Level.V1_40])
    assert found.name == names.EXT_PROC_FILTER
    assert found.needs == ((CLUSTER, names.EXTPROC_CLUSTER),)
    assert to_json(found)["typed_config"]["grpc_service"]["envoy_grpc"] == {
        "cluster_name": names.EXTPROC_CLUSTER,
        "skip_envoy_headers": True,
    }
