from __future__ import annotations

from gateway.model import Endpoint, Listener
from tests.gateway.config.loading import complaints, meant


def test_without_gateways_there_is_one_on_8080() -> None:
    expected = (Listener("default", "0.0.0.0", 8080, 32 * 2**20),)
    assert meant("gateways:\n").listeners == meant("llm:\n").listeners == expected


def test_gateways_keep_their_order_and_say_what_they_want() -> None:
    gateway = meant(
        """
        gateways:
          z: {port: "${PORT}", address: 127.0.0.1, max_request_bytes: 1MB}
          a: {port: 81}
        """,
        PORT="8443",
    )
    assert gateway.listeners == (
        Listener("z", "127.0.0.1", 8443, 1_000_000),
        Listener("a", "0.0.0.0", 81, 32 * 2**20),
    )


def test_a_variable_never_becomes_structure() -> None:
    assert complaints("gateways: {a: '${X}'}", X="{port: 80}") == [
        "gateways.a: must be a block of keys and values"
    ]


def test_no_gateway_at_all_is_a_problem() -> None:
    assert complaints("gateways: {}") == ["gateways: must not be empty"]


def test_the_operators_endpoint_is_local_unless_written() -> None:
    assert meant("admin:").admin == Endpoint("127.0.0.1", 15000)
    assert meant("admin: {address: '0.0.0.0:9000'}").admin == Endpoint("0.0.0.0", 9000)
