"""What is no conversation, by the vendors' own libraries: it arrives as its provider wants it, and
costs what the provider says that it took.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google.genai import errors, types

from tests.e2e.conftest import SERVED
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.other_answers import CONTENT, SOUND
from tests.kit.other_apis import OtherApis, other_apis

pytestmark = pytest.mark.envoy

IMAGE = ("cat.png", b"\x89PNG\r\n\x1a\n" + bytes(1000), "image/png")
deprecated = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""Some models, and variations of images; many still ask for them."""
old_websockets = pytest.mark.filterwarnings(
    r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"
)
"""OpenAI's library opens websockets in the old way."""
RECORDING = ("hello.mp3", bytes(20_000), "audio/mpeg")


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def apis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OtherApis]:
    start = SERVED[NEWEST if request.param == NEWEST else f"{OLDEST}-delta"]
    with other_apis(start, tmp_path_factory.mktemp("others")) as found:
        yield found


@pytest.fixture
def here(apis: OtherApis) -> Iterator[OtherApis]:
    """What no test may do: ask a provider for what it does not have, or with another's key."""
    yield apis
    faults = [got.faults for got in apis.providers.got if got.faults]
    apis.rest()
    assert faults == []


def test_legacy_completions(here: OtherApis) -> None:
    client = here.openai()
    with here.costs(5 * 1000 + 2 * 2000):
        answer = client.completions.create(model="complete", prompt="Hello")
    assert answer.choices[0].text == " world"
    with here.costs(5 * 1000 + 2 * 2000):
        stream = client.completions.create(model="complete", prompt="Hello", stream=True)
        words = [choice.text for chunk in stream for choice in chunk.choices]
    assert words == [" wor", "ld"]
    assert here.providers.last.document["model"] == "gpt-3.5-turbo-instruct"


def test_embeddings(here: OtherApis) -> None:
    with here.costs(8 * 3000):
        answer = here.openai().embeddings.create(model="embed", input=["a", "b"])
    assert [row.embedding for row in answer.data] == [[0.5, -0.25]] * 2
    got = here.providers.last
    assert (got.path, got.document["model"]) == ("/v1/embeddings", "text-embedding-3-small")


def test_moderations(here: OtherApis) -> None:
    with here.costs(0):
        answer = here.openai().moderations.create(model="moderate", input="hello")
    assert answer.results[0].flagged is False
    assert here.providers.last.document["model"] == "omni-moderation-latest"


def test_images_cost_tokens_where_they_are_told(here: OtherApis) -> None:
    client = here.openai()
    tokens = 10 * 5000 + 40 * 10_000 + 50 * 40_000
    with here.costs(tokens):
        answer = client.images.generate(model="draw", prompt="a cat")
    assert answer.data is not None
    assert answer.data[0].b64_json
    with here.costs(tokens):
        client.images.edit(model="draw", prompt="a hat", image=IMAGE)
    got = here.providers.last
    assert (got.path, got.document) == (
        "/v1/images/edits",
        {"model": "gpt-image-1", "prompt": "a hat"},
    )
    assert (got.files["image"].filename, got.files["image"].size) == ("cat.png", len(IMAGE[1]))
    with here.costs(tokens):
        events = list(client.images.generate(model="draw", prompt="a cat", stream=True))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
    ]


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_tools_of_responses_use_costs_what_their_model_does(
    here: OtherApis, is_stream: bool
) -> None:
    client = here.openai()
    words, drawn = 100 * 1000 + 10 * 2000, 100 * 5000 + 200 * 8000 + 186 * 30_000
    with here.costs(words + drawn + 2 * 10_000_000):
        answer = client.responses.create(
            model="talk",
            input="a cat",
            tools=[{"type": "image_generation", "model": "gpt-image-2"}],
            stream=is_stream,
        )
        if isinstance(answer, openai.Stream):
            *_, last = answer
            assert last.type == "response.completed"
            answer = last.response
    assert answer.tool_usage is not None
    assert answer.tool_usage.image_gen.output_tokens == 186
    with here.costs(words):
        client.responses.create(model="talk", input="Hi")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_chat_costs_what_the_tier_does_that_served_it(here: OtherApis, is_stream: bool) -> None:
    """Envoy does not read tiers."""
    client, asked = here.openai(), [{"role": "user", "content": "Hi"}]
    for tier, nanodollars in (("flex", (9 * 1000 + 2000) // 2), ("default", 9 * 1000 + 2000)):
        with here.costs(nanodollars):
            answer = client.chat.completions.create(  # type: ignore[call-overload]
                model="talk", messages=asked, service_tier=tier, stream=is_stream
            )
            if is_stream:
                list(answer)


@deprecated
def test_images_cost_by_the_piece_where_no_tokens_are_told(here: OtherApis) -> None:
    client = here.openai()
    with here.costs(2 * 18_000_000):
        client.images.generate(model="paint", prompt="a cat", n=2, size="512x512")
    with here.costs(3 * 20_000_000):
        client.images.create_variation(model="paint", image=IMAGE, n=3)
    got = here.providers.last
    assert got.document == {"model": "dall-e-2", "n": "3"}
    assert got.files["image"].content_type == "image/png"


def test_speech_comes_as_it_is_spoken_and_costs_by_its_text(here: OtherApis) -> None:
    here.providers.is_slow = True
    with (
        here.costs(5 * 15_000),
        here.openai().audio.speech.with_streaming_response.create(
            model="speak", voice="alloy", input="héllo"
        ) as answer,
    ):
        pieces = answer.iter_bytes()
        heard = next(pieces)
        assert heard == SOUND[0]
        here.providers.heard.set()
        heard += b"".join(pieces)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert heard == b"".join(SOUND)
    assert here.providers.last.document["model"] == "tts-1"


@deprecated
def test_recordings_cost_by_the_second_or_by_tokens(here: OtherApis) -> None:
    client = here.openai()
    with here.costs(9 * 100_000):
        answer = client.audio.transcriptions.create(model="hear", file=RECORDING)
    assert answer.text == "hello there"
    assert here.providers.last.document["model"] == "whisper-1"
    assert here.providers.last.files["file"].size == 20_000
    tokens = 4 * 2000 + 10 * 6000 + 45 * 10_000
    with here.costs(tokens):
        client.audio.transcriptions.create(model="listen", file=RECORDING, language="en")
    with here.costs(tokens):
        stream = client.audio.transcriptions.create(model="listen", file=RECORDING, stream=True)
        assert [event.type for event in stream][-1] == "transcript.text.done"
    with here.costs(9500 * 100):
        told = client.audio.translations.create(
            model="hear", file=RECORDING, response_format="verbose_json"
        )
    assert told.duration == 9.5
    assert here.providers.last.path == "/v1/audio/translations"
    with here.costs(10 * 100_000):  # nothing is told: what its size says
        text = client.audio.translations.create(
            model="hear", file=RECORDING, response_format="text"
        )
    assert text == "hello there\n"


def test_files_pass_as_they_are(here: OtherApis) -> None:
    client = here.openai()
    with here.costs(0):
        made = client.files.create(file=("batch.jsonl", b"{}\n" * 9), purpose="batch")
        assert here.providers.last.document == {"purpose": "batch"}
        assert here.providers.last.files["file"].size == 27
        assert [each.id for each in client.files.list()] == ["file-1", "file-2"]
        assert client.files.retrieve(made.id).filename == "batch.jsonl"
        assert client.files.content(made.id).read() == CONTENT
        assert client.files.delete(made.id).deleted
    assert [(got.method, got.path) for got in here.providers.got] == [
        ("POST", "/v1/files"),
        ("GET", "/v1/files"),
        ("GET", "/v1/files/file-1"),
        ("GET", "/v1/files/file-1/content"),
        ("DELETE", "/v1/files/file-1"),
    ]


def test_files_are_listed_with_what_the_client_asks_for(here: OtherApis) -> None:
    here.openai().files.list(purpose="batch", limit=2, after="file-0", order="asc")
    assert here.providers.last.query == {
        "purpose": "batch",
        "limit": "2",
        "after": "file-0",
        "order": "asc",
    }


def test_uploads_in_parts(here: OtherApis) -> None:
    client = here.openai()
    upload = client.uploads.create(
        bytes=9, filename="a.jsonl", mime_type="text/jsonl", purpose="batch"
    )
    part = client.uploads.parts.create(upload.id, data=b"x" * 9)
    done = client.uploads.complete(upload.id, part_ids=[part.id])
    assert done.status == "completed"
    assert client.uploads.cancel(upload.id).status == "cancelled"


def test_batches(here: OtherApis) -> None:
    client = here.openai()
    made = client.batches.create(
        completion_window="24h", endpoint="/v1/embeddings", input_file_id="file-1"
    )
    assert client.batches.retrieve(made.id).status == "validating"
    assert client.batches.cancel(made.id).status == "cancelling"
    assert [each.id for each in client.batches.list()] == [made.id]


def test_stored_responses(here: OtherApis) -> None:
    client = here.openai()
    assert client.responses.retrieve("resp_1", include=["reasoning.encrypted_content"]).id
    assert here.providers.last.query == {"include[]": "reasoning.encrypted_content"}
    assert client.responses.cancel("resp_1").status == "cancelled"
    assert list(client.responses.input_items.list("resp_1")) == []
    client.responses.delete("resp_1")
    assert here.providers.last.method == "DELETE"


def test_models_are_listed_as_each_library_expects_them(here: OtherApis) -> None:
    client = here.openai()
    assert {"talk", "embed", "claude"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("claude").id == "claude"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("nobody")
    assert {"talk", "claude"} <= {model.id for model in here.anthropic().models.list()}
    assert here.anthropic().models.retrieve("claude").type == "model"
    for version in ("v1beta", "v1"):
        gemini = here.gemini(version)
        assert "models/flash" in {model.name for model in gemini.models.list()}
        assert gemini.models.get(model="flash").name == "models/flash"
    assert here.providers.got == []


@old_websockets
def test_a_websocket_goes_to_the_provider_of_the_model_in_its_query(here: OtherApis) -> None:
    with (
        here.costs(10 * 1000 + 2 * 2000),
        here.openai().realtime.connect(model="live") as connection,
    ):
        created = connection.recv()
        assert created.type == "session.created"
        connection.session.update(session={"type": "realtime", "instructions": "Be brief." * 50})
        assert connection.recv().type == "session.updated"
        connection.response.create()
        assert connection.recv().type == "response.created"
        assert connection.recv().type == "response.output_text.delta"
        assert connection.recv().type == "response.done"
    got = here.providers.last
    assert (got.path, got.query) == ("/v1/realtime", {"model": "gpt-realtime"})


def test_azures_library_names_deployments_in_the_path(here: OtherApis) -> None:
    client = here.azure()
    with here.costs(8 * 3000):
        client.embeddings.create(model="my-embed", input="a")
    got = here.providers.last
    assert (got.provider, got.path) == ("azure", "/openai/deployments/embed-eu/embeddings")
    assert got.query == {"api-version": "2024-10-21"}
    with here.costs(50_000_000):
        client.images.generate(model="my-image", prompt="a cat")
    assert here.providers.last.path == "/openai/deployments/image-eu/images/generations"
    with here.costs(9 * 1000 + 2000):  # of another provider
        client.chat.completions.create(model="talk", messages=[{"role": "user", "content": "Hi"}])
    got = here.providers.last
    assert (got.provider, got.path) == ("openai", "/v1/chat/completions")
    assert got.document["model"] == "gpt-5.4"


def test_azures_library_finds_files_and_batches(here: OtherApis) -> None:
    client = here.azure()
    assert [each.id for each in client.files.list()] == ["file-1", "file-2"]
    got = here.providers.last
    assert (got.provider, got.path, got.query) == ("openai", "/v1/files", {})
    assert client.batches.retrieve("batch_1").status == "validating"
    assert here.providers.last.path == "/v1/batches/batch_1"


def test_azures_library_lists_models(here: OtherApis) -> None:
    assert {"talk", "my-embed"} <= {model.id for model in here.azure().models.list()}


def test_googles_embedding_of_one_content(here: OtherApis) -> None:
    body = {"content": {"parts": [{"text": "a"}]}}
    http = here.http()
    with here.costs(2 * 5 * 4000):
        answer = http.post("/v1beta/models/vectors:embedContent", json=body)
        assert answer.json()["embedding"]["values"] == [0.5]
        assert here.providers.last.document == body
        http.post("/v1beta/models/vectors:embedContent", json={**body, "model": "models/vectors"})
    assert here.providers.last.document["model"] == "models/gemini-embedding-001"


def test_batches_of_messages(here: OtherApis) -> None:
    client = here.anthropic()
    params = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    made = client.messages.batches.create(requests=[{"custom_id": "1", "params": params}])
    assert client.messages.batches.retrieve(made.id).processing_status == "in_progress"
    assert [got.path for got in here.providers.got] == [
        "/v1/messages/batches",
        "/v1/messages/batches/msgbatch_1",
    ]


def test_guards_read_the_batches_of_messages_that_are_made(here: OtherApis) -> None:
    def made(text: str) -> str:
        params = {"model": "claude-opus-5", "max_tokens": 9,
                  "messages": [{"role": "user", "content": text}]}  # fmt: skip
        requests: Any = [{"custom_id": "1", "params": params}]
        return here.anthropic().messages.batches.create(requests=requests).id

    with pytest.raises(anthropic.BadRequestError, match="no-apollo"):
        made("of project apollo")
    assert here.providers.got == []
    assert made("of mercury") == "msgbatch_1"
    (asked,) = here.providers.last.document["requests"]
    assert asked["params"]["messages"][0]["content"] == "of [x]"
    here.anthropic().messages.batches.cancel("msgbatch_1")
    assert here.providers.last.path == "/v1/messages/batches/msgbatch_1/cancel"


def test_files_of_anthropic_pass_to_it_with_its_betas(here: OtherApis) -> None:
    files = here.anthropic().beta.files
    with here.costs(0):
        document = ("a.pdf", b"%PDF-1.7\n" * 9, "application/pdf")
        made = files.upload(file=document, betas=["files-api-2025-04-14"])
        got = here.providers.last
        assert (got.files["file"].size, got.headers["x-api-key"]) == (81, "sk-ant")
        assert got.headers["anthropic-beta"] == "files-api-2025-04-14"
        assert [each.id for each in files.list(limit=5)] == [made.id]
        assert here.providers.last.query["limit"] == "5"
        assert files.retrieve_metadata(made.id).filename == "a.pdf"
        assert files.download(made.id).read() == CONTENT
        assert files.delete(made.id).id == made.id
    assert {got.provider for got in here.providers.got} == {"anthropic"}
    assert [each.id for each in here.openai().files.list()] == ["file-1", "file-2"]


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_files_of_gemini_are_uploaded_through_the_gateway(here: OtherApis, version: str) -> None:
    """Beside OpenAI's, whose files are at the same path, and Anthropic's."""
    files = here.gemini(version).files
    size = 8_000_000
    with here.costs(0):
        made = files.upload(file=io.BytesIO(bytes(size)), config={"mime_type": "image/png"})
        begun, *rest = here.providers.got
        assert (begun.path, begun.document["file"]["mime_type"]) == (
            "/upload/v1beta/files",
            "image/png",
        )
        assert sum(each.size for each in rest) == size
        asked = {"upload_id": "u1", "upload_protocol": "resumable"}
        assert [each.query for each in rest] == [asked] * len(rest)
        assert made.name == "files/abc"
        assert files.get(name="files/abc").state == "ACTIVE"
        assert [each.name for each in files.list(config={"page_size": 5})] == ["files/abc"]
        assert here.providers.last.query == {"pageSize": "5"}
        assert files.download(file=types.Video(uri=files.get(name="files/abc").uri)) == CONTENT
        files.delete(name="files/abc")
    assert {got.provider for got in here.providers.got} == {"gemini"}
    answer = here.http().post(
        "/upload/v1beta/files", json={"file": {}}, headers={"x-goog-upload-command": "start"}
    )
    address = answer.headers["x-goog-upload-url"]
    bare, _, caller = address.rpartition("&dragoman_caller=")
    assert bare == f"{here.stack.url}/upload/v1beta/files?upload_id=u1&upload_protocol=resumable"
    assert [each.id for each in here.openai().files.list()] == ["file-1", "file-2"]
    nobody = httpx.Client(timeout=60)
    command = {"x-goog-upload-command": "upload, finalize"}
    assert nobody.post(address, content=b"a", headers=command).status_code == 200
    assert here.providers.last.query == {"upload_id": "u1", "upload_protocol": "resumable"}
    before = len(here.providers.got)
    for wrong, more in (
        (bare, command),
        (f"{bare}&dragoman_caller={caller[:-4]}AAAA", command),
        (address.replace("upload_id=u1", "upload_id=u2"), command),
        (address, {"x-goog-upload-command": "start"}),
        (f"{here.stack.url}/v1beta/files?{address.partition('?')[2]}", command),
    ):
        assert nobody.post(wrong, content=b"a", headers=more).status_code in (401, 404, 405), wrong
    nobody.close()
    assert len(here.providers.got) == before


def test_what_is_cached_at_gemini_is_made_and_used(here: OtherApis) -> None:
    caches = here.gemini().caches
    config = types.CreateCachedContentConfig(contents="a long text", ttl="600s")
    with here.costs(50 * 1000):
        made = caches.create(model="gemini-3-flash", config=config)
        assert here.providers.last.document["model"] == "models/gemini-3-flash"
        assert [each.name for each in caches.list()] == [made.name]
        assert caches.get(name="cachedContents/c1").name == made.name
        caches.delete(name="cachedContents/c1")
    assert {got.provider for got in here.providers.got} == {"gemini"}
    secret = types.CreateCachedContentConfig(contents="of project apollo", ttl="600s")
    before = len(here.providers.got)
    with pytest.raises(errors.ClientError, match="no-apollo"):
        caches.create(model="gemini-3-flash", config=secret)
    assert len(here.providers.got) == before


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_was_cached_at_gemini_costs_less_when_it_is_used(
    here: OtherApis, is_stream: bool
) -> None:
    models = here.gemini().models
    ask = models.generate_content_stream if is_stream else models.generate_content
    cached = types.GenerateContentConfig(cached_content="cachedContents/c1")
    for config, nanodollars in ((cached, 20 * 1000 + 80 * 100 + 5 * 1000), (None, 25 * 1000)):
        with here.costs(nanodollars):
            answer = ask(model="flash", contents="Hello", config=config)
            parts = [answer] if isinstance(answer, types.GenerateContentResponse) else list(answer)
            assert "".join(each.text or "" for each in parts) == "Hi"
    asked = [got.document.get("cachedContent") for got in here.providers.got]
    assert asked == ["cachedContents/c1", None]


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_googles_library_embeds_and_counts(here: OtherApis, version: str) -> None:
    client = here.gemini(version)
    with here.costs(6 * 4000):
        answer = client.models.embed_content(model="vectors", contents=["a", "b"])
    assert answer.embeddings is not None
    assert answer.embeddings[0].values == [0.5, -0.25]
    got = here.providers.last
    assert got.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    named = {request["model"] for request in got.document["requests"]}
    assert named == {"models/gemini-embedding-001"}  # as in the path, or Google refuses it
    with here.costs(0):
        assert client.models.count_tokens(model="flash", contents="Hello").total_tokens == 4
    assert here.providers.last.path == "/v1beta/models/gemini-3-flash:countTokens"


@pytest.mark.parametrize(
    ("model", "cost"),
    [("llama", 7 * 1000 + 3 * 2000), ("titan", 7 * 3000 + 3 * 4000), ("sonnet", 7 * 5000 + 18_000),
     ("cohere-embed", 7 * 7000)],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "/aws"])
def test_invoke_model_costs_what_any_model_says(
    here: OtherApis, model: str, cost: int, prefix: str
) -> None:
    body = json.dumps({"prompt": "Hi", "max_gen_len": 9})
    with here.costs(cost):
        answer = here.bedrock(prefix).invoke_model(modelId=model, body=body)
        assert json.loads(answer["body"].read())
    got = here.providers.last
    assert got.document == json.loads(body)


def test_invoke_model_with_a_stream(here: OtherApis) -> None:
    body = json.dumps({"prompt": "Hi", "max_gen_len": 9})
    with here.costs(7 * 1000 + 3 * 2000):
        answer = here.bedrock().invoke_model_with_response_stream(modelId="llama", body=body)
        chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert [chunk["generation"] for chunk in chunks] == ["Hi", "!"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_reranking_costs_searches(here: OtherApis, path: str) -> None:
    body = {"model": "rank", "query": "a", "documents": ["b", "c"], "top_n": 2}
    with here.costs(2_000_000):
        answer = here.http().post(path, json=body)
    assert len(answer.raise_for_status().json()["results"]) == 2
    got = here.providers.last
    assert (got.path, got.document["model"]) == ("/v2/rerank", "rerank-v3.5")


def test_models_on_bedrock_rerank_for_clients_of_cohere(here: OtherApis) -> None:
    body = {"query": "a", "documents": ["b", "c"], "top_n": 2}
    with here.costs(3_000_000):
        answer = here.http().post("/v2/rerank", json={"model": "rank-on-bedrock", **body})
    found = answer.raise_for_status().json()
    assert [each["index"] for each in found["results"]] == [0, 1]
    assert found["meta"]["billed_units"] == {"search_units": 1}
    got = here.providers.last
    assert (got.path, got.document) == (
        "/model/cohere.rerank-v3-5:0/invoke",
        {**body, "api_version": 2},
    )
    refused = here.http().post("/v2/rerank", json={"model": "llama", **body})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported_model")


@old_websockets
def test_prefixes_are_configuration(here: OtherApis) -> None:
    client = here.openai("/team-a/llm")
    client.embeddings.create(model="embed", input="a")
    assert here.providers.last.path == "/v1/embeddings"
    client.images.edit(model="draw", prompt="a hat", image=io.BytesIO(b"\x89PNG"))
    assert here.providers.last.document["model"] == "gpt-image-1"
    assert client.files.retrieve("file-1").id == "file-1"
    assert here.providers.last.path == "/v1/files/file-1"
    with client.realtime.connect(model="live") as connection:
        assert connection.recv().type == "session.created"
    assert "talk" in {model.id for model in client.models.list()}
