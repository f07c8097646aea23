"""What runs once for each try at an LLM provider, as upstream filters of its cluster.

Envoy restores the body between tries, but not the headers: what the first provider's filters set
reaches the second provider's. So every chain begins by wiping, and sets what it needs absolutely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import names
from gateway.model import Provider
from xds_server.resources.ext_proc import attempt_filter
from xds_server.resources.extension import ADS, Json, extension
from xds_server.resources.topology import Topology
from xds_server.resources.usage import usage_filter

ORIGINAL_BASE_PATH = names.LLM_PREFIX.rstrip("/")

_WIPED = (
    # credentials, the client's or an earlier try's
    *names.CREDENTIAL_HEADERS,
    "proxy-authorization",
    "cookie",
    # whose account pays, and how a server may be told to read a request
    "openai-organization",
    "openai-project",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    # what Envoy and other proxies add
    "forwarded",
    "via",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
)
_WIPED_PREFIXES = ("x-envoy-", names.OWN_HEADER_PREFIX)

_SET_PATH = f"""\
function envoy_on_request(handle)
  local request = handle:streamInfo():dynamicMetadata():get("{names.REQUEST_NAMESPACE}")
  if request == nil then
    handle:respond({{[":status"] = "503"}}, "no plan")
    return
  end
  handle:headers():replace(":path", handle:filterContext():get("base_path") .. request["path"])
end
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The kind of try that a cluster of a provider serves."""

    cluster: str
    is_renamed: bool
    """The body must ask for another model than the first try's did."""
    sets_path: bool
    """Some provider of the gateway has a base path of its own, so every try sets the path."""
    reports_usage: bool
    """A budget waits for what the answer says of its usage."""
    buffer_limit_bytes: int
    """The largest request body."""


def upstream_filters(provider: Provider, attempt: Attempt, topology: Topology) -> list[Json]:
    """The chain of a provider's cluster."""
    made = (build(provider, attempt, topology) for build in UPSTREAM_FILTERS)
    return [each for each in made if each is not None]


def _wipe(provider: Provider, _attempt: Attempt, _topology: Topology) -> Json:
    exact = [header for header in _WIPED if header not in provider.forward_headers]
    return extension(
        names.WIPE_FILTER,
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [
                *({"remove": header} for header in exact),
                *(
                    {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
                    for prefix in _WIPED_PREFIXES
                ),
            ]
        },
    )


def _address(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    if not attempt.sets_path:
        return None
    return extension(
        names.ADDRESS_FILTER,
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code={"inline_string": _SET_PATH},
        filter_context={"base_path": provider.base_path},
    )


def _rename(_provider: Provider, attempt: Attempt, topology: Topology) -> Json | None:
    return attempt_filter(topology) if attempt.is_renamed else None


def _credential(provider: Provider, _attempt: Attempt, _topology: Topology) -> Json | None:
    if provider.key is None:
        return None
    return extension(
        names.CREDENTIAL_FILTER,
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite=True,
        credential=extension(
            "envoy.http.injected_credentials.generic",
            "envoy.extensions.http.injected_credentials.generic.v3.Generic",
            credential={"name": names.provider_secret(provider.name), "sds_config": ADS},
            header="authorization",
            header_value_prefix="Bearer ",
        ),
    )


def _usage(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    return usage_filter(provider.dialect) if attempt.reports_usage else None


def _codec(_provider: Provider, _attempt: Attempt, _topology: Topology) -> Json:
    return extension(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
    )


UPSTREAM_FILTERS: tuple[Callable[[Provider, Attempt, Topology], Json | None], ...] = (
    _wipe,  # before everything: an earlier try's key must not be seen
    _address,
    _rename,
    _credential,  # after the wipe, and after all that reads headers
    _usage,
    _codec,  # terminal: always last
)
