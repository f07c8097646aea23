"""The block of a REST API: its document, and which of its operations are tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.load import load, load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.config.sources import load_sources
from gateway.mcp import McpServer, Transport
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints
from tests.kit.openapi_documents import SHOP_31, document

INLINE = json.dumps(SHOP_31)
NOWHERE = document("/x", "get", {})


def loaded(folder: Path, server: str) -> Config:
    (folder / "shop.yaml").write_text(SHOP_31)
    (folder / "gateway.yaml").write_text(f"mcp: {{servers: {{shop: {server}}}}}\n")
    found = load_file(folder / "gateway.yaml", {})
    assert isinstance(found, Config), [str(each) for each in found]
    return found


def shop(config: Config) -> McpServer:
    (found,) = resolve(config).mcp.servers
    return found


def tools(server: McpServer) -> list[str]:
    assert server.api is not None
    return [each.name for each in server.api.operations]


@pytest.mark.parametrize("server", ["{openapi: shop.yaml}", "{openapi: {file: shop.yaml}}"])
def test_a_document_is_a_file_beside_the_configuration(tmp_path: Path, server: str) -> None:
    config = loaded(tmp_path, server)
    assert shop(config).transport is Transport.OPENAPI
    assert not shop(config).is_hubs
    assert tools(shop(config)) == ["listThings", "addThing", "get_things_by_id", "things_remove"]
    (service,) = resolve(config).services
    assert (service.name, service.upstream.authority) == ("mcp/shop", "eu.shop.example:8443")


def test_the_document_is_watched(tmp_path: Path) -> None:
    loaded(tmp_path, "{openapi: shop.yaml}")
    watched = load_sources(tmp_path / "gateway.yaml", {}).watched
    assert tmp_path / "shop.yaml" in watched


def test_what_is_said_of_it_is_meant(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "{url: 'http://10.0.0.5:81/v9', openapi: {file: shop.yaml, include: [{tags: things}],"
        " exclude: [{methods: [delete]}], names: {addThing: add}, output_schemas: false}}",
    )
    server = shop(config)
    assert tools(server) == ["listThings", "add", "get_things_by_id"]
    assert server.api is not None
    assert {(each.base_path, each.output_schema) for each in server.api.operations} == {("/v9", "")}
    (service,) = resolve(config).services
    assert service.upstream.authority == "10.0.0.5:81"


def test_workers_are_told_the_document_and_read_the_same(tmp_path: Path) -> None:
    server = (
        "{key: the-key, url: 'http://a:1/v9', openapi: {file: shop.yaml, names: {addThing: add}}}"
    )
    config = loaded(tmp_path, server)
    for text in (for_workers(config), published(config)):
        again = load(text, file="told", environment={})
        assert isinstance(again, Config)
        assert shop(again).api == shop(config).api
        assert "the-key" not in text
        assert "shop.yaml" not in text
    assert "http://a" not in for_workers(config)


def test_a_key_in_the_query_is_told_workers_alone(tmp_path: Path) -> None:
    config = loaded(tmp_path, "{openapi: {file: shop.yaml, secret_query: {limit: the-key}}}")
    assert "the-key" not in published(config)
    again = load(for_workers(config), file="told", environment={})
    assert isinstance(again, Config)
    for server in (shop(config), shop(again)):
        assert server.secret_query == (("limit", "the-key"),)
        assert server.api is not None
        assert [each.name for each in server.api.operations[0].parameters] == ["trace", "color"]
        assert "limit" in server.api.operations[0].reserved
        assert "the-key" not in repr(server)


def test_every_problem_of_a_document_is_told_with_its_line(tmp_path: Path) -> None:
    broken = SHOP_31.replace("in: path", "in: nowhere").replace("in: header", "in: elsewhere")
    (tmp_path / "shop.yaml").write_text(broken)
    (tmp_path / "gateway.yaml").write_text("mcp:\n  servers:\n    shop: {openapi: shop.yaml}\n")
    found = load_file(tmp_path / "gateway.yaml", {})
    assert isinstance(found, tuple)
    assert [(each.line, each.path) for each in found] == [(3, "mcp.servers.shop.openapi")] * 2
    assert found[0].message.startswith(
        "shop.yaml:10: #/paths/~1things/parameters/0/in: 'trace' is in 'elsewhere'"
    )
    assert found[0].hint == "one of path, query, header, cookie"


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        ("{openapi: {}}", "mcp.servers.a.openapi: needs exactly one of file, url and inline"),
        ("{openapi: {inline: '3'}}", "mcp.servers.a.openapi: inline: an OpenAPI document is an ob"),
        (f"{{openapi: {{inline: {INLINE}}}, command: [a]}}", "mcp.servers.a: has an openapi, and"),
        (f"{{openapi: {{inline: {INLINE}}}, transport: sse}}", "mcp.servers.a: has an openapi, a"),
        (f"{{openapi: {{inline: {INLINE}}}, shared: true}}", "mcp.servers.a: has a url, and 'sha"),
        ("{url: 'http://a', transport: openapi}", "mcp.servers.a: needs an openapi, and no trans"),
        (
            f"{{openapi: {{inline: {INLINE}, include: [{{}}]}}}}",
            "mcp.servers.a.openapi.include.0: needs one of names, tags, methods and paths",
        ),
        (
            f"{{openapi: {{inline: {INLINE}, include: [{{tags: thing}}]}}}}",
            "mcp.servers.a.openapi: inline: include (tags: thing) means no operation of the docu",
        ),
        (
            f"{{openapi: {{inline: '{NOWHERE}'}}}}",
            "mcp.servers.a.openapi: the document does not say where the API is",
        ),
        (
            f"{{url: 'http://a', ca: x, openapi: {{inline: '{NOWHERE}'}}}}",
            "mcp.servers.a.ca:",
        ),
    ],
)
def test_what_is_no_api_is_told(server: str, complaint: str) -> None:
    (found,) = complaints(f"mcp: {{servers: {{a: {server}}}}}")
    assert found.startswith(complaint)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("mcp: {servers: {a: {openapi: no.yaml}}}")
    (found,) = load_file(tmp_path / "gateway.yaml", {})  # type: ignore[misc]
    assert found.path == "mcp.servers.a.openapi"
    assert "no.yaml" in found.message
