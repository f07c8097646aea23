"""Requests to generateContent as canonical ones, and back.

https://ai.google.dev/api/generate-content#request-body. Written as both Gemini's API and Vertex
read it. The model is in the path.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.dialect import Call
from extproc.llm.faults import Unfit, not_a, wrong_type
from extproc.llm.gemini import settings_writer as writer
from extproc.llm.gemini.contents import ContentsReader, ContentsWriter, detail_of, follow_on
from extproc.llm.gemini.settings import SettingsReader
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Message, Request, Role
from extproc.protocols import json_spans
from extproc.verdict import Deny

_ROLES: Mapping[object, Role] = {
    "user": Role.USER,
    "function": Role.USER,
    "model": Role.ASSISTANT,
    "system": Role.SYSTEM,
}
_READ = frozenset(
    {
        "model",
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "labels",
        "serviceTier",
    }
)
_EXTRAS: Mapping[str, Feature] = {
    "safetySettings": Feature.SAFETY_SETTINGS,
    "cachedContent": Feature.STORED_STATE,
}
_TIERS: Mapping[str, str] = {
    "unspecified": "",
    "service_tier_unspecified": "",
    "standard": "default",
}
_NO_CONFIG: Mapping[str, object] = {}


def decode_request(call: Call) -> Request | Deny:
    try:
        return _request(call)
    except Unfit as error:
        return error.deny


def encode_request(request: Request, losses: Losses) -> bytes:
    contents = ContentsWriter(request.model, losses)
    messages = request.messages
    leading = 0
    while leading < len(messages) and messages[leading].role is Role.SYSTEM:
        leading += 1
    system: list[object] = []
    for index, message in enumerate(messages[:leading]):
        if message.name:
            losses.lose(Feature.NAMES, f"messages[{index}].name")
        system.extend(contents.parts(message.parts, f"messages[{index}]"))
    said: dict[str, object] = {"contents": contents.contents(messages[leading:], leading)}
    if leading == len(messages) and system:  # some content is required
        said["contents"] = [{"role": "user", "parts": system}]
    elif system:
        said["systemInstruction"] = {"parts": system}
    tools = writer.tools(request, losses)
    if tools:
        said["tools"] = tools
    config = writer.tool_config(request, losses)
    if config is not None:
        said["toolConfig"] = config
    generation = writer.generation_config(request, losses)
    if generation:
        said["generationConfig"] = generation
    tier = writer.service_tier(request, losses)
    if tier is not None:
        said["serviceTier"] = tier
    writer.lose_the_rest(request, losses)
    return json_spans.encode(said)


def _request(call: Call) -> Request:
    document = call.document
    config = document.get("generationConfig")
    if type(config) is not dict:
        config = _NO_CONFIG
    settings = SettingsReader()
    for name, value in document.items():
        if name not in _READ and value is not None:
            settings.extras[_EXTRAS.get(name, Feature.OTHER)] = None
    contents = ContentsReader(detail_of(config.get("mediaResolution")), settings.extras)
    messages = _messages(document, contents)
    declared = settings.tools(document.get("tools"))
    choice, tool_name, tools = settings.choice(document.get("toolConfig"), declared)
    settings.others(config)
    return Request(
        model=call.model,
        messages=messages,
        is_stream=call.is_stream,
        tools=tools,
        tool_choice=choice,
        tool_name=tool_name,
        max_output_tokens=call.max_output_tokens,
        sampling=settings.sampling(config),
        stop=settings.stop(config),
        choices=call.choices,
        format=settings.format(config),
        reasoning=settings.reasoning(config),
        logprobs=settings.logprobs(config),
        metadata=_labels(document.get("labels")),
        service_tier=_tier(document.get("serviceTier")),
        image_output=settings.image_output(config),
        extras=tuple(settings.extras),
    )


def _messages(document: Mapping[str, object], contents: ContentsReader) -> tuple[Message, ...]:
    found: list[Message] = []
    system = document.get("systemInstruction")
    if type(system) is dict:
        found.append(contents.message(system, Role.SYSTEM, "systemInstruction"))
    said = document.get("contents")
    if type(said) is not list:
        raise Unfit(not_a(list, document, "contents"))
    for index, content in enumerate(said):
        where = f"contents[{index}]"
        role = _ROLES.get(content.get("role") or "user")
        if role is None:
            reason = f"{where}.role must be user or model"
            raise Unfit(Deny(400, "invalid_value", reason, param=f"{where}.role"))
        found.append(contents.message(content, role, where))
    return tuple(follow_on([message for message in found if message.parts]))


def _labels(labels: object) -> Mapping[str, str] | None:
    if labels is None:
        return None
    if type(labels) is not dict:
        raise Unfit(wrong_type(dict, labels, "labels"))
    for name, value in labels.items():
        if type(value) is not str:
            raise Unfit(wrong_type(str, value, f"labels.{name}"))
    return labels or None


def _tier(tier: object) -> str:
    """`flex` and `priority`; both APIs have written it in either case."""
    name = tier.lower() if type(tier) is str else ""
    return _TIERS.get(name, name)
