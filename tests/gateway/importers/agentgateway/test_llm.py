"""The `llm` section of theirs → `llm` of ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cel import compile_expression
from gateway.config import stars
from gateway.model import Effect, Gateway
from tests.gateway.importers.agentgateway.imports import config, guarded, ours, outcomes

OPEN = "provider: openAI, params: {apiKey: k}"


def llm(models: str, rest: str = "") -> str:
    return f"llm: {{models: {models}{rest}}}"


def is_refused(gateway: Gateway, model: str) -> bool:
    """Whether some rule refuses every request for a model."""
    return any(
        rule.effect is Effect.DENY
        and rule.expression == "true"
        and rule.scope.llm is not None
        and stars.matches(rule.scope.llm, model)
        for rule in gateway.rules
    )


def test_a_model_keeps_its_name_and_the_name_that_its_provider_knows() -> None:
    found = config(llm(f"[{{name: a, {OPEN}}}, {{name: b, provider: groq, params: {{model: c}}}}]"))
    assert found.llm.models["a"].model is None
    assert found.llm.models["b"].model == "c"


@pytest.mark.parametrize(
    ("name", "rest", "asked"),
    [
        ("a/*", "", "a/*"),
        ("*", "", None),
        ("a/*", "transformation: {model: 'llmRequest.model.stripPrefix(\"a/\")'}", None),
        ("a/*", "transformation: {model: '\"gpt-5\"'}", "gpt-5"),
    ],
)
def test_a_star_sends_what_theirs_sends(name: str, rest: str, asked: str | None) -> None:
    found = config(llm(f"[{{name: '{name}', {OPEN}, {rest}}}]"))
    assert found.llm.models[name].model == asked


@pytest.mark.parametrize(
    "model",
    [
        "provider: bedrock",
        f"{OPEN}, transformation: {{model: 'llmRequest.model + \"x\"'}}",
        f"{OPEN}, matches: [{{headers: []}}]",
        f"{OPEN}, overrides: {{messages: []}}",
        f"{OPEN}, unheard: 1",
        f"{OPEN}, authorization: {{rules: ['jwt.sub == \"a\"']}}",
        f"{OPEN}, guardrails: {{request: [{{openAIModeration: {{}}}}]}}",
        f"{OPEN}, tls: {{spiffe: {{}}}}",
        "provider: openAI, params: {baseUrl: 'http://a/v1'}, tls: {root: ca.pem}",
        "provider: openAI, params: {apiKey: k, pathOverride: /x}",
    ],
)
def test_a_model_that_cannot_be_served_as_theirs_does_not_fall_to_a_star(model: str) -> None:
    alone = llm(f"[{{name: m, {model}}}]")
    assert config(alone).llm.models == {}
    with_star = ours(llm(f"[{{name: '*', {OPEN}}}, {{name: m, {model}}}]"))
    assert is_refused(with_star, "m")
    assert not is_refused(with_star, "other")


def test_patterns_that_share_names_do_not_take_them_from_a_refused_one() -> None:
    gateway = ours(llm(f"[{{name: 'a*', provider: bedrock}}, {{name: '*b', {OPEN}}}]"))
    assert is_refused(gateway, "axb")
    text = llm(f"[{{name: '*', provider: bedrock}}, {{name: 'm*', {OPEN}}}]")
    assert list(config(text).llm.models) == ["m*"]


def test_rules_of_a_pattern_leave_closer_names_alone() -> None:
    rule = "authorization: {rules: ['apiKey.name == \"a\"']}"
    found = ours(llm(f"[{{name: 'a/*', {OPEN}, {rule}}}, {{name: a/b, {OPEN}}}]"))
    assert [each.expression for each in found.rules] == [
        'llm.model in ["a/b"] || (principal.tags.name == "a")'
    ]


def test_an_internal_model_is_for_other_models_alone() -> None:
    text = llm(
        f"[{{name: i, visibility: internal, {OPEN}}}]",
        ", virtualModels: [{name: v, routing: {weighted: {targets: [{model: i}]}}}]",
    )
    gateway = ours(text)
    assert [model.name for model in gateway.models if model.is_internal] == ["i"]
    assert gateway.rules == ()
    assert outcomes(text)["llm.models.0.visibility"][1] == "llm.models.i.internal"
    assert [model.name for model in gateway.models if model.is_listed] == ["v"]


@pytest.mark.parametrize("lock", ["jwtAuth: {issuer: x}", "extAuthz: {host: 'a:1'}", "unheard: 1"])
def test_a_lock_on_all_models_refuses_all(lock: str) -> None:
    gateway = ours(llm(f"[{{name: a, {OPEN}}}]", f", policies: {{{lock}}}"))
    assert is_refused(gateway, "a")
    assert gateway.identity.is_required


def test_a_strict_policy_asks_everybody_for_a_key() -> None:
    keys = "policies: {apiKey: {mode: strict, keys: [{key: a}]}}"
    assert ours(llm(f"[{{name: a, {OPEN}}}]", f", {keys}")).identity.is_required
    keys = "policies: {apiKey: {keys: [{key: a}]}}"
    assert not ours(llm(f"[{{name: a, {OPEN}}}]", f", {keys}")).identity.is_required


def test_strict_without_a_usable_key_lets_nobody_in() -> None:
    keys = "policies: {apiKey: {mode: strict, keys: []}}"
    gateway = ours(llm(f"[{{name: a, {OPEN}}}]", f", {keys}"))
    assert gateway.identity.is_required
    assert gateway.identity.api_keys == ()


def test_open_models_are_not_opened_on_other_gateways() -> None:
    plain = "binds: [{port: 80, listeners: [{routes: [{backends: [{host: 'a:1'}]}]}]}]\n"
    text = plain + llm(f"[{{name: a, {OPEN}}}]", ", port: 4000")
    assert is_refused(ours(text), "a")
    assert "llm" in guarded(text)
    keys = ", port: 4000, policies: {apiKey: {mode: strict, keys: [{key: a}]}}"
    text = plain + llm(f"[{{name: a, {OPEN}}}]", keys)
    assert not is_refused(ours(text), "a")
    assert "served on 'default' too" in outcomes(text)["llm"][2]


def test_models_behind_certificates_are_not_served_without() -> None:
    plain = "routes: [{gateways: open, backends: [{host: 'a:1'}]}]\n"
    plain += "gateways: {open: {port: 80}, safe: {port: 81, tls: {cert: c, key: k, root: r}}}\n"
    keys = "policies: {apiKey: {mode: strict, keys: [{key: a}]}}"
    gateway = ours(plain + llm(f"[{{name: a, {OPEN}}}]", f", gateways: safe, {keys}"))
    assert is_refused(gateway, "a")


def test_models_on_a_listener_that_is_not_opened_are_not_served() -> None:
    text = llm(f"[{{name: a, {OPEN}}}]", ", gateways: g")
    text += "\ngateways: {g: {port: 1, protocol: TCP}}"
    assert config(text).llm.models == {}
    assert "llm" in guarded(text)


def test_the_port_of_theirs_is_4000_and_a_default_gateway_goes_first() -> None:
    alone = llm(f"[{{name: a, {OPEN}}}]")
    assert config(alone).gateways["default"].port == 4000
    both = alone + "\ngateways: {default: {port: 3000}}"
    assert config(both).gateways["default"].port == 3000


def test_of_two_models_of_one_name_the_first_counts() -> None:
    found = config(llm(f"[{{name: a, {OPEN}}}, {{name: a, provider: groq}}]"))
    assert found.llm.models["a"].provider == "openAI"


NAMES = ("a", "ab", "aXb", "b", "zz", "a*", "*b", "*", "ab*")
ASKED = ("a", "ab", "aXb", "b", "zz", "abc")
STATES = {
    "open": OPEN,
    "other vendor": "provider: bedrock",
    "lock": f"{OPEN}, authorization: {{rules: ['jwt.sub == \"a\"']}}",
    "internal": f"{OPEN}, visibility: internal",
}
some_models = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(STATES))),
    min_size=1,
    max_size=6,
    unique_by=lambda model: model[0],
)


def chosen_by_theirs(models: list[tuple[str, str]], asked: str) -> list[tuple[str, str]]:
    """The model that AgentGateway takes; several that are equally close."""
    fitting = [
        model for model in models if model[1] != "internal" and stars.matches(model[0], asked)
    ]
    rank = {model: (model[0] == asked, len(model[0])) for model in fitting}
    best = max(rank.values(), default=None)
    return [model for model in fitting if rank[model] == best]


def served_by(gateway: Gateway, asked: str) -> str | None:
    """The name of the model of ours that answers; None: the request is refused."""
    known = {model.name: model for model in gateway.models}
    name = (
        asked
        if asked in known
        else next((each for each in known if "*" in each and stars.matches(each, asked)), None)
    )
    if name is not None and known[name].is_internal:
        return None
    for rule in gateway.rules:
        expression = compile_expression(rule.expression)
        assert not isinstance(expression, str)
        is_for_it = rule.scope.llm is not None and stars.matches(rule.scope.llm, asked)
        says = expression.evaluate({"llm.model": asked, "principal.tags": {}})
        if is_for_it and says is (rule.effect is Effect.DENY):
            return None
    return name


@given(some_models)
@settings(max_examples=150, deadline=None)
def test_no_model_answers_for_another(models: list[tuple[str, str]]) -> None:
    listed = ", ".join(
        f"{{name: '{name}', {STATES[state]}, params: {{apiKey: k, model: '{index}'}}}}"
        if state == "other vendor"
        else f"{{name: '{name}', {STATES[state]}}}"
        for index, (name, state) in enumerate(models)
    )
    gateway = ours(llm(f"[{listed}]"))
    for asked in ASKED:
        here, there = served_by(gateway, asked), chosen_by_theirs(models, asked)
        assert here is None or here in {name for name, state in there if state == "open"}
        if [state for _, state in there] == ["open"] and "internal" not in dict(models).values():
            assert here == there[0][0], (asked, models)


def test_a_provider_is_verified_by_its_own_authorities() -> None:
    (provider,) = config(
        llm(f"[{{name: a, {OPEN}, tls: {{root: ca.pem}}}}]")
    ).llm.providers.values()
    assert provider.ca is not None
    text = llm(f"[{{name: a, {OPEN}, tls: {{root: ca.pem}}}}]")
    assert outcomes(text)["llm.models.0.tls.root"][1] == "llm.providers.openAI.ca"


SHARED = "guardrails: {pii: {request: [{regex: {action: reject, rules: [{builtin: email}]}}]}}"


def test_guards_that_models_share_by_name_are_taken_over_once() -> None:
    models = f"[{{name: a, {OPEN}, guardrails: pii}}, {{name: b, {OPEN}, guardrails: pii}}]"
    text = llm(models, f", {SHARED}")
    assert len(config(text).guardrails) == 1
    assert not is_refused(ours(text), "a")


def test_a_model_whose_guards_are_not_there_is_not_served() -> None:
    text = llm(f"[{{name: a, {OPEN}, guardrails: pii}}]")
    assert config(text).llm.models == {}
    assert "llm.models.0.guardrails" in guarded(text)


@pytest.mark.parametrize(
    "limit",
    [
        "localRateLimit: [{maxTokens: 9, fillInterval: 1s, type: requests}]",
        "remoteRateLimit: {host: 'a:1', domain: d, descriptors: []}",
        "concurrencyLimit: [{maxConcurrent: 4}]",
    ],
)
def test_models_are_served_without_a_limit_and_that_is_said_first(limit: str) -> None:
    text = llm(f"[{{name: a, {OPEN}}}]", f", policies: {{{limit}}}")
    assert not is_refused(ours(text), "a")
    assert any(path.startswith("llm.policies") for path in guarded(text))


def test_timeouts_and_tools_of_the_gateway_are_no_locks() -> None:
    model = f"{{name: a, {OPEN}, serverTools: {{maxIterations: 3}}}}"
    text = llm(f"[{model}]", ", policies: {timeout: {requestTimeout: 30s}}")
    assert not is_refused(ours(text), "a")
    assert guarded(text) == []


@pytest.mark.parametrize(
    "key", ["transformation: {max_tokens: '10'}", "finalTransformation: {max_tokens: '10'}"]
)
def test_values_that_are_not_computed_are_said_first(key: str) -> None:
    text = llm(f"[{{name: a, {OPEN}, {key}}}]")
    assert not is_refused(ours(text), "a")
    assert any("ransformation" in path for path in guarded(text))
