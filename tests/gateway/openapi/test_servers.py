"""Where an API is, and that all of it is at one place."""

from __future__ import annotations

import json

import pytest

from tests.kit.openapi_documents import document, problems, read


@pytest.mark.parametrize(
    ("server", "origin", "path"),
    [
        ({"url": "https://API.example/v1/"}, "https://api.example", "/v1"),
        ({"url": "/v2"}, "", "/v2"),
        ({"url": "/"}, "", ""),
        ({"url": "//api.example:81/x y"}, "https://api.example:81", "/x%20y"),
        (
            {"url": "{s}://a/{v}", "variables": {"s": {"default": "http"}, "v": {"default": "v3"}}},
            "http://a",
            "/v3",
        ),
    ],
)
def test_servers_are_read(server: dict[str, object], origin: str, path: str) -> None:
    api = read(document("/x", "get", {}, servers=[server]))
    assert (api.url, api.operations[0].base_path) == (origin, path)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"url": "https://{tenant}.example"}, "'https://{tenant}.example' is no URL"),
        ({"url": "https://a:port"}, "is no URL"),
        ({"url": "https://me:word@a"}, "is no URL"),
        ({"url": "wss://a"}, "'wss://a' is neither http nor https"),
        ({}, "must be the URL of a server"),
        (3, "must be an object"),
    ],
)
def test_servers_that_are_none_are_problems(server: object, said: str) -> None:
    (problem,) = problems(document("/x", "get", {}, servers=[server]))
    assert said in problem


def test_one_server_that_can_be_read_is_enough() -> None:
    servers = [{"url": "https://{x}"}, {"url": "https://a"}]
    assert read(document("/x", "get", {}, servers=servers)).url == "https://a"


def test_operations_may_be_at_other_paths_of_the_same_server() -> None:
    own = {"servers": [{"url": "https://b/x"}, {"url": "https://a/v2"}]}
    api = read(document("/x", "get", own, servers=[{"url": "https://a/v1"}]))
    assert api.operations[0].base_path == "/v2"


def test_operations_of_other_servers_are_problems() -> None:
    text = document(
        "/x", "get", {"servers": [{"url": "https://b"}]}, servers=[{"url": "https://a"}]
    )
    (problem,) = problems(text)
    assert "#/paths/~1x/get/servers: is at 'https://b', the document at 'https://a'" in problem


def test_swagger_says_host_and_base_path() -> None:
    text = {"swagger": "2.0", "host": "A.example", "paths": {"/x": {"get": {}}}}
    assert read(json.dumps(text)).url == "https://a.example"
    assert read(json.dumps({**text, "schemes": ["ws", "http"]})).url == "http://a.example"
    assert read(json.dumps({**text, "basePath": "/"})).operations[0].base_path == ""
    assert read(json.dumps({**text, "basePath": "/v1/"})).operations[0].base_path == "/v1"
