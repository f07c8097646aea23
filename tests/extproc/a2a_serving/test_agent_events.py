"""What happened to agents."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from extproc.a2a.card_changes import Change, What
from extproc.a2a_serving.agent_events import MOST_KEPT, AgentEvents, Noticed

CHANGED = [Change(What.VERSION, before="1", after="2"), Change(What.SKILL_ADDED, "book")]


def told(events: AgentEvents, *seen: str) -> list[Any]:
    return list(json.loads(events.told(lambda name: not seen or name in seen))["events"])


def test_the_newest_is_first_and_says_what_is_known() -> None:
    counts = Counter[tuple[str, str]]()
    events = AgentEvents(Noticed(lambda agent, what: counts.update([(agent, what)])))
    events.changed("travel", "1", ("a", "b"), CHANGED)
    events.is_not_well("travel~blue", "2", "it answers with 500")
    events.is_well("travel~blue", "3")
    well, ill, changed = told(events)
    assert (well["event"], well["instance"]) == ("healthy", "blue")
    assert (ill["agent"], ill["event"]) == ("travel", "unhealthy")
    assert ill["reason"] == "it answers with 500"
    assert changed["changes"] == [
        {"what": "version", "before": "1", "after": "2"},
        {"what": "skill_added", "subject": "book"},
    ]
    assert counts == {
        ("travel", "card_changed"): 1,
        ("travel~blue", "unhealthy"): 1,
        ("travel~blue", "healthy"): 1,
    }


def test_whoever_notices_a_change_of_a_card_gives_it_the_same_id() -> None:
    first, second = AgentEvents(), AgentEvents()
    first.changed("travel", "1", ("a", "b"), CHANGED)
    second.changed("travel", "2", ("a", "b"), CHANGED)
    second.changed("travel", "2", ("b", "c"), CHANGED)
    again, same = told(second)
    assert told(first)[0]["id"] == same["id"] != again["id"]


def test_who_may_not_be_seen_is_not_told_of() -> None:
    events = AgentEvents()
    events.is_well("travel", "1")
    events.is_well("hotels", "1")
    assert [each["agent"] for each in told(events, "hotels")] == ["hotels"]


def test_the_last_ones_are_kept_over_changes_of_the_configuration() -> None:
    before, after = AgentEvents(), AgentEvents()
    for number in range(MOST_KEPT + 1):
        before.is_well("travel", str(number))
    after.go_on(before)
    after.is_well("travel", "new")
    times = [each["time"] for each in told(after)]
    assert (len(times), times[0], times[1]) == (MOST_KEPT, "new", str(MOST_KEPT))
