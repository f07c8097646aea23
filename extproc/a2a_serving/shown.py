"""What clients see of agents: their cards, at the gateway's addresses, with what it asks of
clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from msgspec import Struct

from extproc.a2a import jwk, security, signatures
from extproc.a2a.cards import Card
from extproc.a2a.jcs import NotCanonical
from extproc.a2a.rewriting import Offer, Place, rewritten
from extproc.a2a.security import NO_SECURITY, Scheme, Security
from extproc.a2a_serving.directory import NEWEST_FIRST, Found, NoCard
from gateway.a2a import Binding, CardSigning, Revision
from gateway.identity import Identity

KEYS: Final = "/.well-known/jwks.json"
"""Below the agents' path: what the cards are signed with."""
_MOST_KEPT: Final = 256
_API_KEY: Final = "x-api-key"


class Shown(Struct, frozen=True):
    """A card for clients."""

    body: bytes
    tag: str
    """Its `ETag`."""


class Cards:
    """Of a program: each is written once for each address by which the gateway is called."""

    __slots__ = ("_has_push", "_is_alone", "_kept", "_path", "_security", "key", "keys")

    def __init__(
        self,
        path: str,
        identity: Identity,
        signing: CardSigning | None = None,
        *,
        is_alone: bool = False,
        has_push: bool = False,
    ) -> None:
        """`path`: below which agents are. `is_alone`: there is one. `has_push`: clients are called
        back. `jwk.InvalidKey`: cards cannot be signed with it."""
        self._is_alone, self._has_push = is_alone, has_push
        self.key = None if signing is None else jwk.signing_key(signing.key, signing.kid)
        self.keys = None if self.key is None else jwk.public_set([self.key])
        """The JSON Web Key Set that clients verify cards with; None: they are not signed."""
        self._path = path
        self._security = security_of(identity)
        self._kept: OrderedDict[tuple[str, str, str], Shown] = OrderedDict()

    def shown(self, found: Found, origin: str) -> Shown:
        """The card of an agent. `origin`: what the client calls the gateway. Raises `NoCard`."""
        name = found.agent.name
        key = name, origin, found.card.digest
        shown = self._kept.get(key)
        if shown is None:
            body = self.written(found.card, found, origin)
            shown = self._kept[key] = Shown(body, f'W/"{sha256(body).hexdigest()[:32]}"')
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return shown

    def written(self, card: Card, found: Found, origin: str) -> bytes:
        """A card of an agent's, public or not. Raises `NoCard`."""
        key, jku = self.key, f"{origin}{self._path}{KEYS}"
        sign = None if key is None else lambda document: signatures.sign(document, key, jku)
        try:
            return rewritten(card, self.place(found, origin), sign)
        except NotCanonical as error:
            raise NoCard(f"the card cannot be signed: {error}") from None

    def place(self, found: Found, origin: str) -> Place:
        """Where it is at the gateway."""
        name = found.agent.name
        own = [
            Offer(binding, revision, way.tenant) for (binding, revision), way in found.ways.items()
        ]
        others = [
            Offer(binding, revision)
            for revision in NEWEST_FIRST
            for binding in Binding
            if found.ways and (binding, revision) not in found.ways
        ]
        offers = [each for each in (*own, *others) if self._is_alone or not _names_nobody(each)]
        return Place(
            name,
            self.url(name, origin),
            tuple(offers),
            grpc=_grpc_place(origin),
            security=self._security,
            has_push=self._has_push,
        )

    def url(self, name: str, origin: str) -> str:
        """Of an agent at the gateway."""
        return f"{origin}{self._path}/{name}"


def _names_nobody(offer: Offer) -> bool:
    """Calls of gRPC name agents by their tenant, which 0.3 does not have."""
    return offer.binding is Binding.GRPC and offer.revision is Revision.V0_3


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


def is_of_keys(agent: str, behind: str) -> bool:
    """Whether a path is that of the keys, as it is taken apart for agents."""
    return f"/{agent}{behind}" == KEYS
