"""The response's half of an exchange on the LLM API: who answered, what the client is to get of it,
and what it cost.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from extproc import calls
from extproc.calls import Answered, Caller
from extproc.cut_streams import CutStreams, Mark
from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Finish,
    Replace,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.facts import NO_DEMANDS
from extproc.health import Health
from extproc.latencies import Latencies, Tried
from extproc.llm.dialect import Asked, Codec, UnreadableAnswer
from extproc.llm.dialects import Handling, instead
from extproc.llm.estimate import expected, family_of
from extproc.llm.gemini.codec import ARRAY_CODEC
from extproc.llm.others.usage import with_demands
from extproc.llm.translate import Stream, Translation, translation, unpacked
from extproc.llm.usage_reader import UsageReader
from extproc.outages import Outages
from extproc.outcomes import outcomes, soonest
from extproc.overseeing import Guarding, Overseen, Said, is_small
from extproc.plan import Plan, Try
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.verdict import By, Deny, PolicyKind
from gateway import names
from gateway.catalog import with_drawing
from gateway.model import BodyForm, Dialect
from gateway.price import Price
from gateway.usage import Usage

logger = logging.getLogger(__name__)

_SUCCESS = range(200, 300)
_WITHOUT_WORK = frozenset(
    {"", "via_upstream", "no_healthy_upstream", "cluster_not_found", "lua_response"}
)
"""RESPONSE_CODE_DETAILS of errors that cost nothing; empty: not told; `lua_response`: the try lacks
a key or a token."""
_IN_PIECES = ("cache-control", "no-transform")
"""Of a stream that looks like one document: zstd would keep it until it is whole."""
_UNREADABLE = Deny(
    502, "unreadable_answer", "the provider's answer cannot be read", by=By(PolicyKind.ANSWER)
)
_STATUSES_OF_ONE_VENDOR = {424: 502, 529: 503}
"""Anthropic's "overloaded", and Bedrock's "the model failed": what others call it."""


class Streamed(Struct, frozen=True):
    """A stream that a budget waits for, and that may break off before it tells its usage."""

    streams: CutStreams
    mark: Mark | None
    """By which Envoy tells how much was sent; None: Envoy does not read it."""
    most_tokens: int | None
    """That the client lets it have."""


class Waiting(Struct, frozen=True):
    """Who waits for the answer."""

    handled: Handling
    codec: Codec | None
    """In which a translated answer is said; None: it is no conversation."""
    asked: Asked
    is_stream: bool
    is_read_by_envoy: bool
    """Envoy reads the usage of an answer that is not translated."""
    demands: Usage = NO_DEMANDS
    """What was asked for beside tokens."""
    latencies: Latencies | None = None
    """Where is written down how soon there is an answer."""
    health: Health | None = None
    """Where is written down who failed; None: nobody is set aside for it."""
    began: datetime = datetime.min.replace(tzinfo=UTC)
    """When the client asked."""
    is_framed: bool = False
    """The client's dialect comes in frames of its own: Claude, invoked as on Bedrock."""
    stream: Streamed | None = None
    """None: a budget does not wait for it, or it is no stream."""
    caller: Caller | None = None
    """Whose call is written into the log when it is settled; None: nobody's."""
    outages: Outages | None = None
    """Where is told who could not be asked."""
    guards: Guarding | None = None
    """None: nobody looks at what it says."""
    price: Callable[[str, str], Price | None] | None = None
    """Of a model as a provider calls it, for what its tools ask beside the one that answers."""


NOBODY = Asked("", "", 0)
"""Nothing is said to the client by us."""


class Answering:
    """The answer to one request that went on."""

    __slots__ = (
        "_began",
        "_cluster",
        "_health",
        "_held",
        "_is_passing",
        "_is_told",
        "_is_whole",
        "_overseen",
        "_plan",
        "_reader",
        "_translation",
        "_waiting",
        "is_over",
    )

    def __init__(self, waiting: Waiting, plan: Plan, held: Held) -> None:
        self._waiting = waiting
        self._plan = plan
        self._held = held
        self._cluster = ""
        self._translation: Translation | None = None
        self._reader: UsageReader | None = None
        self._overseen: Overseen | None = None
        self._is_whole = False
        self._is_passing = False
        """Its bytes go to the client unseen, and Envoy reads the usage."""
        latencies = waiting.latencies
        self._began = latencies.now() if latencies is not None else 0.0
        self._health = waiting.health
        self._is_told = plan.is_foreign or waiting.is_framed
        self.is_over = False
        """Nothing that follows matters."""

    @property
    def is_begun(self) -> bool:
        """Somebody has answered."""
        return self._cluster != ""

    @property
    def is_translating(self) -> bool:
        """The client gets nothing without us."""
        return self._translation is not None or self._overseen is not None

    def on_headers(self, event: ResponseHeaders) -> Action | Deny:
        """The last try, or Envoy itself, has answered."""
        tried = self._plan.tried(event.attempt, event.cluster)  # the last one
        self._cluster = tried.cluster if tried else event.cluster
        is_success = event.status in _SUCCESS
        waiting = self._waiting
        latencies = waiting.latencies
        if is_success and latencies is not None:
            # with the time of those that failed before: that is what asking the first has cost
            first = self._plan.tries[0]
            latencies.observe(Tried(first.provider, first.model), self._began)
        changes = self._learn(event)
        is_providers = is_success or event.details == "via_upstream"
        if not is_success:
            if _cost_nothing(event):
                self._held.release()
            else:
                self._settle_estimate()
            is_outage = not is_providers and event.status >= 500 and event.details
            if is_outage and tried and waiting.outages is not None:
                waiting.outages.tell(tried.provider, event.status, event.details)
        may_say = tried if self._is_told and is_providers else None
        if may_say is not None and self._is_foreign(may_say, is_success=is_success):
            return self._translate(event, may_say, changes)
        if waiting.guards is not None and is_success:
            return self._guard(waiting.guards, event, changes)
        if not is_success or self._held is NOTHING_HELD:
            self.is_over = True
            return changes or CONTINUE
        coding = event.headers.get("content-encoding", "identity")
        if waiting.is_read_by_envoy and coding == "identity":
            self._is_passing = True
            return CONTINUE
        told = waiting.handled.told
        if told is None:
            self.is_over = True
            return CONTINUE
        usage = told.of_headers(event.headers.items()) if told.of_headers else None
        if usage is not None:
            self.settle(usage)
            self.is_over = True
            return CONTINUE
        self._reader = UsageReader(told, coding)
        return Watch()

    def on_body(self, event: ResponseBody) -> Action | Deny | Awaitable[Action | Deny]:
        """A piece of an answer that was asked to be shown."""
        if self._overseen is not None:
            return self._past_guards(self._overseen, event)
        if self._translation is not None:
            return self._translated(self._translation, event)
        reader = self._reader
        if reader is None:
            return CONTINUE
        reader.feed(event.body)
        if event.is_end:
            reader.end()
        if reader.is_over:
            self._settle_read(reader)
            self.is_over = True
        return CONTINUE

    def cut(self) -> None:
        """It goes to nobody: what it cost, nobody will say, unless its headers did."""
        self._settle_estimate()
        self._finished()

    def turn(self) -> Awaitable[None] | None:
        """When all pieces that were shown have gone on; None: they have."""
        overseen = self._overseen
        return overseen.settled() if overseen is not None and overseen.is_waiting else None

    def settle(self, usage: Usage) -> None:
        """The answer has said what it cost."""
        stream = self._waiting.stream
        if stream is not None and self._is_passing:
            self._learn_size(stream, usage.output_tokens)
        found = self._plan.by_cluster.get(self._cluster)
        demands = self._waiting.demands
        if demands is not NO_DEMANDS:
            usage = with_demands(usage, demands) or usage
        find = self._waiting.price
        if usage.drawing is not None and found is not None and find is not None:
            usage = with_drawing(usage, find(found.provider, usage.drawing.model) or found.price)
        self._held.settle(usage, found.price if found else None)
        if self._waiting.caller is not None:
            self._record(usage)

    def settle_told(self, usage: Usage) -> None:
        """Envoy has read it; who reads the answer here knows it, and more."""
        if self._reader is None:
            self.settle(usage)

    def _settle_estimate(self) -> None:
        if self._held.is_open:
            self._record(self._held.settle_estimate())

    def _record(self, usage: Usage) -> None:
        """Once, where somebody reads it."""
        caller = self._waiting.caller
        if caller is None:
            return
        self._waiting = replace(self._waiting, caller=None)
        tried = self._plan.by_cluster.get(self._cluster) or self._plan.tries[0]
        calls.record(caller, Answered(tried.provider, tried.model, tried.price), usage)

    def on_close(self) -> None:
        """Whatever has become of it: silence costs what was known, or the estimate."""
        if self._overseen is not None:
            self._overseen.end()
        stream = self._waiting.stream
        if self._is_passing and stream is not None and stream.mark is not None:
            if self._held.is_open:
                stream.streams.wait(stream.mark, self._settle_told, self._settle_estimate)
            return
        if self._reader is not None:  # trailers hide which piece is the last
            self._reader.end()
            self._settle_read(self._reader)
        elif self._translation is not None:
            texts, usage = self._translation.unfinished, self._translation.usage
            if texts:
                tried = self._plan.by_cluster.get(self._cluster)
                sent = expected(texts, family_of(tried.model if tried else ""))
                self._settle_unfinished(sent, usage)
            elif usage is not None:
                self.settle(usage)
        self._settle_estimate()

    def _settle_read(self, reader: UsageReader) -> None:
        """What was read of an answer that passed by us, up to its end or a break."""
        stream, usage, sent = self._waiting.stream, reader.usage, reader.sent_bytes
        if not self._held.is_open:
            return
        if stream is not None and reader.is_stream and sent:
            if usage is None or reader.is_cut:
                self._settle_unfinished(self._tokens(stream, sent), usage)
                return
            stream.streams.sizes.observe(self._target, self._dialect, sent, usage.output_tokens)
        if usage is not None:
            self.settle(usage)

    def _settle_told(self, sent_bytes: int) -> None:
        """Envoy says how much was sent of a stream that told no usage."""
        stream = self._waiting.stream
        if stream is None or not sent_bytes:
            self._settle_estimate()
        else:
            self._settle_unfinished(self._tokens(stream, sent_bytes), None)

    def _learn_size(self, stream: Streamed, tokens: int) -> None:
        """What this stream took is known; of some, Envoy will say how much was sent."""
        if stream.mark is None or not stream.mark.is_sampled:
            return
        sizes, target, dialect = stream.streams.sizes, self._target, self._dialect
        stream.streams.wait(
            stream.mark, lambda sent: sizes.observe(target, dialect, sent, tokens), lambda: None
        )

    def _tokens(self, stream: Streamed, sent_bytes: int) -> int:
        """What these bytes of a stream stand for."""
        tokens = stream.streams.sizes.tokens(self._target, self._dialect, sent_bytes)
        return tokens if stream.most_tokens is None else min(tokens, stream.most_tokens)

    @property
    def _dialect(self) -> Dialect:
        """Whose streams this one is like, in size."""
        handled = self._waiting.handled
        is_openai = handled.is_read_by_envoy
        return handled.dialect or (Dialect.OPENAI_CHAT if is_openai else Dialect.BEDROCK)

    @property
    def _target(self) -> tuple[str, str]:
        """Who answered, and as which model."""
        tried = self._plan.by_cluster.get(self._cluster) or self._plan.tries[0]
        return tried.provider, tried.model

    def _settle_unfinished(self, sent: int, usage: Usage | None) -> None:
        """A stream broke off, or its client went away: what was sent was worked for."""
        tried = self._plan.by_cluster.get(self._cluster)
        if usage is None:
            self._record(self._held.settle_sent(sent, tried.price if tried else None))
        else:  # Anthropic counts the output at the end alone
            output = max(usage.output_tokens, sent)
            self.settle(replace(usage, output_tokens=output, is_estimated=True))

    def _learn(self, event: ResponseHeaders) -> ChangeHeaders | None:
        """Hold against each try what became of it; when all failed, the client is told when the
        first of them may be asked again."""
        if self._health is None and len(self._plan.tries) == 1:
            return None
        first = self._plan.tries[0]
        if event.status in _SUCCESS and event.cluster == first.cluster:  # as nearly all do
            if self._health is not None:
                self._health.succeeded(first.provider, first.model)
            return None
        found = outcomes(self._plan.tries, event, self._waiting.began)
        if self._health is not None:
            for each in found:
                key = each.tried.provider, each.tried.model
                if each.is_lost:
                    self._health.lost(*key)
                elif each.is_failure:
                    self._health.failed(*key, each.told)
                else:
                    self._health.succeeded(*key)
        if not found or not found[-1].is_failure:
            return None
        told = soonest(found)
        if told is None or told == soonest(found[-1:]):
            return None
        return ChangeHeaders((("retry-after", told),), ("retry-after-ms",))

    def _is_foreign(self, tried: Try, *, is_success: bool) -> bool:
        """Whether this answer is in words, or in frames, that the client does not know."""
        if tried.dialect is not self._waiting.handled.dialect or tried.is_instead:
            return True
        if self._waiting.is_framed and (self._waiting.is_stream or not is_success):
            return True
        match tried.said.form:
            case BodyForm.PLAIN:
                return False
            case BodyForm.BEDROCK_CLAUDE:
                return not is_success or self._waiting.is_stream
            case BodyForm.VERTEX_CLAUDE:
                return not is_success
            case _:
                assert_never(tried.said.form)

    def _translate(
        self, event: ResponseHeaders, tried: Try, changes: ChangeHeaders | None
    ) -> Action | Deny:
        headers, waiting = event.headers, self._waiting
        found: Translation
        if tried.is_instead:
            found, content_type = instead(waiting.handled, waiting.asked, event.status)
        elif waiting.codec is None or tried.codec is None:
            return CONTINUE  # only conversations are translated
        else:
            found, content_type = translation(
                (waiting.codec, tried.codec),
                waiting.asked,
                event.status,
                headers.get("content-type", ""),
                is_stream=waiting.is_stream,
            )
        self._translation = unpacked(found, headers.get("content-encoding", ""))
        set_headers = [("content-type", content_type)]
        if isinstance(found, Stream) and waiting.codec is ARRAY_CODEC:
            set_headers.append(_IN_PIECES)
        if event.status in _STATUSES_OF_ONE_VENDOR:
            set_headers.append((":status", str(_STATUSES_OF_ONE_VENDOR[event.status])))
        removed: tuple[str, ...] = ("content-length", "content-encoding")
        if changes is not None:
            set_headers += changes.set_headers
            removed += changes.remove_headers
        if waiting.guards is not None and event.status in _SUCCESS:
            told = {**headers, "content-type": content_type}
            return self._oversee(waiting.guards, told, ChangeHeaders(tuple(set_headers), removed))
        self._is_whole = is_small(headers)
        return Watch(tuple(set_headers), removed, self._is_whole)

    def _guard(
        self, guards: Guarding, event: ResponseHeaders, changes: ChangeHeaders | None
    ) -> Action | Deny:
        """An answer in the client's own words, at which somebody looks."""
        told = self._waiting.handled.told
        self._reader = None if told is None else UsageReader(told)
        return self._oversee(guards, event.headers, changes or ChangeHeaders(()))

    def _oversee(
        self, guards: Guarding, headers: Mapping[str, str], changes: ChangeHeaders
    ) -> Action | Deny:
        try:
            self._overseen = Overseen(guards, headers, self._translation or self._reader)
        except UnreadableAnswer as error:
            return self._unreadable(error)
        return self._overseen.watch(changes.set_headers, changes.remove_headers)

    def _past_guards(
        self, overseen: Overseen, event: ResponseBody
    ) -> Action | Deny | Awaitable[Action | Deny]:
        """A piece of an answer that is guarded."""
        try:
            said = overseen.take(event, self._waiting.asked)
        except UnreadableAnswer as error:
            return self._unreadable(error)
        return (
            self._let_by(overseen, said) if isinstance(said, Said) else self._later(overseen, said)
        )

    async def _later(self, overseen: Overseen, awaited: Awaitable[Said]) -> Action | Deny:
        try:
            said = await awaited
        except UnreadableAnswer as error:
            return self._unreadable(error)
        return self._let_by(overseen, said)

    def _let_by(self, overseen: Overseen, said: Said) -> Action | Deny:
        if said.is_end or said.denied is not None:
            self._finished()
        if said.denied is None:
            return Replace(said.body)
        if overseen.waits:
            return said.denied
        return Finish(said.body, f"dragoman_{said.denied.code}", said.denied)

    def _finished(self) -> None:
        self.on_close()
        self.is_over = True

    def _unreadable(self, error: UnreadableAnswer) -> Deny:
        logger.warning("an answer of %s cannot be read: %s", self._cluster, error)
        self._finished()
        return _UNREADABLE

    def _translated(self, found: Translation, event: ResponseBody) -> Action | Deny:
        is_end = event.is_end or self._is_whole  # trailers may follow
        try:
            said = found.feed(event.body, is_end=is_end)
        except UnreadableAnswer as error:
            logger.warning("an answer of %s cannot be read: %s", self._cluster, error)
            self.is_over = True
            return _UNREADABLE
        if is_end:
            self._finished()
        return Replace(said)


def _cost_nothing(event: ResponseHeaders) -> bool:
    """Whether no provider did any work: one refused, or none was ever sent the request.

    A provider that was too slow, or broke off, may have worked, and may ask for its money.
    """
    details = event.details
    return (
        details in _WITHOUT_WORK
        or event.cluster == names.UNPLANNED_CLUSTER
        or "connection_failure" in details
        or details.startswith("ext_proc")
    )
