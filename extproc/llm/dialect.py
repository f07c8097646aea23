"""What a dialect is to the rest: two sides of one wire format, and no I/O.

The reading side decides on a client's request in its own dialect, without translating it. The codec
turns requests and answers into the canonical form and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from extproc.llm.answer import Answer, ProviderError, StreamEvent
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Request
from extproc.llm.tool_names import Names, Rule
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny
from gateway.usage import Usage

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Call(Struct, frozen=True):
    """What we decide on, of a request."""

    model: str
    is_stream: bool
    document: Mapping[str, object]
    size_bytes: int
    """Of the body."""
    max_output_tokens: int | None = None
    """For each of the choices."""
    choices: int = 1
    tells_usage: bool = True
    """The answer will say what it used without being asked to."""
    texts: tuple[str, ...] | None = None
    """All that a model would read of it; None: nobody has looked."""
    is_bare: bool = False
    """Each of its messages is somebody's text, and nothing else."""


class ErrorAnswer(NamedTuple):
    """A refusal as the client's library expects it."""

    headers: Headers
    body: bytes


class Asked(Struct, frozen=True):
    """What the encoders of an answer need to know of the request that it answers."""

    model: str
    """As the client asked for it."""
    answer_id: str
    """For answers that have none of their own; unique, of letters, digits and `-`."""
    created: int
    """Unix seconds."""
    includes_usage: bool = True
    """The client wants the usage at the end of a stream (OpenAI chat's `include_usage`)."""
    document: Mapping[str, object] = {}
    """The client's request, for dialects whose answers repeat it (Responses)."""
    tool_names: Mapping[str, Names] = {}
    """By the names of codecs: what providers call otherwise than the client."""


class Reading(Protocol):
    """A client's dialect, as far as policies need it."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """The request in a body. `model` and `is_stream` are what the path says, where it does."""

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        """All that a model would read, in order."""

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        """The request with its texts changed."""

    def estimate_input_tokens(self, call: Call) -> int:
        """Rather too many than too few."""

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        """The top-level values that ask for another model; none where the path names it."""

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        """The top-level values that have the answer tell its usage; none where it does anyway."""

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        """A refusal."""


class Decoding(Protocol):
    """Reads a provider's stream."""

    @property
    def usage(self) -> Usage | None:
        """What is known of it so far."""

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """The events that more bytes, cut anywhere, complete. After `Failed` or `Ended`: none."""

    def end(self) -> Sequence[StreamEvent]:
        """No more bytes follow: `Failed` unless the stream was whole."""


class Encoding(Protocol):
    """Writes a stream for a client, in whatever frames its dialect has."""

    def feed(self, event: StreamEvent) -> bytes:
        """The bytes that say this event; may be empty."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A chat dialect, as functions."""

    name: str
    """For messages to clients: `Anthropic Messages`."""
    decode_request: Callable[[Call], Request | Deny]
    """Of a document that `Reading.decode` has accepted."""
    encode_request: Callable[[Request, Losses], bytes]
    """The model is in it where the dialect says it in the body."""
    decode_answer: Callable[[bytes], Answer]
    """Raises `UnreadableAnswer`."""
    encode_answer: Callable[[Answer, Asked], bytes]
    decoding: Callable[[], Decoding]
    encoding: Callable[[Asked], Encoding]
    decode_error: Callable[[int, bytes], ProviderError]
    """Of a status and whatever body came with it, JSON or not."""
    encode_error: Callable[[ProviderError], ErrorAnswer]
    stream_type: str
    """The content type of its streams: `text/event-stream`."""
    tool_names: Rule
    """Which its providers take."""
    called: Mapping[Feature, str]
    """What clients call what they say, where that is one field."""


class UnreadableAnswer(Exception):
    """A provider answered what its dialect does not have."""
