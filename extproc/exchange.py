"""One request and its response: detect → decode → policies in order → plan, then settle.

Decides, and does no I/O. What it holds of a budget it gives back in `on_close` at the latest,
whatever became of the request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from datetime import datetime

from extproc.events import (
    CONTINUE,
    Action,
    Event,
    Forward,
    Other,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Strip,
)
from extproc.facts import Facts
from extproc.llm.openai_chat import reading as openai_chat
from extproc.llm.usage_reader import UsageReader
from extproc.plan import Plan, Steering
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.program import NOT_READY, Program
from extproc.protocols import detect, json_spans
from extproc.protocols.detect import Operation
from extproc.verdict import Amend, Deny
from gateway import names
from gateway.usage import Usage

logger = logging.getLogger(__name__)

_JSON = (("content-type", "application/json"),)
_SUCCESS = range(200, 300)
_TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")
_WITHOUT_WORK = frozenset({"", "via_upstream", "no_healthy_upstream", "cluster_not_found"})
"""RESPONSE_CODE_DETAILS of errors that cost nothing; empty: not told."""
NO_LIMIT = 1 << 62
_WITHOUT_PLAN = Strip((names.PLAN_HEADER,))


class Exchange:
    """Answers Envoy's messages about one HTTP request, in the order in which they come."""

    __slots__ = (
        "_cluster",
        "_facts",
        "_held",
        "_is_answering",
        "_is_closed",
        "_limit_bytes",
        "_plan",
        "_planner",
        "_program",
        "_reader",
        "_received",
        "_steering",
        "is_over",
    )

    def __init__(
        self,
        program: Program,
        now: datetime,
        route: str = "",
        limit_bytes: int = NO_LIMIT,
        steering: Steering = Steering.METADATA,
    ) -> None:
        """`route` names a plain route; on LLM routes it is empty."""
        self._program = program
        self._planner = program.planners[steering]
        self._steering = steering
        self._limit_bytes = limit_bytes
        self._facts = Facts(now=now, route=route)
        self._held: Held = NOTHING_HELD
        self._plan: Plan | None = None
        self._cluster = ""
        self._reader: UsageReader | None = None
        self._received = b""
        self._is_closed = False
        self._is_answering = False
        self.is_over = False
        """Nothing that Envoy may still say can matter: the call may end."""

    def on_event(self, event: Event) -> Action | Awaitable[Action]:
        """What Envoy is to do now; awaitable when the answer needs the world."""
        match event:
            case RequestHeaders():
                return self._on_headers(event)
            case RequestBody():
                return self._on_body(event.body)
            case ResponseHeaders():
                self._on_response(event)
            case ResponseBody():
                self._on_answer(event)
            case ResponseEnd():
                self._settle(event.usage)
            case Other():
                pass
        return CONTINUE

    def let_go(self) -> bool:
        """This worker must leave: whether Envoy can go on alone, with the estimate booked."""
        if self._is_answering:
            self._held.settle_estimate()
        return self._is_answering

    def on_close(self) -> None:
        """The request is over. A provider that may have worked, and did not say how much, costs
        what was estimated.
        """
        self._is_closed = True
        self._held.settle_estimate()

    def _on_headers(self, event: RequestHeaders) -> Action | Awaitable[Action]:
        facts = self._facts
        headers = facts.headers = event.headers
        facts.method = headers.get(":method", "")
        facts.path = headers.get(":path", "")
        facts.source_address = event.source_address
        if facts.route and facts.route not in self._program.routes:
            return self._refuse(NOT_READY)  # Envoy knows more than this program
        decision = self._program.authenticate.on_headers(facts)
        if isinstance(decision, Deny):
            return self._refuse(decision)
        if facts.route:
            return self._on_plain_route()
        match detect.operation(facts.method, facts.path):
            case Operation.CHAT:
                return self._await_body(event)
            case Operation.LIST_MODELS:
                return Respond(200, _JSON, self._program.models_body, "dragoman_models")
            case Operation.GET_MODEL:
                return self._model(detect.model_name(facts.path))
            case Operation.WRONG_METHOD:
                return self._refuse(
                    Deny(405, "method_not_allowed", f"{facts.method} is not allowed here")
                )
            case Operation.UNSUPPORTED:
                path = facts.path.partition("?")[0]
                return self._refuse(Deny(404, "unknown_url", f"unsupported path {path!r}"))

    def _await_body(self, event: RequestHeaders) -> Action:
        if event.is_end:
            return self._refuse(Deny(400, "invalid_json", "the request has no body"))
        encoding = event.headers.get("content-encoding", "identity")
        if encoding != "identity":
            return self._refuse(
                Deny(415, "unsupported_encoding", f"content-encoding {encoding!r} is not accepted")
            )
        # no client may choose a cluster, although the plan's header would replace theirs
        return _WITHOUT_PLAN if self._steering is Steering.HEADER else CONTINUE

    def _model(self, name: str) -> Action:
        if self._planner.plan(name) is None:
            return self._refuse(_unknown_model(name))
        body = openai_chat.encode_model(name, self._program.created)
        return Respond(200, _JSON, body, "dragoman_model")

    def _on_body(self, body: bytes) -> Action | Awaitable[Action]:
        program, facts = self._program, self._facts
        if len(body) > self._limit_bytes:
            return self._refuse(_TOO_LARGE)
        request = openai_chat.decode_request(body)
        if isinstance(request, Deny):
            return self._refuse(request)
        plan = self._planner.plan(request.model)
        if plan is None:
            return self._refuse(_unknown_model(request.model))
        self._plan = plan
        facts.model = request.model
        facts.provider = plan.provider
        facts.is_stream = request.is_stream
        facts.max_output_tokens = request.max_output_tokens
        facts.choices = request.choices
        facts.estimated_input_tokens = openai_chat.estimate_input_tokens(request)
        facts.body = self._received = body
        facts.document = request.document
        texts = openai_chat.read_texts(request.document) if program.reads_texts else ()
        if isinstance(texts, Deny):
            return self._refuse(texts)
        facts.texts = texts
        for policy in program.request_policies:
            verdict = policy.on_request(facts)
            if isinstance(verdict, Deny):
                return self._refuse(verdict)
            if isinstance(verdict, Amend):
                facts.body = verdict.body
        held = program.budgets.begin(facts, plan.dearest)
        if isinstance(held, (Held, Deny)):
            return self._planned(held, request, plan)
        return self._planned_later(held, request, plan)

    async def _planned_later(
        self, held: Awaitable[Held | Deny], request: openai_chat.ChatRequest, plan: Plan
    ) -> Action:
        return self._planned(await held, request, plan)

    def _planned(self, held: Held | Deny, request: openai_chat.ChatRequest, plan: Plan) -> Action:
        if isinstance(held, Deny):
            return self._refuse(held)
        if self._is_closed:
            held.release()
            return CONTINUE
        self._held = held
        self.is_over = held is NOTHING_HELD
        body = self._facts.body
        changes: dict[str, bytes] = {}
        if request.model != plan.model:
            changes["model"] = openai_chat.encode_text(plan.model)
        if held is not NOTHING_HELD and request.is_stream and not request.includes_usage:
            changes["stream_options"] = openai_chat.with_usage(request)
        if changes:
            body = json_spans.replace(body, changes)
        forward = Forward(plan.reply, None if body is self._received else body)
        self._forget_request()
        return forward

    def _forget_request(self) -> None:
        """An answer may stream for long; what was asked need not stay in memory."""
        facts = self._facts
        facts.body = self._received = b""
        facts.document, facts.texts = {}, ()

    def _on_response(self, event: ResponseHeaders) -> None:
        self._cluster = self._tried(event)
        self._is_answering = True
        if event.status not in _SUCCESS:
            if _cost_nothing(event):
                self._held.release()
            else:
                self._held.settle_estimate()
            self.is_over = True

    def _tried(self, event: ResponseHeaders) -> str:
        """The cluster of the last try."""
        plan = self._plan
        if plan is None or not 0 < event.attempt <= len(plan.clusters):
            return event.cluster
        return plan.clusters[event.attempt - 1]

    def _on_answer(self, event: ResponseBody) -> None:
        """Reads the usage where Envoy cannot; the answer passes as it is."""
        reader = self._reader
        if reader is None:
            reader = self._reader = UsageReader()
        reader.feed(event.body)
        if event.is_end:
            reader.end()
        if reader.is_over:
            self._settle(reader.usage)
            self.is_over = True

    def _settle(self, usage: Usage | None) -> None:
        """The answer has said what it cost; silence costs the estimate, in `on_close`."""
        if usage is not None and self._plan is not None:
            self._held.settle(usage, self._plan.prices.get(self._cluster))

    def _on_plain_route(self) -> Action:
        self.is_over = True
        for policy in self._program.header_policies:
            verdict = policy.on_request(self._facts)
            if isinstance(verdict, Deny):
                return self._refuse(verdict)
        credentials = self._facts.credential_headers
        return Strip(credentials) if credentials else CONTINUE

    def _refuse(self, deny: Deny) -> Action:
        facts = self._facts
        logger.info(
            "refused: %d %s: %s",
            deny.status,
            deny.code,
            deny.reason,
            extra={
                "request_id": facts.headers.get("x-request-id", ""),
                "key": facts.key.name if facts.key else "",
                "model": facts.model,
            },
        )
        return Respond(
            deny.status,
            (*_JSON, *deny.headers),
            openai_chat.encode_error(deny),
            f"dragoman_{deny.code}",
        )


def _cost_nothing(event: ResponseHeaders) -> bool:
    """Whether no provider did any work: one refused, or none was ever sent the request.

    A provider that was too slow, or broke off, may have worked, and may ask for its money.
    """
    details = event.details
    return (
        details in _WITHOUT_WORK
        or event.cluster == names.UNPLANNED_CLUSTER
        or "connection_failure" in details
        or details.startswith("ext_proc")
    )


def _unknown_model(name: str) -> Deny:
    shown = name[: openai_chat.MAX_MODEL_CHARACTERS]
    return Deny(404, "model_not_found", f"the model {shown!r} does not exist", param="model")
