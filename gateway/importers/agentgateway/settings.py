"""`config` and `frontendPolicies` of theirs, and what is not served at all: `mcp` and `ui`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from ipaddress import ip_address
from types import MappingProxyType

from gateway.config.scalars import Dollars, HostPort, Size, Text, TokenCount
from gateway.importers.agentgateway import policy_keys, settings_keys
from gateway.importers.agentgateway.draft import Draft, Entry, Terms
from gateway.importers.agentgateway.entrypoints import Gate
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import by_name, settle
from gateway.importers.agentgateway.matches import Match
from gateway.importers.agentgateway.terms import read_rules
from gateway.importers.walk import Node

MCP_PATHS = (
    "/mcp",
    "/sse",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server",
)
UI_PATHS = ("/ui", "/api")

_ADMIN = "another API than theirs; see docs/operations.md"
_ADMIN_ALONE = (
    "on 127.0.0.1 alone, since ours has no users: who reaches it can roll the configuration back."
    " Write another address only where operators alone reach it"
)
_HOST_AND_PORT = re.compile(r"(.*):(\d+|\$\{[^{}]*\})")
_RATES = {
    "input": "input",
    "output": "output",
    "cacheRead": "cached_input",
    "cacheWrite": "cache_write",
    "reasoning": "reasoning",
    "inputAudio": "audio_input",
    "outputAudio": "audio_output",
}
_NO_MCP = f"{policy_keys.MCP}; keep the file for a version that does"
_NO_UI = "the operator's endpoint is admin.address; it has no login, so keep it to operators"
NOT_SERVED: Mapping[tuple[str, ...], str] = MappingProxyType({("mcp",): _NO_MCP, ("ui",): _NO_UI})
"""What is said of a section that is not served, by why its paths are closed."""
KEPT: Mapping[tuple[str, ...], str] = MappingProxyType(
    {("mcp",): "MCP is not served in this version", ("ui",): "their UI is not served"}
)
"""What is said of a path of such a section, when another route would take it."""
_LOCAL_KEYS = frozenset({"apiKey", "authorization", "basicAuth", "extAuthz", "oidc"})


def read_config(node: Node, draft: Draft) -> None:
    """Settings that are read when the process starts."""
    settle(node, settings_keys.CONFIG, unknown_is_lock=False)
    address = node.take("adminAddr")
    text = address.text()
    parts = _HOST_AND_PORT.fullmatch(text or "")
    if text is not None and parts is not None and fits(HostPort, text):
        _read_admin(address, parts[1], parts[2], draft)
    else:
        address.unsupported("the address of admin is a host and a port")
    for source in node.take("modelCatalog").items():
        settle(source, settings_keys.CATALOG_SOURCE, unknown_is_lock=False)
        catalog = source.take("inline")
        if isinstance(catalog.value, str):
            catalog.unsupported("write its prices as a block, or under llm.prices")
        elif catalog.block():
            settle(catalog, settings_keys.CATALOG, unknown_is_lock=False)
            _prices(catalog.take("providers"), draft)


def _read_admin(node: Node, host: str, port: str, draft: Draft) -> None:
    is_alone = _is_this_machine(host)
    draft.admin["address"] = f"{host if is_alone else '127.0.0.1'}:{port}"
    note = _ADMIN if is_alone else f"{_ADMIN}; {_ADMIN_ALONE}"
    node.different("admin.address", note, is_security=not is_alone)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _prices(node: Node, draft: Draft) -> None:
    for provider, block in node.fields():
        settle(block, settings_keys.CATALOG_PROVIDER, unknown_is_lock=False)
        for model, entry in block.take("models").fields():
            settle(entry, settings_keys.CATALOG_MODEL, unknown_is_lock=False)
            rates = entry.take("rates")
            settle(rates, settings_keys.RATES, unknown_is_lock=False)
            name = f"{provider}/{model}"
            found = {ours: _money(rates.take(theirs)) for theirs, ours in _RATES.items()}
            known: dict[str, object] = {
                key: value for key, value in found.items() if value is not None
            }
            if (
                "input" not in known
                or "output" not in known
                or not fits(Text, name)
                or "${" in name
            ):
                rates.unsupported("a price needs input and output, in USD for a million tokens")
                continue
            if tiers := _tiers(entry.take("tiers"), name):
                known["tiers"] = tiers
            draft.price(name, known)
            for theirs, ours in _RATES.items():
                rates.take(theirs).exact(f"llm.prices.{name}.{ours}")


def _tiers(node: Node, name: str) -> list[dict[str, object]]:
    """Rates of large inputs."""
    found: dict[int, dict[str, object]] = {}
    for item in node.items():
        settle(item, settings_keys.CATALOG_TIER, unknown_is_lock=False)
        rates = item.take("rates")
        settle(rates, settings_keys.RATES, unknown_is_lock=False)
        above = item.take("contextOver").integer()
        money = {ours: _money(rates.take(theirs)) for theirs, ours in _RATES.items()}
        known = {key: value for key, value in money.items() if value is not None}
        if not isinstance(above, int) or not fits(TokenCount, above) or above in found:
            item.unsupported("a tier needs a number of tokens of its own")
            continue
        found[above] = {"above": above, **known}
        item.exact(f"llm.prices.{name}.tiers")
    return [found[above] for above in sorted(found)]


def _money(node: Node) -> Decimal | str | None:
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    return value if isinstance(value, str | Decimal) and fits(Dollars, value) else None


def read_frontend(node: Node, draft: Draft) -> None:
    """Policies for all that comes in."""
    locks = settle(node, settings_keys.FRONTEND)
    http, connect, tls = (node.take(name) for name in ("http", "connect", "tls"))
    settle(http, settings_keys.FRONTEND_HTTP, unknown_is_lock=False)
    size = http.take("maxBufferSize")
    number = size.integer()
    if number is not None and fits(Size, number):
        draft.max_request_bytes = number
        size.different("gateways.max_request_bytes", "for requests; answers have no limit")
    else:
        size.unsupported("a size is at least 1 byte and less than 4GiB")
    settle(connect, settings_keys.CONNECT, unknown_is_lock=False)
    if connect.take("mode").text() == "deny":
        connect.take("mode").exact(note="CONNECT is not served")
    else:
        connect.take("mode").unsupported("CONNECT is not served")
    tls_locks = settle(tls, settings_keys.FRONTEND_TLS)
    oldest = tls.take("minVersion")
    if oldest.text() == "TLS_V1_3":
        oldest.unsupported("1.2 is accepted too", is_security=True)
        tls_locks = (*tls_locks, "minVersion")
    else:
        oldest.different("gateways.tls", "the oldest version is 1.2")
    draft.why_no_tls = ", ".join(tls_locks)
    for name in ("proxy", "proxyProtocol"):
        if not node.take(name).is_empty:
            node.take(name).unsupported(
                "the PROXY protocol is not read: clients have the address of the load balancer"
            )
            draft.unusable |= {"source.address"}
    draft.everywhere += Terms(locks)
    if node.has("networkAuthorization"):
        draft.everywhere += read_rules(node.take("networkAuthorization"), draft, is_llm=False)


def refuse_mcp(node: Node, gates: tuple[Gate, ...], draft: Draft) -> None:
    """The `mcp` section is not served; what is behind its paths must not be either."""
    _refuse(node, _NO_MCP)
    draft.entries += _closed(node, gates, MCP_PATHS, draft)


def refuse_ui(node: Node, gates: tuple[Gate, ...], draft: Draft) -> None:
    """Their UI is not served."""
    _refuse(node, _NO_UI)
    draft.entries += _closed(node, gates, UI_PATHS, draft)


def _refuse(node: Node, note: str) -> None:
    policies = node.take("policies")
    rows = by_name(policy_keys.ROUTE_POLICY)
    for name, field in policies.fields():
        row = rows.get(name)
        is_lock = row is None or row.is_lock or name in _LOCAL_KEYS
        own = row.note if row is not None and row.note is not None else note
        field.unsupported(own, is_security=is_lock)
    node.unsupported(note)


def _closed(
    node: Node, gates: tuple[Gate, ...], paths: tuple[str, ...], draft: Draft
) -> Iterator[Entry]:
    gateways = tuple(dict.fromkeys(gate.gateway for gate in gates if not gate.why_not))
    if not gateways:
        return
    for path in paths:
        yield Entry(
            name=draft.name("route", path.strip("/").replace("/", "-"), "closed"),
            node=node,
            gateways=gateways,
            hostnames=(),
            match=Match(path, precision=(2, len(path), 0, 0, 0)),
            listener=(),
            block={"backend": "http://127.0.0.1:9"},
            terms=Terms(),
            reasons=(str(node.path[-1]),),
        )
