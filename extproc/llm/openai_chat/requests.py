"""Chat completion requests, read into the canonical form.

https://platform.openai.com/docs/api-reference/chat/create, the legacy `functions`, and what clients
say to compatible servers: `top_k`, `reasoning` (OpenRouter), `thinking` (DeepSeek, Anthropic).
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
    objects,
    required_mapping,
    required_string,
    string,
    strings,
    unsupported,
)
from extproc.llm.losses import Feature
from extproc.llm.openai_chat.attachments import cache_mark
from extproc.llm.openai_chat.contents import Conversation
from extproc.llm.request import (
    Choice,
    Effort,
    ImageOutput,
    JsonFormat,
    Reasoning,
    Request,
    Sampling,
    Tool,
)
from extproc.verdict import Deny

_READ = frozenset(
    {
        "frequency_penalty",
        "function_call",
        "functions",
        "image_config",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)
"""Fields that have a place in the canonical form."""
_EXTRAS: Mapping[str, Feature] = {
    "audio": Feature.AUDIO_OUTPUT,
    "logit_bias": Feature.LOGIT_BIAS,
    "moderation": Feature.SAFETY_SETTINGS,
    "prediction": Feature.PREDICTION,
    "prompt_cache_options": Feature.CACHE_MARKS,
    "prompt_cache_retention": Feature.CACHE_MARKS,
    "web_search_options": Feature.PROVIDER_TOOLS,
}
"""Fields that have none. Of others still, nothing is known."""
_IMAGE_CONFIG = frozenset({"aspect_ratio", "image_size"})
_CHOICES: Mapping[str, Choice] = {
    "auto": Choice.AUTO,
    "none": Choice.NONE,
    "required": Choice.REQUIRED,
    "any": Choice.REQUIRED,  # Mistral's word
}
_EFFORTS: Mapping[str, Effort] = {each.value: each for each in Effort}


def decode_request(call: Call) -> Request | Deny:
    """The request in a document that `Reading.decode` has accepted."""
    try:
        return _request(call)
    except Unfit as unfit:
        return unfit.deny


def _request(call: Call) -> Request:
    document = call.document
    messages = document.get("messages")
    conversation = Conversation()
    conversation.read(messages if type(messages) is list else [])
    extras = conversation.extras
    tools = _tools(document, extras)
    choice, tool_name, tools = _tool_choice(document, tools, extras)
    for name, value in document.items():
        if name not in _READ and value is not None:
            _note_extra(name, value, extras)
    image_output = _image_output(document, extras)
    return Request(
        call.model,
        tuple(conversation.messages),
        call.is_stream,
        tools,
        choice,
        tool_name,
        boolean(document, "parallel_tool_calls"),
        call.max_output_tokens,
        _sampling(document),
        _stop(document),
        call.choices,
        _format(document),
        _reasoning(document),
        _logprobs(document),
        string(document, "verbosity"),
        string(document, "safety_identifier") or string(document, "user"),
        _metadata(document),
        string(document, "service_tier"),
        string(document, "prompt_cache_key"),
        tuple(extras),
        image_output=image_output,
    )


def _image_output(
    document: Mapping[str, object], extras: dict[Feature, None]
) -> ImageOutput | None:
    """As OpenRouter takes it: OpenAI's own API does not draw."""
    modalities = document.get("modalities")
    if type(modalities) is not list or "image" not in modalities:
        return None
    config = mapping(document, "image_config") or {}
    where = "image_config."
    if any(name not in _IMAGE_CONFIG and config[name] is not None for name in config):
        extras[Feature.IMAGE_OUTPUT_FORM] = None
    return ImageOutput(
        "text" not in modalities,
        string(config, "aspect_ratio", where),
        string(config, "image_size", where),
    )


def _note_extra(name: str, value: object, extras: dict[Feature, None]) -> None:
    if name == "modalities":
        for modality in value if type(value) is list else ():
            if modality == "audio":
                extras[Feature.AUDIO_OUTPUT] = None
            elif modality not in ("text", "image"):
                reason = f"{modality!r:.64} cannot be expressed in the API of this model"
                raise Unfit(Deny(400, "unsupported_parameter", reason, param=name))
    elif name != "store" or value is not False:
        extras[_EXTRAS.get(name, Feature.OTHER)] = None


def _tools(document: Mapping[str, object], extras: dict[Feature, None]) -> tuple[Tool, ...]:
    found: list[Tool] = []
    for index, tool in enumerate(objects(document, "tools")):
        where = f"tools[{index}]."
        kind = tool.get("type", "function")
        if kind == "function":
            function = required_mapping(tool, "function", where)
            found.append(_tool(function, tool, f"{where}function."))
        else:
            extras[Feature.CUSTOM_TOOLS if kind == "custom" else Feature.PROVIDER_TOOLS] = None
    for index, function in enumerate(objects(document, "functions")):
        found.append(_tool(function, function, f"functions[{index}]."))
    return tuple(found)


def _tool(function: Mapping[str, object], marked: Mapping[str, object], where: str) -> Tool:
    return Tool(
        required_string(function, "name", where),
        string(function, "description", where),
        mapping(function, "parameters", where),
        boolean(function, "strict", where),
        cache_mark(marked, where),
    )


def _tool_choice(
    document: Mapping[str, object], tools: tuple[Tool, ...], extras: dict[Feature, None]
) -> tuple[Choice | None, str, tuple[Tool, ...]]:
    """The choice, the name of the tool that must be called, and the tools that may be."""
    value = document.get("tool_choice")
    if value is None:
        return *_function_call(document), tools
    if type(value) is str:
        return _word(value, "tool_choice"), "", tools
    if type(value) is not dict:
        raise Unfit(wrong_type(str, value, "tool_choice"))
    match value.get("type"):
        case "function":
            function = required_mapping(value, "function", "tool_choice.")
            name = required_string(function, "name", "tool_choice.function.")
            return Choice.NAMED, name, tools
        case "allowed_tools":
            mode, allowed = _allowed(value)
            return mode, "", tuple([tool for tool in tools if tool.name in allowed])
        case "custom":
            extras[Feature.CUSTOM_TOOLS] = None
            return None, "", tools
        case kind:
            raise unsupported("tool_choice.type", str(kind))


def _allowed(choice: Mapping[str, object]) -> tuple[Choice, frozenset[str]]:
    """The choice among the tools that may be called, and their names."""
    where = "tool_choice.allowed_tools."
    allowed = required_mapping(choice, "allowed_tools", "tool_choice.")
    mode = _word(required_string(allowed, "mode", where), f"{where}mode")
    functions = [
        required_mapping(each, "function", f"{where}tools[{index}].")
        for index, each in enumerate(objects(allowed, "tools", where))
        if each.get("type") == "function"
    ]
    return mode, frozenset(string(function, "name", where) for function in functions)


def _function_call(document: Mapping[str, object]) -> tuple[Choice | None, str]:
    """The legacy form."""
    value = document.get("function_call")
    if value is None:
        return None, ""
    if type(value) is str:
        return _word(value, "function_call"), ""
    named = required_mapping(document, "function_call")
    return Choice.NAMED, required_string(named, "name", "function_call.")


def _word(value: str, where: str) -> Choice:
    choice = _CHOICES.get(value)
    if choice is None:
        raise unsupported(where, value)
    return choice


def _sampling(document: Mapping[str, object]) -> Sampling:
    return Sampling(
        number(document, "temperature"),
        number(document, "top_p"),
        integer(document, "top_k"),
        number(document, "presence_penalty"),
        number(document, "frequency_penalty"),
        integer(document, "seed"),
    )


def _stop(document: Mapping[str, object]) -> tuple[str, ...]:
    value = document.get("stop")
    if type(value) is str:
        return (value,)
    return strings(document, "stop")


def _format(document: Mapping[str, object]) -> JsonFormat | None:
    value = mapping(document, "response_format")
    if value is None:
        return None
    match value.get("type"):
        case "text":
            return None
        case "json_object":
            return JsonFormat()
        case "json_schema":
            where = "response_format.json_schema."
            said = required_mapping(value, "json_schema", "response_format.")
            return JsonFormat(
                mapping(said, "schema", where) or {},
                string(said, "name", where) or "answer",
                string(said, "description", where),
                boolean(said, "strict", where),
            )
        case kind:
            raise unsupported("response_format.type", str(kind))


def _reasoning(document: Mapping[str, object]) -> Reasoning | None:
    word = string(document, "reasoning_effort")
    effort = _effort(word, "reasoning_effort") if word else None
    said = mapping(document, "reasoning")
    if said is not None:
        inner = string(said, "effort", "reasoning.")
        excluded = boolean(said, "exclude", "reasoning.")
        if boolean(said, "enabled", "reasoning.") is False:
            effort = Effort.NONE
        return Reasoning(
            _effort(inner, "reasoning.effort") if inner else effort,
            integer(said, "max_tokens", "reasoning."),
            None if excluded is None else not excluded,
        )
    thinking = mapping(document, "thinking")
    if thinking is not None:
        is_off = thinking.get("type") == "disabled"
        budget = 0 if is_off else integer(thinking, "budget_tokens", "thinking.")
        return Reasoning(effort, budget)
    return None if effort is None else Reasoning(effort)


def _effort(word: str, where: str) -> Effort:
    effort = _EFFORTS.get(word)
    if effort is None:
        raise unsupported(where, word)
    return effort


def _logprobs(document: Mapping[str, object]) -> int | None:
    if boolean(document, "logprobs") is not True:
        return None
    return integer(document, "top_logprobs") or 0


def _metadata(document: Mapping[str, object]) -> Mapping[str, str] | None:
    value = mapping(document, "metadata")
    if value is None:
        return None
    return {name: required_string(value, name, "metadata.") for name in value}
