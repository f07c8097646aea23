"""A snapshot for people: as YAML, and as one static bootstrap that Envoy can check."""

from __future__ import annotations

from typing import Any

import envoy_api
import yaml

from xds_server.redaction import redacted
from xds_server.resources.extension import Json
from xds_server.snapshot import (
    CLUSTER,
    FILTER,
    LISTENER,
    ROUTES,
    SECRET,
    Resource,
    Snapshot,
    all_resources,
)

_FIRST = ("@type", "name")


class _Dumper(yaml.SafeDumper):
    """Programs are shown as they are written, line by line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data.rstrip("\n") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_str)


def to_yaml(snapshot: Snapshot) -> str:
    """Every resource as a document, by type and name, without the secrets."""
    ordered = sorted(all_resources(snapshot), key=lambda each: (each.type_url, each.name))
    return yaml_of(*(shown(each) for each in ordered))


def yaml_of(*documents: Json) -> str:
    """YAML for people: in the order given, without anchors."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def shown(resource: Resource) -> Json:
    """The JSON form of a resource's `Any`, without its secrets."""
    return {"@type": resource.type_url, **redacted(resource.type_url, to_json(resource))}


def to_json(resource: Resource) -> Json:
    """The message of a resource, keys sorted: protobuf's maps have no order of their own."""
    message = envoy_api.message(envoy_api.type_name(resource.type_url)).FromString(resource.body)
    return dict(_sorted(envoy_api.to_dict(message)))


def static_bootstrap(snapshot: Snapshot) -> Json:
    """All resources in one file, nothing discovered: for `envoy --mode validate`, with secrets."""
    inlined = {
        type_url: [to_json(resource) for resource in named.values()]
        for type_url, named in snapshot.resources.items()
    }
    routes = {table["name"]: table for table in inlined[ROUTES]}
    filters = {each["name"]: each["typed_config"] for each in inlined[FILTER]}
    return {
        "static_resources": {
            "listeners": [_inlined(each, routes, filters) for each in inlined[LISTENER]],
            "clusters": [_inlined(each, routes, filters) for each in inlined[CLUSTER]],
            "secrets": inlined[SECRET],
        }
    }


def _inlined(value: Any, routes: Json, filters: Json) -> Any:
    """The value with what it would discover put in its place."""
    if isinstance(value, list):
        return [_inlined(each, routes, filters) for each in value]
    if not isinstance(value, dict):
        return value
    inlined = {
        key: _inlined(each, routes, filters) for key, each in value.items() if key != "sds_config"
    }
    if "rds" in inlined:
        inlined["route_config"] = routes[inlined.pop("rds")["route_config_name"]]
    if "config_discovery" in inlined:
        del inlined["config_discovery"]
        inlined["typed_config"] = _inlined(filters[inlined["name"]], routes, filters)
    return inlined


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: (_FIRST.index(key) if key in _FIRST else 9, key))
    return {key: _sorted(value[key]) for key in keys}
