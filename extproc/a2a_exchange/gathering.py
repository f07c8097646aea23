"""The tasks of all those that an agent stands for, in one list: each is asked by the worker, but
for clients of gRPC the first, whose answer through Envoy brings the trailers that they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import structs

from extproc.a2a import substitution
from extproc.a2a.errors import ErrorKind, Fault, Said
from extproc.a2a.forms import calls, replies
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.losses import Losses
from extproc.a2a.forms.replies import WENT_WELL
from extproc.a2a.operations import Operation
from extproc.a2a.owners import Owners, shown
from extproc.a2a.registry import Status
from extproc.a2a.requests import A2aRequest
from extproc.a2a.task_pages import NO_LIST, Misread, Place, merged, page_asked, read_token, size_of
from extproc.a2a_exchange.interpreting import Spoken, asked_of
from extproc.a2a_exchange.placing import Placing
from extproc.a2a_serving.directory import NoCard
from extproc.a2a_serving.saying import without_card
from extproc.a2a_serving.serving import Serving
from extproc.events import Respond
from extproc.ports import ServiceUnavailable
from extproc.verdict import Deny
from gateway import names
from gateway.a2a import Binding, Member, Revision

_DETAILS: Final = "dragoman_a2a_tasks"
_ORDER: Final = (Binding.JSONRPC, Binding.HTTP_JSON, Binding.GRPC)
"""How one is asked, if it can be."""


class Gathering:
    """Of one request for a list of tasks."""

    __slots__ = ("_context", "_places", "_request", "_serving", "_spoken")

    def __init__(self, serving: Serving, request: A2aRequest, owners: Owners) -> None:
        self._serving, self._request = serving, request
        self._context = owners.context(request.context_id).own
        self._spoken: dict[str, Spoken] = {}
        self._places: Mapping[str, Place] = {}

    async def listed(self, placing: Placing) -> Respond | Deny | Fault | None:
        """The answer; None: it is to pass through Envoy, with `changed` in its way."""
        request = self._request
        try:
            fault = await self._prepared(placing.seen())
            if fault is not None or request.binding is Binding.GRPC:
                return fault
            found = await self._told()
        except NoCard as error:
            return without_card(placing.name, error)
        except ServiceUnavailable as error:
            reason = f"an agent of '{placing.name}' could not be reached: {error}"
            return Deny(503, "agent_unreachable", reason)
        if isinstance(found, Fault):
            return structs.replace(found, raw_id=request.raw_id)
        client = Target(request.binding, request.revision)
        said = replies.written(request.operation, found, client, [], request.raw_id)
        return Respond(said.status, said.headers, said.body, _DETAILS)

    async def _prepared(self, members: Iterable[Member]) -> Fault | None:
        """Who is asked. Those that are known to be down, and those of 0.3, which has no lists, are
        left out. Raises `NoCard`."""
        request = self._request
        for member in members:
            await self._add(member)
        if not self._spoken:
            why = "none of the agents lists its tasks"
            return request.fault(ErrorKind.UNSUPPORTED_OPERATION, why)
        token = request.document.get("pageToken")
        try:
            self._places = read_token(token if isinstance(token, str) else "", self._spoken)
        except Misread as error:
            return request.fault(ErrorKind.INVALID_PARAMS, str(error))
        return None

    def first(self) -> tuple[Spoken, A2aRequest]:
        """One of those that have something to tell, and what it is asked for."""
        spoken = self._spoken[self._first]
        token = self._places[self._first].token if self._first in self._places else ""
        return spoken, structs.replace(self._request, document=self._asked(spoken, token))

    @property
    def _first(self) -> str:
        left = (key for key, place in self._places.items() if not place.is_over)
        return next(left, next(iter(self._spoken)))

    async def _told(self, first: object = None) -> Mapping[str, Any] | Fault:
        """A page of all; where one gives no answer, there is none. `first`: what the first has
        answered, if it was asked. Raises `ServiceUnavailable`."""

        async def page(key: str, token: str) -> Mapping[str, Any] | Fault:
            if first is not None and key == self._first and token == self._places[key].token:
                return _owned(first, key)
            return await self._page(key, token)

        return await merged(self._places, size_of(self._request.document), page)

    async def changed(self, first: object) -> object:
        """The same, in the place of the first's answer that passes."""
        try:
            return await self._told(first)
        except ServiceUnavailable as error:
            why = f"an agent could not be reached: {error}"
            return self._request.fault(ErrorKind.BAD_GATEWAY, why)

    async def _add(self, member: Member) -> None:
        directory, name = self._serving.directory, member.agent.name
        if directory.health(name).status is Status.UNHEALTHY:
            return
        found = await directory.found(name)
        for binding in _ORDER:
            way = found.ways.get((binding, Revision.V1_0))
            if way is not None:
                target = Target(binding, Revision.V1_0)
                self._spoken[member.key] = Spoken(found, target, way)
                return

    def _asked(self, spoken: Spoken, token: str) -> dict[str, object]:
        document = {**self._request.document, "tenant": spoken.way.tenant}
        return page_asked(document, self._context, token)

    async def _page(self, key: str, token: str) -> Mapping[str, Any] | Fault:
        spoken = self._spoken[key]
        losses: Losses = []
        operation, target, agent = Operation.LIST_TASKS, spoken.target, spoken.found.agent
        document, extensions = self._asked(spoken, token), self._request.extensions
        call = calls.call(operation, document, target, losses, extensions=extensions)
        is_grpc = target.binding is Binding.GRPC
        service = (names.a2a_grpc_service if is_grpc else names.a2a_service)(agent.name)
        asked = asked_of(call, spoken.way, agent.headers)
        cluster = names.service_cluster(service)
        answer = await self._serving.peers.ask(cluster, asked, agent.timeout_seconds)
        said = Said(answer.status, tuple(answer.headers.items()), answer.body)
        trailers = WENT_WELL if is_grpc and answer.body else ()  # they are not told; a message is
        return _owned(replies.read(operation, target, said, dict(trailers), losses), key)


def _owned(result: object, key: str) -> Mapping[str, Any] | Fault:
    """A list whose ids say whose they are."""
    if isinstance(result, Fault):
        return result
    changed = substitution.in_result(Operation.LIST_TASKS, result, shown(key))
    return changed if isinstance(changed, dict) else NO_LIST
