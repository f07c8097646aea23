"""Limits that Envoy counts itself: a bucket for each route, limit and value, for all its threads.

What it says of them in headers is renamed to what extproc says of its own.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway import names
from gateway.limits import Key, Rate, envoys_key, period_name
from gateway.model import Limit
from xds_server.resources.extension import Json, duration, typed

FILTER = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
TELLING = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
_TELLING_PER_ROUTE = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute"
REFUSED = f'response.code_details == "{names.ENVOYS_LIMITED}"'
"""CEL over the response, for the local reply."""
MOST_VALUES = 100_000
"""Buckets of one limit on one route; for more, those that were asked longest ago begin anew."""
_PREFIX = "dragoman"
_LIMIT, _VALUE = "limit", "by"
_UNBOUNDED: Json = {
    "max_tokens": 2**32 - 1,
    "tokens_per_fill": 2**32 - 1,
    "fill_interval": "1s",
}
"""What Envoy wants to have for requests that no limit is for; there are none."""
_EVERY: Json = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def count_filter() -> Json:
    """Counts on the routes that say so only."""
    return typed(FILTER, stat_prefix=_PREFIX)


def telling_filter() -> Json:
    """Renames headers, on the same routes."""
    return typed(TELLING)


def counted(limits: Sequence[Limit]) -> Json:
    """For a route with these limits; at least one."""
    return typed(
        FILTER,
        stat_prefix=_PREFIX,
        token_bucket=_UNBOUNDED,
        always_consume_default_token_bucket=False,
        filter_enabled=_EVERY,
        filter_enforced=_EVERY,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        max_dynamic_descriptors=MOST_VALUES,
        descriptors=[each for limit in limits for each in _buckets(limit)],
        rate_limits=[{"actions": each} for limit in limits for each in _actions(limit)],
        response_headers_to_add=[
            _header("retry-after", str(max(map(_patience, limits)))),
            _header(names.LIMIT_HEADER, " or ".join(map(_told, limits))),
        ],
    )


def told() -> Json:
    """For the same routes: Envoy's names become OpenAI's, where extproc has said nothing."""
    prefix = names.RATE_LIMIT_PREFIX
    renamed = [
        {
            "append": {
                "header": {
                    "key": f"{prefix}{name}-requests",
                    "value": f"%RESP({prefix}{name})%",
                },
                "append_action": "ADD_IF_ABSENT",
            }
        }
        for name in ("limit", "remaining")
    ]
    removed = (*(prefix + name for name in ("limit", "remaining", "reset")), names.LIMIT_HEADER)
    mutations = [*renamed, *({"remove": name} for name in removed)]
    return typed(_TELLING_PER_ROUTE, mutations={"response_mutations": mutations})


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value.replace("%", "%%")}}


def _rate(limit: Limit) -> Rate:
    """The configuration was checked: Envoy's limits count requests."""
    assert limit.requests is not None
    return limit.requests


def _patience(limit: Limit) -> int:
    """Seconds after which there is room for one more, at the latest."""
    rate = _rate(limit)
    return max(1, -(-rate.seconds // rate.amount))


def _told(limit: Limit) -> str:
    rate = _rate(limit)
    return f"limit '{limit.name}': {rate.amount} requests per {period_name(rate.seconds)}"


def _buckets(limit: Limit) -> Iterator[Json]:
    rate = _rate(limit)
    bucket = {
        "max_tokens": rate.amount,
        "tokens_per_fill": rate.amount,
        "fill_interval": duration(rate.seconds),
    }
    named = {"key": _LIMIT, "value": limit.name}
    if not limit.by:
        yield {"entries": [named], "token_bucket": bucket}
        return
    if envoys_key(limit.by) is Key.SOURCE:
        yield {"entries": [named, {"key": "remote_address"}], "token_bucket": bucket}
    else:
        yield {"entries": [named, {"key": _VALUE}], "token_bucket": bucket}
        yield {"entries": [{"key": _LIMIT, "value": _without(limit)}], "token_bucket": bucket}


def _actions(limit: Limit) -> Iterator[list[Json]]:
    named = {"generic_key": {"descriptor_key": _LIMIT, "descriptor_value": limit.name}}
    key = envoys_key(limit.by)
    if not limit.by:
        yield [named]
    elif key is Key.SOURCE:
        yield [named, {"remote_address": {}}]
    else:
        value = {"request_headers": {"header_name": key, "descriptor_key": _VALUE}}
        yield [_if(str(key), limit.name, is_said=True), value]
        yield [_if(str(key), _without(limit), is_said=False)]


def _if(header: str, name: str, *, is_said: bool) -> Json:
    """The limit of this name, for requests that have this header, or else for the others."""
    empty = {
        "name": header,
        "string_match": {"exact": ""},
        "treat_missing_header_as_empty": True,
        "invert_match": is_said,
    }
    match = {"descriptor_key": _LIMIT, "descriptor_value": name, "headers": [empty]}
    return {"header_value_match": match}


def _without(limit: Limit) -> str:
    """What those count as together who say no value; no name has a space."""
    return f"{limit.name} (none)"
