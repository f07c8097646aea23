"""The guards of MCP: what clients may say to servers, and servers to clients.

Results and arguments are told apart by where texts stand: `tool_input` is what clients say,
`tool_output` what servers do. docs/mcp.md, "Guardrails".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_serving.definitions import Definitions
from extproc.mcp_serving.forms import McpForms
from extproc.mcp_serving.screening import screened
from extproc.mcp_serving.texts import SAID, SENT, rewords, texts_of, unreadable
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.policies.lengths import Measure
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Amend, Deny, Verdict
from gateway.guards import Guard, Phase, TextScope

_REWORD_SENT = rewords(SENT, TextScope.TOOL_INPUT)
_REWORD_SAID = rewords(SAID, TextScope.TOOL_OUTPUT)
_OUTPUT = frozenset({TextScope.TOOL_OUTPUT})


class McpGuards:
    """Those of a gateway that are for MCP servers."""

    __slots__ = ("_answers", "_forms", "_requests", "definitions")

    def __init__(self, guards: Sequence[Guard], audits: Audits | None, measure: Measure) -> None:
        self._forms = McpForms(guards, audits or uncounted())
        self._requests = Guards(guards, audits, measure=measure)
        of_answers = [each for each in guards if each.terms.reads_any(_OUTPUT)]
        self._answers = Guards(of_answers, audits, Phase.RESPONSE, measure, is_whole=True)
        self.definitions = Definitions(guards, audits, measure)
        """Those of what servers list, and say of themselves."""

    def reads_requests(self, facts: Facts) -> bool:
        """Whether somebody reads what this caller says to the server of `facts.mcp`."""
        return bool(self._requests.steps_for(facts)) or self._forms.reads_requests(facts)

    def reads_answers(self, facts: Facts) -> bool:
        """Whether somebody reads what that server says to this caller."""
        return bool(self._answers.steps_for(facts)) or self._forms.reads_answers(facts)

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
        found = self._requests.on_request(facts)

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
            return text
        texts = texts_of(document, SAID)
        if isinstance(texts, Deny):
            return texts
        facts = structs.replace(facts, body=text, texts=texts, reword=_REWORD_SAID)
        found = self._answers.on_request(facts)

        def passed(verdict: Verdict) -> bytes | Deny:
            if isinstance(verdict, Deny):
                return verdict
            return verdict.body if isinstance(verdict, Amend) else text

        return found.then(passed) if isinstance(found, Inquiry) else passed(found)


def read(text: bytes) -> Mapping[str, object] | Deny:
    """A message of a server, decoded."""
    try:
        return json_spans.decode(text)
    except (InvalidJson, UnicodeDecodeError) as error:
        return unreadable(error)
