"""The card that an agent tells callers who are known, as clients of the gateway see it.

A2A 1.0 §3.1.11, 0.3.0 §7.10. Between clients and agents of JSON-RPC and HTTP+JSON the worker asks
the agent, and answers. Envoy's own answers to calls of gRPC have no messages, and extproc makes
none: there, the agent's answer passes, and the card in it is changed. Nothing is kept, since it is
the caller's own.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from extproc.a2a import agent_errors, http_paths
from extproc.a2a.errors import Fault
from extproc.a2a.forms import replies
from extproc.a2a.operations import GRPC_PATHS, OPERATIONS, Operation
from extproc.a2a.requests import EXTENSIONS, VERSION, A2aRequest
from extproc.a2a_serving.directory import Found, NoCard
from extproc.a2a_serving.saying import fault_of
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.shown import origin_of
from extproc.events import Respond
from extproc.facts import Facts
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.program import Program
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import By, Deny, PolicyKind
from gateway import names
from gateway.a2a import Binding, Revision

CODINGS: Final = "grpc-accept-encoding"
"""Removed from requests whose answers are read."""
NOBODY: Final = Deny(
    401,
    "missing_credential",
    "extended cards are for callers who are known",
    by=By(PolicyKind.IDENTITY),
)
_DETAILS: Final = "dragoman_a2a_extended_card"
_JSON: Final = ("content-type", "application/json")
_NOT_KEPT: Final = ("cache-control", "no-store")
_ASKED: Final = (Binding.JSONRPC, Binding.HTTP_JSON)
_NEWEST_FIRST: Final = (Revision.V1_0, Revision.V0_3)


def is_watched(path: str) -> bool:
    """Whether a call of gRPC asks for such a card."""
    known = GRPC_PATHS.get(path.partition("?")[0])
    return known is not None and known[0] is Operation.EXTENDED_CARD


class Extended(Struct, frozen=True):
    """Of whom, and for whom."""

    program: Program
    serving: Serving
    facts: Facts
    found: Found
    front: Found | None = None
    """Whom clients ask, where that one stands for several; None: the same."""

    async def told(self, request: A2aRequest) -> bytes | Fault:
        """The card as clients see it, or why the agent does not tell it. Raises `NoCard`."""
        spoken = self._spoken(request.binding)
        answer = await self._asked(request, *spoken)
        if answer.status != 200:
            return agent_errors.read_http(answer.status, answer.body)
        if spoken[0] is Binding.HTTP_JSON:
            return await self.shown(answer.body)
        try:
            said = json_spans.decode(answer.body)
        except InvalidJson as error:
            raise NoCard(f"its answer is no JSON: {error}") from None
        if "error" in said:
            return agent_errors.read_jsonrpc(said["error"])
        return await self.shown(json_spans.value_at(answer.body, ("result",)) or b"null")

    async def changed(self, card: object) -> object:
        """The same of a card in an answer that passes; or a `Fault`."""
        try:
            return json_spans.decode(await self.shown(json_spans.encode(card)))
        except NoCard as error:
            deny = broken(self.found.agent.name, error)
            self.program.audits.refused(self.facts, deny)
            return fault_of(deny)

    async def shown(self, card: bytes) -> bytes:
        """The card as clients see it. Raises `NoCard`."""
        said = await self.serving.directory.read(self.found.agent, card)
        origin = origin_of(self.serving.url, self.facts.headers)
        return self.serving.cards.written(said.card, self.front or self.found, origin)

    def _spoken(self, binding: Binding) -> tuple[Binding, Revision]:
        """How the agent is asked: in 1.0 if it can be, since what agents of 1.0 sign they may tell
        clients of 0.3 otherwise."""
        bindings = (binding, *(each for each in _ASKED if each is not binding))
        ways = [(each, revision) for revision in _NEWEST_FIRST for each in bindings]
        return next(each for each in ways if each in self.found.ways)

    async def _asked(self, request: A2aRequest, binding: Binding, revision: Revision) -> Answered:
        agent, way = self.found.agent, self.found.ways[binding, revision]
        head = [("accept", "application/json"), (VERSION, revision.value)]
        if request.extensions:
            name = EXTENSIONS[0 if revision is Revision.V1_0 else 1]
            head.append((name, ", ".join(request.extensions)))
        if binding is Binding.HTTP_JSON:
            path = http_paths.written(Operation.EXTENDED_CARD, revision, request.tenant)
            asked = Asked("GET", way.path + path, (*head, *agent.headers), b"")
        else:
            head.append(("content-type", "application/json"))
            body = _call(revision, request.tenant)
            asked = Asked("POST", way.path, (*head, *agent.headers), body)
        cluster = names.service_cluster(names.a2a_service(agent.name))
        try:
            return await self.serving.peers.ask(cluster, asked, agent.timeout_seconds)
        except ServiceUnavailable as error:
            raise NoCard(str(error)) from None


def broken(agent: str, error: NoCard) -> Deny:
    """Nothing of it may pass."""
    reason = f"the agent '{agent}' tells no extended card: {error}"
    return Deny(502, "broken_card", reason, by=By(PolicyKind.ANSWER))


def answer(card: bytes, request: A2aRequest) -> Respond:
    """To a client of JSON."""
    if request.binding is Binding.JSONRPC:
        body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request.raw_id, card)
        return Respond(200, (_JSON, _NOT_KEPT), body, _DETAILS)
    return Respond(200, (*replies.media_type(request.revision), _NOT_KEPT), card, _DETAILS)


def _call(revision: Revision, tenant: str) -> bytes:
    call: dict[str, object] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": OPERATIONS[Operation.EXTENDED_CARD].names[revision].jsonrpc,
    }
    if revision is Revision.V1_0:
        call["params"] = {"tenant": tenant} if tenant else {}
    return json_spans.encode(call)
