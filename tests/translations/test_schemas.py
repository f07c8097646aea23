"""Whatever is written for a provider or a client is what their own library would write or read."""

from __future__ import annotations

import json

import pytest

from gateway.model import Dialect
from tests.kit import matrix, provider_rules
from tests.kit.matrix import PAIRS, names, sample
from tests.kit.published import answer_faults, error_faults, stream_faults


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_requests_are_what_the_provider_documents(client: Dialect, provider: Dialect) -> None:
    rule = provider_rules.APIS[provider].rule
    found = {}
    for name in names(client, "requests"):
        told = matrix.said(matrix.read(client, sample(client, "requests", name)), provider)
        if faults := list(rule(json.loads(told.body))):
            found[name] = faults
    assert found == {}


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_answers_are_what_the_clients_library_expects(provider: Dialect, client: Dialect) -> None:
    found = {}
    for name in names(provider, "answers"):
        body = matrix.answered(provider, client, sample(provider, "answers", name))
        if faults := answer_faults(client, body):
            found[name] = faults
    assert found == {}


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_streams_are_what_the_clients_library_expects(provider: Dialect, client: Dialect) -> None:
    found = {}
    for name in names(provider, "streams"):
        stream = matrix.streamed(provider, client, [sample(provider, "streams", name)])
        if faults := stream_faults(client, stream):
            found[name] = faults
    assert found == {}


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_errors_are_what_the_clients_library_expects(provider: Dialect, client: Dialect) -> None:
    for name in names(provider, "errors"):
        body = sample(provider, "errors", name)
        assert error_faults(client, matrix.refused(provider, client, int(name[:3]), body)) == []
