"""What the signature of a card covers: its canonical payload (A2A 1.0 §8.4.1, RFC 8785).

The specification says which members are in it by the presence of fields in Protocol Buffers. The
official SDKs do otherwise, each in its way, and others sign the document as it is served. So there
are several forms; whoever verifies tries them, and then reads only what the payload says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from extproc.a2a import jcs
from extproc.a2a.jcs import NotCanonical

SIGNATURES: Final = "signatures"

Document: TypeAlias = Mapping[str, object]


class Shape(Struct, frozen=True):
    """The members of a message, as far as a signature covers them."""

    required: frozenset[str] = frozenset()
    """Always in a payload."""
    optional: frozenset[str] = frozenset()
    """There where they are said, whatever they are."""
    plain: frozenset[str] = frozenset()
    """There where they are said, and are not empty, zero or false."""
    inner: Mapping[str, Shape] = {}
    """Members that are such messages, or arrays of them."""
    maps: Mapping[str, Shape] = {}
    """Members that are objects with any names, whose values are such messages."""
    implied: Mapping[str, object] = {}
    """Members that SDKs of 0.3 leave out where they say this."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REFRESHED: Final = _names("refreshUrl")
_CODE_FLOW: Final = Shape(
    _names("authorizationUrl tokenUrl scopes"), plain=_names("refreshUrl pkceRequired")
)
_CLIENT_FLOW: Final = Shape(_names("tokenUrl scopes"), plain=_REFRESHED)
_DEVICE_FLOW: Final = Shape(_names("deviceAuthorizationUrl tokenUrl scopes"), plain=_REFRESHED)
_IMPLICIT_FLOW: Final = Shape(plain=_names("authorizationUrl refreshUrl scopes"))
_PASSWORD_FLOW: Final = Shape(plain=_names("tokenUrl refreshUrl scopes"))
_OAUTH: Final = Shape(
    _names("flows"),
    plain=_names("description oauth2MetadataUrl"),
    inner={
        "flows": Shape(
            optional=_names("authorizationCode clientCredentials implicit password deviceCode"),
            inner={
                "authorizationCode": _CODE_FLOW,
                "clientCredentials": _CLIENT_FLOW,
                "deviceCode": _DEVICE_FLOW,
                "implicit": _IMPLICIT_FLOW,
                "password": _PASSWORD_FLOW,
            },
        )
    },
)
_SCHEMES: Final = Shape(
    optional=_names(
        "apiKeySecurityScheme httpAuthSecurityScheme oauth2SecurityScheme"
        " openIdConnectSecurityScheme mtlsSecurityScheme"
    ),
    inner={
        "apiKeySecurityScheme": Shape(_names("location name"), plain=_names("description")),
        "httpAuthSecurityScheme": Shape(_names("scheme"), plain=_names("description bearerFormat")),
        "oauth2SecurityScheme": _OAUTH,
        "openIdConnectSecurityScheme": Shape(
            _names("openIdConnectUrl"), plain=_names("description")
        ),
        "mtlsSecurityScheme": Shape(plain=_names("description")),
    },
)
_REQUIREMENT: Final = Shape(plain=_names("schemes"), maps={"schemes": Shape(plain=_names("list"))})
_EXTENSION: Final = Shape(
    optional=_names("params"), plain=_names("uri description required")
)  # what parameters are within, nobody knows: they are covered whole
_PROVIDER: Final = Shape(_names("url organization"))

V1_0: Final = Shape(
    _names(
        "name description supportedInterfaces version capabilities"
        " defaultInputModes defaultOutputModes skills"
    ),
    _names("documentationUrl iconUrl provider"),
    _names("securitySchemes securityRequirements"),
    {
        "supportedInterfaces": Shape(
            _names("url protocolBinding protocolVersion"), plain=_names("tenant")
        ),
        "provider": _PROVIDER,
        "capabilities": Shape(
            optional=_names("streaming pushNotifications extendedAgentCard"),
            plain=_names("extensions"),
            inner={"extensions": _EXTENSION},
        ),
        "securityRequirements": _REQUIREMENT,
        "skills": Shape(
            _names("id name description tags"),
            plain=_names("examples inputModes outputModes securityRequirements"),
            inner={"securityRequirements": _REQUIREMENT},
        ),
    },
    {"securitySchemes": _SCHEMES},
)

_LEGACY_FLOW: Final = Shape(optional=_names("authorizationUrl tokenUrl refreshUrl scopes"))
_LEGACY_FLOWS: Final = _names("authorizationCode clientCredentials implicit password")
V0_3: Final = Shape(
    optional=_names(
        "additionalInterfaces capabilities defaultInputModes defaultOutputModes description"
        " documentationUrl iconUrl name preferredTransport protocolVersion provider security"
        " securitySchemes skills supportsAuthenticatedExtendedCard url version"
    ),
    inner={
        "additionalInterfaces": Shape(optional=_names("transport url")),
        "capabilities": Shape(
            optional=_names("extensions pushNotifications stateTransitionHistory streaming"),
            inner={"extensions": Shape(optional=_names("description params required uri"))},
        ),
        "provider": Shape(optional=_names("organization url")),
        "skills": Shape(
            optional=_names("description examples id inputModes name outputModes security tags")
        ),
    },
    maps={
        "securitySchemes": Shape(
            optional=_names(
                "bearerFormat description flows in name oauth2MetadataUrl openIdConnectUrl scheme"
            ),  # not `type`: it is what SDKs call it where it is not said
            inner={
                "flows": Shape(
                    optional=_LEGACY_FLOWS, inner=dict.fromkeys(_LEGACY_FLOWS, _LEGACY_FLOW)
                )
            },
        )
    },
    implied={"preferredTransport": "JSONRPC", "protocolVersion": "0.3.0"},
)


def specified(card: Document) -> bytes:
    """As the specification says."""
    return jcs.encode(_present(card, V1_0))


def without_empty(card: Document) -> bytes:
    """As the official SDKs of 1.0 do: required members, too, are left out where they are empty."""
    return jcs.encode(_pruned(_present(card, V1_0)) or {})


def legacy(card: Document) -> bytes:
    """As the official SDK of 0.3 does, which escapes what is not ASCII."""
    document = _pruned(_present(card, V0_3)) or {}
    jcs.encode(document)  # what it cannot write has no payload here either
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    return text.encode()


def as_written(card: Document) -> bytes:
    """The whole document, as it is served."""
    return jcs.encode({name: value for name, value in card.items() if name != SIGNATURES})


class Form(Enum):
    """What is signed of a card, and by whom in this way."""

    SPECIFIED = "specification"
    WITHOUT_EMPTY = "without empty members"
    LEGACY = "0.3"
    AS_WRITTEN = "as written"


PAYLOADS: Final[Mapping[Form, Callable[[Document], bytes]]] = {
    Form.SPECIFIED: specified,
    Form.WITHOUT_EMPTY: without_empty,
    Form.LEGACY: legacy,
    Form.AS_WRITTEN: as_written,
}


def payload(card: Document, form: Form) -> bytes:
    """JSON. `NotCanonical`: the card has none in this form."""
    return PAYLOADS[form](card)


def payloads(card: Document) -> dict[bytes, Form]:
    """Every payload that a signature of this card may cover, the most usual first."""
    found: dict[bytes, Form] = {}
    for form in Form:
        try:
            found.setdefault(payload(card, form), form)
        except NotCanonical:
            continue
    return found


def _present(value: object, shape: Shape) -> object:
    """The members that are covered, of a message or of each of an array."""
    if isinstance(value, list):
        return [_present(each, shape) for each in value]
    if not isinstance(value, Mapping):
        return value
    members: dict[str, object] = {}
    for name, said in value.items():
        if name in shape.inner:
            said = _present(said, shape.inner[name])
        elif name in shape.maps and isinstance(said, Mapping):
            said = {key: _present(each, shape.maps[name]) for key, each in said.items()}
        if _is_covered(name, said, shape):
            members[name] = said
    return members


def _is_covered(name: str, said: object, shape: Shape) -> bool:
    if said is None:
        return False
    if name in shape.implied:
        return said != shape.implied[name]
    is_said = name in shape.required or name in shape.optional
    return is_said or (name in shape.plain and bool(said))


def _pruned(value: object) -> object | None:
    """The same without empty texts, arrays and objects, at whatever depth; None: it is empty."""
    if isinstance(value, Mapping):
        members = {name: _pruned(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if each is not None} or None
    if isinstance(value, list):
        items = [_pruned(each) for each in value]
        return [each for each in items if each is not None] or None
    return None if value == "" else value
