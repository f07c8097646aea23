from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import registry
from extproc.a2a.cards import Card, read_card
from extproc.a2a.registry import Entry, Health, Misasked, Registry, Status, View, read_query


def card_of(name: str, description: str = "", **more: Any) -> Card:
    document = {"name": name, "description": description, "url": "http://a", **more}
    card = read_card(json.dumps(document).encode())
    assert isinstance(card, Card)
    return card


def skill(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name.title(), "tags": tags, **more}


TRAVEL = card_of(
    "Travel Agent",
    "Plans trips",
    version="2",
    provider={"organization": "Example", "url": "http://example.com"},
    capabilities={"streaming": True, "extensions": [{"uri": "u:x"}]},
    defaultInputModes=["text/plain"],
    defaultOutputModes=["application/json"],
    skills=[
        skill("flights", "Travel", description="Books flights", examples=["A seat to Rome"]),
        skill("pictures", "art", inputModes=["image/*"], outputModes=["image/png"]),
    ],
)
PAINTER = card_of(
    "Painter",
    "Paints pictures of flights of fancy",
    skills=[skill("paint", "art", inputModes=["text/plain"], outputModes=["image/png"])],
)
PLAIN = card_of("Plain", defaultInputModes=["text/plain"], defaultOutputModes=["text/html"])
ENTRIES = (
    Entry("travel", TRAVEL, "2026-11-26T10:00:00Z", signed_by="key-1"),
    Entry("painter", PAINTER),
    Entry("plain", PLAIN),
    Entry("silent", None),
)
HEALTH = {
    "travel": Health(Status.HEALTHY, "2026-11-26T09:00:00Z"),
    "silent": Health(Status.UNHEALTHY, reason="it answers with 500"),
}
REGISTRY = Registry(ENTRIES)
VIEW = View(
    lambda name: True,
    lambda name: f"https://gw/a2a/{name}",
    lambda name: HEALTH.get(name, Health(Status.UNKNOWN)),
)


def page(query: str, view: View = VIEW) -> dict[str, Any]:
    found = json.loads(REGISTRY.search(read_query(query), view)[0])
    assert isinstance(found, dict)
    return found


def names(query: str) -> list[str]:
    return [each["name"] for each in page(query)["agents"]]


def test_an_agent_is_told_with_all_that_a_client_needs() -> None:
    (first, *_) = page("")["agents"]
    assert first == {
        "name": "travel",
        "url": "https://gw/a2a/travel",
        "cardUrl": "https://gw/a2a/travel/.well-known/agent-card.json",
        "health": {"status": "healthy", "since": "2026-11-26T09:00:00Z"},
        "title": "Travel Agent",
        "description": "Plans trips",
        "version": "2",
        "provider": "Example",
        "changedAt": "2026-11-26T10:00:00Z",
        "signedBy": "key-1",
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "extendedAgentCard": False,
            "extensions": ["u:x"],
        },
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["application/json"],
        "skills": [
            {
                "id": "flights",
                "name": "Flights",
                "description": "Books flights",
                "tags": ["Travel"],
                "examples": ["A seat to Rome"],
            },
            {
                "id": "pictures",
                "name": "Pictures",
                "description": "",
                "tags": ["art"],
                "inputModes": ["image/*"],
                "outputModes": ["image/png"],
            },
        ],
    }


def test_an_agent_that_told_no_card_is_told_with_the_reason() -> None:
    *_, last = page("")["agents"]
    assert last == {
        "name": "silent",
        "url": "https://gw/a2a/silent",
        "cardUrl": "https://gw/a2a/silent/.well-known/agent-card.json",
        "health": {"status": "unhealthy", "reason": "it answers with 500"},
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["travel", "painter", "plain", "silent"]),
        ("skill=flights", ["travel"]),
        ("skill=FLIGHTS", ["travel"]),
        ("skill=flight", []),
        ("tag=travel", ["travel"]),
        ("tag=ART", ["travel", "painter"]),
        ("tag=art&tag=travel", []),
        ("tag=art&skill=paint", ["painter"]),
        ("input=text/plain", ["travel", "painter", "plain"]),
        ("input=image/jpeg", ["travel"]),
        ("output=image/*", ["travel", "painter"]),
        ("output=application/json", ["travel"]),
        ("output=application/json&tag=art", []),
        ("input=text/plain&output=image/png", ["painter"]),
        ("input=text/plain&output=text/html", ["plain"]),
        ("mode=image/png", ["travel", "painter"]),
        ("mode=text/html&mode=text/plain", ["plain"]),
        ("mode=audio/wav", []),
        ("q=flights", ["travel", "painter"]),
        ("q=rome", ["travel"]),
        ("q=silent", ["silent"]),
        ("q=painting", ["painter"]),
        ("q=example", ["travel"]),
        ("q=zebra", []),
        ("q=pictures&tag=art", ["travel", "painter"]),
        ("q=&skill=", ["travel", "painter", "plain", "silent"]),
    ],
)
def test_agents_are_found_by_what_they_do(query: str, found: list[str]) -> None:
    assert names(query) == found
    assert page(query)["totalSize"] == len(found)


def test_skills_that_match_are_named() -> None:
    first, second = page("tag=art")["agents"]
    assert first["matchingSkills"] == ["pictures"]
    assert second["matchingSkills"] == ["paint"]
    assert page("mode=text/html")["agents"][0]["matchingSkills"] == []
    assert "matchingSkills" not in page("q=flights")["agents"][0]


def test_who_may_not_be_seen_is_neither_told_nor_counted() -> None:
    view = View(lambda name: name != "travel", VIEW.url_of, VIEW.health_of)
    found = page("q=flights", view)
    assert [each["name"] for each in found["agents"]] == ["painter"]
    assert found["totalSize"] == 1
    assert "travel" not in json.dumps(page("", view)).lower()


def test_pages_have_all_once() -> None:
    seen, token = [], ""
    while True:
        found = page(f"pageSize=3&pageToken={token}")
        seen += [each["name"] for each in found["agents"]]
        assert found["totalSize"] == 4
        token = found["nextPageToken"]
        if not token:
            break
    assert seen == ["travel", "painter", "plain", "silent"]
    assert page("pageToken=99")["agents"] == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("colour=red", "no parameter 'colour'; known: q, pageSize, pageToken, skill"),
        ("q=a&q=b", "'q' is there twice"),
        ("pageSize=0", "'pageSize' must be a number from 1 to 100"),
        ("pageSize=101", "from 1 to 100"),
        ("pageSize=ten", "from 1 to 100"),
        ("pageSize=٣", "from 1 to 100"),
        ("pageToken=-1", "'pageToken' must be a number"),
        ("pageToken=9999999999", "must be a number"),
        ("&".join(["tag=a"] * 40), "more than 32 parts"),
        ("q=" + "a" * 9000, "too long"),
    ],
)
def test_what_is_no_query_is_told(query: str, reason: str) -> None:
    with pytest.raises(Misasked, match=reason):
        read_query(query)


@given(st.text(max_size=40))
def test_whatever_is_asked_it_is_answered_or_told_to_be_no_query(query: str) -> None:
    try:
        read = read_query(query)
    except Misasked:
        return
    found = json.loads(REGISTRY.search(read, VIEW)[0])
    assert found["totalSize"] >= len(found["agents"])


def test_an_empty_gateway_has_an_empty_list() -> None:
    page, _ = registry.Registry(()).search(read_query("q=x"), VIEW)
    assert json.loads(page) == {"agents": [], "nextPageToken": "", "totalSize": 0}
