"""Binds, gateways and listeners of theirs → our gateways: one for each port."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config.routes import Hostname
from gateway.config.scalars import Port
from gateway.importers.agentgateway import policy_keys, traffic_keys
from gateway.importers.agentgateway.draft import OPEN, Draft, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.agentgateway.policy_keys import RELATIVE
from gateway.importers.agentgateway.terms import read_terms
from gateway.importers.walk import Node

LLM_PORT, MCP_PORT = 4000, 3000
"""Where theirs serves them when nothing is said."""

_IPV4 = "on IPv4; theirs listens on IPv6 too"
_NOT_SERVED = "it is not opened: "
_HOSTS = "its routes ask for the host; what none takes is 403 where other listeners would take it"
_PROTOCOLS = frozenset({"HTTP", "HTTPS"})


@dataclass(frozen=True, slots=True)
class Gate:
    """One listener of theirs: where in ours, for which hosts, on what terms."""

    gateway: str
    listener: str
    hostnames: tuple[str, ...] = ()
    terms: Terms = OPEN
    why_not: str = ""
    """Why it is not opened."""
    node: Node | None = None
    is_host_unknown: bool = False
    """It has a hostname that ours cannot ask for."""


def read_binds(node: Node, draft: Draft) -> list[Gate]:
    """The listeners of all binds, in their order, each with its node."""
    gates: list[Gate] = []
    binds = list(node.items())
    for bind in binds:
        locks = settle(bind, traffic_keys.BIND)
        why_not = "an unknown key of its bind may close it" if locks else _tunnel(bind)
        port = bind.take("port")
        name = "default" if len(binds) == 1 else f"port-{_slug(port)}"
        gateway, refusal = open_gateway(port, name, draft)
        why_not = why_not or refusal
        gates += [
            _bound(listener, gateway, why_not, draft) for listener in bind.take("listeners").items()
        ]
    return gates


def read_gateways(node: Node, draft: Draft) -> dict[str, list[Gate]]:
    """The listeners of each gateway, by the gateway's name."""
    found: dict[str, list[Gate]] = {}
    for name, block in node.fields():
        terms = read_terms(block, traffic_keys.GATEWAY, draft, is_llm=False)
        gateway, refusal = open_gateway(block.take("port"), name, draft)
        listeners = [
            _named(listener, gateway, refusal, terms, draft)
            for listener in block.take("listeners").items()
        ]
        if not listeners:
            why_not = _why_not(block, gateway, draft, refusal)
            listeners = [Gate(gateway, "", (), terms, why_not, block)]
        else:
            for key in ("protocol", "tls"):
                block.take(key).unsupported("its listeners say it, each for itself")
        found[name] = listeners
    return found


def open_gateway(port: Node, wanted: str, draft: Draft) -> tuple[str, str]:
    """The gateway of a port, and why it cannot be opened."""
    number = port.integer()
    if number is None:
        return draft.name("gateway", wanted, "gateway"), f"{_NOT_SERVED}it has no port of its own"
    if not fits(Port, number):
        port.problem("must be from 1 to 65535")
        return draft.name("gateway", wanted, "gateway"), f"{_NOT_SERVED}no such port"
    name = gateway_at(number, wanted, draft)
    port.different(f"gateways.{name}.port", _IPV4)
    return name, ""


def gateway_at(number: int | str, wanted: str, draft: Draft) -> str:
    """The gateway with a port."""
    for name, block in draft.gateways.items():
        if block["port"] == number:
            return name
    name = draft.name("gateway", wanted, "gateway")
    draft.gateways[name] = {"port": number}
    return name


def _slug(port: Node) -> str:
    return str(port.value) if isinstance(port.value, int) else str(port.path[-2])


def _tunnel(bind: Node) -> str:
    """Why a bind as a whole is not opened."""
    tunnel, mode = bind.take("tunnelProtocol"), bind.take("mode")
    why_not = ""
    if tunnel.text() in (None, "direct"):
        tunnel.exact()
    else:
        why_not = f"{_NOT_SERVED}tunnels ({tunnel.value}) are not served"
        tunnel.unsupported(why_not, is_security=True)
    if mode.text() in (None, "standard"):
        mode.exact()
    else:
        mode.unsupported(f"{_NOT_SERVED}it is reached through a tunnel alone", is_security=True)
        why_not = why_not or f"{_NOT_SERVED}it is reached through a tunnel alone"
    return why_not


def _bound(listener: Node, gateway: str, why_not: str, draft: Draft) -> Gate:
    locks = settle(listener, traffic_keys.LISTENER)
    policies = listener.take("policies")
    terms = Terms(locks)
    if policies.block():
        terms += read_terms(policies, policy_keys.GATEWAY_POLICY, draft, is_llm=False)
    name = _label(listener)
    hostnames, refusal = _hostnames(listener.take("hostname"))
    why_not = _why_not(listener, gateway, draft, why_not or refusal)
    return Gate(gateway, name, hostnames, terms, why_not, listener, bool(refusal))


def _named(listener: Node, gateway: str, refusal: str, outer: Terms, draft: Draft) -> Gate:
    terms = outer + read_terms(listener, traffic_keys.GATEWAY_LISTENER, draft, is_llm=False)
    name = _label(listener)
    hostnames, unknown = _hostnames(listener.take("hostname"))
    why_not = _why_not(listener, gateway, draft, refusal or unknown)
    return Gate(gateway, name, hostnames, terms, why_not, listener, bool(unknown))


def _label(listener: Node) -> str:
    name = listener.take("name")
    name.exact(note="listeners of one port are one gateway; routes say which hosts")
    return name.text() or ""


def _hostnames(node: Node) -> tuple[tuple[str, ...], str]:
    text = node.text()
    if text in (None, "", "*"):
        node.exact()
        return (), ""
    assert text is not None
    if fits(Hostname, text):
        node.different("routes", _HOSTS)
        return (text.lower(),), ""
    node.unsupported("no hostname that ours can ask for", is_security=True)
    return (), f"{_NOT_SERVED}its hostname cannot be asked for"


def _why_not(listener: Node, gateway: str, draft: Draft, refusal: str) -> str:
    """Why a listener is not opened, from its protocol and TLS, if not for another reason."""
    protocol, node = listener.take("protocol"), listener.take("tls")
    text = protocol.text()
    if refusal:
        protocol.unsupported(refusal)
        node.unsupported(refusal)
        return refusal
    if text is not None and text not in _PROTOCOLS:
        why_not = f"{_NOT_SERVED}{text} is not served, only HTTP"
        protocol.unsupported(why_not, is_security=True)
        node.unsupported(why_not)
        return why_not
    tls = read_tls(node, gateway, draft)
    if isinstance(tls, str) or (text == "HTTPS" and tls is None):
        why_not = tls if isinstance(tls, str) else f"{_NOT_SERVED}its TLS is not said"
        protocol.unsupported(why_not, is_security=True)
        return why_not
    protocol.exact(f"gateways.{gateway}")
    return "" if gateway not in draft.gateways else take_tls(node, gateway, tls, draft)


def read_tls(node: Node, gateway: str, draft: Draft) -> dict[str, object] | str | None:
    """The TLS of a listener; None when it has none, a reason when ours cannot have it."""
    if node.is_empty:
        return None
    locks = list(settle(node, traffic_keys.TLS))
    cert, key, root, mode = (node.take(name) for name in ("cert", "key", "root", "mode"))
    files = {"cert": cert.text(), "key": key.text(), "client_ca": root.text()}
    for name in ("minTLSVersion", "minTlsVersion"):
        version = node.take(name)
        if version.text() == "TLS_V1_3":
            version.unsupported("1.2 is accepted too", is_security=True)
            locks.append(name)
        else:
            version.different(f"gateways.{gateway}.tls", "the oldest version is 1.2")
    if mode.text() not in (None, "static"):
        mode.unsupported("no certificates are made for each name", is_security=True)
        locks.append("mode")
    mode.exact()
    locks += ["tls"] if draft.why_no_tls else []
    if locks or not files["cert"] or not files["key"]:
        for place in (cert, key, root):
            place.unsupported("its listener is not opened", is_security=place is root)
        return f"{_NOT_SERVED}its TLS cannot be taken over"
    for place, name in ((cert, "cert"), (key, "key"), (root, "client_ca")):
        place.different(f"gateways.{gateway}.tls.{name}", RELATIVE)
    return {name: text for name, text in files.items() if text}


def take_tls(node: Node, gateway: str, tls: dict[str, object] | None, draft: Draft) -> str:
    """Gives a gateway its TLS; why not, when another listener of its port has another."""
    if gateway in draft.tls_known and draft.gateways[gateway].get("tls") != tls:
        why_not = f"{_NOT_SERVED}another listener of its port has other certificates, or none"
        node.unsupported(why_not, is_security=True)
        draft.gone.add(node.path)
        return why_not
    draft.tls_known.add(gateway)
    if tls is not None:
        draft.gateways[gateway]["tls"] = tls
    return ""
