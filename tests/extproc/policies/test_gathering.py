from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extproc.facts import Facts
from extproc.policies.gathering import Blocked, Gathered, Part, Piece
from extproc.policies.remote.words import FINE, Objection, Rewritten
from extproc.policies.steps import Step, Steps
from gateway.model import GuardTerms, Mode, Phase, TextScope
from tests.kit.opinions import webhook_guard


def gathered(
    seen: list[Step] | None = None, *, mode: Mode = Mode.ENFORCE, is_json: bool = False
) -> Gathered:
    terms = GuardTerms(phase=Phase.RESPONSE, window=10, mode=mode)
    (step,) = Steps([webhook_guard("g", terms=terms)]).all
    assert step.remote is not None
    facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC))
    found = [] if seen is None else seen
    return Gathered(step, step.remote, facts, TextScope.ASSISTANT, found.append, is_json=is_json)


def feed(to: Gathered, *texts: str) -> None:
    for owner, text in enumerate(texts):
        to.feed(Piece(owner, text))
    to.ripe()


def asked(of: Gathered) -> list[str]:
    return [part.asked.question.texts[0].text for part in of.unasked() if part.asked]


def one(of: Gathered) -> Part:
    (part,) = of.unasked()
    return part


def test_nothing_is_asked_before_there_is_enough() -> None:
    held = gathered()
    feed(held, "One. ", "Two")
    assert asked(held) == []
    feed(held, ". Three")
    assert asked(held) == ["One. "]
    held.end()
    assert asked(held) == ["One. ", "Two. Three"]


@pytest.mark.parametrize("end", ["Yes. ", "Yes!\n", 'Yes." ', "Yes?) ", "はい。", "yes\n"])
def test_a_part_ends_where_a_sentence_does(end: str) -> None:
    held = gathered()
    feed(held, "It is so. Is it? ", end, "And then")
    assert asked(held) == [f"It is so. Is it? {end}"]


def test_a_number_ends_no_sentence() -> None:
    held = gathered()
    feed(held, "It costs 3.", "50 EUR a", " month")
    assert asked(held) == ["It costs 3.50 EUR a month"]  # twice the window
    short = gathered()
    feed(short, "Costs 3.", "50 EUR")
    assert asked(short) == []


def test_parts_go_on_in_order_whoever_is_answered_first() -> None:
    held = gathered()
    feed(held, "The first one. ", "x")
    feed(held, "The second one. ")
    first, second = held.unasked()
    held.heed(second, FINE)
    assert held.gone() == ([], False)
    held.heed(first, FINE)
    pieces, is_end = held.gone()
    assert "".join(piece.text for piece in pieces) == "The first one. xThe second one. "
    assert not is_end


def test_a_new_text_stands_in_the_first_piece() -> None:
    seen: list[Step] = []
    held = gathered(seen)
    feed(held, "A cat ", "sleeps. ")
    held.heed(one(held), Rewritten({0: "A dog sleeps. "}))
    assert held.gone()[0] == [Piece(0, "A dog sleeps. "), Piece(1, "")]
    assert len(seen) == 1


def test_what_is_objected_to_does_not_go_on() -> None:
    held = gathered()
    feed(held, "A cat sleeps. ")
    with pytest.raises(Blocked, match="no cats"):
        held.heed(one(held), Objection("no cats"))


def test_in_json_nothing_can_be_replaced() -> None:
    held = gathered(is_json=True)
    feed(held, '{"a": "cat"}\n')
    with pytest.raises(Blocked):
        held.heed(one(held), Rewritten({0: "{}"}))


def test_in_audit_everything_goes_on_as_it_was() -> None:
    seen: list[Step] = []
    held = gathered(seen, mode=Mode.AUDIT)
    feed(held, "A cat sleeps. ")
    held.heed(one(held), Objection("no cats"))
    assert held.gone()[0] == [Piece(0, "A cat sleeps. ")]
    assert len(seen) == 1


def test_what_has_ended_can_go_on() -> None:
    held = gathered()
    feed(held, "One")
    held.end()
    feed(held, "Two")
    first = one(held)
    held.heed(first, FINE)
    assert held.gone() == ([Piece(0, "One")], True)
    assert held.gone() == ([], False)
    held.end()
    held.heed(one(held), FINE)
    assert held.gone() == ([Piece(0, "Two")], True)


def test_blank_text_needs_no_opinion() -> None:
    held = gathered()
    feed(held, " \n")
    held.end()
    assert held.unasked() == []
    assert held.gone() == ([Piece(0, " \n")], True)
