"""The page of what translation carries is what the dialects claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from extproc.llm.losses import HINTS, Feature
from extproc.llm.reference import BOUND, CAPABILITIES, Carried, carried, page
from gateway.model import Dialect
from tests.kit.golden import matches

PAGE = Path(__file__).parents[3] / "docs/reference/dialects.md"


def test_the_page_is_current() -> None:
    assert matches(page(), PAGE)


@pytest.mark.parametrize("client", Dialect)
def test_all_that_a_client_can_say_has_a_row(client: Dialect) -> None:
    section = page().split(f"## Clients of {CAPABILITIES[client].title}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(CAPABILITIES[client].says)
    assert len({row.split(" | ")[0] for row in rows}) == len(rows)


def test_every_note_that_is_referred_to_is_there_once() -> None:
    words = page().replace("]:", "] :").split()
    notes = [word for word in words if word.startswith("[^")]
    cells = {f"[^{word.partition('[^')[2]}" for word in words if "[^" in word and word[0] != "["}
    assert sorted(notes) == sorted(set(notes))
    assert cells == set(notes)


@pytest.mark.parametrize("provider", Dialect)
def test_what_is_neither_carried_nor_a_hint_is_refused(provider: Dialect) -> None:
    able = CAPABILITIES[provider]
    for feature in Feature:
        found = carried(feature, provider)
        assert (found is Carried.FULLY) is (feature in able.expresses)
        if found is Carried.REFUSED:
            assert feature not in HINTS
        if found is Carried.DROPPED:
            assert feature in HINTS
        if feature in BOUND:
            assert found in (Carried.OWN, Carried.REFUSED)
