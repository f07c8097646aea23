"""LiteLLM's pass-through endpoints → plain routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.config.routes import Method, UrlPath
from gateway.config.urls import Origin
from gateway.importers.litellm_general_keys import PASS_THROUGH
from gateway.importers.litellm_keys import answer_rest
from gateway.importers.litellm_values import duration, flag, free_name, is_valid, number
from gateway.importers.walk import Node, has_variable
from gateway.names import LLM_PREFIX

_CLIENTS_OWN = frozenset({"accept", "content-type", "user-agent"})
_HEADERS_GO_ON = (
    "the client's headers go on, without credentials that the gateway knows: set forward_headers"
    " aside"
)


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come through a route."""

    has_keys: bool
    has_rules: bool

    def auth(self, written: bool | None) -> str | None:
        """`auth` of a route; where LiteLLM is not told, a key is asked for if there are keys."""
        if self.has_rules or (self.has_keys and written is not False):
            return "key"
        return "none" if self.has_keys else None


def read_routes(general: Node, door: Door) -> list[dict[str, object]]:
    """`pass_through_endpoints`; those that cannot be taken over are answered with the reason."""
    endpoints = general.take("pass_through_endpoints")
    limit = general.take("pass_through_request_timeout")
    seconds = number(limit)
    found: list[dict[str, object]] = []
    for item in endpoints.items():
        if not item.block():
            continue
        refusal = next(_why_left_out(item), None)
        if refusal is not None:
            item.unsupported(f"the route is left out: {refusal}")
            continue
        names = {str(route["name"]) for route in found}
        route = _route(item, door, f"routes.{len(found)}", names)
        if seconds is not None and seconds > 0:
            route["timeout"] = duration(seconds)
        found.append(route)
    if seconds is not None:
        limit.exact("routes" if found else "")
    if endpoints.value == []:
        endpoints.exact()
    return found


def _why_left_out(item: Node) -> Iterator[str]:
    path, target = item.take("path").text(), item.take("target").text()
    headers = item.take("headers")
    if not path or not is_valid(UrlPath, path) or has_variable(path):
        yield "its path is none of ours"
    elif f"{path.rstrip('/')}/".startswith(LLM_PREFIX):
        yield f"its path belongs to the llm api, which has {LLM_PREFIX}"
    if not target or has_variable(target):
        yield "its target is no url"
    elif _parts(target) is None:
        yield "its target is no url without query and credentials"
    if isinstance(headers.value, dict):
        if any(str(name).lower() not in _CLIENTS_OWN for name in headers.value):
            yield "routes add no headers, so the target would not know who asks"
    elif not headers.is_empty:
        headers.block()
    for key in ("default_query_params", "guardrails"):
        if item.has(key) and item.take(key).value:
            yield f"routes have no {key}"


def _parts(target: str) -> tuple[str, str] | None:
    """Origin and path of a URL."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
    if parts.query or parts.fragment or not is_valid(Origin, origin) or not is_valid(UrlPath, path):
        return None
    return origin, path


def _route(item: Node, door: Door, at: str, names: set[str]) -> dict[str, object]:
    path, target = item.take("path"), item.take("target")
    own = path.text() or "/"
    parts = _parts(target.text() or "")
    assert parts is not None, "left out before"
    origin, there = parts
    has_subpaths = flag(item.take("include_subpath")) or False
    item.take("include_subpath").exact(f"{at}.match.path")
    match: dict[str, object] = {"path": {"exact": own}}
    route: dict[str, object] = {"name": free_name(own.strip("/").replace("/", "-"), names)}
    route["match"] = match
    route["backend"] = origin
    is_opened = False
    if has_subpaths or there != own:
        is_opened = not has_subpaths
        prefix = own.rstrip("/") or "/"
        match["path"] = {"prefix": prefix}
        if there.rstrip("/") != own.rstrip("/"):
            route["replace_prefix"] = there
    if is_opened:
        path.different(
            f"{at}.match.path",
            "paths below it are taken as well, since another path is put in its place",
            is_security=True,
        )
    else:
        path.exact(f"{at}.match.path")
    target.different(f"{at}.backend", "the client's headers go on to it, without our credentials")
    _methods(item, match, at)
    written = flag(item.take("auth"))
    auth = door.auth(written)
    if auth is not None:
        route["auth"] = auth
    item.take("auth").exact(f"{at}.auth")
    _headers(item)
    answer_rest(item, PASS_THROUGH)
    return route


def _methods(item: Node, match: dict[str, object], at: str) -> None:
    methods = item.take("methods")
    written = [text.upper() for text in methods.texts()]
    known = [text for text in written if is_valid(Method, text)]
    if known:
        match["methods"] = known
    if len(known) == len(written):
        methods.exact(f"{at}.match.methods")
    elif known:
        methods.different(f"{at}.match.methods", "methods that are none of HTTP's are left out")
    else:
        methods.problem("must be HTTP methods")


def _headers(item: Node) -> None:
    item.take("headers").different("", "the client's own accept and content-type go on")
    forward = item.take("forward_headers")
    if flag(forward):
        forward.exact()
    else:
        forward.different(
            "", "the client's headers go on in any case, without our credentials", is_security=True
        )
