"""A request whose body is read, and what is to be known of it wherever it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from msgspec import Struct

from extproc.facts import Facts
from extproc.llm.anthropic import elsewhere
from extproc.llm.dialect import Asked, Call, Codec
from extproc.llm.dialects import CLAUDE_IN_FRAMES, SPEAKERS, Handling
from extproc.llm.gemini.codec import ARRAY_CODEC
from extproc.llm.openai_chat.servers import may_be_asked_for_usage, server_of
from extproc.llm.tool_names import Names
from extproc.plan import Plan
from extproc.protocols import encodings
from extproc.verdict import Deny
from gateway import names
from gateway.apis import Found
from gateway.betas import Betas, named
from gateway.model import Dialect
from gateway.operations import Operation

TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")
UNBOUNDED = Deny(
    400,
    "missing_required_parameter",
    "max_output_tokens must be given with background, since a budget counts the request",
    param="max_output_tokens",
)
_LONGEST_ID = 64


class Read(Struct, frozen=True):
    """A request whose body is read."""

    received: bytes
    plain: bytes
    call: Call
    found: Found
    handled: Handling


def may_ask(plan: Plan) -> bool:
    """Whether the answer may be asked to tell its usage."""
    terms = plan.forwarded.terms
    return not terms or may_be_asked_for_usage(server_of(terms))


def is_array(found: Found, path: str) -> bool:
    """A client of Gemini's that wants its stream as one JSON array."""
    if found.operation is not Operation.GENERATE_STREAM:
        return False
    return "alt=sse" not in path.partition("?")[2].split("&")


class Turned(Struct, frozen=True):
    """What is asked for in a path, as it would be in a body."""

    found: Found
    body: bytes
    betas: tuple[str, ...]


def of_vertex(found: Found, body: bytes) -> Turned | Deny:
    """What a client of Claude on Vertex asks for, as a client of Anthropic would."""
    if found.model == elsewhere.COUNT_TOKENS and not found.is_stream:
        found = replace(found, operation=Operation.MESSAGE_TOKENS, model="")
        said = elsewhere.counted_from_path(body)
    else:
        said = elsewhere.from_path(body, found.model, is_stream=found.is_stream)
    return said if isinstance(said, Deny) else Turned(found, said.body, said.betas)


def codec_for(found: Found, path: str, handled: Handling, *, is_framed: bool) -> Codec | None:
    """In which the client is told what it does not get as it comes."""
    if is_framed:
        return CLAUDE_IN_FRAMES
    if is_array(found, path):
        return ARRAY_CODEC
    return None if handled.dialect is None else SPEAKERS[handled.dialect].codec


def betas_named(handled: Handling, facts: Facts) -> Betas:
    """Those that a client of Anthropic's names in its header."""
    if handled.dialect is not Dialect.ANTHROPIC:
        return ()
    return named(facts.headers.get(names.BETAS_HEADER, ""))


def betas_header(betas: Betas, plan: Plan) -> tuple[tuple[str, str], ...]:
    """What a body says of betas, where somebody is asked who has a header for them."""
    if any(each.dialect is Dialect.ANTHROPIC for each in plan.tries):
        return ((names.BETAS_HEADER, ",".join(betas)),)
    return ()


def asked_of(facts: Facts, call: Call | None, tool_names: Mapping[str, Names]) -> Asked:
    """What encoders of the answer need to know."""
    seconds = facts.now.timestamp()
    return Asked(
        facts.model,
        name_of(facts.headers, seconds),
        int(seconds),
        call is None or call.tells_usage,
        {} if call is None else call.document,
        tool_names,
    )


def decoder_of(headers: Mapping[str, str], limit_bytes: int) -> encodings.Decoder | Deny | None:
    """Who takes the content coding from a body; None: it has none."""
    coding = headers.get("content-encoding", "identity")
    if coding == "identity":
        return None
    try:
        return encodings.Decoder(coding, limit_bytes)
    except encodings.UnknownEncoding as error:
        return Deny(415, "unsupported_encoding", str(error))


def decoded(
    handled: Handling, body: bytes, found: Found, headers: Mapping[str, str]
) -> Call | Deny:
    """What it asks for; a Deny, where it cannot be read."""
    if handled.form is not None:
        return handled.form.decode_typed(body, headers.get("content-type", ""), found.model)
    return handled.reading.decode(body, found.model, is_stream=found.is_stream)


def decompressed(body: bytes, decoder: encodings.Decoder) -> bytes | Deny:
    """The body without its content coding."""
    try:
        plain = decoder.feed(body)
        decoder.end()
    except encodings.TooLarge:
        return TOO_LARGE
    except encodings.BadEncoding as error:
        return Deny(400, "invalid_encoding", str(error))
    return plain


def name_of(headers: Mapping[str, str], seconds: float) -> str:
    """What an answer that has no name of its own is called: after the request, else the time."""
    request_id = headers.get("x-request-id", "")
    is_plain = request_id.isascii() and request_id.replace("-", "").isalnum()
    return request_id[:_LONGEST_ID] if is_plain else f"{seconds * 1e6:.0f}"
