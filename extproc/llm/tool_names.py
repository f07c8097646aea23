"""Names of tools that a provider would refuse, and the ones that it is told in their place.

Each API has a pattern for them, and names such as `files.read` or `git:commit`, or very long ones,
fit some. A name that fits stays; another is told without what does not fit, and with a digest
where two would become one or much is cut off. What the answer calls is given its own name again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from re import Pattern
from types import MappingProxyType
from typing import TypeAlias

from extproc.llm.answer import Answer, AnswerPart, CallStarted, StreamEvent
from extproc.llm.request import Message, Part, Request, ToolCall, ToolResult

Names: TypeAlias = Mapping[str, str]
"""What stands in the place of a name, by it."""

_DIGEST_BYTES = 4
NO_NAMES: Names = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rule:
    """The names that an API takes."""

    pattern: Pattern[str]
    """Of a whole name."""
    unfit: Pattern[str]
    """A character that fits nowhere."""
    longest: int


def fitted(request: Request, rule: Rule) -> tuple[Request, Names]:
    """The request with names that fit, and what they stand for; itself where all of them do."""
    names = _names(request)
    fits = rule.pattern.fullmatch
    misfits = [name for name in names if name and fits(name) is None]
    if not misfits:
        return request, NO_NAMES
    told = _told(misfits, names, rule)
    renamed = replace(
        request,
        messages=tuple([_message(each, told) for each in request.messages]),
        tools=tuple([replace(each, name=told.get(each.name, each.name)) for each in request.tools]),
        tool_name=told.get(request.tool_name, request.tool_name),
    )
    return renamed, {short: name for name, short in told.items()}


def own_names(answer: Answer, names: Names) -> Answer:
    """The answer with the names that the client knows."""
    if not names:
        return answer
    candidates = [
        replace(each, parts=tuple([_answered(part, names) for part in each.parts]))
        for each in answer.candidates
    ]
    return replace(answer, candidates=tuple(candidates))


def own_name(event: StreamEvent, names: Names) -> StreamEvent:
    """The same of an event of a stream."""
    if type(event) is CallStarted and event.name in names:
        return replace(event, name=names[event.name])
    return event


def _names(request: Request) -> dict[str, None]:
    """Each once, in order."""
    names: dict[str, None] = {tool.name: None for tool in request.tools}
    if request.tool_name:
        names[request.tool_name] = None
    for message in request.messages:
        for part in message.parts:
            if type(part) is ToolCall or type(part) is ToolResult:
                names[part.name] = None
    return names


def _told(misfits: Iterable[str], names: Iterable[str], rule: Rule) -> dict[str, str]:
    used = set(names)
    told: dict[str, str] = {}
    for name in misfits:
        plain = rule.unfit.sub("_", name)
        found = plain
        salt = ""
        while found in used or rule.pattern.fullmatch(found) is None:
            found = _with_digest(plain, f"{salt}{name}", rule)
            salt += "+"
        used.add(found)
        told[name] = found
    return told


def _with_digest(plain: str, name: str, rule: Rule) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    begin = plain[: rule.longest - len(digest) - 2]
    return f"{begin}_{digest}" if rule.pattern.fullmatch(begin) else f"_{begin}_{digest}"


def _message(message: Message, told: Names) -> Message:
    if not any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
        return message
    return replace(message, parts=tuple([_named(part, told) for part in message.parts]))


def _named(part: Part, names: Names) -> Part:
    if isinstance(part, ToolCall | ToolResult) and part.name in names:
        return replace(part, name=names[part.name])
    return part


def _answered(part: AnswerPart, names: Names) -> AnswerPart:
    if isinstance(part, ToolCall) and part.name in names:
        return replace(part, name=names[part.name])
    return part
