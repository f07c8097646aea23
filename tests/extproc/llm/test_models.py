from __future__ import annotations

import json
from collections.abc import Callable

import anthropic
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai import types

from extproc.llm import models
from extproc.llm.models import ModelShape
from gateway.apis import Family

NAMES = ("fast", "local/a:b")
CREATED = 1_700_000_000


@pytest.mark.parametrize(
    ("family", "headers", "shape"),
    [
        (Family.OPENAI, {}, ModelShape.OPENAI),
        (Family.OPENAI, {"authorization": "Bearer a"}, ModelShape.OPENAI),
        (Family.OPENAI, {"anthropic-version": "2023-06-01"}, ModelShape.ANTHROPIC),
        (Family.OPENAI, {"x-goog-api-key": "a"}, ModelShape.GEMINI),
        (Family.AZURE, {}, ModelShape.OPENAI),
        (Family.ANTHROPIC, {}, ModelShape.ANTHROPIC),
        (Family.GEMINI, {}, ModelShape.GEMINI),
    ],
)
def test_clients_are_known_by_path_or_header(
    family: Family, headers: dict[str, str], shape: ModelShape
) -> None:
    assert models.shape_of(family, headers) is shape


def test_openai_lists_data() -> None:
    assert json.loads(models.encode_list(ModelShape.OPENAI, ["m"], CREATED)) == {
        "object": "list",
        "data": [{"id": "m", "object": "model", "created": CREATED, "owned_by": "dragoman"}],
    }


def test_nothing_is_a_list_too() -> None:
    empty = json.loads(models.encode_list(ModelShape.ANTHROPIC, [], CREATED))
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert json.loads(models.encode_list(ModelShape.GEMINI, [], CREATED)) == {"models": []}


def test_a_name_may_be_asked_for_with_its_prefix() -> None:
    assert models.asked_name(ModelShape.GEMINI, "models/a/b") == "a/b"
    assert models.asked_name(ModelShape.OPENAI, "models/a") == "models/a"


def answering(shape: ModelShape) -> Callable[[httpx2.Request], httpx2.Response]:
    """A server that lists in this shape."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/models"):
            body = models.encode_list(shape, NAMES, CREATED)
        else:
            name = request.url.path.partition("/models/")[2]
            body = models.encode_one(shape, models.asked_name(shape, name), CREATED)
        return httpx2.Response(200, content=body, headers={"content-type": "application/json"})

    return answer


def client(shape: ModelShape) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(answering(shape)))


def test_openais_library_reads_it() -> None:
    with openai.OpenAI(api_key="a", http_client=client(ModelShape.OPENAI)) as library:
        assert [each.id for each in library.models.list()] == list(NAMES)
        assert library.models.retrieve("fast").created == CREATED


def test_anthropics_library_reads_it() -> None:
    with anthropic.Anthropic(api_key="a", http_client=client(ModelShape.ANTHROPIC)) as library:
        assert [each.id for each in library.models.list()] == list(NAMES)
        found = library.models.retrieve("fast")
    assert (found.display_name, int(found.created_at.timestamp())) == ("fast", CREATED)


def test_googles_library_reads_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert models.GEMINI_HEADER in request.headers
        assert request.url.path.startswith("/v1/models")
        said = answering(ModelShape.GEMINI)(httpx2.Request("GET", str(request.url)))
        return httpx.Response(200, content=said.content)

    with httpx.Client(transport=httpx.MockTransport(answer)) as connection:
        options = types.HttpOptions(httpx_client=connection)
        library = genai.Client(api_key="a", http_options=options)
        assert [each.name for each in library.models.list()] == [f"models/{n}" for n in NAMES]
        found = library.models.get(model="fast")
    assert found.display_name == "fast"
    assert "generateContent" in (found.supported_actions or [])
