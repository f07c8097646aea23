"""Filters that run on some tries of a cluster only: a filter, and when it is passed over."""

from __future__ import annotations

from gateway import names
from xds_server.resources import expr
from xds_server.resources.extension import Json, extension, typed

_DELEGATE = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
_SKIP = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"
_ATTRIBUTES = "xds.type.matcher.v3.HttpAttributesCelMatchInput"
_CEL = "xds.type.matcher.v3.CelMatcher"
_METADATA = "envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput"
_METADATA_VALUE = "envoy.extensions.matching.input_matchers.metadata.v3.Metadata"
_ANSWERS_HEADER = "envoy.type.matcher.v3.HttpResponseHeaderMatchInput"
_PROVIDER = ("xds", "upstream_host_metadata", "filter_metadata", names.PROVIDER_NAMESPACE, "name")
_PLACE = ("upstream", "request_attempt_count")


def only_at(provider: str, wrapped: Json) -> Json:
    """For tries that were connected to an endpoint of this provider; the endpoint itself says it.

    Whatever else is wrong, another provider never gets what the filter adds.
    """
    return _only(f"{wrapped['name']}@{provider}", wrapped, _PROVIDER, {"string_value": provider})


def only_in(place: int, wrapped: Json) -> Json:
    """For one try of a request, counted from 1."""
    return _only(f"{wrapped['name']}#{place}", wrapped, _PLACE, {"uint64_value": str(place)})


def unless_translated(cluster: str, wrapped: Json) -> Json:
    """For tries at this cluster whose answer the client gets as it is; the plan says which are not.

    By the name of what it wraps: routes configure that. Every try is asked this, so not in CEL,
    which takes Envoy some microseconds.
    """
    path = [{"key": "translated"}, {"key": cluster}]
    is_it = {
        "single_predicate": {
            "input": {
                "name": "metadata",
                "typed_config": typed(_METADATA, filter=names.REQUEST_NAMESPACE, path=path),
            },
            "custom_match": extension("metadata", _METADATA_VALUE, value={"bool_match": True}),
        }
    }
    return _skipped(wrapped["name"], wrapped, is_it)


def unless_well(header: str, wrapped: Json) -> Json:
    """For answers that are no success, and those that have this header whatever their status."""
    is_success = _answers(":status", {"prefix": "2"})
    is_there = _answers(header, {"safe_regex": {"google_re2": {}, "regex": ".*"}})
    is_well = {"and_matcher": {"predicate": [is_success, {"not_matcher": is_there}]}}
    return _skipped(wrapped["name"], wrapped, is_well)


def provider_metadata(provider: str) -> Json:
    """What `only_at` reads, of an endpoint."""
    return {"filter_metadata": {names.PROVIDER_NAMESPACE: {"name": provider}}}


def _only(name: str, wrapped: Json, attribute: tuple[str, ...], value: Json) -> Json:
    """An attribute that is missing is not equal: then the filter is passed over, too."""
    return _skipped(name, wrapped, {"not_matcher": holds(_equal(attribute, value))})


def holds(expression: Json) -> Json:
    """A predicate: this CEL (`expr`) is true. Where it errs, it is not."""
    parsed = {"cel_expr_parsed": {"expr": expr.numbered(expression)}}
    return {
        "single_predicate": {
            "input": {"name": "attributes", "typed_config": typed(_ATTRIBUTES)},
            "custom_match": extension("cel", _CEL, expr_match=parsed),
        }
    }


def _skipped(name: str, wrapped: Json, predicate: Json) -> Json:
    skip = {"predicate": predicate, "on_match": {"action": extension("skip", _SKIP)}}
    return extension(
        name,
        _DELEGATE,
        extension_config=wrapped,
        xds_matcher={"matcher_list": {"matchers": [skip]}},
    )


def _answers(header: str, value: Json) -> Json:
    """A predicate: this header of an answer is so. Where it is missing, it is not."""
    asked = typed(_ANSWERS_HEADER, header_name=header)
    return {
        "single_predicate": {"input": {"name": header, "typed_config": asked}, "value_match": value}
    }


def _equal(attribute: tuple[str, ...], value: Json) -> Json:
    first, *fields = attribute
    return expr.call("_==_", expr.select(expr.ident(first), *fields), {"const_expr": value})
