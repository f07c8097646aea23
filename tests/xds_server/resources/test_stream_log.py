"""Which streams Envoy logs, and how soon (that it does: `tests/e2e/test_aborted_streams.py`)."""

from __future__ import annotations

from typing import Any

from gateway import names
from xds_server.resources.stream_log import refusal_log, stream_log

SERVICE = {"envoy_grpc": {"cluster_name": "c"}}


def asked(condition: Any) -> str:
    """The field of a stream's mark that must be there."""
    found = condition["metadata_filter"]
    assert found["match_if_key_not_found"] is False
    assert found["matcher"]["filter"] == names.STREAM_NAMESPACE
    assert found["matcher"]["value"] == {"present_match": True}
    return str(found["matcher"]["path"][0]["key"])


def test_only_marked_streams_are_logged_that_were_cut_or_asked_for() -> None:
    marked, logged = stream_log(SERVICE)["filter"]["and_filter"]["filters"]
    assert asked(marked) == names.STREAM_NUMBER
    cut, sampled = logged["or_filter"]["filters"]
    assert cut == {"response_flag_filter": {}}
    assert asked(sampled) == names.STREAM_SAMPLED


def test_each_is_told_at_once() -> None:
    config = stream_log(SERVICE)["typed_config"]["common_config"]
    assert config["buffer_size_bytes"] == 0
    assert config["grpc_service"] == SERVICE


def test_what_rules_refuse_is_logged_and_nothing_else() -> None:
    log = refusal_log(SERVICE)
    found = log["filter"]["metadata_filter"]
    assert found["match_if_key_not_found"] is False
    assert found["matcher"] == {
        "filter": names.DECISION_NAMESPACE,
        "path": [{"key": names.DECISION}],
        "value": {"string_match": {"exact": names.DENIED}},
    }
    assert "buffer_size_bytes" not in log["typed_config"]["common_config"]  # nobody waits
