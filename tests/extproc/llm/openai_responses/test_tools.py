from __future__ import annotations

import pytest

from extproc.llm.faults import Unfit
from extproc.llm.losses import Feature
from extproc.llm.openai_responses.tools import (
    CUSTOM_PARAMETERS,
    Tools,
    choose,
    custom_names,
    tools_in,
    tools_of,
)
from extproc.llm.request import Choice, ImageOutput, Tool

GET = Tool("get", "gets", {"type": "object"}, True)
PUT = Tool("put")
SAID = {
    "type": "function",
    "name": "get",
    "description": "gets",
    "parameters": {"type": "object"},
    "strict": True,
}


def test_functions_are_told() -> None:
    extras: dict[Feature, None] = {}
    assert tools_of({"tools": [SAID, {"type": "function", "name": "put"}]}, extras) == (GET, PUT)
    assert extras == {}
    assert tools_of({}, extras) == ()


def test_what_a_function_says_beyond_is_named() -> None:
    extras: dict[Feature, None] = {}
    tools_of({"tools": [{**SAID, "defer_loading": False}]}, extras)
    assert extras == {}
    tools_of({"tools": [{**SAID, "defer_loading": True}]}, extras)
    assert list(extras) == [Feature.OTHER]


def test_a_tool_for_text_is_a_function_of_one_argument() -> None:
    extras: dict[Feature, None] = {}
    tool = {"type": "custom", "name": "math", "description": "sums"}
    assert tools_of({"tools": [tool]}, extras) == (Tool("math", "sums", CUSTOM_PARAMETERS),)
    assert tools_of({"tools": [{**tool, "format": {"type": "text"}}]}, extras)
    assert extras == {}


def test_a_grammar_is_lost_and_said_in_words() -> None:
    extras: dict[Feature, None] = {}
    form = {"type": "grammar", "syntax": "regex", "definition": "[0-9]+"}
    (tool,) = tools_of({"tools": [{"type": "custom", "name": "math", "format": form}]}, extras)
    assert tool.description == "The input fits this regex grammar:\n[0-9]+"
    assert list(extras) == [Feature.CUSTOM_TOOLS]


@pytest.mark.parametrize("kind", ["web_search", "mcp", "namespace", "a_new_one"])
def test_tools_that_the_provider_runs_are_named(kind: str) -> None:
    extras: dict[Feature, None] = {}
    assert tools_of({"tools": [{"type": kind}]}, extras) == ()
    assert list(extras) == [Feature.PROVIDER_TOOLS]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, Tools((GET, PUT), None)),
        ("auto", Tools((GET, PUT), Choice.AUTO)),
        ("none", Tools((GET, PUT), Choice.NONE)),
        ("required", Tools((GET, PUT), Choice.REQUIRED)),
        ({"type": "function", "name": "put"}, Tools((GET, PUT), Choice.NAMED, "put")),
        ({"type": "custom", "name": "put"}, Tools((GET, PUT), Choice.NAMED, "put")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "put"}],
            },
            Tools((PUT,), Choice.REQUIRED),
        ),
    ],
)
def test_choices_are_told(said: object, expected: Tools) -> None:
    extras: dict[Feature, None] = {}
    assert choose(said, (GET, PUT), extras) == expected
    assert extras == {}


@pytest.mark.parametrize(
    "said",
    [
        {"type": "web_search_preview"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
    ],
)
def test_a_choice_of_what_the_provider_runs_is_named(said: object) -> None:
    extras: dict[Feature, None] = {}
    choose(said, (GET,), extras)
    assert list(extras) == [Feature.PROVIDER_TOOLS]


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ("any", "tool_choice"),
        (5, "tool_choice"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "allowed_tools", "mode": "some"}, "tool_choice.mode"),
    ],
)
def test_what_is_no_choice_is_refused(said: object, param: str) -> None:
    with pytest.raises(Unfit) as caught:
        choose(said, (GET,), {})
    assert caught.value.deny.param == param


def test_custom_tools_of_a_request_are_known_by_name() -> None:
    tools = [{"type": "custom", "name": "math"}, SAID, {"type": "custom"}, 5]
    assert custom_names({"tools": tools}) == {"math"}
    assert custom_names({}) == frozenset()


DRAWS: dict[str, object] = {"type": "image_generation"}


@pytest.mark.parametrize(
    ("said", "tools", "expected"),
    [
        (None, [DRAWS], Tools((), None, image_output=ImageOutput())),
        (None, [SAID, DRAWS], Tools((GET,), None, image_output=ImageOutput())),
        ("none", [SAID, DRAWS], Tools((GET,), Choice.NONE)),
        ("required", [DRAWS], Tools((), None, image_output=ImageOutput(True))),
        (
            "required",
            [SAID, DRAWS],
            Tools((GET,), Choice.REQUIRED, image_output=ImageOutput()),
        ),
        (DRAWS, [SAID, DRAWS], Tools((GET,), None, image_output=ImageOutput(True))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [DRAWS]},
            [SAID, DRAWS],
            Tools((), Choice.AUTO, image_output=ImageOutput()),
        ),
    ],
)
def test_the_tool_that_draws_is_a_wish_for_images(
    said: object, tools: list[object], expected: Tools
) -> None:
    extras: dict[Feature, None] = {}
    assert tools_in({"tool_choice": said, "tools": tools}, extras) == expected
    assert extras == {}


def test_a_choice_of_a_tool_that_is_not_offered_is_named() -> None:
    extras: dict[Feature, None] = {}
    tools_in({"tool_choice": DRAWS, "tools": [SAID]}, extras)
    assert list(extras) == [Feature.PROVIDER_TOOLS]
