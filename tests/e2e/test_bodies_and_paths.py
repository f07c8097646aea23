"""Bodies of any size and coding, answers that are compressed, and paths that hide what they are."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import SERVED
from tests.kit.codings import CODINGS, packed, unpacked_zstd
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.other_apis import OtherApis, other_apis
from tests.kit.other_providers import CLIENT_KEY
from tests.kit.raw_http import asked
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

MEBIBYTE = 1 << 20
CHAT = {"model": "talk", "messages": [{"role": "user", "content": "Grüße 🗼 " * 40}]}
BODY = json.dumps(CHAT).encode()
LIMIT = 64 * MEBIBYTE


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def apis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OtherApis]:
    start = SERVED[NEWEST if request.param == NEWEST else f"{OLDEST}-delta"]
    with other_apis(start, tmp_path_factory.mktemp("bodies")) as found:
        yield found


@pytest.fixture
def here(apis: OtherApis) -> Iterator[OtherApis]:
    yield apis
    faults = [got.faults for got in apis.providers.got if got.faults]
    apis.rest()
    assert faults == []


def peak(stack: Stack) -> int:
    """The most memory that the worker has ever had, in bytes."""
    [worker] = stack.workers() or extproc(stack)
    for line in Path(f"/proc/{worker}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def extproc(stack: Stack) -> list[int]:
    """Of a worker that is no child of the control plane."""
    log = str(stack.state)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if " extproc " in line and log in line:
                found.append(int(entry.name))
    return found


def test_an_image_of_fifty_megabytes_is_edited(here: OtherApis) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * (50 * 4096)
    with here.costs(10 * 5000 + 40 * 10_000 + 50 * 40_000):
        here.openai().images.edit(model="draw", prompt="a hat", image=("i.png", image, "image/png"))
    got = here.providers.last
    assert got.document == {"model": "gpt-image-1", "prompt": "a hat"}
    assert got.files["image"].digest == hashlib.sha256(image).hexdigest()
    assert peak(here.stack) < 450 * MEBIBYTE


def test_files_of_fifty_megabytes_are_never_seen_by_a_worker(here: OtherApis) -> None:
    here.openai().files.retrieve("file-1")
    before = peak(here.stack)
    content = bytes(range(256)) * (50 * 4096)
    here.openai().files.create(file=("big.jsonl", content), purpose="batch")
    assert here.providers.last.files["file"].digest == hashlib.sha256(content).hexdigest()
    assert peak(here.stack) - before < 5 * MEBIBYTE


def test_larger_requests_than_may_be_are_refused(here: OtherApis) -> None:
    image = ("i.png", bytes(LIMIT + 1), "image/png")
    answer = here.http().post("/v1/images/edits", data={"model": "draw"}, files={"image": image})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"
    assert here.providers.got == []


@pytest.mark.parametrize("coding", [*CODINGS, "br, gzip"])
def test_requests_come_in_any_coding(here: OtherApis, coding: str) -> None:
    headers = {"content-encoding": coding, "content-type": "application/json"}
    with here.costs(9 * 1000 + 2000):
        answer = here.http(**headers).post("/v1/chat/completions", content=packed(coding, BODY))
    assert answer.raise_for_status().json()["choices"]
    got = here.providers.last
    assert got.document == {**CHAT, "model": "gpt-5.4"}
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("coding", CODINGS)
def test_requests_in_any_coding_are_translated(here: OtherApis, coding: str) -> None:
    headers = {"content-encoding": coding, "content-type": "application/json"}
    body = packed(coding, json.dumps({**CHAT, "max_tokens": 9}).encode())
    with here.costs(9 * 1000 + 2000):
        answer = here.http(**headers).post("/v1/messages", content=body)
    assert answer.raise_for_status().json()["content"] == [{"type": "text", "text": "Hi"}]
    got = here.providers.last
    assert got.document["messages"] == CHAT["messages"]
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("coding", CODINGS)
def test_bombs_are_refused(here: OtherApis, coding: str) -> None:
    headers = {"content-encoding": coding, "content-type": "application/json"}
    bomb = packed(coding, b" " * (LIMIT + 1))
    assert len(bomb) < MEBIBYTE
    answer = here.http(**headers).post("/v1/chat/completions", content=bomb)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"
    assert here.providers.got == []


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [("gzip", b"no gzip", 400), ("gzip", gzip.compress(BODY)[:-9], 400), ("snappy", BODY, 415)],
)
def test_what_is_not_in_its_coding_is_refused(
    here: OtherApis, coding: str, body: bytes, status: int
) -> None:
    headers = {"content-encoding": coding, "content-type": "application/json"}
    answer = here.http(**headers).post("/v1/chat/completions", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert here.providers.got == []


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_answers_are_compressed_for_who_accepts_it(here: OtherApis, coding: str) -> None:
    body = {"model": "embed", "input": ["a"] * 100}
    with here.costs(2 * 8 * 3000):
        answer = here.http(**{"accept-encoding": coding}).post("/v1/embeddings", json=body)
        plain = here.http(**{"accept-encoding": "identity"}).post("/v1/embeddings", json=body)
    assert answer.headers["content-encoding"] == coding
    content = unpacked_zstd(answer.content) if coding == "zstd" else answer.content
    assert len(json.loads(content)["data"]) == 100
    assert "content-encoding" not in plain.headers
    assert plain.content == content


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("br", "br"), ("gzip, br, zstd", "gzip"), ("zstd, br", "br"), ("zstd", "")],
)
def test_a_stream_brings_each_event_at_once_in_any_coding(
    here: OtherApis, accepted: str, coding: str
) -> None:
    here.providers.is_slow = True
    http = here.http(**{"accept-encoding": accepted})
    body = {**CHAT, "stream": True}
    with (
        here.costs(9 * 1000 + 2000),
        http.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        assert answer.headers.get("content-encoding", "") == coding
        lines = answer.iter_lines()
        assert "one " in next(lines)  # and the provider says no more for now
        here.providers.heard.set()
        assert "[DONE]" in [line for line in lines if line][-1]


@pytest.mark.parametrize("accepted", ["gzip", "br", "zstd"])
def test_a_stream_that_is_one_array_brings_each_element_at_once(
    here: OtherApis, accepted: str
) -> None:
    here.providers.is_slow = True
    http = here.http(**{"accept-encoding": accepted})
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    path = "/v1beta/models/talk:streamGenerateContent"
    with here.costs(9 * 1000 + 2000), http.stream("POST", path, json=body) as answer:
        pieces = answer.iter_text()
        assert "one " in next(pieces)  # and the provider says no more for now
        here.providers.heard.set()
        assert "".join(pieces).rstrip().endswith("]")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("client", ["chat", "claude"])
def test_answers_that_a_provider_compresses_unasked_are_understood(
    here: OtherApis, client: str, coding: str
) -> None:
    here.providers.coding = coding
    with here.costs(9 * 1000 + 2000):
        if client == "chat":  # untouched
            answer = here.http().post("/v1/chat/completions", json=CHAT)
            content = unpacked_zstd(answer.content) if coding == "zstd" else answer.content
            assert answer.headers["content-encoding"] == coding
            assert json.loads(content)["choices"][0]["message"]["content"] == "Hi"
        else:
            message = here.anthropic().messages.create(
                model="talk", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
            )
            assert message.content[0].text == "Hi"


UNKNOWN = ("/v1/vector_stores", "/v1/fine_tuning/jobs", "/openai/assistants", "/v1/chat")
DISGUISED = (
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions/",
    "/v1/./chat/completions",
    "/v1/files/../chat/completions",
    "/v1/files/%2e%2e/chat/completions",
    "/v1/files/%2E%2E/chat/completions",
    "/v1/files/..%2fchat/completions",
    "/v1/files/%252e%252e/chat/completions",
    "/v1/files/..;/chat/completions",
    "/v1/chat%2fcompletions",
    "/v1/%63hat/completions",
    "/v1/chat\\completions",
    "/V1/CHAT/COMPLETIONS",
    "/v1/vector_stores/../chat/completions",
    "/v1/messages/batches/../../messages",
    "/v1/responses/../chat/completions",
)


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_paths_are_refused(here: OtherApis, path: str) -> None:
    answer = here.http().post(path, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
    assert here.providers.got == []


def read_as_chat(here: OtherApis) -> bool:
    """The model is what the provider calls it, so the body was read; and nothing came unread."""
    return all(
        got.path == "/v1/chat/completions" and got.document["model"] == "gpt-5.4"
        for got in here.providers.got
    )


@pytest.mark.parametrize("path", DISGUISED)
def test_disguised_paths_are_refused_or_read_as_what_they_are(here: OtherApis, path: str) -> None:
    status, _ = asked(here.stack.port, "POST", path, CLIENT_KEY, BODY)
    assert status in (200, 400, 404)
    assert (status == 200) is bool(here.providers.got)
    assert read_as_chat(here)


def test_errors_are_in_the_words_of_each_family(here: OtherApis) -> None:
    http = here.http()
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "model": "nobody"}
    claude = http.post("/v1/messages", json=body)
    assert (claude.status_code, claude.json()["type"]) == (404, "error")
    assert claude.json()["error"]["type"] == "not_found_error"
    gemini = http.post("/v1beta/models/nobody:generateContent", json={"contents": []})
    assert (gemini.status_code, gemini.json()["error"]["status"]) == (404, "NOT_FOUND")
    bedrock = http.post("/model/nobody/invoke", json={})
    assert (bedrock.status_code, bedrock.headers["x-amzn-errortype"]) == (
        404,
        "ResourceNotFoundException",
    )
    unknown = http.post("/v1beta/tunedModels", json={})
    assert (unknown.status_code, unknown.json()["error"]["status"]) == (404, "NOT_FOUND")
    skills = http.get("/v1/skills", headers={"anthropic-version": "2023-06-01"})
    assert (skills.status_code, skills.json()["error"]["type"]) == (404, "not_found_error")
    chat = http.post("/v1/embeddings", json={"model": "nobody", "input": "a"})
    assert (chat.status_code, chat.json()["error"]["code"]) == (404, "model_not_found")
    assert here.providers.got == []


def test_a_method_that_is_none_of_an_operation_is_refused(here: OtherApis) -> None:
    answer: httpx.Response = here.http().get("/v1/embeddings")
    assert answer.status_code == 405
    assert here.providers.got == []
