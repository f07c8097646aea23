"""The filters of a try: their order, and what they wipe."""

from __future__ import annotations

import dataclasses

import pytest

from gateway import names
from gateway.model import Provider
from tests.kit.gateways import golden_gateway
from xds_server.resources.attempts import Attempt, PlanOfTries, plan_filters, upstream_filters
from xds_server.resources.extension import Json
from xds_server.resources.judge import Judge
from xds_server.resources.topology import Topology
from xds_server.resources.try_headers import Shared

TOPOLOGY = Topology(workers=("unix:/a",))
PROVIDER: Provider = golden_gateway("llm-failover-paths").providers[0]


ALL = Attempt(
    "c", is_rewritten=True, sets_path=True, reports_usage=True, buffer_limit_bytes=1 << 20
)
NONE = Attempt("c", False, False, False, 1 << 20)


def chain(provider: Provider = PROVIDER, attempt: Attempt = ALL) -> list[Json]:
    return upstream_filters(provider, attempt, TOPOLOGY)


def wiped(provider: Provider) -> list[str]:
    mutations = chain(provider)[0]["typed_config"]["mutations"]["request_mutations"]
    return [mutation["remove"] for mutation in mutations if "remove" in mutation]


def test_the_wipe_is_first_the_credential_after_all_readers_and_the_codec_last() -> None:
    assert [each["name"] for each in chain()] == [
        names.WIPE_FILTER,
        names.ADDRESS_FILTER,
        "dragoman.attempt",
        names.CREDENTIAL_FILTER,
        names.USAGE_FILTER,
        "envoy.filters.http.upstream_codec",
    ]


def test_envoy_counts_no_answer_that_is_translated() -> None:
    as_asked = dataclasses.replace(ALL, is_rewritten=False, sets_path=False)
    plain = chain(attempt=as_asked)[-2]
    assert plain["name"] == names.USAGE_FILTER
    for may_be_foreign in (ALL, dataclasses.replace(as_asked, sets_path=True)):
        wrapped = chain(attempt=may_be_foreign)[-2]
        assert wrapped["name"] == names.USAGE_FILTER
        assert wrapped["typed_config"]["extension_config"] == plain


def test_a_failure_is_looked_at_before_all_others_that_see_the_answer() -> None:
    judged = dataclasses.replace(ALL, judge=Judge(frozenset()))
    assert [each["name"] for each in chain(attempt=judged)][-2:] == [
        names.JUDGE_FILTER,
        "envoy.filters.http.upstream_codec",
    ]
    tries = PlanOfTries(BOTH, frozenset(), 1 << 20, judge=Judge(frozenset()))
    assert [each["name"] for each in plan_filters(tries, TOPOLOGY)][-3:] == [
        f"{names.JUDGE_FILTER}#1",
        f"{names.JUDGE_FILTER}#2",
        "envoy.filters.http.upstream_codec",
    ]


def test_what_is_not_needed_is_not_there() -> None:
    keyless = dataclasses.replace(PROVIDER, credential=None)
    found = [each["name"] for each in chain(keyless, NONE)]
    assert found == [names.WIPE_FILTER, "envoy.filters.http.upstream_codec"]


@pytest.mark.parametrize(
    "header", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token"]
)
def test_credentials_are_wiped(header: str) -> None:
    assert header in wiped(PROVIDER)


@pytest.mark.parametrize(
    "header",
    ["openai-organization", "openai-project", "sec-websocket-protocol", "x-goog-user-project"],
)
def test_no_client_says_whose_account_pays(header: str) -> None:
    assert header in wiped(PROVIDER)


def test_a_header_to_forward_is_not_wiped() -> None:
    forwarding = dataclasses.replace(PROVIDER, forward_headers=frozenset({"x-request-id"}))
    assert set(wiped(PROVIDER)) - set(wiped(forwarding)) == {"x-request-id"}


def test_our_own_headers_are_wiped_by_prefix() -> None:
    mutations = chain()[0]["typed_config"]["mutations"]["request_mutations"]
    prefixes = {
        mutation["remove_on_match"]["key_matcher"]["prefix"]
        for mutation in mutations
        if "remove_on_match" in mutation
    }
    assert prefixes == {"x-envoy-", names.OWN_HEADER_PREFIX}


def test_the_key_itself_is_not_in_the_chain() -> None:
    assert "key-of-a" not in repr(chain())


BOTH = tuple(
    dataclasses.replace(provider, forward_headers=frozenset())
    for provider in golden_gateway("llm-failover-paths").providers
)


def plan(*providers: Provider, rewritten: tuple[int, ...] = ()) -> list[Json]:
    return plan_filters(PlanOfTries(providers, frozenset(rewritten), 1 << 20), TOPOLOGY)


def removed(mutation: Json) -> list[str]:
    mutations = mutation["typed_config"]["mutations"]["request_mutations"]
    return [each["remove"] for each in mutations if "remove" in each]


def test_a_plan_wipes_first_and_adds_a_key_at_its_own_provider_only() -> None:
    assert [each["name"] for each in plan(*BOTH, BOTH[0], rewritten=(2, 3))] == [
        names.WIPE_FILTER,
        f"{names.ADDRESS_FILTER}#1",
        f"{names.ADDRESS_FILTER}#2",
        f"{names.ADDRESS_FILTER}#3",
        "dragoman.attempt#2",
        "dragoman.attempt#3",
        f"{names.CREDENTIAL_FILTER}@a",
        f"{names.CREDENTIAL_FILTER}@b",
        "envoy.filters.http.upstream_codec",
    ]


def test_a_plan_wipes_everywhere_what_no_provider_is_sent() -> None:
    assert removed(plan(*BOTH)[0]) == wiped(BOTH[0])


def test_what_one_provider_is_sent_is_wiped_at_the_others() -> None:
    first = dataclasses.replace(BOTH[0], forward_headers=frozenset({"x-request-id", "x-mine"}))
    everywhere, at_the_other, *_ = plan(first, BOTH[1])
    assert "x-request-id" not in removed(everywhere)
    assert at_the_other["name"] == f"{names.WIPE_FILTER}@b"
    assert removed(at_the_other["typed_config"]["extension_config"]) == ["x-request-id"]


def test_the_path_is_that_of_the_cluster_in_the_plan() -> None:
    odd = dataclasses.replace(ALL, cluster='"; os.exit() --\\')
    script = chain(attempt=odd)[1]["typed_config"]["default_source_code"]["inline_string"]
    assert '[ "\\"; os.exit() --\\\\"]'.replace("[ ", "[") in script


SHARING = dataclasses.replace(ALL, shared=Shared(("x-provider-key",), sends_headers=True))


def test_what_tries_share_is_kept_before_the_wipe_and_sent_after_it() -> None:
    found = [each["name"] for each in chain(attempt=SHARING)]
    assert found[:4] == [
        names.KEEP_FILTER,
        names.WIPE_FILTER,
        names.HEADERS_FILTER,
        names.ADDRESS_FILTER,
    ]
    mutations = chain(attempt=SHARING)[1]["typed_config"]["mutations"]["request_mutations"]
    assert {"remove": "x-provider-key"} in mutations


def test_a_plan_shares_in_the_same_order() -> None:
    sharing = PlanOfTries(BOTH, frozenset(), 1 << 20, SHARING.shared)
    found = [each["name"] for each in plan_filters(sharing, TOPOLOGY)]
    assert found[:4] == [
        names.KEEP_FILTER,
        names.WIPE_FILTER,
        f"{names.HEADERS_FILTER}@a",
        f"{names.HEADERS_FILTER}@b",
    ]
