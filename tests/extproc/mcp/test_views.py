"""What clients find at the paths of the MCP gateway."""

from __future__ import annotations

import pytest

from extproc.mcp.views import Views, binding_of
from extproc.principal import Kind, Principal
from tests.kit.gateways import golden_gateway

VIEWS = Views(golden_gateway("mcp").mcp, ("secret",))


@pytest.mark.parametrize(
    ("path", "servers"),
    [
        ("/mcp", ["github", "old", "time"]),
        ("/mcp/github", ["github"]),
        ("/mcp/work?x=y", ["github", "time"]),
    ],
)
def test_each_path_has_its_servers(path: str, servers: list[str]) -> None:
    view = VIEWS.find(path)
    assert view is not None
    assert list(view.servers) == servers
    assert view.is_federated is (len(servers) > 1)


def test_a_server_is_behind_its_cluster_or_the_hub() -> None:
    view = VIEWS.find("/mcp")
    assert view is not None
    assert view.servers["github"].cluster == "service/mcp/github"
    assert (view.servers["time"].cluster, view.servers["time"].path) == (
        "service/hub",
        "/servers/time",
    )
    assert not view.servers["old"].is_required


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("https://GATEWAY.example:8080", True),
        ("http://gateway.example", False),
        ("http://gateway.example:8080.evil.example", False),
        ("file://gateway.example:8080", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_pages_of_the_gateway_itself_may_ask(origin: str, may: bool) -> None:
    assert VIEWS.may_ask(origin, "gateway.example:8080") is may


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("localhost:8080", True),
        ("app.localhost", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("192.168.0.7", True),
        ("evil.example", False),
        ("localhost.evil.example:8080", False),
        ("127.0.0.1.evil.example:8080", False),
        ("notlocalhost", False),
        ("", False),
    ],
)
def test_a_page_without_tls_is_the_gateways_own_where_no_name_leads_to_it(
    host: str, may: bool
) -> None:
    """A page of `evil.example` asks `evil.example`, which resolves to the gateway by then."""
    assert VIEWS.may_ask(f"http://{host}", host) is may
    assert VIEWS.may_ask(f"https://{host}", host) is bool(host)


def test_sessions_are_of_one_caller() -> None:
    ann = Principal(Kind.API_KEY, "ann")
    issued = Principal(Kind.JWT, "ann", claims={"iss": "a"})
    other = Principal(Kind.JWT, "ann", claims={"iss": "b"})
    assert binding_of(None) == ""
    assert len({binding_of(each) for each in (ann, issued, other)}) == 3
