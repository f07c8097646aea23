"""A REST API as an MCP server, through a real Envoy: the official SDK calls its operations, in both
eras, alone and together with another server. It is the example of `examples/openapi.yaml`."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.library import KEY, PNG, READER, Library
from tests.kit.mcp_clients import Ann, all_tools, talk
from tests.kit.mcp_peers import ACCEPT, mcp_servers
from tests.kit.stack import Stack

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

EXAMPLES = Path(__file__).parents[2] / "examples"
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
MORE = """
desk:
  url: {library}/api
  openapi: {copy}
  auth: {{type: api-key, header: x-library-key, key: {key}}}
  tools: {{lend: {{name: lend, description: Lends a book.}}}}
fetched:
  url: {library}/api
  openapi: {{url: "{library}/openapi.yaml", headers: {{authorization: {reader}}}}}
  auth: {{type: api-key, header: x-library-key, key: {key}}}
keyless: {{url: "{library}", openapi: "{file}", timeout: 2s}}
one: {{url: "{one}"}}
"""
RULE = {
    "name": "no-covers",
    "for": {"mcp": "library"},
    "deny": 'mcp.tool == "setCover" && has(mcp.arguments.artist) && mcp.arguments.artist == "me"',
}


SHELF = """
  /shelves/{name}:
    get: {{operationId: {name}, responses: {{"200": {{description: A shelf}}}}}}
"""


def configured(library: str, one: str, copy: Path) -> str:
    """The example, with the servers of the test, and more of them."""
    config = yaml.safe_load((EXAMPLES / "openapi.yaml").read_text("utf-8"))
    file = EXAMPLES / "openapi" / "library.yaml"
    own = config["mcp"]["servers"]["library"]
    own["url"], own["openapi"]["file"], own["auth"]["key"] = library, str(file), KEY
    copy.write_text(file.read_text("utf-8"), "utf-8")
    names = {"library": library, "file": file, "copy": copy, "reader": READER, "one": one}
    more = yaml.safe_load(MORE.format(key=KEY, **names))
    config["mcp"]["servers"].update(more)
    config["mcp"]["views"] = {"all": {"servers": ["library", "desk", "one"]}}
    config["gateways"]["default"]["port"] = "${DRAGOMAN_PORT}"
    return yaml.safe_dump({**config, "authorize": [RULE]})


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with Library() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    serve_newest: Serve, library: Library, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("openapi")
    config = folder / "gateway.yaml"
    with mcp_servers(one=[]) as servers:
        config.write_text(configured(library.url, servers["one"].url, folder / "desk.yaml"))
        with serve_newest(config, folder / "state") as stack:
            yield stack


def call(gateway: Stack, name: str, arguments: dict[str, Any], path: str = "library") -> Any:
    body = {
        "jsonrpc": "2.0",
        "id": "a",
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }
    headers = {"accept": ACCEPT, "mcp-protocol-version": "2025-11-25"}
    found = web.post(f"{gateway.url}/mcp/{path}", json=body, headers=headers, timeout=30)
    assert found.status_code == 200, found.text
    said = found.json()
    assert said["id"] == "a"
    return said.get("result") or said["error"]


async def _with(url: str, mode: str, conversation: Callable[[Client], Awaitable[None]]) -> None:
    async with Ann().client(url, mode) as client:
        await conversation(client)


@ERAS
def test_operations_are_tools(gateway: Stack, library: Library, mode: str) -> None:
    async def conversation(client: Client) -> None:
        tools = {each.name: each for each in (await client.list_tools()).tools}
        assert set(tools) == {
            *("listBooks", "addBook", "getBook", "showCover", "setCover", "lend"),
        }
        assert "X-Library-Key" not in json.dumps(tools["listBooks"].input_schema)
        found = await client.call_tool(
            "listBooks", {"genre": ["novel", "x y"], "printed": {"after": 1800}}
        )
        assert not found.is_error
        assert found.structured_content == {"result": [library.books["1"]]}
        assert library.requests[-1].path == (
            "/api/books?genre=novel&genre=x%20y&printed%5Bafter%5D=1800"
        )
        slashed = await client.call_tool("getBook", {"isbn": "a/b"})
        assert slashed.structured_content == library.books["a/b"]
        assert library.requests[-1].path == "/api/books/a%2Fb"

    talk(lambda: _with(f"{gateway.url}/mcp/library", mode, conversation))


def test_bodies_and_pictures_pass(gateway: Stack, library: Library) -> None:
    made = call(gateway, "addBook", {"isbn": "2", "title": "Tü"})
    assert made["structuredContent"] == {"isbn": "2", "title": "Tü", "added": "2026-11-26"}
    picture = base64.b64encode(PNG + b"new").decode()
    call(gateway, "setCover", {"isbn": "2", "picture": picture, "picture_filename": "a.png"})
    assert library.covers["2"] == PNG + b"new"
    shown = call(gateway, "showCover", {"isbn": "2"})
    assert shown["content"] == [{"type": "image", "data": picture, "mimeType": "image/png"}]
    lent = call(gateway, "lend", {"isbn": "2", "days": 7, "card": "c;1", "X-Desk": "east"})
    assert lent["content"] == [{"type": "text", "text": "for 7 days"}]
    asked = library.requests[-1]
    assert asked.body == b"isbn=2&days=7"
    assert (asked.headers["cookie"], asked.headers["x-desk"]) == ("card=c%3B1", "east")


def test_what_the_model_gets_wrong_it_is_told(gateway: Stack, library: Library) -> None:
    before = len(library.requests)
    missing = call(gateway, "addBook", {"title": "x"})
    assert missing["isError"]
    assert '"isbn" is a required property' in missing["content"][0]["text"]
    assert call(gateway, "getBook", {"isbn": "../books"})["isError"]
    assert call(gateway, "removeBook", {"isbn": "1"})["message"] == "Unknown tool: removeBook"
    assert len(library.requests) == before
    gone = call(gateway, "getBook", {"isbn": "3"})
    assert gone == {
        "content": [{"type": "text", "text": "HTTP 404 Not Found\nno such book"}],
        "isError": True,
    }
    broken = call(gateway, "getBook", {"isbn": "broken"})
    assert broken["isError"]
    assert "not as its document says" in broken["content"][0]["text"]
    keyless = call(gateway, "listBooks", {}, "keyless")
    assert keyless["content"][0]["text"] == "HTTP 401 Unauthorized\nno key"


def test_an_api_may_take_longer_than_envoy_waits_for_a_worker(gateway: Stack) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor() as at_once:
        late = at_once.submit(call, gateway, "getBook", {"isbn": "slow-6"})
        unread = {"isbn": "slow-4"}
        silent = at_once.submit(call, gateway, "get_books_by_isbn", unread, "keyless").result()
    assert late.result()["content"][0]["text"] == "HTTP 404 Not Found\nno such book"
    assert time.monotonic() - started > 5.5
    assert silent["isError"]
    assert silent["content"][0]["text"] == "the API gives no answer: no answer within 2 s"


def test_rules_see_tools_and_arguments(gateway: Stack) -> None:
    arguments = {"isbn": "1", "picture": "", "artist": "me"}
    assert call(gateway, "setCover", arguments)["message"] == "Unknown tool: setCover"
    assert "isError" not in call(gateway, "setCover", {**arguments, "artist": "you"})


def test_its_document_may_be_at_a_url(gateway: Stack, library: Library) -> None:
    found = call(gateway, "getBook", {"isbn": "unknown"}, "fetched")
    assert found["message"] == "Unknown tool: getBook", "the names are those of the document"
    found = call(gateway, "get_books_by_isbn", {"isbn": "a/b"}, "fetched")
    assert found["structuredContent"] == library.books["a/b"]
    kept = (gateway.state / "documents").glob("*.json")
    assert {json.loads(each.read_bytes())["url"] for each in kept} == {
        f"{library.url}/openapi.yaml"
    }


def test_it_has_neither_sessions_nor_streams(gateway: Stack) -> None:
    url = f"{gateway.url}/mcp/library"
    assert web.get(url, headers={"accept": ACCEPT}).status_code == 405
    assert web.request("DELETE", url).status_code == 405
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "resources/list"},
    ]
    found = web.post(url, json=batch, headers={"accept": ACCEPT})
    assert [each.get("result", each.get("error", {}).get("code")) for each in found.json()] == [
        {},
        -32601,
    ]
    noted = web.post(url, json=batch[1], headers={"accept": ACCEPT})
    assert (noted.status_code, noted.content) == (202, b"")


@ERAS
def test_it_is_one_of_several_servers(gateway: Stack, library: Library, mode: str) -> None:
    async def conversation(client: Client) -> None:
        tools = {each.name: each for each in await all_tools(client)}
        assert {"library__listBooks", "library__getBook", "one__add"} <= set(tools)
        assert tools["lend"].description == "Lends a book."
        lent = await client.call_tool("lend", {"isbn": "1", "card": "c"})
        assert lent.content[0].text == "for 14 days"
        found = await client.call_tool("library__getBook", {"isbn": "1"})
        assert found.structured_content == library.books["1"]
        gone = await client.call_tool("desk__removeBook", {"isbn": "9"})
        assert gone.is_error
        assert library.requests[-1].method == "DELETE"
        added = await client.call_tool("one__add", {"a": 2, "b": 3})
        assert added.structured_content == {"total": 5, "by": "one"}
        wrong = await client.call_tool("library__getBook", {"isbn": ""})
        assert wrong.is_error

    talk(lambda: _with(f"{gateway.url}/mcp/all", mode, conversation))


@ERAS
def test_a_changed_document_is_told_to_who_listens(gateway: Stack, mode: str) -> None:
    ann, shelf = Ann(), f"shelf_{mode}"
    document = gateway.config.with_name("desk.yaml")

    def put() -> None:
        written = document.read_text("utf-8")
        paths = f"paths:{SHELF.format(name=shelf)}"
        document.write_text(written.replace("paths:\n", paths, 1), "utf-8")

    async def conversation(client: Client) -> None:
        assert f"desk__{shelf}" not in {each.name for each in await all_tools(client)}
        if mode == "legacy":
            changed = "notifications/tools/list_changed"
            put()
            await ann.until(lambda: bool(ann.heard(changed)), "the list has changed")
        else:
            async with client.listen(tools_list_changed=True) as events:
                put()
                assert type(await anext(events)).__name__ == "ToolsListChanged"
        assert f"desk__{shelf}" in {each.name for each in await all_tools(client)}

    async def whole() -> None:
        async with ann.client(f"{gateway.url}/mcp/all", mode) as client:
            await conversation(client)

    talk(whole)
