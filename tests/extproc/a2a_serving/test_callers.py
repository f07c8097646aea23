"""Who asked to be called back."""

from __future__ import annotations

import msgspec

from extproc.a2a_serving.callers import Caller, caller_of, principal_of
from extproc.principal import Kind, Principal

ANN = Principal(
    Kind.JWT,
    "ann",
    user="ann@example.com",
    team="red",
    groups=("staff",),
    tags=(("tier", "gold"),),
    claims={"iss": "x", "sub": "ann"},
)


def test_a_caller_is_the_same_later_but_for_claims() -> None:
    caller = caller_of(ANN)
    assert caller is not None
    again = msgspec.json.decode(msgspec.json.encode(caller), type=Caller)
    found = principal_of(again)
    assert (found.kind, found.name, found.key) == (Kind.JWT, "ann", "")
    assert (found.user, found.team) == ("ann@example.com", "red")
    assert (found.groups, found.tags) == (("staff",), (("tier", "gold"),))
    assert found.claims is None
    assert principal_of(again) is principal_of(caller), "what is remembered of one is found again"


def test_anybody_is_nobody() -> None:
    assert caller_of(None) is None
