from __future__ import annotations

import pytest

from gateway.apis import DEFAULT_PREFIXES, Family
from gateway.config.paths import PathsBlock, prefixes
from gateway.config.published import for_workers
from gateway.model import Llm, Lossiness
from tests.gateway.config.loading import complaints, loaded, meant

EVERYTHING = """
llm:
  providers: {openai: {type: openai}}
  paths:
    openai: [/v1, /openai/v1/, /]
    azure: [/openai]
    anthropic: [/anthropic/v1, /anthropic/v1]
    gemini: []
    vertex: [/v1]
    bedrock: [/bedrock]
  unknown_paths: openai
  lossy: none
"""
MEANT = Llm(
    {
        Family.OPENAI: ("/v1", "/openai/v1", ""),
        Family.AZURE: ("/openai",),
        Family.ANTHROPIC: ("/anthropic/v1",),
        Family.GEMINI: (),
        Family.VERTEX: ("/v1",),
        Family.BEDROCK: ("/bedrock",),
        Family.COHERE: ("/v1", "/v2"),
    },
    pass_unknown_to="openai",
    lossiness=Lossiness.NONE,
)


def test_what_is_written_is_meant() -> None:
    assert meant(EVERYTHING).llm == MEANT


def test_nothing_written_is_the_defaults() -> None:
    assert meant("gateways:").llm == Llm(DEFAULT_PREFIXES, None, Lossiness.HINTS)
    assert prefixes(PathsBlock()) == DEFAULT_PREFIXES


def test_every_family_has_a_field() -> None:
    assert set(PathsBlock.model_fields) == set(Family)
    assert set(DEFAULT_PREFIXES) == set(Family)


def test_workers_are_told() -> None:
    assert meant(for_workers(loaded(EVERYTHING))).llm == MEANT


@pytest.mark.parametrize(
    "prefix",
    ["", "v1", "//", "/v1//x", "/../v1", "/.", "/v1?a", "/v1#a", "/{model}", "/*", "/v 1", "/v%31"],
)
def test_a_prefix_is_a_plain_path(prefix: str) -> None:
    (found,) = complaints(f"llm: {{paths: {{openai: ['{prefix}']}}}}")
    assert found.startswith("llm.paths.openai.0: must be a path that begins with '/', of letters")


def test_a_family_must_be_known() -> None:
    (found,) = complaints("llm: {paths: {opnai: [/v1]}}")
    assert found.startswith("llm.paths.opnai: ")
