"""One entry of LiteLLM's `model_list` → a target of ours, or the reason why it is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.config.llm import ModelName
from gateway.config.providers import ApiVersion
from gateway.config.scalars import Secret
from gateway.config.urls import Url
from gateway.importers.litellm_clouds import CLOUDS, NotOurs, bedrock_model
from gateway.importers.litellm_keys import MODEL, answer_rest
from gateway.importers.litellm_model_keys import INFO, PARAMS
from gateway.importers.litellm_prices import read_price
from gateway.importers.litellm_providers import Meant, Spoken, default_url, meant
from gateway.importers.litellm_tls import answer_verify, file_of
from gateway.importers.litellm_values import (
    duration,
    fits_duration,
    flag,
    free_name,
    is_strange_variable,
    is_valid,
    number,
    variable,
)
from gateway.importers.walk import Node, has_variable

Made = TypeVar("Made")

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "azure-openai": ("api_version",),
    "bedrock": (
        *("aws_region_name", "aws_access_key_id", "aws_secret_access_key"),
        *("aws_session_token", "aws_role_name"),
    ),
    "vertex": ("vertex_project", "vertex_location", "vertex_credentials"),
    "vertex-claude": ("vertex_project", "vertex_location", "vertex_credentials"),
}
"""What is read for a type of ours, beside address and key."""
_MODES = frozenset(
    {
        "chat", "completion", "responses", "embedding", "image_generation", "image_edit", "rerank",
        "audio_transcription", "audio_speech", "moderation", "realtime",
    }
)  # fmt: skip
"""Operations that are served; which of them a model has follows from its provider."""
_TOKENS = ("azure_ad_token", "client_secret", "azure_password", "azure_username", "tenant_id")
_UNLIMITED = "calls of the deployment are not limited here"
_WAITS = (
    (
        *("timeout", "silence"),
        "how long the provider may be silent, not how long the whole call may take",
    ),
    (
        *("stream_timeout", "first_byte"),
        "how long a streamed answer may take to begin; of the targets of a request, the longest"
        " counts",
    ),
)
"""Of a deployment: their key, ours, and what is different."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A place that serves models; equal ones are one."""

    type: str
    url: str | None
    key: str | None = field(repr=False)
    silence: str | None
    ca: str | None = None
    options: Mapping[str, object] = field(default_factory=dict, repr=False)
    first_byte: str | None = None
    """What else is in the block."""

    def block(self) -> dict[str, object]:
        """As our language writes it."""
        found: dict[str, object] = {"type": self.type, **self.options}
        if self.url is not None:
            found["url"] = self.url
        if self.key is not None:
            found["key"] = self.key
        if self.ca is not None:
            found["ca"] = self.ca
        waits = {"first_byte": self.first_byte, "silence": self.silence}
        if timeouts := {name: value for name, value in waits.items() if value is not None}:
            found["timeouts"] = timeouts
        return found


@dataclass(frozen=True, slots=True)
class Deployment:
    """A target, and how LiteLLM chooses it among those of its name."""

    name: str
    """What clients ask for."""
    provider: str
    model: str
    weight: Decimal | None = None
    share: Decimal | None = None
    """Requests or tokens a minute: counts where no weight is written."""
    order: Decimal | None = None
    id: str = ""

    @property
    def reference(self) -> str:
        """As other models name it."""
        return f"{self.provider}/{self.model}"


@dataclass(slots=True)
class Deployments:
    """What is collected over the list."""

    credentials: Mapping[str, Node]
    environment: Mapping[str, str] = field(repr=False)
    silence: str | None
    """Where a deployment has no timeout of its own."""
    ca: str | None = None
    """Where a deployment has no `ssl_verify` of its own."""
    first_byte: str | None = None
    """Where a deployment has no `stream_timeout` of its own."""
    providers: dict[str, Provider] = field(default_factory=dict)
    prices: dict[str, dict[str, object]] = field(default_factory=dict)

    def named(self, provider: Provider, wanted: str) -> str:
        """The name of a provider, a new one if there is none like it."""
        for name, known in self.providers.items():
            if known == provider:
                return name
        name = free_name(wanted, self.providers)
        self.providers[name] = provider
        return name


class LeftOut(Exception):
    """A deployment that cannot be taken over, with the reason for people; never leaves here."""


def read_deployments(models: Node, into: Deployments) -> Iterator[Deployment]:
    """The entries that can be taken over; all others are answered with the reason."""
    entries = list(models.items())
    names = [_name(entry) for entry in entries]
    counts = Counter(name for name in names if isinstance(name, str))
    for entry, name in zip(entries, names, strict=True):
        if not entry.block():
            continue
        try:
            yield _deployment(entry, into, is_shared=counts[str(name)] > 1)
        except LeftOut as reason:
            entry.unsupported(f"the deployment is left out: {reason}")


def _name(entry: Node) -> object:
    return entry.value.get("model_name") if isinstance(entry.value, dict) else None


def _deployment(entry: Node, into: Deployments, *, is_shared: bool) -> Deployment:
    params, info = entry.take("litellm_params"), entry.take("model_info")
    name = _required(entry, "model_name")
    if not params.block():
        params.problem("must be a block of keys and values, with a model")
        raise LeftOut("it has no litellm_params")
    info.block()
    written = params.take("model").text()
    if not written:
        raise LeftOut("it has no model")
    _must_be_served(entry, params, info)
    custom = params.take("custom_llm_provider").text() or ""
    found = meant(written, custom)
    spoken = _spoken(found)
    model = _model(name, found, spoken)
    provider = _Place(params, into).provider(spoken, found.provider, found.model)
    place = into.named(provider, found.provider)
    for each in (entry.take("blocked"), info.take("blocked"), info.take("mode")):
        each.exact()
    params.take("custom_llm_provider").exact(f"llm.providers.{place}.type")
    _answer_name(entry, f"llm.models.{name}", is_shared=is_shared)
    _answer_model(params, spoken, provider, f"llm.models.{name}")
    _answer_place(params, into, place)
    deployment = Deployment(
        name,
        place,
        model,
        weight=_weight(params, f"llm.models.{name}.weighted", is_shared=is_shared),
        share=_share(params, f"llm.models.{name}.weighted", is_shared=is_shared),
        order=_order(params, f"llm.models.{name}.failover", is_shared=is_shared),
        id=_id(info),
    )
    read_price(deployment.reference, params, info, into.prices)
    answer_rest(params, PARAMS)
    answer_rest(info, INFO)
    answer_rest(entry, MODEL)
    return deployment


def _required(node: Node, key: str) -> str:
    found = node.take(key).text()
    if not found:
        node.problem(f"needs a {key}")
        raise LeftOut(f"it has no {key}")
    return found


def _must_be_served(entry: Node, params: Node, info: Node) -> None:
    for blocked in (entry.take("blocked"), info.take("blocked")):
        if flag(blocked):
            raise LeftOut("it is blocked")
    mode = info.take("mode")
    kind = mode.text() or "chat"
    if kind not in _MODES:
        raise LeftOut(f"its mode is {kind}, and there is no such operation here")
    if any(params.has(key) for key in _TOKENS):
        raise LeftOut("its tokens would have to be fetched: write an api_key")
    if params.has("mock_response"):
        raise LeftOut("its answer is made up; `dragoman demo` has such providers")


def _spoken(found: Meant) -> Spoken:
    if found.spoken is not None:
        return found.spoken
    if has_variable(found.model):
        raise LeftOut("its model comes from the environment")
    if found.model == "*":
        raise LeftOut("its provider is the client's choice: write one wildcard for each provider")
    if not found.provider:
        raise LeftOut("we cannot tell its provider from the name of the model")
    raise LeftOut(f"'{found.provider}' is no provider that can be taken over")


def _model(name: str, found: Meant, spoken: Spoken) -> str:
    model = found.model
    if spoken.cloud == "bedrock":
        model = _in_words(lambda: bedrock_model(found.model)[0])
    if spoken.model_prefix and "*" not in model and not model.startswith("accounts/"):
        model = f"{spoken.model_prefix}{model}"
    for each in (name, model):
        if "${" in each or not is_valid(ModelName, each):
            raise LeftOut("a name must have no spaces, no variable and at most one '*'")
    if "*" in model and "*" not in name:
        raise LeftOut("the '*' of the model stands for nothing, since the name has none")
    return model


class _Place:
    """Where a deployment is, and with which key, its own or its credential's."""

    def __init__(self, params: Node, into: Deployments) -> None:
        self.params = params
        self.into = into
        self.credential = _credential(params, into)

    def provider(self, spoken: Spoken, name: str, model: str) -> Provider:
        if spoken.cloud:
            make, known = CLOUDS[spoken.cloud], self.into.environment
            block = _in_words(lambda: make(model, self.written, known))
            type_ = str(block.pop("type"))
            waits = (self.silence(), self.first_byte())
            return Provider(type_, None, None, waits[0], options=block, first_byte=waits[1])
        url = self.url(spoken)
        ca = self.ca() if (url or default_url(spoken) or "").startswith("https:") else None
        options = self.version() if spoken.type == "azure-openai" else {}
        key, first_byte = self.key(spoken, name), self.first_byte()
        return Provider(spoken.type, url, key, self.silence(), ca, options, first_byte)

    def version(self) -> dict[str, object]:
        """Of Azure's API; LiteLLM's models there are deployments where it is a date."""
        version = self.written("api_version")
        if version is None:
            known = self.into.environment
            version = variable("AZURE_API_VERSION", known) if "AZURE_API_VERSION" in known else None
        if version is None or version == "v1":
            return {}
        if is_strange_variable(version) or not is_valid(ApiVersion, version):
            raise LeftOut("its api_version is none of Azure's")
        return {"api_version": version}

    def written(self, key: str) -> str | None:
        """The deployment's own counts before the credential's."""
        for place in (self.params, self.credential):
            if place is not None:
                found = place.take(key).text()
                if found:
                    return found
        return None

    def url(self, spoken: Spoken) -> str | None:
        base = self.written("api_base") or self.written("base_url")
        if base is None and spoken.base_variable:
            is_known = spoken.base_variable in self.into.environment
            if is_known or default_url(spoken) is None:
                base = variable(spoken.base_variable, self.into.environment)
        if base is None:
            if default_url(spoken) is None and not spoken.cloud:
                raise LeftOut("it has no api_base, and its provider no address of its own")
            return spoken.url
        if spoken.hosts:
            base = _own_address(base, spoken)
            if spoken.url:
                return spoken.url
        plain = base.rstrip("/")
        url = plain if plain.endswith(spoken.path) else f"{plain}{spoken.path}"
        if is_strange_variable(base) or not is_valid(Url, url):
            raise LeftOut("its api_base is no url without credentials and query")
        return url if url != default_url(spoken) or spoken.url else None

    def key(self, spoken: Spoken, name: str) -> str | None:
        key = self.written("api_key")
        if key is None:
            if not spoken.key_variable:
                return None
            key = variable(spoken.key_variable, self.into.environment)
        if is_strange_variable(key) or not is_valid(Secret, key):
            raise LeftOut(f"the key of '{name}' must be printable ascii without spaces")
        return key

    def ca(self) -> str | None:
        own = self.params.take("ssl_verify")
        return self.into.ca if own.is_empty else file_of(own)

    def silence(self) -> str | None:
        return self.waits("timeout", self.into.silence)

    def first_byte(self) -> str | None:
        return self.waits("stream_timeout", self.into.first_byte)

    def waits(self, key: str, otherwise: str | None) -> str | None:
        seconds = number(self.params.take(key))
        return duration(seconds) if seconds is not None and seconds > 0 else otherwise


def _in_words(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except NotOurs as reason:
        raise LeftOut(str(reason)) from None


def _own_address(base: str, spoken: Spoken) -> str:
    """The address of a provider whose other addresses speak another dialect."""
    if has_variable(base):
        if spoken.url:
            raise LeftOut("its api_base comes from the environment, and may be something else")
        return base
    try:
        parts = urlsplit(base)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not any(host == each or host.endswith(f".{each}") for each in spoken.hosts):
        raise LeftOut("what is at its api_base is not what its provider has there")
    return f"{parts.scheme}://{parts.netloc}"


def _credential(params: Node, into: Deployments) -> Node | None:
    name = params.take("litellm_credential_name").text()
    if not name:
        return None
    found = into.credentials.get(name)
    if found is None:
        raise LeftOut("there is no credential of the name that it gives")
    return found


def _answer_name(entry: Node, to: str, *, is_shared: bool) -> None:
    node = entry.take("model_name")
    if is_shared:
        node.different(
            to, "its deployments share the requests; one that fails is not tried on another of them"
        )
    else:
        node.exact(to)


def _answer_model(params: Node, spoken: Spoken, provider: Provider, to: str) -> None:
    notes = [spoken.note] if spoken.note else []
    is_own = params.has("api_key") or params.has("litellm_credential_name")
    if not is_own and provider.key == variable(spoken.key_variable, {}):
        notes.append(f"the key is read from {spoken.key_variable}, which has to be set")
    if notes:
        params.take("model").different(to, "; ".join(notes))
    else:
        params.take("model").exact(to)


def _answer_place(params: Node, into: Deployments, place: str) -> None:
    at = f"llm.providers.{place}"
    provider = into.providers[place]
    sources = [params]
    credential = _credential(params, into)
    if credential is not None:
        params.take("litellm_credential_name").exact(at)
        sources.append(credential)
    for source in sources:
        source.take("api_key").exact(f"{at}.key")
        for key in _OPTIONS.get(provider.type, ()):
            source.take(key).exact(at)
        for key in ("api_base", "base_url"):
            source.take(key).exact(f"{at}.url" if provider.url else at)
    answer_verify(params.take("ssl_verify"), f"{at}.ca" if provider.ca is not None else "")
    for key, waits, note in _WAITS:
        node = params.take(key)
        seconds = number(node)
        if seconds is not None and seconds <= 0:
            node.exact("", "no limit")
        elif seconds is not None:
            cut = "" if fits_duration(seconds) else "; cut to what a duration can be"
            node.different(f"{at}.timeouts.{waits}", f"{note}{cut}")


def _weight(params: Node, to: str, *, is_shared: bool) -> Decimal | None:
    node = params.take("weight")
    weight = number(node)
    if weight is not None:
        node.exact(to if is_shared else "")
    return weight


def _share(params: Node, to: str, *, is_shared: bool) -> Decimal | None:
    found: Decimal | None = None
    for key in ("rpm", "tpm"):
        node = params.take(key)
        value = number(node)
        if value is None:
            continue
        if is_shared and found is None and not params.has("weight"):
            found = value
            node.different(to, f"a share of requests alone: {_UNLIMITED}", is_security=True)
        else:
            node.unsupported(_UNLIMITED, is_security=True)
    return found


def _order(params: Node, to: str, *, is_shared: bool) -> Decimal | None:
    node = params.take("order")
    order = number(node)
    if order is not None and is_shared:
        node.different(to, "tried within the same request when those before have failed")
    elif order is not None:
        node.exact()
    return order


def _id(info: Node) -> str:
    node = info.take("id")
    value = node.value
    if value is None or isinstance(value, dict | list):
        node.text()
        return ""
    node.different("", "read where a fallback names it")
    return str(value)
