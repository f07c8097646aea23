"""Cards in protobuf: what the official SDK makes of the same card is the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2, proto_utils
from a2a.compat.v0_3 import types as types_v03
from a2a.types import a2a_pb2
from google.protobuf import json_format

from extproc.a2a.cards import Card, read_card
from extproc.a2a.forms import card_messages
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.rewriting import Offer, Place, rewritten
from extproc.a2a.security import any_of, api_key, bearer
from extproc.protocols import json_spans
from gateway.a2a import Binding, Revision

OLD: dict[str, Any] = {
    "protocolVersion": "0.3.0",
    "name": "travel",
    "description": "Travels",
    "url": "https://agent.example/",
    "preferredTransport": "GRPC",
    "version": "1",
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [
        {
            "id": "s",
            "name": "S",
            "description": "d",
            "tags": ["t"],
            "security": [{"key": []}],
        }
    ],
    "securitySchemes": {
        "key": {"type": "apiKey", "in": "header", "name": "x-key"},
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "idp": {"type": "openIdConnect", "openIdConnectUrl": "https://idp.example/"},
        "mtls": {"type": "mutualTLS", "description": "yes"},
        "oauth": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "https://t/", "scopes": {"a": "b"}}},
        },
    },
    "security": [{"key": ["a"], "token": []}, {"idp": []}],
}


def test_a_card_of_0_3_is_as_the_sdk_writes_it() -> None:
    losses: Losses = []
    ours = a2a_v0_3_pb2.AgentCard.FromString(card_messages.to_message(OLD, Revision.V0_3, losses))
    theirs = proto_utils.ToProto.agent_card(types_v03.AgentCard.model_validate(OLD))
    assert ours == theirs
    assert losses == []


def test_a_card_of_0_3_comes_back() -> None:
    message = card_messages.to_message(OLD, Revision.V0_3, [])
    assert card_messages.from_message(message, Revision.V0_3) == OLD


def test_schemes_of_0_3_are_said_in_1_0() -> None:
    message = card_messages.to_message(OLD, Revision.V1_0, [])
    card = json_format.MessageToDict(a2a_pb2.AgentCard.FromString(message))
    assert card["securitySchemes"]["key"] == {
        "apiKeySecurityScheme": {"location": "header", "name": "x-key"}
    }
    assert card["securityRequirements"][1] == {"schemes": {"idp": {}}}
    assert card["skills"][0]["securityRequirements"] == [{"schemes": {"key": {}}}]


@pytest.mark.parametrize("revision", Revision)
def test_what_the_gateway_makes_of_a_card_is_said_in_either(revision: Revision) -> None:
    card = read_card(json_spans.encode(OLD))
    assert isinstance(card, Card)
    place = Place(
        "travel",
        "https://gw.example/a2a/travel",
        grpc="gw.example:443",
        offers=(Offer(Binding.GRPC, Revision.V0_3), Offer(Binding.GRPC, Revision.V1_0)),
        security=any_of(api_key("x-api-key"), bearer()),
    )
    document = json_spans.decode(rewritten(card, place))
    losses: Losses = []
    message = card_messages.to_message(document, revision, losses)
    found = card_messages.from_message(message, revision)
    assert losses == []
    assert found["name"] == "travel"
    if revision is Revision.V1_0:
        assert found["supportedInterfaces"] == document["supportedInterfaces"]
        assert found["securityRequirements"] == [
            {"schemes": {"apiKey": {}}},
            {"schemes": {"bearer": {}}},
        ]
    else:
        assert found["url"] == document["url"] == "gw.example:443"
        assert found["security"] == document["security"]


def test_of_several_flows_the_first_is_said() -> None:
    losses: Losses = []
    flow = {"tokenUrl": "https://t/", "scopes": {}}
    scheme = {"type": "oauth2", "flows": {"clientCredentials": flow, "password": flow}}
    card = {**OLD, "securitySchemes": {"oauth": scheme, "odd": {"type": "telepathy"}}}
    card_messages.to_message(card, Revision.V1_0, losses)
    assert losses == [Lost(Loss.SEVERAL_FLOWS, "password"), Lost(Loss.UNKNOWN_VALUE, "type")]


@pytest.mark.parametrize(
    "odd",
    [
        {"name": 5},
        {"skills": {}},
        {"skills": ["s"]},
        {"securitySchemes": []},
        {"securitySchemes": {"a": 1}},
        {"security": [1]},
        {"security": [{"a": "b"}]},
    ],
)
def test_what_is_no_card_is_told(odd: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        card_messages.to_message({**OLD, **odd}, Revision.V0_3, [])
