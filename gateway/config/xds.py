"""The control plane as a server of its own: who connects to it, and what they are told."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from pydantic import ConfigDict, Field, model_validator

from gateway.config.block import Block, refusal
from gateway.config.identity import Digest
from gateway.config.scalars import Count, Duration, Flag, Globs, Name, Secret, Text
from gateway.config.tls import TlsBlock


class XdsClientBlock(Block):
    """Who may connect, known by certificate or by token."""

    name: Name
    """What status and logs call it; unique."""
    san: Globs = ()
    """Globs over the URI and DNS names of its certificate: `spiffe://prod/ns/*/sa/edge`. Here `*`
    is any text without `/`, in DNS names without `.`; `**` is any text, and so is a `*` that stands
    alone. Needs `client_ca`."""
    token: Secret | None = None
    """What it sends as `authorization: Bearer …`, best as `${VARIABLE}`."""
    token_sha256: Digest | None = None
    """Instead of the token: its SHA-256 in hex, so that the token need not be in the file."""
    nodes: Globs = ("*",)
    """Globs over the node ids that it may use."""
    secrets: Flag = False
    """Whether it is told secrets: keys of providers, private keys. Envoys that serve these gateways
    need them."""
    workers: Flag | None = None
    """Whether it is told what workers are: rules, and digests of API keys. Without it, those with
    `secrets` are."""
    groups: Globs = ("*",)
    """Globs over the node groups that its nodes may be in. A group follows from what a node says of
    itself: only this and `nodes` hold it to the truth."""

    @model_validator(mode="after")
    def _has_one_proof(self) -> XdsClientBlock:
        proofs = (bool(self.san), self.token is not None, self.token_sha256 is not None)
        if sum(proofs) != 1:
            raise refusal("needs exactly one of san, token and token_sha256", is_shown=False)
        return self

    @property
    def token_digest(self) -> str | None:
        """The digest of its token, given or computed."""
        if self.token is None:
            return self.token_sha256
        return hashlib.sha256(self.token.get_secret_value().encode()).hexdigest()


class NodeMatchBlock(Block):
    """Which nodes; all that is written must hold."""

    id: Globs = ()
    """Globs over the id of the node."""
    cluster: Globs = ()
    """Globs over its cluster."""
    user_agent: Globs = ()
    """Globs over the name of what it is, without its version: `envoy`, `gRPC*`."""
    metadata: dict[Text, Text] = Field(default={})
    """Dotted keys of its metadata, and globs over their values: `labels.app: web-*`."""


class ResourceBlock(Block):
    """An xDS resource as it is to be sent: `@type`, and the fields of that message."""

    model_config = ConfigDict(extra="allow")

    type_url: Text = Field(alias="@type")
    """The message: `type.googleapis.com/envoy.config.cluster.v3.Cluster`."""
    name: Text | None = None
    """Its name, which clients ask for."""
    cluster_name: Text | None = None
    """The name of a ClusterLoadAssignment."""
    ttl: Duration | None = None
    """Clients drop it when they have not heard of it for so long; heartbeats keep it alive."""

    @model_validator(mode="after")
    def _has_one_name(self) -> ResourceBlock:
        if (self.name is None) == (self.cluster_name is None):
            raise refusal("needs a name", "cluster_name in a ClusterLoadAssignment", is_shown=False)
        if self.ttl == 0:
            raise refusal("has no time to live", "leave ttl out, or write 30s", is_shown=False)
        return self

    @property
    def known_as(self) -> str:
        """The name, whatever the message calls it."""
        return self.name or self.cluster_name or ""

    @property
    def message_type(self) -> str:
        """Without the host of the type URL."""
        return self.type_url.rpartition("/")[2]

    @property
    def json_text(self) -> str:
        """The message; equal ones are equal texts."""
        named = {"name": self.name, "cluster_name": self.cluster_name}
        fields = {key: value for key, value in named.items() if value is not None}
        return json.dumps({**fields, **(self.model_extra or {})}, sort_keys=True, default=_fraction)


class GroupBlock(Block):
    """Nodes that are told the same, which others are not."""

    match: NodeMatchBlock = NodeMatchBlock()
    """Which nodes; without it, all that fit no group before."""
    gateways: tuple[Name, ...] | None = None
    """The gateways that they serve; without it, all. `[]`: none, for clients such as gRPC's."""
    resources: tuple[ResourceBlock, ...] = ()
    """Resources for them alone."""


class XdsBlock(Block):
    """How Envoys and other xDS clients, workers too, connect from other machines."""

    tls: TlsBlock | None = None
    """Without it, the control plane speaks plain gRPC."""
    clients: tuple[XdsClientBlock, ...] = ()
    """Who may connect; the first that fits counts. Without any, whoever reaches the port may."""
    groups: dict[Name, GroupBlock] = Field(default={})
    """Which nodes are told what; the first that fits counts, and a node that fits none is refused.
    Without any, all are told all."""
    resources: tuple[ResourceBlock, ...] = ()
    """Resources for every node, beside those that are made of this configuration."""
    history: Count = 20
    """How many configurations are remembered, to go back to."""


def _fraction(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"no value of a document: {type(value).__name__}")
