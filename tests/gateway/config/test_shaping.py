"""What models and providers may write about bodies, and what they may not."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve
from gateway.shaping import CacheMarks, Fields, Mirror, Shaping

YAML = """
llm:
  providers: {a: {type: anthropic, key: k%s}}
  models: {m: {provider: a%s}, n: a/x}
"""


def meant(model: str = "", provider: str = "") -> Gateway:
    config = load(written(model, provider), file="t.yaml", environment={"WHO": "ann"})
    assert not isinstance(config, tuple), config
    return resolve(config)


def refused(model: str = "", provider: str = "") -> Problem:
    found = load(written(model, provider), file="t.yaml", environment={})
    assert isinstance(found, tuple), "it was accepted"
    [problem] = found
    return problem


def written(model: str, provider: str) -> str:
    return YAML % (f", {provider}" if provider else "", f", {model}" if model else "")


def test_values_are_any_that_json_has() -> None:
    [model] = [
        each
        for each in meant(
            'defaults: {a: 0.25, b: [1, {c: null}], d: "${WHO}", e: null},'
            " overrides: {store: false, user: null}, transformations: {x: principal.name}"
        ).models
        if each.name == "m"
    ]
    assert model.shaping == Shaping(
        Fields(
            (("a", "0.25"), ("b", '[1, {"c": null}]'), ("d", '"ann"')),
            (("store", "false"), ("user", "null")),
        ),
        (("x", "principal.name"),),
    )


def test_a_provider_has_fields_too() -> None:
    found = meant(provider="defaults: {service_tier: auto}, overrides: {top_k: null}").providers[0]
    assert found.fields == Fields((("service_tier", '"auto"'),), (("top_k", "null"),))
    assert not meant().providers[0].fields


def test_marks_and_mirrors_mean_what_they_say() -> None:
    model = next(
        each
        for each in meant(
            "prompt_caching: {tools: false, messages: last, ttl: 1h, min_tokens: 9},"
            " mirror: {to: n, percent: 2.5}"
        ).models
        if each.name == "m"
    )
    assert model.cache_marks == CacheMarks(True, False, True, "1h", 9)
    assert model.mirror == Mirror("a", "x", 2.5)


def test_workers_are_told_the_same() -> None:
    text = written(
        'defaults: {a: 0.25, b: 1.0e-7, c: "1.5"}, overrides: {d: {e: null}, f: "$${X}"},'
        ' transformations: {g: "1"}, system_prompt: {prepend: "B\\nb", append: "  A"},'
        " prompt_caching: {ttl: 24h}, mirror: {to: n, percent: 0.1}",
        "overrides: {h: [1.5]}",
    )
    config = load(text, file="t.yaml", environment={})
    assert not isinstance(config, tuple), config
    for told in (for_workers(config), published(config)):
        again = load(told, file="w.yaml", environment={})
        assert not isinstance(again, tuple), again
        assert resolve(again).models == resolve(config).models
        assert resolve(again).providers[0].fields == resolve(config).providers[0].fields


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        ("overrides: {model: x}", "'model' cannot be set", "rules and budgets"),
        ("defaults: {stream: true}", "'stream' cannot be set", "the client decides"),
        ("transformations: {Messages: '[]'}", "'Messages' cannot be set", "the client says"),
        ("overrides: {system: x}", "'system' cannot be set", "system_prompt"),
        ("defaults: {system_instruction: x}", "cannot be set", "system_prompt"),
        ("defaults: {instructions: x}", "'instructions' cannot be set", "system_prompt"),
        ('overrides: {"": 1}', "must be the name of a field", ""),
        ("overrides: {a..b: 1}", "must be the name of a field", "'a.b' is the field b"),
        ("defaults: {.a: 1}", "must be the name of a field", ""),
        ("overrides: {Messages.x: 1}", "'Messages.x' cannot be set", "the client says"),
        ("overrides: {a_b.c: 1, aB.C: 2}", "which are one field", ""),
        ("overrides: {a.b.c: 1, A: {d: 2}}", "has both 'A' and 'a.b.c' in it", "write 'A' whole"),
        ("overrides: {max_tokens: 1, maxTokens: 2}", "which are one field", ""),
        ("transformations: {user: princpal.name}", "unknown variable", ""),
        ("transformations: {user: llm.provider}", "'llm.provider' is not known here", "before"),
        ("system_prompt: {}", "needs prepend or append", ""),
        ('system_prompt: {prepend: " "}', "must not be empty", ""),
        ("prompt_caching: {ttl: 9m}", "must be one of 5m, 1h, 24h", ""),
        ("mirror: {to: n, percent: 101}", "must be from 0 to 100", ""),
        ("mirror: {to: n, percent: many}", "must be a number", ""),
        ("mirror: {to: n, percent: true}", "must be a number", ""),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(model: str, message: str, hint: str) -> None:
    problem = refused(model)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.path.startswith("llm.models.m")


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "maxCompletionTokens", "n", "generationConfig",
     "generation_config.max_output_tokens", "extra.inferenceConfig.maxTokens"],
)  # fmt: skip
def test_a_provider_does_not_set_what_budgets_count(name: str) -> None:
    problem = refused(provider=f"overrides: {{{name}: 1}}")
    assert problem.path == f"llm.providers.a.overrides.{name}"
    assert "at the model" in problem.hint
    assert meant(f"overrides: {{{name}: 1}}")


def test_a_provider_sets_what_no_budget_counts_in_the_same_object() -> None:
    found = meant(provider="overrides: {generationConfig.topK: 5}").providers[0]
    assert found.fields == Fields(overrides=(("generationConfig.topK", "5"),))


def test_transformations_may_stand_over_overrides() -> None:
    assert meant("overrides: {user: null}, transformations: {user: '\"x\"'}")
