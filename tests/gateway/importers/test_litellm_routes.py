from __future__ import annotations

import pytest

from gateway.imported import Outcome
from tests.gateway.importers.litellm_files import finding, ours

AT = "general_settings.pass_through_endpoints.0"


def endpoint(settings: str, general: str = "master_key: k") -> str:
    """A file with one endpoint."""
    return (
        f"model_list: []\ngeneral_settings:\n  {general}\n"
        f"  pass_through_endpoints: [{{{settings}}}]\n"
    )


def test_a_path_and_all_below_it() -> None:
    text = endpoint(
        "path: /bria, target: 'https://engine.example/api', include_subpath: true, methods: [post]"
    )
    assert ours(text)["routes"] == [
        {
            "name": "bria",
            "match": {"path": {"prefix": "/bria"}, "methods": ["POST"]},
            "backend": "https://engine.example",
            "replace_prefix": "/api",
            "auth": "key",
        }
    ]


def test_the_same_path_there_is_matched_exactly() -> None:
    (route,) = ours(endpoint("path: /ocr/read, target: 'https://ocr.example/ocr/read'"))["routes"]
    assert route["match"] == {"path": {"exact": "/ocr/read"}}
    assert "replace_prefix" not in route


def test_another_path_there_opens_paths_below_and_says_so() -> None:
    text = endpoint("path: /ocr, target: 'https://ocr.example/read'")
    assert ours(text)["routes"][0]["match"] == {"path": {"prefix": "/ocr"}}
    assert finding(text, f"{AT}.path").is_security


@pytest.mark.parametrize(
    ("settings", "general", "auth"),
    [
        ("", "master_key: k", "key"),
        ("auth: true, ", "master_key: k", "key"),
        ("auth: false, ", "master_key: k", "none"),
        ("auth: false, ", "allowed_ips: [10.0.0.1]", "key"),
        ("", "custom_auth: my.auth", "key"),
        ("", "otel: false", None),
    ],
)
def test_who_comes_through(settings: str, general: str, auth: str | None) -> None:
    text = endpoint(f"{settings}path: /a, target: 'https://a.example/a'", general)
    assert ours(text)["routes"][0].get("auth") == auth


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("path: /v1/rerank, target: 'https://a.example'", "llm api"),
        ("path: /v1, target: 'https://a.example'", "llm api"),
        ("path: rerank, target: 'https://a.example'", "path"),
        ("path: /a, target: module.function", "target"),
        ("path: /a, target: 'https://a.example/?key=1'", "target"),
        ("path: /a, target: 'https://a.example', headers: {Authorization: x}", "headers"),
        ("path: /a, target: 'https://a.example', default_query_params: {a: 1}", "query"),
        ("path: /a, target: 'https://a.example', guardrails: {pii: }", "guardrails"),
        ("path: /a", "target"),
    ],
)
def test_what_is_left_out_says_why(settings: str, reason: str) -> None:
    text = endpoint(settings)
    assert "routes" not in ours(text)
    found = finding(text, AT)
    assert found.outcome is Outcome.UNSUPPORTED
    assert reason in found.note


def test_headers_that_clients_send_themselves_are_no_loss() -> None:
    text = endpoint("path: /a, target: 'https://a.example/a', headers: {Accept: text/plain}")
    assert len(ours(text)["routes"]) == 1


def test_two_paths_may_have_like_names() -> None:
    text = """
        model_list: []
        general_settings:
          pass_through_endpoints:
            - {path: /a/b, target: "https://a.example/a/b"}
            - {path: /a-b, target: "https://a.example/a-b"}
    """
    assert [route["name"] for route in ours(text)["routes"]] == ["a-b", "a-b-2"]


def endpoints(*settings: str, general: str = "master_key: k") -> str:
    listed = ", ".join(f"{{{each}}}" for each in settings)
    return f"model_list: []\ngeneral_settings:\n  {general}\n  pass_through_endpoints: [{listed}]\n"


REST = "path: /a, target: 'https://a.example/a', include_subpath: true, auth: false"


@pytest.mark.parametrize(
    ("locked", "match"),
    [
        ("path: /a/b, target: 'https://b.example', headers: {x: y}", {"path": {"exact": "/a/b"}}),
        (
            "path: /a/b, target: 'https://b.example', headers: {x: y}, include_subpath: true",
            {"path": {"prefix": "/a/b"}},
        ),
        (
            "path: /a/b, target: 'https://b.example', headers: {x: y}, methods: [post]",
            {"path": {"exact": "/a/b"}, "methods": ["POST"]},
        ),
        ("path: '/a/b/{id}/c', target: 'https://b.example'", {"path": {"prefix": "/a/b"}}),
        ("path: '/a/b{id}', target: 'https://b.example'", {"path": {"prefix": "/a"}}),
        ("path: '//a', target: 'https://b.example'", {"path": {"prefix": "/"}}),
        ("path: /a/b, target: 'https://b.example', methods: [BREW]", {"path": {"exact": "/a/b"}}),
    ],
)
def test_what_is_left_out_is_not_a_later_routes(locked: str, match: dict[str, object]) -> None:
    text = endpoints(locked, REST)
    made = ours(text)
    first, second = made["routes"]
    assert first["match"] == match
    assert (second["name"], second["auth"]) == ("a", "none")
    (rule,) = made["authorize"]
    assert (rule["for"], rule["deny"]) == ({"route": first["name"]}, "true")
    assert finding(text, AT).is_security


def test_what_no_later_route_would_take_is_left_out() -> None:
    locked = "path: /a/b, target: 'https://b.example', headers: {x: y}"
    assert [route["name"] for route in ours(endpoints(REST, locked))["routes"]] == ["a"]
    beside = locked.replace("/a/b", "/ab")
    assert [route["name"] for route in ours(endpoints(beside, REST))["routes"]] == ["a"]
    models = locked.replace("/a/b", "/v1/b")
    above = REST.replace("path: /a", "path: /")
    assert len(ours(endpoints(models, above))["routes"]) == 1


def test_an_open_route_that_is_wider_here_goes_behind_those_below_it() -> None:
    wide = "path: /ocr, target: 'https://o.example/read', auth: false"
    locked = "path: /ocr/admin, target: 'https://o.example/ocr/admin', auth: true"
    routes = ours(endpoints(wide, locked))["routes"]
    assert [route["name"] for route in routes] == ["ocr-admin", "ocr"]
    text = endpoints(wide.replace("auth: false", "auth: true"), locked)
    assert [route["name"] for route in ours(text)["routes"]] == ["ocr", "ocr-admin"]
    assert finding(endpoints(wide, locked), f"{AT}.path").to == "routes.1.match.path"


@pytest.mark.parametrize(
    ("auth", "allowed", "is_served"),
    [
        ("true", "[/v1/chat/completions]", False),
        ("true", "[/v1/chat/completions, /a]", True),
        ("true", "[]", False),
        ("true", "null", True),
        ("false", "[/v1/chat/completions]", True),
    ],
)
def test_an_endpoint_that_may_not_be_called_is_not_served(
    auth: str, allowed: str, is_served: bool
) -> None:
    text = (
        "model_list: []\ngeneral_settings:\n  master_key: k\n"
        f"  allowed_routes: {allowed}\n  pass_through_endpoints:\n"
        f"    - {{path: /a, target: 'https://a.example/a', auth: {auth}}}\n"
    )
    assert ("routes" in ours(text)) is is_served
