"""From the model that was asked for to the tries of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_api import message

from extproc.plan import Plan, Planner, Steering
from gateway import names
from gateway.attempts import provider_sequences, renamed_attempts
from gateway.model import Dialect, Endpoint, Model, Price, Provider, Target, Upstream

Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")


def provider(name: str) -> Provider:
    upstream = Upstream((Endpoint("127.0.0.1", 1),), name, False, 5)
    return Provider(name, "openai", Dialect.OPENAI_CHAT, upstream, "/v1", None, 60, frozenset())


def price(each: int) -> Price:
    return Price(each, each, each, each)


PROVIDERS = (provider("a"), provider("b"))
CHEAP, DEAR = price(1), price(9)
MODELS = (
    Model("alias", ((Target("a", "real"),),)),
    Model("pair", ((Target("a", "ma"),), (Target("b", "mb"),))),
    Model("twice", ((Target("a", "ma"),), (Target("b", "ma"),))),
    Model("split", ((Target("a", "ma", 80), Target("b", "mb", 20)),)),
    Model("local/*", ((Target("b", "*"),),)),
    Model("*-mini", ((Target("a", "small-*"),), (Target("b", "*-s"),))),
)


def planner(choice: float = 0.0, **prices: Price) -> Planner:
    return Planner(MODELS, PROVIDERS, prices, lambda: choice)


def plan(asked: str, choice: float = 0.0, **prices: Price) -> Plan:
    found = planner(choice, **prices).plan(asked)
    assert found is not None
    return found


def metadata(found: Plan, namespace: str) -> Any:
    return Response.FromString(found.reply).dynamic_metadata[namespace]


def clusters(found: Plan) -> list[str]:
    groups = metadata(found, names.PLAN_NAMESPACE)["priority_groups"]
    return [group["clusters"][0]["cluster_name"] for group in groups]


def test_an_alias_is_served_under_its_real_name() -> None:
    found = plan("alias")
    assert (found.model, found.provider, clusters(found)) == ("real", "a", ["llm/a"])


def test_a_later_try_with_another_model_goes_to_a_cluster_that_renames_it() -> None:
    found = plan("pair")
    assert clusters(found) == ["llm/a", "llm/b#2"]
    assert dict(metadata(found, names.REQUEST_NAMESPACE)["models"]) == {"llm/b#2": "mb"}


def test_the_same_model_needs_no_renaming() -> None:
    assert clusters(plan("twice")) == ["llm/a", "llm/b"]


def test_every_cluster_of_a_plan_exists_in_the_compiled_gateway() -> None:
    made = {names.provider_cluster(each.name) for each in PROVIDERS}
    made |= {names.attempt_cluster(*each) for each in renamed_attempts(MODELS)}
    for asked in ("alias", "pair", "twice", "split", "local/x", "x-mini"):
        assert set(clusters(plan(asked))) <= made


def test_weights_decide_inside_a_tier() -> None:
    assert [plan("split", choice).provider for choice in (0.0, 0.79, 0.81, 0.999)] == list("aabb")


def test_a_star_passes_on_what_it_matched() -> None:
    assert plan("local/llama-3").model == "llama-3"
    assert plan("gpt-mini").model == "small-gpt"


def test_a_star_does_not_match_where_its_ends_overlap() -> None:
    assert planner().plan("mini") is None
    assert planner().plan("nothing") is None


def test_each_try_has_its_own_price_and_the_plan_the_dearest() -> None:
    found = plan("pair", ma=CHEAP, mb=DEAR)
    assert found.prices == {"llm/a": CHEAP, "llm/b#2": DEAR}
    assert found.dearest == DEAR


def test_a_plan_with_an_unpriced_try_has_no_price() -> None:
    assert plan("pair", ma=CHEAP).dearest is None


def test_plans_are_made_once() -> None:
    it = planner()
    assert it.plan("pair") is it.plan("pair")


@pytest.mark.parametrize(
    ("asked", "cluster", "tries"),
    [
        ("alias", "llm/a", ("llm/a",)),
        ("pair", "plan/a>b", ("llm/a", "llm/b#2")),
        ("twice", "plan/a>b", ("llm/a", "llm/b")),
    ],
)
def test_steered_by_header_a_plan_is_a_cluster_that_knows_its_tries(
    asked: str, cluster: str, tries: tuple[str, ...]
) -> None:
    found = Planner(MODELS, PROVIDERS, {}, lambda: 0.0, Steering.HEADER).plan(asked)
    assert found is not None
    answer = Response.FromString(found.reply)
    headers = answer.request_body.response.header_mutation.set_headers
    values = {each.header.key: each.header.raw_value.decode() for each in headers}
    assert values[names.PLAN_HEADER] == cluster
    assert values[names.MAX_RETRIES_HEADER] == str(len(tries) - 1)
    assert found.clusters == tries
    assert names.PLAN_NAMESPACE not in answer.dynamic_metadata
    assert answer.dynamic_metadata[names.REQUEST_NAMESPACE]["path"] == "/chat/completions"


def test_every_plan_of_several_tries_is_a_cluster_that_the_control_plane_makes() -> None:
    made = {names.plan_cluster(each) for each in provider_sequences(MODELS)}
    made |= {names.provider_cluster(each.name) for each in PROVIDERS}
    for asked in ("alias", "pair", "twice", "split", "local/x", "x-mini"):
        for choice in (0.0, 0.9):
            it = Planner(MODELS, PROVIDERS, {}, lambda value=choice: value, Steering.HEADER)
            found = it.plan(asked)
            assert found is not None
            headers = Response.FromString(found.reply).request_body.response.header_mutation
            values = {h.header.key: h.header.raw_value.decode() for h in headers.set_headers}
            assert values[names.PLAN_HEADER] in made
