"""Who may be told what: clients by certificate or token, nodes by group. Pure decisions.

Whoever is refused learns what it lacks, never what others have.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.globs import is_like, is_name_like
from gateway.model import NodeGroup, NodeMatch, Xds, XdsClient
from xds_server.audience import Kind, Node, Principal, Refused

_ANYBODY = XdsClient("", may_have_secrets=True)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client may have."""

    group: str
    """The node group's name; empty when there are no groups, and for workers."""
    may_have_secrets: bool


def admit(xds: Xds, node: Node, principal: Principal, kind: Kind = Kind.ENVOY) -> Grant | Refused:
    """What a client is granted, or why it may not come in. Workers need no group."""
    client = _client(xds, node, principal)
    if isinstance(client, Refused):
        return client
    if kind is not Kind.ENVOY:
        if not client.may_be_worker:
            return Refused("this client may not be a worker")
        return Grant("", client.may_have_secrets)
    if not xds.groups:
        return Grant("", client.may_have_secrets)
    group = next((each for each in xds.groups if fits(each, node)), None)
    if group is None:
        return Refused(f"node {shown(node.id)} fits no node group")
    if not is_like(client.groups, group.name):  # what a node says of itself proves nothing
        return Refused(f"this client may not be in the group of node {shown(node.id)}")
    return Grant(group.name, client.may_have_secrets)


def fits(group: NodeGroup, node: Node) -> bool:
    """Whether a node belongs to a group, were it the only one."""
    return _matches(group.match, node)


def shown(text: str) -> str:
    """A name that a stranger chose, short and without control characters."""
    limit = 100
    return ascii(text if len(text) <= limit else f"{text[:limit]}…")


def _client(xds: Xds, node: Node, principal: Principal) -> XdsClient | Refused:
    if not xds.clients or principal.is_private:
        return _ANYBODY
    client = next((each for each in xds.clients if _is_client(each, principal)), None)
    if client is None:
        return Refused("no certificate or token that is known here", is_unknown=True)
    if not is_like(client.node_ids, node.id):
        return Refused(f"this client may not be node {shown(node.id)}")
    return client


def _is_client(client: XdsClient, principal: Principal) -> bool:
    if any(is_name_like(client.sans, san) for san in principal.sans):
        return True
    sent, known = principal.token_digest, client.token_digest
    return sent is not None and known is not None and hmac.compare_digest(sent, known.lower())


def _matches(match: NodeMatch, node: Node) -> bool:
    asked = (
        (match.ids, node.id),
        (match.clusters, node.cluster),
        (match.user_agents, node.user_agent),
    )
    return all(not globs or is_like(globs, text) for globs, text in asked) and all(
        any(is_like((glob,), text) for text in _texts(node.metadata, key))
        for key, glob in match.metadata
    )


def _texts(metadata: Mapping[str, object], dotted: str) -> Iterator[str]:
    """What stands at a dotted key; the names of its parts may have dots too."""
    if dotted in metadata:
        yield from _text(metadata[dotted])
    for place, letter in enumerate(dotted):
        inner = metadata.get(dotted[:place]) if letter == "." else None
        if isinstance(inner, Mapping):
            yield from _texts(inner, dotted[place + 1 :])


def _text(value: object) -> Iterator[str]:
    """A value as it is written in YAML; lists and objects are none."""
    match value:
        case str():
            yield value
        case bool():
            yield "true" if value else "false"
        case int() | float():
            yield f"{value:.15g}"
