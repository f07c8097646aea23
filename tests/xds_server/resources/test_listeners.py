"""A listener is a skeleton: all that changes comes from elsewhere."""

from __future__ import annotations

from gateway import names
from gateway.model import Listener
from xds_server.render import to_json
from xds_server.resources import listeners
from xds_server.resources.extension import Json
from xds_server.snapshot import FILTER, ROUTES

LISTENER = Listener("default", "0.0.0.0", 8080, 1 << 20)


def http(listener: Listener = LISTENER) -> Json:
    [chain] = to_json(listeners.listener(listener))["filter_chains"]
    return dict(chain["filters"][0]["typed_config"])


def test_it_needs_its_table_and_the_discovered_filters() -> None:
    assert set(listeners.listener(LISTENER).needs) == {
        (ROUTES, names.route_table("default")),
        (FILTER, names.EXT_PROC_FILTER),
    }


def test_the_limit_of_bodies_is_not_in_it() -> None:
    larger = Listener("default", "0.0.0.0", 8080, 1 << 30)
    assert listeners.listener(larger).version == listeners.listener(LISTENER).version


def test_clients_are_not_believed() -> None:
    assert http()["use_remote_address"] is True
    [nobody] = http()["internal_address_config"]["cidr_ranges"]
    assert nobody == {"address_prefix": "255.255.255.255", "prefix_len": 32}


def test_a_path_has_one_spelling() -> None:
    assert http()["normalize_path"] is True
    assert http()["merge_slashes"] is True
    assert http()["path_with_escaped_slashes_action"] == "UNESCAPE_AND_FORWARD"
