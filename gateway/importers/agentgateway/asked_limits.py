"""Rate limit services of theirs → `limit_services`, and limits that name one, of plain routes."""

from __future__ import annotations

from gateway.config.limits import DescriptorKey, DescriptorValue
from gateway.config.scalars import Text
from gateway.config.urls import Origin
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.cel import Untranslated, translate_value
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node
from gateway.limits import MOST_HEADERS, Key, asked_with

_ADDRESS = "remote_address"
_BEHAVES = (
    "asked after keys and rules, within 100ms; a request without the header is asked about with"
    " (none), and refused with 503 where there is no answer, where theirs says 500"
)
_OPEN = frozenset({"failOpen", "FailOpen"})
_CLOSED = frozenset({None, "failClosed", "FailClosed"})
_ENTRY = (
    "an entry is a text, request.method, request.host, request.path, a header, or source.address"
    " as remote_address; write the limit yourself"
)
_OF_MODELS = "tokens of models are counted here, and no service is asked about them"


def read_asked_limit(node: Node, draft: Draft) -> tuple[dict[str, object], ...]:
    """The limits of a policy, but for their names and routes; nothing: it is not taken over."""
    if node.is_empty:
        return ()
    node.forget()  # what is said of it elsewhere
    settle(node, policy_keys.ASKED_LIMIT, unknown_is_lock=False)
    if _has(node, "service", "backend", "policies", "conditional"):
        return _left_out(node, policy_keys.ASKED_LIMITS)
    domain, host = node.take("domain").text(), node.take("host").text()
    mode = node.take("failureMode")
    url = f"http://{host}"
    is_place = host is not None and "/" not in host and fits(Origin, url) and fits(Text, domain)
    if not is_place or mode.value not in _OPEN | _CLOSED:
        return _left_out(node, policy_keys.ASKED_LIMITS)
    found = [_descriptor(each, draft) for each in node.take("descriptors").items()]
    descriptors = [each for each in found if each is not None]
    if not descriptors:
        return _left_out(node, policy_keys.ASKED_LIMITS)
    block: dict[str, object] = {"url": url, "domain": domain}
    if mode.value in _OPEN:
        block["on_error"] = "allow"
    known = next((name for name, each in draft.limit_services.items() if each == block), None)
    if known is None:
        known = draft.name("limit service", f"limits-{len(draft.limit_services) + 1}", "limits")
        draft.limit_services[known] = block
    to = f"limit_services.{known}"
    node.different(to, _BEHAVES)
    for name in ("domain", "host", "failureMode"):
        node.take(name).exact(to)
    return tuple({"service": known, "descriptor": each} for each in descriptors)


def _descriptor(node: Node, draft: Draft) -> dict[str, str] | None:
    """None: Envoy cannot ask so, and it has been answered."""
    settle(node, policy_keys.ASKED_DESCRIPTOR, unknown_is_lock=False)
    if _has(node, "cost", "limitOverride"):
        node.unsupported(policy_keys.ASKED_LIMITS, is_security=True)
        return None
    if node.take("type").text() not in (None, "requests"):
        node.unsupported(_OF_MODELS, is_security=True)
        return None
    found: dict[str, str] = {}
    headers = 0
    for entry in node.take("entries").items():
        settle(entry, policy_keys.ASKED_ENTRY, unknown_is_lock=False)
        key, value = entry.take("key").text(), entry.take("value").text()
        said = translate_value(value or "", unusable=draft.unusable)
        asked = None if isinstance(said, Untranslated) else asked_with(said)
        if isinstance(said, Untranslated) or not _is_entry(key, said) or key in found:
            node.unsupported(_ENTRY, is_security=True)
            return None
        headers += isinstance(asked, str) and asked[0] != ":"
        found[str(key)] = said
    if not found or headers > MOST_HEADERS:
        node.unsupported(_ENTRY, is_security=True)
        return None
    node.exact("limits.descriptor")
    return found


def _is_entry(key: str | None, value: str) -> bool:
    if not fits(DescriptorKey, key) or not fits(DescriptorValue, value):
        return False
    return (asked_with(value) is Key.SOURCE) == (key == _ADDRESS)


def _has(node: Node, *names: str) -> bool:
    return any(not node.take(name).is_empty for name in names)


def _left_out(node: Node, why: str) -> tuple[dict[str, object], ...]:
    node.unsupported(why, is_security=True)
    return ()
