"""Rules about the control plane: who may connect, and resources that operators wrote."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from gateway import names
from gateway.config.finding import Finding, Path
from gateway.config.schema import Config
from gateway.config.written import Written
from gateway.config.xds import ResourceBlock, XdsBlock
from gateway.model import Xds
from gateway.problem import did_you_mean
from gateway.secret_texts import is_secret, redact

_RESOURCES: Path = ("xds", "resources")
_SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"
_INLINE = frozenset({"inline_string", "inline_bytes"})


def xds_clients_can_prove_themselves(written: Written) -> Iterator[Finding]:
    """Names are unique, tokens are one client's, and certificates are asked for."""
    block = written.config.xds
    has_client_ca = block.tls is not None and block.tls.client_ca is not None
    is_tls_lost = block.tls is None and written.has_xds_tls
    holders: dict[str, str] = {}
    for index, client in enumerate(block.clients):
        path: Path = ("xds", "clients", index)
        if client.name in [other.name for other in block.clients[:index]]:
            yield Finding((*path, "name"), f"the name '{client.name}' is taken")
        if client.san and not has_client_ca and not is_tls_lost:
            message = "no client shows a certificate unless it is asked for one"
            yield Finding((*path, "san"), message, "write xds.tls with a client_ca")
        digest = client.token_digest
        if digest is not None and holders.setdefault(digest, client.name) != client.name:
            yield Finding(path, f"'{client.name}' has the same token as '{holders[digest]}'")


def group_gateways_are_known(written: Written) -> Iterator[Finding]:
    """`gateways: [defualt]`."""
    for name, group in written.config.xds.groups.items():
        for position, gateway in enumerate(group.gateways or ()):
            if gateway not in written.gateways:
                yield Finding(
                    ("xds", "groups", name, "gateways", position),
                    f"no gateway '{gateway}'",
                    did_you_mean(gateway, written.gateways),
                )


def resources_are_unique(written: Written) -> Iterator[Finding]:
    """A name stands once in a type, in what one node is told; ours are ours."""
    block = written.config.xds
    taken = {(each.message_type, each.known_as) for each in block.resources}
    yield from _duplicates(_RESOURCES, block.resources, set())
    for name, group in block.groups.items():
        yield from _duplicates(("xds", "groups", name, "resources"), group.resources, taken)


def _duplicates(
    path: Path, resources: tuple[ResourceBlock, ...], taken: set[tuple[str, str]]
) -> Iterator[Finding]:
    seen = set(taken)
    for index, each in enumerate(resources):
        field = "name" if each.name is not None else "cluster_name"
        at = (*path, index, field)
        name = each.known_as
        if (each.message_type, name) in seen:
            short = each.message_type.rpartition(".")[2]
            yield Finding(at, f"there is a {short} '{name}' already")
        elif name.startswith(names.OWN_RESOURCES):
            yield Finding(at, f"'{name}' is a name of the gateway's own", "choose another")
        seen.add((each.message_type, name))


def plain_tokens(config: Config) -> Iterator[Finding]:
    """Tokens that whoever listens on the way can read."""
    block = config.xds
    if block.tls is None and any(client.token_digest is not None for client in block.clients):
        message = "tokens are sent in the clear, so the control plane should not leave this machine"
        yield Finding(("xds", "clients"), message, "write xds.tls")


def groups_by_their_own_word(config: Config) -> Iterator[Finding]:
    """Clients that may have the secrets of any group, by claiming to be in it."""
    block = config.xds
    if len(block.groups) < 2 or all(group.match.id for group in block.groups.values()):
        return
    for index, client in enumerate(block.clients):
        if client.secrets and "groups" not in client.model_fields_set:
            message = f"'{client.name}' has the secrets of each group that its nodes claim to be in"
            yield Finding(("xds", "clients", index), message, "write groups")


def secrets_for_everybody(config: Config) -> Iterator[Finding]:
    """Keys in resources that clients are told who are told no secrets."""
    block = config.xds
    poor = next((client.name for client in block.clients if not client.secrets), None)
    if poor is None:
        return
    listed: list[tuple[Path, tuple[ResourceBlock, ...]]] = [(_RESOURCES, block.resources)]
    for name, group in block.groups.items():
        listed.append((("xds", "groups", name, "resources"), group.resources))
    for path, resources in listed:
        for index, each in enumerate(resources):
            if each.message_type != _SECRET and _holds_secret(each.model_extra, is_named=False):
                message = f"holds what looks like a secret, and '{poor}', who has none, is told it"
                hint = "write it as a Secret of its own, and name that by its sds_config"
                yield Finding((*path, index), message, hint)


def _holds_secret(value: object, *, is_named: bool) -> bool:
    """`is_named`: something around it has the name of a secret."""
    match value:
        case list():
            return any(_holds_secret(each, is_named=is_named) for each in value)
        case dict():
            is_credential = is_secret(str(value.get("key", ""))) and "value" in value
            return is_credential or any(
                (is_named and key in _INLINE)
                or (is_secret(key) and isinstance(each, str))
                or _holds_secret(each, is_named=is_named or is_secret(key))
                for key, each in value.items()
            )
        case str():
            return redact(value) != value
    return False


def exposure(xds: XdsBlock | Xds, host: str) -> str | None:
    """What to say when the control plane listens on `host`, or nothing: for those who know it.

    `host` is an IP address or a host name.
    """
    if host == "localhost" or _is_loopback(host):
        return None
    if not xds.clients:
        return (
            f"whoever reaches {host} is told everything, the keys of providers too:"
            " write xds.clients, or listen on 127.0.0.1"
        )
    if xds.tls is None:
        return f"secrets cross the network to {host} in the clear: write xds.tls"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
