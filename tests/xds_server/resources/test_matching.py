"""Filters that run on some tries only: what is asked, and of which filter."""

from __future__ import annotations

import envoy_api
import pytest

from xds_server.resources.extension import Json, extension
from xds_server.resources.matching import (
    only_at,
    only_in,
    provider_metadata,
    unless_translated,
    unless_well,
)

FILTER = extension("f", "envoy.extensions.filters.http.lua.v3.Lua")


def question(wrapped: Json) -> str:
    """The expression that decides whether the filter is passed over."""
    [matcher] = wrapped["typed_config"]["xds_matcher"]["matcher_list"]["matchers"]
    assert matcher["on_match"]["action"]["typed_config"]["@type"].endswith(".SkipFilter")
    predicate = matcher["predicate"]
    predicate = predicate.get("not_matcher", predicate)["single_predicate"]
    return text(predicate["custom_match"]["typed_config"]["expr_match"]["cel_expr_parsed"]["expr"])


def text(expression: Json) -> str:
    if "ident_expr" in expression:
        return str(expression["ident_expr"]["name"])
    if "select_expr" in expression:
        select = expression["select_expr"]
        return f"{text(select['operand'])}[{select['field']}]"
    if "const_expr" in expression:
        return str(next(iter(expression["const_expr"].items())))
    left, right = expression["call_expr"]["args"]
    return f"{text(left)} {expression['call_expr']['function']} {text(right)}"


def test_a_provider_is_known_by_what_its_endpoint_says() -> None:
    assert question(only_at("a", FILTER)) == (
        "xds[upstream_host_metadata][filter_metadata][dragoman.provider][name]"
        " _==_ ('string_value', 'a')"
    )
    assert provider_metadata("a") == {"filter_metadata": {"dragoman.provider": {"name": "a"}}}


def test_a_place_is_known_by_the_number_of_the_try() -> None:
    assert question(only_in(2, FILTER)) == (
        "upstream[request_attempt_count] _==_ ('uint64_value', '2')"
    )


def test_an_answer_that_is_translated_is_known_by_what_the_plan_says() -> None:
    wrapped = unless_translated("llm/a", FILTER)
    [matcher] = wrapped["typed_config"]["xds_matcher"]["matcher_list"]["matchers"]
    asked = matcher["predicate"]["single_predicate"]
    where = asked["input"]["typed_config"]
    assert where["filter"] == "dragoman.request"
    assert [each["key"] for each in where["path"]] == ["translated", "llm/a"]
    assert asked["custom_match"]["typed_config"]["value"] == {"bool_match": True}
    assert wrapped["name"] == FILTER["name"], "routes configure it by its name"


def test_a_success_is_passed_over_that_does_not_have_the_header() -> None:
    wrapped = unless_well("x-a", FILTER)
    [matcher] = wrapped["typed_config"]["xds_matcher"]["matcher_list"]["matchers"]
    success, lacks = matcher["predicate"]["and_matcher"]["predicate"]
    there = lacks["not_matcher"]["single_predicate"]
    status = success["single_predicate"]
    assert status["input"]["typed_config"]["header_name"] == ":status"
    assert status["value_match"] == {"prefix": "2"}
    assert there["input"]["typed_config"]["header_name"] == "x-a"
    assert there["value_match"]["safe_regex"]["regex"] == ".*"
    assert wrapped["name"] == FILTER["name"]


@pytest.mark.parametrize("wrapped", [only_at("a", FILTER), only_in(2, FILTER)])
def test_it_is_a_filter_of_its_own_name_around_the_other(wrapped: Json) -> None:
    assert wrapped["name"] in ("f@a", "f#2")
    assert wrapped["typed_config"]["extension_config"] == FILTER
    envoy_api.from_dict(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter", wrapped
    )
