"""Services of the operator's own, as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.external_authz import ExternalAuthz, ExternalBody
from tests.gateway.config.loading import complaints, loaded, meant
from tests.kit.certificates import Authority

ROUTE = "routes: [{name: a, backend: 'http://a', external_authz: one}]"


def written(block: str) -> str:
    return f"external_authz: {{one: {block}}}\n{ROUTE}"


def test_only_a_url_is_needed() -> None:
    gateway = meant(written("{grpc: 'http://10.0.0.1:9191'}"))
    assert gateway.external == (ExternalAuthz("one", "http://10.0.0.1:9191", is_grpc=True),)
    assert gateway.routes[0].external == "one"
    assert meant("routes: [{name: a, backend: 'http://a'}]").routes[0].external == ""


def test_all_of_it() -> None:
    block = """{http: 'http://a/check', timeout: 2s, on_error: allow, status_on_error: 403,
      body: {max_bytes: 1KiB, partial: true}, headers: [X-A, "x-b-*", "*"],
      upstream_headers: [X-Tier], client_headers: [x-why], metadata_headers: [x-level]}"""
    [found] = meant(written(block)).external
    assert found == ExternalAuthz(
        "one",
        "http://a/check",
        False,
        None,
        2.0,
        True,
        403,
        ExternalBody(1024, is_partial=True),
        ("x-a", "x-b-*", "*"),
        ("x-tier",),
        ("x-why",),
        ("x-level",),
    )


def test_the_llm_apis_may_ask_one() -> None:
    text = "external_authz: {one: {grpc: 'http://a:1'}}\nllm: {external_authz: one}"
    assert meant(text).llm.external == "one"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{}", "external_authz.one: needs either grpc or http"),
        ("{grpc: 'http://a', http: 'http://a'}", "external_authz.one: needs either grpc or http"),
        ("{grpc: 'http://a/x'}", "external_authz.one.grpc: must have no path"),
        ("{grpc: 'http://a', timeout: 2m}", "timeout: must be from 1ms to 1m"),
        ("{grpc: 'http://a', client_headers: [a]}", "are for http alone"),
        ("{grpc: 'http://a', headers: ['a*b']}", "headers.0: must be the name of a header, or"),
        ("{grpc: 'http://a', upstream_headers: [x-dragoman-plan]}", "by which requests are steer"),
        ("{grpc: 'http://a', upstream_headers: [':path']}", "must be the name of a header"),
        ("{grpc: 'http://a', upstream_headers: [host]}", "by which requests are steered"),
        ("{grpc: 'http://a', status_on_error: 200}", "status_on_error: "),
        ("{grpc: 'http://a', on_error: pass}", "on_error: must be one of block, allow"),
    ],
)
def test_mistakes_are_problems(block: str, problem: str) -> None:
    [found] = complaints(written(block))
    assert problem in found


def test_a_service_that_is_named_is_there() -> None:
    text = f"external_authz: {{on: {{grpc: 'http://a:1'}}}}\nllm: {{external_authz: two}}\n{ROUTE}"
    assert complaints(text) == [
        "llm.external_authz: no service 'two'",
        "routes.0.external_authz: no service 'one'",
    ]
    [found] = complaints(written("{grpc: 7}"))  # it is there, and mistaken
    assert "external_authz.one.grpc" in found


def test_workers_are_told_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority("door").pem)
    file = tmp_path / "gateway.yaml"
    file.write_text(written("{http: 'https://a/x', ca: ca.pem}") + "\nllm: {external_authz: one}\n")
    config = load_file(file, {})
    assert isinstance(config, Config), config
    told = for_workers(config)
    assert "external_authz" not in told
    loaded(told)
    loaded(published(config))
    assert "ca.pem" not in published(config)
