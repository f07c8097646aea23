"""Every sample of every dialect, said in every other: requests, answers, streams and errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from extproc.llm.dialect import Asked, Call
from extproc.llm.dialects import SPEAKERS
from extproc.llm.losses import HINTS, Losses
from extproc.llm.request import Request
from gateway.model import Dialect
from tests.kit.sample_providers import SAMPLES, stream_of

PAIRS = tuple((a, b) for a in Dialect for b in Dialect if a is not b)
"""Who says it, and who is told."""
MODELS = {
    Dialect.OPENAI_CHAT: "gpt-5.2",
    Dialect.OPENAI_RESPONSES: "gpt-5.2",
    Dialect.ANTHROPIC: "claude-sonnet-4-5",
    Dialect.GEMINI: "gemini-2.5-flash",
    Dialect.BEDROCK: "anthropic.claude-sonnet-4-5-20250929-v1:0",
}
"""Models that take most of what their API has; the tests of each dialect go through others."""
_MODEL_IN_PATH = (Dialect.GEMINI, Dialect.BEDROCK)
ASKED = Asked("smart", "7e5c", 1_700_000_000)


@dataclass(frozen=True, slots=True)
class Said:
    """A request in a provider's dialect."""

    losses: Losses
    body: bytes

    @property
    def refused(self) -> frozenset[str]:
        """What may not be lost, unless the operator allows everything."""
        return frozenset(self.losses.features - HINTS)


def names(dialect: Dialect, kind: str) -> list[str]:
    """Of the samples of a kind: `requests`, `answers`, `streams`, `errors`."""
    suffix = ".json" if kind != "streams" else ".b64" if dialect is Dialect.BEDROCK else ".sse"
    return sorted(path.stem for path in (SAMPLES / dialect / kind).glob(f"*{suffix}"))


def sample(dialect: Dialect, kind: str, name: str) -> bytes:
    """Its bytes."""
    if kind == "streams":
        return stream_of(dialect, name)
    return Path(SAMPLES, dialect, kind, f"{name}.json").read_bytes()


def read(dialect: Dialect, body: bytes) -> Request:
    """What a client says."""
    speaker = SPEAKERS[dialect]
    path_model = "smart" if dialect in _MODEL_IN_PATH else ""
    call = speaker.reading.decode(body, path_model, is_stream=False)
    assert isinstance(call, Call), call
    request = speaker.codec.decode_request(call)
    assert isinstance(request, Request), request
    return request


def said(request: Request, target: Dialect) -> Said:
    """The same, to a provider."""
    losses = Losses()
    body = SPEAKERS[target].codec.encode_request(request.for_model(MODELS[target]), losses)
    return Said(losses, body)


def answered(provider: Dialect, client: Dialect, body: bytes) -> bytes:
    """A whole answer, to a client."""
    answer = SPEAKERS[provider].codec.decode_answer(body)
    return SPEAKERS[client].codec.encode_answer(answer, ASKED)


def streamed(provider: Dialect, client: Dialect, pieces: Iterator[bytes] | list[bytes]) -> bytes:
    """A stream, to a client."""
    decoding = SPEAKERS[provider].codec.decoding()
    encoding = SPEAKERS[client].codec.encoding(ASKED)
    told = [encoding.feed(event) for piece in pieces for event in decoding.feed(piece)]
    return b"".join([*told, *map(encoding.feed, decoding.end())])


def refused(provider: Dialect, client: Dialect, status: int, body: bytes) -> bytes:
    """An error, to a client."""
    error = SPEAKERS[provider].codec.decode_error(status, body)
    return SPEAKERS[client].codec.encode_error(error).body
