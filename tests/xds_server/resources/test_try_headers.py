from __future__ import annotations

import dataclasses

from gateway.credentials import PassThrough
from tests.kit.gateways import golden_gateway
from xds_server.resources.try_headers import (
    NOTHING_SHARED,
    Shared,
    choose_betas,
    keep,
    send,
    shared,
)

FIRST, SECOND = golden_gateway("llm-failover-paths").providers
PASSING = dataclasses.replace(FIRST, credential=PassThrough("x-key", "authorization", "Bearer "))
SENDING = dataclasses.replace(SECOND, headers=(("x-a", 'b"'),))


def test_most_gateways_share_nothing() -> None:
    assert shared((FIRST, SECOND)) == NOTHING_SHARED
    assert keep(NOTHING_SHARED) is None
    assert send(SENDING, NOTHING_SHARED) is None
    assert choose_betas(SENDING, NOTHING_SHARED) is None


def test_what_one_provider_needs_all_tries_have_to_know() -> None:
    assert shared((PASSING, SENDING)) == Shared(("x-key",), sends_headers=True)


def test_a_provider_sends_its_own_headers_and_removes_those_of_others() -> None:
    between = shared((PASSING, SENDING))
    own, others = send(SENDING, between), send(PASSING, between)
    assert own is not None
    assert others is not None
    assert '{"x-a", "b\\""}' in own["typed_config"]["default_source_code"]["inline_string"]
    script = others["typed_config"]["default_source_code"]["inline_string"]
    assert "x-a" not in script
    assert "headers:remove(name)" in script


def test_where_one_provider_takes_some_betas_the_others_get_back_all() -> None:
    choosing = dataclasses.replace(FIRST, betas=("computer-use-*", "a-1"))
    between = shared((choosing, SECOND))
    assert between == Shared(chooses_betas=True)
    for provider, takes in ((choosing, '{"computer-use-*", "a-1"}'), (SECOND, '{"*"}')):
        made = choose_betas(provider, between)
        assert made is not None
        script = made["typed_config"]["default_source_code"]["inline_string"]
        assert f"local taken = {takes}" in script
