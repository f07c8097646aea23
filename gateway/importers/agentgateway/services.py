"""Authorization services of theirs → `external_authz`, for plain routes.

What a service would be shown otherwise than theirs shows it is not taken over: it might then allow
what it would refuse.
"""

from __future__ import annotations

from typing import Literal

from gateway.config.external_authz import AddedHeader, HeaderPattern
from gateway.config.scalars import Size
from gateway.config.urls import Origin
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Draft, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import Rows, settle
from gateway.importers.walk import Node
from gateway.names import CREDENTIAL_HEADERS

LOCK = "extAuthz"
_LOCKED = Terms(locks=(LOCK,))
_NOT_HERE = (
    "what the service is shown, or where it is, cannot be said here in the same way; write"
    " external_authz, and its name on the route"
)
_BEHAVES = (
    "it is asked before keys and rules, within 1s, for each request; headers that it adds for the"
    " backend have to be named in upstream_headers"
)
_REFUSED = "with 503; theirs with 403"
_EVERY_HEADER = ("*", *CREDENTIAL_HEADERS, "cookie", "proxy-authorization")
"""A `*` alone shows no credentials."""
_ALWAYS_SHOWN = frozenset({":authority", ":method", ":path"})
_STATUSES = Literal[401, 403, 500, 502, 503, 504]
_USUAL_BYTES = 8192


def read_service(node: Node, draft: Draft) -> Terms:
    """The service of a policy, or a lock."""
    locks = settle(node, policy_keys.EXT_AUTHZ)
    block = None if locks else _block(node)
    if block is None:
        node.unsupported(_NOT_HERE, is_security=True)
        return _LOCKED
    known = next((name for name, each in draft.services.items() if each == block), None)
    if known is None:
        known = draft.name("service", f"authz-{len(draft.services) + 1}", "authz")
        draft.services[known] = block
    to = f"external_authz.{known}"
    node.different(to, _BEHAVES)
    _say(node, to)
    return Terms(services=(known,))


def _block(node: Node) -> dict[str, object] | None:
    """None: it is not one that ours can write."""
    host = node.take("host").text()
    url = f"http://{host}"
    protocol = _protocol(node.take("protocol"))
    if host is None or "/" in host or not fits(Origin, url) or protocol is None:
        return None
    kind, more = protocol
    headers = _headers(node.take("includeRequestHeaders"), kind)
    failing = _failing(node.take("failureMode"))
    body = _body(node.take("includeRequestBody"), kind)
    if headers is None or failing is None or body is None:
        return None
    return {kind: url, "headers": list(headers), **more, **failing, **body}


def _protocol(node: Node) -> tuple[str, dict[str, object]] | None:
    if node.is_empty:
        return "grpc", {}
    locks = settle(node, policy_keys.EXT_AUTHZ_PROTOCOL)
    grpc, http = node.take("grpc"), node.take("http")
    if locks or grpc.is_written == http.is_written:
        return None
    if grpc.is_written:
        return None if _says(grpc, policy_keys.EXT_AUTHZ_GRPC) else ("grpc", {})
    if _says(http, policy_keys.EXT_AUTHZ_HTTP):
        return None
    added = [text.lower() for text in http.take("includeResponseHeaders").texts()]
    if not all(fits(AddedHeader, each) for each in added):
        return None
    return "http", {"upstream_headers": added} if added else {}


def _says(node: Node, rows: Rows) -> bool:
    """Whether something in it cannot be taken over; an empty block says nothing."""
    if node.value in (None, {}):
        return False
    said = {name for name, field in node.fields() if field.value not in ({}, [])}
    return not said.isdisjoint(settle(node, rows))


def _headers(node: Node, kind: str) -> tuple[str, ...] | None:
    """By HTTP, what theirs shows by itself is not known here."""
    if node.is_empty:
        return _EVERY_HEADER if kind == "grpc" else None
    names = [text.lower() for text in node.texts()]
    shown = tuple(dict.fromkeys(each for each in names if each not in _ALWAYS_SHOWN))
    is_whole = all("*" not in each and fits(HeaderPattern, each) for each in shown)
    return shown if is_whole else None


def _failing(node: Node) -> dict[str, object] | None:
    if node.value in (None, "deny"):
        return {}
    if node.value == "allow":
        return {"on_error": "allow"}
    if not isinstance(node.value, dict) or list(node.value) != ["denyWithStatus"]:
        return None
    status = node.take("denyWithStatus").integer()
    return {"status_on_error": status} if fits(_STATUSES, status) else {}


def _body(node: Node, kind: str) -> dict[str, object] | None:
    """By gRPC, ours shows bytes, where theirs shows text unless it says otherwise."""
    if node.is_empty:
        return {}
    if settle(node, policy_keys.EXT_AUTHZ_BODY) or (
        kind == "grpc" and node.take("packAsBytes").flag() is not True
    ):
        return None
    number = node.take("maxRequestBytes").integer() or _USUAL_BYTES
    partial = node.take("allowPartialMessage").flag() or False
    if not fits(Size, number):
        return None
    return {"body": {"max_bytes": number, **({"partial": partial} if partial else {})}}


def _say(node: Node, to: str) -> None:
    node.take("host").exact(to)
    node.take("protocol").exact(to)
    node.take("includeRequestHeaders").exact(f"{to}.headers")
    node.take("includeRequestBody").exact(to)
    failing = node.take("failureMode")
    if failing.value == "deny":
        failing.different(to, _REFUSED)
    elif isinstance(failing.value, dict) and not fits(_STATUSES, failing.value["denyWithStatus"]):
        failing.different(to, "with 503")
    else:
        failing.exact(to)
