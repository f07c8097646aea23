"""Cards of agents in protobuf of either revision, from JSON and to it.

A card in JSON may be for readers of both revisions at once. What differs but for that is security:
0.3's JSON tells schemes by their `type`, and protobuf of both revisions wraps them as 1.0 does.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.a2a.forms import protobuf
from extproc.a2a.forms.losses import Loss, Losses, Lost
from extproc.a2a.forms.objects import Document, list_of, object_of
from gateway.a2a import Revision

_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apiKey": "apiKeySecurityScheme",
        "http": "httpAuthSecurityScheme",
        "oauth2": "oauth2SecurityScheme",
        "openIdConnect": "openIdConnectSecurityScheme",
        "mutualTLS": "mtlsSecurityScheme",
    }
)
"""What 0.3 calls a scheme, and what wraps it."""
_FLOWS: Final = ("authorizationCode", "clientCredentials", "implicit", "password", "deviceCode")
_NAMES: Final = {"security": Revision.V0_3, "securityRequirements": Revision.V1_0}
"""What a card and its skills ask for, by the revision that calls it so."""


def to_message(card: Mapping[str, object], revision: Revision, losses: Losses) -> bytes:
    """The card, serialized. Raises `Malformed`. Members of the other revision are no losses."""
    said = _asked(card, revision)
    schemes = said.get("securitySchemes")
    if schemes is not None:
        said["securitySchemes"] = {
            name: _wrapped(object_of(scheme, "a scheme"), losses)
            for name, scheme in object_of(schemes, "the schemes").items()
        }
    said["skills"] = [
        _asked(object_of(each, "a skill"), revision)
        for each in list_of(said.get("skills"), "skills")
    ]
    found: Losses = []
    message = protobuf.encode(_name(revision), said, found)
    losses.extend(each for each in found if each.what is not Loss.UNKNOWN_MEMBER)
    return message


def from_message(message: bytes, revision: Revision) -> Document:
    """The card in JSON of its revision. Raises `BrokenMessage`."""
    card = protobuf.decode(_name(revision), message)
    if revision is Revision.V1_0:
        return card
    skills = list_of(card.get("skills"), "skills")
    for holder in (card, *skills):
        if isinstance(holder, dict) and "security" in holder:
            holder["security"] = [_legacy(each) for each in list_of(holder["security"], "it")]
    schemes = card.get("securitySchemes")
    if isinstance(schemes, dict):
        card["securitySchemes"] = {name: _unwrapped(each) for name, each in schemes.items()}
    return card


def _name(revision: Revision) -> str:
    return (protobuf.V1_0 if revision is Revision.V1_0 else protobuf.V0_3) + "AgentCard"


def _asked(holder: Mapping[str, object], revision: Revision) -> Document:
    """A card or a skill with what it asks for, as this revision says it in protobuf."""
    said = dict(holder)
    asked = [said.pop(name, None) for name in _NAMES]
    (name,) = [name for name, of in _NAMES.items() if of is revision]
    found = next((each for each in reversed(asked) if each is not None), None)
    if found is not None:
        said[name] = [_requirement(object_of(each, "it")) for each in list_of(found, name)]
    return said


def _requirement(said: Mapping[str, object]) -> Mapping[str, object]:
    inner = said.get("schemes")
    if isinstance(inner, dict) and all(isinstance(each, dict) for each in inner.values()):
        return said
    return {"schemes": {name: {"list": scopes} for name, scopes in said.items()}}


def _legacy(requirement: object) -> Document:
    schemes = object_of(object_of(requirement, "it").get("schemes") or {}, "schemes")
    return {
        name: list_of(object_of(each, "scopes").get("list"), "scopes")
        for name, each in schemes.items()
    }


def _wrapped(scheme: Mapping[str, object], losses: Losses) -> Document:
    kind = next((name for name in _KINDS.values() if name in scheme), "")
    if kind:
        said = dict(object_of(scheme[kind], "a scheme"))
    else:
        named = scheme.get("type")
        kind = _KINDS.get(named, "") if isinstance(named, str) else ""
        if not kind:
            losses.append(Lost(Loss.UNKNOWN_VALUE, "type"))
            return {}
        said = {name: value for name, value in scheme.items() if name not in ("type", "in")}
        if "in" in scheme:
            said["location"] = scheme["in"]
    if said.get("flows") is not None:
        said["flows"] = _one_flow(object_of(said["flows"], "flows"), losses)
    return {kind: said}


def _one_flow(flows: Mapping[str, object], losses: Losses) -> Document:
    said = [name for name in _FLOWS if flows.get(name) is not None]
    losses.extend(Lost(Loss.SEVERAL_FLOWS, name) for name in said[1:])
    return {name: flows[name] for name in said[:1]}


def _unwrapped(scheme: object) -> Document:
    for named, kind in _KINDS.items():
        said = object_of(scheme, "a scheme").get(kind)
        if isinstance(said, dict):
            found: Document = {"type": named, **said}
            if "location" in found:
                found["in"] = found.pop("location")
            return found
    return {}
