from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints, problems, warned

PROVIDERS = "llm: {providers: {openai: {type: openai, auth: {type: none}}}, models: "


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
            f"{{m: {{failover: [{', '.join(f'openai/{n}' for n in range(17))}]}}}}",
            "m.failover: leads to 17 targets in turn, more than 16",
        ),
        (
            f"{{m: {{cheapest: [{', '.join(f'openai/{n}' for n in range(17))}]}}}}",
            "m.cheapest: leads to 17 targets in turn, more than 16",
        ),
        ("{m: {cheapest: [openai/a, n]}}", "m.cheapest.1: no model 'n'"),
        ("{m: {fastest: [opnai/a]}}", "m.fastest.0: no provider 'opnai'"),
        (
            "{m: {conditional: [{when: llm.is_stream, use: n}, {use: openai/a}]}}",
            "m.conditional.0.use: no model 'n'",
        ),
        ("{m: {conditional: [{use: n}]}, n: {fastest: [m]}}", "m: refers to itself: m → n → m"),
        (
            "{m: {conditional: [{use: openai/a}, {when: llm.is_stream, use: openai/b}]}}",
            "m.conditional.0: has no condition, so what follows is never reached",
        ),
        (
            "{m: {conditional: [{when: llm.is_stream && !llm.is_stream, use: openai/b}]}}",
            "m.conditional.0.when: this is never true, whatever the request is",
        ),
        (
            "{m: {conditional: [{when: llm.is_stream || !llm.is_stream, use: openai/a},"
            " {use: openai/b}]}}",
            "m.conditional.0.when: this is always true, whatever the request is,"
            " so what follows is never reached",
        ),
        (
            "{m: {conditional: [{when: 'llm.provider == \"a\"', use: openai/b}]}}",
            "m.conditional.0.when: llm.provider is known only when this is decided",
        ),
        (
            "{m: {weighted: {openai/a: 1}, sticky: resource.namespace}}",
            "m.sticky: resource.namespace is known only when this is decided",
        ),
    ],
)
def test_models_that_lead_nowhere_are_problems(models: str, complaint: str) -> None:
    assert complaints(f"{PROVIDERS}{models}}}") == [f"llm.models.{complaint}"]


def named(count: int) -> str:
    """So many providers, and a model that may try them in any order."""
    providers = ", ".join(f"p{n}: {{type: openai}}" for n in range(count))
    tried = ", ".join(f"p{n}/m" for n in range(count))
    return f"llm: {{providers: {{{providers}}}, models: {{m: {{fastest: [{tried}]}}}}}}"


def test_orders_of_providers_are_bounded() -> None:
    assert complaints(named(5)) == []
    assert complaints(named(6)) == [
        "llm.models.m.fastest: may be tried in more than 256 orders of providers"
    ]


def test_orders_of_models_of_one_provider_are_one_order_of_providers() -> None:
    tried = ", ".join(f"openai/{n}" for n in range(16))
    assert complaints(f"{PROVIDERS}{{m: {{fastest: [{tried}]}}}}}}") == []


def test_ways_to_targets_are_bounded() -> None:
    branch = "conditional: [{when: llm.is_stream, use: NEXT}, {use: NEXT}]"
    models = ", ".join(f"m{n}: {{{branch.replace('NEXT', f'm{n + 1}')}}}" for n in range(9))
    found = complaints(f"{PROVIDERS}{{{models}, m9: openai/a}}}}")
    assert found == ["llm.models.m0.conditional: leads to 512 targets, more than 256"]


def test_what_nobody_can_reach_is_warned_of() -> None:
    models = "{a: {provider: openai, internal: true}, b: a, c: {provider: openai, internal: true}}"
    assert warned(f"{PROVIDERS}{models}}}") == [
        "llm.models.c.internal: no model leads to 'c', so nobody can reach it"
    ]


@pytest.mark.parametrize("way", ["failover", "cheapest", "fastest"])
def test_a_target_that_stands_twice_in_a_list_is_warned_of(way: str) -> None:
    text = f"{PROVIDERS}{{m: {{{way}: [openai/gpt-5, openai/b, openai/gpt-5]}}}}}}"
    found = f"llm.models.m.{way}.2: 'openai/gpt-5' stands here twice, and is tried once"
    assert warned(text) == [found]
    assert warned(text.replace("b, openai/gpt-5", "b")) == []


def test_the_cheapest_of_what_has_no_price_is_warned_of() -> None:
    models = "{a: {cheapest: [openai/gpt-5, openai/x]}, b: {cheapest: [openai/y, openai/x]}}"
    assert warned(f"{PROVIDERS}{models}}}") == [
        "llm.models.b.cheapest: none of these has a price, so they are tried as they are written"
    ]


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


@pytest.mark.parametrize(
    ("models", "rest", "is_warned_of"),
    [
        ("{m: {failover: [a/x, b/x]}}", "", True),
        ("{m: {failover: [a/x, c/x]}}", "", False),
        ("{m: {cheapest: [b/x, a/x]}, n: {failover: [a/y, b/y]}}", "", True),
        ("{m: {weighted: {a/x: 1, b/x: 1}}}", "", False),
        ("{m: {conditional: [{use: a/x}]}}", "", False),
        ("{m: {failover: [a/x, b/x]}}", ", failover: {time: 10s}", False),
    ],
)
def test_a_wait_for_the_first_byte_that_another_drowns_is_warned_of(
    models: str, rest: str, is_warned_of: bool
) -> None:
    form = "{type: vllm, pool: ['127.0.0.1:9'], timeouts: {%s}}"
    waits = {"a": "first_byte: 1s", "b": "silence: 60s", "c": "first_byte: 2s"}
    providers = ", ".join(f"{name}: {form % wait}" for name, wait in waits.items())
    found = warned(
        f"llm: {{providers: {{{providers}}}, prices: {{x: {{input: 1, output: 1}}}},"
        f" models: {models}{rest}}}"
    )
    assert (
        found
        == [
            "llm.providers.a.timeouts.first_byte: changes nothing for 'm': the longest of a request"
            " counts, and 'b' has none"
        ]
        * is_warned_of
    )
