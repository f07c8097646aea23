"""What clients set beside the conversation."""

from __future__ import annotations

import pytest

from extproc.llm.faults import Unfit
from extproc.llm.gemini.settings import SettingsReader
from extproc.llm.losses import Feature
from extproc.llm.request import Choice, Effort, ImageOutput, JsonFormat, Reasoning, Sampling, Tool

F, G = Tool("f"), Tool("g")


def test_sampling_is_read_as_numbers() -> None:
    config = {"temperature": 1, "topP": 0.5, "topK": 40.0, "seed": 3, "presencePenalty": -1.5}
    assert SettingsReader().sampling(config) == Sampling(1, 0.5, 40, -1.5, None, 3)


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        (None, None),
        ({}, Reasoning()),
        ({"thinkingBudget": -1}, Reasoning()),
        ({"thinkingBudget": 0}, Reasoning(budget_tokens=0)),
        (
            {"thinkingBudget": 5, "includeThoughts": True},
            Reasoning(budget_tokens=5, is_shown=True),
        ),
        ({"thinkingLevel": "HIGH"}, Reasoning(Effort.HIGH)),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning()),
    ],
)
def test_thinking(config: object, reasoning: Reasoning | None) -> None:
    assert SettingsReader().reasoning({"thinkingConfig": config}) == reasoning


@pytest.mark.parametrize(
    ("config", "read"),
    [
        ({}, None),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, JsonFormat()),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            JsonFormat({"type": "string"}, is_strict=True),
        ),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "string"}},
            JsonFormat({"type": "string"}, is_strict=True),
        ),
    ],
)
def test_formats(config: dict[str, object], read: JsonFormat | None) -> None:
    assert SettingsReader().format(config) == read


def test_what_only_gemini_has_is_noted() -> None:
    reader = SettingsReader()
    reader.format({"responseMimeType": "text/x.enum"})
    reader.others(
        {"responseModalities": ["TEXT", "AUDIO"], "routingConfig": {}, "speechConfig": None}
    )
    reader.tools([{"googleSearch": {}}, {"urlContext": None}])
    assert list(reader.extras) == [
        Feature.JSON_SCHEMA,
        Feature.AUDIO_OUTPUT,
        Feature.OTHER,
        Feature.PROVIDER_TOOLS,
    ]


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({}, None),
        ({"responseModalities": ["TEXT"]}, None),
        ({"responseModalities": ["TEXT", "IMAGE"]}, ImageOutput()),
        ({"responseModalities": ["IMAGE"]}, ImageOutput(True)),
        ({"imageConfig": {"aspectRatio": "16:9"}}, ImageOutput(aspect_ratio="16:9")),
        (
            {"responseModalities": ["IMAGE"], "imageConfig": {"imageSize": "2K"}},
            ImageOutput(True, resolution="2K"),
        ),
    ],
)
def test_images_are_asked_for_or_not(config: dict[str, object], asked: ImageOutput | None) -> None:
    reader = SettingsReader()
    assert reader.image_output(config) == asked
    reader.others(config)
    assert reader.extras == {}


def test_what_more_is_said_of_images_is_noted() -> None:
    reader = SettingsReader()
    reader.image_output({"imageConfig": {"personGeneration": "ALLOW_NONE", "aspectRatio": None}})
    assert list(reader.extras) == [Feature.IMAGE_OUTPUT_FORM]
    with pytest.raises(Unfit, match="imageConfig"):
        reader.image_output({"imageConfig": "16:9"})


def test_answers_in_what_nobody_knows_are_refused() -> None:
    with pytest.raises(Unfit, match="VIDEO cannot be expressed"):
        SettingsReader().others({"responseModalities": ["VIDEO"]})


def test_functions_of_either_form() -> None:
    declared = [
        {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}},
        {"name": "g", "parametersJsonSchema": {"type": "object"}},
        {"name": "h", "response": {"type": "STRING"}},
    ]
    reader = SettingsReader()
    assert reader.tools([{"functionDeclarations": declared}]) == (
        Tool("f", "d", {"type": "object"}),
        Tool("g", "", {"type": "object"}),
        Tool("h"),
    )
    assert list(reader.extras) == [Feature.OTHER]


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        (None, (None, "", (F, G))),
        ({"mode": "AUTO"}, (Choice.AUTO, "", (F, G))),
        ({"mode": "NONE"}, (Choice.NONE, "", (F, G))),
        ({"mode": "ANY"}, (Choice.REQUIRED, "", (F, G))),
        ({"mode": "ANY", "allowedFunctionNames": ["g"]}, (Choice.NAMED, "g", (F, G))),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "f"]}, (Choice.REQUIRED, "", (F, G))),
        (
            {"mode": "VALIDATED", "allowedFunctionNames": ["f"]},
            (Choice.AUTO, "", (Tool("f", is_strict=True),)),
        ),
        ({}, (None, "", (F, G))),
    ],
)
def test_how_tools_are_chosen(config: object, choice: object) -> None:
    assert SettingsReader().choice({"functionCallingConfig": config}, (F, G)) == choice


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda reader: reader.sampling({"temperature": "hot"}), "temperature must be a number"),
        (lambda reader: reader.sampling({"seed": 1.5}), "seed must be an integer"),
        (lambda reader: reader.stop({"stopSequences": "x"}), "stopSequences must be an array"),
        (lambda reader: reader.stop({"stopSequences": [1]}), "stopSequences\\[0\\]"),
        (lambda reader: reader.reasoning({"thinkingConfig": 1}), "thinkingConfig must be"),
        (
            lambda reader: reader.reasoning({"thinkingConfig": {"thinkingLevel": "most"}}),
            "thinkingLevel must be a known level",
        ),
        (lambda reader: reader.tools({}), "tools must be an array"),
        (lambda reader: reader.tools(["x"]), "tools\\[0\\] must be an object"),
        (
            lambda reader: reader.tools([{"functionDeclarations": [{}]}]),
            "functionDeclarations\\[0\\].name",
        ),
        (
            lambda reader: reader.tools(
                [
                    {
                        "functionDeclarations": [
                            {"name": "f", "parameters": {}, "parametersJsonSchema": {}}
                        ]
                    }
                ]
            ),
            "both parameters and parametersJsonSchema",
        ),
        (
            lambda reader: reader.choice({"functionCallingConfig": {"mode": "MAYBE"}}, ()),
            "mode must be AUTO",
        ),
        (
            lambda reader: reader.format(
                {"responseMimeType": "application/json", "responseSchema": "x"}
            ),
            "responseSchema must be an object",
        ),
    ],
)
def test_what_is_wrong_is_named(read: object, words: str) -> None:
    assert callable(read)
    with pytest.raises(Unfit, match=words):
        read(SettingsReader())
