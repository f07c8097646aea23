"""Messages are made on demand from a private pool."""

from __future__ import annotations

from importlib.resources import files

import envoy_api
import pytest
from google.protobuf import descriptor_pool, json_format

CLUSTER = "envoy.config.cluster.v3.Cluster"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"

SWITCH = "type.googleapis.com/envoy.config.route.v3.FilterConfig"


def test_a_class_is_the_same_at_every_call() -> None:
    assert envoy_api.message(CLUSTER) is envoy_api.message(CLUSTER)


def test_a_nested_message_has_a_class() -> None:
    name = f"{CLUSTER}.LbSubsetConfig"
    assert envoy_api.message(name).DESCRIPTOR.full_name == name


def test_an_unknown_message_is_named() -> None:
    with pytest.raises(envoy_api.UnknownMessage, match=r"envoy\.config\.cluster\.v3\.Clutser"):
        envoy_api.message("envoy.config.cluster.v3.Clutser")


def test_an_unknown_message_inside_a_known_one_is_named() -> None:
    with pytest.raises(envoy_api.UnknownMessage, match=r"Cluster\.Nothing"):
        envoy_api.message(f"{CLUSTER}.Nothing")


def test_the_default_pool_stays_untouched() -> None:
    envoy_api.message(CLUSTER)
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(CLUSTER)


def test_what_was_packed_is_unpacked() -> None:
    router = envoy_api.message(ROUTER)(suppress_envoy_headers=True)
    packed = envoy_api.pack(router)
    assert packed.type_url == f"type.googleapis.com/{ROUTER}"
    assert envoy_api.unpack(packed) == router


def test_an_any_inside_json_needs_no_earlier_mention_of_its_type() -> None:
    fresh = envoy_api.Api(_descriptors())
    fields = {"name": "r", "typed_config": {"@type": f"type.googleapis.com/{ROUTER}"}}
    extension = fresh.from_dict("envoy.config.core.v3.TypedExtensionConfig", fields)
    assert fresh.to_dict(extension) == fields


def test_an_any_inside_json_is_serialized_deterministically() -> None:
    struct = "google.protobuf.Struct"
    fields = {f"key-{number}": number for number in range(50)}
    typed = {"@type": f"type.googleapis.com/{struct}", "value": fields}
    nested = {"name": "n", "typed_config": typed}
    extension = envoy_api.from_dict("envoy.config.core.v3.TypedExtensionConfig", nested)
    expected = envoy_api.from_dict(struct, fields).SerializeToString(deterministic=True)
    assert extension.typed_config.value == expected


def test_a_field_that_the_api_lacks_is_refused() -> None:
    with pytest.raises(json_format.ParseError, match="connect_timeuot"):
        envoy_api.from_dict(CLUSTER, {"connect_timeuot": "1s"})


def test_our_own_configuration_is_in_the_api() -> None:
    sent = envoy_api.message("dragoman.v1.Configuration")(version="1", yaml="a: b")
    received = envoy_api.message("dragoman.v1.Configuration").FromString(sent.SerializeToString())
    assert (received.version, received.yaml) == ("1", "a: b")


def _descriptors() -> bytes:
    return (files("envoy_api") / "descriptors.fds").read_bytes()


def test_an_any_of_nothing_stays_one() -> None:
    route = {"typed_per_filter_config": {"a": {"@type": SWITCH, "config": {}}}}
    made = envoy_api.from_dict("envoy.config.route.v3.Route", route)
    packed = made.typed_per_filter_config["a"]
    switch = envoy_api.message("envoy.config.route.v3.FilterConfig").FromString(packed.value)
    assert switch.HasField("config")
    assert switch.config.type_url == ""
    assert envoy_api.to_dict(made) == route
