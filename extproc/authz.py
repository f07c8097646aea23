"""The ext_authz service: the same identity and rules, for routes whose body nobody reads.

Answers carry `HeaderValue.value`: an Envoy that asks by ext_authz ignores `raw_value`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from envoy_api import message

from extproc.edges.service import Call, Stream
from extproc.facts import Facts
from extproc.llm.openai_chat.reading import READING
from extproc.ports import Clock
from extproc.process import Process
from extproc.program import NOT_READY, Program
from extproc.verdict import Amend, By, Deny, Pass, PolicyKind, Verdict
from gateway import names

logger = logging.getLogger(__name__)

METHOD = "/envoy.service.auth.v3.Authorization/Check"
_PERMISSION_DENIED = 7  # google.rpc.Code
_INTERNAL = 13
_CheckRequest: Any = message("envoy.service.auth.v3.CheckRequest")
_CheckResponse: Any = message("envoy.service.auth.v3.CheckResponse")


class Authorization:
    """Makes the stream of each Check; shares the program of `Process`."""

    def __init__(self, process: Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock

    def __call__(self, call: Call) -> Stream:
        return _CheckStream(call, self._process, self._clock)


class _CheckStream:
    __slots__ = ("_call", "_clock", "_process", "_program")

    def __init__(self, call: Call, process: Process, clock: Clock) -> None:
        self._call = call
        self._process = process
        self._program = process.program
        self._clock = clock

    def on_message(self, message: bytes) -> None:
        facts = _facts(_CheckRequest.FromString(message), self._clock())
        found = NOT_READY if self._program is None else check(self._program, facts)
        if found is None or isinstance(found, Deny):
            self._answer(found, facts)
        else:
            self._process.run(self._answer_later(found, facts))

    def _answer(self, deny: Deny | None, facts: Facts) -> None:
        audits = self._process.audits if self._program is None else self._program.audits
        if deny is not None:
            audits.refused(facts, deny)
        elif audits.is_all:
            audits.passed(facts)
        self._call.send(_denied(deny) if deny else _allowed(facts))
        self._call.end()

    async def _answer_later(self, found: Awaitable[Deny | None], facts: Facts) -> None:
        try:
            self._answer(await found, facts)
        except Exception:
            logger.exception("an answer failed; the request is refused")
            self._call.end(_INTERNAL, "internal error")

    def on_half_close(self) -> None:
        pass

    def on_close(self) -> None:
        pass


def check(program: Program, facts: Facts) -> Deny | Awaitable[Deny | None] | None:
    """Who is it, and may they: the first refusal, or None."""
    if facts.route and facts.route not in program.routes:
        return NOT_READY
    if (hindrance := program.audits.hindrance()) is not None:
        return hindrance
    verdict = program.authenticate.on_headers(facts)
    if isinstance(verdict, Pass | Deny | Amend):
        return _judged(program, verdict, facts)
    return _judged_later(program, verdict, facts)


async def _judged_later(program: Program, verdict: Awaitable[Verdict], facts: Facts) -> Deny | None:
    return _judged(program, await verdict, facts)


def _judged(program: Program, verdict: Verdict, facts: Facts) -> Deny | None:
    if isinstance(verdict, Deny):
        return verdict if verdict.by else replace(verdict, by=By(PolicyKind.IDENTITY))
    for policy in program.header_policies:
        verdict = policy.on_request(facts)
        if isinstance(verdict, Deny):
            return verdict
    return None


def _facts(request: Any, seconds: float) -> Facts:
    attributes = request.attributes
    http = attributes.request.http
    headers = {
        name.lower(): value
        for name, value in http.headers.items()
        if not name.lower().startswith(names.OWN_HEADER_PREFIX)  # its Envoy lets clients send them
    }
    headers.setdefault(":authority", http.host)
    return Facts(
        now=datetime.fromtimestamp(seconds, UTC),
        method=http.method,
        path=http.path,
        headers=headers,
        source_address=attributes.source.address.socket_address.address,
        route=attributes.context_extensions.get(names.ROUTE_EXTENSION, ""),
    )


def _allowed(facts: Facts) -> bytes:
    """The credential was ours to read; the upstream does not see it."""
    removed = {"headers_to_remove": facts.credential_headers}
    response = _CheckResponse(status={"code": 0}, ok_response=removed)
    return bytes(response.SerializeToString())


def _denied(deny: Deny) -> bytes:
    error = READING.encode_error(deny)
    headers = (*error.headers, *deny.headers)
    response = _CheckResponse(
        status={"code": _PERMISSION_DENIED, "message": deny.reason},
        denied_response={
            "status": {"code": deny.status},
            "headers": [{"header": {"key": name, "value": value}} for name, value in headers],
            "body": error.body.decode(),
        },
    )
    return bytes(response.SerializeToString())
