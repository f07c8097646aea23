"""JSON becomes resources, checked against Envoy's API."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseError

from xds_server.resources.extension import duration, extension, resource, typed
from xds_server.snapshot import CLUSTER


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (5, "5s"), (0.25, "0.25s"), (60.0, "60s"), (1.0004, "1s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_field_that_envoy_lacks_is_an_exception() -> None:
    with pytest.raises(ParseError, match="conect_timeout"):
        resource(CLUSTER, "a", {"name": "a", "conect_timeout": "1s"})


def test_the_order_of_fields_does_not_matter() -> None:
    one = resource(CLUSTER, "a", {"name": "a", "type": "STATIC"})
    other = resource(CLUSTER, "a", {"type": "STATIC", "name": "a"})
    assert one == other


def test_an_extension_names_its_message() -> None:
    assert extension("n", "a.B", c=1) == {"name": "n", "typed_config": typed("a.B", c=1)}
    assert typed("a.B")["@type"] == "type.googleapis.com/a.B"
