"""A request whose body is read, and what is to be known of it wherever it goes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from extproc.llm.dialect import Call
from extproc.llm.dialects import Handling
from extproc.llm.openai_chat.servers import may_be_asked_for_usage, server_of
from extproc.plan import Plan
from extproc.protocols import encodings
from extproc.verdict import Deny
from gateway.apis import Found
from gateway.operations import Operation

TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")
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
