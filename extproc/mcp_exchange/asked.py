"""What both kinds of MCP views share: who asks, and whether what is asked for may be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from msgspec import Struct, structs

from extproc.admission import Admission
from extproc.events import CONTINUE, Action, Respond, ResponseBody, ResponseHeaders, Show
from extproc.facts import Facts, McpCall
from extproc.later import later
from extproc.mcp import headers, messages
from extproc.mcp.lists import BY_METHOD, Allowed, ListKind
from extproc.mcp.messages import Batch, Kind, Message
from extproc.mcp.naming import Target
from extproc.mcp.sessions import Session, is_ours
from extproc.mcp.views import Served, View
from extproc.mcp_serving.overseeing import AskedFor, OverseenAnswer, Overseers
from extproc.mcp_serving.saying import JSON, accepted, fault, refused, unknown, withheld
from extproc.mcp_serving.screening import Screening
from extproc.mcp_serving.serving import Serving
from extproc.mcp_serving.tokens import NOBODY
from extproc.policies.inquiry import Inquiry
from extproc.policies.key_tools import KeyTools
from extproc.program import Program
from extproc.verdict import Deny, PolicyKind

SESSION_NOT_FOUND: Final = Deny(404, "session_not_found", "there is no such session")
"""Clients initialize anew then ("Session Management")."""
POST_ALONE: Final = Deny(405, "method_not_allowed", "POST alone", headers=(("allow", "POST"),))
"""Of what has neither sessions nor streams."""

Answering: TypeAlias = Action | Awaitable[Action]


NO_TOKENS: Mapping[str, str] = MappingProxyType({})


class Caller(Struct):
    """A request, before its body is read."""

    program: Program
    serving: Serving
    view: View
    facts: Facts
    admission: Admission
    binding: str = ""
    """Whom sessions belong to; empty: anybody."""
    tokens: Mapping[str, str] = NO_TOKENS
    """What servers are shown of the caller, by their names."""
    written: bytes = b""
    """The message as the client wrote it: what Envoy has, and sends where it is told no other."""
    unconnected: Mapping[str, Served] = NOBODY
    """Servers of the view that the caller has to agree to first."""

    @property
    def session_id(self) -> str:
        """As the client says it; empty: it says none."""
        return self.facts.headers.get(headers.SESSION_ID, "")

    @property
    def revision(self) -> str:
        """Of the protocol, as the headers say it."""
        return self.facts.headers.get(headers.PROTOCOL_VERSION, "")

    def opened(self) -> Session | None:
        """The session, which we sealed for this caller and this view; None: it is none of those, or
        is over."""
        serving, now = self.serving, int(self.facts.now.timestamp())
        session = serving.views.sealer.open(self.session_id, self.binding)
        if session is None or session.view != self.view.name:
            return None
        is_open = serving.board.use(session.nonce, now, serving.views.idle_seconds)
        return session if is_open else None

    def end(self, session: Session) -> None:
        """The client says that it is over."""
        self.serving.board.end(session.nonce, int(self.facts.now.timestamp()))

    def is_foreign(self) -> bool:
        """The session id is a server's own, and the caller's would be sealed."""
        said = self.session_id
        return bool(said) and bool(self.binding) and not is_ours(said)

    def show(self, *, is_needed: bool) -> Action:
        """Go on with the body; `is_needed`: the status of the answer is to be seen, too."""
        is_counted = self.program.limits.holds_places
        return Show(is_counted) if is_needed or is_counted else CONTINUE

    def admitted(
        self, message: Message, call: McpCall, then: Callable[[Message], Answering]
    ) -> Answering:
        """What comes of a call: why it may not be, or what is done then, with what guards have
        made of it."""
        denied = self.judged(message, call)
        if denied is not None:
            return denied
        return self.guarded(message, call, lambda passed: self.taken(passed, call, then))

    def past_guards(
        self, message: Message, call: McpCall, then: Callable[[Message], Answering]
    ) -> Answering:
        """The same of a call that rules allow."""
        return self.guarded(message, call, lambda passed: self.taken(passed, call, then))

    def taken(
        self, message: Message, call: McpCall, then: Callable[[Message], Answering]
    ) -> Answering:
        """What comes of a call that may be: limits and budgets take of it, or refuse."""
        if not call.name or message.kind is not Kind.REQUEST:
            return then(message)

        def taken(refusal: Deny | None) -> Answering:
            if refusal is None:
                return then(message)
            self.program.audits.refused(self.facts, refusal)
            return refused(refusal, message.raw_id)

        terms = self.serving.terms_of(call.server, call.tool)
        money = 0 if terms is None else terms.price
        found = self.admission.take(self.facts, money, len(message.body))
        return later(found, taken) if isinstance(found, Awaitable) else taken(found)

    def is_counted(self, call: McpCall) -> bool:
        """Whether a call takes something of limits or budgets."""
        if not call.name:
            return False
        terms = self.serving.terms_of(call.server, call.tool)
        return self.program.limits.are_for(self.facts) or (terms is not None and terms.price > 0)

    def guarded(
        self, message: Message, call: McpCall, then: Callable[[Message], Answering]
    ) -> Answering:
        """What comes of it past the guards. An answer to a server that may not go on is an error
        for it, so that it waits no longer."""
        guards, facts = self.program.mcp_guards, self.facts
        facts.mcp = call
        if guards is None or not guards.reads_requests(facts):
            return then(message)

        def passed(found: Message | Deny) -> Answering:
            if not isinstance(found, Deny):
                return then(found)
            self.program.audits.refused(facts, found)
            if message.kind is Kind.NOTIFICATION:
                return accepted()
            asked = asked_for(message, self.facts.headers)
            body = withheld(found, message.raw_id, is_tool=asked.is_tool, is_modern=asked.is_modern)
            if not message.is_answer:
                return Respond(200, JSON, body, f"dragoman_{found.code}")
            told = messages.read(body)
            return then(told) if isinstance(told, Message) else accepted()

        judged = guards.sent(facts, message)
        if isinstance(judged, Inquiry):
            return later(self.program.inquirer.settled(judged), passed)
        return passed(judged)

    def wants_definition(self, call: McpCall) -> bool:
        """Whether guards have to know the tool as its server lists it."""
        guards = self.program.mcp_guards
        if guards is None:
            return False
        return guards.wants_definition(structs.replace(self.facts, mcp=call))

    def reads_answers(self, server: str) -> bool:
        """Whether guards, or rules of responses, may have to read what it says."""
        if not self._has_overseers:
            return False
        facts, guards = self._facts_of(server), self.program.mcp_guards
        if guards is not None and guards.may_read_answers(facts):
            return True
        return self._is_read(facts) or self._is_introduced(facts)

    @property
    def _has_overseers(self) -> bool:
        return self.program.mcp_guards is not None or self.program.rules.late is not None

    def _is_read(self, facts: Facts) -> bool:
        guards, rules = self.program.mcp_guards, self.program.rules.late
        is_ruled = rules is not None and rules.are_for(facts)
        return is_ruled or (guards is not None and guards.reads_answers(facts))

    def _is_introduced(self, facts: Facts) -> bool:
        """Whether guards read what a server lists, and says of itself."""
        guards = self.program.mcp_guards
        return guards is not None and guards.definitions.are_read(facts)

    def screen(self) -> Screening | None:
        """What stands between what servers list and the client; None: nothing."""
        guards = self.program.mcp_guards
        if guards is None or not guards.definitions.is_any:
            return None
        return Screening(guards.definitions, self.program.inquirer, self._facts_of)

    def screens(self, server: str) -> bool:
        """Whether something of what it lists may be withheld."""
        return self.program.mcp_guards is not None and self._is_introduced(self._facts_of(server))

    def reads_requests(self, server: str) -> bool:
        """Whether guards read what this caller says to it."""
        guards = self.program.mcp_guards
        return guards is not None and guards.reads_requests(self._facts_of(server))

    def overseen(
        self, servers: Iterable[str], message: Message | None = None
    ) -> OverseenAnswer | None:
        """The answer of one of these, past the guards that read it; None: nobody does. `message`:
        what is answered; None: nothing, it is a stream."""
        if not self._has_overseers:
            return None
        facts = [each for each in map(self._facts_of, servers) if self._is_seen(each, message)]
        if not facts:
            return None
        program = self.program
        overseers = Overseers(
            program.mcp_guards, program.rules.late, program.inquirer, program.audits
        )
        asked = AskedFor() if message is None else asked_for(message, self.facts.headers)
        return OverseenAnswer(overseers, facts, asked)

    def _is_seen(self, facts: Facts, message: Message | None) -> bool:
        if message is None and not self.view.is_federated:  # a list may come in a later stream
            return self._is_read(facts) or self._is_introduced(facts)
        if message is not None and message.method in UNREAD:
            return self._is_introduced(facts)
        return self._is_read(facts)

    def _facts_of(self, server: str) -> Facts:
        call = self.facts.mcp or McpCall("", view=self.view.name)
        return structs.replace(self.facts, mcp=structs.replace(call, server=server))

    def held(self, message: Message, call: McpCall) -> Respond | None:
        """Why a tool may not be called by anybody, since its definition has changed."""
        pinning = self.serving.pinning
        deny = None if pinning is None else pinning.refusal(call.server, call.tool)
        if deny is None:
            return None
        self.facts.mcp = call
        self.program.audits.refused(self.facts, deny)
        return refused(deny, message.raw_id)

    def withheld(self, message: Message, call: McpCall, deny: Deny) -> Respond:
        """A guard has taken out the definition of a tool: for clients, there is no such tool."""
        self.facts.mcp = call
        reason = f"the tool '{call.tool}' of '{call.server}' is withheld: {deny.reason}"
        refusal = Deny(403, "tool_withheld", reason, by=deny.by)
        self.program.audits.refused(self.facts, refusal)
        if self.serving.views.denies_as_unknown:
            return fault(unknown(message))
        return refused(refusal, message.raw_id)

    def judged(self, message: Message, call: McpCall) -> Respond | None:
        """Why it may not be; None: it may."""
        self.facts.mcp = call
        if (lacking := self._lacking(call)) is not None:
            self.program.audits.refused(self.facts, lacking, PolicyKind.IDENTITY)
            return refused(lacking, message.raw_id)
        denied = self.program.mcp_refusal(self.facts)
        if denied is None:
            return None
        self.program.audits.refused(self.facts, denied)
        if call.name and self.serving.views.denies_as_unknown:
            return fault(unknown(message))
        return refused(denied, message.raw_id)

    def _lacking(self, call: McpCall) -> Deny | None:
        """What a token would need for that."""
        if (protection := self.serving.protection) is None:
            return None
        is_modern = headers.is_modern(self.revision)
        return protection.permitted(self.facts.principal, call, is_modern=is_modern)

    def shows(self, kind: ListKind) -> Allowed | None:
        """Which entries of a list the caller sees; None: all of them."""
        rules, keys = self.program.rules.of_entries, self._key_tools(kind)
        if not rules.is_any and keys is None:
            return None
        facts, view = self.facts, self.view.name
        method, member = _USES[kind]

        def is_shown(target: Target) -> bool:
            call = McpCall(method, target.server, view=view)
            facts.mcp = structs.replace(call, **{member: target.name})
            if keys is not None and isinstance(keys.on_request(facts), Deny):
                return False
            return not isinstance(rules.on_request(facts), Deny)

        return is_shown

    def _key_tools(self, kind: ListKind) -> KeyTools | None:
        """None: nothing of the list depends on the key."""
        who = self.facts.principal
        is_for_some = kind is ListKind.TOOLS and who is not None and bool(who.tools)
        return self.program.key_tools if is_for_some else None


_USES: Final = {
    ListKind.TOOLS: ("tools/call", "tool"),
    ListKind.PROMPTS: ("prompts/get", "prompt"),
    ListKind.RESOURCES: ("resources/read", "resource"),
    ListKind.TEMPLATES: ("resources/read", "resource"),
    ListKind.TASKS: ("tasks/get", "task"),
}
"""By which method an entry of a list is asked for, and which fact names it."""


UNREAD: Final = frozenset(
    {"initialize", "ping", "server/discover", "logging/setLevel", *BY_METHOD}
) - {"tasks/list"}
"""Methods of whose requests guards read nothing, and of whose answers what servers say of
themselves."""


def asked_for(message: Message, head: Mapping[str, str]) -> AskedFor:
    """What an answer to this message is told by."""
    is_modern = headers.is_modern(headers.revision(head, message))
    is_task, is_unread = "task" in message.params, message.method in UNREAD
    return AskedFor(message.method, message.raw_id, is_modern, is_task, is_unread)


class Talk(Protocol):
    """One request to one view."""

    is_over: bool
    """Nothing that Envoy may still say can matter."""
    timeout_seconds: float | None
    """For the answer to what was sent on; None: as long as it likes."""

    def on_headers(self, method: str) -> Answering:
        """`POST`: go on with the body. Else all that there is to do."""

    def on_message(self, message: Message) -> Answering: ...

    def on_batch(self, batch: Batch) -> Answering: ...

    def on_response(self, event: ResponseHeaders) -> Answering: ...

    def on_answer(self, event: ResponseBody) -> Answering: ...

    def give_up(self) -> None:
        """The time of the call is over: its server is told."""

    def on_close(self) -> None:
        """The request is over, whether it was answered or not."""


def call_of(message: Message, server: str, name: str, view: str) -> McpCall:
    """What is asked of a server; `name` as the server calls it."""
    method, arguments = message.method, message.arguments
    match method:
        case "tools/call":
            return McpCall(method, server, tool=name, arguments=arguments, view=view)
        case "prompts/get":
            return McpCall(method, server, prompt=name, arguments=arguments, view=view)
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            return McpCall(method, server, resource=name, view=view)
        case "completion/complete":
            if is_of_prompt(message):
                return McpCall(method, server, prompt=name, view=view)
            return McpCall(method, server, resource=name, view=view)
        case _ if method.startswith("tasks/") and name:
            return McpCall(method, server, task=name, view=view)
    return McpCall(method, view=view)


def is_of_prompt(message: Message) -> bool:
    """Whether `completion/complete` asks about a prompt; else about a resource, or a template. A
    reference can have members of both: its type says which one counts."""
    return message.members("ref").get("type") == "ref/prompt"


def named(message: Message) -> str:
    """What the message asks for, as the client calls it; empty: nothing that has a name."""
    match message.method:
        case "tools/call" | "prompts/get":
            return message.name
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            return message.uri
        case "completion/complete":
            said = message.members("ref").get("name" if is_of_prompt(message) else "uri")
            return said if isinstance(said, str) else ""
        case method if method.startswith("tasks/"):
            return message.task_id
    return ""
