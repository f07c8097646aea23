"""A whole file of AgentGateway's → ours, and what became of each key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.config.finding import Path
from gateway.imported import Imported, Mapped, Outcome
from gateway.importers.agentgateway import policy_keys, traffic_keys
from gateway.importers.agentgateway.api_keys import unusable_tags
from gateway.importers.agentgateway.assembly import Assembled, assemble
from gateway.importers.agentgateway.backends import References
from gateway.importers.agentgateway.draft import ELSEWHERE, Draft, Terms
from gateway.importers.agentgateway.entrypoints import (
    LLM_PORT,
    MCP_PORT,
    Gate,
    gateway_at,
    open_gateway,
    read_binds,
    read_gateways,
    read_tls,
    take_tls,
)
from gateway.importers.agentgateway.guards import read_prompt_guard
from gateway.importers.agentgateway.keys import by_name, settle
from gateway.importers.agentgateway.listeners import REST, UNKNOWN, close_rest
from gateway.importers.agentgateway.llm import read_llm
from gateway.importers.agentgateway.routes import GROUP_REST, Around, Routes, Targeted
from gateway.importers.agentgateway.settings import (
    KEPT,
    NOT_SERVED,
    read_config,
    read_frontend,
    refuse_mcp,
    refuse_ui,
)
from gateway.importers.agentgateway.terms import read_terms
from gateway.importers.agentgateway.variables import Variables
from gateway.importers.emit import emit
from gateway.importers.walk import Node, walk
from gateway.problem import Problem

DIALECT = "agentgateway"
_BY_NAME = "reached by name, not by workloads"
_ELSEWHERE = "write it on the route itself"
_ALL_REFUSED = "what it is for is refused to everybody, or not served"
_GONE = "what it belongs to is not served"
_NEEDED = frozenset({"backendTLS", "urlRewrite"})
"""What a backend would see must not be other than theirs."""
_RESTS = (REST, UNKNOWN, GROUP_REST)
_READ_AS_TERMS = frozenset({"apiKey", "authorization", "basicAuth", "extAuthz", "oidc"})


def convert(text: str, file: str) -> Imported | tuple[Problem, ...]:
    """Ours and the findings, or what is wrong with theirs."""
    variables = Variables()
    theirs = walk(variables.take_out(text), file, variables.put_back)
    if theirs.problems:
        return theirs.problems
    if theirs.root.value in (None, {}):
        return (Problem("", "configures nothing", 1, file),)
    draft = Draft(theirs, unusable_tags(theirs.root.value))
    if theirs.root.block():
        _File(draft).read()
    if theirs.problems:
        return theirs.problems
    found = assemble(draft)
    _place_answers(draft, found)
    where = " ".join(file.split())
    header = [f"From {where}, a configuration of AgentGateway, by `dragoman import`."]
    return Imported(DIALECT, emit(found.document, header), theirs.finish())


class _File:
    """The parts of a file, in the order in which they need each other."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.root = draft.walk.root
        self.gateways: dict[str, list[Gate]] = {}

    def read(self) -> None:
        """Everything."""
        root, draft = self.root, self.draft
        settle(root, traffic_keys.ROOT, unknown_is_lock=False)
        draft.is_single_llm = _count_llm(root) <= 1
        read_config(root.take("config"), draft)
        read_frontend(root.take("frontendPolicies"), draft)
        references = self.references()
        binds = read_binds(root.take("binds"), draft)
        self.gateways = read_gateways(root.take("gateways"), draft)
        targeted = [
            each for item in root.take("policies").items() for each in _targeted(item, draft)
        ]
        for each in targeted:
            if each.kind not in ("route", "backend"):
                draft.everywhere += each.terms
        routes = Routes(draft, references, targeted)
        self.llm(root.take("llm"))
        for gate in binds:
            if gate.node is not None:
                for route in gate.node.take("routes").items():
                    routes.read(route, Around((gate,)))
        for route in root.take("routes").items():
            gates = self.referred(route.take("gateways"), "routes.gateways")
            routes.read(route, Around(gates))
        self.refuse_tcp(root.take("tcpRoutes"))
        if root.has("mcp"):
            refuse_mcp(root.take("mcp"), self.served_at(root.take("mcp"), MCP_PORT, "mcp"), draft)
        if root.has("ui"):
            refuse_ui(root.take("ui"), self.referred(root.take("ui").take("gateways"), ""), draft)
        routes.finish()
        listeners = [*binds, *(gate for each in self.gateways.values() for gate in each)]
        draft.entries += close_rest(listeners, draft)
        for name, node in references.backends.items():
            if not draft.walk.is_spoken_of(node.path):
                node.exact(note=f"nothing leads to '{name}'")

    def references(self) -> References:
        """What routes can refer to."""
        services: dict[str, str] = {}
        for item in self.root.take("services").items():
            namespace, hostname = item.take("namespace"), item.take("hostname")
            host = hostname.text() or item.take("name").text() or ""
            for name in (item.take("name").text(), hostname.text()):
                services[f"{namespace.text() or 'default'}/{name}"] = host
            item.different("routes.backends.url", _BY_NAME)
        self.root.take("workloads").unsupported(f"services are {_BY_NAME}")
        return References(
            backends=_named(self.root.take("backends")),
            services=services,
            groups=_named(self.root.take("routeGroups")),
        )

    def llm(self, node: Node) -> None:
        """The `llm` section, where it says that it is served."""
        if not node.is_empty:
            gates = self.served_at(node, LLM_PORT, "llm")
            read_llm(node, gates, self.draft)

    def served_at(self, node: Node, port: int, name: str) -> tuple[Gate, ...]:
        """The gates of a section, from its `gateways` or its `port`."""
        if not node.block():
            return ()
        wanted = name if self.draft.gateways else "default"
        place = node.take("port")
        if not place.is_empty:
            node.take("gateways").unsupported("its own port counts")
            gateway, refusal = open_gateway(place, wanted, self.draft)
            tls = read_tls(node.take("tls"), gateway, self.draft)
            if isinstance(tls, str):
                return (Gate(gateway, "", why_not=tls),)
            refusal = refusal or take_tls(node.take("tls"), gateway, tls, self.draft)
            return (Gate(gateway, "", why_not=refusal),)
        node.take("tls").unsupported("gateways have their own")
        if node.has("gateways") or "default" in self.gateways:
            return self.referred(node.take("gateways"), "gateways")
        return (Gate(gateway_at(port, wanted, self.draft), ""),)

    def referred(self, node: Node, to: str) -> tuple[Gate, ...]:
        """The gates that a list of `gateway` and `gateway/listener` names; `default` by itself."""
        texts = [node.value] if isinstance(node.value, str) else list(node.texts())
        if node.is_empty:
            texts = ["default"]
        found: list[Gate] = []
        for text in texts:
            gateway, _, listener = str(text).partition("/")
            gates = self.gateways.get(gateway, [])
            found += [gate for gate in gates if listener in ("", gate.listener)]
        if found or node.is_empty:
            node.exact(to)
        else:
            node.unsupported("no such gateway in the file", is_security=True)
        return tuple(found)

    def refuse_tcp(self, node: Node) -> None:
        node.unsupported("plain TCP is not served, only HTTP")


def _named(node: Node) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for item in node.items():
        if item.block():
            name = item.take("name").text() or ""
            if name in found:
                item.unsupported("another of the same name comes first")
            found.setdefault(name, item)
    return found


def _targeted(item: Node, draft: Draft) -> Iterable[Targeted]:
    """Policies that are attached to something by its name."""
    if not item.block():
        return
    settle(item, traffic_keys.POLICY, unknown_is_lock=False)
    for name in ("name", "phase"):
        item.take(name).exact(note="policies stand where they count")
    policy, target = item.take("policy"), item.take("target")
    terms = Terms()
    if policy.block():
        terms = read_terms(policy, policy_keys.ROUTE_POLICY, draft, is_llm=False)
        guard = policy.take("ai").take("promptGuard") if policy.take("ai").block() else None
        if guard is not None:
            terms += Terms(read_prompt_guard(guard, draft, is_for_all=False))
        for name, row in by_name(policy_keys.ROUTE_POLICY).items():
            if row.note is None and name not in _READ_AS_TERMS:
                field = policy.take(name)
                is_needed = name in _NEEDED and not field.is_empty
                if is_needed or not draft.walk.is_spoken_of(field.path):
                    field.unsupported(_ELSEWHERE, is_security=is_needed)
                terms += Terms((name,) if is_needed else ())
    if not target.block():
        target.unsupported("what it is for cannot be read: it holds for everything")
        yield Targeted("gateway", "", terms)
        return
    settle(target, traffic_keys.TARGET, unknown_is_lock=False)
    for kind in ("gateway", "listenerSet"):
        target.take(kind).different("authorize", "it holds for everything")
        if target.has(kind):
            yield Targeted("gateway", "", terms)
    if target.has("route"):
        target.take("route").exact("authorize")
        yield Targeted("route", _target_name(target.take("route")), terms)
    if target.has("backend"):
        target.take("backend").different("authorize", "it holds for the routes that lead there")
        yield Targeted("backend", _target_name(target.take("backend")), terms)


def _target_name(node: Node) -> str:
    """The name of what a policy is for; empty when it cannot be told."""
    value = node.value
    while isinstance(value, dict):
        for key in ("name", "hostname", "backend", "service"):
            if key in value:
                value = value[key]
                break
        else:
            return ""
    return value if isinstance(value, str) else ""


def _count_llm(root: Node) -> int:
    """On how many ways models are reached: the section, and each route to providers."""
    backends = root.take("backends").value
    names = {
        item.get("name")
        for item in (backends if isinstance(backends, list) else [])
        if isinstance(item, dict) and item.get("ai") is not None
    }
    top = {key: value for key, value in _fields(root.value) if key not in ("backends", "llm")}
    return int(root.has("llm")) + _count_ai(top, frozenset(str(name) for name in names))


def _fields(value: object) -> Iterable[tuple[str, object]]:
    return value.items() if isinstance(value, dict) else ()


def _count_ai(value: object, names: frozenset[str]) -> int:
    if isinstance(value, list):
        return sum(_count_ai(item, names) for item in value)
    if not isinstance(value, dict):
        return 0
    backends = value.get("backends")
    own = (
        [item for item in backends if isinstance(item, dict)] if isinstance(backends, list) else []
    )
    has_ai = any(item.get("ai") is not None or str(item.get("backend")) in names for item in own)
    inner = sum(_count_ai(item, names) for item in value.values())
    return int(has_ai) + inner


def _place_answers(draft: Draft, found: Assembled) -> None:
    """Answers name routes without their position; now it is known, or that there is none."""
    theirs = draft.walk
    position: dict[Path, int] = {}
    for index, entry in enumerate(found.routes):
        position.setdefault(entry.node.path, index)
        if entry.reasons in (REST, GROUP_REST) and entry.terms.is_open:
            continue  # the hostname's own answer says it
        if entry.is_closed:
            note = f"routes.{index} is refused by the rule '{draft.closed_by[entry.name]}': "
            is_security = not entry.terms.is_open or entry.reasons != (ELSEWHERE,)
            why = KEPT.get(entry.obstacles, ", ".join(entry.obstacles))
            entry.node.unsupported(note + why, is_security=is_security)
    if draft.everywhere.locks:
        locks = ", ".join(draft.everywhere.locks)
        draft.walk.root.take("frontendPolicies").unsupported(
            f"every request is refused, in place of: {locks}", is_security=True
        )
    left_out = [each for each in found.left_out if each[0].reasons not in _RESTS]
    for entry, reason in left_out:
        if entry.reasons == (ELSEWHERE,):
            entry.node.different("llm", ELSEWHERE)
        elif entry.reasons in NOT_SERVED:
            entry.node.unsupported(NOT_SERVED[entry.reasons])
        elif entry.node.path not in position:
            is_security = not entry.terms.is_open
            entry.node.unsupported(f"it is left out: {reason}", is_security=is_security)
    gone = {entry.node.path for entry, _ in left_out if entry.reasons != (ELSEWHERE,)} - set(
        position
    )
    for path, answers in theirs.answers.items():
        named = [_named_rule(_named_provider(each, path, draft), path, draft) for each in answers]
        if any(path[:length] in draft.gone for length in range(1, len(path))):
            named = [_not_served(each, _GONE) if each.to else each for each in named]
        theirs.answers[path] = [_placed(each, path, position, gone, found) for each in named]


def _placed(
    mapped: Mapped, path: Path, position: dict[Path, int], gone: set[Path], found: Assembled
) -> Mapped:
    around = [path[:length] for length in range(len(path), 0, -1)]
    first = mapped.to.partition(".")[0]
    if first == "routes":
        place = next((position[each] for each in around if each in position), None)
        if place is not None:
            return replace(mapped, to=f"routes.{place}{mapped.to.removeprefix('routes')}")
        if not gone.isdisjoint(around):
            return _not_served(mapped, "its route is left out")
    if first == "gateways" and mapped.to.count(".") and "<" not in mapped.to:
        name = mapped.to.split(".")[1]
        if name not in found.gateways and name not in ("max_request_bytes", "tls"):
            return _not_served(mapped, "nothing of ours is served there")
    if first in ("llm", "guardrails") and not found.document.get("llm"):
        return _not_served(mapped, "no model of the file can be served")
    return mapped


def _named_provider(mapped: Mapped, path: Path, draft: Draft) -> Mapped:
    """Answers name providers without their name."""
    rest = mapped.to.removeprefix("llm.providers")
    if rest == mapped.to or rest not in ("", ".type", ".key", ".url", ".ca"):
        return mapped
    around = [path[:length] for length in range(len(path), 0, -1)]
    name = next((draft.provider_of[each] for each in around if each in draft.provider_of), None)
    return mapped if name is None else replace(mapped, to=f"llm.providers.{name}{rest}")


def _named_rule(mapped: Mapped, path: Path, draft: Draft) -> Mapped:
    """Answers name rules without their position."""
    if mapped.to != "authorize":
        return mapped
    if path not in draft.rule_of:
        return _not_served(mapped, _ALL_REFUSED) if "rules" in path else mapped
    return replace(mapped, to=f"authorize.{draft.rule_of[path]}")


def _not_served(mapped: Mapped, note: str) -> Mapped:
    return replace(mapped, outcome=Outcome.UNSUPPORTED, to="", note=note)
