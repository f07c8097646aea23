"""What guards say of a request on a plain route: its query, and its body where that is read."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, NamedTuple

from extproc import route_texts
from extproc.facts import Facts
from extproc.later import later
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.program import Program
from extproc.protocols import encodings
from extproc.read import TOO_LARGE, decoder_of, decompressed
from extproc.route_guarding import forbidden
from extproc.route_texts import AnyForm, Said, Unreadable
from extproc.verdict import Amend, Deny, Verdict

CODING: Final = "content-encoding"
_WITHOUT_BODY: Final = frozenset({"CONNECT", "GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods whose requests have none, unless they say of what type it is."""


class Passed(NamedTuple):
    """What goes on in the place of what came."""

    body: bytes | None = None
    """None: it stays."""
    path: str = ""
    """With the query; empty: it stays."""


UNCHANGED: Final = Passed()


class Review:
    """Of one request."""

    __slots__ = ("_decoder", "_facts", "_form", "_guards", "_limit_bytes", "_program", "_query")

    def __init__(
        self,
        program: Program,
        guards: Guards,
        facts: Facts,
        form: AnyForm | None,
        decoder: encodings.Decoder | None,
        limit_bytes: int,
    ) -> None:
        self._program, self._guards, self._facts = program, guards, facts
        self._form, self._decoder, self._limit_bytes = form, decoder, limit_bytes
        self._query = facts.path.partition("?")[2]

    @property
    def awaits_body(self) -> bool:
        """It has one that is read."""
        return self._form is not None

    @property
    def is_coded(self) -> bool:
        """The body goes on without its content coding."""
        return self._decoder is not None

    def judged(self, body: bytes) -> Passed | Deny | Awaitable[Passed | Deny]:
        """What becomes of the request. `body` is empty where it is not read."""
        if len(body) > self._limit_bytes:
            return TOO_LARGE
        plain = body if self._decoder is None else decompressed(body, self._decoder)
        if isinstance(plain, Deny):
            return plain
        said = Said(self._query, plain, self._form)
        try:
            document = route_texts.document_of(said)
        except Unreadable as error:
            return route_texts.unreadable(str(error))
        texts = route_texts.texts_of(document)
        if isinstance(texts, Deny):
            return texts
        facts = self._facts
        facts.body, facts.texts, facts.reword = document, texts, route_texts.reword
        found = self._guards.on_request(facts)
        if isinstance(found, Inquiry):
            inquiry = self._program.inquirer.settled(found)
            return later(inquiry, lambda verdict: self._passed(said, document, verdict))
        return self._passed(said, document, found)

    def _passed(self, said: Said, document: bytes, verdict: Verdict) -> Passed | Deny:
        facts = self._facts
        facts.body, facts.texts, facts.reword = b"", (), None
        if isinstance(verdict, Deny):
            return forbidden(verdict)
        new = said
        if isinstance(verdict, Amend):
            try:
                new = route_texts.said_by(document, verdict.body, said)
            except Unreadable as error:
                return route_texts.unreadable(str(error))
        bare, _, query = facts.path.partition("?")
        is_new = self._decoder is not None or new.body is not said.body
        path = "" if new.query == query else f"{bare}?{new.query}"
        return Passed(new.body if is_new else None, path)


def review_of(
    program: Program, facts: Facts, limit_bytes: int, *, is_end: bool
) -> Review | Deny | None:
    """What is to be read of a request whose caller is known; None: nothing is. `is_end`: no body
    follows."""
    if program.route_guards is None:
        return None
    guards = program.route_guards.requests
    if not guards.steps_for(facts):
        return None
    kind = facts.headers.get("content-type", "").strip()
    form, decoder = None, None
    if not is_end and (kind or facts.method not in _WITHOUT_BODY):
        try:
            form = route_texts.form_of(kind)
        except Unreadable as error:
            return route_texts.unreadable(str(error))
    if form is not None:
        found = decoder_of(facts.headers, limit_bytes)
        if isinstance(found, Deny):
            return found
        decoder = found
    review = Review(program, guards, facts, form, decoder, limit_bytes)
    return review if review.awaits_body or "?" in facts.path else None
