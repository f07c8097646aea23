from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.types import a2a_pb2
from a2a.utils import signing
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.a2a import canonical
from extproc.a2a.canonical import Form, Shape

FRAGMENT = {  # the example of §8.4.1
    "name": "Example Agent",
    "description": "",
    "capabilities": {"streaming": False, "pushNotifications": False, "extensions": []},
    "skills": [],
}
RICH = {
    "name": "Ünï",
    "description": "",
    "version": "1.0",
    "documentationUrl": "",
    "provider": {"organization": "x", "url": ""},
    "supportedInterfaces": [
        {"url": "http://a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": ""}
    ],
    "capabilities": {
        "streaming": False,
        "extensions": [
            {"uri": "u", "required": False, "description": "", "params": {"a": 1.50, "b": ""}},
            {"uri": "v", "required": True, "params": {}},
        ],
    },
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": [],
    "skills": [
        {
            "id": "s", "name": "", "description": "d", "tags": [], "examples": [],
            "securityRequirements": [{"schemes": {"key": {"list": []}}}],
        }
    ],
    "securitySchemes": {
        "key": {"apiKeySecurityScheme": {"location": "header", "name": "x-key", "description": ""}},
        "tls": {"mtlsSecurityScheme": {}},
        "oauth": {
            "oauth2SecurityScheme": {
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://a", "tokenUrl": "", "scopes": {},
                        "pkceRequired": False, "refreshUrl": "",
                    }
                }
            }
        },
    },
    "securityRequirements": [],
    "signatures": [{"protected": "a", "signature": "b"}],
}  # fmt: skip


def test_the_example_of_the_specification() -> None:
    assert canonical.specified(FRAGMENT) == (
        b'{"capabilities":{"pushNotifications":false,"streaming":false},"description":"",'
        b'"name":"Example Agent","skills":[]}'
    )


def test_fields_are_there_by_their_presence() -> None:
    document = json.loads(canonical.specified(RICH))
    assert document["documentationUrl"] == ""  # optional, and said
    assert "securityRequirements" not in document
    assert "signatures" not in document
    assert document["provider"] == {"organization": "x", "url": ""}
    (interface,) = document["supportedInterfaces"]
    assert "tenant" not in interface
    first, second = document["capabilities"]["extensions"]
    assert first == {"uri": "u", "params": {"a": 1.5, "b": ""}}
    assert second == {"uri": "v", "required": True, "params": {}}
    (skill,) = document["skills"]
    assert skill["securityRequirements"] == [{"schemes": {"key": {}}}]
    assert "examples" not in skill
    assert document["securitySchemes"]["tls"] == {"mtlsSecurityScheme": {}}
    flows = document["securitySchemes"]["oauth"]["oauth2SecurityScheme"]["flows"]
    assert flows["authorizationCode"] == {
        "authorizationUrl": "https://a",
        "tokenUrl": "",
        "scopes": {},
    }


def test_unknown_members_and_null_are_not_covered_but_as_written() -> None:
    card = {**FRAGMENT, "x": 1, "url": "http://a", "iconUrl": None}
    assert canonical.specified(card) == canonical.specified(FRAGMENT)
    assert json.loads(canonical.as_written({**card, "signatures": []})) == card


def test_the_sdk_leaves_empty_members_out_and_so_do_we() -> None:
    card = ParseDict(RICH, a2a_pb2.AgentCard())
    theirs = signing._canonicalize_agent_card(card)
    assert canonical.without_empty(RICH) == theirs.encode()
    assert "Ünï" in theirs


def test_the_legacy_form_leaves_out_what_is_usual() -> None:
    card: dict[str, Any] = {
        "name": "Ü",
        "url": "http://a",
        "preferredTransport": "JSONRPC",
        "protocolVersion": "0.3.0",
        "additionalInterfaces": [{"url": "b", "transport": "GRPC"}],
        "capabilities": {"streaming": False, "x": 1},
        "securitySchemes": {"k": {"type": "http", "scheme": "bearer"}},
        "security": [{"k": []}],
        "skills": [],
        "supportedInterfaces": [],
        "signatures": [],
    }
    assert canonical.legacy(card) == (
        b'{"additionalInterfaces":[{"transport":"GRPC","url":"b"}],'
        b'"capabilities":{"streaming":false},"name":"\\u00dc",'
        b'"securitySchemes":{"k":{"scheme":"bearer"}},"url":"http://a"}'
    )
    said = json.loads(canonical.legacy({**card, "protocolVersion": "0.2.6"}))
    assert said["protocolVersion"] == "0.2.6"


def test_forms_that_are_equal_are_one() -> None:
    card = {"name": "a"}
    assert canonical.payloads(card) == {b'{"name":"a"}': Form.SPECIFIED}
    assert len(canonical.payloads(RICH)) == 4
    assert canonical.payloads({"name": 2**60 + 1}) == {}


# --- the table is that of the specification ------------------------------------------------


def presence(field: FieldDescriptor) -> str:
    written = str(field.GetOptions())
    if "REQUIRED" in written:
        return "required"
    return "optional" if field.has_presence else "plain"


def compare(descriptor: Descriptor, shape: Shape, at: str) -> list[str]:
    wrong = []
    for field in descriptor.fields:
        name = field.json_name
        if name == "signatures":
            continue
        if name not in getattr(shape, presence(field)):
            wrong.append(f"{at}.{name} is {presence(field)}")
        of = field.message_type
        if of is None or of.full_name == "google.protobuf.Struct":
            continue
        if of.GetOptions().map_entry:
            value = of.fields_by_name["value"].message_type
            if value is not None:
                wrong += compare(value, shape.maps[name], f"{at}.{name}")
        else:
            wrong += compare(of, shape.inner[name], f"{at}.{name}")
    known = {field.json_name for field in descriptor.fields}
    said = shape.required | shape.optional | shape.plain
    return wrong + [f"{at}.{name} is none" for name in said - known]


def test_the_table_says_what_the_messages_say() -> None:
    wrong = compare(a2a_pb2.AgentCard.DESCRIPTOR, canonical.V1_0, "AgentCard")
    assert wrong == []


@pytest.mark.parametrize("form", list(Form))
def test_odd_values_break_no_form(form: Form) -> None:
    for odd in (5, None, "x", [], [5], {}, {"a": 5}):
        card = dict.fromkeys(["name", "skills", "capabilities", "securitySchemes", "provider"], odd)
        assert isinstance(json.loads(canonical.payload(card, form)), dict)


# --- whatever a card is, the SDK signs the same --------------------------------------------

LEAVES = {
    FieldDescriptor.TYPE_STRING: st.text(max_size=3),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
}
PARAMETERS = st.dictionaries(
    st.text(max_size=3),
    st.none() | st.booleans() | st.text(max_size=3) | st.floats(-1e9, 1e9) | st.lists(st.text()),
    max_size=2,
)


def values_of(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    of = field.message_type
    if of is None:
        return LEAVES[field.type]
    if of.full_name == "google.protobuf.Struct":
        return PARAMETERS
    if of.GetOptions().map_entry:
        return st.dictionaries(
            st.text(max_size=3), values_of(of.fields_by_name["value"]), max_size=2
        )
    return messages_of(of)


def messages_of(descriptor: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of a message; of fields that exclude each other, the first alone."""
    members = {}
    for field in descriptors_fields(descriptor):
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        value = values_of(field)
        members[field.json_name] = (
            st.lists(value, max_size=2) if field.is_repeated and not is_map else value
        )
    return st.fixed_dictionaries({}, optional=members)


def descriptors_fields(descriptor: Descriptor) -> list[FieldDescriptor]:
    alone = [each.fields[0] for each in descriptor.oneofs]
    return [
        each
        for each in descriptor.fields
        if each.name != "signatures" and (each.containing_oneof is None or each in alone)
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(messages_of(a2a_pb2.AgentCard.DESCRIPTOR))
def test_whatever_a_card_is_the_sdk_signs_the_same(document: dict[str, Any]) -> None:
    card = ParseDict(document, a2a_pb2.AgentCard())
    theirs = signing._canonicalize_agent_card(card)
    if theirs != "null":  # an empty card, which none of us signs
        assert canonical.without_empty(document) == theirs.encode()
