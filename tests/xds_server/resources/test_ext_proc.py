"""How much of a request Python sees."""

from __future__ import annotations

from gateway import names
from gateway.cel import EVERY_HEADER
from xds_server.audience import Level
from xds_server.resources import ext_proc
from xds_server.resources.extension import Json
from xds_server.resources.features import FEATURES
from xds_server.resources.topology import Topology

TOPOLOGY = Topology(workers=("unix:/a",), message_timeout_seconds=1.5)
OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]


def request_filter(*headers: str) -> Json:
    rules = ext_proc.RulesRead(frozenset(headers), is_source_read=False)
    return ext_proc.request_filter(TOPOLOGY, rules, NEW)


def test_where_there_is_no_route_the_answer_is_not_shown() -> None:
    mode = request_filter()["processing_mode"]
    assert (mode["request_header_mode"], mode["request_body_mode"]) == ("SEND", "BUFFERED")
    assert (mode["response_header_mode"], mode["response_trailer_mode"]) == ("SKIP", "SKIP")


def test_it_fails_closed() -> None:
    found = request_filter()
    assert found["failure_mode_allow"] is False
    assert found["status_on_error"] == {"code": "ServiceUnavailable"}
    assert found["message_timeout"] == "1.5s"


def test_a_rules_header_is_shown_besides_the_usual_ones() -> None:
    patterns = request_filter("x-region")["forward_rules"]["allowed_headers"]["patterns"]
    shown = {pattern["exact"] for pattern in patterns}
    assert shown == ext_proc.FORWARDED_HEADERS | {"x-region"}


def test_all_headers_are_shown_when_a_rule_may_read_any() -> None:
    assert "forward_rules" not in request_filter(EVERY_HEADER)


def test_the_clients_address_is_shown_where_a_rule_reads_it() -> None:
    rules = ext_proc.RulesRead(frozenset(), is_source_read=True)
    shown = ext_proc.request_filter(TOPOLOGY, rules, NEW)
    assert shown["request_attributes"] == ["source.address"]
    assert "request_attributes" not in request_filter()


def test_certificates_are_told_of_where_somebody_is_known_by_them() -> None:
    rules = ext_proc.RulesRead(frozenset(), is_source_read=True, is_certificate_read=True)
    shown = ext_proc.request_filter(TOPOLOGY, rules, NEW)
    assert shown["request_attributes"] == ["source.address", *ext_proc.CERTIFICATE]


def test_the_try_that_answered_is_told_by_number_where_its_cluster_does_not_tell() -> None:
    rules = ext_proc.RulesRead(frozenset(), is_source_read=False)
    count = "upstream.request_attempt_count"
    shown = {
        features: ext_proc.request_filter(TOPOLOGY, rules, features)["response_attributes"]
        for features in (OLD, NEW)
    }
    assert (count in shown[OLD], count in shown[NEW]) == (True, False)


def test_a_plain_route_shows_its_headers_and_its_name() -> None:
    overrides = ext_proc.headers_only("über docs")["overrides"]
    assert overrides["processing_mode"]["request_body_mode"] == "NONE"
    metadata = [{"key": names.ROUTE_METADATA, "value": "%C3%BCber%20docs"}]
    assert overrides["grpc_initial_metadata"] == metadata


def test_a_plain_route_tells_how_large_the_bodies_are_that_guards_read() -> None:
    overrides = ext_proc.route_bodies("a b", 7, holds_places=True, is_answered=True)["overrides"]
    modes = dict(ext_proc.headers_only("a b", holds_places=True, is_answered=True)["overrides"])
    assert overrides["processing_mode"] == modes["processing_mode"]
    assert overrides["grpc_initial_metadata"] == [
        {"key": names.ROUTE_METADATA, "value": "a%20b"},
        {"key": names.LIMIT_METADATA, "value": "7"},
    ]


def test_a_try_says_that_it_is_one_and_which() -> None:
    config = ext_proc.attempt_filter("llm/b#2", TOPOLOGY)["typed_config"]
    metadata = config["grpc_service"]["initial_metadata"]
    assert metadata == [
        {"key": names.ROLE_METADATA, "value": names.ATTEMPT_ROLE},
        {"key": names.ATTEMPT_METADATA, "value": "llm/b#2"},
    ]
    namespaces = config["metadata_options"]["forwarding_namespaces"]["untyped"]
    assert namespaces == [names.REQUEST_NAMESPACE]
