"""Who is calling."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.basic import BasicBlock
from gateway.config.block import Block, refusal
from gateway.config.introspection import IntrospectionBlock
from gateway.config.issuers import IssuerBlock
from gateway.config.logins import LoginBlock
from gateway.config.scalars import Duration, Flag, Globs, Name, Secret, Text
from gateway.identity import STALE_KEYS_SECONDS, CertificateHolders, TokenMode


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise refusal("must be 64 lower-case hex digits", "the sha-256 of the key", is_shown=False)
    return value


Digest: TypeAlias = Annotated[
    str,
    AfterValidator(_digest),
    WithJsonSchema({"type": "string", "pattern": "^([0-9a-f]{64}|.*\\$\\{.*)$"}),
]


class ApiKeyBlock(Block):
    """A key that clients send as `Authorization: Bearer …`, and who holds it."""

    name: Name
    """What the key is called in rules, budgets and reports; unique."""
    key: Secret | None = None
    """The key itself, best as `${VARIABLE}`. Either this or `digest`."""
    digest: Digest | None = None
    """The SHA-256 of the key in hex, so that the key need not be in the file."""
    user: Text | None = None
    """Whose key it is."""
    team: Text | None = None
    """The team that pays."""
    groups: tuple[Text, ...] = ()
    """What rules see as `principal.groups`."""
    tags: dict[Text, Text] = Field(default={})
    """Free labels, for rules."""
    models: tuple[Text, ...] = ()
    """The models that it opens, as clients ask for them; `*` stands for anything. Others are
    refused with 403 `model_not_allowed`. Default: all."""
    tools: tuple[Text, ...] = ()
    """The tools of MCP servers that it opens: globs over `SERVER__TOOL`, the servers' own names,
    such as `github__*`. Others do not exist for it. Default: all."""

    @model_validator(mode="after")
    def _has_one_form(self) -> ApiKeyBlock:
        if (self.key is None) == (self.digest is None):
            raise refusal("needs either key or digest", is_shown=False)
        return self

    @property
    def sha256(self) -> str:
        """The digest, given or computed."""
        if self.key is None:
            return self.digest or ""
        return hashlib.sha256(self.key.get_secret_value().encode()).hexdigest()


class ApiKeysBlock(Block):
    """Keys by which clients are known: those listed here, and virtual keys, which are made at run
    time (`dragoman keys create`)."""

    enabled: Flag | None = None
    """True: virtual keys are accepted beside those that are listed. False: no key is accepted,
    whatever the list says. Default: those that are listed."""
    keys: tuple[ApiKeyBlock, ...] = ()
    """The keys that stand in the file."""
    stale_if_error: Duration = STALE_KEYS_SECONDS
    """For how long virtual keys that a worker knows are accepted while the server of the ledger,
    where they are kept, gives no answer; then they are refused with 503 `keys_unavailable`. So
    long may a worker that is cut off not know of a revocation. Of a ledger in a file, as of `0s`:
    a second."""


class CertificateBlock(Block):
    """Clients that are known by the certificate of their connection (mTLS). Whether it is one,
    the gateway's `tls.client_ca` says; a key or token that is sent, too, goes before it."""

    san: Annotated[Globs, Field(min_length=1)]
    """One or several globs over the certificate's first URI name, such as a SPIFFE ID, else over
    its first DNS name: `spiffe://example.com/ns/*/sa/agent`. Here `*` is any text without `/`, in
    DNS names without `.`; `**` is any text, and so is a `*` that stands alone."""
    user: Text | None = None
    """What scopes and rules know as the user. Default: that name."""
    team: Text | None = None
    """The team that pays."""
    groups: tuple[Text, ...] = ()
    """What rules see as `principal.groups`."""
    tags: dict[Text, Text] = Field(default={})
    """Free labels, for rules."""

    @property
    def meaning(self) -> CertificateHolders:
        """What is meant."""
        tags = tuple(self.tags.items())
        return CertificateHolders(self.san, self.user or "", self.team or "", self.groups, tags)


class IdentityBlock(Block):
    """Who may come in."""

    required: Flag | None = None
    """Whether requests without credentials are refused. Default: true when there are keys,
    certificates, passwords, introspection, or issuers whose mode is `strict`. A wrong credential is
    refused in any case."""
    api_keys: ApiKeysBlock = ApiKeysBlock()
    """Keys sent as `Authorization: Bearer …`."""
    jwt: tuple[IssuerBlock, ...] = ()
    """Identity providers whose tokens are taken where keys are. What is no valid token of theirs
    is looked up as a key."""
    certificates: tuple[CertificateBlock, ...] = ()
    """Clients that are known by their certificates, where they send neither key nor token. The
    first that fits counts; who fits none is nobody."""
    basic: BasicBlock | None = None
    """Users who are known by a name and a password (HTTP Basic)."""
    introspection: IntrospectionBlock | None = None
    """A server that is asked about tokens which nobody here knows (RFC 7662)."""
    logins: dict[Name, LoginBlock] = Field(default={})
    """Authorization servers that people with browsers are sent to (OpenID Connect), by a name of
    your choice; on the routes that name one in `login`."""

    @property
    def accepted_keys(self) -> tuple[ApiKeyBlock, ...]:
        """Those that open the door now."""
        return () if self.api_keys.enabled is False else self.api_keys.keys

    @property
    def has_stored_keys(self) -> bool:
        """Whether keys that are made at run time open the door."""
        return self.api_keys.enabled is True

    @property
    def is_required(self) -> bool:
        """Whether requests without credentials are refused."""
        if self.required is not None:
            return self.required
        is_strict = any(each.mode is TokenMode.STRICT for each in self.jwt)
        others = self.accepted_keys or self.certificates or self.basic or self.introspection
        return is_strict or self.has_stored_keys or bool(others)
