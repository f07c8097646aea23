"""One request through a real exchange: without network, with budgets and limits that have room."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from extproc.a2a.operations import Operation
from extproc.adapters.password_checks import HashedPasswords
from extproc.audits import Audits
from extproc.events import (
    Action,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.exchange import Exchange
from extproc.facts import Facts
from extproc.inquiring import Inquirer
from extproc.passing import NO_LIMIT
from extproc.policies.authenticate import Authenticate, Witnesses
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Asked
from extproc.policies.remote.words import FINE, Opinion
from extproc.ports import (
    NEVER,
    Booking,
    Charge,
    Draw,
    Level,
    Measure,
    Meter,
    Reservation,
    Standing,
    Take,
    Verdicts,
)
from extproc.principal import Kind, Principal, of_key
from extproc.program import Policy, Program, build
from extproc.trial.cases import RequestBlock, ResponseBlock
from extproc.verdict import PASS, Deny, Verdict
from gateway.config.fetched import NotAsked
from gateway.config.load import load, load_file
from gateway.config.schema import Config
from gateway.model import Gateway, Mode
from gateway.problem import Problem
from gateway.resolve import resolve

_ANY_MODEL = """
llm:
  providers: {any: {type: openai, url: "http://127.0.0.1:9/v1", auth: {type: none}}}
  models: {"*": {provider: any}}
"""


class _Held(Reservation):
    def settle(self, amounts: Sequence[int]) -> None:
        pass

    def book(self, amounts: Sequence[int]) -> None:
        pass

    def release(self) -> None:
        pass


class Roomy:
    """A ledger in which nothing is ever spent."""

    def reserve(self, charges: Sequence[Charge]) -> _Held:
        return _Held()

    def note(self, charges: Sequence[Charge]) -> _Held:
        return _Held()

    def level(self, charge: Charge) -> Level:
        return Level(0, 0)

    async def remember(self, name: str, owner: str, now: int) -> None:
        pass

    async def owner(self, name: str) -> str | None:
        return None

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Unused:
    """A meter of which nothing was ever taken."""

    measure: Measure


class Unhurried:
    """A limiter that refuses only what it would never let through."""

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        return _Unused(measure)

    def take(self, draws: Sequence[Draw]) -> Take:
        standings: list[Standing] = []
        is_refused = False
        for meter, amount, is_binding in draws:
            assert isinstance(meter, _Unused)
            is_never = amount > meter.measure[0]
            is_refused = is_refused or (is_never and is_binding)
            standings.append((meter.measure[0], 0, NEVER if is_never else 0))
        return 0, standings, is_refused

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        pass

    def leave(self, meters: Sequence[Meter]) -> None:
        pass


class _Noted:
    """What is audited, by name."""

    def __init__(self) -> None:
        self.verdicts: Counter[tuple[str, str]] = Counter()

    def add(self, verdicts: Verdicts) -> None:
        if verdicts.mode == Mode.AUDIT:
            self.verdicts[verdicts.name, verdicts.verdict] += 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A configuration, made ready to be tried."""

    gateway: Gateway
    program: Program
    noted: _Noted


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request."""

    denied: Deny | None
    tries: tuple[tuple[str, str], ...]
    """Provider and model of each."""
    audits: dict[str, str] = field(default_factory=dict)
    """Policy in `audit` → what it would have done."""
    answered: bool = False
    """By us, without a provider: a list of models."""


class Unusable(Exception):
    """The request names what the configuration does not have."""


class _As(Authenticate):
    """Knows who calls without being shown anything."""

    def __init__(self, principal: Principal, usual: Authenticate) -> None:
        self._principal = principal
        self._usual = usual

    def on_headers(self, facts: Facts) -> Verdict:
        facts.principal = self._principal
        return self._usual.on_known(facts)


class _Agreeing(Inquirer):
    """Services that guards ask are somewhere else: nothing is sent there, and all of it passes."""

    async def opinions(self, asked: Sequence[Asked]) -> list[Opinion]:
        return [FINE for _ in asked]


class _Looking:
    """A policy that looks at what all others could see."""

    def __init__(self, look: Callable[[Facts], None]) -> None:
        self._look = look

    def on_request(self, facts: Facts) -> Verdict:
        self._look(facts)
        return PASS


def subject(path: Path | None, environment: dict[str, str]) -> Subject | tuple[Problem, ...]:
    """Of a configuration; None: one that has every model, of a provider called `any`."""
    config = (
        load(_ANY_MODEL, file="any", environment={})
        if path is None
        else load_file(path, environment, NotAsked())
    )
    if not isinstance(config, Config):
        return config
    gateway, noted = resolve(config), _Noted()
    program = build(
        gateway,
        "trial",
        ledger=Roomy(),
        choose=lambda: 0.0,
        created=0,
        audits=Audits(noted),
        limiter=Unhurried(),
        inquirer=_Agreeing.of_nobody(),
        witnesses=Witnesses(passwords=HashedPasswords(time.monotonic)),
    )
    return Subject(gateway, program, noted)


def tried(
    of: Subject,
    request: RequestBlock,
    look: Callable[[Facts], None] | None = None,
    response: ResponseBlock | None = None,
) -> Seen:
    """What becomes of a request, and of its response if there is one. `look` sees the facts when
    policies would, and they are not asked.

    Raises `Unusable`.
    """
    program = _program(of, request, look)
    of.noted.verdicts.clear()
    routes = of.gateway.routes
    open_routes = {each.name for each in routes if not (each.needs_identity or any(each.guarded))}
    if request.route in open_routes:
        return Seen(None, ())  # Envoy asks nobody
    if request.mcp is not None or request.a2a is not None:
        return asyncio.run(_called(of, program, request, look, response))
    return asyncio.run(_tried(of, program, request, response))


async def _called(
    of: Subject,
    program: Program,
    request: RequestBlock,
    look: Callable[[Facts], None] | None,
    response: ResponseBlock | None,
) -> Seen:
    """A call of an MCP server, or of an agent: who asks, and what rules say, also of what it comes
    to if that is said."""
    facts = _facts_of(of.gateway, request)
    call, asked = facts.mcp, facts.a2a
    facts.mcp = facts.a2a = None
    verdict = program.authenticate.on_headers(facts)
    found = await verdict if isinstance(verdict, Awaitable) else verdict
    facts.mcp, facts.a2a = call, asked
    if not isinstance(found, Deny) and look is not None:
        look(facts)
    elif not isinstance(found, Deny):
        refusal = _refused(program, facts)
        said = None if response is None else (response.task_state if asked else response.result)
        if refusal is None and response is not None and said is not None:
            refusal = _refused_result(program, response.answered(facts))
        return Seen(refusal, (), dict(of.noted.verdicts.keys()))
    denied = found if isinstance(found, Deny) else None
    return Seen(denied, (), dict(of.noted.verdicts.keys()))


def _facts_of(gateway: Gateway, request: RequestBlock) -> Facts:
    """What is known of a call of an MCP server, or of an agent. Raises `Unusable`."""
    headers, path = request.all_headers, gateway.mcp.path
    call = None if request.mcp is None else request.mcp.call
    asked = None if request.a2a is None else request.a2a.call
    if call is not None and call.server not in {each.name for each in gateway.mcp.servers}:
        raise Unusable(f"no MCP server '{call.server}'")
    if asked is not None:
        path = f"{gateway.a2a.path}/{asked.agent}"
        if gateway.a2a.agent(asked.agent) is None:
            raise Unusable(f"no agent '{asked.agent}'")
        if asked.method not in set(Operation):
            raise Unusable(f"no operation '{asked.method}' of A2A")
    return Facts(request.now, "POST", path, headers, request.source, mcp=call, a2a=asked)


def _refused(program: Program, facts: Facts) -> Deny | None:
    if facts.a2a is None:
        return program.mcp_refusal(facts)
    verdict = program.rules.early.on_request(facts)
    return verdict if isinstance(verdict, Deny) else None


def _refused_result(program: Program, facts: Facts) -> Deny | None:
    late = program.rules.late
    verdict = None if late is None else late.on_response(facts)
    return verdict if isinstance(verdict, Deny) else None


async def _tried(
    of: Subject, program: Program, request: RequestBlock, response: ResponseBlock | None
) -> Seen:
    limit = max((each.max_request_bytes for each in of.gateway.listeners), default=NO_LIMIT)
    exchange = Exchange(program, request.now, request.route or "", limit)
    body = request.content
    headers = RequestHeaders(request.all_headers, not body, request.source)
    action = await _settled(exchange.on_event(headers))
    if body and not exchange.is_over and not isinstance(action, Respond):
        action = await _settled(exchange.on_event(RequestBody(body)))
    plan = exchange.plan
    is_asked = not exchange.is_over and not isinstance(action, Respond)
    if response is not None and is_asked:
        cluster = "" if plan is None else plan.tries[0].cluster
        answer = ResponseHeaders(
            response.status, cluster, "via_upstream", headers=response.all_headers
        )
        shown = await _settled(exchange.on_event(answer))
        if isinstance(shown, Watch) and request.route and response.content:
            await _settled(exchange.on_event(ResponseBody(response.content, True)))
    exchange.on_close()
    return Seen(
        exchange.denied,
        () if plan is None else plan.targets,
        dict(of.noted.verdicts.keys()),
        isinstance(action, Respond) and exchange.denied is None,
    )


async def _settled(action: Action | Awaitable[Action]) -> Action:
    return await action if isinstance(action, Awaitable) else action


def _program(of: Subject, request: RequestBlock, look: Callable[[Facts], None] | None) -> Program:
    program, who = of.program, _caller(of.gateway, request)
    if request.route is not None and request.route not in program.routes:
        raise Unusable(f"no route '{request.route}'")
    if who is not None:
        program = replace(program, authenticate=_As(who, program.authenticate))
    if look is not None:
        policies: tuple[Policy, ...] = (_Looking(look),)
        program = replace(
            program,
            header_policies=policies,
            request_policies=policies,
            guards=Guards(()),
            reads_texts=True,
            reads_estimates=True,
        )
    return program


def _caller(gateway: Gateway, request: RequestBlock) -> Principal | None:
    said = request.principal
    if said is not None:
        return Principal(
            Kind.API_KEY if said.claims is None else Kind.JWT,
            said.name,
            user=said.user,
            team=said.team,
            groups=said.groups,
            tags=tuple(said.tags.items()),
            claims=said.claims,
        )
    if request.key is None:
        return None
    for key in gateway.identity.api_keys:
        if key.name == request.key:
            return of_key(key)
    raise Unusable(f"no API key '{request.key}'")
