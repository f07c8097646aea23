"""The MCP gateway of a program."""

from __future__ import annotations

from extproc.inquiring import NOBODY
from extproc.mcp_serving.serving import serving
from gateway.mcp import Mcp
from tests.kit.gateways import golden_gateway
from tests.kit.mcp_exchange import world


def test_without_servers_there_is_none() -> None:
    assert serving(Mcp(), ("secret",), world(NOBODY)) is None


def test_each_server_has_a_way_and_views_share_it() -> None:
    found = serving(golden_gateway("mcp").mcp, ("secret",), world(NOBODY))
    assert found is not None
    assert b"service/mcp/github" in found.ways.to("github", is_read=True)
    assert b"service/hub" in found.ways.to("time", is_read=False)
    assert list(found.views.all) == ["", "github", "old", "time", "work"]


def test_the_secrets_of_the_configuration_come_before_the_machines() -> None:
    mcp = golden_gateway("mcp").mcp
    one = serving(mcp, ("one",), world(NOBODY))
    other = serving(mcp, ("other",), world(NOBODY))
    assert one is not None
    assert other is not None
    assert other.views.sealer.open("dm1.x", "") is None
