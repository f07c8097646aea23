"""From the model that was asked for to the tries of a plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from envoy_api import message
from msgspec.structs import replace

from extproc.choosing import Chooser, World
from extproc.latencies import Latencies
from extproc.plan import NotOffered, Plan, Planner, Steering, Unchosen, Wanted
from extproc.turns import AS_WRITTEN, Turns
from extproc.wire import Said
from gateway import names
from gateway.attempts import plan_sequences, provider_sequences, rewritten_attempts
from gateway.failover import Failover
from gateway.model import BodyForm, Dialect, Endpoint, Model, Provider, Target, Upstream
from gateway.operations import Operation
from gateway.price import Price
from tests.kit.choosers import chooser, facts, models
from tests.kit.gateways import golden_gateway

Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")


CHAT = Wanted(Operation.CHAT, False, "/v1/chat/completions")
OPENAI = (
    (Operation.CHAT, "/chat/completions"),
    (Operation.EMBEDDINGS, "/embeddings"),
)
CLAUDE = ((Operation.MESSAGES, "/messages"),)
GEMINI = (
    (Operation.GENERATE, "/models/{model}:generateContent"),
    (Operation.GENERATE_STREAM, "/models/{model}:streamGenerateContent?alt=sse"),
)


def provider(
    name: str, offers: tuple[tuple[Operation, str], ...] = OPENAI, base_path: str = "/v1"
) -> Provider:
    upstream = Upstream((Endpoint("127.0.0.1", 1),), name, False, 5)
    return Provider(name, "openai", upstream, base_path, offers, 60)


def price(each: int) -> Price:
    return Price(each, each, each, each)


PROVIDERS = (
    provider("a"),
    provider("b"),
    provider("claude", CLAUDE),
    provider("gemini", GEMINI, "/v1beta"),
)
BY_NAME = {each.name: each for each in PROVIDERS}
CHEAP, DEAR = price(1), price(9)
MODELS = (
    Model("alias", ((Target("a", "real"),),)),
    Model("pair", ((Target("a", "ma"),), (Target("b", "mb"),))),
    Model("twice", ((Target("a", "ma"),), (Target("b", "ma"),))),
    Model("split", ((Target("a", "ma", 80), Target("b", "mb", 20)),)),
    Model("local/*", ((Target("b", "*"),),)),
    Model("claude", ((Target("claude", "opus"),),)),
    Model("mixed", ((Target("claude", "opus"),), (Target("a", "ma"),), (Target("gemini", "pro"),))),
    Model("*-mini", ((Target("a", "small-*"),), (Target("b", "*-s"),))),
)


def planner(choice: float = 0.0, **prices: Price) -> Planner:
    return Planner(chooser(MODELS, lambda: choice), PROVIDERS, prices)


def plan(asked: str, choice: float = 0.0, wanted: Wanted = CHAT, **prices: Price) -> Plan:
    found = planner(choice, **prices).plan(asked, wanted, facts())
    assert isinstance(found, Plan)
    return found


def metadata(found: Plan, namespace: str) -> Any:
    return Response.FromString(found.reply).dynamic_metadata[namespace]


def clusters(found: Plan) -> list[str]:
    groups = metadata(found, names.PLAN_NAMESPACE)["priority_groups"]
    return [group["clusters"][0]["cluster_name"] for group in groups]


def test_an_alias_is_served_under_its_real_name() -> None:
    found = plan("alias")
    assert (found.forwarded.model, found.providers[0], clusters(found)) == ("real", "a", ["llm/a"])


def test_a_later_try_with_another_model_goes_to_a_cluster_that_renames_it() -> None:
    found = plan("pair")
    assert clusters(found) == ["llm/a", "llm/b#2"]
    assert found.by_cluster["llm/b#2"].said == Said(Dialect.OPENAI_CHAT, "mb")
    told = metadata(found, names.REQUEST_NAMESPACE)
    assert told["bodies"]["llm/b#2"]["model"] == "mb"
    assert told["said"]["model"] == "ma"


def test_the_same_model_needs_no_renaming() -> None:
    assert clusters(plan("twice")) == ["llm/a", "llm/b"]


def test_what_repeats_its_model_below_the_top_goes_to_providers_of_one_model() -> None:
    embeds = ((Operation.BATCH_EMBED_CONTENTS, "/models/{model}:batchEmbedContents"),)
    three = tuple(provider(name, embeds, "/v1beta") for name in ("g", "h", "i"))
    tiers = ((Target("g", "v1"),), (Target("h", "v2"),), (Target("i", "v1"),))
    chosen = chooser((Model("vectors", tiers),), lambda: 0.0)
    wanted = Wanted(Operation.BATCH_EMBED_CONTENTS, False, "/v1beta/models/v:batchEmbedContents")
    found = Planner(chosen, three, {}).plan("vectors", wanted, facts())
    assert isinstance(found, Plan)
    assert found.providers == ("g", "i")
    assert found.forwarded.model == "v1"


def test_every_cluster_of_a_plan_exists_in_the_compiled_gateway() -> None:
    made = {names.provider_cluster(each.name) for each in PROVIDERS}
    made |= {names.addressed_cluster(each.name) for each in PROVIDERS}
    made |= {names.attempt_cluster(*each) for each in rewritten_attempts(MODELS, BY_NAME)}
    for asked in ("alias", "pair", "twice", "split", "local/x", "x-mini", "claude", "mixed"):
        assert set(clusters(plan(asked))) <= made


def test_weights_decide_inside_a_tier() -> None:
    assert [plan("split", choice).providers[0] for choice in (0.0, 0.79, 0.81, 0.999)] == list(
        "aabb"
    )


def test_a_star_passes_on_what_it_matched() -> None:
    assert plan("local/llama-3").forwarded.model == "llama-3"
    assert plan("gpt-mini").forwarded.model == "small-gpt"


def test_a_star_does_not_match_where_its_ends_overlap() -> None:
    assert planner().plan("mini", CHAT, facts()) is None
    assert planner().plan("nothing", CHAT, facts()) is None


def test_each_try_has_its_own_price_and_the_plan_the_dearest() -> None:
    found = plan("pair", ma=CHEAP, mb=DEAR)
    assert {each.cluster: each.price for each in found.tries} == {"llm/a": CHEAP, "llm/b#2": DEAR}
    assert found.dearest is not None
    assert found.dearest.input == DEAR.input


def test_a_plan_with_an_unpriced_try_has_no_price() -> None:
    assert plan("pair", ma=CHEAP).dearest is None


def test_plans_are_made_once() -> None:
    it = planner()
    assert it.plan("pair", CHAT, facts()) is it.plan("pair", CHAT, facts())


def test_a_form_is_not_sent_on_as_the_json_that_was_asked_before() -> None:
    it = planner()
    it.plan("pair", CHAT, facts())
    found = it.plan("pair", replace(CHAT, is_json=False), facts())
    assert isinstance(found, Plan)
    assert b"application/json" not in found.reply


@pytest.mark.parametrize(
    ("asked", "cluster", "tries"),
    [
        ("alias", "llm/a/addressed", ("llm/a/addressed",)),
        ("pair", "plan/a>b", ("llm/a#1", "llm/b#2")),
        ("twice", "plan/a>b", ("llm/a#1", "llm/b#2")),
    ],
)
def test_steered_by_header_a_plan_is_a_cluster_that_knows_its_tries(
    asked: str, cluster: str, tries: tuple[str, ...]
) -> None:
    found = Planner(chooser(MODELS), PROVIDERS, {}, Steering.HEADER).plan(asked, CHAT, facts())
    assert isinstance(found, Plan)
    answer = Response.FromString(found.reply)
    headers = answer.request_body.response.header_mutation.set_headers
    values = {each.header.key: each.header.raw_value.decode() for each in headers}
    assert values[names.PLAN_HEADER] == cluster
    assert values[names.MAX_RETRIES_HEADER] == str(len(tries) - 1)
    assert tuple(each.cluster for each in found.tries) == tries
    assert names.PLAN_NAMESPACE not in answer.dynamic_metadata
    assert answer.dynamic_metadata[names.REQUEST_NAMESPACE]["path"] == CHAT.path


def test_every_plan_of_several_tries_is_a_cluster_that_the_control_plane_makes() -> None:
    made = {names.plan_cluster(each) for each in provider_sequences(MODELS)}
    made |= {names.addressed_cluster(each.name) for each in PROVIDERS}
    for asked in ("alias", "pair", "twice", "split", "local/x", "x-mini"):
        for choice in (0.0, 0.9):
            it = Planner(
                chooser(MODELS, lambda value=choice: value), PROVIDERS, {}, Steering.HEADER
            )
            found = it.plan(asked, CHAT, facts())
            assert isinstance(found, Plan)
            headers = Response.FromString(found.reply).request_body.response.header_mutation
            values = {h.header.key: h.header.raw_value.decode() for h in headers.set_headers}
            assert values[names.PLAN_HEADER] in made


def test_a_plan_in_one_foreign_dialect_is_forwarded_in_it() -> None:
    found = plan("claude")
    assert found.forwarded == Said(Dialect.ANTHROPIC, "opus", target="opus")
    assert found.is_foreign
    assert clusters(found) == ["llm/claude/addressed"]
    assert metadata(found, names.REQUEST_NAMESPACE)["path"] == "/v1/messages"


def test_a_client_of_that_dialect_is_no_stranger_there() -> None:
    found = plan("claude", wanted=Wanted(Operation.MESSAGES, False, "/v1/messages"))
    assert not found.is_foreign
    assert clusters(found) == ["llm/claude"]


def test_mixed_dialects_are_forwarded_as_the_client_said_it_and_rewritten_try_by_try() -> None:
    found = plan("mixed")
    assert found.forwarded == Said(Dialect.OPENAI_CHAT, "ma")
    assert clusters(found) == ["llm/claude#1", "llm/a/addressed", "llm/gemini#3"]
    told = metadata(found, names.REQUEST_NAMESPACE)
    assert told["bodies"]["llm/claude#1"]["dialect"] == "anthropic"
    assert told["paths"]["llm/gemini#3"] == "/v1beta/models/pro:generateContent"
    assert "llm/a/addressed" not in told["bodies"]


def test_streams_have_the_path_of_streams() -> None:
    found = plan("mixed", wanted=replace(CHAT, is_stream=True))
    path = metadata(found, names.REQUEST_NAMESPACE)["paths"]["llm/gemini#3"]
    assert path == "/v1beta/models/pro:streamGenerateContent?alt=sse"
    assert metadata(found, names.REQUEST_NAMESPACE)["stream"] is True


def test_dialects_that_cannot_say_it_are_left_out_and_places_stay() -> None:
    it, whole = planner(), plan("mixed")
    found = it.without(whole, "mixed", CHAT, {Dialect.ANTHROPIC})
    assert isinstance(found, Plan)
    assert clusters(found) == ["llm/a/addressed", "llm/gemini#3"]
    everything = {Dialect.ANTHROPIC, Dialect.OPENAI_CHAT, Dialect.GEMINI}
    assert isinstance(it.without(whole, "mixed", CHAT, everything), NotOffered)


def test_what_was_chosen_by_chance_stays_chosen_when_dialects_are_left_out() -> None:
    choices = iter([0.9])
    it = Planner(chooser(MODELS, lambda: next(choices)), PROVIDERS, {})
    first = it.plan("split", CHAT, facts())
    assert isinstance(first, Plan)
    left = it.without(first, "split", CHAT, {Dialect.GEMINI})
    assert isinstance(left, Plan)
    assert left.providers == first.providers == ("b",)


VIRTUAL = """
    cheap: {cheapest: [claude/dear, a/cheap]},
    never: {conditional: [{when: 'principal.team == "x"', use: a/m}]},
    quick: {fastest: [a/x, b/y]},
    stuck: {weighted: {a/x: 1, b/y: 1, c/z: 1}, sticky: "header:x-session"},
    sorted: {conditional: [{when: llm.estimated_input_tokens > 9, use: quick}, {use: stuck}]}
"""


def test_what_is_tried_first_is_forwarded_and_the_place_of_a_try_is_where_it_was_written() -> None:
    prices = {"dear": price(9 * 10**9), "cheap": price(10**9)}
    it = Planner(chooser(models(VIRTUAL, "a b c claude"), prices=prices), PROVIDERS, prices)
    found = it.plan("cheap", CHAT, facts())
    assert isinstance(found, Plan)
    assert [each.model for each in found.tries] == ["cheap", "dear"]
    assert clusters(found) == ["llm/a/addressed", "llm/claude#1"]


def test_no_condition_that_holds_is_not_the_same_as_no_model() -> None:
    it = Planner(chooser(models(VIRTUAL, "a b c claude")), PROVIDERS, {})
    assert it.plan("never", CHAT, facts()) == Unchosen()
    assert isinstance(it.plan("never", CHAT, facts(team="x")), Plan)


@pytest.mark.parametrize("steering", list(Steering))
def test_every_cluster_of_every_order_is_one_that_envoy_has(steering: Steering) -> None:
    made = models(VIRTUAL, "a b c claude")
    providers = {each.name: each for each in (*PROVIDERS, provider("c"))}
    rewritten = {names.attempt_cluster(*each) for each in rewritten_attempts(made, providers)}
    planned = set(map(names.plan_cluster, provider_sequences(made)))
    draws = random.Random(5)
    it = Planner(chooser(made, draws.random), tuple(providers.values()), {}, steering)
    seen: set[tuple[str, ...]] = set()
    for _ in range(200):
        for asked in ("quick", "stuck", "sorted", "cheap"):
            found = it.plan(asked, CHAT, facts(tokens=draws.choice([1, 10])))
            assert isinstance(found, Plan)
            seen.add(found.providers)
            if steering is Steering.HEADER:
                assert names.plan_cluster(found.providers) in planned
            else:
                assert {each for each in clusters(found) if "#" in each} <= rewritten
    assert len(seen) >= 8


def test_only_providers_that_offer_an_operation_are_tried() -> None:
    wanted = Wanted(Operation.EMBEDDINGS, False, "/v1/embeddings")
    assert clusters(plan("mixed", wanted=wanted)) == ["llm/a"]
    assert planner().plan("claude", wanted, facts()) == NotOffered(("claude",))


def test_a_query_is_never_passed_on() -> None:
    asked = replace(CHAT, path="/v1/chat/completions?key=secret")
    assert clusters(plan("alias", wanted=asked)) == ["llm/a/addressed"]


def test_a_models_name_cannot_leave_its_place_in_a_path() -> None:
    models = (Model("m/*", ((Target("gemini", "*"),),)),)
    found = Planner(chooser(models), PROVIDERS, {}).plan("m/../../x?y=#z", CHAT, facts())
    assert isinstance(found, Plan)
    path = "/v1beta/models/..%2F..%2Fx%3Fy=%23z:generateContent".replace("=", "%3D")
    assert found.tries[0].path == path


def test_where_claude_is_served_by_others_its_form_is_told() -> None:
    vertex = Provider(
        "v",
        "vertex",
        Upstream((Endpoint("127.0.0.1", 1),), "v", False, 5),
        "/v1",
        ((Operation.MESSAGES, "/models/{model}:rawPredict"),),
        60,
        body_form=BodyForm.VERTEX_CLAUDE,
    )
    models = (Model("m", ((Target("v", "opus"),),)),)
    found = Planner(chooser(models), (vertex,), {}).plan("m", CHAT, facts())
    assert isinstance(found, Plan)
    form = BodyForm.VERTEX_CLAUDE
    assert found.forwarded == Said(Dialect.ANTHROPIC, "", form, target="opus")


def test_what_names_no_model_goes_to_the_first_of_those_named_for_it_who_offers_it() -> None:
    wanted = Wanted(Operation.FILES, False, "/v1/files", is_read=False)
    assert planner().stored(("a", "claude"), wanted) is None
    files = provider("f", ((Operation.FILES, "/files"),))
    it = Planner(chooser(()), (*PROVIDERS, files), {})
    assert it.stored((), wanted) is None
    found = it.stored(("a", "f"), wanted)
    assert found is not None
    assert found.providers == ("f",)
    assert Response.FromString(found.reply).WhichOneof("response") == "request_headers"


def test_an_array_is_asked_of_gemini_where_the_client_wants_one() -> None:
    models = (Model("pro", ((Target("gemini", "pro"),),)),)
    path = "/v1beta/models/pro:streamGenerateContent"
    it = Planner(chooser(models), PROVIDERS, {})
    array = it.plan("pro", Wanted(Operation.GENERATE_STREAM, True, path, is_sse=False), facts())
    events = it.plan("pro", Wanted(Operation.GENERATE_STREAM, True, f"{path}?alt=sse"), facts())
    assert isinstance(array, Plan)
    assert isinstance(events, Plan)
    assert [each.tries[0].path for each in (array, events)] == [path, f"{path}?alt=sse"]
    assert clusters(array) == clusters(events) == ["llm/gemini"]


class Ordered(Turns):
    """The first target is set aside."""

    __slots__ = ()

    def order(self, targets: Sequence[Target]) -> tuple[int, ...] | None:
        return (1, *range(2, len(targets)), 0)


def turned(
    asked: str,
    turns: Turns,
    steering: Steering = Steering.METADATA,
    wanted: Wanted = CHAT,
    known: tuple[Model, ...] = MODELS,
) -> Plan:
    world = World(lambda: 0.0, lambda _: None, Latencies(lambda: 0.0), turns)
    found = Planner(Chooser(known, world), PROVIDERS, {}, steering).plan(asked, wanted, facts())
    assert isinstance(found, Plan)
    return found


def test_who_is_set_aside_is_tried_last_and_what_is_forwarded_stays() -> None:
    found = turned("pair", Ordered(Failover()))
    assert clusters(found) == ["llm/b#2", "llm/a/addressed"]
    assert found.forwarded == plan("pair").forwarded
    assert [each.provider for each in found.tries] == ["b", "a"]
    assert metadata(found, names.REQUEST_NAMESPACE)["last"] == "llm/a/addressed"


def test_what_needs_no_other_body_keeps_its_cluster_in_any_order() -> None:
    assert clusters(turned("twice", Ordered(Failover()))) == ["llm/b", "llm/a"]


def test_an_order_without_a_cluster_of_its_own_stays_as_it_was_written() -> None:
    known = Ordered(Failover(), sequences=[("b", "a")])
    assert turned("pair", known, Steering.HEADER).providers == ("b", "a")
    assert turned("pair", Ordered(Failover()), Steering.HEADER).providers == ("a", "b")


def test_every_pair_has_a_cluster_for_the_other_order_where_targets_may_be_set_aside() -> None:
    gateway = golden_gateway("llm-failover-paths")
    pairs = [each for each in provider_sequences(gateway.models) if len(each) == 2]
    assert pairs
    assert {(second, first) for first, second in pairs} <= set(plan_sequences(gateway))


@pytest.mark.parametrize("steering", Steering)
def test_no_more_are_tried_than_may_be(steering: Steering) -> None:
    found = turned("mixed", Turns(Failover(attempts=2)), steering)
    reply = Response.FromString(found.reply)
    options = reply.request_body.response.header_mutation.set_headers
    told = {each.header.key: each.header.raw_value for each in options}
    assert told[names.MAX_RETRIES_HEADER] == b"1"
    last = reply.dynamic_metadata[names.REQUEST_NAMESPACE]["last"]
    assert last == found.tries[1].cluster


TWICE = (
    Model("pros", ((Target("gemini", "pro"),), (Target("gemini", "flash"),))),
    Model("same", ((Target("a", "m"),), (Target("b", "m"),), (Target("a", "m"),))),
)


def test_two_models_of_one_provider_that_its_paths_name_are_two_tries() -> None:
    found = turned("pros", AS_WRITTEN, known=TWICE)
    assert clusters(found) == ["llm/gemini/addressed", "llm/gemini#2"]
    assert ("gemini", 2) in rewritten_attempts(TWICE, BY_NAME)
    paths = [each.path for each in found.tries]
    assert ["pro" in paths[0], "flash" in paths[1]] == [True, True]


def test_the_same_target_is_tried_once() -> None:
    assert turned("same", AS_WRITTEN, known=TWICE).providers == ("a", "b")


def test_tries_are_told_how_long_they_may_take() -> None:
    found = turned("pair", Turns(Failover(seconds=3)))
    options = Response.FromString(found.reply).request_body.response.header_mutation.set_headers
    told = {each.header.key: each.header.raw_value for each in options}
    assert told[names.TRY_TIMEOUT_HEADER] == b"1500"
