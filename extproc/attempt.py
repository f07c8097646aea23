"""One try at one provider: the body as this provider is to be told it.

Runs only on the clusters of tries that want something else than what is forwarded
(`gateway.attempts`), and shares nothing with the exchange but dynamic metadata. That it can be said
at all, the exchange has made sure of.
"""

from __future__ import annotations

from extproc.llm import additions, forms, history, translate
from extproc.llm.anthropic.elsewhere import with_betas
from extproc.llm.dialect import Call, Codec
from extproc.llm.dialects import SPEAKERS, codec_of
from extproc.llm.openai_chat.servers import in_terms, server_of
from extproc.protocols import bodies, json_spans
from extproc.verdict import Deny
from extproc.wire import Order, Said
from gateway.betas import Betas, taken
from gateway.model import BodyForm, Dialect, Lossiness

_NAMELESS = "-"
"""For a body whose path names the model: what it is called does not matter here."""


def rewritten(body: bytes, order: Order, lossiness: Lossiness, betas: Betas = ()) -> bytes | Deny:
    """The body for this try. `betas` are what a header asks for."""
    forwarded, wanted = order.forwarded, order.wanted
    if betas and wanted.betas and forwarded.dialect is Dialect.ANTHROPIC:
        body = with_betas(body, taken(betas, wanted.betas.split(",")))
    if wanted.is_unsealed:
        body = _unsealed(body, order)
    if _is_alike(forwarded, wanted):
        if wanted.model and wanted.model != forwarded.model:
            body = bodies.replace(body, {"model": json_spans.encode(wanted.model)})
        if wanted.terms:
            body = in_terms(body, json_spans.members(body), server_of(wanted.terms))
        return _finished(body, wanted)
    said = _translated(body, order, lossiness)
    return said if isinstance(said, Deny) else _finished(said, wanted)


def _unsealed(body: bytes, order: Order) -> bytes:
    dialect = order.forwarded.dialect
    call = None if dialect is None else _call(body, order, dialect)
    if dialect is None or call is None or isinstance(call, Deny):
        return body
    return history.own(body, call, dialect, SPEAKERS[dialect].codec)


def _is_alike(forwarded: Said, wanted: Said) -> bool:
    """Only the model in it is another."""
    if None in (forwarded.dialect, wanted.dialect):
        return True
    if forwarded.dialect is not wanted.dialect:
        return False
    is_same_server = server_of(forwarded.vendor) == server_of(wanted.vendor)
    # what was added to both is for both, and may be what no dialect knows
    return wanted.additions != "" or (is_same_server and forwarded.target == wanted.target)


def _finished(body: bytes, wanted: Said) -> bytes:
    said = forms.said_as(body, wanted.form)
    return additions.added(said, wanted.additions, wanted.dialect)


def _translated(body: bytes, order: Order, lossiness: Lossiness) -> bytes | Deny:
    forwarded, wanted = order.forwarded, order.wanted
    if forwarded.dialect is None or wanted.dialect is None:
        return body
    call = _call(body, order, forwarded.dialect)
    if isinstance(call, Deny):
        return call
    codecs = SPEAKERS[forwarded.dialect].codec, _codec_of(wanted.dialect, wanted)
    model = wanted.target or wanted.model or forwarded.model or _NAMELESS
    said = translate.request(call, codecs, model, lossiness)
    return said if isinstance(said, Deny) else said.body


def _call(body: bytes, order: Order, dialect: Dialect) -> Call | Deny:
    reading = SPEAKERS[dialect].reading
    call = reading.decode(body, "", is_stream=order.is_stream)
    if not isinstance(call, Deny):
        return call
    model = order.forwarded.model or order.wanted.model or _NAMELESS  # its path named the model
    return reading.decode(body, model, is_stream=order.is_stream)


def _codec_of(dialect: Dialect, wanted: Said) -> Codec:
    if not wanted.vendor and wanted.form is BodyForm.PLAIN:
        return SPEAKERS[dialect].codec
    return codec_of(dialect, wanted.vendor, wanted.form)
