"""One try at one provider: the body as this provider is to be told it.

Runs only on the clusters of tries that want something else than what is forwarded
(`gateway.attempts`), and shares nothing with the exchange but dynamic metadata. That it can be said
at all, the exchange has made sure of.
"""

from __future__ import annotations

from extproc.llm import additions, forms, translate
from extproc.llm.dialects import SPEAKERS
from extproc.protocols import bodies, json_spans
from extproc.verdict import Deny
from extproc.wire import Order, Said
from gateway.model import Dialect, Lossiness

_NAMELESS = "-"
"""For a body whose path names the model: what it is called does not matter here."""


def rewritten(body: bytes, order: Order, lossiness: Lossiness) -> bytes | Deny:
    """The body for this try."""
    forwarded, wanted = order.forwarded, order.wanted
    if forwarded.dialect is not None and wanted.dialect not in (None, forwarded.dialect):
        said = _translated(body, order, forwarded.dialect, wanted, lossiness)
        return said if isinstance(said, Deny) else _finished(said, wanted)
    if wanted.model and wanted.model != forwarded.model:
        body = bodies.replace(body, {"model": json_spans.encode(wanted.model)})
    return _finished(body, wanted)


def _finished(body: bytes, wanted: Said) -> bytes:
    said = forms.said_as(body, wanted.form)
    return additions.added(said, wanted.additions, wanted.dialect)


def _translated(
    body: bytes, order: Order, client: Dialect, wanted: Said, lossiness: Lossiness
) -> bytes | Deny:
    if wanted.dialect is None:
        return body
    model = order.forwarded.model or wanted.model or _NAMELESS
    reading = SPEAKERS[client].reading
    call = reading.decode(body, "", is_stream=order.is_stream)
    if isinstance(call, Deny):  # its path named the model
        call = reading.decode(body, model, is_stream=order.is_stream)
    if isinstance(call, Deny):
        return call
    codecs = SPEAKERS[client].codec, SPEAKERS[wanted.dialect].codec
    return translate.request(call, codecs, wanted.model or model, lossiness)
