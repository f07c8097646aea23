"""Answers are compressed where a gateway says so, and each event of a stream is sent on at once."""

from __future__ import annotations

from xds_server.audience import Level
from xds_server.resources.compression import compressors, switched_on
from xds_server.resources.features import FEATURES

NEW = FEATURES[Level.V1_40]


def test_the_filters_are_there_and_switched_off() -> None:
    assert all(each["disabled"] is True for each in compressors(NEW))


def test_every_filter_that_is_there_is_switched_on_by_its_name() -> None:
    assert set(switched_on()) == {each["name"] for each in compressors(NEW)}


def test_streams_are_compressed_too_and_nothing_holds_their_events_back() -> None:
    for each in compressors(NEW):
        config = each["typed_config"]
        assert "zstd" not in config["compressor_library"]["name"]
        common = config["response_direction_config"]["common_config"]
        assert {"prefix": "text/event-stream"} in common["content_type_matcher"]
    for each in compressors(FEATURES[Level.V1_37]):
        common = each["typed_config"]["response_direction_config"]["common_config"]
        assert "text/event-stream" in common["content_type"]
