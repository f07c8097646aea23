"""How many messages a request costs Python, read from the compiled ext_proc filters themselves.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_proc/v3/processing_mode.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.model import Route
from xds_server.llm_answers import LlmAnswers, PassedAnswers

Json: TypeAlias = Mapping[str, Any]


class Caller(StrEnum):
    """What opens a call to Python."""

    LLM = "an LLM route"
    PLAIN = "a plain route"
    TRY = "a try at a provider"
    MCP = "a route of MCP servers"
    A2A = "a route of A2A agents"
    AUTHORIZATION = "a route of an authorization server"
    LOGIN = "a route of people who log in"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that Envoy shows, and waits for the answer."""

    name: str
    """`request headers`, `request body`, …"""
    is_each_part: bool
    """One message for each piece that arrives, not one for all."""
    is_certain: bool
    """Every request costs it that passes the checks and is answered."""
    when: str
    why: str


ALWAYS = "always"
_OF_TRAILERS = "of answers that have trailers"

_SENT = ("SEND", "BUFFERED", "BUFFERED_PARTIAL", "STREAMED", "FULL_DUPLEX_STREAMED", "GRPC")
_IN_PARTS = ("STREAMED", "FULL_DUPLEX_STREAMED", "GRPC")

_FIELDS: tuple[tuple[str, str, str], ...] = (  # in the order in which they come
    ("request_header_mode", "SEND", "request headers"),
    ("request_body_mode", "NONE", "request body"),
    ("request_trailer_mode", "SKIP", "request trailers"),
    ("response_header_mode", "SEND", "response headers"),
    ("response_body_mode", "NONE", "response body"),
    ("response_trailer_mode", "SKIP", "response trailers"),
)
"""Field of the processing mode, what its default means, and what it shows."""

_OVER = "that it is over, for a limit of requests that are open at once"
_JUDGING = "whether the rules allow the response"
_JUDGED = "when a rule of responses is for it"
_LOGGED_OUT = "when an issuer posts who has logged out"
_POSTED = "when a client registers, or asks for a token"
_IN_PLACE = "when a limit of open requests applies"
_REASONS: Mapping[tuple[Caller, str], str] = {
    (Caller.LLM, "request headers"): "who asks, and for what",
    (Caller.LLM, "request body"): "the model, what the checks read, and the plan of tries",
    (Caller.PLAIN, "request headers"): "who asks, and whether the rules allow it",
    (Caller.LLM, "response headers"): _JUDGING,
    (Caller.PLAIN, "response headers"): _JUDGING,
    (Caller.LLM, "response trailers"): _OVER,
    (Caller.PLAIN, "response trailers"): _OVER,
    (Caller.TRY, "request headers"): "which provider is tried",
    (Caller.MCP, "request headers"): "who asks, and in which session",
    (
        Caller.MCP,
        "request body",
    ): "what is asked for, whether it may be, and of which server",
    (Caller.A2A, "request headers"): "who asks, and which agent",
    (Caller.A2A, "request body"): "what is asked of it, and whether it may be",
    (Caller.AUTHORIZATION, "request headers"): "which of its endpoints is asked for",
    (Caller.AUTHORIZATION, "request body"): "who registers, or wants a token",
    (Caller.LOGIN, "request headers"): "who is back, or goes; it is answered there",
    (Caller.LOGIN, "request body"): "whom the issuer has logged out",
    (Caller.TRY, "request body"): "to say it as this provider wants it: its model, its dialect",
}
_READ_TYPES = "JSON, text, forms and event streams"
_NO_REASON = "because the operator's own resource says so"

_BUDGETED = "when a budget applies"
_LIMITED = "when a limit of tokens applies"
_EITHER = "when a budget or a limit of tokens applies"

STREAM_LOG = "stream log"
"""After the end, and beside the call: nobody waits for it."""
_GUARDED = "of a conversation, when a guard that reads answers is for it"
_USAGE = "the usage, which Envoy cannot read itself"
_UPLOADING = "when an upload begins"
_TELLING = "when a batch is made, looked up, cancelled, or its results are fetched"


def mode_of(filter_config: Json | None, per_route: Json | None) -> Json | None:
    """The processing mode that holds on a route; None: Python is not asked there.

    An override takes the place of the whole mode, not of single fields.
    """
    if filter_config is None or (per_route or {}).get("disabled"):
        return None
    overridden = (per_route or {}).get("overrides", {}).get("processing_mode")
    mode: Json = filter_config.get("processing_mode", {}) if overridden is None else overridden
    return mode


def messages(mode: Json | None, caller: Caller) -> tuple[Message, ...]:
    """What is shown under a mode, in order."""
    if mode is None:
        return ()
    return tuple(
        Message(
            name,
            mode.get(field) in _IN_PARTS,
            name != "response trailers",
            _OF_TRAILERS if name == "response trailers" else ALWAYS,
            _REASONS.get((caller, name), _NO_REASON),
        )
        for field, default, name in _FIELDS
        if mode.get(field, default) in _SENT
    )


_READ_BODY = Message(
    "request body",
    False,
    False,
    "of JSON, text and forms, when a guard is for the request",
    "what guards look for, in it and in the query",
)
_READ_ANSWERS = "when a guard that reads answers is for the request"


def answered(route: Route, shown: tuple[Message, ...], *, is_certain: bool) -> tuple[Message, ...]:
    """The same on a plain route, where extproc asks for what guards may read itself, and answers
    are shown that some rule is for. `is_certain`: rules are for each."""
    if route.guarded.requests:
        shown = (*shown[:1], _READ_BODY, *shown[1:])
    if not route.guarded.answers:
        return judged(shown, is_certain=is_certain)
    is_judged = route.is_answer_judged
    when = ALWAYS if is_certain else "; ".join([*[_JUDGED] * is_judged, _READ_ANSWERS])
    why = "; ".join([*[_JUDGING] * is_judged, "whether guards look at it"])
    looking = "what guards look for, in the whole or event by event"
    flowing = f"{_READ_ANSWERS}: of event streams that have trailers"
    ends = [each for each in shown if each.name == "response trailers"]
    return (
        *(each for each in shown if each.name.startswith("request ")),
        Message("response headers", False, is_certain, when, why),
        Message("response body", True, False, f"{_READ_ANSWERS}: of {_READ_TYPES}", looking),
        *(ends or [Message("response trailers", False, False, flowing, looking)]),
    )


def judged(shown: tuple[Message, ...], *, is_certain: bool) -> tuple[Message, ...]:
    """The same, where an answer is shown that some rule is for."""
    return tuple(
        replace(each, is_certain=False, when=_JUDGED)
        if each.name == "response headers" and not is_certain
        else each
        for each in shown
    )


def authorization_messages(mode: Json | None) -> tuple[Message, ...]:
    """Of a route at which MCP clients find an authorization server."""
    return tuple(
        replace(each, is_certain=False, when=_POSTED) if each.name == "request body" else each
        for each in messages(mode, Caller.AUTHORIZATION)
    )


def login_messages(mode: Json | None) -> tuple[Message, ...]:
    """Of a route at which people log in, or out, or their issuer says so."""
    return tuple(
        replace(each, is_certain=False, when=_LOGGED_OUT) if each.name == "request body" else each
        for each in messages(mode, Caller.LOGIN)
    )


_OF_BATCHES = Message(
    "request body", False, False, "of a batch of messages that is made", "what guards look for"
)


def batch_messages(mode: Json | None, answers: PassedAnswers) -> tuple[Message, ...]:
    """The same on a route of files or batches, whose requests nobody reads, but for guards.

    Of the answers those are shown that tell who has made a batch, or what it cost, and those that
    rules are for.
    """
    shown = judged(messages(mode, Caller.LLM), is_certain=answers.is_always_judged)
    shown = tuple(_OF_BATCHES if each.name == _OF_BATCHES.name else each for each in shown)
    if answers.is_uploaded:
        status = _passed_status(answers, _UPLOADING, "where it goes on, which is told as ours")
        return tuple(status if each.name == status.name else each for each in shown)
    if not answers.is_counted or all(each.name != "response headers" for each in shown):
        return shown
    status = _passed_status(answers, _TELLING, "whether it is to be counted")
    why = "who has made a batch, and what it has used"
    body = Message("response body", True, False, f"{_TELLING}, with 2xx", why)
    return (*(status if each.name == status.name else each for each in shown), body)


def _passed_status(answers: PassedAnswers, when: str, why: str) -> Message:
    whens, whys = [when], [why]
    if answers.is_judged:
        whens, whys = [_JUDGED, when], [_JUDGING, why]
    if answers.is_always_judged:
        whens = [ALWAYS]
    is_certain = answers.is_always_judged
    return Message("response headers", False, is_certain, "; ".join(whens), "; ".join(whys))


def llm_messages(mode: Json | None, answers: LlmAnswers) -> tuple[Message, ...]:
    """The same on a route of the LLM API whose bodies are read.

    Of the answer only what extproc waits for: it ends its call where it does not, and asks for the
    body by a mode of its own where it does.
    """
    shown = {each.name: each for each in messages(mode, Caller.LLM)}
    found = [each for name, each in shown.items() if name.startswith("request ")]
    status = _status(answers)
    if "response headers" not in shown or status is None:
        return tuple(found)
    found.append(status)
    found += filter(None, [_body(answers)])
    is_read = answers.is_counted and answers.is_usage_read and answers.own
    if is_read and "response trailers" in shown:
        why = "the usage, which Envoy has read as the answer passed"
        when = f"{_counted(answers)}, with 2xx"
        found.append(replace(shown["response trailers"], is_certain=False, when=when, why=why))
        found.append(_logged(answers))
    elif answers.is_placed and "response trailers" in shown:
        found.append(replace(shown["response trailers"], when=f"{_IN_PLACE}, {_OF_TRAILERS}"))
    return tuple(found)


_OVERSEEN = "where guards or rules read what the server says"


def mcp_messages(
    mode: Json | None, *, is_federated: bool, is_known: bool, is_read: bool = False
) -> tuple[Message, ...]:
    """The same on a route of MCP servers, where extproc asks for answers itself. `is_federated`:
    several are one somewhere; `is_known`: callers are, and sessions are sealed for them; `is_read`:
    guards, or rules, read answers."""
    shown = messages(mode, Caller.MCP)
    if not shown or not (is_federated or is_known or is_read):
        return shown
    several = "of several servers as one, when the request is for one of them"
    opening = "when a session begins with a server alone"
    whens = [several] * is_federated + [opening] * is_known
    whys = ["whether its server has the session still, and whether it is a stream"] * is_federated
    whys += ["the session's id, to be sealed for who asks"] * is_known
    whens += [_OVERSEEN] * is_read
    whys += ["whether its body is to be read"] * is_read
    found = [Message("response headers", False, False, "; ".join(whens), "; ".join(whys))]
    if is_federated:
        why = "what servers ask the client, to name the server"
        found.append(Message("response body", True, False, f"{several}: of event streams", why))
    if is_read:
        why = "what guards and rules say of each message, which waits until it is whole"
        found.append(Message("response body", True, False, _OVERSEEN, why))
    return (*shown, *found)


_OVERSEEN_AGENTS = "where guards or rules read what the agent says"
_INTERPRETED = "where the agent speaks otherwise than the client"
_POOLED = "where the agent stands for several"


def a2a_messages(
    mode: Json | None, *, is_read: bool = False, has_pools: bool = False
) -> tuple[Message, ...]:
    """The same on a route of agents, where extproc asks for answers itself. `is_read`: guards, or
    rules, read answers. `has_pools`: some agents stand for several."""
    shown = messages(mode, Caller.A2A)
    if not shown:
        return shown
    when = "; ".join([_INTERPRETED, *[_POOLED] * has_pools, *[_OVERSEEN_AGENTS] * is_read])
    whys = (
        "to say it in the client's binding and revision",
        *["whose the tasks are, in their ids"] * has_pools,
        *["what guards and rules say of it"] * is_read,
    )
    why = "; ".join(whys)
    return (
        *shown,
        Message("response headers", False, False, when, why),
        Message("response body", True, False, when, why),
        Message("response trailers", False, False, f"{when}, {_OF_TRAILERS}", why),
    )


def session_messages(mode: Json | None, answers: PassedAnswers) -> tuple[Message, ...]:
    """The same of a websocket: extproc asks to be shown what the provider says where it counts."""
    shown = judged(messages(mode, Caller.LLM), is_certain=answers.is_always_judged)
    if not shown or not answers.is_counted:
        return shown
    return (
        *(each for each in shown if each.name != "response headers"),
        _passed_status(answers, _BUDGETED, "whether there is a session"),
        Message("response body", True, False, _BUDGETED, _USAGE),
    )


def _logged(answers: LlmAnswers) -> Message:
    when = f"{_counted(answers)}, of a stream that breaks off, and of one in a hundred others"
    why = "how much was sent of a stream that told no usage"
    return Message(STREAM_LOG, False, False, when, why)


def _counted(answers: LlmAnswers) -> str:
    if answers.is_budgeted:
        return _EITHER if answers.is_limited else _BUDGETED
    return _LIMITED


def _status(answers: LlmAnswers) -> Message | None:
    when, why = [], []
    is_other = bool(answers.foreign or answers.reframed)
    is_certain = answers.is_timed or (is_other and answers.own == answers.reframed)
    is_certain = is_certain or answers.is_always_judged
    if is_other:
        when.append("when a try of the plan speaks another dialect")
        why.append("who answered, and whether that is to be translated")
    if answers.is_counted:
        when.append(_counted(answers))
        why.append("whether it is to be paid")
    if answers.is_placed:
        when.append(_IN_PLACE)
        why.append("that it has begun, and holds its place")
    if answers.is_guarded:
        when.append(_GUARDED)
        why.append("whether guards look at it")
    if answers.is_held:
        when.append("when a guard that is asked meanwhile is for the request")
        why.append("that it waits for the guard")
    if answers.is_judged:
        when.append(_JUDGED)
        why.append(_JUDGING)
    if answers.is_watched:
        when.append("of several tries, ten answers a second, and all while one of them fails")
        why.append("who failed")
    if answers.is_timed:
        why.append("how soon there was an answer")
    if not why:
        return None
    whens = ALWAYS if is_certain else "; ".join(when)
    return Message("response headers", False, is_certain, whens, "; ".join(why))


def _body(answers: LlmAnswers) -> Message | None:
    """Piece by piece, or in one where it is small and of a known length."""
    when, why = [], []
    is_certain = bool(answers.foreign) and not answers.own
    if answers.is_guarded:
        when.append(f"{_GUARDED}, with 2xx")
        why.append("what guards look for: it goes on when they have let it")
    if answers.foreign:
        when.append("when the answer is in another dialect")
    if answers.reframed:
        reframed = " or ".join(answers.reframed)
        when.append(f"when {reframed} answers with an error, or in other frames")
    if answers.foreign or answers.reframed:
        why.append("to say it in the client's dialect")
    if answers.is_counted:
        unread = " that Envoy cannot read" if answers.is_usage_read else ""
        when.append(f"{_counted(answers)}, with 2xx{unread}")
        why.append(_USAGE)
    if not why:
        return None
    whens = ALWAYS if is_certain else "; ".join(when)
    return Message("response body", True, is_certain, whens, "; ".join(why))


def least(shown: tuple[Message, ...]) -> int:
    """For one request that passes all checks and is answered, when nothing else holds."""
    return sum(each.is_certain for each in shown)


def most(shown: tuple[Message, ...]) -> int | None:
    """The same when all of it holds; None: it depends on the number of pieces."""
    return None if any(each.is_each_part for each in shown) else len(shown)
