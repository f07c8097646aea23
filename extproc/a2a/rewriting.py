"""A card as clients of the gateway see it: the gateway's addresses, and what it asks of clients.

One document is for readers of 0.3 and of 1.0. What is not named here stays as the agent wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from extproc.a2a.canonical import SIGNATURES
from extproc.a2a.cards import Card
from extproc.a2a.security import NO_SECURITY, Security
from extproc.protocols import json_spans
from gateway.a2a import TENANT_SEPARATOR, Binding, Revision

Sign = Callable[[Mapping[str, object]], list[dict[str, str]]]
"""Gives the signatures of a card."""

_LEGACY_VERSION: Final = "0.3.0"
_LEGACY_PLACES: Final = ("url", "preferredTransport", "additionalInterfaces", "protocolVersion")
_SECURITY: Final = ("securitySchemes", "securityRequirements", "security", "authentication")
"""The last is older than 0.2."""
_EXTENDED: Final = "supportsAuthenticatedExtendedCard"
_OTHERWISE: Final = (
    *("supported_interfaces", "security_schemes", "security_requirements"),
    *("push_notifications", "extended_agent_card"),
)
"""Readers of Protocol Buffers' JSON take these names, too: they are no way round what we say."""
_NOT_OF_SKILLS: Final = frozenset((*_SECURITY, *_OTHERWISE))
_REQUIRED: Final[Mapping[str, bytes]] = {
    "description": b'""',
    "version": b'""',
    "capabilities": b"{}",
    "defaultInputModes": b"[]",
    "defaultOutputModes": b"[]",
    "skills": b"[]",
}
_REQUIRED_OF_SKILLS: Final[Mapping[str, bytes]] = {"description": b'""', "tags": b"[]"}
"""Official SDKs of 1.0 leave out what is empty; those of 0.3 take no card without it."""


class Offer(Struct, frozen=True):
    """A binding and revision in which clients can speak to an agent through the gateway."""

    binding: Binding
    revision: Revision
    tenant: str = ""
    """The agent's own."""


class Place(Struct, frozen=True):
    """Where an agent is at the gateway, and what goes through there."""

    name: str
    """What the gateway calls the agent."""
    url: str
    """Of the agent at the gateway, without a slash at its end: `https://gw/a2a/travel`."""
    offers: tuple[Offer, ...]
    """The one that clients should prefer first."""
    grpc: str = ""
    """`host:port`; empty: gRPC is not offered."""
    security: Security = NO_SECURITY
    has_push: bool = True
    """Whether push notifications go through."""
    has_extended: bool = True
    """Whether extended cards are told."""


def rewritten(card: Card, place: Place, sign: Sign | None = None) -> bytes:
    """The card for clients. Signatures of others are gone: they would be wrong.

    `NotCanonical`: it cannot be signed.
    """
    offers = [each for each in place.offers if each.binding is not Binding.GRPC or place.grpc]
    has_legacy = any(each.revision is Revision.V0_3 for each in offers)
    present = card.document
    empty = (name for name, said in present.items() if said is None)
    gone = {SIGNATURES, *_SECURITY, *_OTHERWISE, *empty}
    if not has_legacy:
        gone.update((*_LEGACY_PLACES, _EXTENDED))
    body = json_spans.remove(card.body, gone)
    left = present.keys() - gone
    changes = {name: said for name, said in _REQUIRED.items() if name not in left}
    changes.update(_places(offers, place, has_versions="protocolVersions" in left))
    changes.update(_secured(place.security, has_legacy=has_legacy))
    changes["capabilities"] = _capabilities(card, place)
    if has_legacy and (card.capabilities.extended_card or _EXTENDED in left):
        changes[_EXTENDED] = _written(card.capabilities.extended_card and place.has_extended)
    if card.skills:
        skills = json_spans.value_at(card.body, ("skills",)) or b"[]"
        changes["skills"] = json_spans.array(_skill(each) for each in json_spans.items(skills))
    body = json_spans.replace(body, changes)
    if sign is None:
        return body
    signatures = sign(json_spans.decode(body))
    return json_spans.replace(body, {SIGNATURES: _written(signatures)})


def _places(offers: Iterable[Offer], place: Place, *, has_versions: bool) -> dict[str, bytes]:
    """Where the agent is, for readers of each revision."""
    offered = tuple(dict.fromkeys(offers))
    found = {"supportedInterfaces": _written([_interface(each, place) for each in offered])}
    if has_versions:
        versions = dict.fromkeys(each.revision.value for each in offered)
        found["protocolVersions"] = _written(list(versions))
    old = [each for each in offered if each.revision is Revision.V0_3]
    if old:
        places = [{"url": _url(each, place), "transport": each.binding.value} for each in old]
        found["url"] = _written(places[0]["url"])
        found["preferredTransport"] = _written(places[0]["transport"])
        found["additionalInterfaces"] = _written(places)
        found["protocolVersion"] = _written(_LEGACY_VERSION)
    return found


def _interface(offer: Offer, place: Place) -> dict[str, str]:
    said = {
        "url": _url(offer, place),
        "protocolBinding": offer.binding.value,
        "protocolVersion": offer.revision.value,
    }
    tenant = offer.tenant
    if offer.binding is Binding.GRPC and offer.revision is Revision.V1_0:
        tenant = f"{place.name}{TENANT_SEPARATOR}{tenant}" if tenant else place.name
    return {**said, "tenant": tenant} if tenant else said


def _url(offer: Offer, place: Place) -> str:
    return place.grpc if offer.binding is Binding.GRPC else place.url


def _secured(security: Security, *, has_legacy: bool) -> dict[str, bytes]:
    if not security.schemes:
        return {}
    found = {
        "securitySchemes": _written(security.said_schemes()),
        "securityRequirements": _written(security.said_requirements()),
    }
    if has_legacy:
        found["security"] = _written(security.said_legacy())
    return found


def _capabilities(card: Card, place: Place) -> bytes:
    body = json_spans.value_at(card.body, ("capabilities",)) or b"{}"
    body = b"{}" if body == b"null" else json_spans.remove(body, _OTHERWISE)
    said = card.capabilities
    changes: dict[str, bytes] = {}
    if said.push_notifications and not place.has_push:
        changes["pushNotifications"] = b"false"
    if said.extended_card:
        changes["extendedAgentCard"] = _written(place.has_extended)
    return json_spans.replace(body, changes) if changes else body


def _skill(body: bytes) -> bytes:
    """A skill asks for nothing of its own: what it may be used for, the gateway's rules say."""
    members = json_spans.members(body)
    gone = {name for name, said in members.items() if name in _NOT_OF_SKILLS or said == b"null"}
    left = members.keys() - gone
    missing = {name: said for name, said in _REQUIRED_OF_SKILLS.items() if name not in left}
    if "name" not in left:
        missing["name"] = members["id"]
    body = json_spans.remove(body, gone)
    return json_spans.replace(body, missing) if missing else body


def _written(value: object) -> bytes:
    return msgspec.json.encode(value)
