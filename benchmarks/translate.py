"""What a translation costs in Python, for every pair of dialects: `python -m benchmarks.translate`.

A chat of 1 KB: its request and its answer, as a client's body becomes a provider's and back; the
request's strict reading, which it has in any case, is left out. And the answer as a stream: what
each chunk of it costs.
"""

from __future__ import annotations

import argparse
import sys
import time
import timeit
from collections.abc import Callable

from extproc.llm.answer import (
    Answer,
    Candidate,
    Ended,
    Finished,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
)
from extproc.llm.dialect import Asked, Call
from extproc.llm.dialects import SPEAKERS
from extproc.llm.losses import Losses
from extproc.llm.request import (
    Message,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from gateway.model import Dialect
from gateway.usage import Usage

CHAT_MICROSECONDS = 100
CHUNK_MICROSECONDS = 15
"""Of these, no pair may cost more."""
CHUNKS = 200

_WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Its name"}},
    "required": ["city"],
}
_QUESTION = "A caravan leaves Trebizond at dawn and takes the road over the Zigana pass. " * 3
_ASKED = Asked("smart", "0fbf1c1a", 1_700_000_000)
_USED = Usage(250, 60, cached_input_tokens=128)
MODELS = {
    Dialect.OPENAI_CHAT: "gpt-5-mini",
    Dialect.OPENAI_RESPONSES: "gpt-5-mini",
    Dialect.ANTHROPIC: "claude-sonnet-4-5",
    Dialect.GEMINI: "gemini-2.5-flash",
    Dialect.BEDROCK: "anthropic.claude-sonnet-4-5-20250929-v1:0",
}
CHAT = Request(
    "smart",
    (
        Message(Role.SYSTEM, (Text("You are an interpreter. Answer in one sentence."),)),
        Message(Role.USER, (Text(_QUESTION),)),
        Message(Role.ASSISTANT, (ToolCall("call_1", "get_weather", '{"city":"Trebizond"}'),)),
        Message(Role.USER, (ToolResult("call_1", "get_weather", (Text("snow, −4 °C"),)),)),
        Message(Role.USER, (Text("When does it arrive in Erzurum?"),)),
    ),
    tools=(Tool("get_weather", "The weather in a city now.", _WEATHER),),
    max_output_tokens=512,
    sampling=Sampling(temperature=0.3),
)
ANSWER = Answer("answer1", "model", (Candidate((Text(_QUESTION),)),), _USED)


def body_of(dialect: Dialect) -> bytes:
    """The chat, as a client says it."""
    return SPEAKERS[dialect].codec.encode_request(CHAT, Losses())


def read(dialect: Dialect) -> Call:
    """The chat, as the exchange has read it."""
    call = SPEAKERS[dialect].reading.decode(
        body_of(dialect),
        "smart" if dialect in (Dialect.GEMINI, Dialect.BEDROCK) else "",
        is_stream=False,
    )
    assert isinstance(call, Call), call
    return call


def chat(client: Dialect, provider: Dialect) -> Callable[[], object]:
    """A request, and its answer."""
    mine, theirs = SPEAKERS[client].codec, SPEAKERS[provider].codec
    call, model = read(client), MODELS[provider]
    answered = theirs.encode_answer(ANSWER, _ASKED)

    def once() -> object:
        request = mine.decode_request(call)
        assert isinstance(request, Request)
        theirs.encode_request(request.for_model(model), Losses())
        return mine.encode_answer(theirs.decode_answer(answered), _ASKED)

    return once


def stream(client: Dialect, provider: Dialect) -> Callable[[], object]:
    """A streamed answer, chunk by chunk."""
    mine, theirs = SPEAKERS[client].codec, SPEAKERS[provider].codec
    chunks = pieces(provider)

    def once() -> object:
        decoding, encoding = theirs.decoding(), mine.encoding(_ASKED)
        said = [encoding.feed(event) for chunk in chunks for event in decoding.feed(chunk)]
        return [*said, *map(encoding.feed, decoding.end())]

    return once


def pieces(provider: Dialect) -> list[bytes]:
    """What a provider sends, each event by itself."""
    encoding = SPEAKERS[provider].codec.encoding(_ASKED)
    words = [TextDelta(f"word {number} ") for number in range(CHUNKS)]
    events: list[StreamEvent] = [Started("answer1", "model"), *words]
    return [encoding.feed(each) for each in (*events, Finished(Stop.END), Ended(_USED))]


def microseconds(once: Callable[[], object], times: int) -> float:
    """Of this process; the best of a few runs, since others use the machine, too."""
    once()
    return min(timeit.repeat(once, timer=time.process_time, number=times, repeat=15)) / times * 1e6


def main() -> int:
    """Print the table; 1 if a pair costs too much and that was to be checked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a pair costs too much")
    is_checked = parser.parse_args().check
    print(f"{'client':17} {'provider':17} {'body':>6} {'chat':>9} {'chunk':>9}")
    dearest = (0.0, 0.0)
    for client in Dialect:
        for provider in Dialect:
            if client is provider:
                continue
            whole = microseconds(chat(client, provider), 100)
            chunk = microseconds(stream(client, provider), 5) / CHUNKS
            size = len(body_of(client))
            print(f"{client:17} {provider:17} {size:6} {whole:6.1f} µs {chunk:6.2f} µs")
            dearest = max(dearest[0], whole), max(dearest[1], chunk)
    print(f"{'the dearest':42} {dearest[0]:6.1f} µs {dearest[1]:6.2f} µs")
    is_dear = dearest[0] > CHAT_MICROSECONDS or dearest[1] > CHUNK_MICROSECONDS
    return int(is_checked and is_dear)


if __name__ == "__main__":
    sys.exit(main())
