"""The guards of A2A: what clients may say to agents, and agents to clients.

What clients say stands in the scope `user`, what agents say in `assistant`. docs/a2a.md, "Guards".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.forms.grpc_requests import PACKAGES
from extproc.a2a.forms.losses import Malformed
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.places import MESSAGES
from extproc.a2a.requests import A2aRequest
from extproc.a2a_serving.lengths import Lengths
from extproc.a2a_serving.texts import DOCUMENT, ENVELOPE
from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.llm.shapes import Fields
from extproc.message_texts import rewords, texts_of, unreadable
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.policies.lengths import Measure
from extproc.protocols import json_spans
from extproc.rewording import Reword
from extproc.verdict import Amend, Deny, Verdict
from gateway.a2a import Binding
from gateway.guards import Guard, Phase, TextScope

_SHAPES: Final[Mapping[Binding, Fields]] = {
    Binding.JSONRPC: ENVELOPE,
    Binding.HTTP_JSON: DOCUMENT,
    Binding.GRPC: DOCUMENT,
}
_REWORD_SENT: Final[Mapping[Binding, Reword]] = {
    binding: rewords(shape, TextScope.USER) for binding, shape in _SHAPES.items()
}
_REWORD_SAID: Final[Mapping[Binding, Reword]] = {
    binding: rewords(shape, TextScope.ASSISTANT) for binding, shape in _SHAPES.items()
}


class A2aGuards:
    """Those of a gateway that are for agents."""

    __slots__ = ("_requests", "answers", "lengths", "streams")

    def __init__(self, guards: Sequence[Guard], audits: Audits | None, measure: Measure) -> None:
        self._requests = Guards(guards, audits, measure=measure)
        self.answers = Guards(guards, audits, Phase.RESPONSE, measure, is_whole=True)
        """Who reads what agents say, where it is one document."""
        self.streams = Guards(guards, audits, Phase.RESPONSE, measure)
        """The same of streams, but for how long they are."""
        self.lengths = Lengths(guards, audits or uncounted(), measure)

    def reads_requests(self, facts: Facts, request: A2aRequest) -> bool:
        """Whether somebody reads what this caller says to the agent of `facts.a2a`."""
        is_read = OPERATIONS[request.operation].has_message
        is_read = is_read or request.operation is Operation.CANCEL_TASK  # which has metadata
        return is_read and bool(self._requests.steps_for(facts))

    def reads_answers(self, facts: Facts) -> bool:
        """Whether somebody reads what that agent answers this caller."""
        return bool(self.answers.steps_for(facts))

    def sent(
        self, facts: Facts, request: A2aRequest, body: bytes
    ) -> bytes | Deny | Inquiry[bytes | Deny]:
        """The body of a request as it may go on: the same, or another. Of gRPC with its prefix."""
        is_grpc = request.binding is Binding.GRPC
        text = json_spans.encode(request.document) if is_grpc else body
        if not text.strip():  # of HTTP+JSON, whose path says it all
            return body
        texts = texts_of(request.document, DOCUMENT)
        if isinstance(texts, Deny):
            return texts
        facts.body, facts.texts = text, texts
        facts.reword = _REWORD_SENT[request.binding]
        found = self._requests.on_request(facts)

        def passed(verdict: Verdict) -> bytes | Deny:
            if isinstance(verdict, Deny):
                return verdict
            if not isinstance(verdict, Amend):
                return body
            return _framed(request, verdict.body) if is_grpc else verdict.body

        return found.then(passed) if isinstance(found, Inquiry) else passed(found)


def _framed(request: A2aRequest, text: bytes) -> bytes | Deny:
    name = PACKAGES[request.revision] + MESSAGES[request.revision][request.operation]
    try:
        return grpc_frames.frame(protobuf.encode(name, json_spans.decode(text), []))
    except Malformed as error:
        return unreadable(error)


def shape_of(binding: Binding) -> Fields:
    """What of answers in this binding is text."""
    return _SHAPES[binding]


def reword_of(binding: Binding) -> Reword:
    """How such answers are reworded."""
    return _REWORD_SAID[binding]
