"""The request's half of an exchange on the LLM API: what is asked for, whether it may be, and where
it goes.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, TypeAlias

from extproc.answering import Waiting
from extproc.events import CONTINUE, Continue, Forward, Respond, Strip
from extproc.facts import Facts
from extproc.llm.dialect import Asked, Call
from extproc.llm.dialects import COUNTING, FAMILIES, HANDLINGS, PASSED, UNREAD, Handling
from extproc.llm.openai_chat import reading as openai_models
from extproc.plan import NotOffered, Plan, Steering, Wanted
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.program import Program
from extproc.protocols import json_spans
from extproc.saying import Forwarded, Question
from extproc.verdict import Amend, Deny
from gateway import names
from gateway.apis import Found, WrongMethod
from gateway.model import Dialect
from gateway.operations import Operation

_JSON = (("content-type", "application/json"),)
_TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")
_WITHOUT_PLAN = Strip((names.PLAN_HEADER,))
_LONGEST_SHOWN = 256
_LONGEST_ID = 64


class Ready(NamedTuple):
    """The request goes on."""

    plan: Plan
    held: Held
    forward: Forward


Decision: TypeAlias = Continue | Strip | Respond | Deny | Ready


class Asking:
    """One request: `find`, `on_headers`, and `on_body` where it has one that is read."""

    __slots__ = (
        "_call",
        "_facts",
        "_limit_bytes",
        "_planner",
        "_program",
        "_received",
        "_steering",
        "found",
    )

    def __init__(
        self, program: Program, facts: Facts, steering: Steering, limit_bytes: int
    ) -> None:
        self._program = program
        self._facts = facts
        self._planner = program.planners[steering]
        self._steering = steering
        self._limit_bytes = limit_bytes
        self._received = b""
        self._call: Call | None = None
        self.found: Found | WrongMethod | None = None
        """What the request line asks for."""

    @property
    def dialect(self) -> Dialect | None:
        """In which the client expects to be refused."""
        return FAMILIES[self.found.family] if isinstance(self.found, Found) else None

    def find(self) -> None:
        self.found = self._program.paths.find(self._facts.method, self._facts.path)

    def on_headers(self, *, is_end: bool) -> Decision | Awaitable[Decision]:
        """The caller is known."""
        found, facts = self.found, self._facts
        if found is None:
            return _unknown_path(facts.path)
        if isinstance(found, WrongMethod):
            return Deny(405, "method_not_allowed", f"{facts.method} is not allowed here")
        if found.operation is Operation.MODELS:
            body = openai_models.encode_models(self._program.models, self._program.created)
            return Respond(200, _JSON, body, "dragoman_models")
        if found.operation is Operation.MODEL:
            return self._model(found.model)
        if found.operation in UNREAD:
            return self._unread(found)
        if is_end:
            return Deny(400, "invalid_json", "the request has no body")
        encoding = facts.headers.get("content-encoding", "identity")
        if encoding != "identity":
            reason = f"content-encoding {encoding!r} is not accepted"
            return Deny(415, "unsupported_encoding", reason)
        # no client may choose a cluster, although the plan's header would replace theirs
        return _WITHOUT_PLAN if self._steering is Steering.HEADER else CONTINUE

    def on_body(self, body: bytes) -> Decision | Awaitable[Decision]:
        """The whole body is there."""
        found, facts = self.found, self._facts
        if len(body) > self._limit_bytes:
            return _TOO_LARGE
        if not isinstance(found, Found) or found.operation not in HANDLINGS:
            return CONTINUE  # it was refused, or has been sent on without being read
        handled = HANDLINGS[found.operation]
        call = handled.reading.decode(body, found.model, is_stream=found.is_stream)
        if isinstance(call, Deny):
            return call
        self._call = call
        wanted = Wanted(found.operation, call.is_stream, facts.path)
        plan = self._planner.plan(call.model, wanted)
        if plan is None:
            return _unknown_model(call.model)
        if isinstance(plan, NotOffered) and found.operation not in COUNTING:
            return _not_offered(call.model, found.operation)
        self._received = facts.body = body
        facts.provider = plan.providers[0]
        fault = self._learn(call, handled) or self._judge()
        if fault is not None:
            return fault
        if isinstance(plan, NotOffered):
            count = COUNTING[found.operation](facts.estimated_input_tokens)
            return Respond(200, _JSON, count, "dragoman_count")
        return self._planned(plan, call, wanted, handled)

    def waiting(self) -> Waiting:
        """Who waits for the answer."""
        found = self.found
        handled = HANDLINGS.get(found.operation, PASSED) if isinstance(found, Found) else PASSED
        is_read_by_envoy = handled.is_read_by_envoy and self._steering is Steering.METADATA
        return Waiting(handled, self._asked(), self._facts.is_stream, is_read_by_envoy)

    def _asked(self) -> Asked:
        facts, call = self._facts, self._call
        request_id = facts.headers.get("x-request-id", "")
        is_plain = request_id.isascii() and request_id.replace("-", "").isalnum()
        seconds = facts.now.timestamp()
        return Asked(
            facts.model,
            request_id[:_LONGEST_ID] if is_plain else f"{seconds * 1e6:.0f}",
            int(seconds),
            call is None or call.tells_usage,
            {} if call is None else call.document,
        )

    def forget_request(self) -> None:
        """An answer may stream for long; what was asked need not stay in memory."""
        facts = self._facts
        facts.body = self._received = b""
        facts.document, facts.texts = {}, ()
        self._call = None

    def _unread(self, found: Found) -> Deny | Ready:
        """Nothing of it is looked at but its headers."""
        facts = self._facts
        plan = self._planner.anybody(Wanted(found.operation, False, facts.path, is_read=False))
        if plan is None:
            return Deny(404, "operation_not_offered", f"no provider offers {found.operation}")
        facts.provider = plan.providers[0]
        return self._judge() or Ready(plan, NOTHING_HELD, Forward(plan.reply, None))

    def _model(self, name: str) -> Respond | Deny:
        if not self._planner.knows(name):
            return _unknown_model(name)
        body = openai_models.encode_model(name, self._program.created)
        return Respond(200, _JSON, body, "dragoman_model")

    def _learn(self, call: Call, handled: Handling) -> Deny | None:
        """Fill in the facts that policies read."""
        facts, reading = self._facts, handled.reading
        facts.model = call.model
        facts.is_stream = call.is_stream
        facts.max_output_tokens = call.max_output_tokens
        facts.choices = call.choices
        facts.estimated_input_tokens = reading.estimate_input_tokens(call)
        facts.document = call.document
        facts.reword = reading.reword
        if self._program.reads_texts:
            texts = reading.texts(call.document)
            if isinstance(texts, Deny):
                return texts
            facts.texts = texts
        return None

    def _judge(self) -> Deny | None:
        facts = self._facts
        for policy in self._program.request_policies:
            verdict = policy.on_request(facts)
            if isinstance(verdict, Deny):
                return verdict
            if isinstance(verdict, Amend):
                facts.body = verdict.body
        return None

    def _planned(
        self, plan: Plan, call: Call, wanted: Wanted, handled: Handling
    ) -> Decision | Awaitable[Decision]:
        body = self._facts.body
        if plan.is_foreign and body is not self._received:  # masked: read what it says now
            decoded = handled.reading.decode(body, call.model, is_stream=call.is_stream)
            if isinstance(decoded, Deny):
                return decoded
            call = decoded
        said = self._program.sayers[self._steering].say(plan, Question(call, body, wanted, handled))
        if isinstance(said, Deny):
            return said
        held = self._program.budgets.begin(self._facts, said.plan.dearest)
        if isinstance(held, (Held, Deny)):
            return self._ready(held, said, handled)
        return self._ready_later(held, said, handled)

    async def _ready_later(
        self, held: Awaitable[Held | Deny], said: Forwarded, handled: Handling
    ) -> Decision:
        return self._ready(await held, said, handled)

    def _ready(self, held: Held | Deny, said: Forwarded, handled: Handling) -> Deny | Ready:
        if isinstance(held, Deny):
            return held
        (plan, body), call = said, self._call
        is_own = plan.forwarded.dialect is handled.dialect
        if held is not NOTHING_HELD and is_own and call is not None and not call.tells_usage:
            body = json_spans.replace(body, handled.reading.ask_usage(call))
        return Ready(plan, held, Forward(plan.reply, None if body is self._received else body))


def _unknown_path(path: str) -> Deny:
    return Deny(404, "unknown_url", f"unsupported path {path.partition('?')[0]!r}")


def _unknown_model(name: str) -> Deny:
    reason = f"the model {name[:_LONGEST_SHOWN]!r} does not exist"
    return Deny(404, "model_not_found", reason, param="model")


def _not_offered(model: str, operation: Operation) -> Deny:
    reason = f"no provider of the model {model[:_LONGEST_SHOWN]!r} offers {operation}"
    return Deny(400, "operation_not_offered", reason, param="model")
