"""The chain of a listener."""

from __future__ import annotations

from gateway import names
from xds_server.render import to_json
from xds_server.resources import filters
from xds_server.resources.filters import DISCOVERED, HTTP_FILTERS


def test_the_usage_is_read_between_ext_proc_and_the_router() -> None:
    assert [each["name"] for each in HTTP_FILTERS] == [
        names.EXT_PROC_FILTER,
        names.USAGE_FILTER,
        "envoy.filters.http.router",
    ]


def test_what_changes_is_discovered() -> None:
    assert tuple(each["name"] for each in HTTP_FILTERS if "config_discovery" in each) == DISCOVERED


def test_the_usage_is_published_where_ext_proc_looks() -> None:
    config = to_json(filters.usage_filter())["typed_config"]
    usage = config["response_handling"]["token_usage"]
    assert usage["metadata_namespace"] == names.USAGE_NAMESPACE
    assert usage["usage_signal"] == "SYNTHESIZE_TRAILERS"
    assert config["request_handling"] == {"reserialize_body": "DISABLE"}
