from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints, problems

PROVIDERS = "llm: {providers: {openai: {type: openai}}, models: "


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        ("{m: {provider: opnai}}", "m.provider: no provider 'opnai'"),
        ("{m: {failover: [opnai/a]}}", "m.failover.0: no provider 'opnai'"),
        ("{m: {weighted: {opnai/a: 1}}}", "m.weighted.opnai/a: no provider 'opnai'"),
        ("{m: opnai/a}", "m: no provider 'opnai'"),
        ("{m: {failover: [n]}}", "m.failover.0: no model 'n'"),
        (
            "{m: {provider: openai, model: 'x*'}}",
            "m.model: '*' stands for nothing, since 'm' has none",
        ),
        ("{m: openai/*}", "m: '*' in 'openai/*' stands for nothing, since 'm' has none"),
        ("{m: n, n: m}", "m: refers to itself: m → n → m"),
        ("{m: m}", "m: no model 'm'"),
        (
            "{m: {weighted: {n: 1}}, n: {failover: [openai/a, openai/b]}}",
            "m.weighted.n: 'n' is not a single target",
        ),
        (
            "{m: {weighted: {n: 1}}, n: {weighted: {openai/a: 1}}}",
            "m.weighted.n: 'n' is not a single target",
        ),
        (
            f"{{m: {{failover: [{', '.join(f'openai/{n}' for n in range(17))}]}}}}",
            "m.failover: leads to 17 targets in turn, more than 16",
        ),
    ],
)
def test_models_that_lead_nowhere_are_problems(models: str, complaint: str) -> None:
    assert complaints(f"{PROVIDERS}{models}}}") == [f"llm.models.{complaint}"]


def test_a_circle_is_said_once_also_for_those_that_lead_into_it() -> None:
    models = "{a: b, b: c, c: b, w: {weighted: {a: 1}}}"
    assert complaints(f"{PROVIDERS}{models}}}") == ["llm.models.b: refers to itself: b → c → b"]


def test_long_chains_of_names_are_refused() -> None:
    names = ", ".join(f"m{n}: m{n + 1}" for n in range(16))
    found = complaints(f"{PROVIDERS}{{{names}, m16: openai/a}}}}")
    assert found == ["llm.models.m0: leads through more than 16 names"]


def test_hints_name_what_was_meant() -> None:
    models = "{fast: openai/a, m: {failover: [fats]}, n: {provider: opnai}}"
    assert [each.hint for each in problems(f"{PROVIDERS}{models}}}")] == [
        "did you mean 'fast'?",
        "did you mean 'openai'?",
    ]


def test_a_mistaken_provider_is_not_also_unknown() -> None:
    text = """
        llm:
          providers: {local: {type: vllm}}
          models:
            a: {provider: local}
            b: local/x
            c: {failover: [a, d]}
            d: {provider: local, x: 1}
        """
    assert complaints(text) == [
        "llm.providers.local: needs a url or a pool: 'vllm' has no address of its own",
        "llm.models.d.x: unknown key 'x'",
    ]
