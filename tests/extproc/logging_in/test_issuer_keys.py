"""Keys are fetched when they are wanted, and kept."""

from __future__ import annotations

import pytest

from extproc.a2a.jwk import KeySet
from extproc.logging_in.issued import NotIssued
from extproc.logging_in.issuer_keys import IssuerKeys
from extproc.ports import Answered, Asked, ServiceUnavailable
from gateway.identity import Issuer
from tests.kit.identity_provider import SigningKey, key_set
from tests.kit.in_a_loop import in_a_loop
from tests.kit.login_peers import STAFF, changed


class Way:
    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.now, self.asked = keys, 100.0, 0
        self.answer: Answered | None = None

    def clock(self) -> float:
        return self.now

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        assert (cluster, asked.method, asked.path) == ("service/login/staff/keys", "GET", "/jwks")
        self.asked += 1
        if self.answer is not None:
            return self.answer
        if not self.keys:
            raise ServiceUnavailable("it is away")
        return Answered(200, {}, key_set(*self.keys).encode())


def has(kid: str, keys: KeySet) -> str:
    if not keys.named(kid):
        raise NotIssued("no such key")
    return kid


@in_a_loop
async def test_a_new_key_is_found_and_a_flood_of_wrong_ones_fetches_no_more() -> None:
    way = Way(SigningKey("one"))
    keys = IssuerKeys(STAFF, way, way.clock)
    assert await keys.checked(lambda it: has("one", it)) == "one"
    way.keys = (SigningKey("two"),)
    for _ in range(3):
        with pytest.raises(NotIssued):
            await keys.checked(lambda it: has("two", it))
    assert way.asked == 1
    way.now += 11
    assert await keys.checked(lambda it: has("two", it)) == "two"
    with pytest.raises(NotIssued):
        await keys.checked(lambda it: has("one", it))
    assert way.asked == 2
    way.now += 301
    assert await keys.checked(lambda it: has("two", it)) == "two"
    assert way.asked == 3


@in_a_loop
async def test_keys_are_kept_while_nobody_answers() -> None:
    way = Way(SigningKey("one"))
    keys = IssuerKeys(STAFF, way, way.clock)
    await keys.checked(lambda it: has("one", it))
    for answer in (None, Answered(503, {}, b""), Answered(200, {}, b"<html>")):
        way.keys, way.answer, way.now = (), answer, way.now + 400
        assert await keys.checked(lambda it: has("one", it)) == "one"
    assert way.asked == 4


@in_a_loop
async def test_without_any_nobody_can_say() -> None:
    way = Way()
    keys = IssuerKeys(STAFF, way, way.clock)
    with pytest.raises(ServiceUnavailable, match="its keys are not known: it is away"):
        await keys.checked(lambda it: has("one", it))


@in_a_loop
async def test_keys_of_the_configuration_are_fetched_nowhere() -> None:
    way = Way()
    issuer = Issuer("i", (), jwks=key_set(SigningKey("one")))
    keys = IssuerKeys(changed(issuer=issuer), way, way.clock)
    assert await keys.checked(lambda it: has("one", it)) == "one"
    way.now += 1000
    with pytest.raises(NotIssued):
        await keys.checked(lambda it: has("two", it))
    assert way.asked == 0
