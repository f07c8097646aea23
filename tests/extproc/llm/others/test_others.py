"""What OpenAI's own library sends is found and read."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import openai
import pytest

from extproc.llm.dialect import Call
from extproc.llm.others import multipart as forms
from extproc.llm.others import reading
from extproc.llm.others.reading import JsonReading
from extproc.protocols import bodies
from gateway.apis import DEFAULT_PREFIXES, Found, Paths
from gateway.operations import Operation

PATHS = Paths(DEFAULT_PREFIXES)
READINGS: dict[Operation, JsonReading] = {
    Operation.COMPLETIONS: reading.COMPLETIONS,
    Operation.EMBEDDINGS: reading.EMBEDDINGS,
    Operation.MODERATIONS: reading.MODERATIONS,
    Operation.IMAGE_GENERATIONS: reading.IMAGE_GENERATIONS,
    Operation.IMAGE_EDITS: forms.IMAGE_EDITS,
    Operation.SPEECH: reading.SPEECH,
    Operation.TRANSCRIPTIONS: forms.TRANSCRIPTIONS,
}
PNG = ("a.png", b"\x89PNG\r\n\x1a\n--", "image/png")
WAV = ("a.wav", b"RIFF\x00\r\n\xff", "audio/wav")
Ask = Callable[[openai.OpenAI], object]


def sent(ask: Ask) -> httpx2.Request:
    """The request that the library makes."""
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        requests.append(request)
        return httpx2.Response(418, json={})

    transport = httpx2.MockTransport(answer)
    with httpx2.Client(transport=transport) as connection:
        library = openai.OpenAI(api_key="a", http_client=connection, max_retries=0)
        with pytest.raises(openai.APIStatusError):
            ask(library)
    return requests[0]


@pytest.mark.parametrize(
    ("operation", "ask", "texts", "is_stream"),
    [
        (
            Operation.COMPLETIONS,
            lambda o: o.completions.create(model="m", prompt=["say", "it"], stream=True),
            ("say", "it"),
            True,
        ),
        (
            Operation.EMBEDDINGS,
            lambda o: o.embeddings.create(model="m", input=["say", "it"]),
            ("say", "it"),
            False,
        ),
        (
            Operation.MODERATIONS,
            lambda o: o.moderations.create(model="m", input="say"),
            ("say",),
            False,
        ),
        (
            Operation.IMAGE_GENERATIONS,
            lambda o: o.images.generate(model="m", prompt="say", n=2, size="1024x1024"),
            ("say",),
            False,
        ),
        (
            Operation.IMAGE_EDITS,
            lambda o: o.images.edit(
                model="m", prompt="say", image=[PNG, PNG], mask=PNG, n=2, stream=True
            ),
            ("say",),
            True,
        ),
        (
            Operation.SPEECH,
            lambda o: o.audio.speech.create(
                model="m", input="say", voice="alloy", stream_format="sse"
            ),
            ("say", "alloy"),
            True,
        ),
        (
            Operation.TRANSCRIPTIONS,
            lambda o: o.audio.transcriptions.create(
                model="m",
                file=WAV,
                prompt="say",
                stream=True,
                timestamp_granularities=["word", "segment"],
                chunking_strategy={"type": "server_vad", "threshold": 0.5},
            ),
            ("say",),
            True,
        ),
    ],
    ids=READINGS,
)
def test_it_is_found_read_and_renamed(
    operation: Operation, ask: Ask, texts: tuple[str, ...], is_stream: bool
) -> None:
    request = sent(ask)
    found = PATHS.find(request.method, request.url.raw_path.decode())
    assert isinstance(found, Found)
    assert found.operation is operation
    read = READINGS[operation]
    content_type = request.headers["content-type"]

    def decoded(body: bytes) -> Call:
        if isinstance(read, forms.FormReading):
            call = read.decode_typed(body, content_type, found.model)
        else:
            call = read.decode(body, found.model, is_stream=found.is_stream)
        assert isinstance(call, Call), call
        return call

    call = decoded(request.content)
    assert (call.model, call.is_stream) == ("m", is_stream)
    said = read.texts(call.document)
    assert isinstance(said, tuple)
    assert set(texts) <= set(said)
    renamed = bodies.replace(request.content, read.rename(call, "other/model"))
    after = decoded(renamed)
    assert after.model == "other/model"
    assert {**after.document, "model": "m"} == dict(call.document)
