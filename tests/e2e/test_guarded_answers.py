"""Guards look at answers, whole and streamed, in the words of every client."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.conftest import SERVED
from tests.kit import web
from tests.kit.dialects import BUDGETS, Dialects, dialects
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.peers import PEERS
from tests.kit.provider_rules import CLIENT_KEY
from tests.kit.sample_providers import Gzip
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

MODELS = """
    "mask-chat-*": {provider: chat, model: "*"}
    "mask-responses-*": {provider: responses, model: "*"}
    "mask-anthropic-*": {provider: anthropic, model: "*"}
    "mask-gemini-*": {provider: gemini, model: "*"}
    "mask-bedrock-*": {provider: bedrock, model: "*"}
    "block-chat-*": {provider: chat, model: "*"}
    "block-responses-*": {provider: responses, model: "*"}
    "block-anthropic-*": {provider: anthropic, model: "*"}
    "block-gemini-*": {provider: gemini, model: "*"}
    "block-bedrock-*": {provider: bedrock, model: "*"}
"""
GUARDS = r"""
guardrails:
  - name: places
    type: regex
    phase: response
    for: {model: "mask-*"}
    patterns: ['France is Paris', '\bParis\b', 'is \d+ metres', 'Norway is Oslo']
    action: mask
    replacement: "[*]"
  - name: secret-places
    type: regex
    phase: response
    for: {model: "block-*"}
    patterns: ['France is Paris', '\bParis\b', 'is \d+ metres', 'Norway is Oslo']
    message: places are secret
  - {name: never, type: regex, phase: both, patterns: ['never-ever-said', '\d{50}']}
"""
FOUND = re.compile(r"France is Paris|\bParis\b|is \d+ metres|Norway is Oslo")
"""Over the borders of the samples' chunks."""

NAMES = list(PEERS)
some_pairs = pytest.mark.parametrize(
    ("client", "provider"),
    [
        (client, provider)
        for number, client in enumerate(NAMES)
        for provider in (client, NAMES[(number + 2) % len(NAMES)])
    ],
)
every_client = pytest.mark.parametrize("client", PEERS)
either_way = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dialects]:
    serve = SERVED[NEWEST if request.param == NEWEST else f"{OLDEST}-delta"]
    folder = tmp_path_factory.mktemp("guarded")
    with dialects(serve, folder, MODELS + GUARDS + BUDGETS) as found:
        yield found


@pytest.fixture
def here(guarded: Dialects) -> Iterator[Dialects]:
    guarded.forget()
    yield guarded
    assert guarded.faults() == []


@some_pairs
@either_way
def test_what_is_found_is_masked(
    here: Dialects, client: str, provider: str, is_stream: bool
) -> None:
    settled = here.settled()
    heard = here.peers[client].ask(f"mask-{provider}-text", is_stream=is_stream)
    at_home = here.peers[client].ask(f"{provider}-text", is_stream=is_stream)
    assert FOUND.search(at_home.text)
    assert heard.text == FOUND.sub("[*]", at_home.text)
    assert heard.stop == at_home.stop
    assert heard.tokens == at_home.tokens
    eventually(lambda: here.settled() - settled == 2 * sum(at_home.tokens[::2]), "all is booked")
    eventually(lambda: here.reserved() == 0, "it is settled")


@every_client
@either_way
def test_what_no_guard_finds_is_as_it_was(here: Dialects, client: str, is_stream: bool) -> None:
    for sample in ("reasoning", "tool_calls"):
        heard = here.peers[client].ask(f"{client}-{sample}", is_stream=is_stream)
        assert heard == here.at_home[client].ask(sample, is_stream=is_stream)


@some_pairs
def test_a_whole_answer_is_refused_as_a_request_is(
    here: Dialects, client: str, provider: str
) -> None:
    with pytest.raises(Exception, match="places are secret") as caught:
        here.peers[client].ask(f"block-{provider}-text", is_stream=False)
    status = getattr(caught.value, "status_code", None) or getattr(caught.value, "code", 400)
    assert status == 400
    eventually(lambda: here.reserved() == 0, "it is settled")


@some_pairs
def test_a_stream_ends_with_an_error_and_nothing_of_what_was_found(
    here: Dialects, client: str, provider: str
) -> None:
    settled = here.settled()
    with pytest.raises(Exception, match="places are secret"):
        here.peers[client].ask(f"block-{provider}-text", is_stream=True)
    eventually(lambda: here.settled() > settled, "what was sent is booked")
    eventually(lambda: here.reserved() == 0, "nothing is left reserved")


def raw(here: Dialects, path: str, body: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    return web.post(here.stack.url + path, json=body, headers=headers, timeout=20)


QUESTION = {"messages": [{"role": "user", "content": "Where?"}]}


def test_what_is_blocked_leaves_no_trace_in_the_bytes(here: Dialects) -> None:
    body = {"model": "block-chat-text", "stream": True, **QUESTION}
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    url, seen = here.stack.url + "/v1/chat/completions", b""
    with (
        contextlib.suppress(httpx.RemoteProtocolError),
        web.stream("POST", url, json=body, headers=headers, timeout=20) as answer,
    ):
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            seen += piece
    assert b"Paris" not in seen
    assert b"content_policy_violation" in seen


def test_an_answer_that_its_provider_compressed_is_read(here: Dialects) -> None:
    for is_stream in (False, True):
        here.providers.script.append(Gzip())
        heard = here.peers["chat"].ask("mask-chat-text", is_stream=is_stream)
        assert "Paris" not in heard.text
        assert "[*]" in heard.text


def test_gemini_streams_as_an_array_are_guarded(here: Dialects) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "Where?"}]}]}
    path = "/v1beta/models/{}-{}-text:streamGenerateContent"
    for provider in ("chat", "anthropic"):
        answer = raw(here, path.format("mask", provider), body)
        assert answer.status_code == 200, answer.text
        said = "".join(
            part["text"]
            for item in answer.json()
            for candidate in item.get("candidates", ())
            for part in candidate.get("content", {}).get("parts", ())
        )
        assert "[*]" in said
        assert not FOUND.search(said)


class Chunked(BaseHTTPRequestHandler):
    """Answers whole, in chunks, as most providers do: as many bytes as the model's name says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = "France is Paris" + " " * int(asked["model"].rpartition("-")[2])
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 5000):
            piece = body[start : start + 5000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def chunked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    serve = SERVED[NEWEST if request.param == NEWEST else f"{OLDEST}-delta"]
    folder = tmp_path_factory.mktemp("chunked")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chunked)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    file = folder / "gateway.yaml"
    file.write_text(CHUNKED % server.server_port + GUARDS)
    try:
        with serve(file, folder / "state") as stack:
            yield stack
    finally:
        server.shutdown()
        server.server_close()


CHUNKED = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  providers: {it: {type: openai-compatible, url: "http://127.0.0.1:%d/v1"}}
  models: {"mask-*": {provider: it, model: "*"}, "block-*": {provider: it, model: "*"}}
"""


@pytest.mark.parametrize("size", [1, 900_000, 4_000_000])
def test_an_answer_of_unknown_length_is_masked_or_refused(chunked: Stack, size: int) -> None:
    url = chunked.url + "/v1/chat/completions"
    answer = web.post(url, json={"model": f"mask-{size}", **QUESTION}, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "[*]" + " " * size
    answer = web.post(url, json={"model": f"block-{size}", **QUESTION}, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "content_policy_violation"


def test_an_answer_that_is_larger_than_what_envoy_holds_is_refused(chunked: Stack) -> None:
    body = {"model": "mask-40000000", **QUESTION}
    answer = web.post(chunked.url + "/v1/chat/completions", json=body, timeout=20)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "unreadable_answer"
