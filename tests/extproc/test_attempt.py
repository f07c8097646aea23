"""The body of a further try, spliced under the name that its provider knows."""

from __future__ import annotations

import json

import pytest

from extproc.attempt import rewritten

MODELS = {"llm/b#2": "mb"}
BODY = b'{ "x_new": [1.50, 2],\n "model" : "ma", "messages": [{"content": "model"}] }'


def test_the_model_of_this_cluster_takes_the_place_of_the_first() -> None:
    assert rewritten(BODY, "llm/b#2", MODELS) == BODY.replace(b'"ma"', b'"mb"')


@pytest.mark.parametrize("cluster", ["llm/b", "llm/a#2", ""])
def test_a_cluster_that_the_plan_does_not_name_keeps_the_body(cluster: str) -> None:
    assert rewritten(BODY, cluster, MODELS) is None


def test_a_plan_without_models_keeps_every_body() -> None:
    assert rewritten(BODY, "llm/b#2", {}) is None


def test_each_try_asks_for_its_own_model() -> None:
    models = {"llm/b#2": "mb", "llm/a#3": "mc"}
    bodies = [rewritten(BODY, cluster, models) for cluster in models]
    assert [json.loads(body or b"")["model"] for body in bodies] == ["mb", "mc"]


@pytest.mark.parametrize("model", ['quo"te', "back\\slash", "日本", "a\nb", "org/name:tag"])
def test_any_name_stays_one_json_string(model: str) -> None:
    body = rewritten(BODY, "llm/b#2", {"llm/b#2": model})
    assert body is not None
    document = json.loads(body)
    assert document == json.loads(BODY) | {"model": model}


def test_a_model_inside_the_messages_is_left_alone() -> None:
    body = b'{"messages":[{"model":"ma"}],"model":"ma"}'
    assert rewritten(body, "llm/b#2", MODELS) == b'{"messages":[{"model":"ma"}],"model":"mb"}'
