"""LiteLLM's pass-through endpoints → plain routes.

The first that matches counts in both. One that cannot be taken over is kept and refused where a
later one would get its requests.
"""

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
_NOWHERE = "http://127.0.0.1:9"
"""Stands for the backend of a route that nobody gets through."""


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


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One endpoint, before its place is known."""

    item: Node
    refusal: str | None
    """Why it is not served."""
    path: str
    """What it takes; where it cannot be said, what is above."""
    has_subpaths: bool
    """In LiteLLM, all below is its own too."""
    is_opened: bool = False
    """Ours takes all below as well, without a key."""

    def meets(self, other: _Endpoint) -> bool:
        """Whether requests of this one would come to the other in ours."""
        is_wide = other.has_subpaths or other.is_opened
        return (
            self.path == other.path
            or (is_wide and _is_below(self.path, other.path))
            or (self.has_subpaths and _is_below(other.path, self.path))
        )


@dataclass(slots=True)
class Routes:
    """Plain routes, and the rules that refuse some of them."""

    blocks: list[dict[str, object]]
    rules: list[dict[str, object]]


def read_routes(general: Node, door: Door) -> Routes:
    """`pass_through_endpoints`; those that cannot be taken over are answered with the reason."""
    endpoints = general.take("pass_through_endpoints")
    limit = general.take("pass_through_request_timeout")
    seconds = number(limit)
    listed = general.take("allowed_routes")
    allowed = None if listed.is_empty else frozenset(listed.texts())
    found = Routes([], [])
    for each in _placed([_endpoint(item, door, allowed) for item in _blocks(endpoints)]):
        names = {str(route["name"]) for route in found.blocks}
        at = f"routes.{len(found.blocks)}"
        if each.refusal is not None:
            _refuse(each, found, names)
            each.item.unsupported(f"{at} is refused to everybody: {each.refusal}", is_security=True)
            continue
        route = _route(each.item, door, at, names)
        if seconds is not None and seconds > 0:
            route["timeout"] = duration(seconds)
        found.blocks.append(route)
    if seconds is not None:
        limit.exact("routes" if found.blocks else "")
    if endpoints.value == []:
        endpoints.exact()
    return found


def _blocks(endpoints: Node) -> Iterator[Node]:
    return (item for item in endpoints.items() if item.block())


def _endpoint(item: Node, door: Door, allowed: frozenset[str] | None) -> _Endpoint:
    refusal = next(_why_left_out(item, allowed), None)
    path = item.take("path").text() or ""
    has_subpaths = flag(item.take("include_subpath")) or False
    if refusal is None:
        parts = _parts(item.take("target").text() or "")
        is_moved = parts is not None and parts[1] != path
        is_open = door.auth(flag(item.take("auth"))) != "key"
        own = path.rstrip("/") or "/"
        return _Endpoint(item, None, own, has_subpaths, is_moved and is_open and not has_subpaths)
    above = _above(path)
    return _Endpoint(item, refusal, above, has_subpaths or above != path.rstrip("/"))


def _above(path: str) -> str:
    """The path at or above all that an endpoint takes: `{id}` stands for anything."""
    literal, brace, _ = path.partition("{")
    if brace:
        literal = literal[: literal.rfind("/") + 1]
    plain = literal.rstrip("/")
    return plain if plain and is_valid(UrlPath, plain) and not has_variable(plain) else "/"


def _placed(endpoints: list[_Endpoint]) -> list[_Endpoint]:
    """In our order; those that are left out are answered.

    One that is wider here than there, and open, goes behind those that lie below it.
    """
    ordered = list(endpoints)
    for each in endpoints:
        if each.is_opened:
            below = [
                place for place, other in enumerate(ordered) if _is_below(other.path, each.path)
            ]
            start = ordered.index(each)
            ordered.insert(max([start, *below]) + 1, each)
            del ordered[start]
    kept: list[_Endpoint] = []
    for each in reversed(ordered):
        is_served = each.refusal is None
        is_models = f"{each.path}/".startswith(LLM_PREFIX)
        if is_served or (not is_models and any(each.meets(other) for other in _served(kept))):
            kept.append(each)
        else:
            each.item.unsupported(f"the route is left out: {each.refusal}")
    return kept[::-1]


def _served(endpoints: list[_Endpoint]) -> Iterator[_Endpoint]:
    return (each for each in endpoints if each.refusal is None)


def _is_below(path: str, above: str) -> bool:
    return path != above and path.startswith(above.rstrip("/") + "/")


def _refuse(endpoint: _Endpoint, found: Routes, names: set[str]) -> None:
    """Keeps its place, and lets nobody in."""
    name = free_name(f"closed-{endpoint.path.strip('/').replace('/', '-')}", names)
    kind = "prefix" if endpoint.has_subpaths else "exact"
    match: dict[str, object] = {"path": {kind: endpoint.path}}
    methods = [text.upper() for text in endpoint.item.take("methods").texts()]
    if methods and all(is_valid(Method, each) for each in methods):
        match["methods"] = methods
    found.blocks.append({"name": name, "match": match, "backend": _NOWHERE, "auth": "key"})
    found.rules.append({"name": name, "for": {"route": name}, "deny": "true"})


def _why_left_out(item: Node, allowed: frozenset[str] | None) -> Iterator[str]:
    path, target = item.take("path").text(), item.take("target").text()
    headers = item.take("headers")
    if not path or not is_valid(UrlPath, path) or has_variable(path):
        yield "its path is none of ours"
    elif f"{path.rstrip('/')}/".startswith(LLM_PREFIX):
        yield f"its path belongs to the llm api, which has {LLM_PREFIX}"
    elif "{" in path:
        yield "its path has parts that stand for anything; routes have none"
    elif allowed is not None and path not in allowed and flag(item.take("auth")) is not False:
        yield "it is not among general_settings.allowed_routes"
    methods = item.take("methods").texts()
    if any(not is_valid(Method, each.upper()) for each in methods):
        yield "it has a method that is none of HTTP's"
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
    if written:
        match["methods"] = written
    methods.exact(f"{at}.match.methods")


def _headers(item: Node) -> None:
    item.take("headers").different("", "the client's own accept and content-type go on")
    forward = item.take("forward_headers")
    if flag(forward):
        forward.exact()
    else:
        forward.different(
            "", "the client's headers go on in any case, without our credentials", is_security=True
        )
