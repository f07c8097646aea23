"""`generationConfig`, `tools` and `toolConfig`, written; what they cannot say is lost.

https://ai.google.dev/api/generate-content#GenerationConfig and
https://ai.google.dev/api/caching#Tool.
"""

from __future__ import annotations

from extproc.llm.gemini.drawing import drawing
from extproc.llm.gemini.generations import can_think, thinking_config
from extproc.llm.gemini.schemas import for_gemini
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Choice, Image, Request, Tool, ToolResult

MAX_STOP_SEQUENCES = 5
MAX_LOGPROBS = 20

_MODES = {
    Choice.AUTO: "AUTO",
    Choice.NONE: "NONE",
    Choice.REQUIRED: "ANY",
    Choice.NAMED: "ANY",
}
_RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_TIERS = {
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}


def generation_config(request: Request, losses: Losses) -> dict[str, object]:
    sampling = request.sampling
    said: dict[str, object] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "seed": sampling.seed,
    }
    config = {name: value for name, value in said.items() if value is not None}
    if request.max_output_tokens is not None:
        config["maxOutputTokens"] = request.max_output_tokens
    if request.choices != 1:
        config["candidateCount"] = request.choices
    if request.stop:
        if len(request.stop) > MAX_STOP_SEQUENCES:
            losses.lose(Feature.STOP, f"stop[{MAX_STOP_SEQUENCES}]")
        config["stopSequences"] = request.stop[:MAX_STOP_SEQUENCES]
    if request.format is not None:
        config["responseMimeType"] = "application/json"
        if request.format.schema is not None:
            config["responseJsonSchema"] = for_gemini(request.format.schema)
    if request.logprobs is not None:
        config["responseLogprobs"] = True
        if request.logprobs > MAX_LOGPROBS:
            losses.lose(Feature.LOGPROBS, "logprobs")
        if request.logprobs:
            config["logprobs"] = min(request.logprobs, MAX_LOGPROBS)
    if request.image_output is not None:
        config.update(drawing(request.image_output, losses))
    _thinking(request, config, losses)
    _resolution(request, config, losses)
    return config


def tools(request: Request, losses: Losses) -> list[object]:
    if not request.tools:
        return []
    for tool in request.tools:
        if tool.cache is not None:
            losses.lose(Feature.CACHE_MARKS, f"tools ({tool.name})")
    if request.is_parallel is False:
        losses.lose(Feature.PARALLEL_CALLS, "parallel_tool_calls")
    return [{"functionDeclarations": [_function(tool) for tool in request.tools]}]


def tool_config(request: Request, losses: Losses) -> dict[str, object] | None:
    """`VALIDATED` holds calls to their schemas, as `ANY` does anyway; for all tools or for none."""
    if not request.tools:
        return None
    choice = request.tool_choice
    strict = [tool.is_strict is True for tool in request.tools]
    mode = None if choice is None else _MODES[choice]
    if any(strict) and choice in (None, Choice.AUTO):
        if all(strict):
            mode = "VALIDATED"
        else:
            losses.lose(Feature.STRICT_TOOLS, f"tools ({_first_strict(request.tools)})")
    if mode is None:
        return None
    config: dict[str, object] = {"mode": mode}
    if choice is Choice.NAMED:
        config["allowedFunctionNames"] = [request.tool_name]
    return {"functionCallingConfig": config}


def service_tier(request: Request, losses: Losses) -> str | None:
    if request.service_tier in ("", "auto"):
        return None
    tier = _TIERS.get(request.service_tier)
    if tier is None:
        losses.lose(Feature.SERVICE_TIER, "service_tier")
    return tier


def lose_the_rest(request: Request, losses: Losses) -> None:
    """What the API has no field for."""
    if request.verbosity:
        losses.lose(Feature.VERBOSITY, "verbosity")
    if request.user:
        losses.lose(Feature.USER, "user")
    if request.metadata:
        losses.lose(Feature.METADATA, "metadata")
    if request.cache_key:
        losses.lose(Feature.CACHE_KEY, "prompt_cache_key")
    if request.betas:
        losses.lose(Feature.BETAS, "anthropic_beta")
    for feature in request.extras:
        losses.lose(feature, feature.value)


def _function(tool: Tool) -> dict[str, object]:
    said: dict[str, object] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    if tool.parameters is not None:
        said["parametersJsonSchema"] = for_gemini(tool.parameters)
    return said


def _first_strict(tools: tuple[Tool, ...]) -> str:
    return next(tool.name for tool in tools if tool.is_strict is True)


def _thinking(request: Request, config: dict[str, object], losses: Losses) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        return
    if not can_think(request.model):
        if reasoning.effort is not None:
            losses.lose(Feature.REASONING_EFFORT, "reasoning effort")
        if reasoning.budget_tokens is not None:
            losses.lose(Feature.REASONING_BUDGET, "reasoning budget")
        return
    said, is_whole = thinking_config(reasoning, request.model, request.max_output_tokens)
    if not is_whole:
        losses.lose(Feature.REASONING_EFFORT, "reasoning effort")
    budget = reasoning.budget_tokens
    if budget is not None and said.get("thinkingBudget", budget) != budget:
        losses.lose(Feature.REASONING_BUDGET, "reasoning budget")
    if said:
        config["thinkingConfig"] = said


def _resolution(request: Request, config: dict[str, object], losses: Losses) -> None:
    """One for all images: a resolution of their own is not in all versions of the API."""
    details = {image.detail for image in _images(request)}
    if len(details) == 1:
        resolution = _RESOLUTIONS.get(details.pop())
        if resolution is not None:
            config["mediaResolution"] = resolution
    elif details & _RESOLUTIONS.keys():
        losses.lose(Feature.IMAGE_DETAIL, "image detail")


def _images(request: Request) -> list[Image]:
    found: list[Image] = []
    for message in request.messages:
        for part in message.parts:
            if type(part) is Image:
                found.append(part)
            elif type(part) is ToolResult:
                found.extend(inner for inner in part.content if type(inner) is Image)
    return found
