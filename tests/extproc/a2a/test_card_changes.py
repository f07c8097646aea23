from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a.card_changes import Change, What, changes
from extproc.a2a.cards import Card, read_card

DOCUMENT: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "url": "http://a",
    "skills": [{"id": "s", "name": "S"}, {"id": "t", "name": "T"}],
    "defaultInputModes": ["text/plain"],
}


def card_of(**change: Any) -> Card:
    card = read_card(json.dumps({**DOCUMENT, **change}).encode())
    assert isinstance(card, Card)
    return card


def test_a_first_card_is_a_change() -> None:
    assert changes(None, card_of()) == (Change(What.APPEARED, after="1"),)


def test_equal_cards_are_none() -> None:
    assert changes(card_of(), card_of(), "k", "k") == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "b"}, Change(What.NAME, before="a", after="b")),
        ({"version": "2"}, Change(What.VERSION, before="1", after="2")),
        ({"url": "http://b"}, Change(What.INTERFACES)),
        ({"capabilities": {"streaming": True}}, Change(What.CAPABILITIES)),
        ({"defaultInputModes": []}, Change(What.MODES)),
        ({"iconUrl": "http://x"}, Change(What.OTHER)),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], expected: Change) -> None:
    assert changes(card_of(), card_of(**change)) == (expected,)


def test_each_skill_is_named() -> None:
    skills = [{"id": "s", "name": "New"}, {"id": "u"}]
    assert changes(card_of(), card_of(skills=skills)) == (
        Change(What.SKILL_ADDED, "u"),
        Change(What.SKILL_REMOVED, "t"),
        Change(What.SKILL_CHANGED, "s", "S", "New"),
    )


def test_a_signature_that_is_lost_is_told() -> None:
    lost = Change(What.SIGNATURE, before="key-1")
    assert changes(card_of(), card_of(), "key-1", "") == (lost,)
    assert changes(card_of(), card_of(version="2"), "key-1")[-1] == lost
