"""Push notifications: agents are told an address of the gateway, which holds the client's, sealed.

So nothing is stored, and any worker, of any machine with the same secrets, calls the client. The
address is for one agent alone. Where the client is, is looked at when it says so, and again when it
is called; Envoy connects to the address that was looked at, and to no other.
"""

from __future__ import annotations

import base64
import hmac
import zlib
from collections.abc import Callable, Container, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from extproc.a2a.jwk import SigningKey, coded
from extproc.a2a.webhook_places import Target, Whereabouts
from extproc.a2a.webhooks import Callback, Unusable, Webhook
from extproc.a2a_serving.callers import Caller
from extproc.mcp.vault import Vault
from extproc.ports import Resolve, Unresolved
from gateway import names
from gateway.a2a import NOTIFICATION_TOKEN, Push, Revision

PLACE: Final = ".push"
"""Below the agents' path: where agents call. No agent can have this name."""
_PURPOSE: Final = b"dragoman a2a webhook"
_LONGEST_SEALED: Final = 6000
_LARGEST_OPENED: Final = 16 << 10
_LONGEST_SECRET: Final = 4096
_NONCE_BYTES: Final = 18
_JWT_SECONDS: Final = 300
_BEARER, _BASIC = "bearer", "basic"


class Sealed(Struct, frozen=True, array_like=True):
    """What an address says that an agent was told."""

    url: str
    """Of the client."""
    token: str
    """That the client wants to see."""
    authorization: str
    """The same; empty: none."""
    revision: str
    """Of the protocol, that the client speaks."""
    task: str
    """That it is about, as the agent calls it; empty: was not known."""
    key: str
    """Whose the task is, of those that the agent stands for; empty: it stands for itself."""
    owner: str
    """Who asked for it; empty: anybody."""
    made_seconds: int
    """When, since 1970."""
    nonce: str
    """What the agent has to show."""
    caller: Caller | None = None
    """The owner, as policies know callers; None: anybody, or it was not said yet."""


class Told(NamedTuple):
    """Who wants to be called, and about what; as `Sealed` has it."""

    revision: Revision
    task: str
    key: str
    owner: str
    caller: Caller | None = None


class Way(Struct, frozen=True):
    """How a client is called."""

    reply: bytes
    """What Envoy is told (`direct_wire.encode_way`) when the body is answered."""
    address: str
    """That it connects to: `192.0.2.1:443`."""
    headers: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]


class Unreachable(Exception):
    """A webhook that cannot be called now; says why."""


class Means(NamedTuple):
    """What clients are called with."""

    secrets: tuple[str, ...]
    """For where the configuration has none."""
    resolve: Resolve
    random: Callable[[int], bytes]
    replies: Mapping[str, bytes]
    """What Envoy is told, by cluster."""
    key: SigningKey | None = None
    """Signs, if that is wanted."""


class Callbacks:
    """Of a program."""

    __slots__ = ("_agents", "_key", "_means", "_prefix", "_push", "_vault", "_where")

    def __init__(self, push: Push, path: str, agents: Container[str], means: Means) -> None:
        """`path`: below which the agents of these names are."""
        self._agents = agents
        self._push = push
        self._prefix = f"{push.url}{path}/{PLACE}/"
        self._vault = Vault(push.secrets or means.secrets, _PURPOSE)
        self._means = means
        self._key = means.key if push.is_signed else None
        self._where = Whereabouts(push.hosts, push.networks, push.takes_http)

    async def sealed(self, agent: str, webhook: Webhook, told: Told, now: int) -> Callback:
        """What the agent is told instead. `now`: seconds since 1970. Raises `Unusable`."""
        target = self._where.target(webhook.url)
        try:
            await self._address(target)
        except Unreachable as error:
            raise Unusable(str(error)) from None
        nonce = base64.urlsafe_b64encode(self._means.random(_NONCE_BYTES)).decode()
        said = Sealed(
            webhook.url,
            _header_value(webhook.token, "token"),
            _authorization(webhook),
            told.revision.value,
            told.task,
            told.key,
            told.owner,
            now,
            nonce,
            told.caller,
        )
        packed = zlib.compress(msgspec.json.encode(said), 9, wbits=-15)
        text = self._vault.seal_text(packed, agent)
        if len(text) > _LONGEST_SEALED:
            raise Unusable("a webhook, with its credentials, is too long")
        return Callback(f"{self._prefix}{agent}/{text}", nonce)

    def opened(self, agent: str, text: str) -> Sealed | None:
        """What an address says; None: it is none of ours, another agent's, or there is no such
        agent any more."""
        packed = self._vault.open_text(text, agent) if agent in self._agents else None
        if packed is None:
            return None
        inflater = zlib.decompressobj(wbits=-15)
        try:
            said = inflater.decompress(packed, _LARGEST_OPENED)
            return _decoder.decode(said) if inflater.eof else None
        except (zlib.error, msgspec.DecodeError):
            return None

    def own(self, agent: str, owner: str) -> Callable[[str], str | None]:
        """Says the client's own address for one that the agent was told; None: another's."""

        def found(url: str) -> str | None:
            if not url.startswith(f"{self._prefix}{agent}/"):
                return None
            sealed = self.opened(agent, url.rpartition("/")[2])
            return sealed.url if sealed is not None and sealed.owner == owner else None

        return found

    def is_over(self, sealed: Sealed, now: int) -> bool:
        """It is too long ago that a client asked for it."""
        return now - sealed.made_seconds > self._push.lifetime_seconds

    def is_shown(self, sealed: Sealed, token: str) -> bool:
        """Whether the agent has shown what it was told; empty: it has shown nothing."""
        if not token:
            return not self._push.needs_token
        return hmac.compare_digest(token.encode(), sealed.nonce.encode())

    async def way(self, sealed: Sealed, agent: str, body: bytes, now: int) -> Way:
        """How the client is called with this body. Raises `Unreachable`."""
        try:
            target = self._where.target(sealed.url)
        except Unusable as error:  # what may be called has changed since
            raise Unreachable(str(error)) from None
        address = await self._address(target)
        written = f"[{address}]" if ":" in address else address
        head = {
            ":path": target.path,
            ":authority": target.authority,
            NOTIFICATION_TOKEN: sealed.token,
            "authorization": sealed.authorization or self._signed(target, agent, body, now),
        }
        cluster = names.WEBHOOKS if target.is_tls else names.PLAIN_WEBHOOKS
        said = tuple((name, value) for name, value in head.items() if value)
        return Way(
            self._means.replies[cluster],
            f"{written}:{target.port}",
            said,
            tuple(name for name, value in head.items() if not value),
        )

    async def _address(self, target: Target) -> str:
        """That is called. Clients are not told what names there are."""
        try:
            found = self._where.chosen(await self._means.resolve(target.host, target.port))
        except Unresolved:
            found = None
        if found is None:
            raise Unreachable(f"the host {target.host!r} has no address that may be called")
        return found

    def _signed(self, target: Target, agent: str, body: bytes, now: int) -> str:
        """A JSON Web Token (RFC 7519) that says of what it is."""
        key = self._key
        if key is None:
            return ""
        header = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid}
        scheme = "https" if target.is_tls else "http"
        claims = {
            "iss": self._prefix.partition(f"/{PLACE}/")[0],
            "sub": agent,
            "aud": f"{scheme}://{target.authority}",
            "iat": now,
            "exp": now + _JWT_SECONDS,
            "jti": coded(self._means.random(_NONCE_BYTES)),
            "request_body_sha256": sha256(body).hexdigest(),
        }
        said = ".".join(coded(msgspec.json.encode(each)) for each in (header, claims))
        return f"Bearer {said}.{coded(key.sign(said.encode()))}"


_decoder: Final = msgspec.json.Decoder(Sealed)


def _authorization(webhook: Webhook) -> str:
    """The header that the client wants to see. Raises `Unusable`."""
    if not webhook.schemes:
        if webhook.credentials:
            raise Unusable("a webhook has credentials, and says no scheme for them")
        return ""
    known = [each for each in webhook.schemes if each.lower() in (_BEARER, _BASIC)]
    if not known:
        said = ", ".join(webhook.schemes)[:64]
        raise Unusable(f"the gateway shows webhooks Bearer or Basic credentials, not {said!r}")
    scheme = known[0].lower()
    credentials = _header_value(webhook.credentials, "credentials")
    if not credentials:
        return ""  # of Bearer, the gateway's own signature may stand there
    if scheme == _BASIC and ":" in credentials:  # the user and the password, not yet encoded
        credentials = base64.b64encode(credentials.encode()).decode()
    return f"{scheme.capitalize()} {credentials}"


def _header_value(text: str, what: str) -> str:
    if len(text) > _LONGEST_SECRET or not text.isascii() or not all(map(_is_visible, text)):
        raise Unusable(f"the {what} of a webhook cannot stand in a header")
    return text


def _is_visible(character: str) -> bool:
    return " " <= character <= "~"
