"""Keys of agents' cards: fetched, kept, and fetched again when a signature is of none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from extproc.a2a import jwk, signatures
from extproc.a2a.jwk import SigningKey
from extproc.a2a.signatures import Unverified, Verified
from extproc.a2a_serving.card_keys import Keys, keys_of
from extproc.ports import Answered, Asked
from gateway.a2a import A2aAgent, CardKeys
from tests.extproc.a2a.keys import signer
from tests.kit.a2a_exchange import Clock, card
from tests.kit.mcp_exchange import Servers

FAR = CardKeys(path="/jwks", authority="keys", refresh_seconds=60.0)
CLUSTER = "service/a2a-keys/travel"


def signed(key: SigningKey) -> dict[str, Any]:
    document: dict[str, Any] = card()
    return {**document, "signatures": signatures.sign(document, key)}


class There:
    """Where the keys are."""

    def __init__(self, *keys: SigningKey) -> None:
        self.answer: Callable[[], Answered] = lambda: Answered(200, {}, jwk.public_set(keys))
        self.peers = Servers({CLUSTER: self._answered})
        self.clock = Clock()

    def _answered(self, asked: Asked) -> Answered:
        assert (asked.method, asked.path) == ("GET", "/jwks")
        return self.answer()

    def keys(self) -> Keys:
        return Keys("travel", FAR, self.peers, self.clock)


def verified(keys: Keys, key: SigningKey) -> Verified | Unverified:
    return asyncio.run(keys.verified(signed(key)))


def test_keys_of_the_configuration_are_not_fetched() -> None:
    key, other = signer("ES256", "one"), signer("EdDSA", "two")
    there = There()
    keys = Keys("travel", CardKeys(jwk.public_set([key]).decode()), there.peers, there.clock)
    assert isinstance(verified(keys, key), Verified)
    assert isinstance(verified(keys, other), Unverified)
    assert not there.peers.asked


def test_keys_are_fetched_when_a_card_is_there_and_kept() -> None:
    key = signer("ES256", "one")
    there = There(key)
    keys = there.keys()
    assert not there.peers.asked
    for _ in range(2):
        assert isinstance(verified(keys, key), Verified)
    assert len(there.peers.asked) == 1
    there.clock.now += 60
    assert isinstance(verified(keys, key), Verified)
    assert len(there.peers.asked) == 2


def test_a_new_key_is_found_soon_but_strangers_do_not_have_keys_fetched_all_the_time() -> None:
    key, new = signer("ES256", "one"), signer("EdDSA", "two")
    there = There(key)
    keys = there.keys()
    assert isinstance(verified(keys, key), Verified)
    there.answer = lambda: Answered(200, {}, jwk.public_set([new]))
    assert isinstance(verified(keys, new), Unverified)
    there.clock.now += 10
    assert isinstance(verified(keys, new), Verified)
    assert isinstance(verified(keys, key), Unverified)
    assert len(there.peers.asked) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answered(404, {}, b""), "they are answered with 404"),
        (Answered(200, {}, b"[]"), "no key set"),
        (Answered(200, {}, b'{"keys": []}'), "the key set is empty"),
    ],
)
def test_keys_that_cannot_be_had_verify_nothing_and_those_that_are_known_stay(
    answer: Answered, why: str
) -> None:
    key = signer("ES256", "one")
    there = There(key)
    usual, there.answer = there.answer, lambda: answer
    keys = there.keys()
    found = verified(keys, key)
    assert isinstance(found, Unverified)
    assert why in found.reason
    there.clock.now += 10
    there.answer = usual
    assert isinstance(verified(keys, key), Verified)
    there.clock.now += 60
    there.answer = lambda: answer
    assert isinstance(verified(keys, key), Verified)


def test_who_cannot_be_reached_is_told() -> None:
    keys = Keys("travel", FAR, Servers(), Clock())
    found = verified(keys, signer("ES256", "one"))
    assert isinstance(found, Unverified)
    assert "nobody is at" in found.reason


def test_agents_whose_signatures_nobody_looks_at_have_no_keys() -> None:
    looked_at = A2aAgent("b", "b", "/", signatures=FAR)
    assert keys_of([A2aAgent("a", "a", "/"), looked_at], Servers(), Clock()).keys() == {"b"}
