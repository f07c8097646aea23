"""Which listeners of a whole configuration are closed before others take their addresses."""

from __future__ import annotations

import functools

import pytest

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.resolve import resolve
from xds_server.audience import Level
from xds_server.clients import Clients
from xds_server.compile import compile_gateway
from xds_server.moves import Without, closed_between
from xds_server.offers import EVERYBODY
from xds_server.publisher import release_of
from xds_server.release import Release
from xds_server.resources.topology import Topology
from xds_server.snapshot import LISTENER, ROUTES, Snapshot

TWO = "gateways: {{a: {{port: {}, address: 127.0.0.1}}, b: {{port: {}, address: 127.0.0.1}}}}\n"
OWN = """
xds:
  groups:
    edge:
      match: {{id: edge}}
      resources:
        - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
          name: own
          address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}
        - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
          name: grpc
          api_listener: {{}}
    others: {{}}
"""


def compiled(gateway: Gateway, *, level: Level) -> Snapshot:
    return compile_gateway(gateway, Topology(("127.0.0.1:1",)), level)


def release(text: str) -> Release:
    config = load(text, file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    make = functools.partial(release_of, meaning=resolve, compile_snapshot=compiled)
    return make(config, clients=Clients())


@pytest.mark.parametrize(
    ("old", "new", "closed"),
    [
        (TWO.format(1, 2), TWO.format(1, 2), set()),
        (TWO.format(1, 2), TWO.format(1, 3), set()),
        (TWO.format(1, 2), TWO.format(2, 1), {"gateway/a", "gateway/b"}),
        (TWO.format(1, 2), TWO.format(2, 3), {"gateway/b"}),
        (TWO.format(1, 2) + OWN.format(3), TWO.format(3, 2) + OWN.format(4), {"own"}),
        (TWO.format(1, 2) + OWN.format(3), TWO.format(4, 2) + OWN.format(1), {"gateway/a"}),
    ],
)
def test_what_stands_in_the_way_of_another_is_found(old: str, new: str, closed: set[str]) -> None:
    assert closed_between(release(old), release(new)) == closed


def test_without_a_listener_the_rest_is_as_it_was() -> None:
    whole = release(TWO.format(1, 2))
    less = Without(compiled, {"gateway/a"})(whole.gateway, level=EVERYBODY.level)
    assert list(less.of(LISTENER)) == ["gateway/b"]
    assert less.of(ROUTES).keys() == whole.snapshot.of(ROUTES).keys()
