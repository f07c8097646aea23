"""Where a request may be served, in order: the model and operation that were asked for → a Plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote

from extproc import wire
from extproc.choosing import Chooser, Chosen
from extproc.facts import Facts
from extproc.llm.dialect import Codec
from extproc.llm.dialects import codec_of
from extproc.protocols.query import with_model
from extproc.wire import Said
from gateway import names
from gateway.catalog import dearest, price_of
from gateway.model import BodyForm, Dialect, Provider, Target, dialect_of
from gateway.operations import Operation
from gateway.price import Price
from gateway.serving import serving

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


class Wanted(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class Try:
    """One provider's turn."""

    cluster: str
    provider: str
    model: str
    """As this provider knows it."""
    operation: Operation
    said: Said
    """What this provider is to be told."""
    path: str
    price: Price | None
    codec: Codec | None
    """Of a conversation: its dialect, as this vendor takes it."""

    @property
    def dialect(self) -> Dialect | None:
        return self.said.dialect


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

    @property
    def providers(self) -> tuple[str, ...]:
        """Of each try."""
        return tuple(each.provider for each in self.tries)


class Unchosen(NamedTuple):
    """The model is there, and none of its conditions holds."""


class NotOffered(NamedTuple):
    """The model is there, and none of its providers has this operation."""

    providers: tuple[str, ...]


class Planner:
    """The plans of a program. They are made once for each choice of targets, and kept."""

    def __init__(
        self,
        chooser: Chooser,
        providers: Sequence[Provider],
        prices: Mapping[str, Price],
        steering: Steering = Steering.METADATA,
    ) -> None:
        self._steering = steering
        self._chooser = chooser
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
        return self._kept(asked, chosen, wanted, ()) if chosen.targets else Unchosen()

    def without(
        self, plan: Plan, asked: str, wanted: Wanted, dialects: Collection[Dialect]
    ) -> Plan | NotOffered:
        """The plan of the same choice, without dialects that this request cannot be said in."""
        return self._kept(asked, plan.chosen, wanted, dialects)

    def _kept(
        self, asked: str, chosen: Chosen, wanted: Wanted, without: Collection[Dialect]
    ) -> Plan | NotOffered:
        path = wanted.path
        if "?" in path and not path.endswith(_SSE):
            path = ""  # whatever it asks, it is no provider's path
        key = (
            asked if chosen.is_fixed else (chosen.targets, chosen.places),
            wanted.operation,
            wanted.is_stream,
            wanted.is_sse,
            path,
            frozenset(without) if without else None,
        )
        plan = None if wanted.rest else self._made.get(key)
        if plan is None:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            wanted = wanted._replace(path=path)
            plan = self._made[key] = self._made_for(chosen, wanted, without)
        return plan

    def anybody(self, wanted: Wanted) -> Plan | None:
        """For what names no model: the first provider that offers it."""
        for provider in self._providers.values():
            plan = self._made_for(_only(Target(provider.name, "")), wanted, ())
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
        self, chosen: Chosen, wanted: Wanted, without: Collection[Dialect]
    ) -> Plan | NotOffered:
        places = [
            (place, found)
            for place, target in zip(chosen.places, chosen.targets, strict=True)
            if (found := self._try(target, wanted)) is not None
            and (found.dialect is None or found.dialect not in without)
        ]
        if not places:
            return NotOffered(tuple(target.provider for target in chosen.targets))
        client = dialect_of(wanted.operation)
        forwarded = _forwarded([found for _, found in places], client)
        is_as_asked = self._steering is Steering.METADATA and all(
            found.path == wanted.path for _, found in places
        )
        tries: list[Try] = []
        for index, (place, found) in enumerate(places, 1):
            if found.operation is Operation.REALTIME:
                cluster = names.websocket_cluster(found.provider)
            elif self._steering is Steering.HEADER and len(places) > 1:
                cluster = names.attempt_cluster(found.provider, index)
            elif found.said != forwarded:
                cluster = names.attempt_cluster(found.provider, place)
            elif is_as_asked:
                cluster = names.provider_cluster(found.provider)
            else:
                cluster = names.addressed_cluster(found.provider)
            price = self._price(found)
            tries.append(replace(found, cluster=cluster, price=price))
        return self._plan_of(tries, wanted, chosen, forwarded=forwarded)

    def _plan_of(
        self, tries: Sequence[Try], wanted: Wanted, chosen: Chosen, *, forwarded: Said
    ) -> Plan:
        client = dialect_of(wanted.operation)
        return Plan(
            tries=tuple(tries),
            by_cluster={each.cluster: each for each in tries},
            forwarded=forwarded,
            dearest=dearest([each.price for each in tries]),
            is_foreign=any(each.dialect is not client for each in tries),
            chosen=chosen,
            reply=self._reply(tries, forwarded, wanted),
        )

    def _try(self, target: Target, wanted: Wanted) -> Try | None:
        """Without its cluster and price."""
        provider = self._providers[target.provider]
        operations = [operation for operation, _ in provider.offers]
        operation = serving(operations, wanted.operation, is_stream=wanted.is_stream)
        if operation is None:
            return None
        template = provider.path_of(operation) or ""
        path = provider.base_path + template.replace("{model}", quote(target.model, _SAFE_IN_PATHS))
        path += wanted.rest
        if operation is wanted.operation and not wanted.is_sse:
            path = path.removesuffix(_SSE)
        if operation is Operation.REALTIME:
            path = with_model(path, target.model)
        dialect = dialect_of(operation)
        form = provider.body_form if dialect is Dialect.ANTHROPIC else BodyForm.PLAIN
        said = Said(dialect, "" if "{model}" in template else target.model, form)
        codec = None if dialect is None else codec_of(dialect, provider.vendor)
        return Try("", provider.name, target.model, operation, said, path, None, codec)

    def _price(self, found: Try) -> Price | None:
        vendor = self._providers[found.provider].vendor
        return price_of(self._prices, found.provider, vendor, found.model)

    def _reply(self, tries: Sequence[Try], forwarded: Said, wanted: Wanted) -> bytes:
        client = dialect_of(wanted.operation)
        steered = wire.Steered(
            paths={each.cluster: each.path for each in tries},
            bodies={each.cluster: each.said for each in tries if each.said != forwarded},
            forwarded=forwarded,
            is_stream=wanted.is_stream,
            is_read=wanted.is_read,
            content_type="application/json" if wanted.is_read and wanted.is_json else "",
            remove_headers=_REMOVED_HEADERS if wanted.is_read else (),
            translated=[each.cluster for each in tries if each.dialect is not client],
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


def _forwarded(tries: Sequence[Try], client: Dialect | None) -> Said:
    """As the first try wants it, when all want one dialect; else as the client said it."""
    first = tries[0].said
    if all(each.dialect is first.dialect and each.said.form is first.form for each in tries):
        return first
    model = next((each.said.model for each in tries if each.dialect is client), first.model)
    return Said(client, model)
