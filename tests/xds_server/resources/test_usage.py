"""The usage is read from the answer and published where ext_proc looks."""

from __future__ import annotations

import pytest

from gateway import names
from gateway.model import Dialect
from xds_server.resources.usage import usage_filter


@pytest.mark.parametrize("dialect", [each for each in Dialect if each is not Dialect.BEDROCK])
def test_envoy_is_told_which_dialect_it_reads(dialect: Dialect) -> None:
    usage = usage_filter(dialect)["typed_config"]["response_handling"]["token_usage"]
    assert usage["default_llm_protocol"].startswith(dialect.value.upper().partition("_")[0])
    assert usage["include_unconfigured_routes"] is True


def test_event_streams_of_aws_are_not_read_by_envoy() -> None:
    assert usage_filter(Dialect.BEDROCK) is None


def test_it_is_published_with_trailers_where_ext_proc_looks() -> None:
    config = usage_filter(Dialect.OPENAI_CHAT)["typed_config"]
    usage = config["response_handling"]["token_usage"]
    assert usage["metadata_namespace"] == names.USAGE_NAMESPACE
    assert usage["usage_signal"] == "SYNTHESIZE_TRAILERS"


def test_requests_are_left_alone() -> None:
    assert "request_handling" not in usage_filter(Dialect.OPENAI_CHAT)["typed_config"]
