"""Where a request may be served, in order: the model and operation that were asked for → a Plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct, structs

from extproc import wire
from extproc.choosing import Chooser, Chosen
from extproc.cut_streams import Mark
from extproc.facts import Facts
from extproc.llm import additions
from extproc.llm.dialects import INSTEAD, codec_of
from extproc.llm.told_apart import having_apart
from extproc.named import Models, Named
from extproc.protocols import json_spans
from extproc.protocols.query import joined, with_model, without
from extproc.tries import REPEATED, forwarded_of, of_one_form, once, readdressed
from extproc.tries import Try as Try
from extproc.wire import Order, Said
from gateway import names
from gateway.apis import uploads
from gateway.betas import ALL
from gateway.catalog import dearest, price_of
from gateway.model import HAVE_OWN_TERMS, BodyForm, Dialect, Provider, Target, dialect_of
from gateway.operations import Operation
from gateway.price import Price
from gateway.serving import serving
from gateway.shaping import CacheMarks

_REMOVED_HEADERS = (
    "accept-encoding",  # so that Envoy can read the usage in the answer
    "content-encoding",  # bodies that are read are sent on as they were read
)
_MOST_KEPT = 10_000
"""Clients choose names and paths, so plans have no natural end."""
_SSE = "?alt=sse"
_SAFE_IN_PATHS = "@:-._~"
"""What a segment may hold as it is (RFC 3986 §3.3) and model names have."""


class Steering(StrEnum):
    """How an Envoy is told where a request is to go."""

    METADATA = "metadata"
    """It goes through the plan itself (`priority_group`, 1.40)."""
    HEADER = names.STEERED_BY_HEADER
    """It has a cluster for each plan, and is told its name."""


class Wanted(Struct, frozen=True):
    """What a client asks for, beside the model."""

    operation: Operation
    is_stream: bool
    path: str
    """As the client wrote it, with the query."""
    is_read: bool = True
    """The body is shown, and the plan answers it; False: it answers the headers."""
    is_json: bool = True
    is_sse: bool = True
    """A stream is to be one of events; False: one JSON array (Gemini, without `alt=sse`)."""
    rest: str = ""
    """What the client wrote behind the operation's own path; goes behind the provider's."""
    removed_headers: tuple[str, ...] = ()
    """Of what is not read."""
    is_sealed: bool = False
    """There is something in it that is for providers of other dialects than the client's alone."""
    is_guarded: bool = False
    """The answer is shown to us, so Envoy does not read its usage."""


class Copied(Struct, frozen=True):
    """The reply that has a copy sent to a mirror, and for how many requests."""

    percent: float
    reply: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """The tries of one request, in order."""

    tries: tuple[Try, ...]
    by_cluster: Mapping[str, Try]
    forwarded: Said
    """What the exchange sends on; tries that want something else rewrite it."""
    dearest: Price | None
    """Of all tries, field by field; None when some try has no price."""
    is_foreign: bool
    """Some try speaks another dialect than the client."""
    chosen: Chosen
    """What it was made of."""
    reply: bytes
    """What `events.Forward` carries."""
    copied: Copied | None = None
    """For those requests that are sent a second time, too."""
    targets: tuple[tuple[str, str], ...] = field(init=False)
    """Of each try, the provider and the model."""
    is_alone: bool = field(init=False)
    """Nobody else could be in the place of the one that is tried."""
    is_renamed_alone: bool = field(init=False)
    """Of the client's body, at most the model changes."""
    model: bytes = field(init=False)
    """What is forwarded names it so, in JSON."""
    apart: tuple[Price, ...] = field(init=False)
    """Prices of its tries that have apart what Envoy does not read."""

    def __post_init__(self) -> None:
        said = self.forwarded
        is_plain = said.form is BodyForm.PLAIN and not (said.additions or said.terms or said.betas)
        targets = tuple((each.provider, each.model) for each in self.tries)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "is_alone", len(self.tries) == 1 and self.chosen.is_fixed)
        object.__setattr__(self, "is_renamed_alone", is_plain and not self.is_foreign)
        object.__setattr__(self, "model", json_spans.encode(said.model))
        object.__setattr__(self, "apart", having_apart([each.price for each in self.tries]))

    def told(self, choose: Callable[[], float], mark: Mark | None = None) -> bytes:
        """The reply to one request. `choose` gives numbers in [0, 1)."""
        copied = self.copied
        reply = self.reply
        if copied is not None and choose() * 100 < copied.percent:
            reply = copied.reply
        if mark is None:
            return reply
        return reply + wire.encode_mark(mark.number, is_sampled=mark.is_sampled)

    def tried(self, attempt: int, cluster: str) -> Try | None:
        """The try of this number, where it is told; else that of this cluster."""
        if 0 < attempt <= len(self.tries):
            return self.tries[attempt - 1]
        return self.by_cluster.get(cluster)

    @property
    def reply_of_session(self) -> bytes:
        """The reply for a websocket that is to be seen by us."""
        return self.reply + wire.SHOWN_SESSION

    @property
    def providers(self) -> tuple[str, ...]:
        """Of each try."""
        return tuple(each.provider for each in self.tries)

    @property
    def first_provider(self) -> str:
        return self.tries[0].provider


class Unchosen(Struct, frozen=True):
    """The model is there, and none of its conditions holds."""


class NotOffered(Struct, frozen=True):
    """The model is there, and none of its providers has this operation."""

    providers: tuple[str, ...]

    @property
    def first_provider(self) -> str:
        return self.providers[0]


class Planner:
    """The plans of a program. They are made once for each choice of targets, and kept."""

    def __init__(
        self,
        chooser: Chooser,
        providers: Sequence[Provider],
        prices: Mapping[str, Price],
        steering: Steering = Steering.METADATA,
        models: Models | None = None,
    ) -> None:
        """`models`, where some have marks or mirrors."""
        self._models = models
        self._steering = steering
        self._chooser = chooser
        self._turns = chooser.turns
        self._providers = {provider.name: provider for provider in providers}
        self._prices = prices
        self._made: dict[tuple[object, ...], Plan | NotOffered] = {}

    def knows(self, asked: str) -> bool:
        """Whether there is such a model."""
        return self._chooser.knows(asked)

    def plan(self, asked: str, wanted: Wanted, facts: Facts) -> Plan | NotOffered | Unchosen | None:
        """The plan for a model, None when nobody serves it.

        `facts` are those that a choice may depend on: the caller, and what was read of the request.
        """
        chosen = self._chooser.targets(asked, facts)
        if chosen is None:
            return None
        if not chosen.targets:
            return Unchosen()
        order = self._turns.order(chosen.targets)
        if order is not None:
            chosen = structs.replace(chosen, order=order)
        elif not chosen.is_fixed and len(chosen.targets) == 1:
            self._turns.asked(chosen.targets[0])
        return self._kept(asked, chosen, wanted, ())

    def without(
        self, plan: Plan, asked: str, wanted: Wanted, dialects: Collection[Dialect]
    ) -> Plan | NotOffered:
        """The plan of the same choice, without dialects that this request cannot be said in."""
        return self._kept(asked, plan.chosen, wanted, dialects)

    def _kept(
        self, asked: str, chosen: Chosen, wanted: Wanted, without: Collection[Dialect]
    ) -> Plan | NotOffered:
        if "?" in wanted.path and not wanted.path.endswith(_SSE):
            wanted = structs.replace(wanted, path="")  # whatever it asks, it is no provider's path
        named = None if self._models is None else self._models.find(asked)
        if wanted.rest:  # which belongs to this request alone
            return self._made_for(chosen, wanted, without, named)
        key = (
            asked if chosen.is_fixed or named is not None else None,
            None if chosen.is_fixed else (chosen.targets, chosen.places),
            chosen.order,
            wanted,
            frozenset(without) if without else None,
        )
        plan = self._made.get(key)
        if plan is None:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            plan = self._made[key] = self._made_for(chosen, wanted, without, named)
        return plan

    def stored(self, providers: Sequence[str], wanted: Wanted, model: str = "") -> Plan | None:
        """For what names no model, or one of the provider's own: the first of these providers that
        offers it."""
        for provider in providers:
            plan = self._made_for(_only(Target(provider, model)), wanted, ())
            if isinstance(plan, Plan):
                return plan
        return None

    def passing(self, provider: str, wanted: Wanted) -> Plan:
        """For a path that is none of an API: as it is, to this provider."""
        path = self._providers[provider].base_path + wanted.rest
        is_as_asked = self._steering is Steering.METADATA and path == wanted.path
        cluster = (names.provider_cluster if is_as_asked else names.addressed_cluster)(provider)
        tried = Try(cluster, provider, "", Operation.FILES, Said(None, ""), path, None, None)
        return self._plan_of([tried], wanted, _only(Target(provider, "")), forwarded=tried.said)

    def _made_for(
        self,
        chosen: Chosen,
        wanted: Wanted,
        without: Collection[Dialect],
        named: Named | None = None,
    ) -> Plan | NotOffered:
        marks = None if named is None else named.model.cache_marks
        places = [
            (place, found)
            for place, target in zip(chosen.places, chosen.targets, strict=True)
            if (found := self._try(target, wanted, marks)) is not None
            and (found.dialect is None or found.dialect not in without)
        ]
        places = of_one_form(places)
        if self._steering is Steering.METADATA:
            places = once(places)
        if not places:
            return NotOffered(tuple(target.provider for target in chosen.targets))
        client = dialect_of(wanted.operation)
        forwarded = forwarded_of([found for _, found in places], client)
        is_as_asked = self._steering is Steering.METADATA and all(
            found.path == wanted.path for _, found in places
        )
        paths: dict[str, str] = {}
        for index, (place, found) in enumerate(places):
            if found.operation is Operation.REALTIME:
                cluster = names.websocket_cluster(found.provider)
            elif _is_rewritten(found, forwarded, wanted):
                cluster = names.attempt_cluster(found.provider, place)
            elif is_as_asked:
                cluster = names.provider_cluster(found.provider)
            else:
                cluster = names.addressed_cluster(found.provider)
            if paths.setdefault(cluster, found.path) != found.path:  # a cluster has one path
                cluster = names.attempt_cluster(found.provider, place)
            price = self.price(found.provider, found.model)
            places[index] = place, replace(found, cluster=cluster, price=price)
        tries = self._in_turn(chosen, places)
        plan = self._plan_of(tries, wanted, chosen, forwarded=forwarded)
        return plan if named is None else self._mirrored(plan, named, wanted)

    def _in_turn(self, chosen: Chosen, places: Sequence[tuple[int, Try]]) -> list[Try]:
        """In the order in which they are tried; what is forwarded does not depend on it."""
        tries = [found for _, found in places]
        if chosen.order:
            ranks = {chosen.places[index]: rank for rank, index in enumerate(chosen.order)}
            turned = [found for _, found in sorted(places, key=lambda each: ranks[each[0]])]
            is_open = self._steering is Steering.METADATA
            if is_open or self._turns.has([each.provider for each in turned]):
                tries = turned
        if self._steering is Steering.METADATA:
            return readdressed(tries[: self._turns.count(len(tries))], places)
        if len(tries) == 1:
            return tries
        return [
            replace(each, cluster=names.attempt_cluster(each.provider, place))
            for place, each in enumerate(tries, 1)
        ]

    def _mirrored(self, plan: Plan, named: Named, wanted: Wanted) -> Plan:
        mirror = named.model.mirror
        if mirror is None:
            return plan
        target = Target(mirror.provider, named.filled(mirror.model))
        found = self._try(target, wanted, named.model.cache_marks) if wanted.is_read else None
        if found is None:
            return plan
        order = Order(plan.forwarded, _told(found, wanted), wanted.is_stream)
        headers = (
            (names.MIRROR_HEADER, names.mirror_cluster(found.provider)),
            (names.MIRROR_PATH_HEADER, found.path),
            (names.MIRROR_ORDER_HEADER, wire.encode_order(order)),
        )
        reply = self._reply(plan.tries, plan.forwarded, wanted, headers)
        return replace(plan, copied=Copied(mirror.percent, reply))

    def _plan_of(
        self, tries: Sequence[Try], wanted: Wanted, chosen: Chosen, *, forwarded: Said
    ) -> Plan:
        client = dialect_of(wanted.operation)
        return Plan(
            tries=tuple(tries),
            by_cluster={each.cluster: each for each in tries},
            forwarded=forwarded,
            dearest=dearest([each.price for each in tries]),
            is_foreign=any(each.is_foreign(client) for each in tries),
            chosen=chosen,
            reply=self._reply(tries, forwarded, wanted),
        )

    def _try(self, target: Target, wanted: Wanted, marks: CacheMarks | None = None) -> Try | None:
        """Without its cluster and price."""
        provider = self._providers[target.provider]
        operations = [operation for operation, _ in provider.offers]
        operation = serving(operations, wanted.operation, is_stream=wanted.is_stream)
        if operation is None:
            return None
        template = provider.path_of(operation) or ""
        is_upload = operation is Operation.GEMINI_UPLOADS
        base = uploads(provider.base_path) if is_upload else provider.base_path
        path = base + template.replace("{model}", quote(target.model, _SAFE_IN_PATHS))
        if wanted.rest:
            is_named = operation is Operation.REALTIME and "{model}" in template
            rest = without(wanted.rest, ("model",)) if is_named else wanted.rest
            path = joined(path, rest)
        if operation is wanted.operation and not wanted.is_sse:
            path = path.removesuffix(_SSE)
        if operation is Operation.REALTIME and "{model}" not in template:
            path = with_model(path, target.model)
        dialect = dialect_of(operation)
        is_repeated = operation in REPEATED or "{model}" not in template
        model = target.model if is_repeated else ""
        form = provider.body_form if dialect is Dialect.ANTHROPIC else BodyForm.PLAIN
        added = additions.for_provider(provider, dialect, marks)
        is_body = dialect is Dialect.BEDROCK or form is BodyForm.BEDROCK_CLAUDE
        betas = ",".join(ALL if provider.betas is None else provider.betas) if is_body else ""
        is_own = dialect is dialect_of(wanted.operation)
        has_terms = is_own and dialect is Dialect.OPENAI_CHAT and provider.vendor in HAVE_OWN_TERMS
        terms = provider.vendor if has_terms else ""
        said = Said(dialect, model, form, added, terms=terms, betas=betas)
        codec = None if dialect is None else codec_of(dialect, provider.vendor, form)
        is_instead = operation is Operation.INVOKE and wanted.operation in INSTEAD
        vendor = provider.vendor if dialect is Dialect.OPENAI_CHAT and not is_own else ""
        return Try(
            cluster="",
            provider=provider.name,
            model=target.model,
            operation=operation,
            said=said,
            path=path,
            price=None,
            codec=codec,
            is_instead=is_instead,
            vendor=vendor,
            target="" if is_own else target.model,
        )

    def price(self, provider: str, model: str) -> Price | None:
        """Of a model, as the provider knows it."""
        return price_of(self._prices, provider, self._providers[provider].vendor, model)

    def _seconds(self, tries: Sequence[Try], wanted: Wanted) -> float | None:
        providers = [self._providers[each.provider] for each in tries]
        return self._turns.seconds(providers, is_stream=wanted.is_stream)

    def _reply(
        self,
        tries: Sequence[Try],
        forwarded: Said,
        wanted: Wanted,
        headers: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        client = dialect_of(wanted.operation)
        told = tries[: self._turns.count(len(tries))]
        steered = wire.Steered(
            paths={each.cluster: each.path for each in told},
            bodies={
                each.cluster: _told(each, wanted)
                for each in told
                if _is_rewritten(each, forwarded, wanted)
            },
            forwarded=forwarded,
            is_stream=wanted.is_stream,
            is_read=wanted.is_read,
            content_type="application/json" if wanted.is_read and wanted.is_json else "",
            remove_headers=_REMOVED_HEADERS if wanted.is_read else wanted.removed_headers,
            translated=[
                each.cluster for each in told if wanted.is_guarded or each.dialect is not client
            ],
            last=told[-1].cluster if len(told) > 1 else "",
            try_seconds=self._seconds(told, wanted),
            set_headers=headers,
        )
        match self._steering:
            case Steering.METADATA:
                return wire.encode_plan(steered, [each.cluster for each in tries])
            case Steering.HEADER:
                plan = tries[0].cluster
                if len(tries) > 1:
                    plan = names.plan_cluster([each.provider for each in tries])
                return wire.encode_plan_in_header(steered, plan)


def _only(target: Target) -> Chosen:
    return Chosen((target,), (1,), True)


def _is_rewritten(tried: Try, forwarded: Said, wanted: Wanted) -> bool:
    is_other = structs.replace(tried.written, vendor=forwarded.vendor) != forwarded
    return is_other or (wanted.is_sealed and _is_own(tried, wanted))


def _told(tried: Try, wanted: Wanted) -> Said:
    """All that its attempt needs to know."""
    is_unsealed = wanted.is_sealed and _is_own(tried, wanted)
    return structs.replace(tried.written, is_unsealed=is_unsealed)


def _is_own(tried: Try, wanted: Wanted) -> bool:
    return tried.dialect is dialect_of(wanted.operation)
