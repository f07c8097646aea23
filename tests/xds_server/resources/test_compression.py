"""Answers are compressed where a gateway says so, and each event of a stream is sent on at once."""

from __future__ import annotations

import pytest

from xds_server.audience import Level
from xds_server.resources.compression import compressors, switched_on
from xds_server.resources.features import FEATURES

NEW = FEATURES[Level.V1_40]


def test_the_filters_are_there_and_switched_off() -> None:
    assert all(each["disabled"] is True for each in compressors(NEW))


def test_every_filter_that_is_there_is_switched_on_by_its_name() -> None:
    assert set(switched_on()) == {each["name"] for each in compressors(NEW)}


@pytest.mark.parametrize("level", Level)
def test_streams_are_compressed_too_but_for_zstd_which_holds_their_events_back(
    level: Level,
) -> None:
    for each in compressors(FEATURES[level]):
        config = each["typed_config"]
        common = config["response_direction_config"]["common_config"]
        types = {
            matcher.get("exact", matcher.get("prefix", "").removesuffix(";"))
            for matcher in common.get("content_type_matcher", ())
        } or set(common["content_type"])
        assert "application/json" in types
        is_zstd = "zstd" in config["compressor_library"]["name"]
        assert ("text/event-stream" in types) is not is_zstd
        assert not types & {"application/vnd.amazon.eventstream"}
