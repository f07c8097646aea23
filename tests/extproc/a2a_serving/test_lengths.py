from __future__ import annotations

from collections.abc import Sequence

import pytest

from extproc.a2a_serving.lengths import Lengths
from extproc.audits import Audits
from extproc.facts import A2aCall, Facts
from extproc.policies.gathering import Blocked
from gateway.guards import GuardTerms, LengthGuard, Phase, TextScope
from gateway.scopes import Mode, Scope
from tests.kit.counted import Counted
from tests.kit.mcp_exchange import NOW

FACTS = Facts(now=NOW, a2a=A2aCall("SendMessage", "travel"))


def terms(phase: Phase = Phase.RESPONSE, agent: str = "*", **more: object) -> GuardTerms:
    return GuardTerms(Scope(a2a=agent), phase, **more)  # type: ignore[arg-type]


def measure(texts: Sequence[str]) -> int:
    return sum(len(each.split()) for each in texts)


def lengths(*guards: LengthGuard, audits: Audits | None = None) -> Lengths:
    return Lengths(guards, audits or Audits(Counted()), measure)


@pytest.mark.parametrize("bounds", [(5, None), (None, 3), (100, 3)])
def test_all_events_count_together(bounds: tuple[int | None, int | None]) -> None:
    characters, tokens = bounds
    guard = LengthGuard("short", characters, "", terms(), tokens)
    stream = lengths(guard).of_stream(FACTS)
    assert stream is not None
    stream.add(["a b"])
    with pytest.raises(Blocked) as found:
        stream.add(["c d"])
    assert found.value.deny.code == "text_too_long"


@pytest.mark.parametrize(
    "guard",
    [
        LengthGuard("short", 5, "", terms(Phase.REQUEST)),
        LengthGuard("short", 5, "", terms(agent="hotels")),
        LengthGuard("short", 5, "", terms(texts=frozenset({TextScope.USER}))),
    ],
)
def test_those_that_are_for_something_else_count_nothing(guard: LengthGuard) -> None:
    assert lengths(guard).of_stream(FACTS) is None


def test_what_is_in_audit_is_told_once() -> None:
    tally = Counted()
    guards = [
        LengthGuard("short", 1, "", terms(mode=Mode.AUDIT)),
        LengthGuard("long", 99, "", terms(mode=Mode.AUDIT)),
    ]
    stream = lengths(*guards, audits=Audits(tally)).of_stream(FACTS)
    assert stream is not None
    stream.add(["too long"])
    stream.end()
    stream.end()
    assert tally.counts == {("guard", "short", "deny"): 1, ("guard", "long", "pass"): 1}
