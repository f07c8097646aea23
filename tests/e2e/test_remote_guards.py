"""Guards that ask a service, through a real Envoy: `examples/remote-guards.yaml`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit.stack import Stack, eventually, free_ports

pytestmark = pytest.mark.envoy

SECRET = "whsec_dGhpcyBpcyBhIHNlY3JldCBvZiB0ZXN0cw=="
CATEGORIES = ("violence", "self-harm", "sexual/minors", "hate")


@dataclass(slots=True)
class Vendor:
    """A provider, and the moderation of the same vendor."""

    port: int = 0
    prompts: list[str] = field(default_factory=list)
    """What the model was asked last."""
    answer: str = "ok"
    moderated: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """What was shown with the questions."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Of the moderation."""
    has_answered: threading.Event = field(default_factory=threading.Event)
    """Of the provider."""

    def reply(self, path: str, body: dict[str, Any], key: str) -> tuple[bytes, str]:
        if path.endswith("/moderations"):
            self.moderated.append(body)
            self.keys.append(key)
            self.may_answer.wait(10)
            results = [moderated(text) for text in body["input"]]
            return json.dumps({"id": "m", "model": body["model"], "results": results}).encode(), ""
        self.prompts.append(body["messages"][-1]["content"])
        self.has_answered.set()
        if body.get("stream"):
            return b"".join(self._chunks()), "text/event-stream"
        message = {"role": "assistant", "content": self.answer}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return json.dumps({**COMMON, "object": "chat.completion", "choices": choices}).encode(), ""

    def _chunks(self) -> Iterator[bytes]:
        pieces = [self.answer[at : at + 7] for at in range(0, len(self.answer), 7)]
        for delta in [*({"content": each} for each in pieces), {}]:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
            chunk = {**COMMON, "object": "chat.completion.chunk", "choices": [choice]}
            yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


COMMON = {"id": "c", "created": 1, "model": "gpt-5"}


def moderated(text: str) -> dict[str, Any]:
    scores = dict.fromkeys(CATEGORIES, 0.01) | {"violence": 0.9 if "stab" in text else 0.5}
    flags = {name: score > 0.4 for name, score in scores.items()}
    return {"flagged": any(flags.values()), "categories": flags, "category_scores": scores}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    made = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said, kind = made.reply(self.path, body, self.headers.get("authorization", ""))
            self.send_response(200)
            self.send_header("content-type", kind or "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(slots=True)
class Service:
    """The example's service, which can be stopped and started again."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, str(EXAMPLES / "guard_service.py"), str(self.port)]
        self.process = subprocess.Popen(command, env={**os.environ, "GUARD_SECRET": SECRET})

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made = Service(free_ports(1)[0])
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stack(
    vendor: Vendor, service: Service, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("remote")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_URL", f"http://127.0.0.1:{vendor.port}/v1")
        environment.setenv("OPENAI_API_KEY", "sk-vendor")
        environment.setenv("GUARD_URL", f"http://127.0.0.1:{service.port}/")
        environment.setenv("GUARD_SECRET", SECRET)
        with serve(EXAMPLES / "remote-guards.yaml", folder / "state") as made:
            yield made


@pytest.fixture
def ask(stack: Stack, vendor: Vendor) -> Iterator[Callable[[str], str]]:
    vendor.prompts.clear()
    vendor.moderated.clear()
    vendor.keys.clear()
    vendor.may_answer.set()
    vendor.has_answered.clear()
    vendor.answer = "ok"
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0) as client:

        def say(text: str) -> str:
            made = client.chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": text}]
            )
            return made.choices[0].message.content or ""

        eventually(lambda: is_answered(say), "the service answers")
        vendor.prompts.clear()
        vendor.moderated.clear()
        vendor.keys.clear()
        vendor.has_answered.clear()
        yield say


def test_what_the_service_replaces_is_what_the_provider_reads(
    ask: Callable[[str], str], vendor: Vendor
) -> None:
    assert ask("what became of project Apollo and project Zeus?") == "ok"
    assert vendor.prompts == ["what became of project X and project X?"]
    assert [each["input"] for each in vendor.moderated] == [vendor.prompts]
    assert vendor.keys == ["Bearer sk-vendor"]


def test_what_the_service_objects_to_is_refused_with_its_reason(
    ask: Callable[[str], str], vendor: Vendor
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask("this is Strictly Confidential: we merge")
    assert caught.value.code == "content_policy_violation"
    assert "this is confidential (guard 'own')" in str(caught.value)
    assert vendor.prompts == []


def test_an_answer_waits_for_a_guard_that_is_asked_beside_its_request(
    ask: Callable[[str], str], vendor: Vendor
) -> None:
    vendor.may_answer.clear()
    heard: list[str] = []
    thread = threading.Thread(target=lambda: heard.append(ask("hello")))
    thread.start()
    assert vendor.has_answered.wait(10)
    assert vendor.prompts == ["hello"]
    assert heard == []
    vendor.may_answer.set()
    thread.join(10)
    assert heard == ["ok"]


def test_nothing_is_heard_of_the_answer_to_a_request_that_a_guard_beside_it_objects_to(
    ask: Callable[[str], str], vendor: Vendor
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask("how do I stab somebody?")
    assert "(guard 'moderation')" in str(caught.value)
    assert vendor.has_answered.wait(10)


def test_what_cannot_be_checked_is_refused(
    ask: Callable[[str], str], vendor: Vendor, service: Service
) -> None:
    service.stop()
    try:
        with pytest.raises(openai.APIStatusError) as caught:
            ask("hello")
    finally:
        service.start()
    assert caught.value.status_code == 503
    assert caught.value.code == "guardrail_unavailable"
    assert vendor.prompts == []
    eventually(lambda: is_answered(ask), "the service is asked again")


def is_answered(ask: Callable[[str], str]) -> bool:
    try:
        return ask("are you there?") == "ok"
    except openai.InternalServerError:
        return False


def test_a_whole_answer_is_what_the_service_makes_of_it(
    ask: Callable[[str], str], vendor: Vendor
) -> None:
    vendor.answer = "It is project Apollo."
    assert ask("which one?") == "It is project X."
    vendor.answer = "That is strictly confidential."
    with pytest.raises(openai.BadRequestError) as caught:
        ask("which one?")
    assert "this is confidential (guard 'own')" in str(caught.value)


def streamed(stack: Stack) -> tuple[str, str]:
    """What a stream says, and the error that ends it."""
    said = ""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0) as client:
        try:
            for chunk in client.chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": "go on"}], stream=True
            ):
                for choice in chunk.choices:
                    said += choice.delta.content or ""
        except openai.APIError as error:
            return said, str(error)
    return said, ""


def test_a_stream_is_what_the_service_makes_of_its_sentences(
    stack: Stack, ask: Callable[[str], str], vendor: Vendor
) -> None:
    vendor.answer = "We go on with project Apollo, as before. " * 40
    said, error = streamed(stack)
    assert error == ""
    assert said == "We go on with project X, as before. " * 40


def test_a_stream_ends_where_the_service_objects(
    stack: Stack, ask: Callable[[str], str], vendor: Vendor
) -> None:
    vendor.answer = "All of this is public. " * 20 + "This is strictly confidential. " + "x. " * 200
    said, error = streamed(stack)
    assert "this is confidential (guard 'own')" in error
    assert vendor.answer.startswith(said)
    assert "strictly" not in said


# --- nothing else waits for the answer -----------------------------------------------------

ALONE = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  providers: {openai: {type: openai, url: "${OPENAI_URL}", key: sk-vendor}}
  failover: {health: {failures: 0}}
  models: {gpt-5: openai/gpt-5}
guardrails:
  - type: openai-moderation
    name: alone
    url: "${OPENAI_URL}"
    key: sk-vendor
    categories: [violence]
    threshold: 0.8
    parallel: true
"""


def test_an_answer_is_held_where_a_guard_beside_its_request_is_all_that_there_is(
    vendor: Vendor, serve: Serve, tmp_path: Path
) -> None:
    vendor.may_answer.set()
    vendor.answer = "ok"
    config = tmp_path / "gateway.yaml"
    config.write_text(ALONE)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_URL", f"http://127.0.0.1:{vendor.port}/v1")
        with (
            serve(config, tmp_path / "state") as stack,
            openai.OpenAI(base_url=f"{stack.url}/v1", api_key="n", max_retries=0) as client,
        ):

            def say(text: str, *, is_stream: bool = False) -> object:
                asked = [{"role": "user", "content": text}]
                return client.chat.completions.create(
                    model="gpt-5",
                    messages=asked,  # type: ignore[arg-type]
                    stream=is_stream,
                )

            eventually(lambda: say("hello") is not None, "all is there")
            for is_stream in (False, True):
                with pytest.raises(openai.BadRequestError, match="guard 'alone'"):
                    say("how do I stab somebody?", is_stream=is_stream)
