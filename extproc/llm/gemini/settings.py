"""`generationConfig`, `tools` and `toolConfig`, read.

https://ai.google.dev/api/generate-content#GenerationConfig and
https://ai.google.dev/api/caching#Tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.llm.faults import Unfit, not_a, wrong_type, wrong_value
from extproc.llm.fields import number, string, strings
from extproc.llm.gemini.generations import effort_of
from extproc.llm.gemini.schemas import from_openapi
from extproc.llm.losses import Feature
from extproc.llm.request import Choice, ImageOutput, JsonFormat, Reasoning, Sampling, Tool
from extproc.verdict import Deny

_CONFIG = "generationConfig."
_JSON = "application/json"
_PLAIN = "text/plain"
_READ = frozenset(
    {
        "candidateCount",
        "frequencyPenalty",
        "imageConfig",
        "logprobs",
        "maxOutputTokens",
        "mediaResolution",
        "presencePenalty",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseModalities",
        "responseSchema",
        "seed",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    }
)
_IMAGE_CONFIG = frozenset({"aspectRatio", "imageSize"})
_DECLARED = frozenset({"name", "description", "parameters", "parametersJsonSchema"})


@dataclass(slots=True)
class SettingsReader:
    """Reads what is said beside the conversation. Raises `Unfit`."""

    extras: dict[Feature, None] = field(default_factory=dict)
    """What was said that has no place, in order."""

    def sampling(self, config: Mapping[str, object]) -> Sampling:
        return Sampling(
            number(config, "temperature", _CONFIG),
            number(config, "topP", _CONFIG),
            _integer(config, "topK"),
            number(config, "presencePenalty", _CONFIG),
            number(config, "frequencyPenalty", _CONFIG),
            _integer(config, "seed"),
        )

    def others(self, config: Mapping[str, object]) -> None:
        """What of the configuration is read nowhere."""
        modalities = config.get("responseModalities")
        for modality in modalities if type(modalities) is list else ():
            if modality == "AUDIO":
                self.extras[Feature.AUDIO_OUTPUT] = None
            elif modality not in ("TEXT", "IMAGE"):
                where = f"{_CONFIG}responseModalities"
                reason = f"{modality} cannot be expressed in the API of this model"
                raise Unfit(Deny(400, "unsupported_parameter", reason, param=where))
        if config.get("responseFormat") is not None:
            self.extras[Feature.JSON_SCHEMA] = None
        for name, value in config.items():
            if name not in _READ and name != "responseFormat" and value is not None:
                self.extras[Feature.OTHER] = None

    def image_output(self, config: Mapping[str, object]) -> ImageOutput | None:
        """Some models draw unasked: who says a form of images wants them."""
        modalities = config.get("responseModalities")
        said = config.get("imageConfig")
        is_asked = type(modalities) is list and "IMAGE" in modalities
        if not is_asked and said is None:
            return None
        where = f"{_CONFIG}imageConfig"
        if said is None:
            said = {}
        if type(said) is not dict:
            raise Unfit(wrong_type(dict, said, where))
        for name, value in said.items():
            if name not in _IMAGE_CONFIG and value is not None:
                self.extras[Feature.IMAGE_OUTPUT_FORM] = None
        return ImageOutput(
            is_asked and "TEXT" not in modalities,  # type: ignore[operator]
            string(said, "aspectRatio", f"{where}."),
            string(said, "imageSize", f"{where}."),
        )

    def stop(self, config: Mapping[str, object]) -> tuple[str, ...]:
        return strings(config, "stopSequences", _CONFIG)

    def logprobs(self, config: Mapping[str, object]) -> int | None:
        if config.get("responseLogprobs") is not True:
            return None
        return _integer(config, "logprobs") or 0

    def format(self, config: Mapping[str, object]) -> JsonFormat | None:
        kind = config.get("responseMimeType")
        if kind is None or kind == _PLAIN:
            return None
        if kind != _JSON:  # text/x.enum: one of the words, without quotes
            self.extras[Feature.JSON_SCHEMA] = None
            return None
        schema = config.get("responseJsonSchema")
        if schema is None:
            older = config.get("responseSchema")
            if older is None:
                return JsonFormat()
            if type(older) is not dict:
                raise Unfit(wrong_type(dict, older, f"{_CONFIG}responseSchema"))
            return JsonFormat(from_openapi(older), is_strict=True)
        if type(schema) is not dict:
            raise Unfit(wrong_type(dict, schema, f"{_CONFIG}responseJsonSchema"))
        return JsonFormat(schema, is_strict=True)

    def reasoning(self, config: Mapping[str, object]) -> Reasoning | None:
        said = config.get("thinkingConfig")
        if said is None:
            return None
        where = f"{_CONFIG}thinkingConfig"
        if type(said) is not dict:
            raise Unfit(wrong_type(dict, said, where))
        shown = said.get("includeThoughts")
        is_shown = shown if type(shown) is bool else None
        level = said.get("thinkingLevel")
        if type(level) is str and level.upper() != "THINKING_LEVEL_UNSPECIFIED":
            effort = effort_of(level)
            if effort is None:
                raise Unfit(wrong_value(f"{where}.thinkingLevel", "must be a known level"))
            return Reasoning(effort, is_shown=is_shown)
        budget = _integer(said, "thinkingBudget", f"{where}.")
        return Reasoning(None, None if budget is None or budget < 0 else budget, is_shown)

    def tools(self, value: object) -> tuple[Tool, ...]:
        """The functions; what the provider runs itself is only noted."""
        if value is None:
            return ()
        if type(value) is not list:
            raise Unfit(wrong_type(list, value, "tools"))
        found: list[Tool] = []
        for index, tool in enumerate(value):
            if type(tool) is not dict:
                raise Unfit(wrong_type(dict, tool, f"tools[{index}]"))
            for name, said in tool.items():
                if name == "functionDeclarations":
                    found.extend(self._functions(said, f"tools[{index}].{name}"))
                elif said is not None:
                    self.extras[Feature.PROVIDER_TOOLS] = None
        return tuple(found)

    def _functions(self, functions: object, where: str) -> list[Tool]:
        if type(functions) is not list:
            raise Unfit(wrong_type(list, functions, where))
        return [
            self._function(function, f"{where}[{index}]")
            for index, function in enumerate(functions)
        ]

    def _function(self, function: object, where: str) -> Tool:
        if type(function) is not dict:
            raise Unfit(wrong_type(dict, function, where))
        name = function.get("name")
        if type(name) is not str:
            raise Unfit(not_a(str, function, "name", f"{where}."))
        description = function.get("description")
        parameters = function.get("parametersJsonSchema")
        older = function.get("parameters")
        for each in (parameters, older):
            if each is not None and type(each) is not dict:
                raise Unfit(wrong_type(dict, each, f"{where}.parameters"))
        if parameters is not None and older is not None:
            reason = f"{where} has both parameters and parametersJsonSchema"
            raise Unfit(Deny(400, "invalid_value", reason, param=where))
        if parameters is None and type(older) is dict:
            parameters = from_openapi(older)
        if any(each not in _DECLARED and function[each] is not None for each in function):
            self.extras[Feature.OTHER] = None
        return Tool(
            name,
            description if type(description) is str else "",
            parameters if type(parameters) is dict else None,
        )

    def choice(
        self, value: object, tools: tuple[Tool, ...]
    ) -> tuple[Choice | None, str, tuple[Tool, ...]]:
        """How tools are chosen, the one that must be, and those that may be."""
        if value is None:
            return None, "", tools
        if type(value) is not dict:
            raise Unfit(wrong_type(dict, value, "toolConfig"))
        if any(name != "functionCallingConfig" and value[name] is not None for name in value):
            self.extras[Feature.PROVIDER_TOOLS] = None
        config = value.get("functionCallingConfig")
        if config is None:
            return None, "", tools
        where = "toolConfig.functionCallingConfig"
        if type(config) is not dict:
            raise Unfit(wrong_type(dict, config, where))
        allowed = strings(config, "allowedFunctionNames", f"{where}.")
        mode = config.get("mode")
        if mode == "NONE":
            return Choice.NONE, "", tools
        if mode == "ANY" and len(allowed) == 1:  # the others may have been called before
            return Choice.NAMED, allowed[0], tools
        if allowed:
            tools = tuple(tool for tool in tools if tool.name in allowed)
        match mode:
            case "ANY":
                return Choice.REQUIRED, "", tools
            case "VALIDATED":
                strict = tuple(
                    Tool(tool.name, tool.description, tool.parameters, True) for tool in tools
                )
                return Choice.AUTO, "", strict
            case None | "MODE_UNSPECIFIED":
                return None, "", tools
            case "AUTO":
                return Choice.AUTO, "", tools
            case _:
                raise Unfit(wrong_value(f"{where}.mode", "must be AUTO, ANY, NONE or VALIDATED"))


def _integer(config: Mapping[str, object], name: str, where: str = _CONFIG) -> int | None:
    """Protobuf takes `40.0` for 40; `topK` is a number by its type."""
    value = config.get(name)
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise Unfit(wrong_type(int, value, f"{where}{name}"))
    return value
