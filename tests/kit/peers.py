"""The libraries that clients use, behind one face: ask, and hear what the library made of it.

What is heard is in the same words for all, so that an answer which came through the gateway can be
held to what the provider's own library makes of the sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import anthropic
import boto3
import openai
from botocore import UNSIGNED
from botocore.config import Config
from google import genai
from google.genai import types
from openai.lib.streaming.chat import ChatCompletionStreamState

SYSTEM = "Be brief — σύντομα."
QUESTION = "Wie heißt die Hauptstadt? 🗼"
RESULT = "18 °C, 晴れ"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = ("get_weather", "get_time", "now")
"""All that the samples call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as the library shows it."""

    name: str
    arguments: Mapping[str, Any]
    call_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer."""

    text: str
    thoughts: str
    calls: tuple[Call, ...]
    stop: str
    """In the words of the library's API."""
    tokens: tuple[int, int, int]
    """Put in, of those from a cache, put out."""
    turn: Any
    """What is sent back in the next request."""

    @property
    def asked_for(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(call.name, call.arguments) for call in self.calls]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a library is set up."""

    url: str
    key: str
    retries: int = 0
    timeout: float = 20
    version: str = "v1beta"
    """Of Google's API."""


class Broken(Exception):
    """A stream said that it failed."""


class Peer(Protocol):
    """One library, at one address."""

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        """The question; or, after an answer: that answer, the results of its calls, or a word."""

    def pieces(self, model: str) -> Any:
        """A stream that is open: can be iterated, and closed."""

    def close(self) -> None: ...


STOPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "chat": {
            "stop": "end", "stop_sequence": "end", "tool_calls": "calls", "length": "length",
            "content_filter": "filter",
        },
        "responses": {
            "completed": "end", "calls": "calls", "max_output_tokens": "length",
            "content_filter": "filter",
        },
        "anthropic": {
            "end_turn": "end", "stop_sequence": "end", "tool_use": "calls", "max_tokens": "length",
            "refusal": "filter", "model_context_window_exceeded": "length",
        },
        "gemini": {
            "STOP": "end", "calls": "calls", "MAX_TOKENS": "length", "SAFETY": "filter",
        },
        "bedrock": {
            "end_turn": "end", "stop_sequence": "end", "tool_use": "calls", "max_tokens": "length",
            "content_filtered": "filter", "guardrail_intervened": "filter",
            "model_context_window_exceeded": "length",
        },
    }
)  # fmt: skip
"""What each API's words mean."""


class Chat:
    """`openai`, chat completions."""

    def __init__(self, settings: Settings) -> None:
        self.client = _openai(settings)

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
        if after is not None:
            messages.append(after.turn)
            messages.extend(
                {"role": "tool", "tool_call_id": call.call_id, "content": RESULT}
                for call in after.calls
            )
            if not after.calls:
                messages.append({"role": "user", "content": "And?"})
        request: Any = {"model": model, "messages": messages, "tools": self._tools()}
        if not is_stream:
            return self._heard(self.client.chat.completions.create(**request))
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        usage = {"include_usage": True}
        with self.client.chat.completions.create(
            **request, stream=True, stream_options=usage
        ) as stream:
            for chunk in stream:
                state.handle_chunk(chunk)
        return self._heard(state.current_completion_snapshot)

    def pieces(self, model: str) -> Any:
        return self.client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
        )

    def close(self) -> None:
        self.client.close()

    @staticmethod
    def _tools() -> list[Any]:
        return [{"type": "function", "function": {"name": n, "parameters": SCHEMA}} for n in TOOLS]

    @staticmethod
    def _heard(answer: Any) -> Heard:
        choice, usage = answer.choices[0], answer.usage
        message = choice.message
        calls = tuple(
            Call(each.function.name, json.loads(each.function.arguments or "{}"), each.id)
            for each in message.tool_calls or ()
        )
        turn = message.model_dump(exclude_none=True, exclude={"parsed", "annotations"})
        for call in turn.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        cached = getattr(usage.prompt_tokens_details, "cached_tokens", None) or 0
        tokens = (usage.prompt_tokens, cached, usage.completion_tokens)
        thoughts = getattr(message, "reasoning_content", None) or ""
        text = (message.content or "") + (message.refusal or "")
        return Heard(text, thoughts, calls, choice.finish_reason, tokens, turn)


class Responses:
    """`openai`, responses."""

    def __init__(self, settings: Settings) -> None:
        self.client = _openai(settings)

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        items: list[Any] = [{"role": "user", "content": QUESTION}]
        if after is not None:
            items.extend(after.turn)
            items.extend(
                {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
                for call in after.calls
            )
            if not after.calls:
                items.append({"role": "user", "content": "And?"})
        request: Any = {
            "model": model,
            "input": items,
            "instructions": SYSTEM,
            "tools": [
                {"type": "function", "name": n, "parameters": SCHEMA, "strict": False}
                for n in TOOLS
            ],
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }
        if not is_stream:
            return self._heard(self.client.responses.create(**request))
        # typed events, as they come; the helper of the library knows only complete answers
        answer = None
        texts: list[str] = []
        with self.client.responses.create(**request, stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    texts.append(event.delta)
                if event.type in ("response.completed", "response.incomplete"):
                    answer = event.response
                if event.type == "error":  # the library leaves it to who reads
                    raise Broken(event.message)
                if event.type == "response.failed":
                    raise Broken(event.response.error.message)
        heard = self._heard(answer)
        assert "".join(texts) == answer.output_text
        return heard

    def pieces(self, model: str) -> Any:
        return self.client.responses.create(model=model, input=QUESTION, stream=True)

    def close(self) -> None:
        self.client.close()

    @staticmethod
    def _heard(answer: Any) -> Heard:
        calls = tuple(
            Call(item.name, json.loads(item.arguments), item.call_id)
            for item in answer.output
            if item.type == "function_call"
        )
        thoughts = "\n\n".join(
            part.text
            for item in answer.output
            if item.type == "reasoning"
            for part in (*item.summary, *(item.content or ()))
        )
        if answer.status == "incomplete":
            stop = answer.incomplete_details.reason
        else:
            stop = "calls" if calls else answer.status
        usage = answer.usage
        tokens = (
            usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens
        )  # fmt: skip
        turn = [item.model_dump(exclude_none=True, exclude={"parsed"}) for item in answer.output]
        refusals = [
            part.refusal
            for item in answer.output
            if item.type == "message"
            for part in item.content
            if part.type == "refusal"
        ]
        text = "".join([answer.output_text, *refusals])
        return Heard(text, thoughts, calls, stop, tokens, turn)


def _openai(settings: Settings) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{settings.url}/v1",
        api_key=settings.key,
        max_retries=settings.retries,
        timeout=settings.timeout,
    )


class Messages:
    """`anthropic`, messages."""

    def __init__(self, settings: Settings) -> None:
        self.client = anthropic.Anthropic(
            base_url=settings.url,
            api_key=settings.key,
            max_retries=settings.retries,
            timeout=settings.timeout,
        )

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        if after is not None:
            results: list[Any] = [
                {"type": "tool_result", "tool_use_id": call.call_id, "content": RESULT}
                for call in after.calls
            ]
            messages += [
                {"role": "assistant", "content": after.turn},
                {"role": "user", "content": results or "And?"},
            ]
        tools = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]
        request: Any = {
            "model": model, "max_tokens": 900, "system": SYSTEM, "messages": messages,
            "tools": tools,
        }  # fmt: skip
        if not is_stream:
            return self._heard(self.client.messages.create(**request))
        with self.client.messages.stream(**request) as stream:
            return self._heard(stream.get_final_message())

    def pieces(self, model: str) -> Any:
        return self.client.messages.create(
            model=model,
            max_tokens=900,
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
        )

    def close(self) -> None:
        self.client.close()

    @staticmethod
    def _heard(answer: Any) -> Heard:
        blocks, usage = answer.content, answer.usage
        calls = tuple(Call(b.name, b.input, b.id) for b in blocks if b.type == "tool_use")
        text = "".join(block.text for block in blocks if block.type == "text")
        thoughts = "\n\n".join(block.thinking for block in blocks if block.type == "thinking")
        cached = usage.cache_read_input_tokens or 0
        put_in = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
        turn = [
            block.model_dump(exclude_none=True, exclude={"parsed_output", "caller"})
            for block in blocks
        ]
        tokens = (put_in, cached, usage.output_tokens)
        return Heard(text, thoughts, calls, answer.stop_reason, tokens, turn)


class Gemini:
    """`google-genai`."""

    def __init__(self, settings: Settings) -> None:
        retries = types.HttpRetryOptions(
            attempts=settings.retries + 1, initial_delay=0.01, max_delay=0.02, jitter=0.01
        )
        self.client = genai.Client(
            api_key=settings.key,
            http_options=types.HttpOptions(
                base_url=settings.url,
                api_version=settings.version,
                timeout=int(settings.timeout * 1000),
                retry_options=retries if settings.retries else None,
            ),
        )

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        contents = [types.Content(role="user", parts=[types.Part(text=QUESTION)])]
        if after is not None:
            results = [
                types.Part(
                    function_response=types.FunctionResponse(
                        id=call.call_id or None, name=call.name, response={"result": RESULT}
                    )
                )
                for call in after.calls
            ]
            said = types.Content(role="user", parts=results or [types.Part(text="And?")])
            contents += [after.turn, said]
        declared = [
            types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA) for name in TOOLS
        ]
        request: Any = {
            "model": model,
            "contents": contents,
            "config": types.GenerateContentConfig(
                system_instruction=SYSTEM,
                tools=[types.Tool(function_declarations=declared)],
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            ),
        }
        if not is_stream:
            return self._heard([self.client.models.generate_content(**request)])
        return self._heard(list(self.client.models.generate_content_stream(**request)))

    def pieces(self, model: str) -> Any:
        return self.client.models.generate_content_stream(model=model, contents=QUESTION)

    def close(self) -> None:
        self.client.close()

    @staticmethod
    def _heard(answers: Sequence[types.GenerateContentResponse]) -> Heard:
        parts = [
            part
            for answer in answers
            for candidate in answer.candidates or ()
            for part in (candidate.content and candidate.content.parts) or ()
        ]
        calls = tuple(
            Call(call.name or "", call.args or {}, call.id or "")
            for part in parts
            if (call := part.function_call) is not None
        )
        text = "".join(part.text or "" for part in parts if not part.thought)
        thoughts = "".join(part.text or "" for part in parts if part.thought)
        reasons = [
            candidate.finish_reason.value
            for answer in answers
            for candidate in answer.candidates or ()
            if candidate.finish_reason is not None
        ]
        usage = [answer.usage_metadata for answer in answers if answer.usage_metadata][-1]
        tokens = (
            (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
            usage.cached_content_token_count or 0,
            (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        )
        stop = "calls" if calls and reasons[-1] == "STOP" else reasons[-1]
        turn = types.Content(role="model", parts=parts)
        return Heard(text, thoughts, calls, stop, tokens, turn)


class Converse:
    """`boto3`, Bedrock's Converse; the key goes where Bedrock's own keys go."""

    def __init__(self, settings: Settings) -> None:
        config = Config(
            signature_version=UNSIGNED,  # botocore shows bearer tokens to https alone
            retries={"total_max_attempts": settings.retries + 1, "mode": "standard"},
            read_timeout=settings.timeout,
        )
        self.client = boto3.client(
            "bedrock-runtime", endpoint_url=settings.url, region_name="us-east-1", config=config
        )
        self.key = settings.key
        self.client.meta.events.register("before-call.bedrock-runtime", self._show)

    def _show(self, params: dict[str, Any], **_: Any) -> None:
        params["headers"]["Authorization"] = f"Bearer {self.key}"

    def ask(self, model: str, *, is_stream: bool, after: Heard | None = None) -> Heard:
        messages: list[Any] = [{"role": "user", "content": [{"text": QUESTION}]}]
        if after is not None:
            results: list[Any] = [
                {"toolResult": {"toolUseId": call.call_id, "content": [{"text": RESULT}]}}
                for call in after.calls
            ]
            messages += [
                {"role": "assistant", "content": after.turn},
                {"role": "user", "content": results or [{"text": "And?"}]},
            ]
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in TOOLS]
        request: Any = {
            "modelId": model, "messages": messages, "system": [{"text": SYSTEM}],
            "toolConfig": {"tools": specs},
        }  # fmt: skip
        if is_stream:
            with closing(self.client.converse_stream(**request)["stream"]) as stream:
                return self._streamed(list(stream))
        answer = self.client.converse(**request)
        content = answer["output"]["message"]["content"]
        return self._heard(content, answer["stopReason"], answer["usage"])

    def pieces(self, model: str) -> Any:
        messages: Any = [{"role": "user", "content": [{"text": QUESTION}]}]
        return self.client.converse_stream(modelId=model, messages=messages)["stream"]

    def close(self) -> None:
        self.client.close()

    @classmethod
    def _streamed(cls, events: Sequence[Mapping[str, Any]]) -> Heard:
        blocks: dict[int, dict[str, Any]] = {}
        stop, usage = "", None
        for event in events:
            ((kind, said),) = event.items()
            if kind == "contentBlockStart":
                blocks[said["contentBlockIndex"]] = json.loads(json.dumps(said["start"]))
            elif kind == "contentBlockDelta":
                cls._add(blocks.setdefault(said["contentBlockIndex"], {}), said["delta"])
            elif kind == "messageStop":
                stop = said["stopReason"]
            elif kind == "metadata":
                usage = said["usage"]
        content = [blocks[index] for index in sorted(blocks)]
        for block in content:
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"].get("input") or "{}")
        assert usage is not None
        return cls._heard(content, stop, usage)

    @staticmethod
    def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        if "text" in delta:
            block["text"] = block.get("text", "") + delta["text"]
        elif "toolUse" in delta:
            call = block["toolUse"]
            call["input"] = call.get("input", "") + delta["toolUse"]["input"]
        elif "reasoningContent" in delta:
            said = block.setdefault("reasoningContent", {})
            if "redactedContent" in delta["reasoningContent"]:
                said["redactedContent"] = delta["reasoningContent"]["redactedContent"]
                return
            text = said.setdefault("reasoningText", {"text": ""})
            text["text"] += delta["reasoningContent"].get("text", "")
            if "signature" in delta["reasoningContent"]:
                text["signature"] = delta["reasoningContent"]["signature"]

    @staticmethod
    def _heard(content: Any, stop: str, usage: Mapping[str, int]) -> Heard:
        calls = tuple(
            Call(call["name"], call["input"], call["toolUseId"])
            for block in content
            if (call := block.get("toolUse"))
        )
        thoughts = "\n\n".join(
            text["text"]
            for block in content
            if (text := block.get("reasoningContent", {}).get("reasoningText"))
        )
        cached = usage.get("cacheReadInputTokens", 0)
        put_in = usage["inputTokens"] + cached + usage.get("cacheWriteInputTokens", 0)
        text = "".join(block.get("text", "") for block in content)
        return Heard(text, thoughts, calls, stop, (put_in, cached, usage["outputTokens"]), content)


PEERS: Mapping[str, type[Chat | Responses | Messages | Gemini | Converse]] = MappingProxyType(
    {
        "chat": Chat,
        "responses": Responses,
        "anthropic": Messages,
        "gemini": Gemini,
        "bedrock": Converse,
    }
)
DIALECTS: Mapping[str, str] = MappingProxyType(
    {
        "chat": "openai_chat",
        "responses": "openai_responses",
        "anthropic": "anthropic",
        "gemini": "gemini",
        "bedrock": "bedrock",
    }
)
"""Of each library's API: where its samples are."""


@contextmanager
def peers(url: str, key: str) -> Iterator[dict[str, Peer]]:
    """One of each library, at one address."""
    with ExitStack() as stack:
        made: dict[str, Peer] = {}
        for name, kind in PEERS.items():
            made[name] = kind(Settings(url, key))
            stack.callback(made[name].close)
        yield made
