"""Timeouts, retries and rewrites of plain routes."""

from __future__ import annotations

import pytest

from gateway.config.routes import RouteBlock
from tests.gateway.importers.agentgateway.imports import config, guarded


def route(policies: str, match: str = "{path: {pathPrefix: /a}}") -> RouteBlock | None:
    one = f"{{matches: [{match}], policies: {policies}, backends: [{{host: 'a:1'}}]}}"
    found = config(f"binds: [{{port: 80, listeners: [{{routes: [{one}]}}]}}]").routes
    return found[0] if found else None


@pytest.mark.parametrize(
    ("policies", "seconds"),
    [
        ("{timeout: {requestTimeout: 1m30s}}", 90),
        ("{timeout: {backendRequestTimeout: 2s}}", 2),
        ("{timeout: {requestTimeout: 3s, backendRequestTimeout: 2s}}", 3),
        ("{timeout: {requestTimeout: 1ns}}", 0),
        ("{timeout: {backendRequestTimeout: 2s}, retry: {codes: [503]}}", 0),
        ("{}", 0),
    ],
)
def test_a_timeout_is_for_the_whole_answer(policies: str, seconds: float) -> None:
    found = route(policies)
    assert found is not None
    assert found.timeout == seconds


@pytest.mark.parametrize(
    ("retry", "retries"),
    [
        ("{attempts: 3, codes: [503]}", 3),
        ("{codes: [502, 429]}", 1),
        ("{attempts: 99, codes: [504]}", 10),
        ("{attempts: 0, codes: [503]}", 0),
        ("{attempts: 3, codes: [429, 500]}", 0),
        ("{attempts: 3, codes: [503], precondition: 'true'}", 0),
        ("{attempts: 3, codes: [503], condition: 'true', backoff: 1s}", 3),
    ],
)
def test_only_what_theirs_tries_again_is_tried_again(retry: str, retries: int) -> None:
    found = route(f"{{retry: {retry}}}")
    assert found is not None
    assert found.retries == retries


@pytest.mark.parametrize(
    ("rewrite", "prefix"),
    [
        ("{path: {prefix: /b}}", "/b"),
        ("{path: {prefix: ''}}", "/"),
        ("{authority: none}", None),
        ("{authority: {full: x}}", None),
        ("{authority: auto, path: {prefix: /c/}}", "/c/"),
    ],
)
def test_a_prefix_is_replaced(rewrite: str, prefix: str | None) -> None:
    found = route(f"{{urlRewrite: {rewrite}}}")
    assert found is not None
    assert found.replace_prefix == prefix


@pytest.mark.parametrize(
    "rewrite", ["{path: {full: /b}}", "{path: {prefix: 'b c'}}", "{path: {unheard: 1}}"]
)
def test_a_path_that_cannot_be_made_is_not_shown_to_the_backend(rewrite: str) -> None:
    assert route(f"{{urlRewrite: {rewrite}}}") is None
    text = f"binds: [{{port: 80, listeners: [{{routes: [{{policies: {{urlRewrite: {rewrite}}}, "
    assert guarded(text + "backends: [{host: 'a:1'}]}]}]}]")


def test_an_exact_path_has_no_prefix_to_replace() -> None:
    assert route("{urlRewrite: {path: {prefix: /b}}}", "{path: {exact: /a}}") is None
