"""The guards of MCP: what clients may say to servers, and servers to clients.

Results and arguments are told apart by where texts stand: `tool_input` is what clients say,
`tool_output` what servers do. docs/mcp.md, "Guardrails".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.mcp import messages
from extproc.mcp.messages import Kind, Message
from extproc.mcp_serving.definitions import Definitions
from extproc.mcp_serving.forms import McpForms
from extproc.mcp_serving.screening import screened
from extproc.mcp_serving.texts import SAID, SENT
from extproc.message_texts import rewords, texts_of, unreadable
from extproc.policies.guard import Guards, Masking
from extproc.policies.inquiry import Inquiry
from extproc.policies.lengths import Measure
from extproc.policies.tokenising import restoring
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Amend, Deny, Verdict
from gateway.guards import DetectionAction, DetectionGuard, Guard, Phase, TextScope

_REWORD_SENT = rewords(SENT, TextScope.TOOL_INPUT)
_REWORD_SAID = rewords(SAID, TextScope.TOOL_OUTPUT)
_OUTPUT = frozenset({TextScope.TOOL_OUTPUT})


class McpGuards:
    """Those of a gateway that are for MCP servers."""

    __slots__ = ("_answers", "_forms", "_replies", "_requests", "definitions")

    def __init__(self, guards: Sequence[Guard], audits: Audits | None, measure: Measure) -> None:
        self._forms = McpForms(guards, audits or uncounted())
        self._requests = Guards(guards, audits, measure=measure)
        self._replies = self._requests
        """The same of what has no answer, in which nothing could be put back."""
        if self._requests.is_tokenising:
            self._replies = Guards([*map(_masked, guards)], audits, measure=measure)
        of_answers = [each for each in guards if each.terms.reads_any(_OUTPUT)]
        self._answers = Guards(of_answers, audits, Phase.RESPONSE, measure, is_whole=True)
        self.definitions = Definitions(guards, audits, measure)
        """Those of what servers list, and say of themselves."""

    def reads_requests(self, facts: Facts) -> bool:
        """Whether somebody reads what this caller says to the server of `facts.mcp`."""
        return bool(self._requests.steps_for(facts)) or self._forms.reads_requests(facts)

    def reads_answers(self, facts: Facts) -> bool:
        """Whether somebody reads what that server says to this caller, or puts values back."""
        is_restored = facts.tokens is not None
        is_read = bool(self._answers.steps_for(facts)) or self._forms.reads_answers(facts)
        return is_restored or is_read

    def may_read_answers(self, facts: Facts) -> bool:
        """The same before the body of the request is known."""
        steps = self._requests.steps_for(facts) if self._requests.is_tokenising else ()
        return any(step.is_tokenising for step in steps) or self.reads_answers(facts)

    def wants_definition(self, facts: Facts) -> bool:
        """Whether some judge by the tool's own schemas, which `facts.mcp` must have."""
        return self._forms.wants_definition(facts)

    def sent(self, facts: Facts, message: Message) -> Message | Deny | Inquiry[Message | Deny]:
        """A message of a client, as it may go on. Forms are judged first, as it came."""
        denied = self._forms.sent(facts, message)
        if denied is not None:
            return denied
        if not self._requests.is_any:
            return message
        document: Mapping[str, object] = {"params": message.params} if message.params else {}
        if message.is_answer:
            document = json_spans.decode(message.body)  # it was read before
        texts = texts_of(document, SENT)
        if isinstance(texts, Deny):
            return texts
        facts.body, facts.texts, facts.reword = message.body, texts, _REWORD_SENT
        is_request = message.kind is Kind.REQUEST
        found = (self._requests if is_request else self._replies).on_request(facts)

        def passed(verdict: Verdict) -> Message | Deny:
            if isinstance(verdict, Deny):
                return verdict
            if not isinstance(verdict, Amend):
                return message
            changed = messages.read(verdict.body)
            assert isinstance(changed, Message), "texts alone have changed"
            return changed

        return found.then(passed) if isinstance(found, Inquiry) else passed(found)

    def introduced(
        self, facts: Facts, text: bytes, document: Mapping[str, object]
    ) -> bytes | Deny | Inquiry[bytes | Deny]:
        """The same of what a server lists, or says of itself, as far as that is in it."""
        if not self.definitions.are_read(facts):
            return text
        return screened(self.definitions, facts, text, document)

    def said(
        self, facts: Facts, text: bytes, document: Mapping[str, object]
    ) -> bytes | Deny | Inquiry[bytes | Deny]:
        """A message of a server, as it may go on. `document`: the same, decoded."""
        denied = self._forms.said(facts, document)
        if denied is not None:
            return denied
        if not self._answers.is_any:
            return restored(facts, text)
        texts = texts_of(document, SAID)
        if isinstance(texts, Deny):
            return texts
        facts = structs.replace(facts, body=text, texts=texts, reword=_REWORD_SAID)
        found = self._answers.on_request(facts)

        def passed(verdict: Verdict) -> bytes | Deny:
            if isinstance(verdict, Deny):
                return verdict
            return restored(facts, verdict.body if isinstance(verdict, Amend) else text)

        return found.then(passed) if isinstance(found, Inquiry) else passed(found)


def restored(facts: Facts, text: bytes) -> bytes | Deny:
    """What a server says, with the values for which it was shown tokens."""
    if facts.tokens is None:
        return text
    step = restoring(facts.tokens)
    if step.finder is None or step.rewrite is None:
        return text
    reworded = _REWORD_SAID(text, Masking(step, step.finder, step.rewrite))
    if isinstance(reworded, Deny):
        return reworded
    return json_spans.replace(text, reworded.values) if reworded.values else text


def _masked(guard: Guard) -> Guard:
    """A guard that masks what it would put back."""
    if isinstance(guard, DetectionGuard) and guard.action is DetectionAction.TOKENISE:
        return replace(guard, action=DetectionAction.MASK)
    return guard


def read(text: bytes) -> Mapping[str, object] | Deny:
    """A message of a server, decoded."""
    try:
        return json_spans.decode(text)
    except (InvalidJson, UnicodeDecodeError) as error:
        return unreadable(error)
