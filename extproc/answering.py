"""The response's half of an exchange on the LLM API: who answered, what the client is to get of it,
and what it cost.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from extproc.events import (
    CONTINUE,
    Action,
    Replace,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.facts import NO_DEMANDS
from extproc.latencies import Latencies, Tried
from extproc.llm.dialect import Asked, Codec, UnreadableAnswer
from extproc.llm.dialects import Handling
from extproc.llm.others.usage import with_demands
from extproc.llm.translate import Translation, translation
from extproc.llm.usage_reader import UsageReader
from extproc.plan import Plan, Try
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.verdict import Deny
from gateway import names
from gateway.usage import Usage

logger = logging.getLogger(__name__)

_SUCCESS = range(200, 300)
_WITHOUT_WORK = frozenset({"", "via_upstream", "no_healthy_upstream", "cluster_not_found"})
"""RESPONSE_CODE_DETAILS of errors that cost nothing; empty: not told."""
_LARGEST_BUFFERED_BYTES = 1 << 20
"""Of an answer that Envoy holds back until it is whole; its buffers have room for as much."""
_STATUSES_OF_ONE_VENDOR = {424: 502, 529: 503}
"""Anthropic's "overloaded", and Bedrock's "the model failed": what others call it."""


class Waiting(NamedTuple):
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


NOBODY = Asked("", "", 0)
"""Nothing is said to the client by us."""


class Answering:
    """The answer to one request that went on."""

    __slots__ = (
        "_began",
        "_cluster",
        "_held",
        "_is_whole",
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
        self._is_whole = False
        latencies = waiting.latencies
        self._began = latencies.now() if latencies is not None else 0.0
        self.is_over = held is NOTHING_HELD and not plan.is_foreign and latencies is None
        """Nothing that follows matters."""

    @property
    def is_begun(self) -> bool:
        """Somebody has answered."""
        return self._cluster != ""

    @property
    def is_translating(self) -> bool:
        """The client gets nothing without us."""
        return self._translation is not None

    def on_headers(self, event: ResponseHeaders) -> Action:
        """The last try, or Envoy itself, has answered."""
        tried = self._tried(event)
        self._cluster = tried.cluster if tried else event.cluster
        is_success = event.status in _SUCCESS
        latencies = self._waiting.latencies
        if is_success and latencies is not None:
            # with the time of those that failed before: that is what asking the first has cost
            first = self._plan.tries[0]
            latencies.observe(Tried(first.provider, first.model), self._began)
        is_providers = is_success or event.details == "via_upstream"
        if not is_success:
            if _cost_nothing(event):
                self._held.release()
            else:
                self._held.settle_estimate()
        if tried and is_providers and self._is_foreign(tried):
            return self._translate(event, tried)
        if not is_success or self._held is NOTHING_HELD:
            self.is_over = True
            return CONTINUE
        if self._waiting.is_read_by_envoy:
            return CONTINUE
        told = self._waiting.handled.told
        if told is None:
            self.is_over = True
            return CONTINUE
        self._reader = UsageReader(told)
        return Watch()

    def on_body(self, event: ResponseBody) -> Action | Deny:
        """A piece of an answer that was asked to be shown."""
        if self._translation is not None:
            return self._translated(self._translation, event)
        reader = self._reader
        if reader is None:
            return CONTINUE
        reader.feed(event.body)
        if event.is_end:
            reader.end()
        if reader.is_over:
            if reader.usage is not None:
                self.settle(reader.usage)
            self.is_over = True
        return CONTINUE

    def settle(self, usage: Usage) -> None:
        """The answer has said what it cost."""
        found = self._plan.by_cluster.get(self._cluster)
        demands = self._waiting.demands
        if demands is not NO_DEMANDS:
            usage = with_demands(usage, demands) or usage
        self._held.settle(usage, found.price if found else None)

    def on_close(self) -> None:
        """Whatever has become of it: silence costs what was known, or the estimate."""
        usage = self._translation.usage if self._translation is not None else None
        if usage is not None:
            self.settle(usage)
        self._held.settle_estimate()

    def _tried(self, event: ResponseHeaders) -> Try | None:
        """The last try."""
        tries = self._plan.tries
        if 0 < event.attempt <= len(tries):
            return tries[event.attempt - 1]
        return self._plan.by_cluster.get(event.cluster)

    def _is_foreign(self, tried: Try) -> bool:
        return tried.dialect is not self._waiting.handled.dialect

    def _translate(self, event: ResponseHeaders, tried: Try) -> Action:
        headers, waiting = event.headers, self._waiting
        if waiting.codec is None or tried.codec is None:
            return CONTINUE  # only conversations are translated
        self._translation, content_type = translation(
            (waiting.codec, tried.codec),
            waiting.asked,
            event.status,
            headers.get("content-type", ""),
            is_stream=waiting.is_stream,
        )
        set_headers = [("content-type", content_type)]
        if event.status in _STATUSES_OF_ONE_VENDOR:
            set_headers.append((":status", str(_STATUSES_OF_ONE_VENDOR[event.status])))
        length = headers.get("content-length", "")
        self._is_whole = length.isdecimal() and int(length) <= _LARGEST_BUFFERED_BYTES
        return Watch(tuple(set_headers), ("content-length",), self._is_whole)

    def _translated(self, found: Translation, event: ResponseBody) -> Action | Deny:
        is_end = event.is_end or self._is_whole  # trailers may follow
        try:
            said = found.feed(event.body, is_end=is_end)
        except UnreadableAnswer as error:
            logger.warning("an answer of %s cannot be read: %s", self._cluster, error)
            self.is_over = True
            return Deny(502, "unreadable_answer", "the provider's answer cannot be read")
        if is_end:
            self.on_close()
            self.is_over = True
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
