"""Tokens of identity providers (JWT), and the keys that they are checked with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from gateway.config.block import Block, refusal
from gateway.config.discovery import (
    FETCHED_WITHOUT_TLS,
    DiscoveryBlock,
    is_fetched_without_tls,
    of_issuer,
)
from gateway.config.finding import Finding, Path
from gateway.config.referenced import TextFile
from gateway.config.scalars import Duration, Flag, Text
from gateway.config.urls import NOWHERE, Url
from gateway.identity import ClaimNames, Issuer, TokenMode

_SHORTEST_REFRESH = 10.0
_LONGEST_LEEWAY = 3600.0
_SMALLEST_RSA_BITS = 2048
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""Members of private and of symmetric keys (RFC 7518 §6)."""
_KEY_TYPES = ("EC", "RSA", "OKP")


def _refresh(value: float) -> float:
    if value < _SHORTEST_REFRESH:
        raise refusal("must be 10s or longer")
    return value


def _leeway(value: float) -> float:
    if value > _LONGEST_LEEWAY:
        raise refusal("must be an hour at the most")
    return value


Refresh: TypeAlias = Annotated[Duration, AfterValidator(_refresh)]
Leeway: TypeAlias = Annotated[Duration, AfterValidator(_leeway)]


class JwksBlock(Block):
    """Public keys (a JSON Web Key Set, RFC 7517): one of url, file and inline."""

    url: Url | None = None
    """Where they are fetched, through Envoy, at the start and then every `refresh`. What is signed
    with a key that is not among them has them fetched again, at most every 10 seconds."""
    file: TextFile | None = None
    """A file that holds them. It is watched."""
    inline: str | None = None
    """The JSON itself."""
    refresh: Refresh = 300.0
    """How often the keys at the URL are fetched. A key that is gone there is taken for as long."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the URL's certificate is checked against. Default: the
    system's."""

    @model_validator(mode="after")
    def _has_one_form(self) -> JwksBlock:
        if sum(each is not None for each in (self.url, self.file, self.inline)) != 1:
            raise refusal("needs exactly one of url, file and inline", is_shown=False)
        if self.ca is not None and not (self.url or "").startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    @property
    def text(self) -> str:
        """The keys that stand in the configuration or beside it; empty: they are at the URL."""
        return self.file.text if self.file is not None else self.inline or ""


NO_KEYS = JwksBlock(url=NOWHERE)
"""Never there in a block that is valid."""


class ClaimsBlock(Block):
    """Which claims say who the caller is. Each is the name of a claim, or a path with dots into
    one: `realm_access.roles`."""

    user: Text = "sub"
    """What scopes and rules know as the user."""
    team: Text | None = None
    """What they know as the team."""
    groups: Text | None = None
    """What they know as groups: a list of texts, or one text. In `scope` and `scp`, spaces
    separate."""
    tags: dict[Text, Text] = Field(default={})
    """Tags, by the claims that hold them: `cost: cost_center`."""

    @property
    def meaning(self) -> ClaimNames:
        """What is meant."""
        return ClaimNames(self.user, self.team or "", self.groups or "", tuple(self.tags.items()))


class IssuerBlock(Block):
    """An identity provider whose tokens (JWT) are taken. Envoy checks signature, issuer, audience
    and times; `exp` must be there."""

    issuer: Text
    """What `iss` of the tokens says, to the letter; unique."""
    audiences: tuple[Text, ...]
    """Any of them must be in `aud`. `[]` takes tokens that were made for anybody."""
    jwks: JwksBlock = NO_KEYS
    """The issuer's public keys. Default: where its discovery document says."""
    discovery: DiscoveryBlock | None = None
    """Where the issuer says where its keys are, if that is not written here."""
    mode: TokenMode = TokenMode.STRICT
    """`strict`: requests without a credential are refused, unless `required` says otherwise.
    `optional`: they are let in as anonymous. Both refuse tokens that are not valid. `permissive`:
    such a token is dropped, and the request is anonymous."""
    claims: ClaimsBlock = ClaimsBlock()
    """Which claims say who the caller is."""
    forward: Flag = False
    """Whether the backends of plain routes get the token. Providers of models never do."""
    leeway: Leeway = 60.0
    """How far the clocks of issuer and gateway may differ, to the second."""

    @model_validator(mode="before")
    @classmethod
    def _discovered(cls, data: object) -> object:
        return of_issuer(data)

    @property
    def meaning(self) -> Issuer:
        """What is meant."""
        jwks = self.jwks
        return Issuer(
            self.issuer,
            self.audiences,
            jwks.url or "",
            jwks.text,
            jwks.refresh,
            jwks.ca.text if jwks.ca is not None else None,
            self.mode,
            self.claims.meaning,
            self.forward,
            round(self.leeway),
        )


def mistaken_keys(text: str) -> str | None:
    """What is wrong with a key set that Envoy would silently not use; None: nothing."""
    try:
        document = json.loads(text)
    except ValueError:
        return "is no json"
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys:
        return "has no keys: it must be an object with a list of them"
    for place, key in enumerate(keys):
        mistake = _mistaken_key(key)
        if mistake is not None:
            return f"has a key, number {place + 1}, that {mistake}"
    return None


def _mistaken_key(key: Any) -> str | None:
    if not isinstance(key, dict):
        return "is no object"
    if not _PRIVATE.isdisjoint(key):
        return "is private or symmetric: whoever could read it here could sign tokens"
    if key.get("kty") not in _KEY_TYPES:
        return f"has no kty of {', '.join(_KEY_TYPES)}"
    if key["kty"] == "RSA":
        modulus = key.get("n")
        if not isinstance(modulus, str) or len(modulus) * 6 < _SMALLEST_RSA_BITS - 6:
            return f"is an rsa key of less than {_SMALLEST_RSA_BITS} bits"
    return None


def findings(blocks: tuple[IssuerBlock, ...]) -> Iterator[Finding]:
    """What the blocks cannot know alone."""
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        path: Path = ("identity", "jwt", index)
        if block.issuer in seen:
            yield Finding((*path, "issuer"), f"the issuer '{block.issuer}' is there already")
        seen.add(block.issuer)
        if block.jwks.url is None:
            mistake = mistaken_keys(block.jwks.text)
            form = "inline" if block.jwks.file is None else "file"
            if mistake is not None:
                yield Finding((*path, "jwks", form), f"the key set {mistake}")


def warnings(blocks: tuple[IssuerBlock, ...]) -> Iterator[Finding]:
    """What others may change, or was made for others."""
    for index, block in enumerate(blocks):
        path: Path = ("identity", "jwt", index)
        if (block.jwks.url or "").startswith("http:"):
            yield Finding(
                (*path, "jwks", "url"),
                "fetches keys without tls: whoever can change them can sign tokens",
                "https",
            )
        if is_fetched_without_tls(block.discovery):
            yield Finding((*path, "discovery", "url"), FETCHED_WITHOUT_TLS, "https")
        if not block.audiences:
            yield Finding(
                (*path, "audiences"),
                f"takes tokens that '{block.issuer}' made for anybody",
                "name this gateway's own audience",
            )
