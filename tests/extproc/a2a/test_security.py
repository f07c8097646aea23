from __future__ import annotations

from typing import Any

import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3 import conversions, types
from google.protobuf.json_format import MessageToDict

from extproc.a2a import security
from extproc.a2a.security import CodeFlow, Requirement, Scheme, Security

FLOW = CodeFlow("https://idp/authorize", "https://idp/token", (("read", "Reads"),))
ALL = (
    security.api_key("x-api-key"),
    security.bearer("JWT"),
    security.bearer(name="opaque"),
    security.basic(),
    security.mutual_tls(),
    security.open_id_connect("https://idp/.well-known/openid-configuration"),
    security.oauth(FLOW, "https://idp/.well-known/oauth-authorization-server"),
    security.oauth(FLOW, name="plain"),
)


@pytest.mark.parametrize("scheme", ALL, ids=lambda each: each.name)
def test_both_revisions_say_the_same_scheme(scheme: Scheme) -> None:
    legacy = types.SecurityScheme.model_validate(scheme.document)
    told = MessageToDict(conversions.to_core_security_scheme(legacy))
    assert told == {scheme.kind: scheme.said}


@pytest.mark.parametrize("scheme", ALL, ids=lambda each: each.name)
def test_clients_of_1_0_read_it(scheme: Scheme) -> None:
    of = security.any_of(scheme)
    card: dict[str, Any] = {
        "name": "a",
        "securitySchemes": of.said_schemes(),
        "securityRequirements": of.said_requirements(),
        "security": of.said_legacy(),
    }
    read = MessageToDict(parse_agent_card(card))
    assert read["securitySchemes"] == {scheme.name: {scheme.kind: scheme.said}}
    assert read["securityRequirements"] == [{"schemes": {scheme.name: {}}}]


def test_one_of_several_is_enough() -> None:
    of = security.any_of(security.api_key("x-api-key"), security.mutual_tls())
    assert of.said_legacy() == [{"apiKey": []}, {"mutualTLS": []}]
    assert of.said_requirements() == [
        {"schemes": {"apiKey": {"list": []}}},
        {"schemes": {"mutualTLS": {"list": []}}},
    ]


def test_several_can_be_needed_together_and_with_scopes() -> None:
    both = Requirement((("mutualTLS", ()), ("oauth2", ("read",))))
    of = Security((security.mutual_tls(), security.oauth(FLOW)), (both,))
    assert of.said_legacy() == [{"mutualTLS": [], "oauth2": ["read"]}]
    assert of.said_requirements() == [
        {"schemes": {"mutualTLS": {"list": []}, "oauth2": {"list": ["read"]}}}
    ]
