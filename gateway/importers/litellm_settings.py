"""LiteLLM's settings of the server → gateway, identity, rules and budgets, failing closed.

Whatever let only some callers in, and has no counterpart here, becomes `identity.required`: then
nobody comes in without a key, and with no key at all, nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address

from gateway.config.scalars import Secret
from gateway.imported import Mapped, Outcome
from gateway.importers import opened
from gateway.importers.litellm_general_keys import GENERAL
from gateway.importers.litellm_guards import refusal
from gateway.importers.litellm_keys import answer, is_off
from gateway.importers.litellm_values import (
    FROM_ENVIRONMENT,
    duration,
    fits_duration,
    is_strange_variable,
    is_valid,
    number,
    period,
    variable,
)
from gateway.importers.walk import Node

PORT = 4000
"""LiteLLM's own: clients find the gateway where it was."""
_MASTER_KEY = "LITELLM_MASTER_KEY"
_OTHER_IDENTITY = GENERAL.find("custom_auth")
"""The row of all that lets callers in otherwise than by keys."""
_MEBIBYTES = 4095
_LARGEST_BUDGET = Decimal(9_000_000_000)
_SMALLEST_BUDGET = Decimal("1e-9")


@dataclass(slots=True)
class Server:
    """What comes of the settings."""

    address: str | None = None
    max_request_bytes: str | None = None
    keys: list[dict[str, object]] = field(default_factory=list, repr=False)
    is_required: bool = False
    rules: list[dict[str, object]] = field(default_factory=list)
    budgets: list[dict[str, object]] = field(default_factory=list)
    paths: dict[str, object] = field(default_factory=dict)
    """`llm.paths`: APIs that are not served."""

    def gateway(self) -> dict[str, object]:
        """The one gateway."""
        found: dict[str, object] = {"port": PORT}
        if self.address is not None:
            found["address"] = self.address
        if self.max_request_bytes is not None:
            found["max_request_bytes"] = self.max_request_bytes
        return found

    def identity(self) -> dict[str, object]:
        """Who may come in."""
        found: dict[str, object] = {"required": True} if self.is_required else {}
        if self.keys:
            found["api_keys"] = {"keys": self.keys}
        return found


def read_general(general: Node, server: Server, environment: Mapping[str, str]) -> None:
    """`general_settings`, but for pass-through endpoints."""
    _read_master_key(general.take("master_key"), server, environment)
    for key in _keys(general):
        row = GENERAL.find(key)
        is_identity = row is _OTHER_IDENTITY or (row is None and "auth" in key)
        node = general.take(key)
        if is_identity and not is_off(node.value):
            server.is_required = True
        if row is not None and row is _OTHER_IDENTITY:
            answer(node, row)
    _read_allowed_routes(general.take("allowed_routes"), server)
    _read_allowed_ips(general.take("allowed_ips"), server)
    _read_request_size(general.take("max_request_size_mb"), server)


def listen_on_this_machine(general: Node, server: Server) -> tuple[Mapped, ...]:
    """Without any key LiteLLM lets everybody in, unless its environment has a master key."""
    if server.keys or server.is_required:
        return ()
    server.address = "127.0.0.1"
    note = (
        f"there is none in the file: if {_MASTER_KEY} is set where LiteLLM runs, write"
        " identity.api_keys; until then the gateway listens on 127.0.0.1 alone and asks for no key"
    )
    path, to = "general_settings.master_key", "gateways.default.address"
    return (Mapped(path, general.line, Outcome.DIFFERENT, to, note, is_security=True),)


def _keys(node: Node) -> list[str]:
    return list(node.value) if isinstance(node.value, dict) else []


def _read_master_key(node: Node, server: Server, environment: Mapping[str, str]) -> None:
    key = node.text()
    if not key:
        node.exact()
        if _MASTER_KEY not in environment:
            return
        key = variable(_MASTER_KEY, environment)
    if is_strange_variable(key) or not is_valid(Secret, key):
        server.is_required = True
        node.unsupported(
            "a key must be printable ascii without spaces; until then nobody comes in",
            is_security=True,
        )
        return
    server.keys.append({"name": "master", "key": key})
    node.different(
        "identity.api_keys.keys.0.key",
        "a key for clients named 'master'; it opens no admin interface here, so keep admin.address"
        " where only operators reach it",
    )


def _read_allowed_routes(node: Node, server: Server) -> None:
    """LiteLLM compares the path of a request with each text of the list, and with nothing else."""
    if node.is_empty:
        node.exact()
        return
    routes = node.texts()
    known = {text: path for text in routes if (path := opened.known_path(text))}
    server.paths = opened.paths(opened.at(known.values())) if known else {}
    if not known:
        server.rules.append(refusal("allowed-routes"))
        note = "no path of the llm api is in the list, so a rule refuses them all"
    else:
        listed = json.dumps(list(dict.fromkeys(known.values())), ensure_ascii=False)
        expression = f"request.path in {listed}"
        server.rules.append({"name": "allowed-routes", "for": {"llm": "*"}, "require": expression})
        note = "a rule asks for the paths of the list, all of them under /v1 where one is not"
    others = [text for text in routes if text not in known]
    is_pattern = any("*" in text or not text.startswith("/") for text in others)
    if is_pattern:
        note += "; names of groups and '*' open nothing there either"
    node.different("authorize", note, is_security=True)


def _read_allowed_ips(node: Node, server: Server) -> None:
    addresses = node.texts()
    if node.is_empty:
        node.exact()
        return
    known = [address for address in addresses if _is_address(address)]
    expression = f"source.address in {json.dumps(known)}"
    server.rules.append({"name": "allowed-ips", "require": expression})
    left_out = (
        "" if len(known) == len(addresses) else "; ranges and names are left out, and refused"
    )
    node.different(
        "authorize",
        f"a rule that asks for the address of the connection, whatever headers say{left_out}",
        is_security=True,
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _read_request_size(node: Node, server: Server) -> None:
    size = number(node)
    if size is None:
        return
    whole = min(max(int(size), 1), _MEBIBYTES)
    server.max_request_bytes = f"{whole}MiB"
    to = "gateways.default.max_request_bytes"
    if whole == size:
        node.exact(to)
    else:
        node.different(to, f"{whole}MiB: whole mebibytes, 1 to {_MEBIBYTES}")


def read_budget(litellm: Node, server: Server) -> None:
    """`max_budget` and `budget_duration` of `litellm_settings`."""
    limit, length = litellm.take("max_budget"), litellm.take("budget_duration")
    amount = number(limit)
    written = length.text()
    if amount is None or amount <= 0:
        if amount is None and not limit.is_empty:
            limit.unsupported(FROM_ENVIRONMENT, is_security=True)
        else:
            limit.exact("", "no budget")
        length.exact("", "there is no budget that it could be for")
        return
    per = period(written) if written else "total"
    usd = max(min(amount, _LARGEST_BUDGET), _SMALLEST_BUDGET).quantize(_SMALLEST_BUDGET)
    server.budgets.append(
        {"name": "everybody", "limit": f"{usd.normalize():f} USD", "per": per or "total"}
    )
    limit.different(
        "budgets.0.limit",
        "reserved before a call and settled after; a model without a price is refused",
    )
    if per is None:
        length.different("budgets.0.per", "not understood: the budget never starts anew")
    elif per == "total":
        length.exact("budgets.0.per")
    else:
        length.different("budgets.0.per", f"calendar time in UTC: it starts anew each {per}")


def read_silence(router: Node, litellm: Node) -> str | None:
    """How long to wait for a provider where a deployment says nothing; the router's counts."""
    found: str | None = None
    for node in (router.take("timeout"), litellm.take("request_timeout")):
        seconds = number(node)
        if seconds is None:
            continue
        if seconds <= 0:
            node.exact("", "no limit")
        elif found is not None:
            node.unsupported("router_settings.timeout counts")
        else:
            found = duration(seconds)
            cut = "" if fits_duration(seconds) else "; cut to what a duration can be"
            node.different(
                "llm.providers",
                "how long each provider may be silent, not how long the whole call may take" + cut,
            )
    return found


def read_first_byte(router: Node) -> str | None:
    """How long a stream may take to begin where a deployment says nothing."""
    node = router.take("stream_timeout")
    seconds = number(node)
    if seconds is None:
        return None
    if seconds <= 0:
        node.exact("", "no limit")
        return None
    cut = "" if fits_duration(seconds) else "; cut to what a duration can be"
    node.different("llm.providers", "how long a streamed answer may take to begin" + cut)
    return duration(seconds)
