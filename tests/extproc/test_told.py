"""Where limits stand, as clients and Envoy are told."""

from __future__ import annotations

import pytest
from envoy_api import message
from hypothesis import given
from hypothesis import strategies as st

from extproc.told import Told, encode_told, header_values, written
from gateway import names

_ProcessingResponse = message("envoy.service.ext_proc.v3.ProcessingResponse")
SECOND = 10**9
numbers = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0ms"),
        (1, "1ms"),
        (20_000_000, "20ms"),
        (SECOND, "1s"),
        (1_500_000_000, "1.5s"),
        (1_040_000_001, "1.041s"),
        (360 * SECOND, "6m0s"),
        (86400 * SECOND, "24h0m0s"),
        (3601 * SECOND + 1, "1h0m1.001s"),
    ],
)
def test_times_are_written_as_openai_writes_them(nanoseconds: int, text: str) -> None:
    assert written(nanoseconds) == text


def test_headers_are_those_of_openai() -> None:
    assert header_values([Told("tokens", 100, 3, SECOND)]) == [
        ("x-ratelimit-limit-tokens", "100"),
        ("x-ratelimit-remaining-tokens", "3"),
        ("x-ratelimit-reset-tokens", "1s"),
    ]


@given(
    st.lists(
        st.builds(
            Told,
            st.sampled_from(["requests", "tokens"]),
            numbers,
            numbers,
            numbers,
            st.just(""),
            st.just(0),
        )
    )
)
def test_envoy_reads_what_was_told(told: list[Told]) -> None:
    each = list({one.unit: one for one in told}.values())
    response = _ProcessingResponse.FromString(encode_told(each))
    assert set(response.dynamic_metadata.fields) == {names.LIMITS_NAMESPACE}
    found = response.dynamic_metadata[names.LIMITS_NAMESPACE]
    prefix = names.RATE_LIMIT_PREFIX
    assert {prefix + key: found[key] for key in found} == dict(header_values(each))


def test_the_ietf_has_a_policy_and_where_it_stands() -> None:
    told = [
        Told("requests", 60, 59, SECOND, "each-key/requests", 60),
        Told("tokens", 1000, 0, 1_500_000_000, "each-key/tokens", 86400),
    ]
    policy = '"each-key/requests";q=60;w=60, "each-key/tokens";q=1000;w=86400'
    state = '"each-key/requests";r=59;t=1, "each-key/tokens";r=0;t=2'
    values = header_values(told)
    assert values[:2] == [("ratelimit-policy", policy), ("ratelimit", state)]
    assert values[2:] == header_values(
        [Told(each.unit, each.limit, each.remaining, each.reset_ns) for each in told]
    )
    response = _ProcessingResponse.FromString(encode_told(told))
    found = response.dynamic_metadata[names.LIMITS_NAMESPACE]
    assert (found["policy"], found["state"]) == (policy, state)
    assert found["remaining-requests"] == "59"


def test_it_merges_with_what_it_is_put_behind() -> None:
    before = _ProcessingResponse(request_headers={})
    before.dynamic_metadata.update({"other": {"a": "b"}})
    told = encode_told([Told("requests", 10**12, 10**12, 86400 * SECOND)])
    both = _ProcessingResponse.FromString(before.SerializeToString() + told)
    assert set(both.dynamic_metadata.fields) == {"other", names.LIMITS_NAMESPACE}
    assert both.HasField("request_headers")


@given(
    st.text(max_size=300),
    st.lists(st.builds(Told, st.just("tokens"), numbers, numbers, numbers), max_size=2),
)
def test_of_a_low_budget_envoy_is_told_beside_the_limits(text: str, limits: list[Told]) -> None:
    response = _ProcessingResponse.FromString(encode_told(limits, f"b; model={text}"))
    fields = response.dynamic_metadata.fields[names.LIMITS_NAMESPACE].struct_value.fields
    assert fields[names.LOW_BUDGET].string_value == f"b; model={text}"
    assert ("limit-tokens" in fields) is bool(limits)
