"""Requests of the Responses API, as requests in no dialect.

https://platform.openai.com/docs/api-reference/responses/create. What only OpenAI can do (tools that
it runs, conversations that it keeps) is named, not told.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.dialect import Call
from extproc.llm.faults import Unfit, wrong_type
from extproc.llm.fields import (
    boolean,
    integer,
    mapping,
    number,
    required_mapping,
    required_string,
    string,
    unsupported,
)
from extproc.llm.losses import Feature
from extproc.llm.openai_responses.items import messages_of
from extproc.llm.openai_responses.tools import Tools, tools_in
from extproc.llm.request import (
    Effort,
    JsonFormat,
    Message,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
)
from extproc.verdict import Deny

LOGPROBS = "message.output_text.logprobs"
"""In `include`."""
_READ = frozenset(
    {
        "background",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
"""The fields that are told, or named, or concern nothing but the way of the answer."""
_NAMED: tuple[tuple[str, Feature], ...] = (
    ("previous_response_id", Feature.STORED_STATE),
    ("conversation", Feature.STORED_STATE),
    ("background", Feature.STORED_STATE),
    ("prompt", Feature.STORED_STATE),
    ("moderation", Feature.SAFETY_SETTINGS),
)
_EFFORTS = frozenset(Effort)
_SILENT = "disabled"
"""The `truncation` that there is anyway."""


def decode_request(call: Call) -> Request | Deny:
    """Of a document that was accepted; `Deny` says what in it cannot be told."""
    try:
        return _request(call)
    except Unfit as unfit:
        return unfit.deny


def _request(call: Call) -> Request:
    document = call.document
    extras: dict[Feature, None] = {}
    for name, feature in _NAMED:
        if document.get(name):
            extras[feature] = None
    instructions = string(document, "instructions")
    messages = [Message(Role.SYSTEM, (Text(instructions),))] if instructions else []
    messages += messages_of(document.get("input"), extras)
    if not messages and not extras:
        reason = "missing required parameter: input"
        raise Unfit(Deny(400, "missing_required_parameter", reason, param="input"))
    tools = tools_in(document, extras)
    format_, verbosity = _text(document)
    truncation = string(document, "truncation")
    reasoning = _reasoning(document, extras)
    if truncation not in ("", _SILENT) or any(
        name not in _READ and value is not None for name, value in document.items()
    ):
        extras[Feature.OTHER] = None
    return _filled(call, tools, tuple(messages), reasoning, (format_, verbosity, tuple(extras)))


def _filled(
    call: Call,
    tools: Tools,
    messages: tuple[Message, ...],
    reasoning: Reasoning | None,
    rest: tuple[JsonFormat | None, str, tuple[Feature, ...]],
) -> Request:
    document = call.document
    format_, verbosity, extras = rest
    return Request(
        call.model,
        messages,
        is_stream=call.is_stream,
        tools=tools.tools,
        tool_choice=tools.choice,
        tool_name=tools.name,
        is_parallel=boolean(document, "parallel_tool_calls"),
        max_output_tokens=call.max_output_tokens,
        sampling=Sampling(number(document, "temperature"), number(document, "top_p")),
        format=format_,
        reasoning=reasoning,
        logprobs=_logprobs(document),
        verbosity=verbosity,
        user=string(document, "safety_identifier") or string(document, "user"),
        metadata=_metadata(document),
        service_tier=string(document, "service_tier"),
        cache_key=string(document, "prompt_cache_key"),
        extras=extras,
        image_output=tools.image_output,
    )


def _text(document: Mapping[str, object]) -> tuple[JsonFormat | None, str]:
    """The format of the answer, and how many words it is to make."""
    text = mapping(document, "text")
    if text is None:
        return None, ""
    verbosity = string(text, "verbosity", "text.")
    wanted = mapping(text, "format", "text.")
    if wanted is None:
        return None, verbosity
    where = "text.format."
    kind = required_string(wanted, "type", where)
    match kind:
        case "text":
            return None, verbosity
        case "json_object":
            return JsonFormat(), verbosity
        case "json_schema":
            return (
                JsonFormat(
                    required_mapping(wanted, "schema", where),
                    required_string(wanted, "name", where),
                    string(wanted, "description", where),
                    boolean(wanted, "strict", where),
                ),
                verbosity,
            )
        case _:
            raise unsupported(f"{where}type", kind)


def _reasoning(document: Mapping[str, object], extras: dict[Feature, None]) -> Reasoning | None:
    asked = mapping(document, "reasoning")
    if not asked:
        return None
    where = "reasoning."
    effort = string(asked, "effort", where)
    if effort and effort not in _EFFORTS:
        raise unsupported(f"{where}effort", effort)
    summary = string(asked, "summary", where) or string(asked, "generate_summary", where)
    if string(asked, "mode", where) not in ("", "standard"):
        extras[Feature.OTHER] = None
    return Reasoning(Effort(effort) if effort else None, is_shown=True if summary else None)


def _logprobs(document: Mapping[str, object]) -> int | None:
    top = integer(document, "top_logprobs")
    include = document.get("include")
    if include is not None and type(include) is not list:
        raise Unfit(wrong_type(list, include, "include"))
    return (top or 0) if top or (include and LOGPROBS in include) else None


def _metadata(document: Mapping[str, object]) -> Mapping[str, str] | None:
    metadata = mapping(document, "metadata")
    if not metadata:
        return None
    return {name: string(metadata, name, "metadata.") for name in metadata}
