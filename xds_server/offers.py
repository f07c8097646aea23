"""What each kind of client is to have: a snapshot for each audience, made when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from gateway.a2a import A2a
from gateway.credentials import AwsCredential, Credential
from gateway.model import Gateway, Mcp, NodeGroup, Provider, Route, Service, Xds
from xds_server.access import admit
from xds_server.audience import Audience, Kind, Level, Node, Offer, Principal, Refused
from xds_server.snapshot import SECRET, Snapshot, with_kept, without_type


class Compile(Protocol):
    """The compile step, told everything but these."""

    def __call__(self, gateway: Gateway, *, level: Level) -> Snapshot: ...


EVERYBODY = Audience(Kind.ENVOY)
"""Whoever has everything: what people are shown of a configuration."""


class EnvoyOffer:
    """A configuration for Envoys, and for whoever else speaks xDS."""

    def __init__(self, gateway: Gateway, compile_snapshot: Compile) -> None:
        self._gateway = gateway
        self._compile = compile_snapshot
        self._made: dict[Audience, Snapshot] = {}

    def audience(self, node: Node, principal: Principal) -> Audience | Refused:
        grant = admit(self._gateway.xds, node, principal)
        if isinstance(grant, Refused):
            return grant
        return Audience(Kind.ENVOY, grant.group, node.level(), grant.may_have_secrets)

    def snapshot(self, audience: Audience) -> Snapshot:
        """Raises what the compile step raises, the first time that an audience is asked for."""
        made = self._made.get(audience)
        if made is None:
            made = self._make(audience)
            self._made[audience] = made
        return made

    def _make(self, audience: Audience) -> Snapshot:
        if not audience.may_have_secrets:
            entitled = replace(audience, may_have_secrets=True)
            return without_type(self._open(entitled), SECRET)
        return self._compiled(audience, self._gateway)

    def _open(self, entitled: Audience) -> Snapshot:
        """What the entitled have, but for secrets that do not come as such."""
        bare = without_inline_secrets(self._gateway)
        if bare is self._gateway:
            return self.snapshot(entitled)
        return self._compiled(entitled, bare)

    def _compiled(self, audience: Audience, whole: Gateway) -> Snapshot:
        groups = {group.name: group for group in self._gateway.xds.groups}
        group = groups.get(audience.group)
        gateway = whole if group is None else for_group(whole, group)
        return self._compile(gateway, level=audience.level)


class WorkerOffer:
    """A configuration for extproc workers, who are all told the same."""

    def __init__(self, snapshot: Snapshot, xds: Xds) -> None:
        self._snapshot = snapshot
        self._xds = xds

    def audience(self, node: Node, principal: Principal) -> Audience | Refused:
        grant = admit(self._xds, node, principal, Kind.WORKER)
        return grant if isinstance(grant, Refused) else Audience(Kind.WORKER)

    def snapshot(self, _: Audience) -> Snapshot:
        return self._snapshot


class KeptOffer:
    """An offer, and the clusters, endpoints and secrets that traffic still uses, or soon will."""

    def __init__(self, new: Offer, held: Mapping[Audience, Snapshot]) -> None:
        self._new = new
        self._held = held
        self._made: dict[Audience, Snapshot] = {}

    def audience(self, node: Node, principal: Principal) -> Audience | Refused:
        return self._new.audience(node, principal)

    def snapshot(self, audience: Audience) -> Snapshot:
        made = self._made.get(audience)
        if made is None:
            new, held = self._new.snapshot(audience), self._held.get(audience)
            made = new if held is None else with_kept(new, held)
            self._made[audience] = made
        return made


def without_inline_secrets(gateway: Gateway) -> Gateway:
    """Keys of AWS stand in clusters: those who may have no secrets sign as who they are themselves.
    The same gateway where there are none."""
    if not any(map(_is_inline, gateway.callees)):
        return gateway
    return replace(
        gateway,
        providers=tuple(
            replace(each, credential=_bare(each.credential)) for each in gateway.providers
        ),
        services=tuple(
            replace(each, credential=_bare(each.credential)) for each in gateway.services
        ),
    )


def _bare(credential: Credential | None) -> Credential | None:
    if not isinstance(credential, AwsCredential):
        return credential
    return replace(credential, access_key=None, secret_key=None, session_token=None)


def _is_inline(provider: Provider | Service) -> bool:
    credential = provider.credential
    return isinstance(credential, AwsCredential) and credential.access_key is not None


def for_group(gateway: Gateway, group: NodeGroup) -> Gateway:
    """What a node group serves: its listeners, what they need, and resources of its own."""
    listeners = tuple(each for each in gateway.listeners if each.name in group.listeners)
    routes = tuple(
        route for each in gateway.routes if (route := _on(each, group.listeners)) is not None
    )
    return replace(
        gateway,
        listeners=listeners,
        routes=routes,
        # without a listener nothing asks for a model, and no key is to be told
        providers=gateway.providers if listeners else (),
        models=gateway.models if listeners else (),
        services=gateway.services if listeners else (),
        mcp=gateway.mcp if listeners else Mcp(),
        a2a=gateway.a2a if listeners else A2a(),
        xds=replace(gateway.xds, resources=(*gateway.xds.resources, *group.resources)),
    )


def _on(route: Route, listeners: tuple[str, ...]) -> Route | None:
    kept = tuple(each for each in route.listeners if each in listeners)
    return replace(route, listeners=kept) if kept else None
