"""Cards of agents, and the list of them."""

from __future__ import annotations

import json
from typing import Any

from extproc.events import Respond
from tests.kit.a2a_exchange import KEYED, TRAVEL, TWO, Clock, Played, agents, card, program
from tests.kit.mcp_exchange import Servers

CARD = "/a2a/travel/.well-known/agent-card.json"


def got(asked: Played, path: str, **headers: str) -> Respond:
    _, action = asked.ask(path, method="GET", **headers)
    assert isinstance(action, Respond)
    return action


def listed(asked: Played, path: str = "/a2a", **headers: str) -> list[dict[str, Any]]:
    found = got(asked, path, **headers)
    assert found.status == 200
    agents_found: list[dict[str, Any]] = json.loads(found.body)["agents"]
    return agents_found


def test_a_card_says_the_gateways_addresses_and_none_of_the_agents() -> None:
    found = got(Played(program(TRAVEL, agents(travel=card()))), CARD)
    said = json.loads(found.body)
    assert {each["url"] for each in said["supportedInterfaces"]} == {
        "http://gw/a2a/travel",
        "gw:80",
    }
    assert "travel:" not in found.body.decode()
    assert said["capabilities"].get("pushNotifications") is not True


def test_the_gateway_may_be_called_otherwise_than_it_is() -> None:
    yaml = TRAVEL.replace("{agents", '{url: "https://agents.example", agents')
    said = json.loads(got(Played(program(yaml, agents(travel=card()))), CARD).body)
    places = {each["url"] for each in said["supportedInterfaces"]}
    assert places == {"https://agents.example/a2a/travel", "agents.example:443"}


def test_what_clients_must_show_is_the_gateways_business() -> None:
    own = card(securitySchemes={"own": {"mtlsSecurityScheme": {}}})
    said = json.loads(got(Played(program(TRAVEL + KEYED, agents(travel=own))), CARD).body)
    assert set(said["securitySchemes"]) == {"bearer", "apiKey"}


def test_who_has_the_card_is_told_so() -> None:
    asked = Played(program(TRAVEL, agents(travel=card())))
    tag = dict(got(asked, CARD).headers)["etag"]
    again = got(asked, CARD, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")


def test_an_agent_without_a_card_is_told_to_be_away() -> None:
    assert got(Played(program(TRAVEL, Servers())), CARD).status == 503


def test_agents_are_listed_with_their_skills_and_how_they_are() -> None:
    asked = Played(program(TWO, agents(travel=card())))
    travel, hotels = listed(asked)
    assert (travel["name"], travel["url"]) == ("travel", "http://gw/a2a/travel")
    assert travel["health"]["status"] == "healthy"
    assert hotels["health"]["status"] == "unhealthy"
    assert [each["name"] for each in listed(asked, "/a2a?tag=hi")] == ["travel"]
    assert listed(asked, "/a2a?skill=other") == []


def test_who_may_not_ask_an_agent_does_not_see_it() -> None:
    rules = """
authorize:
  - {name: a, for: {a2a: hotels}, deny: 'principal.is_anonymous'}
  - {name: b, for: {a2a: travel}, deny: 'a2a.task_id != ""'}
"""
    asked = Played(program(TWO + rules, agents(travel=card(), hotels=card("hotels", "hotels"))))
    assert [each["name"] for each in listed(asked)] == ["travel"]


def test_a_query_that_is_none_is_told() -> None:
    found = got(Played(program(TRAVEL, agents(travel=card()))), "/a2a?colour=red")
    assert found.status == 400
    assert "colour" in json.loads(found.body)["error"]["message"]


def test_the_list_is_at_a_path_of_its_own_too() -> None:
    asked = Played(program(TWO, agents(travel=card(), hotels=card("hotels", "hotels"))))
    assert listed(asked, "/agents") == listed(asked)
    other = Played(program(f"{TWO}  registry: /directory\n", agents(travel=card())))
    assert [each["name"] for each in listed(other, "/directory?tag=hi")] == ["travel"]
    assert got(other, "/agents").status == 404


def test_who_has_the_list_is_told_so_until_something_changes() -> None:
    peers, clock = agents(travel=card()), Clock()
    asked = Played(program(TRAVEL, peers, clock=clock))
    first = dict(got(asked, "/agents").headers)
    assert first["cache-control"] == "private, no-cache"
    again = got(asked, "/agents", if_none_match=first["etag"])
    assert (again.status, again.body) == (304, b"")
    elsewhere = Played(program(TRAVEL, peers, clock=Clock(500.0)))
    assert dict(got(elsewhere, "/agents").headers)["etag"] == first["etag"], "of all workers"
    other = Played(program(TRAVEL, agents(travel=card(version="2"))))
    assert got(other, "/agents", if_none_match=first["etag"]).status == 200


def test_what_happened_is_told_of_agents_that_the_caller_may_ask() -> None:
    rule = "authorize: [{name: no, for: {a2a: hotels}, deny: 'true'}]\n"
    peers = agents(travel=card(), hotels=card("hotels", "hotels"))
    for yaml, seen in ((TWO, {"travel", "hotels"}), (TWO + rule, {"travel"})):
        asked = Played(program(yaml, peers))
        assert json.loads(got(asked, "/agents/events").body) == {"events": []}
        listed(asked)
        for path in ("/agents/events", "/a2a/.events"):
            found = got(asked, path)
            events = json.loads(found.body)["events"]
            assert {each["agent"] for each in events} == seen
            assert {each["event"] for each in events} == {"card_changed"}
            tag = dict(found.headers)["etag"]
            assert got(asked, path, if_none_match=tag).status == 304


def test_the_list_and_events_are_for_callers_who_may_come_in() -> None:
    asked = Played(program(TRAVEL + KEYED, agents(travel=card())))
    for path in ("/agents", "/agents/events", "/a2a/.events"):
        assert got(asked, path).status == 401
    _, posted = asked.ask("/agents/events", {}, authorization="Bearer sk-ann")
    assert isinstance(posted, Respond)
    assert posted.status == 405
