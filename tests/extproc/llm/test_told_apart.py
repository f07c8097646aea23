"""Answers are read here where they may tell what costs otherwise, and Envoy does not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from extproc.llm.told_apart import having_apart, is_told_apart
from gateway.price import Price

PLAIN = Price(1, 1, 1, 1)
TIERED = replace(PLAIN, service_tiers=(("flex", PLAIN),))
HOURLY = replace(PLAIN, cache_write_1h=2)
HEARD = replace(PLAIN, audio_input=2)
SEEN = replace(PLAIN, image_input=2)
SEARCHED = replace(PLAIN, search=1)


def chat(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def gemini(**part: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [part]}]}


TEXT = {"type": "text", "text": "image audio 1h"}
SOUND = {"type": "input_audio", "input_audio": {"data": "a", "format": "wav"}}
HOUR = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("request_", "price"),
    [
        ({}, replace(PLAIN, audio_output=2)),
        ({}, replace(PLAIN, image_output=2)),
        ({"service_tier": "flex"}, TIERED),
        ({"serviceTier": "PRIORITY"}, TIERED),
        (chat(SOUND), HEARD),
        ({"input": [{"role": "user", "content": [SOUND]}]}, HEARD),
        (gemini(inlineData={"mimeType": "Audio/mp3", "data": "a"}), HEARD),
        (gemini(fileData={"mimeType": "video/mp4", "fileUri": "a"}), HEARD),
        (gemini(fileData={"fileUri": "a"}), HEARD),
        (gemini(inlineData={"mimeType": "image/png", "data": "a"}), SEEN),
        (chat({"type": "image_url", "image_url": {"url": "a"}}), SEEN),
        (chat(HOUR), HOURLY),
        (chat({"type": "tool_result", "content": [HOUR]}), HOURLY),
        ({"system": [HOUR]}, HOURLY),
        ({"tools": [HOUR]}, HOURLY),
        ({"cache_control": {"ttl": "1h"}}, HOURLY),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, SEARCHED),
        ({"web_search_options": {}}, SEARCHED),
    ],
)
def test_what_a_price_has_apart_and_a_request_may_lead_to(
    request_: dict[str, Any], price: Price
) -> None:
    prices = having_apart([None, PLAIN, price])
    assert prices == (price,)
    assert is_told_apart(request_, prices)
    assert not is_told_apart(request_, [PLAIN])


@pytest.mark.parametrize(
    "request_",
    [
        chat(TEXT),
        {"messages": [{"role": "user", "content": "audio image 1h"}], "service_tier": "auto"},
        {"system": "1h", "tools": [{"type": "function"}], "service_tier": None, "messages": None},
        chat({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "5m"}}),
        gemini(text="audio"),
        {"contents": "audio", "input": ["audio"], "tools": {"type": "web_search"}},
    ],
)
def test_what_costs_what_all_does_is_left_to_envoy(request_: dict[str, Any]) -> None:
    dear = [TIERED, HOURLY, HEARD, SEEN, SEARCHED, replace(HOURLY, cache_write_1h=1)]
    assert not is_told_apart(request_, dear)


def test_a_cache_of_an_hour_that_costs_no_more_is_as_any() -> None:
    same = replace(PLAIN, cache_write_1h=1)
    assert not is_told_apart(chat(HOUR), [same])
    assert having_apart([same]) == ()
