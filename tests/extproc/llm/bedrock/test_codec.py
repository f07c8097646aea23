"""The codec is whole."""

from __future__ import annotations

from botocore.eventstream import EventStreamBuffer

from extproc.llm.answer import Ended, Started
from extproc.llm.bedrock.codec import CODEC
from extproc.llm.dialect import Asked


def test_its_streams_are_event_streams() -> None:
    assert CODEC.name == "Bedrock Converse"
    assert CODEC.stream_type == "application/vnd.amazon.eventstream"
    encoding = CODEC.encoding(Asked("m", "id", 0))
    buffer = EventStreamBuffer()
    buffer.add_data(encoding.feed(Started("", "")) + encoding.feed(Ended(None)))
    assert [message.headers[":event-type"] for message in buffer] == ["messageStart", "metadata"]
