"""Where a route of theirs leads → the URL of a backend, or a model provider, or more routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.config.scalars import Weight
from gateway.config.urls import Origin
from gateway.importers.agentgateway import policy_keys, traffic_keys
from gateway.importers.agentgateway.draft import OPEN, Draft, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import by_name, settle
from gateway.importers.agentgateway.terms import read_terms
from gateway.importers.walk import Node

_BY_NAME = "by the service's name; its workloads are not looked up"
_NO_CREDENTIAL = (
    "no credential is sent to plain backends: they get the client's own Authorization, or none"
)
_NO_ROOT = "plain backends are verified by the system's authorities; providers may have a ca"
_KINDS = ("routeGroup", "backend", "ai", "service", "host")
"""The first that is written counts."""
_WEIGHTS = "routes.backends.weight"


@dataclass(frozen=True, slots=True)
class References:
    """What routes refer to by name."""

    backends: Mapping[str, Node] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    """Hostnames, by `namespace/hostname`."""
    groups: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plain:
    """An upstream."""

    url: str
    weight: int | str
    terms: Terms = OPEN
    reasons: tuple[str, ...] = ()
    """Why it cannot be reached as theirs is."""


@dataclass(frozen=True, slots=True)
class Ai:
    """A model provider, or groups of them."""

    node: Node
    policies: tuple[Node, ...]
    """Of the backend, wherever they are written."""


@dataclass(frozen=True, slots=True)
class Group:
    """More routes."""

    name: str


Backend: TypeAlias = Plain | Ai | Group


def read_backends(
    node: Node, draft: Draft, references: References, *, is_tls: bool
) -> list[Backend]:
    """All backends of a route. `is_tls`: the route's policies say so for all of them."""
    found: list[Backend] = []
    for item in node.items():
        if not item.block():
            continue
        locks = settle(item, traffic_keys.ROUTE_BACKEND)
        weight = _weight(item.take("weight"))
        backend = _backend(item, draft, references, is_tls=is_tls)
        if isinstance(backend, Plain) and weight != 0:
            reasons = (*locks, *backend.reasons)
            found.append(Plain(backend.url, weight, backend.terms, reasons))
        elif not isinstance(backend, Plain):
            found.append(backend)
    return found


def _weight(node: Node) -> int | str:
    number = node.integer()
    if number is None:
        return 1
    if number == 0:
        node.exact(note="it gets no requests, and is left out")
        return 0
    if fits(Weight, number):
        node.exact(_WEIGHTS)
        return number
    node.problem("must be from 0 to 1000000")
    return 1


def _backend(item: Node, draft: Draft, references: References, *, is_tls: bool) -> Backend:
    for other in [kind for kind in _KINDS if item.has(kind)][1:]:
        item.take(other).unsupported("an entry leads to one backend, and another is here too")
    group, reference, service = (item.take(name) for name in ("routeGroup", "backend", "service"))
    name = group.text()
    if name is not None:
        group.different("routes", "its routes stand where it is referred to")
        return Group(name)
    policies = (item.take("policies"),) if item.has("policies") else ()
    wanted = reference.text()
    if wanted is not None:
        there = _referred(wanted, references)
        if there is None:
            reference.unsupported(f"no backend '{wanted}' in the file", is_security=True)
            return Plain("", 1, reasons=("backend",))
        reference.exact("routes.backends", "written where it is referred to")
        locks = settle(there, traffic_keys.BACKEND)
        there.take("name").exact(note="written where it is referred to")
        more = (there.take("policies"),) if there.has("policies") else ()
        if there.has("ai"):
            return Ai(there.take("ai"), (*policies, *more))
        return _plain(there.take("host"), (*policies, *more), locks, draft, is_tls=is_tls)
    if item.has("ai"):
        return Ai(item.take("ai"), policies)
    if service.is_written:
        return _service(service, policies, draft, references, is_tls=is_tls)
    return _plain(item.take("host"), policies, (), draft, is_tls=is_tls)


def _referred(name: str, references: References) -> Node | None:
    known = references.backends
    return known.get(name) or known.get(name.rpartition("/")[2])


def _service(
    node: Node, policies: tuple[Node, ...], draft: Draft, references: References, *, is_tls: bool
) -> Plain:
    locks = settle(node, traffic_keys.SERVICE)
    name, port = node.take("name"), node.take("port")
    text, number = name.text() or "", port.integer()
    hostname = references.services.get(text, text.rpartition("/")[2])
    plain = _reached(f"{hostname}:{number}", policies, locks, draft, is_tls=is_tls)
    if fits(Origin, plain.url):
        name.different("routes.backends.url", _BY_NAME)
        port.exact("routes.backends.url")
        return plain
    node.unsupported("no service that has a name and a port", is_security=True)
    return Plain("", 1, plain.terms, ("service",))


def _plain(
    host: Node, policies: tuple[Node, ...], locks: tuple[str, ...], draft: Draft, *, is_tls: bool
) -> Plain:
    text = host.text()
    plain = _reached(text or "", policies, locks, draft, is_tls=is_tls)
    if text is not None and fits(Origin, plain.url):
        host.exact("routes.backends.url")
        return plain
    host.unsupported("a backend is a host and a port", is_security=True)
    return Plain("", 1, plain.terms, ("host", *plain.reasons) if host.is_written else plain.reasons)


def _reached(
    address: str, policies: tuple[Node, ...], locks: tuple[str, ...], draft: Draft, *, is_tls: bool
) -> Plain:
    """The URL of an address, under the policies of the backend."""
    terms = Terms(locks)
    for block in policies:
        terms += read_terms(block, policy_keys.BACKEND_POLICY, draft, is_llm=False)
        terms += Terms(read_model_policy(block.take("ai")))
        refuse_credential(block.take("backendAuth"))
        if block.has("backendTLS") or block.take("backendTLS").value == {}:
            is_tls = True
            terms += Terms(read_backend_tls(block.take("backendTLS"), address))
    scheme, separator, rest = address.partition("://")
    url = f"{scheme}://{rest}" if separator else f"{'https' if is_tls else 'http'}://{address}"
    if separator and scheme == "http" and is_tls:
        url = f"https://{rest}"
    return Plain(url, 1, terms)


def read_backend_tls(
    node: Node, address: str = "", to: str = "routes.backends.url"
) -> tuple[str, ...]:
    """What of a backend's TLS cannot be kept. Its own authorities may have been read before."""
    if node.is_empty:
        return ()
    locks = settle(node, policy_keys.BACKEND_TLS)
    root = node.take("root")
    if not root.is_empty and not root.is_answered:
        root.unsupported(_NO_ROOT, is_security=True)
        locks = (*locks, "backendTLS.root")
    for name in ("insecure", "insecureHost"):
        flag = node.take(name)
        if flag.flag() in (False, None):
            flag.exact(to)
        else:
            flag.different(to, "the backend's certificate is verified here")
    hostname = node.take("hostname")
    if hostname.text() == address.rpartition(":")[0]:
        hostname.exact(to)
    else:
        hostname.unsupported("the name that a backend has to prove is its host")
    if node.value == {}:
        node.exact(to, "https")
    return locks


def provider_ca(node: Node) -> str | None:
    """The file with the authorities of a provider, which has an https url."""
    if not node.has("root"):
        return None
    root = node.take("root")
    text = root.text()
    root.different("llm.providers.ca", policy_keys.RELATIVE)
    return text


def refuse_credential(node: Node) -> None:
    """Plain backends get no credential."""
    if isinstance(node.value, dict):
        node.expect(by_name(policy_keys.BACKEND_AUTH))
        for name, field in node.fields():
            if name == "passthrough":
                field.different("routes", "but for keys of ours")
            else:
                field.unsupported(_NO_CREDENTIAL, is_security=not field.is_empty)
    elif not node.is_empty:
        node.unsupported(_NO_CREDENTIAL, is_security=True)


def read_model_policy(node: Node) -> tuple[str, ...]:
    """What is said about models, where there is no provider of models."""
    if node.is_empty:
        return ()
    has_guard = node.has("promptGuard")
    node.unsupported(
        "models are reached by llm.providers; this backend is passed through as plain HTTP",
        is_security=has_guard,
    )
    return ("ai.promptGuard",) if has_guard else ()
