"""What clients see of agents: their cards, at the gateway's addresses, with what it asks of
clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from extproc.a2a import security
from extproc.a2a.rewriting import Offer, Place, rewritten
from extproc.a2a.security import NO_SECURITY, Scheme, Security
from extproc.a2a_serving.directory import Found
from gateway.identity import Identity

_MOST_KEPT: Final = 256
_API_KEY: Final = "x-api-key"


class Shown(Struct, frozen=True):
    """A card for clients."""

    body: bytes
    tag: str
    """Its `ETag`."""


class Cards:
    """Of a program: each is written once for each address by which the gateway is called."""

    __slots__ = ("_kept", "_path", "_security")

    def __init__(self, path: str, identity: Identity) -> None:
        """`path`: below which agents are."""
        self._path = path
        self._security = security_of(identity)
        self._kept: OrderedDict[tuple[str, str, str], Shown] = OrderedDict()

    def shown(self, found: Found, origin: str) -> Shown:
        """The card of an agent. `origin`: what the client calls the gateway."""
        name = found.agent.name
        key = name, origin, found.card.digest
        shown = self._kept.get(key)
        if shown is None:
            body = rewritten(found.card, self.place(found, origin))
            shown = self._kept[key] = Shown(body, f'W/"{found.card.digest[:32]}"')
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return shown

    def place(self, found: Found, origin: str) -> Place:
        """Where it is at the gateway."""
        name = found.agent.name
        offers = tuple(
            Offer(binding, revision, way.tenant) for (binding, revision), way in found.ways.items()
        )
        return Place(
            name,
            self.url(name, origin),
            offers,
            grpc=_grpc_place(origin),
            security=self._security,
            has_push=False,
        )

    def url(self, name: str, origin: str) -> str:
        """Of an agent at the gateway."""
        return f"{origin}{self._path}/{name}"


def _grpc_place(origin: str) -> str:
    """`host:port`: as clients of gRPC dial it."""
    scheme, _, authority = origin.partition("://")
    has_port = authority.rpartition(":")[2].isdigit()
    return authority if has_port else f"{authority}:{443 if scheme == 'https' else 80}"


def security_of(identity: Identity) -> Security:
    """What clients must show, one of it."""
    if not identity.is_required:
        return NO_SECURITY
    schemes: list[Scheme] = []
    has_keys = bool(identity.api_keys) or identity.has_stored_keys
    has_tokens = bool(identity.issuers) or identity.introspection is not None
    if has_keys or has_tokens:
        schemes.append(security.bearer("" if has_keys else "JWT"))
    if has_keys:
        schemes.append(security.api_key(_API_KEY))
    if identity.passwords is not None:
        schemes.append(security.basic())
    if identity.certificates:
        schemes.append(security.mutual_tls())
    return security.any_of(*schemes)


def origin_of(url: str, headers: Mapping[str, str]) -> str:
    """What the client calls the gateway; `url`: what it is called in any case."""
    if url:
        return url
    return f"{headers.get(':scheme', 'http')}://{headers.get(':authority', '')}"
