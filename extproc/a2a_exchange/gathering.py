"""The tasks of all those that an agent stands for, in one list: each is asked, by the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from extproc.a2a import substitution
from extproc.a2a.errors import ErrorKind, Fault, Said
from extproc.a2a.forms import calls, replies
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.losses import Losses
from extproc.a2a.operations import Operation
from extproc.a2a.owners import Owners, shown
from extproc.a2a.registry import Status
from extproc.a2a.requests import A2aRequest
from extproc.a2a.task_pages import NO_LIST, Misread, merged, page_asked, read_token, size_of
from extproc.a2a_exchange.interpreting import asked_of
from extproc.a2a_serving.directory import READABLE, Found, Way
from extproc.a2a_serving.serving import Serving
from gateway import names
from gateway.a2a import Member, Revision


class Gathering:
    """Of one request for a list of tasks."""

    __slots__ = ("_context", "_request", "_serving", "_spoken")

    def __init__(self, serving: Serving, request: A2aRequest, owners: Owners) -> None:
        self._serving, self._request = serving, request
        self._context = owners.context(request.context_id).own
        self._spoken: dict[str, tuple[Member, Found, Target, Way]] = {}

    async def told(self, members: Sequence[Member]) -> Mapping[str, Any] | Fault:
        """A page of all. Those that are known to be down, and those that have no lists, are left
        out; where one gives no answer, there is none. Raises `NoCard`, `ServiceUnavailable`."""
        request = self._request
        for member in members:
            await self._add(member)
        if not self._spoken:
            why = "none of the agents lists its tasks"
            return request.fault(ErrorKind.UNSUPPORTED_OPERATION, why)
        token = request.document.get("pageToken")
        try:
            places = read_token(token if isinstance(token, str) else "", self._spoken)
            return await merged(places, size_of(request.document), self._page)
        except Misread as error:
            return request.fault(ErrorKind.INVALID_PARAMS, str(error))

    async def _add(self, member: Member) -> None:
        directory, name = self._serving.directory, member.agent.name
        if directory.health(name).status is Status.UNHEALTHY:
            return
        found = await directory.found(name)
        for binding in READABLE:
            way = found.ways.get((binding, Revision.V1_0))
            if way is not None:
                target = Target(binding, Revision.V1_0)
                self._spoken[member.key] = member, found, target, way
                return

    async def _page(self, key: str, token: str) -> Mapping[str, Any] | Fault:
        member, found, target, way = self._spoken[key]
        request = self._request
        losses: Losses = []
        document = page_asked({**request.document, "tenant": way.tenant}, self._context, token)
        operation = Operation.LIST_TASKS
        call = calls.call(operation, document, target, losses, extensions=request.extensions)
        agent = found.agent
        cluster = names.service_cluster(names.a2a_service(agent.name))
        asked = asked_of(call, way, agent.headers)
        answer = await self._serving.peers.ask(cluster, asked, agent.timeout_seconds)
        said = Said(answer.status, tuple(answer.headers.items()), answer.body)
        result = replies.read(operation, target, said, {}, losses)
        if isinstance(result, Fault):
            return result
        changed = substitution.in_result(operation, result, shown(member.key))
        if not isinstance(changed, dict):
            return NO_LIST
        return changed
