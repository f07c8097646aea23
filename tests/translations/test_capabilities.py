"""What each dialect claims to carry is held against every sample of every other."""

from __future__ import annotations

import pytest

from extproc.llm.losses import Feature
from extproc.llm.reference import CAPABILITIES, Carried, carried
from gateway.model import Dialect
from tests.kit.features import NAMED_ALONE, value
from tests.kit.matrix import PAIRS, names, read, said, sample

SAID = [(a, b, feature) for a, b in PAIRS for feature in sorted(CAPABILITIES[a].says)]
IN_ANOTHER_FORM = {Feature.REASONING_EFFORT, Feature.TOOL_RESULT_IMAGE, Feature.JSON_SCHEMA}
"""What some provider takes otherwise, without less: a budget, an image beside, a closed schema."""


@pytest.mark.parametrize("dialect", Dialect)
def test_there_is_a_sample_of_all_that_is_said_and_of_nothing_else(dialect: Dialect) -> None:
    assert set(names(dialect, "requests")) == CAPABILITIES[dialect].says


@pytest.mark.parametrize("dialect", Dialect)
def test_every_claim_is_one_claim_and_says_why_in_one_line(dialect: Dialect) -> None:
    able = CAPABILITIES[dialect]
    assert not able.expresses & able.roughly.keys()
    assert all(0 < len(reason) <= 80 for reason in able.roughly.values())


@pytest.mark.parametrize(("client", "provider", "feature"), SAID)
def test_what_is_expressed_is_carried_and_all_else_is_reported(
    client: Dialect, provider: Dialect, feature: Feature
) -> None:
    able = CAPABILITIES[provider]
    request = read(client, sample(client, "requests", feature))
    told = said(request, provider)
    assert not told.losses.features & able.expresses
    if carried(feature, provider) in (Carried.OWN, Carried.DROPPED, Carried.REFUSED):
        assert feature in told.losses.features
        assert (feature in told.refused) is (carried(feature, provider) is Carried.REFUSED)
    elif feature in able.says and feature not in NAMED_ALONE | told.losses.features:
        again = read(provider, told.body)
        is_same = value(feature, again) == value(feature, request)
        assert is_same or (feature in able.roughly and feature in IN_ANOTHER_FORM)


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_no_provider_is_sent_what_another_one_sealed(client: Dialect, provider: Dialect) -> None:
    feature = Feature.REASONING_SIGNATURE
    request = read(client, sample(client, "requests", feature))
    told = said(request, provider)
    assert feature in told.losses.features
    assert told.refused == frozenset()
    seals = [
        part.signature.value
        for message in request.messages
        for part in message.parts
        if getattr(part, "signature", None) is not None
    ]
    assert seals
    assert all(seal.encode() not in told.body for seal in seals)
