"""What Envoy starts with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import envoy_api
import pytest

from tests.kit.golden import matches
from xds_server.render import yaml_of
from xds_server.resources.bootstrap import XDS_CLUSTER, bootstrap
from xds_server.resources.extension import Json

ROOT = Path(__file__).parents[3]
ENVOY = Path(sys.executable).parent / "envoy"
COMPOSE_HEADER = """\
# What Envoy starts with when it runs apart (docker-compose.yaml): everything else comes by ADS.
# Written by the tests of xds_server/resources/bootstrap.py: REWRITE=1 make test
"""


def cluster(document: Json) -> Json:
    [found] = document["static_resources"]["clusters"]
    assert found["name"] == XDS_CLUSTER
    return dict(found)


def test_the_committed_file_is_the_one_for_compose() -> None:
    document = bootstrap("xds:18000", "127.0.0.1:9901", "envoy")
    text = COMPOSE_HEADER + yaml_of(document)
    assert matches(text, ROOT / "envoy" / "bootstrap.yaml"), "REWRITE=1 rewrites it"


def test_a_unix_socket_needs_no_name_service() -> None:
    found = cluster(bootstrap("unix:/run/xds.sock", "127.0.0.1:0", "n"))
    assert found["type"] == "STATIC"
    [locality] = found["load_assignment"]["endpoints"]
    address = locality["lb_endpoints"][0]["endpoint"]["address"]
    assert address == {"pipe": {"path": "/run/xds.sock"}}


def test_a_hostname_is_resolved() -> None:
    assert "cluster_type" in cluster(bootstrap("xds:18000", "127.0.0.1:0", "n"))


def test_everything_is_a_field_of_envoys_api() -> None:
    document = bootstrap("xds:18000", "127.0.0.1:0", "n")
    message = envoy_api.from_dict("envoy.config.bootstrap.v3.Bootstrap", document)
    assert message.node.id == "n"


@pytest.mark.envoy
def test_envoy_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.json"
    path.write_text(json.dumps(bootstrap("unix:/run/xds.sock", "127.0.0.1:0", "n")))
    command = [ENVOY, "--mode", "validate", "-c", path, "--disable-hot-restart"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_envoy_asks_for_differences_unless_told_otherwise() -> None:
    kinds = [
        bootstrap("unix:/x", "unix:/a", "n", is_delta=is_delta)["dynamic_resources"]["ads_config"]
        for is_delta in (True, False)
    ]
    assert [each["api_type"] for each in kinds] == ["DELTA_GRPC", "GRPC"]
