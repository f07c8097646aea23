"""Answers are compressed where a gateway says so, and each event of a stream is sent on at once."""

from __future__ import annotations

from xds_server.resources.compression import compressors, switched_on


def test_the_filters_are_there_and_switched_off() -> None:
    assert all(each["disabled"] is True for each in compressors())


def test_every_filter_that_is_there_is_switched_on_by_its_name() -> None:
    assert set(switched_on()) == {each["name"] for each in compressors()}


def test_streams_are_compressed_too_and_nothing_holds_their_events_back() -> None:
    for each in compressors():
        config = each["typed_config"]
        common = config["response_direction_config"]["common_config"]
        assert {"prefix": "text/event-stream"} in common["content_type_matcher"]
        assert "zstd" not in config["compressor_library"]["name"]
