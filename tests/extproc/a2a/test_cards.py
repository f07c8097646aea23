from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import a2a_pb2
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import cards
from extproc.a2a.cards import BrokenCard, Capabilities, Card, Interface, Skill, read_card
from gateway.a2a import Binding, Revision

JSONRPC, HTTP, GRPC = Binding.JSONRPC, Binding.HTTP_JSON, Binding.GRPC
OLD, NEW = Revision.V0_3, Revision.V1_0

CARD: dict[str, Any] = {
    "name": "Travel",
    "description": "Books trips",
    "version": "2.1",
    "provider": {"organization": "Example", "url": "https://example.com"},
    "supportedInterfaces": [
        {"url": "https://a.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": "a.example:50051", "protocolBinding": "GRPC", "protocolVersion": "1.0.1",
         "tenant": "t"},
        {"url": "https://a.example/rest/", "protocolBinding": "HTTP+JSON",
         "protocolVersion": "0.3"},
    ],
    "capabilities": {
        "streaming": True, "pushNotifications": None, "extendedAgentCard": True,
        "extensions": [{"uri": "u:1", "required": True}, {"uri": "u:2", "params": {"a": 1}}],
    },
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain", "image/png"],
    "skills": [
        {"id": "book", "name": "Book", "description": "Books a flight", "tags": ["flight"],
         "examples": ["To Rome"], "inputModes": ["application/json"]},
        {"id": "odd", "name": None},
    ],
    "x-unknown": {"n": 1.10},
}  # fmt: skip
LEGACY: dict[str, Any] = {
    "name": "Old",
    "url": "http://b.example:80/",
    "additionalInterfaces": [
        {"url": "http://b.example:80/", "transport": "JSONRPC"},
        {"url": "b.example:443", "transport": "GRPC"},
    ],
    "supportsAuthenticatedExtendedCard": True,
}


def read(document: Any) -> Card:
    card = read_card(json.dumps(document).encode())
    assert isinstance(card, Card), card
    return card


def reason(document: Any) -> str:
    card = read_card(document if isinstance(document, bytes) else json.dumps(document).encode())
    assert isinstance(card, BrokenCard)
    return card.reason


def test_a_card_of_1_0_says_all_that_is_asked_of_it() -> None:
    card = read(CARD)
    assert (card.name, card.description, card.version) == ("Travel", "Books trips", "2.1")
    assert card.provider == "Example"
    assert card.interfaces == (
        Interface(JSONRPC, NEW, "a.example", "/rpc"),
        Interface(GRPC, NEW, "a.example:50051", "", "t"),
        Interface(HTTP, OLD, "a.example", "/rest"),
    )
    assert card.capabilities == Capabilities(True, False, True, ("u:1", "u:2"), ("u:1",))
    assert card.input_modes == ("text/plain",)
    assert card.output_modes == ("text/plain", "image/png")
    assert card.skills == (
        Skill("book", "Book", "Books a flight", ("flight",), ("To Rome",), ("application/json",)),
        Skill("odd"),
    )
    assert not card.is_signed
    assert card.document == CARD
    assert json.loads(card.body) == CARD


def test_a_card_of_0_3_has_the_interfaces_of_its_members() -> None:
    card = read(LEGACY)
    assert card.interfaces == (
        Interface(JSONRPC, OLD, "b.example", "/"),
        Interface(GRPC, OLD, "b.example:443", ""),
    )
    assert card.capabilities == Capabilities(extended_card=True)
    assert read({**LEGACY, "protocolVersion": "0.2.6"}).interfaces == card.interfaces
    preferred = read({**LEGACY, "preferredTransport": "HTTP+JSON"})
    assert preferred.interfaces[0] == Interface(HTTP, OLD, "b.example", "")


def test_a_card_of_both_has_both() -> None:
    card = read({**CARD, **LEGACY})
    assert {each.revision for each in card.interfaces} == {OLD, NEW}
    assert len(card.interfaces) == 5


def test_what_the_official_sdk_serves_is_read() -> None:
    told = agent_card_to_dict(ParseDict(CARD, a2a_pb2.AgentCard(), ignore_unknown_fields=True))
    assert "url" in told  # both revisions
    card = read(told)
    assert card.interfaces == read(CARD).interfaces
    assert card.skills == read(CARD).skills


@pytest.mark.parametrize(
    ("binding", "url", "authority", "path"),
    [
        ("JSONRPC", "https://A.Example:443", "a.example", "/"),
        ("JSONRPC", "http://a:8080/x/?k=1#f", "a:8080", "/x/?k=1"),
        ("JSONRPC", "http://u:p@a/x", "a", "/x"),
        ("JSONRPC", "http://[::1]:80/x", "[::1]", "/x"),
        ("JSONRPC", "/rpc", "", "/rpc"),
        ("jsonrpc", "http://a", "a", "/"),
        ("HTTP+JSON", "http://a/x/?k=1", "a", "/x"),
        ("HTTP+JSON", "http://a/", "a", ""),
        ("GRPC", "a:50051", "a:50051", ""),
        ("GRPC", "a", "a", ""),
        ("GRPC", "[::1]:50051", "[::1]:50051", ""),
        ("GRPC", "https://a:443/x", "a", ""),
        ("GRPC", "http://a:50051", "a:50051", ""),
        ("GRPC", "grpcs://a:443", "a:443", ""),
        ("GRPC", "dns:///a:50051", "a:50051", ""),
    ],
)
def test_addresses_are_read_in_every_form(
    binding: str, url: str, authority: str, path: str
) -> None:
    said = {"url": url, "protocolBinding": binding, "protocolVersion": "1.0"}
    (found,) = read({**CARD, "supportedInterfaces": [said]}).interfaces
    assert (found.authority, found.path) == (authority, path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"protocolBinding": "urn:mine"}, "binding 'urn:mine'"),
        ({"protocolVersion": "2.0"}, "revision '2.0'"),
        ({"protocolVersion": "0.1"}, "revision '0.1'"),
        ({"protocolVersion": "one"}, "revision 'one'"),
        ({"url": "ftp://a/"}, "'ftp://a/' is no address"),
        ({"url": "http://a:99999/"}, "no address"),
        ({"url": "http://a/x y"}, "no address"),
        ({"url": "http://[a/"}, "no address"),
        ({"url": "http://a/é"}, "no address"),
        ({"url": "http:///x"}, "no address"),
        ({"url": "http://a/" + "x" * 3000}, "no address"),
        ({"url": "", "protocolBinding": "GRPC"}, "no address"),
        ({"url": "a b:1", "protocolBinding": "GRPC"}, "no address"),
    ],
)
def test_interfaces_that_nobody_knows_are_left_out_and_told(
    change: dict[str, str], told: str
) -> None:
    odd = {"url": "http://a/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", **change}
    card = read({**CARD, "supportedInterfaces": [odd, CARD["supportedInterfaces"][0]]})
    assert card.interfaces == (Interface(JSONRPC, NEW, "a.example", "/rpc"),)
    (unused,) = card.unused
    assert told in unused
    assert told in reason({"name": "a", "supportedInterfaces": [odd]})


def test_an_interface_without_a_version_has_that_of_the_card() -> None:
    bare = {"url": "http://a/", "protocolBinding": "JSONRPC"}
    draft = {"name": "a", "supportedInterfaces": [bare], "protocolVersions": ["1.0"]}
    assert read(draft).interfaces[0].revision is NEW
    assert read({**draft, "protocolVersions": ["0.3"]}).interfaces[0].revision is OLD
    assert read({"name": "a", "supportedInterfaces": [bare]}).interfaces[0].revision is NEW


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON"),
        (b'{"name":"a","name":"b","url":"http://a"}', 'duplicate key "name"'),
        ({"url": "http://a"}, "missing required field `name`"),
        ({"name": " ", "url": "http://a"}, "no name"),
        ({"name": 5, "url": "http://a"}, "$.name"),
        ({"name": "a"}, "names no interface"),
        ({"name": "a", "url": 5}, "$.url"),
        ({**CARD, "skills": [{"name": "x"}]}, "$.skills[0]"),
        ({**CARD, "skills": [{"id": "x", "tags": "y"}]}, "$.skills[0].tags"),
        ({**CARD, "defaultInputModes": [5]}, "$.defaultInputModes[0]"),
        ({**CARD, "capabilities": {"streaming": "yes"}}, "$.capabilities.streaming"),
        ({**CARD, "supportedInterfaces": {}}, "$.supportedInterfaces"),
        ({**CARD, "skills": [{"id": "x"}] * 1001}, "more than 1000 skills"),
        ({"name": "a", "supportedInterfaces": CARD["supportedInterfaces"] * 30}, "more than 64"),
        (b'{"name":"a","url":"http://a","x":' + b"[" * 300 + b"]" * 300 + b"}", "no JSON"),
        (b" " * (cards.MOST_BYTES + 1), "1048577 bytes"),
    ],
)
def test_what_is_no_card_is_told(document: Any, told: str) -> None:
    assert told in reason(document)


def test_equal_cards_have_equal_digests() -> None:
    assert read(CARD).digest == read(CARD).digest
    assert read(CARD).digest != read(LEGACY).digest


def test_a_card_that_is_signed_says_so() -> None:
    assert read({**CARD, "signatures": [{}]}).is_signed
    assert not read({**CARD, "signatures": []}).is_signed


odd_values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=2)


@given(st.sampled_from(sorted(CARD | LEGACY)), odd_values)
def test_whatever_a_card_says_it_is_read_or_told_to_be_none(name: str, odd: Any) -> None:
    found = read_card(json.dumps({**CARD, **LEGACY, name: odd}).encode())
    assert isinstance(found, Card | BrokenCard)


@given(st.text(max_size=30))
def test_whatever_a_url_is_its_path_can_be_asked_for(url: str) -> None:
    for binding in ("JSONRPC", "HTTP+JSON", "GRPC"):
        said = {"url": url, "protocolBinding": binding, "protocolVersion": "1.0"}
        found = read_card(json.dumps({"name": "a", "supportedInterfaces": [said]}).encode())
        if isinstance(found, Card):
            (interface,) = found.interfaces
            assert interface.path.isascii()
            assert not any(each.isspace() for each in interface.path + interface.authority)
