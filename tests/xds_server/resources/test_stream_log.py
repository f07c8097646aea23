"""Which streams Envoy logs, and how soon (that it does: `tests/e2e/test_aborted_streams.py`)."""

from __future__ import annotations

import json
from typing import Any

from gateway import names
from xds_server.resources.stream_log import handshake_log, refusal_log, stream_log

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


def test_what_envoy_refuses_is_logged_with_whose_refusal_it_is() -> None:
    log = refusal_log(SERVICE)
    flags, details = log["filter"]["or_filter"]["filters"]
    assert flags == {"response_flag_filter": {"flags": ["UAEX", "RL", "RLSE"]}}
    errors, expression = details["and_filter"]["filters"]
    assert errors["status_code_filter"]["comparison"]["op"] == "GE"
    assert "ext_proc" in json.dumps(expression)
    config = log["typed_config"]["common_config"]
    (tag,) = config["custom_tags"]
    assert tag["tag"] == names.REFUSING
    assert tag["metadata"]["kind"] == {"route": {}}


def test_nobody_waits_for_it_and_some_are_kept_while_no_worker_is_there() -> None:
    config = refusal_log(SERVICE)["typed_config"]["common_config"]
    assert config["buffer_size_bytes"] >= 64 << 10


def test_of_connections_only_those_with_a_wrong_certificate_or_none_are_logged() -> None:
    log = handshake_log(SERVICE)
    assert log["typed_config"]["common_config"]["grpc_service"] == SERVICE
    expression = log["filter"]["extension_filter"]["typed_config"]["expression"]
    assert names.NO_CERTIFICATE in expression
    assert names.WRONG_CERTIFICATE in expression
