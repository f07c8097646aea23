"""Routes of theirs → entries of our list: one for each alternative that they match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from gateway.config.finding import Path
from gateway.config.routes import Hostname
from gateway.importers.agentgateway import plain_routes, policy_keys, traffic_keys
from gateway.importers.agentgateway.ai_routes import read_ai_route
from gateway.importers.agentgateway.backends import (
    Ai,
    Backend,
    Group,
    Plain,
    References,
    read_backends,
)
from gateway.importers.agentgateway.draft import ELSEWHERE, OPEN, Draft, Entry, Terms
from gateway.importers.agentgateway.entrypoints import Gate
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.agentgateway.matches import Match, both, closest, read_matches
from gateway.importers.agentgateway.terms import read_terms
from gateway.importers.walk import Node

_MODELS = "models are served under /v1/ of every gateway"
_NO_MODELS = "its models"
GROUP_REST = ("rest of the routeGroup",)
"""Why the rest of what leads to a group is refused."""
_LAST = (-1,)
_MOST_GROUPS = 8
"""Of routes that lead to more routes."""
_MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Targeted:
    """Policies that are written apart from what they are for."""

    kind: str
    """`gateway`, `route`, `backend` or `listenerSet`."""
    name: str
    terms: Terms

    def is_for(self, kind: str, name: str | None) -> bool:
        """Whether they are for something, as far as can be told; in doubt they are."""
        return self.kind == kind and self.name in ("", name)


@dataclass(frozen=True, slots=True)
class Around:
    """What a route stands in."""

    gates: tuple[Gate, ...]
    matches: tuple[Match, ...] = ()
    """Of the routes that led here."""
    hostnames: tuple[str, ...] = ()
    terms: Terms = OPEN
    reasons: tuple[str, ...] = ()
    settings: plain_routes.Settings = field(default=plain_routes.Settings())
    is_tls: bool = False
    groups: tuple[str, ...] = ()
    outermost: tuple[str, ...] = ()
    """Hostnames of the route that led here first."""
    leader: Path = ()
    """That route."""


class Routes:
    """Reads routes, with all that they refer to."""

    def __init__(
        self, draft: Draft, references: References, targeted: Iterable[Targeted] = ()
    ) -> None:
        self._draft = draft
        self._references = references
        self._targeted = tuple(targeted)
        self._used_groups: set[str] = set()
        self._read_nodes: set[Path] = set()

    def read(self, node: Node, around: Around) -> None:
        """One route, at all of its gates."""
        if not node.block():
            return
        locks = settle(node, traffic_keys.ROUTE)
        label = node.take("name").text()
        node.take("name").exact("routes.name")
        policies = node.take("policies")
        terms = around.terms + Terms(locks)
        settings, is_tls = around.settings, around.is_tls
        backends_node = node.take("backends")
        is_ai = _is_ai(backends_node, self._references)
        if policies.block():
            terms += read_terms(policies, policy_keys.ROUTE_POLICY, self._draft, is_llm=is_ai)
        terms += self._terms_for(label, node)
        backends = read_backends(backends_node, self._draft, self._references, is_tls=False)
        ais = [each for each in backends if isinstance(each, Ai)] if is_ai else []
        if ais:
            backends, around = [], self._beside_models(node, ais, terms, around)
        elif policies.block():
            own, is_own_tls = plain_routes.read_settings(policies, self._draft)
            settings, is_tls = own.within(settings), is_tls or is_own_tls
        if is_tls:
            backends = [_with_tls(each) for each in backends]
        hostnames, lost = self._hostnames(node.take("hostnames"))
        matches = read_matches(node.take("matches"))
        if around.groups:
            close = {closest([name]) for name in hostnames} or {closest(())}
            lost = (*lost, *(("hostnames",) if len(close) > 1 else ()))
            matches = _by_hostnames(matches, max(close))
        inner = replace(
            around,
            matches=tuple(_combined(around.matches, matches)),
            hostnames=_shared(around.hostnames, hostnames),
            terms=terms,
            reasons=(*around.reasons, *settings.reasons, *lost),
            settings=settings,
            is_tls=is_tls,
            outermost=around.outermost if around.groups else hostnames,
            leader=around.leader if around.groups else node.path,
        )
        if around.hostnames and hostnames and not inner.hostnames:
            node.exact(note="no host leads here")
            return
        groups = [each for each in backends if isinstance(each, Group)]
        if groups:
            self._read_groups(node, groups, len(backends), inner)
        else:
            self._add(node, label, backends, settings, inner)

    def finish(self) -> None:
        """Answers what no route led to."""
        for name, group in self._references.groups.items():
            if name not in self._used_groups:
                group.exact(note="no route leads there")

    def _terms_for(self, label: str | None, node: Node) -> Terms:
        found = OPEN
        for each in self._targeted:
            if each.is_for("route", label) or each.kind == "backend":
                found += each.terms if self._concerns(each, node) else OPEN
        return found

    def _concerns(self, each: Targeted, node: Node) -> bool:
        """Policies for a backend are for the routes that name it; in doubt for all."""
        if each.kind != "backend" or not each.name:
            return True
        return each.name in str(node.take("backends").value)

    def _read_ai(self, node: Node, backends: list[Ai], terms: Terms, around: Around) -> bool:
        """Whether its models are served."""
        node.take("hostnames").different("llm", "models are served for every host")
        node.take("matches").different("llm", _MODELS)
        gates = [gate for gate in around.gates if not gate.why_not]
        for gate in gates:
            terms += gate.terms
        terms += Terms(around.reasons)
        if node.path in self._read_nodes:
            return True
        self._read_nodes.add(node.path)
        if gates:
            gateways = tuple(dict.fromkeys(gate.gateway for gate in gates))
            return read_ai_route(node, backends, terms, gateways, self._draft)
        node.unsupported(_closed_gates(around.gates), is_security=True)
        return False

    def _beside_models(self, node: Node, models: list[Ai], terms: Terms, around: Around) -> Around:
        """Reads the models; what stands behind them must not take their place."""
        is_served = self._read_ai(node, models, terms, around)
        reason = ELSEWHERE if is_served else _NO_MODELS
        return replace(around, reasons=(*around.reasons, reason))

    def _hostnames(self, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found: list[str] = []
        for item in node.items():
            text = item.text()
            if text in ("", "*"):
                item.exact()
                return (), ()
            if text is not None and fits(Hostname, text):
                item.exact("routes.match.hostnames")
                found.append(text.lower())
            elif text is not None:
                item.unsupported("no hostname that ours can ask for")
                return (), ("hostnames",)  # of all hosts, so that none is open that was closed
        return tuple(dict.fromkeys(found)), ()

    def _read_groups(self, node: Node, groups: list[Group], count: int, inner: Around) -> None:
        if inner.settings.prefix is not None:  # of the prefix that led here, not of theirs
            inner = replace(inner, reasons=(*inner.reasons, "urlRewrite"))
        for group in groups:
            there = self._references.groups.get(group.name)
            is_too_deep = group.name in inner.groups or len(inner.groups) >= _MOST_GROUPS
            if there is None or is_too_deep or count > 1:
                node.unsupported(
                    f"the routes of '{group.name}' cannot be followed", is_security=True
                )
                closed = replace(inner, reasons=(*inner.reasons, "routeGroup"))
                self._add(node, None, [], plain_routes.Settings(), closed)
                continue
            self._used_groups.add(group.name)
            settle(there, traffic_keys.ROUTE_GROUP)
            there.take("name").exact(note="its routes stand where it is referred to")
            for route in there.take("routes").items():
                self.read(route, replace(inner, groups=(*inner.groups, group.name)))
            self._close_rest(node.take("backends"), group.name, inner)

    def _close_rest(self, node: Node, name: str, inner: Around) -> None:
        """What no route of a group takes is no other route's."""
        node.different("routes", "what no route of the group takes is refused, if another would")
        for gate, closeness, hosts in _places(inner):
            for match in inner.matches:
                self._entry(
                    Entry(
                        name=self._name(f"{name}-rest"),
                        node=node,
                        gateways=(gate.gateway,),
                        hostnames=hosts,
                        match=replace(match, precision=(*match.precision, *_LAST), lost=()),
                        listener=gate.hostnames,
                        closeness=closeness,
                        leader=inner.leader,
                        block={"backend": plain_routes.NOWHERE},
                        terms=OPEN,
                        reasons=GROUP_REST,
                    )
                )

    def _add(
        self,
        node: Node,
        label: str | None,
        backends: Iterable[object],
        settings: plain_routes.Settings,
        inner: Around,
    ) -> None:
        plain = [each for each in backends if isinstance(each, Plain)]
        block = plain_routes.block(plain, settings)
        terms, reasons = inner.terms, [*inner.reasons]
        for each in plain:
            terms += each.terms
            reasons += each.reasons
        others = [each for each in backends if not isinstance(each, Plain)]
        reasons += ["ai" for _ in others[:1]]
        if not reasons and not any(each.url for each in plain):
            reasons.append("backends")
        for gate, closeness, gate_hosts in _places(inner):
            for match in inner.matches:
                self._entry(
                    Entry(
                        name=self._name(label),
                        node=node,
                        gateways=(gate.gateway,),
                        hostnames=gate_hosts,
                        match=match,
                        listener=gate.hostnames,
                        closeness=closeness,
                        limits=settings.limits,
                        leader=inner.leader,
                        block=_fitting(block, match),
                        terms=terms + gate.terms,
                        reasons=tuple(dict.fromkeys(reasons + _unkept(block, match))),
                    )
                )
        if not any(not gate.why_not for gate in inner.gates):
            self._draft.gone.add(node.path)
            node.unsupported(_closed_gates(inner.gates), is_security=True)

    def _name(self, label: str | None) -> str:
        return self._draft.name("route", label, f"route-{len(self._draft.entries) + 1}")

    def _entry(self, entry: Entry) -> None:
        if len(self._draft.entries) >= _MOST_ENTRIES:
            entry.node.problem(f"leads to more than {_MOST_ENTRIES} routes")
            return
        self._draft.entries.append(entry)


def _closed_gates(gates: tuple[Gate, ...]) -> str:
    reasons = dict.fromkeys(gate.why_not for gate in gates if gate.why_not)
    return "; ".join(reasons) or "no gateway of the file leads here"


def _is_ai(node: Node, references: References) -> bool:
    """Whether all backends are providers of models."""
    items = node.value if isinstance(node.value, list) else []
    kinds = []
    for item in items:
        if not isinstance(item, dict):
            return False
        name = item.get("backend")
        there = references.backends.get(name) if isinstance(name, str) else None
        value = there.value if there is not None else item
        kinds.append(isinstance(value, dict) and value.get("ai") is not None)
    return bool(kinds) and all(kinds)


def _with_tls(backend: Backend) -> Backend:
    if isinstance(backend, Plain) and backend.url.startswith("http://"):
        return replace(backend, url=f"https://{backend.url.removeprefix('http://')}")
    return backend


def _combined(outer: tuple[Match, ...], inner: tuple[Match, ...]) -> Iterator[Match]:
    if not outer:
        yield from inner
        return
    for above in outer:
        for match in inner:
            found = both(above, match)
            if found is not None:
                yield found


def _places(inner: Around) -> Iterator[tuple[Gate, tuple[int, int], tuple[str, ...]]]:
    """Gates at which a route stands, how close its own hostnames are, and the hosts they are."""
    for gate in inner.gates:
        if gate.why_not:
            continue
        closeness: dict[str, tuple[int, int]] = {}
        for host in _shared(gate.hostnames, inner.hostnames) if inner.hostnames else ():
            owners = (own for own in inner.outermost if host in _shared((host,), (own,)))
            closeness[host] = max(map(closest, ((own,) for own in owners)), default=(0, 0))
        if not inner.hostnames:
            yield gate, closest(()), gate.hostnames
        for each in dict.fromkeys(closeness.values()):
            yield gate, each, tuple(host for host, own in closeness.items() if own == each)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts that both name; none named means all."""
    if not one or not other:
        return one or other
    found = [
        narrow
        for a in one
        for b in other
        for wide, narrow in ((a, b), (b, a))
        if wide == narrow or (wide.startswith("*.") and narrow.endswith(wide[1:]))
    ]
    return tuple(dict.fromkeys(found))


def _fitting(block: dict[str, object], match: Match) -> dict[str, object]:
    """Without a rewrite that the match has no prefix for."""
    if match.is_exact:
        return {name: value for name, value in block.items() if name != "replace_prefix"}
    return block


def _unkept(block: dict[str, object], match: Match) -> list[str]:
    return ["urlRewrite"] if match.is_exact and "replace_prefix" in block else []


def _by_hostnames(matches: tuple[Match, ...], close: tuple[int, ...]) -> tuple[Match, ...]:
    """How close the hostnames are counts before all else."""
    return tuple(replace(each, precision=(*close, *each.precision)) for each in matches)
