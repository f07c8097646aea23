from __future__ import annotations

import pytest

from gateway.config.check import warnings
from tests.gateway.config.loading import complaints, loaded, problems

PROVIDERS = "providers: {p: {type: openai, auth: {type: none}}}"
MODELS = f"llm: {{{PROVIDERS}, models: {{m: {{provider: p}}}}}}"
PASSING = f"llm: {{{PROVIDERS}, unknown_paths: p}}"
AZURE = f"llm: {{{PROVIDERS}, models: {{m: {{provider: p}}}}, paths: {{azure: [/az]}}}}"


def warned(llm: str, path: str) -> list[str]:
    """The warnings of a configuration with a route at a path."""
    route = f"routes: [{{name: r, backend: 'http://a', match: {{path: {path}}}}}]"
    return [str(each) for each in warnings(loaded(f"{llm}\n{route}"))]


@pytest.mark.parametrize("llm", [MODELS, PASSING])
@pytest.mark.parametrize(
    "path",
    ["{prefix: /v1}", "{prefix: /v1/files}", "{exact: /v1/x}", "{exact: /model/m/converse}"],
)
def test_a_route_at_a_path_of_an_api_is_warned_of(llm: str, path: str) -> None:
    (found,) = warned(llm, path)
    assert found.startswith("test.yaml:2: routes.0.match.path.")
    assert "is among the paths of the llm apis, which come first (give the route" in found


@pytest.mark.parametrize("path", ["{prefix: /}", "{prefix: /v10}", "{exact: /v1}", "{exact: /az/}"])
def test_all_the_rest_is_for_routes(path: str) -> None:
    assert warned(MODELS, path) == []


def test_a_prefix_of_ones_own_counts() -> None:
    assert warned(MODELS, "{prefix: /az}") == []
    assert len(warned(AZURE, "{prefix: /az}")) == 1


def test_without_an_llm_api_every_path_is_free() -> None:
    assert (
        warned("llm: {providers: {p: {type: openai, auth: {type: none}}}}", "{prefix: /v1}") == []
    )


def test_unknown_paths_go_to_a_provider_that_there_is() -> None:
    (found,) = problems(
        "llm: {providers: {openai: {type: openai, auth: {type: none}}}, unknown_paths: opnai}"
    )
    assert str(found) == (
        "test.yaml:1: llm.unknown_paths: no provider 'opnai' (did you mean 'openai'?)"
    )
    (found,) = problems("llm: {unknown_paths: pass}")
    assert "write refuse, or the name of the provider" in found.hint
    assert complaints("llm: {unknown_paths: refuse}") == []
    (found,) = problems("llm: {unknown_paths: refuze}")
    assert found.hint == "did you mean 'refuse'?"


def test_a_provider_that_is_itself_mistaken_is_not_unknown() -> None:
    found = complaints("llm: {providers: {a: {type: opnai}}, unknown_paths: a}")
    assert len(found) == 1
