from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.imported import Outcome
from gateway.importers.litellm_deployments import Deployment
from gateway.importers.litellm_models import tiers_of, weights_of
from gateway.resolve import resolve
from tests.gateway.importers.litellm_files import finding, imported, ours

KEYS = {"GROQ_API_KEY": "k", "XAI_API_KEY": "k", "OPENAI_API_KEY": "k"}


def targets(text: str, name: str) -> list[list[str]]:
    """Where a model is served: the targets of its tiers, as our language means it."""
    config = load(imported(text).yaml, file="ours.yaml", environment=KEYS)
    assert isinstance(config, Config), config
    (model,) = [each for each in resolve(config).models if each.name == name]
    return [[f"{target.provider}/{target.model}" for target in tier] for tier in model.tiers]


def deployment(weight: object = None, share: object = None, order: object = None) -> Deployment:
    """A deployment of no importance."""
    numbers = [None if each is None else Decimal(str(each)) for each in (weight, share, order)]
    return Deployment("m", "p", "x", *numbers)


@pytest.mark.parametrize(
    ("tier", "weights"),
    [
        ([(None, None), (None, None)], [1, 1]),
        ([(3, 1), (1, 100)], [3, 1]),
        ([(0.25, None), (0.5, None)], [25, 50]),
        ([(None, 10), (None, 90)], [10, 90]),
        ([(0, None), (2, None)], [0, 2]),
        ([(0, None), (0, None)], [1, 1]),
        ([(None, 5_000_000), (None, 1)], [1_000_000, 1]),
    ],
)
def test_weights_are_whole_and_in_proportion(
    tier: list[tuple[object, object]], weights: list[int]
) -> None:
    assert weights_of([deployment(weight, share) for weight, share in tier]) == weights


def test_the_lowest_order_is_tried_first_and_none_is_last() -> None:
    first, second, last = deployment(order=1), deployment(order=2), deployment()
    assert tiers_of([last, second, first]) == [[first], [second], [last]]


def test_several_deployments_share_the_requests() -> None:
    text = """
        model_list:
          - {model_name: m, litellm_params: {model: groq/a, rpm: 30}}
          - {model_name: m, litellm_params: {model: xai/a, rpm: 10}}
    """
    assert ours(text)["llm"]["models"]["m"] == {"weighted": {"groq/a": 30, "xai/a": 10}}
    found = finding(text, "model_list.0.litellm_params.rpm")
    assert "not limited" in found.note
    assert found.is_security


def test_fallbacks_may_go_in_a_circle() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a}}
          - {model_name: b, litellm_params: {model: groq/b}}
          - {model_name: b, litellm_params: {model: xai/b}}
        router_settings:
          fallbacks: [{a: [b, a]}, {b: [a, b]}]
    """
    assert targets(text, "a") == [["groq/a"], ["groq/b", "xai/b"]]
    assert targets(text, "b") == [["groq/b", "xai/b"], ["groq/a"]]


def test_default_fallbacks_are_for_those_that_have_none() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a}}
          - {model_name: b, litellm_params: {model: groq/b}}
          - {model_name: c, litellm_params: {model: groq/c}}
        litellm_settings:
          default_fallbacks: [c]
          fallbacks: [{b: [a]}]
    """
    assert targets(text, "a") == [["groq/a"], ["groq/c"]]
    assert targets(text, "b") == [["groq/b"], ["groq/a"]]
    assert targets(text, "c") == [["groq/c"]]


def test_the_routers_fallbacks_count() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a}}
          - {model_name: b, litellm_params: {model: groq/b}}
          - {model_name: c, litellm_params: {model: groq/c}}
        litellm_settings: {fallbacks: [{a: [b]}]}
        router_settings: {fallbacks: [{a: [c]}]}
    """
    assert targets(text, "a") == [["groq/a"], ["groq/c"]]
    assert finding(text, "litellm_settings.fallbacks.0.a").outcome is Outcome.UNSUPPORTED


def test_a_fallback_may_be_an_id_or_covered_by_a_wildcard() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a}}
          - {model_name: b, litellm_params: {model: xai/b}, model_info: {id: 7}}
          - {model_name: "openai/*", litellm_params: {model: "openai/*"}}
        litellm_settings: {fallbacks: [{a: ["7", openai/gpt-5, gone]}]}
    """
    assert targets(text, "a") == [["groq/a"], ["xai/b"], ["openai/gpt-5"]]
    assert "left out" in finding(text, "litellm_settings.fallbacks.0.a").note


def test_a_model_named_like_a_target_is_not_mistaken_for_it() -> None:
    text = """
        model_list:
          - {model_name: groq/a, litellm_params: {model: groq/a}}
          - {model_name: b, litellm_params: {model: xai/b}}
        litellm_settings: {fallbacks: [{groq/a: [b]}, {b: [groq/a]}]}
    """
    assert targets(text, "groq/a") == [["groq/a"], ["xai/b"]]
    assert targets(text, "b") == [["xai/b"], ["groq/a"]]


def test_an_alias_is_a_model_that_stands_for_another() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a}}
          - {model_name: "xai/*", litellm_params: {model: "xai/*"}}
        router_settings:
          model_group_alias:
            old: a
            hidden: {model: a, hidden: true}
            grok: xai/grok-4
            gone: nowhere
            a: xai/grok-4
    """
    models = ours(text)["llm"]["models"]
    assert models["old"] == {"failover": ["a"]}
    assert models["hidden"] == {"failover": ["a"], "listed": False}
    assert targets(text, "grok") == [["xai/grok-4"]]
    assert "gone" not in models
    assert models["a"] == {"provider": "groq", "model": "a"}
    for alias in ("gone", "a"):
        path = f"router_settings.model_group_alias.{alias}"
        assert finding(text, path).outcome is Outcome.UNSUPPORTED


def test_helpers_are_not_shown_to_clients() -> None:
    models = ours(
        """
        model_list:
          - {model_name: m, litellm_params: {model: groq/a, order: 1}}
          - {model_name: m, litellm_params: {model: xai/a, order: 1}}
          - {model_name: m, litellm_params: {model: openai/a, order: 2}}
        """
    )["llm"]["models"]
    assert models["m"] == {"failover": ["m:1", "openai/a"]}
    assert models["m:1"]["internal"] is True


@pytest.mark.parametrize("block", ["router_settings", "litellm_settings"])
def test_no_fallbacks_at_all_switch_them_off(block: str) -> None:
    text = f"""
        model_list:
          - {{model_name: a, litellm_params: {{model: groq/a}}}}
          - {{model_name: b, litellm_params: {{model: groq/b}}}}
        router_settings: {{fallbacks: [{{a: [b]}}]}}
        {block}: {{fallbacks: [{{a: [b]}}], default_fallbacks: [b], max_fallbacks: 0}}
    """
    if block == "router_settings":
        text = text.replace("        router_settings: {fallbacks: [{a: [b]}]}\n", "", 1)
    assert targets(text, "a") == [["groq/a"]]
    found = finding(text, f"{block}.fallbacks")
    assert (found.outcome, found.to) == (Outcome.UNSUPPORTED, "")


def deployments(name: str, *models: str) -> str:
    return "".join(
        f"\n          - {{model_name: {name}, litellm_params: {{model: {model}}}}}"
        for model in models
    )


@pytest.mark.parametrize(
    ("strategy", "way"),
    [
        ("cost-based-routing", "cheapest"),
        ("latency-based-routing", "fastest"),
        ("simple-shuffle", "weighted"),
        ("least-busy", "weighted"),
    ],
)
def test_what_is_equal_is_chosen_as_theirs_chooses_it(strategy: str, way: str) -> None:
    text = f"""
        model_list:{deployments("m", "groq/a", "xai/a")}
        router_settings: {{routing_strategy: {strategy}}}
    """
    assert list(ours(text)["llm"]["models"]["m"]) == [way]
    assert sorted(map(str, ours(text)["llm"]["models"]["m"][way])) == ["groq/a", "xai/a"]


def test_more_than_a_few_are_shared_out_since_ours_cannot_try_them_in_any_order() -> None:
    text = f"""
        model_list:{deployments("m", *(f"groq/{number}" for number in range(6)))}
        router_settings: {{routing_strategy: latency-based-routing}}
    """
    assert list(ours(text)["llm"]["models"]["m"]) == ["weighted"]


def test_behind_a_fallback_only_two_are_tried_in_any_order() -> None:
    listed = deployments("a", "groq/1", "xai/1") + deployments("b", "groq/2", "xai/2")
    listed += deployments("c", "groq/3", "xai/3", "openai/3")
    text = f"""
        model_list:{listed}
        router_settings:
          routing_strategy: cost-based-routing
          fallbacks: [{{a: [b, c]}}]
    """
    models = ours(text)["llm"]["models"]
    assert models["a"] == {"failover": ["a:1", "b", "c:1"]}
    assert models["a:1"] == {"cheapest": ["groq/1", "xai/1"], "internal": True}
    assert set(models["b"]) == set(models["c"]) == {"cheapest"}
    assert set(models["c:1"]) == {"weighted", "internal"}
    assert targets(text, "a") == [
        ["groq/1"],
        ["xai/1"],
        ["groq/2"],
        ["xai/2"],
        ["groq/3", "xai/3", "openai/3"],
    ]


def test_fallbacks_of_long_prompts_stand_behind_the_others() -> None:
    names = ("a", "b", "c", "d")
    listed = ", ".join(
        f"{{model_name: {each}, litellm_params: {{model: groq/{each}, api_key: k}}}}"
        for each in names
    )
    text = (
        f"model_list: [{listed}]\nrouter_settings:\n  fallbacks: [{{a: [b]}}]\n"
        "  default_fallbacks: [d]\n  context_window_fallbacks: [{a: [c]}, {b: [c]}]\n"
    )
    found = ours(text)["llm"]["models"]
    assert found["a"] == {"failover": ["groq/a", "groq/b", "groq/c"]}
    assert found["b"] == {"failover": ["groq/b", "groq/d", "groq/c"]}
    assert found["c"] == {"failover": ["groq/c", "groq/d"]}
    said = finding(text, "router_settings.context_window_fallbacks.0.a")
    assert (said.outcome, said.to) == (Outcome.DIFFERENT, "llm.models.a.failover")
    none = text.replace("  fallbacks:", "  max_fallbacks: 0\n  fallbacks:")
    assert ours(none)["llm"]["models"]["a"] == {"provider": "groq", "model": "a"}
