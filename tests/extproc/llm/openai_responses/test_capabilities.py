from __future__ import annotations

import pytest

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_responses.capabilities import EXPRESSES, ROUGHLY, SAYS
from extproc.llm.openai_responses.request_writer import encode_request
from extproc.llm.openai_responses.requests import decode_request
from extproc.llm.request import Request
from tests.kit import responses as kit


def test_there_is_a_sample_of_everything_that_can_be_said() -> None:
    assert {path.stem for path in kit.REQUESTS} == {feature.value for feature in SAYS}


def test_nothing_is_carried_both_in_full_and_roughly() -> None:
    assert not EXPRESSES & ROUGHLY.keys()


@pytest.mark.parametrize("feature", sorted(SAYS))
def test_what_is_said_is_carried_or_lost(feature: Feature) -> None:
    body = (kit.SAMPLES / "requests" / f"{feature.value}.json").read_bytes()
    request = decode_request(kit.call_of(body))
    assert isinstance(request, Request)
    losses = Losses()
    again = decode_request(kit.call_of(encode_request(request, losses)))
    if feature in EXPRESSES:
        assert feature not in losses.features
        assert again == request
    elif feature not in ROUGHLY:
        assert feature in losses.features
