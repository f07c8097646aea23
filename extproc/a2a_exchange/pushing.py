"""A webhook that a client asks for, and what it is told of its own.

The agent is told an address of the gateway in the place of the client's (`callbacks.py`), and its
answers say the client's again, without token and credentials. Callers see their own alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.a2a import grpc_frames, substitution, webhooks
from extproc.a2a.edits import tenant_behind
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.interpreter import Interpreter
from extproc.a2a.operations import GRPC_PATHS, OPERATIONS
from extproc.a2a.owners import shown
from extproc.a2a.requests import A2aRequest
from extproc.a2a.webhooks import Callback
from extproc.a2a_exchange.interpreting import answered, asked_of
from extproc.a2a_serving.callbacks import Callbacks, Told
from extproc.a2a_serving.callers import caller_of
from extproc.a2a_serving.directory import NEWEST_FIRST, READABLE, Found
from extproc.events import Respond
from extproc.facts import Facts
from extproc.mcp.views import binding_of
from extproc.ports import McpPeers
from gateway import names


def says_webhooks(path: str) -> bool:
    """Whether a call of gRPC is answered with webhooks."""
    known = GRPC_PATHS.get(path.partition("?")[0])
    return known is not None and webhooks.is_told(known[0])


def is_about_webhooks(request: A2aRequest) -> bool:
    """Whether it says one, or asks about some."""
    is_about = OPERATIONS[request.operation].is_about_push
    return is_about or webhooks.place(request) is not None


def said_to(
    request: A2aRequest,
    body: bytes,
    headers: Mapping[str, str],
    tenant: str,
    callback: Callback | None,
) -> bytes | None:
    """The body of a call of gRPC for an agent with that tenant; None: it is as it was."""
    if request.tenant == tenant and callback is None:
        return None
    said = grpc_frames.read_one(body, headers)
    if request.tenant != tenant:
        said += tenant_behind(request, tenant)
    if callback is not None:
        said = webhooks.spliced(request, said, callback)
    return grpc_frames.frame(said)


class Pushing:
    """Of one request, to one agent."""

    __slots__ = ("_agent", "_callbacks", "_facts", "_key", "_owner", "callback", "request")

    def __init__(self, callbacks: Callbacks, facts: Facts, request: A2aRequest, key: str) -> None:
        """`key`: whose the task is, of those that the agent stands for; empty: it stands for
        itself."""
        assert facts.a2a is not None
        self._callbacks, self._facts, self._key = callbacks, facts, key
        self._agent = facts.a2a.agent
        self._owner = binding_of(facts.principal)
        self.request = request
        """As it may be said to the agent."""
        self.callback: Callback | None = None
        """What the agent is told in the place of the client's webhook; None: no webhook is said."""

    async def seal(self) -> None:
        """Puts an address of the gateway in the place of the client's. Raises `Unusable`."""
        request = self.request
        webhook = webhooks.webhook(request)
        if webhook is None:
            return
        caller = caller_of(self._facts.principal)
        told = Told(request.revision, request.task_id, self._key, self._owner, caller)
        now = int(self._facts.now.timestamp())
        self.callback = await self._callbacks.sealed(self._agent, webhook, told, now)
        self.request = webhooks.with_callback(request, self.callback)

    def told(self, result: object) -> object:
        """What the agent answers, in 1.0, as the client sees it; or a `Fault`."""
        own = self._callbacks.own(self._agent, self._owner)
        operation = self.request.operation
        found = webhooks.told(operation, result, own)
        if found is None:
            return self.request.fault(ErrorKind.TASK_NOT_FOUND, "there is no such webhook")
        if not self._key:
            return found
        return substitution.in_result(operation, found, shown(self._key))

    async def relayed(self, peers: McpPeers, found: Found) -> Respond | Fault:
        """The answer of an agent of JSON to a client of JSON. Raises `ServiceUnavailable`."""
        request, agent = self.request, found.agent
        spoken = _spoken(request, found)
        interpreter = Interpreter(request, spoken, change=self.told)
        way = found.ways[spoken.binding, spoken.revision]
        call = interpreter.call(way.tenant or None)
        if isinstance(call, Fault):
            return call
        cluster = names.service_cluster(names.a2a_service(agent.name))
        asked = asked_of(call, way, agent.headers)
        answer = await peers.ask(cluster, asked, agent.timeout_seconds)
        interpreter.begin(answer.status, answer.headers)
        interpreter.feed(answer.body)
        return answered(interpreter.end({}))


def _spoken(request: A2aRequest, found: Found) -> Target:
    """How an agent that is readable is asked: as the client speaks, if it can be."""
    revisions = dict.fromkeys((request.revision, *NEWEST_FIRST))
    bindings = dict.fromkeys((request.binding, *READABLE))
    known = (Target(binding, revision) for revision in revisions for binding in bindings)
    return next(each for each in known if (each.binding, each.revision) in found.ways)
